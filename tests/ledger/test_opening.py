"""The ledger's file: transactions, schemas, readers beside a writer, copies, corruption, a full disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from importlib import resources
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import LedgerError
from jmapsync.ledger import Ledger, Record, database, migrations
from jmapsync.planner.model import Side, Version
from jmapsync.storage.files.file_state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HERE = Version("file", "file", homes=frozenset({1}))


class SlipError(Exception):
    """Something that goes wrong inside a transaction."""


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")


@pytest.fixture
def old(path: Path) -> Path:
    """A ledger of version 1 with problems."""
    problems = [
        ("mail", "drafts", 7, "why", "human", "x|y", 1, 2),
        ("mail", "INBOX/cur/x", None, "why", "look", "", 3, 4),
        ("mail", "email E1", None, "why", "ask", "E1", 5, 6),
    ]
    with closing(sqlite3.connect(path)) as db:
        db.executescript(resources.files("jmapsync.ledger").joinpath("schema.sql").read_text("utf-8"))
        db.executemany("INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?, ?, ?)", problems)
        db.execute("PRAGMA user_version = 1")
        db.commit()
    return path


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


class TestTransactions:
    def test_a_cursor_and_the_tree_it_speaks_of_are_kept_together_or_not_at_all(self, ledger: Ledger, path: Path) -> None:
        def slip() -> None:
            with ledger.transaction():
                ledger.add(Record(0, "mail", "E1", remote=HERE))
                ledger.set_cursor("mail", Side.REMOTE, "s1")
                raise SlipError

        with pytest.raises(SlipError):
            slip()
        assert (ledger.refs("mail"), ledger.cursor("mail", Side.REMOTE)) == (set(), "")
        with ledger.transaction():
            ledger.add(Record(0, "mail", "E1", remote=HERE))
            ledger.set_cursor("mail", Side.REMOTE, "s1")
        with closing(Ledger.open(path)) as other:
            assert (other.refs("mail"), other.cursor("mail", Side.REMOTE)) == ({"E1"}, "s1")

    def test_inside_another_one_are_part_of_it(self, ledger: Ledger) -> None:
        def slip() -> None:
            with ledger.transaction():
                with ledger.transaction():
                    ledger.set_note("x", "1")
                raise SlipError

        with pytest.raises(SlipError):
            slip()
        assert ledger.note("x") == ""

    def test_that_a_killed_process_left_open_are_undone(self, path: Path) -> None:
        program = f"""
import os, pathlib, signal
from jmapsync.ledger import Ledger
ledger = Ledger.open(pathlib.Path({str(path)!r}))
ledger.set_note("kept", "1")
with ledger.transaction():
    ledger.set_note("lost", "1")
    os.kill(os.getpid(), signal.SIGKILL)
