"""Flags of Maildir file names and JMAP keywords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.flags import PLACES, KeywordTable, letters, parse_name, valid_keyword

KEYWORDS = st.from_regex(r"[a-z$][a-z0-9_-]{0,8}", fullmatch=True)
TAGS = st.frozensets(KEYWORDS | st.sampled_from(["$seen", "$flagged", "$answered", "$draft", "$forwarded"]), max_size=40)


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("1.a.h:2,FS", "1.a.h", "FS"),
        ("1.a.h", "1.a.h", ""),
        ("1.a.h:2", "1.a.h", ""),
        ("1.a.h,U=3:2,", "1.a.h,U=3", ""),
        ("odd:2,x:2,S", "odd:2,x", "S"),
        ("odd:1,experimental", "odd:1,experimental", ""),
        ("1.a.h!2,S", "1.a.h", "S"),
        ("1.a.h;2,FS", "1.a.h", "FS"),
        ("1.a.h;2,", "1.a.h", ""),
        ("1.a.h:2,S,ext", "1.a.h", "S"),
        ("1.a.h:2,,a=1,b;c!d", "1.a.h", ""),
        ("1.a.h;2,aFS,W=12", "1.a.h", "aFS"),
        ("1.a.h:2,S+", "1.a.h", "S+"),
        ("5!2,000 and more", "5!2,000 and more", ""),
        ("5;2,S.h", "5;2,S.h", ""),
        ("5!2", "5!2", ""),
        ("1.a.h!2,S:2,RS", "1.a.h!2,S", "RS"),  # mutt and older versions of this program wrote a second suffix
        ("1.a.h:2,S,ext:2,RS", "1.a.h:2,S,ext", "RS"),
    ],
)
def test_a_file_name_has_two_parts(text: str, name: str, shown: str) -> None:
    found = parse_name(text)
    assert (found.name, letters(found.info)) == (name, shown)
    assert found.name + found.info == text


@given(TAGS, st.text("FSTRDPXab", max_size=5))
def test_what_is_written_is_read_again(tags: frozenset[str], before: str) -> None:
    table = KeywordTable().extended(tags)
    info = table.write(tags, f":2,{before}" if before else "")
    assert table.read(info) == tags & table.shown
    assert "T" not in letters(info)
    assert letters(info) == "".join(sorted(letters(info)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("!2,S", "!2,FS"),
        (";2,", ";2,FS"),
        (":2,S,ext", ":2,FS,ext"),
        ("!2,QS,a,b", "!2,FQS,a,b"),
        (":2,SF", ":2,FS"),
        (":2", ":2,FS"),
    ],
)
def test_an_info_keeps_its_own_form(before: str, after: str) -> None:
    table = KeywordTable()
    assert table.write(frozenset({"$seen", "$flagged"}), before) == after
    assert table.write(frozenset({"$seen", "$flagged"}), before, separator=";") == after
    assert table.write(table.read(after), after) == after


def test_a_name_without_an_info_gets_the_separator_of_its_file_system() -> None:
    assert KeywordTable().write(frozenset({"$seen"}), "", separator=";") == ";2,S"
    assert KeywordTable().write(frozenset(), "", separator=";") == ""


@given(TAGS)
def test_letters_that_nobody_knows_are_kept(tags: frozenset[str]) -> None:
    table = KeywordTable().extended(tags)
    assert {"X", "Q"} <= set(letters(table.write(tags, ":2,QX")))


@given(st.lists(TAGS, max_size=6))
def test_a_table_grows_without_moving_a_letter_and_never_past_its_places(steps: list[frozenset[str]]) -> None:
    table = KeywordTable()
    for tags in steps:
        grown = table.extended(tags)
        assert grown.keywords[: len(table.keywords)] == table.keywords
        assert len(grown.keywords) <= PLACES
        assert KeywordTable.parse(grown.render()) == grown
        table = grown


def test_a_table_of_another_program_is_read_as_it_is() -> None:
    table = KeywordTable.parse("0 $Junk\n2 Work\nnonsense\n99 far\n")
    assert table.keywords == ("$junk", "", "work")
    assert table.read(":2,abc") == {"$junk", "work"}


@pytest.mark.parametrize("word", ["", "a b", "a(b", 'a"b', "a%b", "a*b", "a\\b", "a]b", "a{b", "\N{SNOWMAN}", "x" * 256])
def test_what_is_no_keyword(word: str) -> None:
    assert not valid_keyword(word)


def test_a_place_in_the_keywords_file_may_have_any_number_of_digits() -> None:
    assert KeywordTable.parse(f"{'9' * 5000} far\n1 near\n").keywords == ("", "near")
