"""`keep_deleted`: what the server deletes stays here, below DELETED/, and is never mail again."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.port import Refused, Success
from tests.kit.maildir_driver import MaildirDriver

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"Subject: one\r\n\r\nkept\r\n"


@pytest.fixture
def room(tmp_path: Path) -> MaildirDriver:
    return MaildirDriver(tmp_path, keep_deleted=True)


def kept(room: MaildirDriver) -> list[str]:
    found = [path for path in (room.root / "DELETED").rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(room.root / "DELETED").parent) for path in found)


def test_a_message_that_the_server_deleted_is_kept_where_its_path_says(room: MaildirDriver) -> None:
    inbox = room.folder("INBOX")
    lists = room.folder("Lists")
    python = room.folder("python", parent=lists)
    key = room.create(BODY, [inbox, python], ["$seen"])
    [one, _] = room.paths(key)
    before = (one.stat().st_ino, one.stat().st_mtime_ns)
    [receipt] = room.write(room.to_delete(key))
    assert isinstance(receipt, Success)
    assert kept(room) == ["INBOX/cur", "Lists/python/cur"]
    [copy] = (room.root / "DELETED" / "INBOX" / "cur").iterdir()
    assert copy.name == one.name
    assert (copy.stat().st_ino, copy.stat().st_mtime_ns) == before
    assert copy.read_bytes() == BODY.replace(b"\r\n", b"\n")


def test_what_is_kept_is_no_folder_and_no_mail(room: MaildirDriver) -> None:
    inbox = room.folder("INBOX")
    room.write(room.to_delete(room.create(BODY, [inbox])))
    assert [folder.ref for folder in room.observe_folders()] == ["INBOX"]
    observed = room.side.observe_items(room.ledger)
    assert (observed.items, observed.gone, observed.problems) == ([], [], [])


def test_a_copy_taken_out_of_one_folder_is_not_deleted_and_so_not_kept(room: MaildirDriver) -> None:
    inbox, lists = room.folder("INBOX"), room.folder("Lists")
    key = room.create(BODY, [inbox, lists])
    room.write(room.to_update(key, homes=[inbox]))
    assert not (room.root / "DELETED").exists()


def test_two_of_one_name_are_both_kept(room: MaildirDriver) -> None:
    inbox = room.folder("INBOX")
    for _ in range(2):
        key = room.create(BODY, [inbox])
        [path] = room.paths(key)
        (room.root / "DELETED/INBOX/new").mkdir(parents=True, exist_ok=True)
        (room.root / "DELETED/INBOX/new" / path.name).write_bytes(b"an older one")
        room.write(room.to_delete(key))
    assert len(kept(room)) == 4


def test_a_mailbox_of_that_name_gets_another_one_here(room: MaildirDriver) -> None:
    key = room.folder("DELETED")
    assert room.side.tree.paths[key] != "DELETED"


def test_a_folder_on_another_disk_is_kept_by_a_copy(room: MaildirDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = room.folder("INBOX")
    key = room.create(BODY, [inbox])
    real = os.rename

    def rename(old: str, new: str) -> None:
        inside = ["/DELETED/" in os.path.realpath(os.path.dirname(path)) for path in (old, new)]
        if inside == [False, True]:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(old, new)

    monkeypatch.setattr(os, "rename", rename)
    room.write(room.to_delete(key))
    assert kept(room) == ["INBOX/new"]
    assert room.paths(key) == []


def test_without_it_nothing_is_kept(tmp_path: Path) -> None:
    room = MaildirDriver(tmp_path)
    inbox = room.folder("INBOX")
    room.write(room.to_delete(room.create(BODY, [inbox])))
    assert not (room.root / "DELETED").exists()


@pytest.mark.parametrize("where", ["DELETED", "DELETED/INBOX", "DELETED/INBOX/new"])
def test_nothing_is_kept_through_a_link(room: MaildirDriver, tmp_path: Path, where: str) -> None:
    inbox = room.folder("INBOX")
    key = room.create(BODY, [inbox])
    (tmp_path / "outside" / "INBOX" / "new").mkdir(parents=True)
    link = room.root / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "outside")
    [receipt] = room.write(room.to_delete(key))
    assert (type(receipt), "symbolic link" in receipt.why) == (Refused, True)
    assert room.paths(key)[0].is_file()
    assert [path for path in (tmp_path / "outside").rglob("*") if path.is_file()] == []
