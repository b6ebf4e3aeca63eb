"""Fixtures of tests that mirror the mail of an embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        yield server


@pytest.fixture
def mirror(server: DemoServer, tmp_path: Path) -> Mirror:
    return Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
