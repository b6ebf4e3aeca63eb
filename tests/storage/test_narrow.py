"""A scan of some folders only, those that the watcher reported. It never takes for gone what may be in another one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.kit.maildir_driver import MaildirDriver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def room(tmp_path: Path) -> MaildirDriver:
    room = MaildirDriver(tmp_path)
    room.folder("INBOX")
    room.folder("Lists")
    return room


def keys_of(room: MaildirDriver) -> tuple[int, int]:
    inbox, lists = (record.key for record in room.ledger.all("mailbox"))
    return inbox, lists


def drop(room: MaildirDriver, folder: str, content: bytes) -> Path:
    path = room.root / folder / "cur" / f"{folder}{len(content)}:2,"
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def test_only_the_folders_named_are_scanned(room: MaildirDriver) -> None:
    drop(room, "INBOX", b"Subject: one\n\n")
    drop(room, "Lists", b"Subject: two\n\n")
    assert not room.side.observe_items(room.ledger, set()).items
    assert [seen.ref for seen in room.observe("INBOX").items] == ["INBOX/cur/INBOX14:2,"]
    assert [seen.ref for seen in room.observe().items] == ["Lists/cur/Lists14:2,"]


def test_flags_are_found_by_a_scan_of_their_folder(room: MaildirDriver) -> None:
    inbox, _ = keys_of(room)
    key = room.create(b"Subject: one\r\n\r\n", [inbox])
    [path] = room.paths(key)
    path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,F")
    room.observe("INBOX")
    assert room.version(key).tags == {"$flagged"}


@pytest.mark.parametrize("named", ["INBOX", "Lists"], ids=["from there", "into it"])
def test_a_move_is_one_whichever_of_its_folders_is_named(room: MaildirDriver, named: str) -> None:
    inbox, lists = keys_of(room)
    key = room.create(b"Subject: one\r\n\r\n", [inbox])
    [path] = room.paths(key)
    path.rename(room.root / "Lists" / "cur" / path.name)
    seen = room.observe(named)
    assert not seen.gone
    assert room.version(key).homes == {lists}


def test_a_copy_is_one_by_the_folder_it_was_made_in(room: MaildirDriver) -> None:
    inbox, lists = keys_of(room)
    key = room.create(b"Subject: one\r\n\r\n", [inbox])
    [path] = room.paths(key)
    os.link(path, room.root / "Lists" / "cur" / path.name)
    room.observe("Lists")
    assert room.version(key).homes == {inbox, lists}


def test_a_deletion_is_reported_once_every_folder_was_scanned(room: MaildirDriver) -> None:
    inbox, _ = keys_of(room)
    key = room.create(b"Subject: one\r\n\r\n", [inbox])
    drop(room, "Lists", b"Subject: elsewhere\n\n")
    room.paths(key)[0].unlink()
    seen = room.observe("INBOX")
    assert seen.gone == [key]
    assert len(seen.items) == 1, "the other folder was looked at too"


def test_an_edited_message_is_edited_in_every_folder_that_has_its_file(room: MaildirDriver) -> None:
    """The watch names the folder through which a file was written, not the others that have it by another name."""
    inbox, lists = keys_of(room)
    key = room.create(b"Subject: one\r\n\r\n", [inbox, lists])
    before = room.version(key).body
    with room.paths(key)[0].open("ab") as file:
        file.write(b"more\n")
    os.utime(room.paths(key)[0], (1_700_000_001, 1_700_000_001))
    room.observe("INBOX")
    assert room.ledger.counts("mail")[0] == 1
    assert room.version(key).body != before
    assert room.version(key).homes == {inbox, lists}


def test_a_folder_that_is_gone_is_reported_although_others_are_named(room: MaildirDriver) -> None:
    inbox, _ = keys_of(room)
    keys = [room.create(f"Subject: {number}\r\n\r\n".encode(), [inbox]) for number in range(3)]
    for path in sorted((room.root / "INBOX").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (room.root / "INBOX").rmdir()
    seen = room.observe("INBOX")
    assert sorted(seen.gone) == keys
    assert "disappeared" in seen.suspicious
