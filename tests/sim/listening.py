"""Listen to a world's server as the daemon does while others act there, and run as the daemon does when push reports it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from jmapsync.daemon.push_listener import Listener
from jmapsync.jmap.push import EventSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.jmap.client import Client
    from tests.sim.world import World

PATIENCE = 4 * 3600.0
"""Seconds of the world's clock after which the daemon asks the server anyway."""

SHORT = 100.0
"""The same where an event may be lost, which then never comes."""


class WorldListener:
    """The daemon of a world, as far as push is concerned."""

    def __init__(self, world: World) -> None:
        """Name the world."""
        self.world = world
        self.reported: list[str] = []
        """Why a run was asked for, the oldest first."""

    def hear(self, act: Callable[[], bool]) -> str:
        """Listen while `act` does something on the server and returns whether that changed anything; return the mode of push.

        Raises AssertionError where nothing reports the change although no event is lost.
        """
        mode = ""
        crashes: list[Exception] = []

        async def listen(client: Client) -> None:
            nonlocal mode
            heard = asyncio.Event()

            def note(reason: str) -> None:
                self.reported.append(reason)
                heard.set()

            self.world.server.endpoints.broadcast.attach(asyncio.get_running_loop())
            account = self.world.account
            listener = Listener(client, account.id, note, crashed=crashes.append)
            listener._ways = [EventSource(client.exchange)]  # a WebSocket has no way into this process
            task = asyncio.create_task(listener.run())
            try:
                async with asyncio.timeout(PATIENCE):
                    while not listener.state.connected and not _is_polling(listener):  # noqa: ASYNC110 # the clock jumps
                        await asyncio.sleep(1)
                mode = listener.state.mode
                heard.clear()
                if act() and mode != "poll":
                    with suppress(TimeoutError):
                        async with asyncio.timeout(SHORT if self.world.server.freedoms.push_loses else PATIENCE):
                            await heard.wait()
                    assert heard.is_set() or self.world.server.freedoms.push_loses, "push reported nothing of a change"
            finally:
                task.cancel()
                await asyncio.wait([task])

        self.world.with_client(listen)
        assert not crashes, crashes
        return mode


def _is_polling(listener: Listener) -> bool:
    """Return whether the listener found that there is no push."""
    return listener.state.mode == "poll" and "yet to be opened" not in listener.state.why
