"""Names of scripts as files and tags, and what the lexer finds in scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.script_lexer import Filing, filings, includes, tokens
from jmapsync.formats.scripts import file_name, is_script, key_of, name_for, names_in, script_name, stem_of, tags_of

NAMES = ["main", "a/b", "..", ".dot", "ends.", "ends ", "50%25", "%~", "new", "Grüße 🎉", "tab\tand\nline", "active"]
NAMES += ["x" * 512, "ü" * 256]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_file_name_and_a_tag_and_back(name: str) -> None:
    file = file_name(name)
    assert is_script(file)
    assert len(file.encode()) <= 255
    assert "/" not in file
    assert file[0] != "."
    assert key_of(name) == stem_of(file)
    if len(name.encode()) < 200:
        assert script_name(file) == name
    for active in (False, True):
        tags = tags_of(name, active=active)
        assert names_in(tags) == [name]
        assert all(len(tag.split()) == 1 for tag in tags)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_tag_gives_back_any_name_without_white_space_in_it(name: str) -> None:
    tags = tags_of(name, active=True)
    assert names_in(tags) == [name]
    assert all(len(tag.split()) == 1 for tag in tags)


def test_names_that_a_file_system_takes_for_one_have_different_files() -> None:
    first = file_name("Main")
    assert file_name("main", taken={"main"}) != first.lower()
    assert file_name("a:b", also=":") == "a%3Ab.sieve"


def test_of_two_new_names_the_servers_wins() -> None:
    base, mine, theirs = (tags_of(name, active=False) for name in ("old", "mine", "theirs"))
    both = mine | theirs - base
    assert name_for(both, theirs, keeps=True) == "theirs"
    assert name_for(both, mine) == "theirs"
    assert name_for(mine, base, keeps=True) == name_for(mine, base) == "mine"


SCRIPT = rb"""
require ["fileinto", "mailbox", "include"]; # fileinto "Comment";
/* fileinto "Comment"; */
if anyof (header :contains "Subject" ["a", "fileinto \"Quoted\""], mailboxexists "Asked") {
    fileinto :flags ["\\Seen", "$x"] "Lists/python";
    fileinto "Asked";
} elsif true { fileinto :copy :create "Made"; }
fileinto :mailboxid "M1" "Other";
fileinto :specialuse "\\Junk" "Spam";
fileinto "to ${day}";
FileInto text:
multi
..stuffed
.
;
include :personal :once "inner"; include :global "site"; include "second";
fileinto "last
"""


def test_mailboxes_that_have_to_be_there_are_found_by_line() -> None:
    assert filings(SCRIPT) == [
        Filing(5, "Lists/python"),
        Filing(8, "Other", "M1"),
        Filing(11, "multi\n.stuffed\n"),
    ]


def test_included_scripts_of_the_user_are_found() -> None:
    assert includes(SCRIPT) == ["inner", "second"]
    assert includes(b"keep;") == []


@given(st.binary(max_size=400))
def test_whatever_a_script_holds_is_split_or_ends(data: bytes) -> None:
    for one in tokens(data):
        assert one.line >= 1
    filings(data)
    includes(b"include " + data)


@pytest.mark.parametrize("data", [b'"' * 50_000, b"/*" * 50_000, b"text:\n" * 20_000, b"[" * 50_000, b'fileinto "x" ' * 10_000])
def test_a_large_script_costs_bounded_time(data: bytes) -> None:
    assert len(filings(data)) <= 40_000
