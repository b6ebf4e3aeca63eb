"""Play a world of contacts, calendars and tasks at a legal server, act by act, and say whether it holds."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.sim.object_chance import HERE, THERE, Somebody
from tests.sim.objects import MOST_RUNS, Flavour, ObjectWorld, words_in
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.sync.report import Problem
    from tests.sim.legal import LegalServer

Act = tuple[str, int]
ENOUGH_CALLS = 16
"""Calls in one request that let a run of all kinds with nothing to do be one request."""
ENOUGH_OCTETS = 10_000
"""Octets of a request that has room for the long states of all kinds."""
ONE_KIND = 0.7
"""The share of worlds with one of the kinds only, which take a third of the time."""
FEW = 3
"""Items of each kind that the account begins with."""


class LegalSomebody(Somebody):
    """Somebody who does at the server only what it allows, each act by choices of its own."""

    def __init__(self, world: ObjectWorld, seed: int, *, single: bool) -> None:
        super().__init__(world, seed)
        self.single = single
        """Whether an item is in one collection only."""
        self.keeps_unknown &= world.server.freedoms.items_kept != "unknown dropped"

    def play(self, act: Act) -> None:
        """Do one act; leaving another one out changes few of its choices."""
        name, seed = act
        self._chance = random.Random(seed)
        self.do(name)

    def copy_there(self, kind: str) -> None:
        if not self.single:
            super().copy_there(kind)

    def copy(self, kind: str) -> None:
        if not self.single:
            super().copy(kind)

    def move(self, kind: str) -> None:
        if not (self.single and self._has_twins(kind)):  # or one of them would put the item into a second collection
            super().move(kind)

    def _has_twins(self, kind: str) -> bool:
        """Return whether two files have one uid."""
        uids = [self.world.uid(kind, file) for file in self.world.files(kind) if self._is_whole(kind, file)]
        return len(set(uids)) < len(uids)


def flavour_of(server: LegalServer) -> Flavour:
    """Return what kinds a server offers."""
    dialect = server.dialect()
    offered = (("contacts", dialect.contacts), ("calendars", dialect.calendars), ("tasks", dialect.tasks))
    kinds = [kind for kind, there in offered if there]
    if random.Random(server.seed).random() < ONE_KIND:
        kinds = [kinds[server.seed % len(kinds)]]
    return Flavour(server.profile, dialect, tuple(kinds), files=dialect.event_rules == "cyrus" and server.seed % 2 == 0)


def acts_of(chance: random.Random) -> list[Act]:
    """Return acts on both sides, runs and deaths."""
    acts: list[Act] = [("die", chance.randint(1, 150))] if chance.random() < 0.1 else []
    acts.append(("run", 0))
    for _ in range(chance.choice((1, 2, 3))):
        sides = [chance.choice((HERE, THERE)) for _ in range(chance.choice((1, 3, 6)))]
        acts += [(chance.choice(side), chance.randrange(1 << 30)) for side in sides]
        if chance.random() < 0.3:
            acts.append(("die", chance.randint(1, 150)))
        elif chance.random() < 0.7:
            acts.append(("run", 0))
    return acts


def play_objects(server: LegalServer, acts: Sequence[Act]) -> None:
    """Play a world of objects to its end. Raises AssertionError where something does not hold, and what a run raises."""
    with scratch() as base:
        world = ObjectWorld(base, flavour_of(server), freedoms=server.freedoms(), holder=server.holder)
        somebody = LegalSomebody(world, server.seed, single=world.server.limits.max_collections_per_item == 1)
        somebody.populate(FEW)
        is_denied = _deny(world, server)
        for act in acts:
            if act[0] == "run":
                world.sync(allow_deletes=True)
            elif act[0] == "die":
                world.die(act[1])
            else:
                somebody.play(act)
        if world.server.service.shape is not None:
            world.server.service.shape.quiet = True
        somebody.fix_problems()
        if is_denied:
            _assert_rest(world, somebody, _come_to_rest(world))
        else:
            world.sync_until_quiet(allow_deletes=True)
            _assert_rest(world, somebody, [])


def _deny(world: ObjectWorld, server: LegalServer) -> bool:
    """Let the default collections of a world deny what the server's do; return whether that is anything."""
    denied = {kind: server.denied_of("contacts" if kind == "contacts" else "calendars") for kind in world.flavour.kinds}
    for kind, rights in denied.items():
        world.store(kind).set_rights("", **rights)
    return any(denied.values()) or world.account.is_read_only


def _assert_rest(world: ObjectWorld, somebody: LegalSomebody, problems: list[Problem]) -> None:
    """Fail unless both sides hold the same, as far as nothing is named, no word is lost, and a further run does nothing."""
    kept = {word for _, _, _, words in world.on_disk() for word in words}
    kept.update(*(words_in(content) for content in world.conflict_copies()))
    if problems:  # what may not be written stays where it is, named
        kept.update(word for _, _, _, words in world.on_server() for word in words)
    else:
        world.assert_same()
    assert somebody.safe <= kept, f"lost: {sorted(somebody.safe - kept)}"
    assert world.leftovers() == []
    world.assert_asked_about_mail()
    written = [name for name in world.server.requests.counts if name.endswith("/set")]
    assert not (world.account.is_read_only and written), f"a mirror that may only read wrote: {written}"
    counts = []
    for _ in range(2):
        report = world.sync()
        assert report.changed == [], report
        counts.append(world.requests)
    limits, freedoms = world.server.limits, world.server.freedoms
    is_narrow = limits.max_size_request < ENOUGH_OCTETS and freedoms.state_form == "long"
    asks_often = limits.max_calls_in_request < ENOUGH_CALLS or is_narrow or freedoms.cannot_calculate
    assert asks_often or problems or counts[-1] == 1, f"{counts} requests with nothing to do"


def _come_to_rest(world: ObjectWorld) -> list[Problem]:
    """Run until a run writes nothing, and return what is named then. What may not be done is undone or named, and stays."""
    for _ in range(MOST_RUNS):
        report = world.sync(allow_deletes=True)
        assert {one.state.value for one in report.kinds.values()} == {"synced"}, report
        if not report.changed:
            return [problem for one in report.kinds.values() for problem in one.problems]
    raise AssertionError(f"not at rest: {report}")
