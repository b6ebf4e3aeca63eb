"""Tell clients of changes as they happen: the event stream of RFC 8620, section 7.3."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from jmapsync.demo.service import Service

States = dict[str, dict[str, str]]
"""Account id to data type to state."""


class Broadcast:
    """Wakes every event stream after a change, whichever thread made it."""

    def __init__(self) -> None:
        """Start with no streams."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakers: set[asyncio.Event] = set()
        self.closing = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop the streams run in."""
        self._loop = loop

    def notify(self) -> None:
        """Wake the streams; called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End every stream; called in the loop."""
        self.closing = True
        self._wake()

    def open(self) -> asyncio.Event:
        """Return an event that is set after each change, until `drop`."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        return waker

    @property
    def listeners(self) -> int:
        """How many streams are open at present."""
        return len(self._wakers)

    def drop(self, waker: asyncio.Event) -> None:
        """Forget a stream's event."""
        self._wakers.discard(waker)

    def _wake(self) -> None:
        for waker in self._wakers:
            waker.set()


async def stream_events(
    service: Service, broadcast: Broadcast, *, types: frozenset[str], known: States, close_after: bool, ping: float
) -> AsyncIterator[bytes]:
    """Yield the events of one stream: states that differ from the known ones, and a ping every `ping` seconds (0: none).

    `types` empty means all of them.
    """
    faults = service.faults
    ping = faults.clamped_pings.take(("events",)) or ping
    held = faults.held_events.take(("events",)) is not None
    if not held:
        yield b": connected\r\n\r\n"
    async with aclosing(watch_states(service, broadcast, types=types, known=known, every=ping)) as news:
        async for changed in news:
            if held or faults.silent_events.shows(("events",)):
                continue
            if changed is None:
                if not faults.no_pings.shows(("events",)):
                    interval = ping * (1000 if faults.pings_in_milliseconds.shows(("events",)) else 1)
                    yield b'event: ping\r\ndata: {"interval":%g}\r\n\r\n' % interval
                continue
            data = msgspec.json.encode({"@type": "StateChange", "changed": changed})
            yield b"event: state\r\nid: %b\r\ndata: %b\r\n\r\n" % (state_id(service).encode(), data)
            if close_after:
                return


def known_states(service: Service, *, types: frozenset[str], last_id: str) -> States:
    """Return what a client knows that comes now, before it may believe that it is connected.

    One that names the id of its last event knows nothing if that is not the latest one; another hears only of changes after
    it came. `types` empty means all of them.
    """
    return {} if last_id and last_id != state_id(service) else _states(service, _chosen(service, types))


async def watch_states(
    service: Service, broadcast: Broadcast, *, types: frozenset[str], known: States, every: float
) -> AsyncGenerator[States | None, None]:
    """Yield the states that are not the known ones as they change, and None when none did for `every` seconds (0: never).

    It ends when the server stops, or when the fault of ending streams says so.
    """
    chosen = _chosen(service, types)
    lasts = service.faults.ending_events.take(("events", "websocket"))
    end = math.inf if lasts is None else time.monotonic() + lasts
    waker = broadcast.open()
    try:
        while not broadcast.closing and (left := end - time.monotonic()) > 0:
            present = _states(service, chosen)
            changed = {
                account_id: {name: state for name, state in states.items() if known.get(account_id, {}).get(name) != state}
                for account_id, states in present.items()
            }
            changed = {account_id: states for account_id, states in changed.items() if states}
            known = present
            if changed:
                yield changed
            wait = min(every or math.inf, left)
            try:
                await asyncio.wait_for(waker.wait(), None if wait == math.inf else wait)
            except TimeoutError:
                if wait < left:
                    yield None
            waker.clear()
    finally:
        broadcast.drop(waker)


def _chosen(service: Service, types: frozenset[str]) -> list[str]:
    return [name for name in service.types if not types or name in types]


def _states(service: Service, types: list[str]) -> States:
    return {
        account.id: {name: account.state(name) for name in types}
        for account in service.accounts.values()
        if not service.is_vanished(account.id)
    }


def state_id(service: Service) -> str:
    """Return what stands for the states of all accounts together."""
    return "-".join(state for states in _states(service, service.types).values() for state in states.values())
