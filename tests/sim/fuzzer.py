"""Play cases of altered answers on a stand, and report what each of them showed: crashes, losses, untrue reports, costs."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jmapsync.errors import ExitCode
from tests.sim import mutation, stand
from tests.sim.altering import Altering, Case, Mutation
from tests.sim.objects import RFC_WORLD, Flavour, words_in
from tests.sim.stand import SCENARIOS, Outcome, Picture, Scenario, Stand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEMORY = 220 << 20
"""Octets that a run may take at the most beside what the process holds before it: 300 MB less about 80 for the program."""
LONGEST_WAIT = 1800.0
"""Seconds that a run may wait for a server that asks for patience."""
DEBOUNCE_SECONDS = 5
"""Sound runs after which both sides have to be equal."""


@dataclass
class CaseResult:
    """What a case showed."""

    case: Case
    faults: list[str]
    altering: Altering
    cpu: float = 0.0
    peak: int = 0
    trace: str = ""


class Fuzzer:
    """Makes and plays the cases of a seed."""

    def __init__(self, base: Path, flavour: Flavour = RFC_WORLD) -> None:
        self.stand = Stand(base, flavour)
        self.baselines: dict[str, frozenset[tuple[str, ...]]] = {}
        """How both sides differ after a sound run."""
        self.gone: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        """Words that a sound run takes from the disk and from the server."""
        self.combinations: list[tuple[str, str, tuple[str, ...], str]] = []
        for scenario in SCENARIOS.values():
            self._survey(scenario)

    def _survey(self, scenario: Scenario) -> None:
        self.stand.enter(scenario)
        before = self.stand.picture()
        altering = Altering(Case(scenario.name, ()))
        outcome = self.stand.run(altering, full=scenario.full, command=scenario.command)
        assert not outcome.crash, outcome.crash
        after = self.stand.picture()
        self.baselines[scenario.name] = after.disk ^ after.server
        self.gone[scenario.name] = (before.disk_words - after.disk_words, before.server_words - after.server_words)
        for (method, pattern), value in sorted(altering.samples.items(), key=lambda one: one[0]):
            if method.startswith("http "):
                operations = mutation.http_operations()
            elif method.startswith("call "):
                operations = mutation.call_operations()
            else:
                operations = [one for one in mutation.OPERATIONS if mutation.applies(one, value)]
            self.combinations += [(scenario.name, method, pattern, one) for one in operations]

    @property
    def fields(self) -> set[tuple[str, tuple[str, ...]]]:
        return {(method, pattern) for _, method, pattern, _ in self.combinations}

    def case(self, seed: int, number: int) -> Case:
        """Return one case: every combination once, in an order that the seed gives, then all again by other choices."""
        turn, index = divmod(number, len(self.combinations))
        order = _order(len(self.combinations), seed)
        chance = random.Random(f"{seed}:{number}")
        scenario, method, pattern, operation = self.combinations[order[index]]
        mutations = [Mutation(method, pattern, operation, chance.random() < 0.6, chance.random() < 0.3)]
        while (turn and chance.random() < 0.4) or chance.random() < 0.15:
            other = chance.choice(self.combinations)
            if other[0] == scenario:
                mutations.append(Mutation(*other[1:], chance.random() < 0.5, chance.random() < 0.3))
        return Case(scenario, tuple(mutations), chance.randrange(1 << 30))

    def play(self, case: Case) -> CaseResult:
        """Play a case and return what is wrong."""
        scenario = SCENARIOS[case.scenario]
        beginning = self.stand.enter(scenario)
        before = self.stand.picture()
        contents = _contents(self.stand)
        altering = Altering(case)
        outcome = self.stand.run(altering, full=scenario.full, command=scenario.command)
        result = CaseResult(case, [], altering, outcome.cpu, outcome.peak)
        faults = result.faults
        faults += _costs(outcome, "the altered run")
        if outcome.crash:
            faults.append(f"the altered run crashed: {outcome.crash.strip().splitlines()[-1][:300]}")
            result.trace = outcome.crash
        between = self.stand.picture()
        if scenario.command == "sync" and not altering.plausible:
            faults += self._losses(case, before, between, beginning.doomed)
            if not altering.beyond and altering.items:
                faults += _good_items(before, between, beginning.doomed, _affected(contents, altering.items))
            unequal = (between.disk ^ between.server) - self.baselines[case.scenario]
            if outcome.is_fine and unequal:
                faults.append(f"the altered run reports that all is well, but the sides differ: {_some(unequal)}")
        last = self._run_until_quiet(faults, result, full=altering.plausible)
        after = self.stand.picture()
        if last is not None and after.disk != after.server:
            faults.append(f"the sides differ after sound runs: {_some(after.disk ^ after.server)}")
        words = before.disk_words | before.server_words
        lost = words - beginning.doomed - after.disk_words - after.server_words - after.conflict_copies
        if lost:
            faults.append(f"lost: {_some(lost)}")
        return result

    def _run_until_quiet(self, faults: list[str], result: CaseResult, *, full: bool) -> Outcome | None:
        """Run soundly until nothing changes; with `--full` first where nobody could know that an answer was wrong."""
        for number in range(DEBOUNCE_SECONDS):
            outcome = self.stand.run(full=full and number == 0)
            faults += _costs(outcome, "a sound run")
            if outcome.crash:
                faults.append(f"a sound run crashed: {outcome.crash.strip().splitlines()[-1][:300]}")
                result.trace = result.trace or outcome.crash
                return None
            report = outcome.report
            if report is not None and outcome.is_fine and not report.changed:
                return outcome
            if report is not None and report.worst is ExitCode.SUSPENDED and result.altering.plausible:
                return None  # what may be a mass deletion waits for a person
        if not result.altering.plausible:
            faults.append(f"not at rest after {DEBOUNCE_SECONDS} sound runs: {outcome.text[:1500]}")
        return outcome

    def _losses(self, case: Case, before: Picture, after: Picture, doomed: frozenset[str]) -> Iterator[str]:
        here, there = self.gone[case.scenario]
        lost = before.disk_words - after.disk_words - after.conflict_copies - here - doomed
        if lost:
            yield f"gone from the disk by an altered answer: {_some(lost)}"
        lost = before.server_words - after.server_words - there - doomed
        if lost:
            yield f"gone from the server by an altered answer: {_some(lost)}"


def _good_items(before: Picture, after: Picture, doomed: frozenset[str], affected: frozenset[str]) -> Iterator[str]:
    missing = before.server_words - doomed - affected - after.disk_words
    if missing:
        yield f"sound items of the server are not here: {_some(missing)}"
    missing = before.disk_words - doomed - affected - after.server_words
    if missing:
        yield f"sound items of the disk are not on the server: {_some(missing)}"


def _costs(outcome: Outcome, what: str) -> Iterator[str]:
    if outcome.peak > MEMORY:
        yield f"{what} took {outcome.peak >> 20} MB"
    if outcome.cpu > stand.CPU_SECONDS:
        yield f"{what} took {outcome.cpu:.1f} s"
    if outcome.waited > LONGEST_WAIT:
        yield f"{what} would have waited {outcome.waited:.0f} s"


def _contents(one: Stand) -> dict[str, frozenset[str]]:
    """Return the words of every item, and of what every container holds on either side, by id."""
    account = one.account
    found: dict[str, set[str]] = {}
    paths = {account.path(box): box for box in account.mailboxes.values()}
    for path, data, _ in one.mail.on_disk():
        at = paths.get(path)
        while at is not None:
            found.setdefault(at.id, set()).update(words_in(data))
            at = account.mailboxes[at.parent_id] if at.parent_id is not None else None
    for email in account.emails.values():
        words = words_in(account.raw(email.id))
        found.setdefault(email.id, set()).update(words)
        for home in email.mailbox_ids:
            box: str | None = home
            while box is not None:
                found.setdefault(box, set()).update(words)
                box = account.mailboxes[box].parent_id
    here = {
        one.objects.uid(kind, file): words_in(file.read_bytes()) for kind in one.flavour.kinds for file in one.objects.files(kind)
    }
    for store in (account.contacts, account.calendars):
        for name in store.collections:
            named = (file for kind in one.flavour.kinds for file in one.objects.files(kind))
            inside = [file for file in named if one.objects.name_of(file.parent) == store.collections[name]["name"]]
            found.setdefault(name, set()).update(word for file in inside for word in words_in(file.read_bytes()))
        for ref, item in store.items.items():
            words = (*words_in(json.dumps(item).encode()), *here.get(item["uid"], ()))
            for place in (ref, *item[store.model.homes]):
                found.setdefault(place, set()).update(words)
    return {name: frozenset(words) for name, words in found.items()}


def _affected(contents: dict[str, frozenset[str]], items: set[str]) -> frozenset[str]:
    return frozenset().union(*(contents.get(one, frozenset()) for one in items))


def _some(found: frozenset[Any] | set[Any]) -> str:
    listed = sorted(map(str, found))
    return f"{', '.join(listed[:4])}{f' and {len(listed) - 4} more' if len(listed) > 4 else ''}"


_ORDERS: dict[tuple[int, int], list[int]] = {}


def _order(count: int, seed: int) -> list[int]:
    if (count, seed) not in _ORDERS:
        order = list(range(count))
        random.Random(seed).shuffle(order)
        _ORDERS[count, seed] = order
    return _ORDERS[count, seed]
