"""The README says what the program does: its configuration is taken, its commands and codes are the real ones."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmapsync.cli import program
from jmapsync.config import (
    AccountConfig,
    CalendarsConfig,
    ContactsConfig,
    DaemonConfig,
    HooksConfig,
    MailConfig,
    NotmuchConfig,
    SafetyConfig,
    TasksConfig,
    load,
)
from jmapsync.errors import ExitCode
from tests.bench import mbsync, offlineimap

if TYPE_CHECKING:
    from tests.cli.conftest import Home

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = [block.replace("\n   ", "\n") for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL)]
REFERENCE = next(block for block in BLOCKS if "max_deletes" in block)


@pytest.mark.parametrize("block", [block for block in BLOCKS if "[accounts" in block and "address =" in block])
def test_its_configurations_are_sound(block: str, home: Home) -> None:
    home.config.write_text(block)
    assert list(load(home.config).accounts) == ["home"]


def test_its_reference_names_every_key_with_its_default(home: Home) -> None:
    home.config.write_text(REFERENCE)
    config = load(home.config)
    account = config.accounts["home"]

    assert (config.daemon, config.safety, config.hooks) == (DaemonConfig(), SafetyConfig(), HooksConfig())
    assert tomllib.loads(REFERENCE)["network"] == {"timeout": f"{AccountConfig.timeout:g}s"}
    assert account.mail == MailConfig(path=home.path / "Mail/home", notmuch=NotmuchConfig())
    assert account.contacts == ContactsConfig(path=home.path / ".contacts/home")
    assert account.calendars == CalendarsConfig(path=home.path / ".calendars/home")
    assert account.tasks == TasksConfig(path=home.path / ".tasks/home")
    kinds = {"mail", "contacts", "calendars", "tasks", "sieve"}
    keys = {one.name for one in fields(AccountConfig)} - kinds - {"name", "state_dir", "timeout"}
    uncommented = re.sub(r"^# (?=[a-z_]+ = )", "", REFERENCE, flags=re.MULTILINE)
    assert keys == set(tomllib.loads(uncommented)["accounts"]["home"]) - kinds
    mail = tomllib.loads(REFERENCE)["accounts"]["home"]["mail"]
    assert {one.name for one in fields(MailConfig)} == set(mail)
    assert {one.name for one in fields(NotmuchConfig)} == set(mail["notmuch"])
    assert AccountConfig(name="home", state_dir=home.state).auth == account.auth
    assert next(one.default for one in fields(MailConfig) if one.name == "path") is MISSING


def test_its_table_of_commands_is_the_real_one() -> None:
    table = README.partition("## Commands")[2].partition("| exit code")[0]
    assert set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == set(program.commands)
    options = {
        option for command in program.commands.values() for one in command.params for option in one.opts if option.startswith("--")
    }
    assert options == set(re.findall(r"(--[a-z][a-z-]+)", table))


def test_its_exit_codes_are_the_real_ones() -> None:
    table = README.partition("| exit code")[2].partition("`sync --json`")[0]
    assert [int(code) for code in re.findall(r"^\| (\d) ", table, re.MULTILINE)] == list(ExitCode)


@pytest.mark.parametrize(("start", "tested"), [("MaildirStore local", mbsync.CONFIG), ("[Repository local]", offlineimap.CONFIG)])
def test_the_stores_it_shows_of_other_programs_are_those_that_the_live_tests_adopt(start: str, tested: str) -> None:
    block = README.partition(f"```\n{start}")[2].partition("```")[0]
    assert block
    assert (start + block).replace("~/Mail/home", "{root}") in tested
