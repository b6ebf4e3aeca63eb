"""Push of real Cyrus servers: 3.12 polls for changes every second here, 3.6 names an event stream that it does not have."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from jmapsync.daemon.push_listener import Timing
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from tests.kit.recorded_listener import RecordedListener
from tests.live.cyrus import Cyrus
from tests.live.imap import Draft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.live.conftest import Account

pytestmark = pytest.mark.anyio

SYNC = "push is connected"
TIMING = Timing(ping=1, first_pause=0.05, longest_pause=0.2, first_retest=60)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextlib.asynccontextmanager
async def listening(url: str, user: str, password: str) -> AsyncIterator[RecordedListener]:
    async with Client(url, BasicCredential(user, password), max_wait=1) as client:
        ear = RecordedListener(client, user, TIMING)
        try:
            yield ear
        finally:
            await ear.stop()


with_push = pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
without_push = pytest.mark.parametrize("cyrus", ["3.6"], indirect=True)


@with_push
async def test_each_delivery_is_reported(account: Account) -> None:
    async with listening(account.url, account.user, account.password) as ear:
        await ear.until(lambda: ear.listener.state.connected)
        assert (ear.listener.state.mode, ear.hints) == ("eventsource", [SYNC])
        reported = 0
        while reported < 3:
            count = len(ear.hints)
            await asyncio.to_thread(account.imap.append, "INBOX", [Draft(b"Subject: news\r\n\r\nhello\r\n")])
            await ear.until(lambda count=count: len(ear.hints) > count)  # type: ignore[misc]
            if SYNC in ear.hints[count:]:
                continue  # Cyrus ended the stream, as it does when the machine stood still
            assert "Email" in ear.hints[-1]
            assert ear.listener.states["Email"] == account.jmap.one("Email/get", {"ids": []})["state"]
            reported += 1


@with_push
async def test_a_quiet_server_keeps_the_connection_by_its_pings(account: Account) -> None:
    async with listening(account.url, account.user, account.password) as ear:
        for _ in range(20):  # Cyrus ends a stream when the machine stood still for a second
            await ear.until(lambda: ear.listener.state.connected)
            before = ear.listener.state, len(ear.hints)
            await asyncio.sleep(TIMING.ping * 3.2)  # longer than a connection may be silent
            if (ear.listener.state, len(ear.hints)) == before:
                return
    pytest.fail(f"it was kept in none of the tries: {ear.hints}")


async def test_a_server_that_restarts_is_found_again() -> None:
    with Cyrus.start("3.12") as server:
        server.create_user("alice", "sesame")
        async with listening(server.jmap_url, "alice", "sesame") as ear:
            await ear.until(lambda: ear.listener.state.connected)
            server.stop()
            await ear.until(lambda: not ear.listener.state.connected)
            server.restart()
            await ear.until(lambda: ear.listener.state.connected)
            assert ear.hints.count(SYNC) == len(ear.hints) >= 2


@without_push
async def test_an_event_stream_that_is_only_named_means_polling(account: Account) -> None:
    async with listening(account.url, account.user, account.password) as ear:
        await ear.until(lambda: "204" in ear.listener.state.why)
        assert (ear.listener.state.mode, ear.hints) == ("poll", [])


async def test_a_wrong_password_leaves_the_listener_waiting(account: Account) -> None:
    async with listening(account.url, account.user, "wrong") as ear:
        await ear.until(lambda: "did not accept" in ear.listener.state.why)
        assert (ear.listener.state.mode, ear.task.done()) == ("poll", False)
