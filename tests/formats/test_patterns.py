"""Patterns of mailbox paths: a parent's covers its children, `*` matches a slash, the inbox has no case."""

from __future__ import annotations

import pytest

from jmapsync.formats.patterns import EVERYTHING, Selection, above


@pytest.mark.parametrize(
    ("selection", "inside", "outside"),
    [
        (EVERYTHING, ["INBOX", "a", "a/b"], []),
        (Selection(exclude=("Lists",)), ["Lists2", "Work/Lists", "lists"], ["Lists", "Lists/python", "Lists/python/dev"]),
        (Selection(exclude=("Lists/*",)), ["Lists", "Listserv"], ["Lists/python", "Lists/python/dev"]),
        (Selection(exclude=("*/old",)), ["old", "a/older"], ["a/old", "a/b/old", "a/b/old/c"]),
        (Selection(include=("a?[0-9]",)), ["ab1", "ab1/c"], ["ab", "abc", "x/ab1"]),
        (Selection(include=("*",), exclude=("*",)), [], ["INBOX", "a"]),
        (Selection(include=("inbox",)), ["INBOX", "INBOX/sub"], ["inboxes", "x/inbox"]),
        (Selection(exclude=("Inbox/Sub",)), ["INBOX", "INBOX/sub"], ["INBOX/Sub", "INBOX/Sub/x"]),
        (Selection(include=("INBOX*",)), ["INBOX", "INBOX/x"], ["Work"]),
    ],
)
def test_covers(selection: Selection, inside: list[str], outside: list[str]) -> None:
    assert [path for path in inside + outside if selection.covers(path)] == inside


def test_all_is_known_without_looking() -> None:
    assert EVERYTHING.is_all
    assert Selection(("INBOX", "*")).is_all
    assert not Selection(("INBOX",)).is_all
    assert not Selection(exclude=("x",)).is_all


def test_above_names_every_ancestor() -> None:
    assert above(["a/b/c", "d"]) == {"a", "a/b"}
