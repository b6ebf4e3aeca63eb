from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.object_mirror import ObjectMirror
from tests.sync.objects.samples import ADA, PROOFS, WEEKLY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store


@pytest.fixture(params=["rfc", "stalwart"])
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        server.account.contacts.add(ADA)
        server.account.calendars.add(WEEKLY)
        server.account.calendars.create_collection("Tasks")
        server.account.calendars.add(PROOFS, ("Tasks",))
        yield server


@pytest.fixture
def cards(server: DemoServer) -> Store:
    return server.account.contacts


@pytest.fixture
def events(server: DemoServer) -> Store:
    return server.account.calendars


@pytest.fixture
def fresh(server: DemoServer, tmp_path: Path) -> ObjectMirror:
    return ObjectMirror(server.url, tmp_path)


@pytest.fixture
def desk(server: DemoServer, fresh: ObjectMirror) -> ObjectMirror:
    fresh.sync_until_quiet()
    server.requests.clear()
    return fresh
