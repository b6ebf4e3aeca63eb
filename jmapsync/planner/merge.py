"""Merge what both sides hold of one item: whose body, which tags, which homes.

Tags and homes *replay*: what the other side added since its base is added here, what it removed is removed here. A body is
one value: the side that changed it gives it to the other, and where both did the preferred one wins.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.planner import reason
from jmapsync.planner.model import SIDES, Base, Homes, Pair, Rules, Side, Version, Wanted

Element = TypeVar("Element", str, int)


def in_sight(pair: Pair, rules: Rules) -> Pair:
    """Return the pair without versions that are in no home: nothing is there to keep, and nothing to delete either.

    Where the other side has the item in sight, nothing may be done about that at all: see `hidden_on`.
    """
    local, remote = pair.local, pair.remote
    if rules.homeless or ((local is None or local.homes) and (remote is None or remote.homes)):
        return pair
    return replace(
        pair,
        local=local if local is not None and local.homes else None,
        remote=remote if remote is not None and remote.homes else None,
    )


def hidden_on(pair: Pair, rules: Rules) -> Side | None:
    """Return the side that has an item in no home that is known, while the other side has it in sight; None mostly.

    The email was moved to a mailbox that this account is not shown. It is no deletion, and there is no place to follow it to.
    """
    if rules.homeless or pair.local is None or pair.remote is None or bool(pair.local.homes) == bool(pair.remote.homes):
        return None
    return Side.REMOTE if pair.local.homes else Side.LOCAL


def means_gone(version: Version | None, rules: Rules) -> bool:
    """Return whether a side means the item to be gone: it is absent, or every copy is marked to go."""
    return version is None or not (rules.homeless or version.kept)


def unsent(pair: Pair, rules: Rules) -> Side | None:
    """Return the side whose every copy is marked to go while the other side has never held their content; None mostly.

    A mark is the wish to delete an item the usual way, and that way leads over the other side: it may have a Trash.
    """
    for side in SIDES:
        mine, theirs = pair.of(side), pair.of(side.other)
        if mine is None or not means_gone(mine, rules):
            continue
        base = pair.base
        if theirs is None:
            is_unsent = base is None or mine.body != base.of(side).body
        else:
            edited = base is not None and mine.body != base.of(side).body and theirs.body == base.of(side.other).body
            is_unsent = edited and not means_gone(theirs, rules)
        if is_unsent:
            return side
    return None


def stay_marked(side: Side, version: Version) -> Wanted:
    """Return the wish to leave a version exactly as it is, with the marks on its copies."""
    return Wanted(side, version.tags, version.homes, version.leaving)


def held(pair: Pair, side: Side) -> Version:
    """Return the version of a side that has one; raise LookupError if it has none."""
    version = pair.of(side)
    if version is None:
        raise LookupError(f"item {pair.key} is not {reason.WHERE[side]}")
    return version


def stay(side: Side, version: Version) -> Wanted:
    """Return the wish to keep a version as its side means it."""
    return Wanted(side, version.tags, version.kept)


def replay(mine: frozenset[Element], theirs: frozenset[Element], base: frozenset[Element]) -> frozenset[Element]:
    """Return my set after what the other side did to its own: plus what it added, minus what it removed.

    `base` is what the *other* side held when both last agreed. Each side is compared with its own base only, so a side
    that cannot hold some element never seems to have removed it.
    """
    return (mine | (theirs - base)) - (base - theirs)


class Body(Struct, frozen=True):
    """Whose body both sides are to hold; `source` is None where each keeps its own."""

    source: Side | None
    phrase: str = ""
    loser: Side | None = None

    def of(self, side: Side) -> Side:
        """Return whose body one side is to hold."""
        return side if self.source is None else self.source


def same_sense(pair: Pair) -> bool:
    """Return whether both sides are known to mean the same."""
    local, remote = held(pair, Side.LOCAL), held(pair, Side.REMOTE)
    return local.sense != "" and local.sense == remote.sense


def means_other(version: Version, base: Version) -> bool:
    """Return whether a body changed in more than its form, as far as is known."""
    return version.body != base.body and not (version.sense != "" and version.sense == base.sense)


def conflict(rules: Rules, cause: str) -> Body:
    """Let the preferred body win in place and keep the other as a conflict copy."""
    return Body(rules.prefer, reason.conflict(rules, cause), rules.prefer.other if rules.keeps_loser else None)


def merge_bodies(pair: Pair, base: Base, rules: Rules) -> Body:
    """Return whose body wins when both sides hold the item."""
    verb = reason.edited(rules)
    changed = [side for side in SIDES if held(pair, side).body != base.of(side).body]
    if not changed:
        return Body(None)
    if len(changed) == 1:
        return Body(changed[0], f"{verb} {reason.WHERE[changed[0]]}")
    if same_sense(pair):
        return Body(None, f"{verb} alike on both sides")
    # A server may rewrite an object without changing what it says (a new `updated`): that is no edit to quarrel with.
    changed = [side for side in SIDES if means_other(held(pair, side), base.of(side))]
    if len(changed) < len(SIDES):
        return Body(changed[0], f"{verb} {reason.WHERE[changed[0]]}") if changed else Body(None, reason.REWRITTEN)
    # Of what has parts, the edit here is sent first, without what the server changed too; what it then holds is written here.
    return Body(Side.LOCAL, reason.merged(rules)) if rules.mergeable else conflict(rules, f"{verb} on both sides")


def too_many(homes: Homes, rules: Rules) -> bool:
    """Return whether an item cannot be in all of these containers at once on the server."""
    return 0 < rules.most_homes < len(homes)


def merge_homes(pair: Pair, base: Base, rules: Rules) -> dict[Side, Homes]:
    """Return the homes of both sides when neither gave the item up.

    A container has one parent or none: its home is a value that moves, and the preferred side's move wins.
    """
    kept = {side: held(pair, side).kept for side in SIDES}
    if rules.homeless:
        moved = [side for side in SIDES if kept[side] != base.of(side).kept]
        if not moved:
            return kept
        return dict.fromkeys(SIDES, kept[rules.prefer if rules.prefer in moved else moved[0]])
    merged = {side: replay(kept[side], kept[side.other], base.of(side.other).kept) for side in SIDES}
    if all(too_many(homes, rules) and not too_many(kept[side], rules) for side, homes in merged.items()):
        return dict.fromkeys(SIDES, kept[rules.prefer])  # each side moved it elsewhere, and it cannot be in both places
    # Empty when each side dropped the home that the other relied on: nobody wanted the item gone.
    return merged if all(merged.values()) else dict.fromkeys(SIDES, kept[rules.prefer])
