"""A disk without room: what fits is written, the rest is named, and no message says None."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import Remedy
from jmapsync.storage.port import Filed, Refused, Success
from tests.kit.maildir_driver import MaildirDriver
from tests.kit.vdir_driver import VdirDriver, item

if TYPE_CHECKING:
    from pathlib import Path

LARGE = b"Subject: large\r\n\r\n" + b"x" * 5000
SMALL = b"Subject: small\r\n\r\nx\r\n"


@pytest.fixture(params=[errno.ENOSPC, errno.EDQUOT])
def little_room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk have no room for more than a thousand octets at once; os.write names no file in its errors."""
    write = os.write

    def refuse(handle: int, data: bytes) -> int:
        if len(data) > 1000:
            raise OSError(request.param, os.strerror(request.param))
        return write(handle, data)

    monkeypatch.setattr(os, "write", refuse)


@pytest.mark.usefixtures("little_room")
def test_messages_that_fit_are_written_beside_one_that_does_not(tmp_path: Path) -> None:
    room = MaildirDriver(tmp_path)
    inbox = room.folder("INBOX")
    receipts = room.write(*(room.to_create(content, [inbox]) for content in (LARGE, SMALL, LARGE, SMALL)))
    assert [isinstance(receipt, Success) for receipt in receipts] == [False, True, False, True]
    assert {(receipt.remedy, "None" in receipt.why) for receipt in receipts if isinstance(receipt, Refused)} == {
        (Remedy.LATER, False)
    }
    assert room.side.failure() is None
    assert list((room.root / "INBOX" / "tmp").iterdir()) == []


@pytest.mark.usefixtures("little_room")
def test_where_nothing_fits_the_kind_ends_with_what_to_do(tmp_path: Path) -> None:
    room = MaildirDriver(tmp_path)
    inbox = room.folder("INBOX")
    room.write(room.to_create(LARGE, [inbox]), room.to_create(LARGE, [inbox]))
    failure = room.side.failure()
    assert failure is not None
    assert "The disk is full" in str(failure)
    assert "free some space" in str(failure)
    assert "None" not in str(failure)
    assert "move" not in str(failure)


@pytest.mark.usefixtures("little_room")
def test_items_that_fit_are_written_beside_one_that_does_not(tmp_path: Path) -> None:
    room = VdirDriver(tmp_path)
    work = room.folder("Work")
    large = item("large", "x" * 5000)
    receipts = room.write(room.to_create(large, [work]), room.to_create(item("small"), [work]))
    assert [type(receipt) for receipt in receipts] == [Refused, Filed]
    assert room.side.failure() is None
    room.write(room.to_create(item("larger", "x" * 5000), [work]))
    assert "The disk is full" in str(room.side.failure())
    assert [path.name for path in room.directory(work).glob(".jmapsync-*")] == []
