"""Tell clients of changes as they happen: the event stream of RFC 8620, section 7.3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jmapsync.demo.service import Service

_TYPES = ("Mailbox", "Email")


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

    def drop(self, waker: asyncio.Event) -> None:
        """Forget a stream's event."""
        self._wakers.discard(waker)

    def _wake(self) -> None:
        for waker in self._wakers:
            waker.set()


async def stream_events(
    service: Service, broadcast: Broadcast, *, types: frozenset[str], close_after: bool, ping: float, last_id: str
) -> AsyncIterator[bytes]:
    """Yield the events of one stream: states that differ from those known, and a ping every `ping` seconds (0: none).

    A client that names the id of its last event is told at once of what changed since; another hears only of changes
    after it came. `types` empty means all of them.
    """
    chosen = [name for name in _TYPES if not types or name in types]
    known = {} if last_id and last_id != _event_id(service) else _states(service, chosen)
    waker = broadcast.open()
    try:
        yield b": connected\r\n\r\n"
        while not broadcast.closing:
            present = _states(service, chosen)
            changed = {
                account_id: {name: state for name, state in states.items() if known.get(account_id, {}).get(name) != state}
                for account_id, states in present.items()
            }
            changed = {account_id: states for account_id, states in changed.items() if states}
            known = present
            if changed and not service.faults.silent_events.shows(("events",)):
                data = msgspec.json.encode({"@type": "StateChange", "changed": changed})
                yield b"event: state\r\nid: %b\r\ndata: %b\r\n\r\n" % (_event_id(service).encode(), data)
                if close_after:
                    return
            try:
                await asyncio.wait_for(waker.wait(), ping or None)
            except TimeoutError:
                if not service.faults.silent_events.shows(("events",)):
                    yield b'event: ping\r\ndata: {"interval":%d}\r\n\r\n' % ping
            waker.clear()
    finally:
        broadcast.drop(waker)


def _states(service: Service, types: list[str]) -> dict[str, dict[str, str]]:
    return {
        account.id: {name: account.state(name) for name in types}
        for account in service.accounts.values()
        if not service.is_vanished(account.id)
    }


def _event_id(service: Service) -> str:
    return "-".join(state for states in _states(service, list(_TYPES)).values() for state in states.values())
