"""The decision table, cell by cell: local, remote and base in, orders out."""

from __future__ import annotations

import pytest

from jmapsync.planner.model import Base, Pair, Side
from jmapsync.planner.plan import plan
from tests.planner.notation import CARDS, EVERYWHERE, FOLDERS, MAIL, OBJECTS, homes, kept_copies, outcome, pair, pulled, v, why

HIDDEN = "hidden: it is in no folder that can be seen on the server; it stays as it is here until it is back or gone"

CELLS = {
    # no base: nothing was ever agreed, so nothing can have been removed
    "gone from both sides": (pair(None, None, v()), ["forget"]),
    "never anywhere": (pair(None, None), ["forget"]),
    "new here": (pair(v(where="AB", tags="$seen"), None), ["remote create text in AB +$seen"]),
    "new on the server": (pair(None, v(where="AB", tags="$seen")), ["local create text in AB +$seen"]),
    "new here, one copy marked": (pair(v(where="AB", leaving="B"), None), ["local update in A", "remote create text in A"]),
    "new here, all copies marked: sent first": (pair(v(leaving="A"), None), ["remote create text in A"]),
    "new here, both copies marked: sent first": (pair(v(where="AB", leaving="AB"), None), ["remote create text in AB"]),
    "then it is as if it had always been there": (pair(v(leaving="A"), v(), v()), ["local delete", "remote delete"]),
    "edited here, marked: sent first": (pair(v("new", leaving="A"), v(), v()), ["remote replace new in A"]),
    "edited here, marked, tagged there: sent first": (
        pair(v("new", leaving="A"), v(tags="$seen"), v()),
        ["remote replace new in A +$seen"],
    ),
    "edited here, marked, deleted there: sent first": (pair(v("new", leaving="A"), None, v()), ["remote create new in A"]),
    "on both sides alike": (pair(v(), v()), ["settle"]),
    "on both sides, sets differ": (
        pair(v(where="A", tags="$seen"), v(where="B", tags="red")),
        ["local update in AB +$seen +red", "remote update in AB +$seen +red"],
    ),
    "on both sides, copy here marked": (pair(v(leaving="A"), v()), ["local update in A"]),
    "on both sides, not alike": (pair(v("mine"), v("theirs")), ["local replace theirs in A"]),
    "on both sides, sense unknown": (pair(v(sense=""), v(sense="")), ["local replace text in A"]),
    # one side gave it up
    "deleted here": (pair(None, v(), v()), ["remote delete"]),
    "deleted on the server": (pair(v(), None, v()), ["local delete"]),
    "deleted here, edited there": (pair(None, v("new"), v()), ["local create new in A"]),
    "edited here, deleted there": (pair(v("new"), None, v()), ["remote create new in A"]),
    "deleted here, tagged there": (pair(None, v(tags="$seen"), v()), ["remote delete"]),
    "deleted here, put into B there": (pair(None, v(where="AB"), v()), ["local create text in B", "remote update in B"]),
    "put into B here, deleted there": (pair(v(where="AB"), None, v()), ["local update in B", "remote create text in B"]),
    "deleted here, taken out of B there": (pair(None, v(where="A"), v(where="AB")), ["remote delete"]),
    "marked here": (pair(v(leaving="A"), v(), v()), ["local delete", "remote delete"]),
    "marked here, deleted there": (pair(v(leaving="A"), None, v()), ["local delete"]),
    "marked here, edited there": (pair(v(leaving="A"), v("new"), v()), ["local replace new in A"]),
    "one of two copies marked here": (
        pair(v(where="AB", leaving="B"), v(where="AB"), v(where="AB")),
        ["local update in A", "remote update in A"],
    ),
    "deleted here, edited and tagged there": (pair(None, v("new", tags="$seen"), v(tags="red")), ["local create new in A +$seen"]),
    # both hold it: the body
    "unchanged": (pair(v(), v(), v()), []),
    "edited here": (pair(v("new"), v(), v()), ["remote replace new in A"]),
    "edited there": (pair(v(), v("new"), v()), ["local replace new in A"]),
    "edited on both sides alike": (pair(v("new"), v("new"), v()), ["settle"]),
    "edited on both sides, in other forms": (pair(v("new 1", sense="new"), v("new 2", sense="new"), v()), ["settle"]),
    "edited on both sides": (pair(v("mine"), v("theirs"), v()), ["local replace theirs in A"]),
    "edited here, rewritten there without a change": (
        pair(v("mine"), v("form 2", sense="text"), v()),
        ["remote replace mine in A"],
    ),
    "edited here, tagged there": (
        pair(v("new"), v(tags="$seen"), v()),
        ["local update in A +$seen", "remote replace new in A +$seen"],
    ),
    # both hold it: the sets
    "tagged here": (pair(v(tags="$seen"), v(), v()), ["remote update in A +$seen"]),
    "untagged there": (pair(v(tags="$seen"), v(), v(tags="$seen")), ["local update in A"]),
    "tagged on both sides alike": (pair(v(tags="$seen"), v(tags="$seen"), v()), ["settle"]),
    "moved here": (pair(v(where="B"), v(where="A"), v(where="A")), ["remote update in B"]),
    "moved on both sides": (pair(v(where="B"), v(where="C"), v(where="A")), ["local update in BC", "remote update in BC"]),
    "each side dropped what the other kept": (pair(v(where="B"), v(where="A"), v(where="AB")), ["local update in A"]),
    # a side that cannot hold a tag (red here) never seems to have removed it
    "lossy, unchanged": (pair(v(), v(tags="red"), Base(v(), v(tags="red"))), []),
    "lossy, tagged here": (pair(v(tags="$seen"), v(tags="red"), Base(v(), v(tags="red"))), ["remote update in A +$seen +red"]),
    "lossy, the base was unlike": (pair(v(), v(), Base(v(), v(tags="red"))), ["settle"]),
    # in no home at all: nothing to keep and nothing to delete
    "out of sight": (pair(None, v(where="")), []),
    "out of sight since": (pair(v(), v(where=""), v()), [HIDDEN]),
    "out of sight since, edited and flagged here": (pair(v("new", tags="$seen"), v(where=""), v()), [HIDDEN]),
    "out of sight since, marked here": (pair(v(leaving="A"), v(where=""), v()), [HIDDEN]),
    "out of sight since, deleted here": (pair(None, v(where=""), v()), ["forget"]),
    "out of sight when it was first met": (pair(v(), v(where="")), [HIDDEN]),
}


