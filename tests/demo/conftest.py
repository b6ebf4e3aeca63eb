"""An embedded server for each test, and a raw client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.contract.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as running:
        yield running


@pytest.fixture
def peer(server: DemoServer) -> Iterator[Peer]:
    with Peer(server.url, "demo", "demo", "rfc") as client:
        yield client
