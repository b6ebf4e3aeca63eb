"""Test that the README and the guide say what the program does: configurations, commands, options and exit codes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from jmapsync.cli.program import COMMANDS as SUMMARIES
from jmapsync.cli.program import program
from jmapsync.config import load
from jmapsync.errors import ExitCode
from tests.bench import mbsync, offlineimap

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = (PROJECT / "docs/commands.md").read_text(encoding="utf-8")
GUIDE = (PROJECT / "docs/guide.md").read_text(encoding="utf-8")
BLOCKS = [block.replace("\n   ", "\n") for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL)]


@pytest.mark.parametrize("block", BLOCKS)
def test_its_configurations_are_valid(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "config.toml"
    file.write_text(block)
    assert list(load(file).accounts) == ["home"]


def test_the_commands_page_has_every_command_and_option() -> None:
    table = COMMANDS.partition("| command |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == set(SUMMARIES)
    commands = [program.get_command(click.Context(program), name) for name in SUMMARIES]
    commands += [inner for one in commands if isinstance(one, click.Group) for inner in one.commands.values()]
    options = {
        option
        for command in commands
        if command
        for one in command.params
        for option in [*one.opts, *one.secondary_opts]
        if option.startswith("--")
    }
    assert options == set(re.findall(r"(--[a-z][a-z-]+)", table))


def test_the_table_of_commands_in_the_readme_is_complete() -> None:
    table = README.partition("| command |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(SUMMARIES)


def test_the_exit_codes_are_the_real_ones() -> None:
    table = COMMANDS.partition("| exit code")[2].partition("\n\n")[0]
    assert [int(code) for code in re.findall(r"^\| (\d) ", table, re.MULTILINE)] == list(ExitCode)
    line = README.partition("Exit codes: ")[2].partition("\n")[0]
    assert [int(code) for code in re.findall(r"\d", line)] == list(ExitCode)


@pytest.mark.parametrize(("start", "tested"), [("MaildirStore local", mbsync.CONFIG), ("[Repository local]", offlineimap.CONFIG)])
def test_the_stores_of_other_programs_are_those_that_the_live_tests_adopt(start: str, tested: str) -> None:
    block = GUIDE.partition(f"```\n{start}")[2].partition("```")[0]
    assert block
    assert (start + block).replace("~/Mail/home", "{root}") in tested


def _commands(page: Path) -> list[list[str]]:
    """Return the arguments of each command of ours in the shell blocks of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    parts = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    words = [shlex.split(part, comments=True)[1:] for part in parts if re.match(r"(\S*/)?jmapsync\b", part)]
    return [[word for word in command if not word.startswith(">")] for command in words]  # without what the shell redirects


@pytest.mark.parametrize("page", sorted([PROJECT / "README.md", *PROJECT.glob("docs/*.md")]), ids=lambda page: page.name)
def test_each_command_in_a_shell_block_is_accepted(page: Path) -> None:
    for arguments in _commands(page):
        with program.make_context("jmapsync", arguments.copy()) as context:
            name, command, rest = program.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None
            command.make_context(name, rest, parent=context)
