from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.vdir_driver import VdirDriver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def room(tmp_path: Path) -> VdirDriver:
    return VdirDriver(tmp_path)


@pytest.fixture
def work(room: VdirDriver) -> int:
    return room.folder("Work")


@pytest.fixture
def home(room: VdirDriver) -> int:
    return room.folder("Home")