@pytest.mark.parametrize(("one", "expected"), CELLS.values(), ids=CELLS)
def test_an_item(one: Pair, expected: list[str]) -> None:
    assert outcome(one) == expected


OBJECT_CELLS = {
    "edited on both sides: the edit here goes first": (pair(v("mine"), v("theirs"), v()), ["remote replace mine in A"]),
    "then what came of it there is written here": (
        pair(v("mine"), v("both"), Base(v("mine"), v())),
        ["local replace both in A"],
    ),
    "edited on both sides alike": (pair(v("new"), v("new"), v()), ["settle"]),
    "edited here, rewritten there without a change": (
        pair(v("mine"), v("form 2", sense="text"), v()),
        ["remote replace mine in A"],
    ),
    "edited on both sides, moved there": (
        pair(v("mine"), v("theirs", where="B"), v()),
        ["local update in B", "remote replace mine in B"],
    ),
    "on both sides, not alike, nothing ever agreed": (pair(v("mine"), v("theirs")), ["local replace theirs in A"]),
}


@pytest.mark.parametrize(("one", "expected"), OBJECT_CELLS.values(), ids=OBJECT_CELLS)
def test_an_object_with_properties_of_its_own(one: Pair, expected: list[str]) -> None:
    assert outcome(one, OBJECTS) == expected


