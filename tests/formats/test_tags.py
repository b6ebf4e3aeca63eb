"""Keywords and mailboxes of notmuch tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.tags import FLAGS, FOUND, Tagging
from jmapsync.planner.model import Version

PATHS = {1: "INBOX", 2: "Lists/python", 3: "Archive"}
ALL = Tagging.of(PATHS, ("*",), {"Archive": "archive", "$junk": "spam"}, ("mine",), frozenset({"unread", "inbox", "new"}))
NONE = Tagging.of(PATHS, (), {}, (), frozenset({"unread", "inbox"}))


@pytest.mark.parametrize(
    ("tag", "keyword"),
    [
        ("todo", "todo"),
        ("ToDo", "todo"),
        ("spam", "$junk"),
        ("$junk", "$junk"),
        ("$forwarded", ""),
        ("$seen", ""),
        ("inbox", ""),
        ("Archive", "archive"),
        ("archive", ""),
        ("mine", ""),
        ("new", ""),
        ("two words", ""),
        ("a\\b", ""),
        *((tag, "") for tag in FLAGS | FOUND),
    ],
)
def test_the_keyword_of_a_tag(tag: str, keyword: str) -> None:
    assert ALL.keyword(tag) == keyword


def test_only_mailboxes_that_are_named_are_tags() -> None:
    assert ALL.mailboxes == {"inbox": 1, "Lists/python": 2, "archive": 3}
    assert NONE.mailboxes == {}
    lists = Tagging.of(PATHS, ("Lists/*",), {}, (), frozenset({"inbox"}))
    assert (lists.mailboxes, lists.keyword("inbox"), lists.keyword("archive")) == ({"Lists/python": 2}, "", "archive")


def test_a_message_shows_its_keywords_and_the_mailboxes_that_it_stays_in() -> None:
    version = Version(
        "b", tags=frozenset({"$seen", "$junk", "todo", "new", "x" * 201}), homes=frozenset({1, 2}), leaving=frozenset({1})
    )
    assert ALL.shown_by([version]) == {"spam", "todo", "Lists/python"}


def test_a_tag_in_capitals_shows_the_keyword_in_small_letters() -> None:
    assert ALL.plain_of(["ToDo", "todo", "$JUNK", "inbox", "mine", "unread"]) == {"todo", "spam", "inbox"}


@given(st.frozensets(st.from_regex(r"[a-z$][a-z0-9_/$-]{0,8}", fullmatch=True)))
def test_every_keyword_that_is_shown_is_read_again(keywords: frozenset[str]) -> None:
    shown = NONE.shown_by([Version("b", tags=keywords)])
    assert {NONE.keyword(tag) for tag in shown} == {word for word in keywords if word in shown}
    assert not shown & (FLAGS | FOUND)
