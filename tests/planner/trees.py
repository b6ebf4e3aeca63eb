"""Generate worlds: ONE agreed tree, perturbed on each side to get the other two, so that they share what can be quarrelled over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from msgspec.structs import replace

from jmapsync.planner.model import NO_TAGS, NOTHING, Base, Pair, Side, Version
from tests.planner.model_sides import CONTAINERS, ITEMS, ModelSides, content

if TYPE_CHECKING:
    from collections.abc import Callable

TAGS = ("$seen", "$flagged", "green", "red")
FIRST_ITEM = 100
FIRST_NEW = {Side.LOCAL: 300, Side.REMOTE: 400}

Edit = tuple[str, int, int]


@dataclass
class Hand:
    """Somebody's hand on one side of a world."""

    world: ModelSides
    side: Side
    fresh: int = 0

    def _put(self, trees: dict[int, Pair], key: int, version: Version | None) -> None:
        pair = trees.get(key, Pair(key, None, None, None))
        trees[key] = replace(pair, local=version) if self.side is Side.LOCAL else replace(pair, remote=version)

    def _pick(self, trees: dict[int, Pair], which: int) -> tuple[int, Version] | None:
        there = [(key, version) for key, pair in sorted(trees.items()) if (version := pair.of(self.side)) is not None]
        return there[which % len(there)] if there else None

    def _new_key(self) -> int:
        self.fresh += 1
        return FIRST_NEW[self.side] + self.fresh

    def _said(self, version: Version, number: int) -> str:
        return f"{content(version).split('+')[0]}+{self.side.value}{number}"

    def _change(self, which: int, change: Callable[[Version], Version | None]) -> None:
        """Change an item; one that is left in no home is deleted."""
        found = self._pick(self.world.items, which)
        if found is not None:
            after = change(found[1])
            self._put(self.world.items, found[0], after if after is not None and after.homes else None)

    def _retag(self, version: Version, tags: frozenset[str]) -> Version:
        return replace(version, tags=tags - self.world.cannot_hold[self.side])

    def edit(self, which: int, what: int) -> None:
        """Give an item another body."""
        said = self.world.version
        self._change(which, lambda seen: replace(seen, body=(new := said(self.side, self._said(seen, what))).body, sense=new.sense))

    def rewrite(self, which: int, what: int) -> None:
        """Give an item another form of the same body."""
        said = self.world.version
        self._change(which, lambda seen: replace(seen, body=said(self.side, content(seen), form=what + 1).body))

    def tag(self, which: int, what: int) -> None:
        """Set a tag."""
        self._change(which, lambda seen: self._retag(seen, seen.tags | {TAGS[what % len(TAGS)]}))

    def untag(self, which: int, what: int) -> None:
        """Clear a tag."""
        self._change(which, lambda seen: replace(seen, tags=seen.tags - {TAGS[what % len(TAGS)]}))

    def put(self, which: int, what: int) -> None:
        """Put an item into one more container."""
        home = self._pick(self.world.containers, what)
        if home is not None:
            self._change(which, lambda seen: replace(seen, homes=seen.homes | {home[0]}, leaving=seen.leaving - {home[0]}))

    def take(self, which: int, what: int) -> None:
        """Take an item out of one of its containers; out of the last one, it is gone."""

        def change(seen: Version) -> Version:
            home = sorted(seen.homes)[what % len(seen.homes)]
            return replace(seen, homes=seen.homes - {home}, leaving=seen.leaving - {home})

        self._change(which, change)

    def move(self, which: int, what: int) -> None:
        """Move an item into one container, out of all others."""
        home = self._pick(self.world.containers, what)
        if home is not None:
            self._change(which, lambda seen: replace(seen, homes=frozenset({home[0]}), leaving=NOTHING))

    def delete(self, which: int, _what: int) -> None:
        """Delete an item."""
        self._change(which, lambda _: None)

    def recreate(self, which: int, what: int) -> None:
        """Delete an item and put the same content back as a new item, in one container."""
        found, home = self._pick(self.world.items, which), self._pick(self.world.containers, what)
        if found is not None and home is not None:
            self.delete(which, what)
            said = self._said(found[1], what)
            self._put(self.world.items, self._new_key(), self.world.version(self.side, said, homes=frozenset({home[0]})))

    def mark(self, which: int, what: int) -> None:
        """Mark one copy of an item to go."""
        self._change(which, lambda seen: replace(seen, leaving=seen.leaving | {sorted(seen.homes)[what % len(seen.homes)]}))

    def mark_all(self, which: int, _what: int) -> None:
        """Mark every copy of an item to go."""
        self._change(which, lambda seen: replace(seen, leaving=seen.homes))

    def muddle(self, which: int, what: int) -> None:
        """Leave the copies of an item with different flags."""
        self._change(which, lambda seen: replace(self._retag(seen, seen.tags | {TAGS[what % len(TAGS)]}), untidy=True))

    def create(self, which: int, what: int) -> None:
        """Create an item."""
        home = self._pick(self.world.containers, which)
        if home is not None:
            key = self._new_key()
            made = self.world.version(self.side, f"new{key}", homes=frozenset({home[0]}), tags=frozenset({TAGS[what % len(TAGS)]}))
            self._put(self.world.items, key, made)

    def rename(self, which: int, what: int) -> None:
        """Rename a container."""
        found = self._pick(self.world.containers, which)
        if found is not None:
            new = self.world.version(self.side, self._said(found[1], what))
            self._put(self.world.containers, found[0], replace(found[1], body=new.body, sense=new.sense))

    def reparent(self, which: int, what: int) -> None:
        """Move a container under another one or to the top, never into itself."""
        found = self._pick(self.world.containers, which)
        if found is None:
            return
        target = self._pick(self.world.containers, what) if what < 6 else None
        parent = frozenset() if target is None or found[0] in self._lineage(target[0]) else frozenset({target[0]})
        self._put(self.world.containers, found[0], replace(found[1], homes=parent))

    def _lineage(self, key: int) -> set[int]:
        line, above = {key}, {key}
        while above:
            seen = [self.world.containers[home].of(self.side) for home in above]
            above = {home for version in seen if version is not None for home in version.homes}
            line |= above
        return line

    def fell(self, which: int, _what: int) -> None:
        """Delete a container with all that is in it."""
        found = self._pick(self.world.containers, which)
        if found is None:
            return
        felled = [key for key in self.world.there(self.side) if found[0] in self._lineage(key)]
        for key in felled:
            self._empty(key)
        for key in felled:
            self._put(self.world.containers, key, None)

    def _empty(self, container: int) -> None:
        for key, pair in list(self.world.items.items()):
            version = pair.of(self.side)
            if version is not None and container in version.homes:
                homes, leaving = version.homes - {container}, version.leaving - {container}
                left = replace(version, homes=homes, leaving=leaving) if homes else None
                self._put(self.world.items, key, left)

    def fold(self, which: int, what: int) -> None:
        """Create a container."""
        key = self._new_key()
        parent = self._pick(self.world.containers, which) if what % 2 else None
        homes = frozenset({parent[0]}) if parent is not None else frozenset()
        self._put(self.world.containers, key, self.world.version(self.side, f"folder{key}", homes=homes))


