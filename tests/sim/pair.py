"""Two mirrors of one account, each with a disk and a ledger of its own: act on both and on the server, kill, compare the ends."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING

from tests.sim.chance import Player, word_in
from tests.sim.object_chance import Somebody
from tests.sim.objects import ObjectWorld, words_in
from tests.sim.world import World, _lf, writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.demo.dialect import Dialect
    from jmapsync.sync.report import AccountReport, KindReport
    from tests.sim.objects import Flavour, Shown
    from tests.sim.world import Copy

SIDES = ("left", "right")
ACTS = 3
"""Acts of a round at the most."""
DEBOUNCE_SECONDS = 12
"""Runs of both mirrors after which nothing may be written any more."""
LATER = 7200
"""Seconds between two runs at the end: what is tried again later is tried again then."""
MOST = 60
"""Messages from which on no new ones come."""


class _Reader(Player):
    """Somebody at one disk or the server, whose words differ from those of others because all share one counter."""

    def __init__(self, world: World, seed: int, words: Iterator[int], safe: set[str], doomed: set[str]) -> None:
        super().__init__(world, seed)
        self._words = words
        self.safe, self.doomed = safe, doomed

    def _word(self) -> str:
        self._count = next(self._words)
        word = f"w{self._count}"
        self.safe.add(word)
        return word

    def write(self) -> None:
        if len(self.world.account.emails) < MOST:
            super().write()

    def deliver(self) -> None:
        if len(self.world.account.emails) < MOST:
            super().deliver()


class _Owner(Somebody):
    def __init__(self, world: ObjectWorld, seed: int, numbers: Iterator[int], doomed: set[str], written: set[str]) -> None:
        super().__init__(world, seed)
        self._numbers = numbers  # type: ignore[assignment]
        self.doomed, self.written = doomed, written

    def fix_problems(self) -> None:
        """Put right what only a person can; copies of one item that were edited in different ways are made alike too."""
        super().fix_problems()
        before = self._places("here")
        for kind in self.world.flavour.kinds:
            first: dict[str, bytes] = {}
            for file in self.world.files(kind):
                content = file.read_bytes()
                if first.setdefault(self._uid(kind, content), content) != content:
                    self._save(file, first[self._uid(kind, content)])
        self._note(before, self._places("here"))


class MailPair:
    """Two mirrors of the mail of one account."""

    def __init__(self, base: Path, dialect: Dialect, seed: int) -> None:
        self.worlds: dict[str, World] = {}
        server: DemoServer | None = None
        for side in SIDES:
            (base / side).mkdir()
            self.worlds[side] = World(base / side, dialect, server)
            server = self.worlds[side].server
        words, safe, doomed = itertools.count(1), set[str](), set[str]()
        self.players = {
            side: _Reader(world, seed * 2 + n, words, safe, doomed) for n, (side, world) in enumerate(self.worlds.items())
        }
        self.safe, self.doomed = safe, doomed
        self.kills = self.runs = 0
        self._chance = random.Random(-seed)
        self.players["left"].populate()
        for world in self.worlds.values():
            world.sync_until_quiet()

    def play(self, rounds: int) -> None:
        """Act a little, let one mirror run, perhaps die, perhaps be disturbed; again and again."""
        for _ in range(rounds):
            for _ in range(self._chance.randint(1, ACTS)):
                self.players[self._chance.choice(SIDES)].act()
            side = self._chance.choice(SIDES)
            self.runs += 1
            self.kills += _live_or_die(self._chance, self.worlds[side].die, self.players[side].act)

    def rest(self) -> None:
        """Run both until neither writes; fail if that takes too long, or something is quarantined."""
        quiet = 0
        reported: list[KindReport] = []
        for number in range(2 * DEBOUNCE_SECONDS):
            world = self.worlds[SIDES[number % 2]]
            world.now += LATER
            report = world.sync()
            reported.append(report)
            quiet = 0 if writes(report) or report.folders.total else quiet + 1
            if quiet >= 4:
                break
        else:
            raise AssertionError(f"still writing: {reported[-2:]}")
        for report in reported[-2:]:
            assert (report.state.value, report.exit_code, report.problems) == ("synced", 0, []), report

    def check(self) -> None:
        """Fail unless both disks and the server hold the same, nothing is lost, and a run at rest asks once."""
        left, right = (_copies(world.on_disk()) for world in self.worlds.values())
        assert left == right, f"left only {list(left - right)[:3]}, right only {list(right - left)[:3]}"
        assert self.worlds["left"].picture().folders == self.worlds["right"].picture().folders
        for world in self.worlds.values():
            world.assert_same()
            report = world.sync()
            assert (writes(report), world.requests, report.exit_code) == (0, 1, 0), report
            assert world.leftovers() == []
            assert world.dangling() == []
        found = Counter(word_in(data) for _, data, _, _ in self.worlds["left"].on_server())
        conflict_copies = {word_in(file.read_bytes()) for world in self.worlds.values() for file in world.state.glob("shelf/*")}
        missing = self.safe - found.keys() - conflict_copies
        assert not missing, f"lost: {sorted(missing)}"


class ObjectPair:
    """Two mirrors of the contacts, calendars and tasks of one account."""

    def __init__(self, base: Path, flavour: Flavour, seed: int) -> None:
        self.worlds: dict[str, ObjectWorld] = {}
        server: DemoServer | None = None
        for side in SIDES:
            (base / side).mkdir()
            self.worlds[side] = ObjectWorld(base / side, flavour, server)
            server = self.worlds[side].server
        numbers = itertools.count(1)
        doomed, written = set[str](), set[str]()
        self.people = {
            side: _Owner(world, seed * 2 + n, numbers, doomed, written) for n, (side, world) in enumerate(self.worlds.items())
        }
        self.doomed, self.written = doomed, written
        self.kills = self.runs = 0
        self._chance = random.Random(-seed)
        self.people["left"].populate()
        for world in self.worlds.values():
            world.sync_until_quiet()

    def play(self, rounds: int) -> None:
        """Act a little, let one mirror run, perhaps die, perhaps be disturbed; again and again."""
        for _ in range(rounds):
            for _ in range(self._chance.randint(1, ACTS)):
                self.people[self._chance.choice(SIDES)].act()
            side = self._chance.choice(SIDES)
            self.runs += 1
            self.kills += _live_or_die(self._chance, self.worlds[side].die, self.people[side].act)

    def rest(self) -> None:
        """Put right what only a person can, then run both until neither writes."""
        for person in self.people.values():
            person.fix_problems()
        quiet = 0
        reported: list[AccountReport] = []
        for number in range(2 * DEBOUNCE_SECONDS):
            world = self.worlds[SIDES[number % 2]]
            world.now += LATER
            report = world.sync(allow_deletes=True, full=number in (2, 3))
            reported.append(report)
            quiet = 0 if report.changed else quiet + 1
            if quiet >= 4 and number > 5:
                break
        else:
            raise AssertionError(
                "still writing: " + "\n".join(str(one) for report in reported[-2:] for one in report.kinds.items())
            )
        for report in reported[-2:]:
            for kind, one in report.kinds.items():
                assert (one.state.value, one.problems) == ("synced", []), (kind, one)

    def check(self) -> None:
        """Fail unless both disks and the server hold the same, nothing is lost, and a run at rest asks once."""
        for world in self.worlds.values():
            world.assert_at_rest()
        left, right = (self._shown(world) for world in self.worlds.values())
        assert left == right, f"left only {sorted(set(left) - set(right))[:3]}, right only {sorted(set(right) - set(left))[:3]}"
        kept = {word for _, _, _, words in left for word in words}
        kept.update(*(words_in(content) for world in self.worlds.values() for content in world.conflict_copies()))
        missing = self.written - self.doomed - kept
        assert not missing, f"lost: {sorted(missing)}"

    @staticmethod
    def _shown(world: ObjectWorld) -> list[Shown]:
        return world.on_disk()


def _live_or_die(chance: random.Random, die: Callable[..., object], act: Callable[[], None]) -> bool:
    """Let a mirror run, in one of three runs until it is killed, in one of four with acts in the middle; return whether it died."""
    step = chance.randint(1, 150) if chance.random() < 0.33 else 0
    slips = {chance.randint(1, 120): act for _ in range(2)} if chance.random() < 0.25 else None
    fate = die(step, slips=slips)
    return bool(getattr(fate, "dead", False))


def _copies(found: list[Copy]) -> Counter[Copy]:
    return Counter((path, _lf(data), words) for path, data, words in found)
