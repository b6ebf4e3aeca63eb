"""Test the JSON Schema of the configuration: what it accepts, what it refuses, and that it is published."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from jmapsync.config.declared import NAME, Key, Table, tables
from jmapsync.config.load import parse
from jmapsync.config.schema import DIALECT, printed, schema
from jmapsync.errors import ConfigError
from tests.cli.conftest import PROGRAM
from tests.docs.configuration import example
from tests.docs.test_links import PAGES
from tests.docs.test_recipes import PROJECT, run

if TYPE_CHECKING:
    from pathlib import Path

FILE = PROJECT / "docs/config.schema.json"
VALIDATOR = Draft202012Validator(schema())
BASE = 'address = "alice@example.com"\nkeyring = true\n'


def wrong(text: str) -> list[str]:
    """Return what the schema finds wrong in a configuration."""
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def of_docs() -> list[tuple[str, str]]:
    """Return the blocks of the documentation that are configurations of jmapsync, or parts of one, with their pages."""
    blocks = [(page.name, block) for page in PAGES for block in re.findall(r"```toml\n(.*?)```", _unindented(page), re.DOTALL)]
    return [(page, block) for page, block in blocks if not re.match(r"# ~/\.config/(?!jmapsync)", block)]


def _unindented(page: Path) -> str:
    return re.sub(r"^   ", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def whole(block: str) -> dict[str, Any]:
    """Return a configuration with a block of the documentation in it: some show a few keys of a table only."""
    found = tomllib.loads(block)
    if "accounts" not in found and not found.keys() & {table.path[0] for table in tables() if table.path}:
        found = {"accounts": {"home": {"mail": found}}}
    home = found.setdefault("accounts", {}).setdefault("home", {})
    home.setdefault("address", "alice@example.com")
    home.setdefault("mail", {}).setdefault("path", "~/Mail/home")
    return found


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    assert schema()["$schema"] == DIALECT
    Draft202012Validator.check_schema(schema())


def test_the_command_prints_what_the_documentation_publishes(tmp_path: Path) -> None:
    assert FILE.read_text(encoding="utf-8") == printed(), "run: jmapsync config schema > docs/config.schema.json"
    assert run(tmp_path, *PROGRAM, "config", "schema") == printed()


def test_every_configuration_of_the_documentation_is_valid() -> None:
    found = of_docs()
    assert len(found) > 5
    errors = {block: [error.message for error in VALIDATOR.iter_errors(whole(block))] for _, block in found}
    assert {block: messages for block, messages in errors.items() if messages} == {}


def test_the_example_with_every_key_is_valid() -> None:
    assert wrong(example()) == []
    assert wrong(example().replace("# ", "")) == []


def _place(table: Table) -> str:
    """Return a configuration that ends in a table, with what the tables need."""
    needed = 'path = "x"\n' if any(key.is_required for key in table.keys) else ""
    header = table.header.replace(NAME, "home")
    account = f"[accounts.home]\n{BASE}"
    if len(table.path) > 3:
        account += f'{header.rpartition(".")[0]}]\npath = "x"\n'
    if table.path == ("accounts", NAME):
        return account
    return f"{account}{header}\n{needed}" if table.path else ""


KEYS = [(table, key) for table in tables() for key in table.keys]


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[f"{'.'.join(table.path)}.{key.name}" for table, key in KEYS])
def test_a_misspelt_key_is_refused(table: Table, key: Key) -> None:
    (error,) = wrong(f'{_place(table)}{key.name}x = "1"\n')
    assert f"'{key.name}x' was unexpected" in error


@pytest.mark.parametrize("misspelt", sorted({table.path[-1] for table in tables() if table.path and table.path[-1] != NAME}))
def test_a_misspelt_table_is_refused(misspelt: str) -> None:
    path = next(table.path for table in tables() if table.path[-1:] == (misspelt,))
    above = ".".join(path[:-1]).replace(NAME, "home")
    assert wrong(f"[accounts.home]\n{BASE}[{above + '.' if above else ''}{misspelt}x]\n")


@pytest.mark.parametrize(
    "line",
    [
        'auth = "digest"',
        "keyring = 1",
        'scopes = "mail"',
        'scopes = [""]',
        "user = 5",
        'user = "a\\nb"',
        'direction = "push"',
        "[daemon]\npoll = 10",
        '[daemon]\npoll = "10"',
        '[daemon]\npoll = "10 minutes"',
        "[safety]\nmax_deletes = -1",
        "[safety]\nmax_delete_percent = 101",
        '[network]\nlimit_rate = "2"',
        "[accounts.home.mail]",
        '[accounts.home.mail]\npath = "x"\n[accounts.home.mail.notmuch]\ntags = { a = 1 }',
        '[accounts.".b"]\naddress = "b@example.com"\nkeyring = true',
        '[accounts.b]\nuser = "b"\nkeyring = true',
    ],
)
def test_what_the_schema_refuses_the_program_refuses_too(line: str, tmp_path: Path) -> None:
    text = f'[accounts.home]\naddress = "alice@example.com"\n{"" if line.startswith("keyring") else "keyring = true"}\n{line}\n'
    assert wrong(text)
    with pytest.raises(ConfigError):
        parse(text.encode(), tmp_path / "config.toml", private=True)


@pytest.mark.parametrize("text", ['poll = "1.5h"', 'poll = "30 s"', 'settle = "250ms"', 'full = "2w"'])
def test_what_the_program_accepts_the_schema_accepts_too(text: str, tmp_path: Path) -> None:
    text = f'[accounts.home]\n{BASE}[daemon]\n{text}\n[network]\nlimit_rate = "1.5 M"\n'
    parse(text.encode(), tmp_path / "config.toml", private=True)
    assert wrong(text) == []


def test_descriptions_are_plain_text_and_defaults_valid() -> None:
    def each(found: dict[str, Any]) -> list[dict[str, Any]]:
        return [found, *(one for part in found.get("properties", {}).values() for one in each(part))]

    accounts = schema()["properties"]["accounts"]["additionalProperties"]
    for one in [*each(schema()), *each(accounts)]:
        assert one["description"]
        assert not re.search(r"`|\]\(", one["description"])
        if "default" in one:
            assert Draft202012Validator(one).is_valid(json.loads(json.dumps(one["default"])))
