from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.maildir_driver import MaildirDriver
from tests.storage.ledgers import close_ledgers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _ledgers_are_closed() -> Iterator[None]:
    yield
    close_ledgers()


@pytest.fixture
def room(tmp_path: Path) -> MaildirDriver:
    return MaildirDriver(tmp_path)


@pytest.fixture
def inbox(room: MaildirDriver) -> int:
    return room.folder("INBOX")


@pytest.fixture
def archive(room: MaildirDriver, inbox: int) -> int:
    return room.folder("Archive")
