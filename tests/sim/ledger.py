"""Corrupt the ledger of a mirror in every way; check that each command ends with a message for people and nothing is lost.

`python -m tests.sim.ledger --cases 500 --seed 1`
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample
from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.sync.report import AccountReport

UNEXPECTED = "Something unexpected"
PAGE = 4096
ODD: tuple[object, ...] = (None, "", "text", "\t\t\t", -1, 1 << 62, 2.5, b"", b"\xff\x00", "[" * 2000, "{", "1 2", "\x00")


def truncate(path: Path, chance: random.Random) -> str:
    size = chance.choice((0, 1, 99, chance.randrange(path.stat().st_size), chance.randrange(path.stat().st_size) // PAGE * PAGE))
    with path.open("r+b") as file:
        file.truncate(size)
    return f"truncated to {size}"


def flip(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    spots = [chance.randrange(100 if chance.random() < 0.2 else len(data)) for _ in range(chance.choice((1, 4, 60)))]
    for spot in spots:
        data[spot] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return f"bits flipped at {spots}"


def spoil_page(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    page = chance.randrange(len(data) // PAGE)
    how = chance.choice(("zero", "garbage", "other"))
    other = chance.randrange(len(data) // PAGE)
    new = {"zero": bytes(PAGE), "garbage": chance.randbytes(PAGE), "other": bytes(data[other * PAGE : (other + 1) * PAGE])}[how]
    data[page * PAGE : (page + 1) * PAGE] = new
    path.write_bytes(data)
    return f"page {page} became {how} {other}"


def mistype(path: Path, chance: random.Random) -> str:
    """Give one column of some rows a value of another type or meaning."""
    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        table = chance.choice([one for one in tables if db.execute(f"SELECT count(*) FROM {one}").fetchone()[0]])
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        column, value = chance.choice(columns), chance.choice(ODD)
        few = chance.random() < 0.5
        try:
            statement = f"UPDATE OR IGNORE {table} SET {column} = ?"
            db.execute(statement + (" WHERE rowid IN (SELECT rowid FROM " + table + " LIMIT 1)" if few else ""), (value,))
            db.commit()
        except sqlite3.Error as error:
            return f"not changed: {error}"
    return f"{table}.{column} = {value!r:.30}"


def spoil_schema(path: Path, chance: random.Random) -> str:
    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        table = chance.choice(tables)
        statement = chance.choice((
            f"DROP TABLE {table}",
            f"DELETE FROM {table}",
            f"ALTER TABLE {table} RENAME TO other",
            f"PRAGMA user_version = {chance.choice((-1, 1, 2, 3, 99, 2**31 - 1))}",
            "DROP INDEX IF EXISTS item_ref",
        ))  # fmt: skip
        db.execute(statement)
        db.commit()
    return statement


WAYS: tuple[Callable[[Path, random.Random], str], ...] = (truncate, flip, spoil_page, mistype, spoil_schema)


class Case:
    """One account with mail, contacts and calendars, whose ledger is corrupted again and again."""

    def __init__(self, base: Path, server: DemoServer) -> None:
        self.base, self.server = base, server
        self.config = base / "config.toml"
        self.ledger = base / "state" / "home" / "ledger.sqlite"
        self.config.write_text(
            f'state_dir = "{base}/state"\n[accounts.home]\nurl = "{server.url}"\nuser = "demo"\nauth = "basic"\n'
            'password_command = "echo demo"\n'
            + "".join(f'[accounts.home.{kind}]\npath = "{base}/{kind}"\n' for kind in ("mail", "contacts", "calendars"))
        )
        fill_sample(server.account)
        for _ in range(2):
            report = asyncio.run(App(load(self.config)).sync())
            assert not report.accounts["home"].error, report.accounts["home"].error
        with closing(sqlite3.connect(self.ledger)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.sound = self.ledger.read_bytes()
        shutil.copytree(base, base.with_name("kept"), symlinks=True, dirs_exist_ok=True)
        self.server_before = server.account.snapshot()
        self.items = self.count()

    def count(self) -> tuple[int, int, int]:
        account = self.server.account
        return len(account.emails), len(account.contacts.items), len(account.calendars.items)

    def run(self, way: Callable[[Path, random.Random], str], chance: random.Random) -> tuple[str, list[str]]:
        """Corrupt the ledger in one way and return how, and what is wrong with what the commands said."""
        self.server.account.restore(self.server_before)
        for kind in ("mail", "contacts", "calendars", "state"):
            shutil.rmtree(self.base / kind, ignore_errors=True)
            shutil.copytree(self.base.with_name("kept") / kind, self.base / kind)
        self.ledger.write_bytes(self.sound)
        how = f"{way.__name__}: {way(self.ledger, chance)}"
        said = {name: self.said(name) for name in ("status", "conflicts", "check", "verify", "dry", "sync", "status", "sync")}
        wrong = [f"{name}: {text}" for name, text in said.items() if UNEXPECTED in text or "(None)" in text]
        if self.count() < self.items:
            wrong.append(f"the server lost items: {self.items} became {self.count()}")
        return how, wrong

    def said(self, command: str) -> str:
        app = App(load(self.config))
        asked: dict[str, Callable[[], str]] = {
            "status": lambda: " ".join(one.error for one in app.status()),
            "conflicts": lambda: str([copies.list() for copies in app.conflict_copies()]),
            "check": lambda: " ".join(problem for one in asyncio.run(app.check()) for problem in one.problems),
            "verify": lambda: " ".join(report.error for report, _ in asyncio.run(app.verify()).values()),
            "dry": lambda: _text_of(asyncio.run(app.sync(dry_run=True)).accounts["home"]),
            "sync": lambda: _text_of(asyncio.run(app.sync()).accounts["home"]),
        }
        try:
            return asked[command]()
        except JmapsyncError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  # this is what the test searches for
            return f"{UNEXPECTED}: {error!r}"


def _text_of(report: AccountReport) -> str:
    return " ".join([report.error, *(message for kind in report.kinds.values() for message in kind.messages)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as directory, DemoServer() as server:
        (Path(directory) / "home").mkdir()
        case = Case(Path(directory) / "home", server)
        for number in range(options.cases):
            chance = random.Random(f"{options.seed} {number}")
            how, wrong = case.run(WAYS[number % len(WAYS)], chance)
            failed += bool(wrong)
            for text in wrong:
                print(f"case {number}, {how}: {text[:600]}", flush=True)  # noqa: T201
    print(f"{options.cases} cases, {failed} failed")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
