"""What a shell is answered that completes a command line; `tests/live/test_shells.py` types into real shells."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click
import pytest

from jmapsync.cli.parameters import KINDS, Completed
from jmapsync.cli.program import COMMANDS, program
from jmapsync.cli.shells import SHELLS
from jmapsync.ledger import ConflictCopy, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Command, Home

NEEDS_TYPE = re.compile(r"ACCOUNT|FILE|DIR|PATH|\bID\b|\bKIND")


class Completion:
    """Asks as the script of a shell does."""

    def __init__(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        self._command = command
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str, shell: str = "bash") -> list[str]:
        with self._monkeypatch.context() as patch:
            patch.setenv("_JMAPSYNC_COMPLETE", f"{shell}_complete")
            patch.setenv("COMP_WORDS", "\n".join(("jmapsync", *words)))
            patch.setenv("COMP_CWORD", str(len(words)))
            done = self._command()
        assert (done.code, done.err) == (0, "")
        return done.out.split("\n")[:-1] if done.out.strip() else []


@pytest.fixture
def complete(jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> Completion:
    return Completion(jmapsync, monkeypatch)


def every(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Yield the arguments and options of a command and all below it."""
    yield from ((name, one) for one in command.params)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from every(found, f"{name} {inner}".strip())


def test_every_account_kind_id_and_path_has_a_type_that_a_shell_completes() -> None:
    context = click.Context(program)
    plain = [
        f"{command} {one.name}"
        for command, one in every(program)
        if (isinstance(one, click.Argument) or not one.is_flag)  # type: ignore[attr-defined]  # an option has it
        and NEEDS_TYPE.search(one.make_metavar(context))
        and not isinstance(one.type, (Completed, click.Choice, click.Path))
        and command != "init"
        and (command, one.name) not in {("sendmail", "options"), ("sendmail", "envid")}
    ]
    assert plain == [], "give it a type of jmapsync.cli.parameters"


def test_commands_and_their_descriptions(complete: Completion) -> None:
    assert complete("sy") == ["plain,sync"]
    assert complete("sy", shell="zsh") == ["plain", "sync", COMMANDS["sync"]]
    assert complete("sy", shell="fish") == [f"plain,sync\t{COMMANDS['sync']}"]


def test_the_account_and_then_the_action_of_vacation(complete: Completion) -> None:
    assert complete("vacation", "") == ["plain,home", "plain,show", "plain,on", "plain,off"]
    assert complete("vacation", "home", "o") == ["plain,on", "plain,off"]


def test_accounts_that_were_not_given_yet(complete: Completion, home: Home) -> None:
    home.configure(more="[accounts.second]\n[accounts.third]")
    assert complete("sync", "") == ["plain,home", "plain,second", "plain,third"]
    assert complete("sync", "home", "") == ["plain,second", "plain,third"]
    assert complete("sendmail", "--account", "s") == ["plain,second"]


@pytest.mark.parametrize("content", ["", "accounts = 1", "[accounts", "include = 5\n", "\xff"])
def test_a_configuration_that_cannot_be_read_has_no_accounts(content: str, complete: Completion, home: Home) -> None:
    home.config.write_text(content, encoding="latin-1")
    assert complete("sync", "") == []


def test_a_pipe_is_not_read(complete: Completion, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert complete("-c", str(tmp_path / "pipe"), "sync", "") == []


def test_kinds(complete: Completion) -> None:
    assert complete("sync", "--kind", "") == [f"plain,{kind}" for kind in KINDS]
    assert complete("sync", "--kind", "=", "ta") == ["plain,tasks"]
    assert complete("init", "--kinds", "mail,c") == ["plain,mail,contacts", "plain,mail,calendars"]


def test_paths_are_left_to_the_shell(complete: Completion) -> None:
    assert complete("convert", "x") == ["file,x"]
    assert complete("demo", "x") == ["dir,x"]
    assert complete("restore", "ho") == ["plain,home"]
    assert complete("restore", "x") == ["file,x"]
    assert complete("restore", "home", "h") == ["file,h"]


def test_ids_of_conflict_copies_with_their_items(complete: Completion, jmapsync: Command, home: Home) -> None:
    assert complete("conflicts", "show", "") == []
    jmapsync("sync")
    ledger = Ledger.open(home.state / "ledger.sqlite")
    ledger.add_conflict_copy(ConflictCopy(0, "mail", 99, "my draft", "local", "changed on both sides", 1_793_000_000, "", ""))
    ledger.close()
    assert complete("conflicts", "restore", "h", shell="zsh") == ["plain", "home/1", "my draft"]
    assert complete("conflicts", "restore", "x") == []


@pytest.mark.parametrize("shell", list(SHELLS))
def test_the_script_is_printed_without_a_configuration(shell: str, jmapsync: Command, home: Home) -> None:
    home.config.unlink()
    done = jmapsync("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_JMAPSYNC_COMPLETE" in done.out
    assert "%(" not in done.out
