"""Decide what both sides of one item are to hold: the one decision table of every data type.

| local | remote | base | result |
|---|---|---|---|
| - | - | B | forget |
| L | - | - | create on the server |
| - | R | - | create on disk |
| L | - | B | edited since the base? re-create on the server : delete on disk |
| - | R | B | edited since the base? re-create on disk : delete on the server |
| L | R | - | same sense? adopt, union of the sets : conflict |
| L | R | B | body changed on one side: the other gets it; on both with the same sense: adopt; else conflict; sets replay |

A side whose every copy is marked to go (the Maildir flag T) counts as a side that deleted the item, once the other side has held
its content: what it never held is created there first, and then deleted as any other item. "Edited" is a new body or a new home; a
tag change alone does not bring a deleted item back. A conflict keeps the preferred body in place; the other is kept as a conflict
copy first. Where a side may not be written, the other follows it (`follow`). An item that one side has in no known home (the email
was moved to a mailbox that is not shown) is left alone on the other: `plan` names it as hidden.
"""

from __future__ import annotations

from typing import Final

from jmapsync.planner import reason
from jmapsync.planner.follow import follow
from jmapsync.planner.merge import (
    Body,
    conflict,
    held,
    in_sight,
    means_gone,
    merge_bodies,
    merge_homes,
    replay,
    same_sense,
    stay,
    stay_marked,
    too_many,
    unsent,
)
from jmapsync.planner.model import SIDES, Base, Decision, Homes, Pair, Rules, Side, Version, Wanted

BOTH: Final = frozenset(SIDES)


def decide(pair: Pair, rules: Rules, *, needed: bool = False) -> Decision:
    """Return the state that both sides of an item are to reach, and why.

    `needed` says of a container that some item has to live in it: it then counts as edited wherever it still exists.
    """
    pair = in_sight(pair, rules)
    if pair.local is None and pair.remote is None:
        return Decision(None, None, "gone from both sides")
    if rules.writable != BOTH:
        return follow(pair, rules, needed=needed)
    marked = unsent(pair, rules)
    if marked is not None:
        return _send_marked(pair, marked, rules)
    gone = [side for side in SIDES if means_gone(pair.of(side), rules)]
    if len(gone) == len(Side):
        return Decision(None, None, reason.join(*(reason.deleted(side, pair.of(side)) for side in gone)))
    if pair.base is None:
        return _first_meeting(pair, rules)
    return _after_deletion(pair, pair.base, gone[0], rules, needed=needed) if gone else _merge(pair, pair.base, rules)


def as_it_is(pair: Pair) -> Decision:
    """Return the decision about an item on which both sides agree."""
    local, remote = (stay(side, held(pair, side)) for side in SIDES)
    return Decision(local, remote, "unchanged")


def _first_meeting(pair: Pair, rules: Rules) -> Decision:
    """Decide for an item without a base: nothing was ever agreed, so nothing can have been removed."""
    if pair.local is None or pair.remote is None:
        side = Side.LOCAL if pair.remote is None else Side.REMOTE
        wish = stay(side, held(pair, side))
        return Decision(wish, wish, reason.new(side))
    body = Body(None, "found on both sides") if same_sense(pair) else conflict(rules, "different on both sides")
    tags = pair.local.tags | pair.remote.tags
    homes = pair.local.kept | pair.remote.kept
    if rules.homeless or (too_many(homes, rules) and not too_many(pair.local.kept, rules)):
        homes = held(pair, rules.prefer).kept
    apart = pair.local.tags != pair.remote.tags or pair.local.homes != pair.remote.homes
    phrase = reason.join(body.phrase, "flags and folders united" if apart and not rules.homeless else "")
    return Decision(Wanted(body.of(Side.LOCAL), tags, homes), Wanted(body.of(Side.REMOTE), tags, homes), phrase, body.loser)


def _send_marked(pair: Pair, side: Side, rules: Rules) -> Decision:
    """Give the other side the content of an item whose every copy on `side` is marked to go; the deletion comes after that."""
    mine, theirs, base = held(pair, side), pair.of(side.other), pair.base
    if theirs is None or base is None:
        there = Wanted(side, mine.tags, mine.homes)
    else:
        there = Wanted(side, replay(theirs.tags, mine.tags, base.of(side).tags), theirs.homes)
    wishes = {side: stay_marked(side, mine), side.other: there}
    edit = reason.edited(rules) if base is not None else ""
    return Decision(wishes[Side.LOCAL], wishes[Side.REMOTE], reason.sent_first(side, edit))


def _survival(version: Version, base: Base, side: Side, rules: Rules) -> tuple[Homes, str]:
    """Return where an item lives on that the other side gave up, and the edit on `side` that saves it, if any does."""
    edited = version.body != base.of(side).body
    phrase = f"{reason.edited(rules)} {reason.WHERE[side]}" if edited else ""
    if rules.homeless:
        moved = version.kept != base.of(side).kept
        return version.kept, phrase or (f"moved {reason.WHERE[side]}" if moved else "")
    # Who gave the item up removed the homes that both knew of; a home it never knew of was not its to remove.
    fresh = version.kept - (base.local.kept & base.remote.kept)
    return fresh or version.kept, phrase or (f"put into another folder {reason.WHERE[side]}" if fresh else "")


def _after_deletion(pair: Pair, base: Base, gone: Side, rules: Rules, *, needed: bool) -> Decision:
    """Decide for an item that one side gave up: an edit on the other side beats the deletion, a tag change does not."""
    side = gone.other
    survivor, left = held(pair, side), pair.of(gone)
    deletion = reason.deleted(gone, left)
    homes, edit = _survival(survivor, base, side, rules)
    if not edit and not needed:
        flags = reason.tags_changed(side, survivor, base.of(side), rules)
        return Decision(None, None, f"{deletion}, {f'only {flags}' if flags else f'unchanged {reason.WHERE[side]}'}")
    body = Body(side) if left is None else merge_bodies(pair, base, rules)
    tags = {gone: base.of(gone).tags if left is None else left.tags, side: survivor.tags}
    local, remote = (Wanted(body.of(each), replay(tags[each], tags[each.other], base.of(each.other).tags), homes) for each in SIDES)
    phrase = f"{deletion}, but {edit or f'still needed {reason.WHERE[side]}'}"
    return Decision(local, remote, reason.join(phrase, body.phrase if body.loser else ""), body.loser)


def _merge(pair: Pair, base: Base, rules: Rules) -> Decision:
    """Decide for an item that both sides hold and mean to keep."""
    body, homes = merge_bodies(pair, base, rules), merge_homes(pair, base, rules)
    local, remote = (
        Wanted(
            body.of(side),
            replay(held(pair, side).tags, held(pair, side.other).tags, base.of(side.other).tags),
            homes[side],
        )
        for side in SIDES
    )
    phrase = reason.join(body.phrase, reason.sets_changed(pair, base, rules))
    return Decision(local, remote, phrase or "unchanged", body.loser)
