"""Notify clients of changes as they happen: the event stream of RFC 8620, section 7.3."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from jmapsync.demo.freedoms import NONE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from jmapsync.demo.account import Account
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
            async for event in _state_events(service, changed):
                yield event
            if close_after:
                return


async def _state_events(service: Service, changed: States) -> AsyncIterator[bytes]:
    """Yield the event of a change in the server's form: once, twice, late, or not at all."""
    shape = service.shape
    freedoms = NONE if shape is None else shape.freedoms
    if shape is not None and shape.loses_event():
        return
    if freedoms.push_types != "changed":
        present = _states(service, service.types)
        more = {"Thread": "t1", "example.com:Thing": "0"} if freedoms.push_types == "more" else {}
        changed = {account_id: {**present.get(account_id, {}), **more, **states} for account_id, states in changed.items()}
    line = f"id: {state_id(service)}\r\n" if freedoms.push_ids else ""
    if freedoms.push_late:
        await asyncio.sleep(freedoms.push_late)
    data = msgspec.json.encode({"@type": "StateChange", "changed": changed})
    for _ in range(1 + freedoms.push_repeats):
        yield b"event: state\r\n%bdata: %b\r\n\r\n" % (line.encode(), data)


def known_states(service: Service, *, types: frozenset[str], last_id: str) -> States:
    """Return what a client knows that comes now, before it may believe that it is connected.

    One that names the id of its last event knows nothing if that is not the latest one; another hears only of changes after
    it came. `types` empty means all of them.
    """
    freedoms = NONE if service.shape is None else service.shape.freedoms
    if freedoms.push_begins == "states":
        return {}
    missed = last_id and freedoms.push_resumes and last_id != state_id(service)
    return {} if missed else _states(service, _chosen(service, types))


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
                # Up to Python 3.11 `wait_for` loses a cancellation that comes with the end of the wait.
                async with asyncio.timeout(None if wait == math.inf else wait):
                    await waker.wait()
            except TimeoutError:
                if wait < left:
                    yield None
            else:
                if service.shape is not None and service.shape.freedoms.push_gathers:
                    await asyncio.sleep(service.shape.freedoms.push_gathers)
            waker.clear()
    finally:
        broadcast.drop(waker)


def _chosen(service: Service, types: frozenset[str]) -> list[str]:
    return [name for name in service.types if not types or name in types]


def _states(service: Service, types: list[str]) -> States:
    return {
        account.id: {name: _pushed(account, name) for name in types}
        for account in service.accounts.values()
        if not service.is_vanished(account.id)
    }


def _pushed(account: Account, name: str) -> str:
    if name == "Mailbox" and not account.dialect.pushes_counts:
        return str(account.mailboxes_modseq)
    return account.state(name)


def state_id(service: Service) -> str:
    """Return what stands for the states of all accounts together."""
    return "-".join(state for states in _states(service, service.types).values() for state in states.values())
