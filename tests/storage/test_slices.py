"""A scan ingests a limited number of new files: memory is bounded however many are copied in, and nothing seems gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats import message as message_files
from jmapsync.storage.maildir import identify
from tests.kit.maildir_driver import MaildirDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jmapsync.formats.message import Measure
    from jmapsync.storage.port import DiskItems

LIMIT = 3


@pytest.fixture
def room(tmp_path: Path) -> MaildirDriver:
    return MaildirDriver(tmp_path, limit=LIMIT)


def message(number: int, *, size: int = 0) -> bytes:
    return f"Subject: {number:04}\n\n{'x' * size}\n".encode()


def drop(room: MaildirDriver, folder: str, name: str, content: bytes) -> Path:
    path = room.root / folder / "cur" / f"{name}:2,"
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def observe_to_the_end(room: MaildirDriver) -> list[DiskItems]:
    observations = [room.observe()]
    while observations[-1].more:
        observations.append(room.observe())
    return observations


def test_a_scan_ingests_so_many_new_files_and_the_next_ones_the_rest(room: MaildirDriver) -> None:
    room.folder("INBOX")
    for number in range(10):
        drop(room, "INBOX", f"n{number}", message(number, size=number))
    observations = observe_to_the_end(room)
    assert [len(observed.items) for observed in observations] == [3, 3, 3, 1]
    assert room.ledger.counts("mail")[0] == 10
    assert not room.observe().items


def test_files_of_equal_bytes_are_seen_together(room: MaildirDriver) -> None:
    """The copies of one new message in two folders are one message, not two."""
    room.folder("INBOX")
    room.folder("Lists")
    for number in range(4):
        for folder in ("INBOX", "Lists"):
            drop(room, folder, f"{folder}{number}", message(number, size=number))
    observations = observe_to_the_end(room)
    assert len(observations) > 1
    assert room.ledger.counts("mail")[0] == 4
    assert all(len(record.local.homes) == 2 for record in room.ledger.all("mail") if record.local is not None)


def test_moved_messages_do_not_seem_gone_while_other_files_come_first(room: MaildirDriver) -> None:
    inbox, archive = room.folder("INBOX"), room.folder("Archive")
    keys = [room.create(message(number, size=5000), [inbox], ["$flagged"]) for number in range(6)]
    for key in keys:
        [path] = room.paths(key)
        path.rename(room.root / "Archive" / "cur" / path.name)
    for number in range(10, 20):
        drop(room, "INBOX", f"n{number}", message(number))
    observations = observe_to_the_end(room)
    assert len(observations) > 1
    assert [observed.gone for observed in observations] == [[]] * len(observations)
    assert all(room.version(key).homes == {archive} for key in keys)
    assert all(room.version(key).tags == {"$flagged"} for key in keys)


def test_what_is_gone_is_found_by_the_last_run(room: MaildirDriver) -> None:
    inbox = room.folder("INBOX")
    keys = [room.create(message(number, size=5000), [inbox]) for number in range(5)]
    room.paths(keys[0])[0].unlink()
    for number in range(10, 15):
        drop(room, "INBOX", f"n{number}", message(number, size=number))
    observations = observe_to_the_end(room)
    assert [observed.gone for observed in observations] == [[], [keys[0]]]


def test_an_edit_is_found_by_the_last_run(room: MaildirDriver) -> None:
    inbox = room.folder("INBOX")
    key = room.create(message(1), [inbox])
    before = room.version(key).body
    room.paths(key)[0].write_bytes(message(2))
    for number in range(10, 15):
        drop(room, "INBOX", f"n{number}", message(number, size=number))
    observations = observe_to_the_end(room)
    assert [any(seen.key == key for seen in observed.items) for observed in observations] == [False, True]
    assert room.version(key).body != before


def test_files_that_cannot_be_read_do_not_hold_up_the_rest(room: MaildirDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    room.folder("INBOX")
    for number in range(10):
        drop(room, "INBOX", f"n{number}", message(number, size=number))
    read: Callable[[Iterable[bytes]], Measure] = message_files.measure

    def refuse(chunks: Iterable[bytes]) -> Measure:
        content = b"".join(chunks)
        if int(content[9:13]) < 6:
            raise OSError(5, "Input/output error")
        return read(iter([content]))

    monkeypatch.setattr(identify, "measure", refuse)
    observations = observe_to_the_end(room)
    assert room.ledger.counts("mail")[0] == 4
    assert len(observations[-1].problems) == 6
