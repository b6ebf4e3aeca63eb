"""Undo locally, or leave waiting, what a person may not do on the server (a shared mailbox, a read-only account).

The decision is made once more as if the act had never been done. Undoing loses nothing: a body that is replaced is kept as a
conflict copy first. What a person wrote stays, quarantined, until it may be sent: a new item, a container made here that holds
items, and an edit for as long as the server's item does not change; then the edit becomes a conflict copy.
"""

from __future__ import annotations

from msgspec.structs import replace

from jmapsync.planner import reason
from jmapsync.planner.decide import BOTH, decide
from jmapsync.planner.merge import hidden_on, in_sight, means_gone, stay
from jmapsync.planner.model import ALLOWED, NO_TAGS, NOTHING, Decision, Pair, Rights, Rules, Side, Tags, Version, Wanted

SEEN = "$seen"
"""The keyword that has a right of its own (RFC 8621, section 2)."""


def permit(pair: Pair, rules: Rules, rights: Rights, *, needed: bool = False) -> Decision:
    """Return the state that both sides of an item are to reach, without what may not be done on the server."""
    wish = decide(pair, rules, needed=needed)
    if rights == ALLOWED or rules.writable != BOTH or hidden_on(pair, rules) is not None:
        return wish
    seen = in_sight(pair, rules)
    if seen.remote is None:
        return _new(seen, wish, rules, rights, needed=needed)
    if rules.homeless:
        return _container(seen, seen.remote, wish, rules, rights, needed=needed)
    return _item(seen, seen.remote, wish, rules, rights)


def _new(pair: Pair, wish: Decision, rules: Rules, rights: Rights, *, needed: bool) -> Decision:
    """Decide on what is to be created on the server."""
    wanted = wish.remote
    if wanted is None or pair.local is None:
        return wish
    if rules.homeless:
        forbidden = bool(wanted.homes & rights.no_child) or (rights.no_top and not wanted.homes)
        return _never_made(pair.local, wish, needed=needed) if forbidden else wish
    left = wanted.homes - rights.no_add
    marked = wish.local is not None and bool(wish.local.marked)
    if not left and marked:
        return Decision(None, None, reason.taken_back(wish.reason, copied=True), Side.LOCAL, undone=True)
    if not left:
        return Decision(stay(Side.LOCAL, pair.local), None, wish.reason, waits=reason.forbidden(wish.reason))
    if marked:
        return replace(wish, remote=replace(wanted, homes=left))
    both = replace(wanted, homes=left)
    return wish if left == wanted.homes else Decision(both, both, reason.taken_back(wish.reason), undone=True)


def _never_made(here: Version, wish: Decision, *, needed: bool) -> Decision:
    """Decide on a container that the disk alone may have: one that holds items stays, and waits."""
    if not needed:
        return Decision(None, None, reason.taken_back(wish.reason), undone=True)
    return Decision(Wanted(Side.LOCAL, here.tags, here.homes), None, wish.reason, waits=reason.forbidden(wish.reason))


def _item(pair: Pair, there: Version, wish: Decision, rules: Rules, rights: Rights) -> Decision:
    """Decide on an item that the server has."""
    wanted, here = wish.remote, pair.local
    agreed = pair.base.local if pair.base is not None else there
    to_be = wanted.homes if wanted is not None else NOTHING
    homes = bool((there.homes - to_be) & rights.no_remove or (to_be - there.homes) & rights.no_add)
    replaced = wanted is not None and wanted.source is Side.LOCAL
    body = replaced and bool((to_be | there.homes) & rights.no_edit)
    if body and here is not None and here.leaving:  # without the edit, what is marked deleted would be deleted at once
        homes = homes or bool(there.homes & rights.no_remove)
    tags = _barred(wanted.tags ^ there.tags, there, rights) if wanted is not None else NO_TAGS
    if not (homes or body or tags):
        return wish
    if body and here is not None and not here.leaving and pair.base is not None and _is_as_agreed(there, pair.base.remote):
        return Decision(stay(Side.LOCAL, here), stay(Side.REMOTE, there), wish.reason, waits=reason.forbidden(wish.reason))
    if here is None or (homes and means_gone(here, rules)):
        kept = agreed
    else:
        kept = replace(here, tags=(here.tags - tags) | (tags & agreed.tags))
        if homes:
            kept = replace(kept, homes=agreed.homes, leaving=NOTHING)
        if body:
            kept = replace(kept, body=agreed.body, sense=agreed.sense)
    return _undone(pair, kept, wish, rules)


def _is_as_agreed(there: Version, agreed: Version) -> bool:
    return (there.body, there.tags, there.homes) == (agreed.body, agreed.tags, agreed.homes)


def _barred(changed: Tags, there: Version, rights: Rights) -> Tags:
    """Return the keywords that may not be changed: where an item is in several mailboxes, each has to allow it (RFC 8621, 2)."""
    seen, others = bool(there.homes & rights.no_seen), bool(there.homes & rights.no_keywords)
    return frozenset(tag for tag in changed if (seen if tag == SEEN else others))


def _container(pair: Pair, there: Version, wish: Decision, rules: Rules, rights: Rights, *, needed: bool) -> Decision:
    """Decide on a container that the server has."""
    wanted = wish.remote
    if pair.base is None:
        return wish
    if wanted is None:
        forbidden = pair.key in rights.no_delete
    else:
        moved = wanted.homes != there.homes
        lodged = bool(wanted.homes & rights.no_child) or (rights.no_top and not wanted.homes)
        renamed = moved or wanted.source is Side.LOCAL
        forbidden = renamed and (pair.key in rights.no_rename or (moved and lodged))
    return _undone(pair, pair.base.local, wish, rules, needed=needed) if forbidden else wish


def _undone(pair: Pair, kept: Version, wish: Decision, rules: Rules, *, needed: bool = False) -> Decision:
    """Return the decision as it were if the disk held `kept`, which it no longer does."""
    now = decide(replace(pair, local=kept), rules, needed=needed)
    local, here = now.local, pair.local
    lost = here is not None and (here.body != kept.body or (local is None and wish.local is not None))
    if local is not None and local.source is Side.LOCAL and (here is None or here.body != kept.body):
        local = replace(local, source=Side.REMOTE)
    loser = Side.LOCAL if lost and rules.keeps_loser else now.loser
    return Decision(local, now.remote, reason.taken_back(wish.reason, copied=loser is Side.LOCAL), loser, undone=True)
