"""A corrupt ledger: every command says so or works, and nothing is lost."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.sim.ledger import WAYS, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMANDS = ("status", "conflicts", "check", "verify", "dry", "sync")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    base = tmp_path_factory.mktemp("ledger") / "home"
    base.mkdir()
    with DemoServer() as server:
        yield Case(base, server)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_whatever_happened_to_it_a_command_works_or_says_what_to_do(case: Case, way: object) -> None:
    for seed in range(2):
        how, wrong = case.run(next(one for one in WAYS if one is way), random.Random(seed))
        assert wrong == [], how


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


WHOLE: dict[str, Callable[[Path], object]] = {
    "not a database": lambda path: path.write_bytes(b"no database\n" * 1000),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:9000]),
    "zeroed": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096)),
    "a folder": replace_by_folder,
}


@pytest.mark.parametrize("kind", WHOLE)
def test_each_command_says_each_time_that_it_is_malformed_and_what_to_do(case: Case, kind: str) -> None:
    case.run(lambda path, _: str(WHOLE[kind](path)), random.Random(0))
    for command in COMMANDS:
        said = case.said(command)
        assert "ledger.sqlite cannot be used, because it is corrupt" in said, command
        assert "move it away" in said, command
    if case.ledger.is_dir():
        case.ledger.rmdir()


MISTYPED = [
    "UPDATE item SET remote = '' WHERE remote IS NOT NULL",
    "UPDATE item SET local = x'00ff' WHERE local IS NOT NULL",
    "UPDATE item SET local = '1 2' WHERE local IS NOT NULL",
    "UPDATE place SET sub = 2.5",
    "UPDATE place SET form = 'unheard of'",
    "UPDATE folder SET path = char(0) || path",
    "UPDATE content SET value = 'text'",
    "UPDATE content SET value = x'789c0000'",
    "UPDATE run SET report = '{'",
    "UPDATE item SET size = 'large'",
    "UPDATE meta SET value = CAST(x'7b22ff227d' AS TEXT) WHERE name = 'session'",
    "UPDATE meta SET value = replace(value, 'longest', 'lolgest')",
    "DROP TABLE place",
    "PRAGMA user_version = -7",
]


@pytest.mark.parametrize("statement", MISTYPED)
def test_values_that_no_run_wrote_are_malformed_and_no_fault_of_ours(case: Case, statement: str) -> None:
    def mistype(path: Path, _: random.Random) -> str:
        with closing(sqlite3.connect(path)) as db:
            db.execute(statement)
            db.commit()
        return statement

    how, wrong = case.run(mistype, random.Random(0))
    assert wrong == [], how
