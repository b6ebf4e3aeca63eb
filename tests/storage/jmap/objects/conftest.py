from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.formats import jscalendar1
from jmapsync.formats.ical import write_calendar
from tests.kit.object_side_driver import ObjectSideDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo import Store

CASES = [
    ("contacts", "rfc", False),
    ("contacts", "stalwart", False),
    ("calendars", "rfc", False),
    ("calendars", "stalwart", False),
    ("calendars", "cyrus312", False),
    ("calendars", "cyrus312", True),
    ("tasks", "rfc", False),
]
"""The kind, the server, and whether it gives events as files."""


def render(events: list[dict[str, object]]) -> bytes:
    """Return the file that a server holds of JSCalendar 1.0 events of one uid."""
    own = {"id", "calendarIds", "isDraft", "isOrigin", "blobId"}
    kept = [{name: value for name, value in event.items() if name not in own and value is not None} for event in events]
    return write_calendar([jscalendar1.from_v1(event) for event in kept])


@pytest.fixture(params=CASES, ids=lambda case: "-".join([*case[:2], *(["files"] if case[2] else [])]))
def case(request: pytest.FixtureRequest) -> tuple[str, str, bool]:
    found: tuple[str, str, bool] = request.param
    return found


@pytest.fixture
def server(case: tuple[str, str, bool]) -> Iterator[DemoServer]:
    with DemoServer(dialect=case[1]) as server:
        if case[2]:
            server.account.calendars.render = render
        elif case[1] == "cyrus312":  # with `jmap_nonstandard_extensions: no`
            server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        yield server


@pytest.fixture
def store(server: DemoServer, case: tuple[str, str, bool]) -> Store:
    """The server's cards, or its events and tasks."""
    return server.account.contacts if case[0] == "contacts" else server.account.calendars


@pytest.fixture
def room(server: DemoServer, case: tuple[str, str, bool]) -> Iterator[ObjectSideDriver]:
    with ObjectSideDriver(server.url, case[0]) as room:
        yield room
