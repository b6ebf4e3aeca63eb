"""A message that names a command of this program names one that exists."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import jmapsync
from jmapsync.cli.program import COMMANDS
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command, Home

_NAMED = re.compile(r"(?:`|: |[Rr]un )jmapsync ([a-z]+)\b")
_ROOT = Path(jmapsync.__file__).parent


def _texts() -> Iterator[str]:
    """Yield the strings of the code, with the names that `text.command` is given."""
    for file in _ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
                yield "`jmapsync " + ast.literal_eval(node.args[0]).split()[0]


def test_every_command_that_a_message_names_exists() -> None:
    named = {name for text in _texts() for name in _NAMED.findall(text)}
    assert {"login", "status", "sync", "conflicts"} <= named
    assert named <= set(COMMANDS)


def test_an_account_is_quoted_for_a_shell() -> None:
    assert command("login", "home") == "jmapsync login home"
    assert shlex.split(command("login", "my 'work'; rm *")) == ["jmapsync", "login", "my 'work'; rm *"]


def test_a_configuration_that_was_given_is_given_again(jmapsync: Command, home: Home) -> None:
    other = home.path / "my other.toml"
    other.write_text(f"[accounts.home]\nurl = '{home.url}'\nauth = 'oauth'\n[accounts.home.mail]\npath = '~/Mail'\n")
    home.config.unlink()
    done = jmapsync("-c", other.name, "sync")
    assert done.err == f"home: home is not signed in. Sign in: jmapsync -c '{other}' login home\n"
    assert "`jmapsync init`" in jmapsync("sync").err  # the next command was given none