FOLDER_CELLS = {
    "new here": (pair(v("Lists", "P"), None), ["remote create Lists in P"]),
    "at the top": (pair(v("Lists", ""), None), ["remote create Lists"]),
    "same place on both sides": (pair(v("Lists", "P"), v("Lists", "P")), ["settle"]),
    "deleted here": (pair(None, v("Lists", ""), v("Lists", "")), ["remote delete"]),
    "deleted here, renamed there": (pair(None, v("Post", ""), v("Lists", "")), ["local create Post"]),
    "deleted here, moved there": (pair(None, v("Lists", "Q"), v("Lists", "P")), ["local create Lists in Q"]),
    "moved to the top here, deleted there": (pair(v("Lists", ""), None, v("Lists", "P")), ["remote create Lists"]),
    "renamed here": (pair(v("Post", ""), v("Lists", ""), v("Lists", "")), ["remote replace Post"]),
    "renamed on both sides": (pair(v("Post", ""), v("Mail", ""), v("Lists", "")), ["local replace Mail"]),
    "renamed here, moved there": (
        pair(v("Post", "P"), v("Lists", "Q"), v("Lists", "P")),
        ["local update in Q", "remote replace Post in Q"],
    ),
    "moved on both sides: one parent only": (pair(v("Lists", "Q"), v("Lists", "R"), v("Lists", "P")), ["local update in R"]),
    "moved to the top here": (pair(v("Lists", ""), v("Lists", "P"), v("Lists", "P")), ["remote update"]),
}


@pytest.mark.parametrize(("one", "expected"), FOLDER_CELLS.values(), ids=FOLDER_CELLS)
def test_a_container(one: Pair, expected: list[str]) -> None:
    assert outcome(one, FOLDERS) == expected


def test_a_needed_container_comes_back_where_it_was_deleted() -> None:
    one = pair(None, v("Lists", ""), v("Lists", ""))
    assert outcome(one, FOLDERS, needed=True) == ["local create Lists"]


PULL_CELLS = {
    "out of sight on the server": (pair(v(), v(where=""), v()), [HIDDEN]),
    "new here stays alone": (pair(v(), None), []),
    "new here, marked, stays alone": (pair(v(leaving="A"), None), []),
    "new here, one of two copies marked": (pair(v(where="AB", leaving="B"), None), ["local update in A"]),
    "deleted there, edited and marked here: kept": (pair(v("new", leaving="A"), None, v()), []),
    "deleted there, marked here": (pair(v(leaving="A"), None, v()), ["local delete"]),
    "new on the server": (pair(None, v()), ["local create text in A"]),
    "found on both sides": (pair(v(tags="red"), v(tags="$seen")), ["local update in A +$seen"]),
    "different on both sides": (pair(v("mine"), v("theirs")), ["local replace theirs in A"]),
    "edited here: taken back": (pair(v("mine"), v(), v()), ["local replace text in A"]),
    "edited on both sides": (pair(v("mine"), v("theirs"), v()), ["local replace theirs in A"]),
    "edited there": (pair(v(), v("new"), v()), ["local replace new in A"]),
    "tagged here: taken back": (pair(v(tags="red"), v(), v()), ["local update in A"]),
    "moved here: taken back": (pair(v(where="B"), v(), v()), ["local update in A"]),
    "moved there": (pair(v(), v(where="B"), v()), ["local update in B"]),
    "deleted here: brought back": (pair(None, v(), v()), ["local create text in A"]),
    "marked here: brought back": (pair(v(leaving="A"), v(), v()), ["local update in A"]),
    "deleted there": (pair(v(), None, v()), ["local delete"]),
    "deleted there, edited here: kept": (pair(v("new"), None, v()), []),
    "deleted there, copied here: kept": (pair(v(where="AB"), None, v()), []),
    "deleted there, tagged here": (pair(v(tags="red"), None, v()), ["local delete"]),
    "lossy, unchanged": (pair(v(), v(tags="red"), Base(v(), v(tags="red"))), []),
}


@pytest.mark.parametrize(("one", "expected"), PULL_CELLS.values(), ids=PULL_CELLS)
def test_an_item_that_is_only_pulled(one: Pair, expected: list[str]) -> None:
    assert outcome(one, pulled(MAIL)) == expected


