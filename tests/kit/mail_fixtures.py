"""Fixtures of tests that mirror the mail of an embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.mirror import Mirror, assert_converges

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


@pytest.fixture
def full(server: DemoServer, mirror: Mirror) -> DemoServer:
    """Offer a server with ten mirrored messages."""
    server.account.populate(10)
    assert_converges(server.account, mirror)
    return server
