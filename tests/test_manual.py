"""Test the manual pages: that they say what the declarations say; `tests/live/test_man_pages.py` shows them."""

from __future__ import annotations

import re

import click
import pytest

from jmapsync.cli.program import COMMANDS, program
from jmapsync.config.declared import tables
from jmapsync.errors import ExitCode
from manual import commands, configuration, roff

PAGES = commands.pages()


def plain(page: str) -> str:
    """Return the words of a page without its markup."""
    return " ".join(re.sub(r"\\(?:f[BIP]|[:&])", "", page).replace(r"\-", "-").replace(r"\(ti", "~").replace("\\ ", " ").split())


def test_there_is_a_page_of_the_program_and_of_each_command() -> None:
    assert set(PAGES) == {"jmapsync.1", *(f"jmapsync-{name}.1" for name in COMMANDS)}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_page_describes_each_option_and_subcommand(name: str) -> None:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    page = plain(PAGES[f"jmapsync-{name}.1"])
    inner = list(command.commands.values()) if isinstance(command, click.Group) else []
    assert all(f".SS {one.name!s}".replace(".SS ", '.SS "') in page for one in inner)
    for one in [option for each in (command, *inner) for option in each.params if isinstance(option, click.Option)]:
        if not one.hidden:
            assert all(option in page for option in [*one.opts, *one.secondary_opts])
            assert re.sub(r"[\"'~^`]", "", (one.help or "").split()[0]) in page


def test_the_exit_status_is_that_of_the_program() -> None:
    for page in PAGES.values():
        assert [int(code) for code in re.findall(r"^\.TP\n\\fB(\d)\\fP$", page, re.MULTILINE)] == list(ExitCode)


def test_the_page_of_the_configuration_has_each_table_and_key() -> None:
    page = configuration.page()
    for table in tables():
        part = plain(page.partition(f'.SS "{roff.literal(table.header or "Top of the file")}"')[2].partition(".SS ")[0])
        assert all(f".TP {key.name} = " in f" {part} " for key in table.keys)


def test_the_date_is_that_of_the_source_where_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert '"2001-09-09"' in configuration.page().splitlines()[0]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        (".jmapsync marks it", r"\&.jmapsync marks it"),
        ("'tis", r"\&\(aqtis"),
        ("a\\b", r"a\eb"),
        ("see `--dry-run` or -q", r"see \fB\-\-dry\-run\fP or \-q"),
        ("well-kept", "well-kept"),
        ("~/.config", r"\(ti/.config"),
        ("$XDG_CONFIG_HOME/jmapsync/config.toml", r"$XDG_CONFIG_HOME/\:jmapsync/\:config.toml"),
        ("Zürich", r"Z\[u00FC]rich"),
    ],
)
def test_text_is_shown_as_it_stands(text: str, markup: str) -> None:
    assert roff.prose(text) == markup


def test_a_line_ends_with_each_full_stop_and_none_is_long() -> None:
    lines = roff.page(roff.section("name"), roff.paragraphs("One. Two is " + "long " * 30 + ".")).splitlines()
    assert lines[:2] == ['.SH "NAME"', "One."]
    assert max(map(len, lines)) < 80