def test_a_container_that_is_only_pulled_is_named_as_on_the_server() -> None:
    one = pair(v("Post", ""), v("Lists", "P"), v("Lists", ""))
    assert outcome(one, pulled(FOLDERS)) == ["local replace Lists in P"]


def test_with_neither_side_writable_nothing_is_agreed_upon() -> None:
    frozen = type(MAIL)("mail", writable=frozenset())
    assert outcome(pair(v("mine"), v("theirs"), v()), frozen) == []


@pytest.mark.parametrize(
    ("one", "side"),
    [
        (pair(v("mine"), v("theirs"), v()), Side.LOCAL),
        (pair(v("mine"), v("theirs")), Side.LOCAL),
        (pair(v("mine"), v(), v()), None),
        (pair(v("mine", leaving="A"), v("theirs"), v()), Side.LOCAL),
    ],
)
def test_the_body_that_loses_becomes_a_conflict_copy(one: Pair, side: Side | None) -> None:
    assert kept_copies(one, CARDS) is side


def test_the_preferred_side_wins() -> None:
    one = pair(v("mine"), v("theirs"), v())
    local_first = type(CARDS)("card", prefer=Side.LOCAL)
    assert outcome(one, local_first) == ["remote replace mine in A"]
    assert kept_copies(one, local_first) is Side.REMOTE


def test_what_was_edited_in_a_pulled_mirror_becomes_a_conflict_copy() -> None:
    assert kept_copies(pair(v("mine"), v(), v()), pulled(CARDS)) is Side.LOCAL
    assert kept_copies(pair(v(), v("theirs"), v()), pulled(CARDS)) is None


def test_a_name_is_too_small_for_a_conflict_copy() -> None:
    assert kept_copies(pair(v("Post", ""), v("Mail", ""), v("Lists", "")), FOLDERS) is None


REASONS = {
    "new on the server": pair(None, v()),
    "new here": pair(v(), None),
    "marked deleted here, never on the server: sent first, then deleted": pair(v(leaving="A"), None),
    "edited and marked deleted here, never on the server: sent first, then deleted": pair(v("new", leaving="A"), v(), v()),
    "deleted here, unchanged on the server": pair(None, v(), v()),
    "deleted on the server, unchanged here": pair(v(), None, v()),
    "deleted here, only flagged on the server: $seen, red": pair(None, v(tags="$seen red"), v()),
    "deleted here, but edited on the server": pair(None, v("new"), v()),
    "deleted here, but put into another folder on the server": pair(None, v(where="AB"), v()),
    "marked deleted here, unchanged on the server": pair(v(leaving="A"), v(), v()),
    "edited here": pair(v("new"), v(), v()),
    "edited on both sides: the server's version stays, the one here is kept as a conflict copy": pair(v("mine"), v("theirs"), v()),
    "different on both sides: the server's version stays, the one here is kept as a conflict copy": pair(v("mine"), v("theirs")),
    "found on both sides; flags and folders united": pair(v(tags="$seen"), v()),
    "flagged here: $flagged": pair(v(tags="$flagged"), v(), v()),
    "flagged here: $seen; unflagged on the server: red": pair(v(tags="$seen red"), v(), v(tags="red")),
    "moved here": pair(v(where="B"), v(), v()),
    "put into another folder on the server": pair(v(), v(where="AB"), v()),
    "taken out of a folder here": pair(v(), v(where="AB"), v(where="AB")),
    "copies differ here": pair(v(untidy=True), v(), v()),
}


@pytest.mark.parametrize("reason", REASONS)
def test_every_change_says_why(reason: str) -> None:
    assert why(REASONS[reason]) == reason


def test_an_order_carries_what_it_expects_to_find() -> None:
    (change,) = plan([pair(v(where="B", tags="$seen"), v(tags="red"), v(tags="red"))], MAIL, EVERYWHERE).changes
    (order,) = change.orders
    assert order.expect == v(tags="red")
    assert order.added_tags == {"$seen"}
    assert order.removed_tags == {"red"}
    assert order.added_homes == homes("B")
    assert order.removed_homes == homes("A")
