"""What may not be done on the server is taken back here: the cells of the table that rights change."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmapsync.planner.model import NO_TAGS, NOTHING, Base, Pair, Present, Rights, Rules, Side, Verb, Version
from jmapsync.planner.orders import agreed_base
from jmapsync.planner.plan import needed_homes, plan

MAIL = Rules(kind="mail")
BOXES = Rules(kind="mailbox", homeless=True, keeps_loser=False)
EVERYWHERE = Present(frozenset({1, 2, 3}), frozenset({1, 2, 3}))


def version(body: str = "a", tags: str = "", homes: tuple[int, ...] = (1,), leaving: tuple[int, ...] = ()) -> Version:
    return Version(body, body, frozenset(tags.split()), frozenset(homes), frozenset(leaving))


def reported(pair: Pair, rights: Rights, rules: Rules = MAIL, **options: frozenset[int]) -> list[str]:
    """Return the orders of a plan in short."""
    found = []
    for change in plan([pair], rules, EVERYWHERE, rights=rights, **options).changes:
        kept = " shelve" if change.loser is Side.LOCAL else ""
        for order in change.orders:
            words = " ".join(sorted(order.tags))
            found.append(f"{order.side.value} {order.verb.value} {sorted(order.homes)} {words}".strip() + kept)
    return found


AGREED = Base(version(), version())


@pytest.mark.parametrize(
    ("local", "rights", "expected"),
    [
        (None, Rights(no_remove=frozenset({1})), ["local create [1]"]),
        (version(leaving=(1,)), Rights(no_remove=frozenset({1})), ["local update [1]"]),
        (version(homes=(2,)), Rights(no_remove=frozenset({1})), ["local update [1]"]),
        (version(homes=(2,)), Rights(no_add=frozenset({2})), ["local update [1]"]),
        (version(homes=(2,)), Rights(no_add=frozenset({1}), no_remove=frozenset({2})), ["remote update [2]"]),
        (version(homes=(1, 2)), Rights(no_add=frozenset({2})), ["local update [1]"]),
        (version(tags="$seen x"), Rights(no_seen=frozenset({1})), ["local update [1] x", "remote update [1] x"]),
        (version(tags="$seen x"), Rights(no_keywords=frozenset({1})), ["local update [1] $seen", "remote update [1] $seen"]),
        (version(tags="x", homes=(2,)), Rights(no_add=frozenset({2})), ["local update [1] x", "remote update [1] x"]),
        (version("b"), Rights(no_edit=frozenset({1})), []),
        (version("b"), Rights(no_add=frozenset({1})), ["remote replace [1]"]),
        (version("b", homes=(2,)), Rights(no_edit=frozenset({1})), []),
        (version("b", leaving=(1,)), Rights(no_remove=frozenset({1}), no_edit=frozenset({1})), ["local replace [1] shelve"]),
    ],
)
def test_an_act_on_a_message_of_the_server(local: Version | None, rights: Rights, expected: list[str]) -> None:
    assert reported(Pair(9, local, version(), AGREED), rights) == expected


def waiting(pair: Pair, rights: Rights) -> str:
    """Return why an item is left alone on both sides."""
    found = plan([pair], MAIL, EVERYWHERE, rights=rights)
    assert (found.changes, found.agreed, found.forgotten) == ((), (), ())
    return found.hidden[0].reason


def test_an_edit_waits_until_the_servers_message_changes() -> None:
    rights = Rights(no_edit=frozenset({1}))
    assert waiting(Pair(9, version("b"), version(), AGREED), rights) == "edited here, which the server does not allow"
    for there in (version("c"), version(tags="x"), version(homes=(1, 2))):
        orders = reported(Pair(9, version("b"), there, AGREED), rights)
        assert len(orders) == 1
        assert orders[0].startswith("local replace ")
        assert orders[0].endswith(" shelve")
    assert reported(Pair(9, version("b"), None, AGREED), rights) == ["remote create [1]"]


def test_a_new_message() -> None:
    rights = Rights(no_add=frozenset({1}))
    assert waiting(Pair(9, version(), None, None), rights) == "new here, which the server does not allow"
    assert waiting(Pair(9, version(tags="x"), None, None), rights) == "new here, which the server does not allow"
    assert needed_homes([Pair(9, version(), None, None)], MAIL, rights) == {1}
    assert reported(Pair(9, version(homes=(1, 2)), None, None), rights) == ["local update [2]", "remote create [2]"]


def test_what_the_server_deleted_and_was_edited_here() -> None:
    why = waiting(Pair(9, version("b"), None, AGREED), Rights(no_add=frozenset({1})))
    assert why == "deleted on the server, but edited here, which the server does not allow"


def test_what_the_server_does_needs_no_right() -> None:
    every = frozenset({1, 2, 3})
    rights = Rights(every, every, every, every, every, every, every, no_top=True)
    there = version(tags="x", homes=(2,))
    assert reported(Pair(9, version(), there, AGREED), rights) == ["local update [2] x"]
    assert reported(Pair(9, version(), None, AGREED), rights) == ["local delete []"]
    assert reported(Pair(9, None, version(), None), rights) == ["local create [1]"]


@pytest.mark.parametrize(
    ("local", "rights", "expected"),
    [
        (version("new", homes=()), Rights(no_rename=frozenset({9})), ["local replace []"]),
        (version("old", homes=(1,)), Rights(no_rename=frozenset({9})), ["local update []"]),
        (version("old", homes=(1,)), Rights(no_child=frozenset({1})), ["local update []"]),
        (version("new", homes=()), Rights(no_child=frozenset({1})), ["remote replace []"]),
        (None, Rights(no_delete=frozenset({9})), ["local create []"]),
    ],
)
def test_an_act_on_a_mailbox(local: Version | None, rights: Rights, expected: list[str]) -> None:
    old = version("old", homes=())
    pairs = [Pair(9, local, old, Base(old, old)), Pair(1, old, old, Base(old, old))]
    found = plan(pairs, BOXES, EVERYWHERE, rights=rights).changes
    orders = [f"{order.side.value} {order.verb.value} {sorted(order.homes)}" for change in found for order in change.orders]
    assert orders == expected


def test_a_folder_that_may_not_be_made() -> None:
    pair, rights = Pair(9, version("new", homes=()), None, None), Rights(no_top=True)
    assert reported(pair, rights, BOXES) == ["local delete []"]
    found = plan([pair], BOXES, EVERYWHERE, needed=frozenset({9}), rights=rights)
    assert (found.changes, [(one.key, one.reason) for one in found.hidden]) == (
        (),
        [(9, "new here, which the server does not allow")],
    )
    assert needed_homes([Pair(1, version(homes=(9,)), None, None)], MAIL, Rights(no_add=frozenset({9}))) == {9}


VERSIONS = st.builds(
    lambda body, tags, homes: Version(body, body, frozenset(tags), frozenset(homes)),
    st.sampled_from("ab"),
    st.sets(st.sampled_from(["$seen", "x"])),
    st.sets(st.sampled_from([1, 2, 3]), min_size=1),
)
BARRED = st.builds(
    Rights,
    *(st.frozensets(st.sampled_from([1, 2, 3])) for _ in range(5)),
)


@settings(max_examples=300, deadline=None)
@given(local=st.none() | VERSIONS, remote=st.none() | VERSIONS, before=st.none() | VERSIONS, rights=BARRED)
def test_nothing_forbidden_is_ever_ordered_and_it_comes_to_rest(
    local: Version | None, remote: Version | None, before: Version | None, rights: Rights
) -> None:
    """With rights: each order is allowed, a body edited here is on a side or a conflict copy, and three rounds are enough."""
    base = Base(before, before) if before is not None else None
    pair = Pair(9, local, remote, base)
    conflict_copies: set[str] = set()
    for number in itertools.count():
        changes = plan([pair], MAIL, EVERYWHERE, rights=rights).changes
        if not changes:
            break
        assert number < 3
        [change] = changes
        sides = {Side.LOCAL: pair.local, Side.REMOTE: pair.remote}
        if change.loser is not None:
            kept = sides[change.loser]
            assert kept is not None
            conflict_copies.add(kept.body)
        for order in change.orders:
            if order.side is Side.REMOTE:
                assert_allowed(order.verb, pair.remote, order.tags, order.homes, rights)
            found = sides[order.side]
            body = order.source.body if order.source is not None else found.body if found is not None else ""
            sides[order.side] = None if order.verb is Verb.DELETE else Version(body, body, order.tags, order.homes)
        here, there = sides[Side.LOCAL], sides[Side.REMOTE]
        pair = Pair(9, here, there, agreed_base(pair, here, there))
    if local is not None and (before is None or local.body != before.body):
        assert local.body in conflict_copies | {one.body for one in (pair.local, pair.remote) if one is not None}


def assert_allowed(verb: Verb, there: Version | None, tags: frozenset[str], homes: frozenset[int], rights: Rights) -> None:
    was = there if there is not None else Version("", "", NO_TAGS, NOTHING)
    replaced = verb is Verb.REPLACE
    assert not (homes - was.homes) & rights.no_add
    assert not replaced or not (homes | was.homes) & rights.no_edit
    assert not (was.homes - homes) & rights.no_remove
    if verb is Verb.UPDATE:
        changed = tags ^ was.tags
        assert not ("$seen" in changed and was.homes & rights.no_seen)
        assert not (changed - {"$seen"} and was.homes & rights.no_keywords)
