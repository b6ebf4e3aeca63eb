"""Be told of changes as they happen: the event stream of RFC 8620, section 7.3, and what every way of push has in common.

A StateChange is a hint. Events are lost, merged and repeated, and none is told of while no connection is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

from jmapsync.errors import NetworkError, ServerError, UnsupportedError
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.media_types import EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from jmapsync.jmap.exchange import Exchange
    from jmapsync.jmap.session import Session

Mode = Literal["eventsource", "websocket"]

PING_SECONDS = 30.0
"""How often the server is asked for a sign of life; no server may refuse 30 to 300 (RFC 8620, section 7.3)."""
PURPOSE = "the wait for changes"
_PATIENCE = 2.5
"""So many pings may be late in a row before a connection counts as dead."""
_MOST_OCTETS = 1 << 20
"""No event is nearly as long; more without one would be kept in memory."""
_MOST_MESSAGES = 10_000
MOST_ARRIVING = 2 << 20
_FLOOD_SECONDS = 10.0
"""So many messages, or octets, in so many seconds are of no use to anybody."""
MOST_REPEATED = 1000
"""Characters of an event's id, or of a push state, that are repeated to the server on the next connection.

A server refuses a request whose head is long, so one long id would end push for good.
"""


class NoPushError(UnsupportedError):
    """The server offers no push by this way, or what is between keeps it back; soon trying again is of no use."""


class SilentError(NetworkError):
    """Nothing came for longer than the server was asked to be silent; `proven` if signs of life had come before."""

    def __init__(self, message: str, *, proven: bool) -> None:
        super().__init__(message)
        self.proven = proven


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a server told of (RFC 8620, section 7.1): account id to data type to its new state."""

    changed: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, value: object) -> StateChange | None:
        """Read a decoded StateChange object; None for any other, and what makes no sense in it is left out."""
        if not isinstance(value, dict) or not isinstance(changed := value.get("changed"), dict):
            return None
        if value.get("@type", "StateChange") != "StateChange":
            return None
        return cls(
            {
                account: {name: state for name, state in states.items() if isinstance(state, str)}
                for account, states in changed.items()
                if isinstance(states, dict)
            }
        )


class Flood:
    """The count of what came over one connection in a short time."""

    def __init__(self, host: str, most: int = _MOST_MESSAGES, what: str = "messages") -> None:
        self._host = host
        self._most = most
        self._what = what
        self._count = 0
        self._since = time.monotonic()

    def note(self, count: int = 1) -> None:
        """Count what came; raise `ServerError` if it is too much."""
        self._count += count
        if self._count <= self._most:
            return
        now = time.monotonic()
        if now - self._since < _FLOOD_SECONDS:
            raise ServerError(f"{self._host} sends more than {self._most:,} {self._what} in {_FLOOD_SECONDS:g} seconds.")
        self._count, self._since = 0, now


class Push(Protocol):
    """One way of being told; it remembers from connection to connection what the server told last."""

    @property
    def mode(self) -> Mode:
        """Name the way."""
        ...

    def offered(self, session: Session) -> bool:
        """Return whether the session names this way."""
        ...

    def connect(self, session: Session) -> AbstractAsyncContextManager[AsyncGenerator[StateChange, None]]:
        """Open one connection and hand over its changes, which end when the server closes it in good order.

        Opening and waiting raise `NoPushError`, `SilentError`, `Setback`, `SignInError`, `HostRefusedError`, `NetworkError`
        or `ServerError`.
        """
        ...


