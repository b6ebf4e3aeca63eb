"""Folder names: reversible, unique to any file system, never out of the root (hard cases 13, 42, 43; invariant E12)."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.names import INSIDE, LONGEST, TOP, escape, fold, unescape, unique

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
def test_what_names_look_like_on_disk(name: str, text: str) -> None:
    assert escape(name) == text


def test_a_long_name_is_cut_and_told_apart_by_its_id() -> None:
    long = "\N{PILE OF POO}" * 75
    first, second = (unique(escape(long), identity, set()) for identity in ("a", "b"))
    assert first != second
    assert len(first.encode()) <= LONGEST