"""
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
        with closing(Ledger.open(path)) as ledger:
            assert (ledger.note("kept"), ledger.note("lost")) == ("1", "")

    def test_on_a_full_disk_fail_in_a_plain_message_and_keep_what_was(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "small", "1m") as place, closing(Ledger.open(place / "ledger.sqlite")) as ledger:
            ledger.set_cursor("mail", Side.REMOTE, "s1")

            def fill_up() -> None:
                with ledger.transaction():
                    ledger.set_cursor("mail", Side.REMOTE, "s2")
                    ledger.add_many(Record(0, "mail", f"E{number}", "x" * 200, remote=HERE) for number in range(20_000))

            with pytest.raises(LedgerError, match="full"):
                fill_up()
            assert (ledger.cursor("mail", Side.REMOTE), ledger.refs("mail")) == ("s1", set())
            with ledger.transaction():
                ledger.set_cursor("mail", Side.REMOTE, "s3")
            assert ledger.cursor("mail", Side.REMOTE) == "s3"


class TestSchemas:
    def test_an_older_one_is_stepped_up_once(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Ledger.open(path).close()
        assert version_of(path) == migrations.VERSION
        steps = {migrations.VERSION: "CREATE TABLE one (x);", migrations.VERSION + 1: "CREATE TABLE two (x);"}
        newest = migrations.VERSION + 2
        monkeypatch.setattr(migrations, "STEPS", {**migrations.STEPS, **steps})
        monkeypatch.setattr(migrations, "VERSION", newest)
        for _ in range(2):
            Ledger.open(path).close()
            assert version_of(path) == newest

    def test_a_step_that_fails_leaves_the_version_before_it(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Ledger.open(path).close()
        before = migrations.VERSION
        monkeypatch.setattr(migrations, "STEPS", {before: "CREATE TABLE one (x); CREATE TABLE item (x);"})
        monkeypatch.setattr(migrations, "VERSION", before + 1)
        with pytest.raises(LedgerError, match="already exists"):
            Ledger.open(path)
        assert version_of(path) == before
        monkeypatch.setattr(migrations, "STEPS", {before: "CREATE TABLE one (x);"})
        Ledger.open(path).close()
        assert version_of(path) == before + 1

    def test_one_that_knew_problems_by_their_names_keeps_them(self, old: Path) -> None:
        with closing(Ledger.open(old)) as ledger:
            assert [(one.subject, one.item, one.key, one.since) for one in ledger.problems("mail")] == [
                ("place INBOX/cur/x", "INBOX/cur/x", None, 3),
                ("item 7", "drafts", 7, 1),
                ("ref E1", "email E1", None, 5),
            ]

    def test_an_older_one_is_read_without_being_touched(self, old: Path) -> None:
        content = old.read_bytes()
        reader = Ledger.open_readonly(old)
        assert reader is not None
        with closing(reader):
            assert [one.item for one in reader.problems()] == ["INBOX/cur/x", "drafts", "email E1"]
        assert (old.read_bytes(), version_of(old)) == (content, 1)

    def test_a_newer_one_is_refused_and_not_touched(self, path: Path) -> None:
        Ledger.open(path).close()
        set_version(path, migrations.VERSION + 1)
        before = path.read_bytes()
        for opened in (Ledger.open, Ledger.open_readonly, Ledger.copy_of):
            with pytest.raises(LedgerError, match="newer jmapsync"):
                opened(path)
        assert path.read_bytes() == before

    def test_reading_an_older_one_migrates_a_copy_at_most(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(Ledger.open(path)) as ledger:
            ledger.set_note("x", "1")
        before = migrations.VERSION
        monkeypatch.setattr(migrations, "STEPS", {before: "CREATE TABLE one (x);"})
        monkeypatch.setattr(migrations, "VERSION", before + 1)
        content = path.read_bytes()
        with closing(Ledger.copy_of(path)) as copy:
            assert copy.note("x") == "1"
            assert copy._db.execute("SELECT count(*) FROM one").fetchone() == (0,)
        assert (path.read_bytes(), version_of(path)) == (content, before)


class TestReaders:
    def test_see_what_is_committed_while_a_writer_works(self, ledger: Ledger, path: Path) -> None:
        ledger.set_note("x", "old")
        with ledger.transaction():
            ledger.set_note("x", "new")
            reader = Ledger.open_readonly(path)
            assert reader is not None
            assert reader.note("x") == "old"
        assert reader.note("x") == "new"
        reader.close()

    def test_cannot_write(self, ledger: Ledger, path: Path) -> None:
        reader = Ledger.open_readonly(path)
        assert reader is not None
        with closing(reader), pytest.raises(LedgerError, match="readonly"), reader.transaction():
            reader.set_note("x", "1")

    def test_of_no_ledger_find_none_and_make_none(self, path: Path) -> None:
        assert Ledger.open_readonly(path) is None
        with closing(Ledger.copy_of(path)) as copy:
            assert copy.all("mail") == []
        assert not path.exists()


class TestACopy:
    def test_starts_as_the_file_and_changes_nothing_in_it(self, ledger: Ledger, path: Path) -> None:
        ledger.add(Record(0, "mail", "E1", remote=HERE))
        with closing(Ledger.copy_of(path)) as copy:
            copy.add(Record(0, "mail", "E2", remote=HERE))
            assert copy.refs("mail") == {"E1", "E2"}
        assert ledger.refs("mail") == {"E1"}

    def test_leaves_no_trace_beside_the_file(self, path: Path) -> None:
        with closing(Ledger.open(path)) as ledger:
            ledger.set_note("x", "1")
        before = {file.name: state_of(file.stat()) for file in path.parent.iterdir()}
        with closing(Ledger.copy_of(path)) as copy:
            assert copy.note("x") == "1"
        assert {file.name: state_of(file.stat()) for file in path.parent.iterdir()} == before

    def test_holds_what_a_killed_writer_had_committed(self, path: Path, tmp_path: Path) -> None:
        with closing(Ledger.open(path)) as ledger:
            ledger.set_note("x", "1")
            as_killed = tmp_path / "killed"
            as_killed.mkdir()
            for file in (path, path.with_name(f"{path.name}-wal")):
                (as_killed / file.name).write_bytes(file.read_bytes())
        with closing(Ledger.copy_of(as_killed / path.name)) as copy:
            assert copy.note("x") == "1"

    def test_holds_what_the_writer_had_committed(self, ledger: Ledger, path: Path) -> None:
        ledger.set_note("x", "old")
        with ledger.transaction():
            ledger.set_note("x", "new")
            with closing(Ledger.copy_of(path)) as copy:
                assert copy.note("x") == "old"


class TestAFileThatIsNoLedger:
    @pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
    def test_is_named_with_what_to_do(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        for opened in (Ledger.open, Ledger.open_readonly, Ledger.copy_of):
            with pytest.raises(LedgerError, match="move it away") as reported:
                opened(path)
            assert str(path) in str(reported.value)
        assert path.read_bytes() == content

    def test_because_it_is_empty_is_a_ledger_that_knows_nothing(self, path: Path) -> None:
        path.touch()
        with closing(Ledger.open(path)) as ledger:
            assert ledger.all("mail") == []

    def test_because_its_folder_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerError, match="Check the disk"):
            Ledger.open(tmp_path / "no" / "ledger.sqlite")


def test_is_for_its_owner_only(ledger: Ledger, path: Path) -> None:
    ledger.set_note("x", "1")
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


class TestAFullDisk:
    """SQLite says SQLITE_FULL, or an input or output error where it wanted to make a file."""

    @pytest.mark.parametrize("number", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
    def test_is_not_taken_for_a_malformed_file(self, path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        full = SimpleNamespace(f_bavail=0, f_frsize=4096, f_files=0, f_favail=0)
        monkeypatch.setattr(os, "statvfs", lambda _: full)
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = number
        reported = str(database._error_of(error, path))
        assert "The disk is full" in reported
        assert "free some space" in reported
        assert "away" not in reported

    def test_a_disk_that_fails_is_not_taken_for_a_malformed_file_either(self, path: Path) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        assert "away" not in str(database._error_of(error, path))


@pytest.mark.parametrize("opened", [Ledger.open, Ledger.open_readonly, Ledger.copy_of])
def test_a_pipe_instead_of_the_ledger_is_not_waited_for(path: Path, opened: Callable[[Path], Ledger]) -> None:
    os.mkfifo(path)
    with pytest.raises(LedgerError, match="it is a pipe, not a regular file"):
        opened(path)