ITEM_EDITS = ("edit", "rewrite", "tag", "untag", "put", "take", "move", "delete", "recreate", "create")
MARKS = ("mark", "mark_all", "muddle")
CONTAINER_EDITS = ("rename", "reparent", "fell", "fold")
EVERYTHING = ITEM_EDITS + MARKS + CONTAINER_EDITS
# Rare quarrels need a theme: two sides that edit at random seldom pick the same thing.
THEMES = (
    EVERYTHING,
    ITEM_EDITS + MARKS,
    CONTAINER_EDITS,
    ("reparent", "reparent", "fold"),
    ("edit", "rewrite", "delete", "put"),
    ("put", "take", "move", "delete", "fell"),
    ("reparent", "fell", "move", "create"),
    ("edit", "mark_all"),
    ("take", "mark"),
    ("fell", "reparent"),
)


def agreed(world: ModelSides, parents: list[int], homes: list[set[int]], tags: list[set[str]]) -> None:
    """Fill a world with containers 1, 2, ... and items 100, 101, ... that both sides and the base hold."""
    for number, parent in enumerate(parents, start=1):
        above = frozenset({1 + parent % (number - 1)}) if number > 1 and parent else NOTHING
        local, remote = (world.version(side, f"name{number}", homes=above) for side in Side)
        world.containers[number] = Pair(number, local, remote, Base(local, remote))
    for number, (where, flags) in enumerate(zip(homes, tags, strict=True), start=FIRST_ITEM):
        inside = frozenset(1 + home % len(parents) for home in where)
        local, remote = (world.version(side, f"text{number}", homes=inside, tags=frozenset(flags)) for side in Side)
        world.items[number] = Pair(number, local, remote, Base(local, remote))


def forget_base(world: ModelSides, key: int) -> None:
    """Let an item be known to both sides without a common past."""
    for trees in (world.items, world.containers):
        if key in trees:
            trees[key] = replace(trees[key], base=None)


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    edits: tuple[str, ...] = EVERYTHING,
    sides: frozenset[Side] = frozenset(Side),
    lossy: bool = True,
    senses: bool | None = None,
    baseless: bool = True,
    writable: frozenset[Side] = frozenset(Side),
) -> ModelSides:
    """Return a world whose sides were perturbed by `edits`."""
    prefer = draw(st.sampled_from(Side))
    world = ModelSides(
        item_rules=replace(ITEMS, prefer=prefer, writable=writable),
        container_rules=replace(CONTAINERS, prefer=prefer, writable=writable),
        senses=draw(st.booleans()) if senses is None else senses,
    )
    if lossy:
        world.cannot_hold = {Side.LOCAL: draw(st.sampled_from((NO_TAGS, frozenset({"green"}))))} | {Side.REMOTE: NO_TAGS}
    parents = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    where = draw(st.lists(st.sets(st.integers(0, 3), min_size=1, max_size=3), max_size=3))
    flags = [draw(st.sets(st.sampled_from(TAGS), max_size=2)) for _ in where]
    agreed(world, parents, where, flags)
    theme = [edit for edit in draw(st.sampled_from(THEMES)) if edit in edits] or edits
    least = draw(st.sampled_from((0, 3)))
    choice = st.lists(st.tuples(st.sampled_from(theme), st.integers(0, 7), st.integers(0, 7)), min_size=least, max_size=6)
    for side in Side:
        if side in sides:
            perturb(world, side, draw(choice))
    if baseless:
        for key in draw(st.sets(st.sampled_from([*world.items, *world.containers]), max_size=2)):
            forget_base(world, key)
    return world


def perturb(world: ModelSides, side: Side, edits: list[Edit]) -> Hand:
    """Make some edits on one side."""
    hand = Hand(world, side)
    for name, which, what in edits:
        getattr(hand, name)(which, what)
    return hand
