"""The scripts of the embedded server and their mirror."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.script_mirror import ScriptMirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo.scripts import ScriptStore


NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"


# By day the seeded worlds alone play on all of them.
@pytest.fixture(params=["rfc", "stalwart", "cyrus312", "cyrus36"] if NIGHT else ["rfc"])
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        yield server


@pytest.fixture
def store(server: DemoServer) -> ScriptStore:
    return server.account.scripts


@pytest.fixture
def mirror(server: DemoServer, tmp_path: Path) -> ScriptMirror:
    return ScriptMirror(server.url, tmp_path)
