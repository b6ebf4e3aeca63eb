"""Decide where a side may not be written: it stays as it is, and the other side follows it wherever that loses nothing.

With only LOCAL writable (`direction = "pull"`) the disk becomes the server's mirror: what was edited here is kept as a conflict
copy and replaced, what was deleted here comes back, what is new here stays alone, and what the server deleted goes here too unless
it was edited here. A copy marked deleted that the server never held is the only one, and stays.
"""

from __future__ import annotations

from jmapsync.planner import reason
from jmapsync.planner.merge import Body, held, means_gone, means_other, replay, same_sense, stay, stay_marked
from jmapsync.planner.model import SIDES, Base, Decision, Homes, Pair, Rules, Side, Version, Wanted


def follow(pair: Pair, rules: Rules, *, needed: bool) -> Decision:
    """Return the wanted states of an item in sight on at least one side, with one side or none writable."""
    if not rules.writable:
        local, remote = (_frozen(pair, side) for side in SIDES)
        return Decision(local, remote, "neither side may be written")
    (follower,) = rules.writable
    leader = follower.other
    if means_gone(pair.of(leader), rules):
        wish, phrase, loser = _after_leader(pair, rules, follower, needed=needed)
    else:
        wish, phrase, loser = _like_leader(pair, rules, follower)
    wishes = {follower: wish, leader: _frozen(pair, leader)}
    return Decision(wishes[Side.LOCAL], wishes[Side.REMOTE], phrase, loser)


def _frozen(pair: Pair, side: Side) -> Wanted | None:
    """Return the wish that a side stays exactly as it is, copies marked to go included."""
    version = pair.of(side)
    return None if version is None else Wanted(side, version.tags, version.homes)


def _after_leader(pair: Pair, rules: Rules, follower: Side, *, needed: bool) -> tuple[Wanted | None, str, Side | None]:
    """Decide for the follower when the leader does not have the item (any more)."""
    version, leader = pair.of(follower), follower.other
    gone = reason.deleted(leader, pair.of(leader))
    if version is None:
        return None, reason.deleted(follower, version) if pair.base is None else gone, None
    alone = f"kept {reason.WHERE[follower]} only, as nothing may be written {reason.WHERE[leader]}"
    marked = means_gone(version, rules)
    if pair.base is None:
        return (stay_marked if marked else stay)(follower, version), f"{reason.new(follower)}, {alone}", None
    agreed = pair.base.of(follower)
    edited = version.body != agreed.body
    if marked:  # the only copy of an edit is not deleted
        return (stay_marked(follower, version), f"{gone}, {alone}", None) if edited else (None, gone, None)
    added = version.kept != agreed.kept if rules.homeless else bool(version.kept - agreed.kept)
    if edited or added or needed:
        edit = reason.edited(rules) if edited else "moved" if added else "still needed"
        return stay(follower, version), f"{gone}, but {edit} {reason.WHERE[follower]}: {alone}", None
    return None, f"{gone}, unchanged {reason.WHERE[follower]}", None


def _like_leader(pair: Pair, rules: Rules, follower: Side) -> tuple[Wanted | None, str, Side | None]:
    """Decide for the follower when the leader has the item: what the follower did to its own is taken back."""
    leader = follower.other
    model, version, base = held(pair, leader), pair.of(follower), pair.base
    if version is None:
        phrase = reason.new(leader) if base is None else f"{reason.deleted(follower, None)}, brought back"
        return stay(leader, model), phrase, None
    body = _body(pair, base, rules, follower)
    if base is None:
        return Wanted(body.of(follower), model.tags, model.kept), body.phrase, body.loser
    undone = _undone(version, base.of(follower), rules, follower)
    led = reason.join(
        reason.tags_changed(leader, model, base.of(leader), rules), reason.homes_changed(leader, model, base.of(leader), rules)
    )
    phrase = reason.join(body.phrase, led, undone, reason.untidy(follower, version)) or "unchanged"
    tags = replay(base.of(follower).tags, model.tags, base.of(leader).tags)
    return Wanted(body.of(follower), tags, _homes(model, base, leader, rules)), phrase, body.loser


def _undone(version: Version, agreed: Version, rules: Rules, follower: Side) -> str:
    """Say what the follower did to its tags and homes that is taken back."""
    gone = reason.deleted(follower, version) if means_gone(version, rules) else ""
    homes = gone or reason.homes_changed(follower, version, agreed, rules)
    changed = reason.join(reason.tags_changed(follower, version, agreed, rules), homes)
    return f"{changed}: taken back" if changed else ""


def _homes(model: Version, base: Base, leader: Side, rules: Rules) -> Homes:
    """Return the follower's homes: what it last agreed to, and what the leader did since."""
    if rules.homeless:
        return model.kept if model.kept != base.of(leader).kept else base.of(leader.other).kept
    return replay(base.of(leader.other).kept, model.kept, base.of(leader).kept) or model.kept


def _body(pair: Pair, base: Base | None, rules: Rules, follower: Side) -> Body:
    """Return the leader's body unless the follower holds it already; an edit of the follower loses."""
    leader = follower.other
    if same_sense(pair):
        return Body(None, "found on both sides" if base is None else "")
    loser = follower if rules.keeps_loser else None
    copied = f", {reason.WHOSE[follower]} is kept as a conflict copy" if rules.keeps_loser else ""
    if base is None:
        return Body(leader, f"different on both sides: {reason.WHOSE[leader]} replaces it{copied}", loser)
    version = held(pair, follower)
    if means_other(version, base.of(follower)):
        verb = reason.edited(rules)
        return Body(leader, f"{verb} {reason.WHERE[follower]}: {reason.WHOSE[leader]} replaces it{copied}", loser)
    if version.body != base.of(follower).body or held(pair, leader).body != base.of(leader).body:
        return Body(leader, f"{reason.edited(rules)} {reason.WHERE[leader]}")
    return Body(None)
