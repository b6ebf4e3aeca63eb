"""What is asked of a notmuch database, and what of its answers is not believed."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.storage.notmuch.database import TagDatabase, TagsError, folder_of, is_locked, opened
from tests.kit.notmuch import Notmuch

if TYPE_CHECKING:
    from pathlib import Path

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); sys.stdin.read()"


class Stub:
    """A database whose list ends early, as Xapian's does when others write at the same time."""

    def count_messages(self, query: str) -> int:
        return 2

    def messages(self, query: str) -> list[Any]:
        return []


@pytest.fixture
def notmuch(tmp_path: Path) -> Notmuch:
    return Notmuch.over(tmp_path / "mail")


def test_a_list_that_ends_early_is_not_believed() -> None:
    with pytest.raises(TagsError, match="changed while it was read"):
        list(TagDatabase(Stub()).since(1))


def test_a_lock_is_seen_while_another_process_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "flintlock"
    assert not is_locked(str(tmp_path))
    lock.touch()
    assert not is_locked(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        assert is_locked(str(tmp_path))
        other.stdin.close()
    assert not is_locked(str(tmp_path))


def test_where_nothing_knows_locks_nothing_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flintlock").touch()

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert not is_locked(str(tmp_path))


def test_a_database_that_is_not_there_is_reported_in_a_message(notmuch: Notmuch, tmp_path: Path) -> None:
    for config in (notmuch.config, tmp_path / "nowhere"):
        with pytest.raises(TagsError, match="cannot be used, so tags were not synchronized"), opened(config):
            pass
        assert folder_of(config) is None


def test_what_changed_since_a_revision_is_read_and_nothing_else(notmuch: Notmuch) -> None:
    for part in ("cur", "new", "tmp"):
        (notmuch.mail / part).mkdir(parents=True)
    for number in range(3):
        (notmuch.mail / "cur" / f"{number}:2,S").write_text(f"Subject: {number}\nMessage-ID: <{number}@x>\n\nx\n")
    notmuch.new()
    with opened(notmuch.config) as db:
        before = db.revision
        assert {message.id for message in db.since(0)} == {"0@x", "1@x", "2@x"}
        assert list(db.since(before.number)) == []
        assert db.new_tags == {"unread", "inbox"}
    notmuch.tag("+todo", query="id:1@x")
    with opened(notmuch.config) as db:
        assert [(message.id, message.tags) for message in db.since(before.number)] == [("1@x", frozenset({"inbox", "todo"}))]
    with opened(notmuch.config, write=True) as db, db.together():
        db.change("1@x", frozenset({"done"}), frozenset({"todo"}), "home")
        db.change("9@x", frozenset({"done"}), frozenset(), "home")
    with opened(notmuch.config) as db:
        message = db.find("1@x")
        assert message is not None
        assert (message.tags, message.marks) == (frozenset({"inbox", "done"}), frozenset({"home"}))
        assert db.find("9@x") is None
    assert folder_of(notmuch.config) == notmuch.mail / ".notmuch" / "xapian"