class EventSource:
    """Push by an event stream."""

    mode: Mode = "eventsource"

    def __init__(self, exchange: Exchange, *, ping: float = PING_SECONDS) -> None:
        """Prepare to ask for a ping every `ping` seconds.

        Silence is judged by what was asked for, never by the interval that a ping names: Stalwart's is in milliseconds.
        """
        self._exchange = exchange
        self._ping = ping
        self._last_id = ""

    def offered(self, session: Session) -> bool:
        """Return whether the session has an eventSourceUrl."""
        return session.event_source_url is not None

    @contextlib.asynccontextmanager
    async def connect(self, session: Session) -> AsyncIterator[AsyncGenerator[StateChange, None]]:
        """Open one event stream; see `Push.connect`."""
        url = expand(session.event_source_url or "", self._ping)
        headers = {"Accept": EVENTS, "Accept-Encoding": "identity", "Cache-Control": "no-store"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        async with contextlib.AsyncExitStack() as stack:
            try:
                # A proxy that buffers keeps even the head back.
                async with asyncio.timeout(self._ping * _PATIENCE):
                    opened = self._exchange.listen(url, purpose=PURPOSE, headers=headers)
                    head, pieces = await stack.enter_async_context(opened)
            except TimeoutError as error:
                raise SilentError(f"{_host(url)} did not begin its event stream.", proven=False) from error
            except RequestError as error:
                raise NoPushError(f"{_host(url)} offers no event stream: {error.message}") from error
            if head.status == 204:  # noqa: PLR2004
                raise NoPushError(f"{_host(url)} names an event stream but offers none (status 204).")
            kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise NoPushError(f"{_host(url)} answers with {kind or 'nothing'} where its event stream should be.")
            changes = self._changes(_Arrivals(pieces, self._ping, _host(url)), Flood(_host(url)))
            yield await stack.enter_async_context(contextlib.aclosing(changes))

    async def _changes(self, arrivals: _Arrivals, flood: Flood) -> AsyncGenerator[StateChange, None]:
        # Both are of use to the daemon only, and httpx has to be imported as `transport` does.
        import httpx  # noqa: PLC0415
        import httpx_sse  # noqa: PLC0415

        body = httpx.Response(200, headers={"Content-Type": "text/event-stream; charset=utf-8"}, content=arrivals)
        async with contextlib.aclosing(httpx_sse.EventSource(body).aiter_sse()) as events:
            async for event in events:
                arrivals.undecoded = 0
                flood.note()
                shown = len(event.id) <= MOST_REPEATED and event.id.isascii() and event.id.isprintable()
                self._last_id = event.id if shown else ""
                change = StateChange.read(decode(event.data)) if event.event == "state" else None
                if change is not None:
                    yield change


class _Arrivals:
    """The octets of one event stream as they come, as long as they come often enough."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], ping: float, host: str) -> None:
        self._pieces = pieces
        self._ping = ping
        self._host = host
        self._flood = Flood(host, MOST_ARRIVING, "octets")
        self.undecoded = 0
        """Octets since the last whole event."""

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        opened = last = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._ping * _PATIENCE):
                    piece = await anext(self._pieces, None)
            except TimeoutError as error:
                # What comes with the head proves nothing; only what comes later shows that nobody holds it back.
                proven = last - opened > self._ping / 2
                raise SilentError(
                    f"{self._host} sent no sign of life for {self._ping * _PATIENCE:g} seconds.", proven=proven
                ) from error
            if piece is None:
                return
            last = time.monotonic()
            self._flood.note(len(piece))
            self.undecoded += len(piece)
            if self.undecoded > _MOST_OCTETS:
                raise ServerError(f"{self._host} sent an event without end.")
            yield piece


def expand(template: str, ping: float) -> str:
    """Return the URL of an event stream of all types that stays open, with a ping every so many seconds.

    What the template has no variable for is added to its query: Fastmail's has none at all. All types, because Cyrus up to
    3.12 calls contacts by another name and Stalwart refuses a name it does not know (400).
    """
    given = parse_qs(urlsplit(template).query, keep_blank_values=True)
    added = []
    for name, value in {"types": "*", "closeafter": "no", "ping": f"{ping:g}"}.items():
        if f"{{{name}}}" in template:
            template = template.replace(f"{{{name}}}", value)
        elif name not in given:
            added.append(f"{name}={value}")
    query = "&".join(added)
    separator = "" if not added or template.endswith(("?", "&")) else "&" if urlsplit(template).query else "?"
    return f"{template}{separator}{query}"


def decode(data: str | bytes) -> object:
    """Return decoded JSON; None for what is none, as a hint that cannot be read is one the less."""
    try:
        decoded: object = decode_json(data.encode() if isinstance(data, str) else data)
    except (DecodeError, UnicodeEncodeError):
        return None
    return decoded


def _host(url: str) -> str:
    return urlsplit(url).netloc
