"""Folder names (reversible, unique on any file system, within the root), mailbox patterns and modified UTF-7."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.names import EVERYTHING, INSIDE, LONGEST, TOP, Patterns, above, escape, fold, from_utf7, unescape, unique

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "../../etc",
        "con/..",
        "..",
        ".",
        "-rf",
        "cur",
        "NEW",
        "Inbox",
        "a%2Fb",
        "%~",
        "x.",
        "y ",
        "\0",
        "a\nb",
        "\N{PILE OF POO}" * 75,
    ]
)


@given(NAMES, st.sampled_from([INSIDE, TOP]))
def test_a_name_comes_back_and_stays_one_part_of_a_path(name: str, reserved: frozenset[str]) -> None:
    text = escape(name, reserved=reserved)
    assert unescape(text) == unicodedata.normalize("NFC", name)
    assert PurePosixPath(text).name == text
    assert text not in {"", ".", ".."}
    assert text[0] not in ".-"
    assert not set(text) & set("/\0\n")
    assert text.casefold() not in reserved
    assert text not in INSIDE


@given(st.lists(NAMES, min_size=2, max_size=6))
def test_siblings_stay_apart_where_case_and_normalisation_do_not_count(names: list[str]) -> None:
    taken: set[str] = set()
    for number, name in enumerate(names):
        text = unique(escape(name), f"id{number}", taken)
        assert fold(text) not in taken
        assert len(text.encode()) <= LONGEST
        assert PurePosixPath(text).name == text
        taken.add(fold(text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("python", "python"),
        ("Büro", "Büro"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("con/..", "con%2F.%2E"),
        ("100%", "100%"),
        ("100%25", "100%2525"),
        (".hidden", "%2Ehidden"),
        ("trailing.", "trailing%2E"),
        ("cur", "%63ur"),
        ("", "%~"),
    ],
)
def test_names_on_disk(name: str, text: str) -> None:
    assert escape(name) == text


def test_a_long_name_is_truncated_and_marked_by_its_id() -> None:
    long = "\N{PILE OF POO}" * 75
    first, second = (unique(escape(long), identity, set()) for identity in ("a", "b"))
    assert first != second
    assert len(first.encode()) <= LONGEST


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Projekt &ANY-dland", "Projekt Ödland"),
        ("&U,BTFw-", "台北"),
        ("a&-b", "a&b"),
        ("plain", "plain"),
    ],
)
def test_a_name_in_utf7_is_read(text: str, name: str) -> None:
    assert from_utf7(text) == name


@pytest.mark.parametrize("text", ["R&D", "Ödland &ANY-", "&A-", "&2D0-", "a & b-c"])
def test_invalid_utf7_is_unchanged(text: str) -> None:
    assert from_utf7(text) == text


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


def test_patterns_that_select_everything_are_recognised() -> None:
    assert EVERYTHING.is_all
    assert Patterns(("INBOX", "*")).is_all
    assert not Patterns(("INBOX",)).is_all
    assert not Patterns(exclude=("x",)).is_all


def test_above_returns_every_ancestor() -> None:
    assert above(["a/b/c", "d"]) == {"a", "a/b"}
