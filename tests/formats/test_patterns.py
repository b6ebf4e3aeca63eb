"""Patterns of mailbox paths: a parent's covers its children, `*` matches a slash, the inbox has no case."""

from __future__ import annotations

import pytest

from jmapsync.formats.names import EVERYTHING, Patterns, above


@pytest.mark.parametrize(
    ("patterns", "inside", "outside"),
    [
        (EVERYTHING, ["INBOX", "a", "a/b"], []),
        (Patterns(exclude=("Lists",)), ["Lists2", "Work/Lists", "lists"], ["Lists", "Lists/python", "Lists/python/dev"]),
        (Patterns(exclude=("Lists/*",)), ["Lists", "Listserv"], ["Lists/python", "Lists/python/dev"]),
        (Patterns(exclude=("*/old",)), ["old", "a/older"], ["a/old", "a/b/old", "a/b/old/c"]),
        (Patterns(include=("a?[0-9]",)), ["ab1", "ab1/c"], ["ab", "abc", "x/ab1"]),
        (Patterns(include=("*",), exclude=("*",)), [], ["INBOX", "a"]),
        (Patterns(include=("inbox",)), ["INBOX", "INBOX/sub"], ["inboxes", "x/inbox"]),
        (Patterns(exclude=("Inbox/Sub",)), ["INBOX", "INBOX/sub"], ["INBOX/Sub", "INBOX/Sub/x"]),
        (Patterns(include=("INBOX*",)), ["INBOX", "INBOX/x"], ["Work"]),
    ],
)
def test_covers(patterns: Patterns, inside: list[str], outside: list[str]) -> None:
    assert [path for path in inside + outside if patterns.covers(path)] == inside


def test_all_is_known_without_looking() -> None:
    assert EVERYTHING.is_all
    assert Patterns(("INBOX", "*")).is_all
    assert not Patterns(("INBOX",)).is_all
    assert not Patterns(exclude=("x",)).is_all


def test_above_names_every_ancestor() -> None:
    assert above(["a/b/c", "d"]) == {"a", "a/b"}
