"""Receive StateChange events from an event stream (RFC 8620, section 7.3); define what all push transports share.

A StateChange is a hint. Events are lost, merged and repeated, and none is sent while no connection is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

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
"""Requested interval of pings; no server may refuse 30 to 300 (RFC 8620, section 7.3)."""
PURPOSE = "the wait for changes"
_PATIENCE = 2.5
"""Ping intervals without any data after which a connection counts as dead."""
_MOST_OCTETS = 1 << 20
"""Octets of one event, which is kept in memory; real ones are far shorter."""
_MOST_MESSAGES = 10_000
MOST_ARRIVING = 2 << 20
_FLOOD_SECONDS = 10.0
"""A connection with more messages, or octets, in so many seconds is closed."""
MOST_REPEATED = 1000
"""Characters of an event's id, or of a push state, that are repeated to the server on the next connection.

A server refuses a request whose head is long, so one long id would end push for good.
"""


class NoPushError(UnsupportedError):
    """The server offers no push by this transport, or a proxy buffers it; an early retry is useless."""


class SilentError(NetworkError):
    """Nothing arrived for longer than the requested ping interval; `proven` if data had arrived before."""

    def __init__(self, message: str, *, proven: bool) -> None:
        super().__init__(message)
        self.proven = proven


class StateChange(Struct, frozen=True):
    """A StateChange (RFC 8620, section 7.1): account id to data type to its new state."""

    changed: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, value: object) -> StateChange | None:
        """Parse a decoded StateChange object; return None for any other, and leave malformed parts out."""
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
    """Rate limit of one connection."""

    def __init__(self, host: str, most: int = _MOST_MESSAGES, what: str = "messages") -> None:
        self._host = host
        self._most = most
        self._what = what
        self._count = 0
        self._since = time.monotonic()

    def note(self, count: int = 1) -> None:
        """Count messages or octets; raise `ServerError` above the limit."""
        self._count += count
        if self._count <= self._most:
            return
        now = time.monotonic()
        if now - self._since < _FLOOD_SECONDS:
            raise ServerError(f"{self._host} sends more than {self._most:,} {self._what} in {_FLOOD_SECONDS:g} seconds.")
        self._count, self._since = 0, now


class Push(Protocol):
    """A push transport; it remembers the last event across connections."""

    @property
    def mode(self) -> Mode:
        """Return the transport's name."""
        ...

    def offered(self, session: Session) -> bool:
        """Return whether the session offers this transport."""
        ...

    def connect(self, session: Session) -> AbstractAsyncContextManager[AsyncGenerator[StateChange, None]]:
        """Open one connection and return its changes, which end when the server closes it properly.

        Opening and waiting raise `NoPushError`, `SilentError`, `RetryableError`, `SignInError`, `HostRefusedError`, `NetworkError`
        or `ServerError`.
        """
        ...


class EventSource:
    """Push by an event stream."""

    mode: Mode = "eventsource"

    def __init__(self, exchange: Exchange, *, ping: float = PING_SECONDS) -> None:
        """Prepare to request a ping every `ping` seconds.

        The timeout is based on the requested interval, never on the one in a ping: Stalwart's is in milliseconds.
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
                # A buffering proxy delays even the head.
                async with asyncio.timeout(self._ping * _PATIENCE):
                    opened = self._exchange.listen(url, purpose=PURPOSE, headers=headers)
                    head, pieces = await stack.enter_async_context(opened)
            except TimeoutError as error:
                raise SilentError(f"{_host(url)} did not start its event stream.", proven=False) from error
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
    """The octets of one event stream; raises `SilentError` when none arrive in time."""

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
                # Data sent with the head proves nothing; only later data shows that no proxy buffers the stream.
                proven = last - opened > self._ping / 2
                raise SilentError(f"{self._host} sent nothing for {self._ping * _PATIENCE:g} seconds.", proven=proven) from error
            if piece is None:
                return
            last = time.monotonic()
            self._flood.note(len(piece))
            self.undecoded += len(piece)
            if self.undecoded > _MOST_OCTETS:
                raise ServerError(f"{self._host} sent an event that is too long.")
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
    """Return decoded JSON; None for invalid JSON, as a malformed hint is ignored."""
    try:
        decoded: object = decode_json(data.encode() if isinstance(data, str) else data)
    except (DecodeError, UnicodeEncodeError):
        return None
    return decoded


def _host(url: str) -> str:
    return urlsplit(url).netloc
