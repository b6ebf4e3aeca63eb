from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storage.vdir.room import Room

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def work(room: Room) -> int:
    return room.folder("Work")


@pytest.fixture
def home(room: Room) -> int:
    return room.folder("Home")
