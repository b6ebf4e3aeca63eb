"""What `--help` shows on terminals of 40, 80 and 200 columns, of every command and subcommand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from jmapsync.cli.program import COMMANDS, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

NARROW = """\
Usage: jmapsync conflicts show
           [OPTIONS] ID

  Show how a conflict copy differs from
  the version that won; elsewhere than
  on a terminal, print the copy byte for
  byte.

  In the diff, lines with - are those of
  the version that won, lines with +
  those of the conflict copy. On a
  terminal, control characters are
  escaped.

Options:
  --diff / --whole
      Show both versions as a diff, or
      the conflict copy alone.
  -h, --help
      Show this message and exit.
"""


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command and subcommand."""
    yield ()
    for name in COMMANDS:
        yield (name,)
        command = program.get_command(click.Context(program), name)
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.commands)


@pytest.fixture(autouse=True)
def usual_formatter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what a narrow terminal does to the help of this process."""
    monkeypatch.setattr(click.Context, "formatter_class", click.Context.formatter_class)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_fits_the_terminal_and_names_every_option(columns: int, jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in commands():
        done = jmapsync(*words, "--help")
        assert done.code == 0
        assert [line for line in done.out.splitlines() if len(line) > columns] == []
        assert f"Usage: {' '.join(('jmapsync', *words))}" in " ".join(done.out.split())
        assert "--help" in done.out


def test_the_text_at_40_columns(jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = jmapsync("conflicts", "show", "--help").out
    assert [line.rstrip() for line in shown.splitlines()] == NARROW.splitlines()


def test_the_exit_codes_are_wrapped_below_themselves(jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert "    3  done, but items are quarantined\n       or in conflict\n    4  suspended" in jmapsync("--help").out


@pytest.mark.parametrize("columns", ["", "x", "0", "-5"])
def test_a_width_that_is_not_one_is_left_to_click(columns: str, jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert jmapsync("--help").code == 0
