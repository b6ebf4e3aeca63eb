"""Containers lean on one another: order, cycles, and what may not be deleted yet."""

from __future__ import annotations

from jmapsync.planner.model import Pair, Present, Version
from jmapsync.planner.plan import plan
from tests.planner.notation import FOLDERS, both, lines, v

P, C, D = 15, 2, 3  # their letters as homes: P, C, D


def folders(*pairs: Pair, needed: frozenset[int] = frozenset()) -> list[str]:
    present = Present(
        frozenset(pair.key for pair in pairs if pair.local is not None),
        frozenset(pair.key for pair in pairs if pair.remote is not None),
    )
    forward = lines(plan(pairs, FOLDERS, present, needed=needed))
    assert lines(plan(reversed(pairs), FOLDERS, present, needed=needed)) == forward
    return forward


def agreed(key: int, version: Version) -> Pair:
    return Pair(key, version, version, both(version))


def test_a_new_tree_is_created_from_the_top_down_whatever_its_keys() -> None:
    assert folders(
        Pair(C, None, v("child", "P"), None), Pair(P, None, v("parent", "D"), None), Pair(D, None, v("top", ""), None)
    ) == ["local create top", "local create parent in D", "local create child in P"]


def test_a_tree_is_deleted_from_the_bottom_up() -> None:
    parent, child = v("parent", ""), v("child", "P")
    assert folders(Pair(P, None, parent, both(parent)), Pair(C, None, child, both(child))) == ["remote delete", "remote delete"]
    made = plan(
        [Pair(P, None, parent, both(parent)), Pair(C, None, child, both(child))], FOLDERS, Present(frozenset(), frozenset({P, C}))
    )
    assert [change.key for change in made.changes] == [C, P]
    assert made.changes[0].stage < made.changes[1].stage


def test_a_container_that_moves_out_leaves_before_its_parent_is_deleted() -> None:
    parent, child = v("parent", ""), v("child", "P")
    assert folders(Pair(P, None, parent, both(parent)), Pair(C, v("child", ""), child, both(child))) == [
        "remote update",
        "remote delete",
    ]


def test_a_chain_turned_upside_down_is_moved_from_the_top_down() -> None:
    top, below = v("top", ""), v("below", "P")
    assert folders(Pair(P, v("top", "C"), top, both(top)), Pair(C, v("below", ""), below, both(below))) == [
        "remote update",
        "remote update in C",
    ]


def test_a_deleted_parent_comes_back_for_a_new_child() -> None:
    parent = v("parent", "")
    assert folders(Pair(P, parent, None, both(parent)), Pair(C, v("child", "P"), None, None)) == [
        "remote create parent",
        "remote create child in P",
    ]


def test_a_deleted_line_of_ancestors_comes_back_for_an_item() -> None:
    parent, child = v("parent", ""), v("child", "P")
    assert folders(Pair(P, None, parent, both(parent)), Pair(C, None, child, both(child)), needed=frozenset({C})) == [
        "local create parent",
        "local create child in P",
    ]


def test_a_container_waits_for_a_parent_that_is_nowhere() -> None:
    assert folders(Pair(C, v("child", "Z"), None, None), Pair(D, v("below", "C"), None, None)) == [
        "wait: waits for its parent to exist on the server",
        "wait: waits for its parent to exist on the server",
    ]


def test_a_container_is_not_deleted_while_one_in_it_has_to_wait() -> None:
    parent, child = v("parent", ""), v("child", "P")
    # The child has moved, on the server, into a place that the disk does not have: it stays in its old parent for now.
    assert folders(Pair(P, parent, None, both(parent)), Pair(C, child, v("child", "Z"), both(child))) == [
        "wait: waits for its parent to exist here",
        "wait: still holds a folder here",
    ]


def test_a_circle_in_a_tree_as_it_was_seen_waits_for_a_better_run() -> None:
    one, other = v("one", "D"), v("other", "C")
    assert folders(Pair(C, None, one, None), Pair(D, None, other, None)) == ["wait: lies inside itself", "wait: lies inside itself"]


def test_nothing_is_said_about_containers_that_agree() -> None:
    assert folders(agreed(P, v("parent", "")), agreed(C, v("child", "P"))) == []
