from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storage.vdir.room import Room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    found = Room(tmp_path)
    yield found
    found.ledger.close()


@pytest.fixture
def work(room: Room) -> int:
    return room.folder("Work")


@pytest.fixture
def home(room: Room) -> int:
    return room.folder("Home")
