"""Receive StateChange events over a WebSocket (RFC 8887); after a reconnect the server sends missed changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
)
from websockets.protocol import State
from websockets.typing import Subprotocol

from jmapsync.errors import ForbiddenError, ServerError, SignInError
from jmapsync.jmap.bounds import CONNECT_SECONDS
from jmapsync.jmap.certificates import Certificates, tls_failure
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.media_types import JSON
from jmapsync.jmap.push import (
    MOST_ARRIVING,
    MOST_REPEATED,
    PING_SECONDS,
    PURPOSE,
    Flood,
    Mode,
    NoPushError,
    SilentError,
    StateChange,
    decode,
)
from jmapsync.jmap.replies import BrokenOffError, Reply, UnreachedError
from jmapsync.jmap.retry_policy import check_status
from jmapsync.jmap.session import resolve
from jmapsync.jmap.transport import joined_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

    from jmapsync.jmap.exchange import Exchange
    from jmapsync.jmap.session import Session

CAPABILITY = "urn:ietf:params:jmap:websocket"
_ECHO = {
    "@type": "Request",
    "id": "enabled",
    "using": ["urn:ietf:params:jmap:core"],
    "methodCalls": [["Core/echo", {}, "0"]],
}
_MOST_EARLY = 100
"""Messages allowed before the response to a request; each is a hint, and a run follows anyway."""
_MOST_OF_HANDSHAKE = 1 << 18
"""Octets of the response to a handshake: its head, and the body of a refusal."""
_JMAP = Subprotocol("jmap")
_FAILED = 400
_SAID = 200
"""Characters of a server's text that are repeated."""
_FAREWELL = 0.1
"""Timeout of the closing handshake in seconds, as the connection may be dead."""
_KEEPALIVE_FAILED = 1011
_LATE = 1.5
"""Ping intervals after which an unanswered ping means that the connection is dead."""

# It writes every header of the handshake into its debug log, the secret included.
logging.getLogger("websockets").setLevel(logging.INFO)


class WebSocket:
    """Push over a WebSocket."""

    mode: Mode = "websocket"

    def __init__(self, exchange: Exchange, *, ping: float = PING_SECONDS) -> None:
        """Prepare to send a ping every `ping` seconds."""
        self._exchange = exchange
        self._ping = ping
        self._push_state = ""
        self._certificates: Certificates | None = None

    def offered(self, session: Session) -> bool:
        """Return whether the session offers push over a WebSocket, not only requests."""
        offer = session.capabilities.get(CAPABILITY)
        return isinstance(offer, dict) and offer.get("supportsPush") is True and isinstance(offer.get("url"), str)

    @contextlib.asynccontextmanager
    async def connect(self, session: Session) -> AsyncIterator[AsyncGenerator[StateChange, None]]:
        """Open one WebSocket and ask for push; see `Push.connect`."""
        url = resolve(session.url, session.capabilities[CAPABILITY]["url"])
        if not url:
            raise NoPushError(f"{urlsplit(session.url).netloc} names no address of a WebSocket that can be used.")
        url = url.replace("ws", "http", 1) if url.startswith("ws") else url
        async with contextlib.AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._open(url))
            early = await self._enable(connection, url)
            yield await stack.enter_async_context(contextlib.aclosing(self._changes(connection, url, early)))

    async def _enable(self, connection: ClientConnection, url: str) -> list[StateChange]:
        """Enable push; return the changes that arrive until the server has processed that.

        A WebSocketPushEnable has no response, and a change made before the server processes it would be missed. So a request
        follows it: with the response to that, of whatever kind, the server has processed the other.
        """
        enable = {"@type": "WebSocketPushEnable", "dataTypes": None}
        if self._push_state:
            enable["pushState"] = self._push_state
        early: list[StateChange] = []
        flood = Flood(urlsplit(url).netloc, _MOST_EARLY)
        with contextlib.suppress(ConnectionClosedOK), _translated(url, connection):  # `_changes` gets it again
            async with asyncio.timeout(self._ping * (1 + _LATE)):
                await connection.send(msgspec.json.encode(enable).decode())
                await connection.send(msgspec.json.encode(_ECHO).decode())
                while (message := _read(await connection.recv(), url)).get("requestId") != _ECHO["id"]:
                    flood.note()
                    early += self._state_changes(message)
        return early

    @contextlib.asynccontextmanager
    async def _open(self, url: str) -> AsyncIterator[ClientConnection]:
        headers, begun = await self._exchange.admit(url, purpose=PURPOSE), time.monotonic()
        try:
            connection = await self._shake_hands(url, headers)
        except ForbiddenError:
            raise
        except SignInError:
            if not await self._exchange.renew(headers["Authorization"], begun):
                raise
            connection = await self._shake_hands(url, await self._exchange.admit(url, purpose=PURPOSE))
        try:
            if connection.subprotocol != _JMAP:
                raise NoPushError(f"{urlsplit(url).netloc} has a WebSocket, but not for JMAP.")
            yield connection
        finally:
            try:
                await connection.close()
            finally:
                connection.transport.abort()

    async def _shake_hands(self, url: str, headers: Mapping[str, str]) -> ClientConnection:
        parts = urlsplit(url)
        proxy = self._exchange.transport.proxies.for_url(url)
        with _translated(url):
            return await _Connect(
                url.replace("http", "ws", 1),
                subprotocols=[_JMAP],
                compression=None,
                create_connection=_Connection,
                additional_headers={**headers, "Accept": JSON},
                user_agent_header=None,
                proxy=proxy.url if proxy is not None else None,
                open_timeout=self._ping * (1 + _LATE),
                ping_interval=self._ping,
                ping_timeout=self._ping * _LATE,
                close_timeout=_FAREWELL,
                ssl=self._tls() if parts.scheme == "https" else None,
            )

    def _tls(self) -> ssl.SSLContext:
        # Not that of the requests: a WebSocket must not end up in HTTP/2.
        self._certificates = self._certificates or Certificates()
        self._certificates.load()
        return self._certificates.context

    async def _changes(self, connection: ClientConnection, url: str, early: list[StateChange]) -> AsyncGenerator[StateChange, None]:
        for change in early:
            yield change
        flood = Flood(urlsplit(url).netloc)
        while True:
            flood.note()
            try:
                with _translated(url, connection):
                    message = _read(await connection.recv(), url)
            except ConnectionClosedOK:
                return
            for change in self._state_changes(message):
                yield change

    def _state_changes(self, message: dict[str, Any]) -> list[StateChange]:
        """Return the StateChange of a message, if it is one."""
        change = StateChange.read(message)
        if change is None:
            return []
        if isinstance(state := message.get("pushState"), str):
            self._push_state = state if len(state) <= MOST_REPEATED else ""
        return [change]


def _read(text: str | bytes, url: str) -> dict[str, Any]:
    """Decode a message; raise `NoPushError` where it refuses push. An invalid message is treated as an empty one."""
    message = decode(text)
    if not isinstance(message, dict):
        return {}
    if message.get("@type") == "RequestError" and message.get("requestId") != _ECHO["id"]:
        raise NoPushError(f"{urlsplit(url).netloc} refuses push over its WebSocket.")
    return message


class _Connection(ClientConnection):
    """A connection with limits on received data.

    Otherwise websockets reads the response to its handshake until the timeout, queues a pong for every ping of a server that reads
    none, and goes on reading after a failure.
    """

    excess: ServerError | None = None
    """Set when a limit was exceeded and the connection closed."""
    _begun = 0
    _arrivals: Flood | None = None

    def data_received(self, data: bytes) -> None:
        """Count octets during the handshake and after it."""
        if self.protocol.state is State.CONNECTING:
            self._begun += len(data)
            if self._begun > _MOST_OF_HANDSHAKE:
                self.transport.abort()
                return
        else:
            self._arrivals = self._arrivals or Flood(self.protocol.uri.host, MOST_ARRIVING, "octets")
            try:
                self._arrivals.note(len(data))
            except ServerError as error:
                self.excess = error
                self.transport.abort()
                return
        super().data_received(data)


class _Connect(connect):
    """A connection that follows no redirect: the target is not approved to get the credential."""

    async def open_tcp_connection(self) -> ClientConnection:
        """Connect with a timeout; raise `UnreachedError` where that fails."""
        host = urlsplit(self.uri).netloc
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await super().open_tcp_connection()
        except OSError as error:  # time-outs are such, and failures of TLS
            failed = tls_failure(error, host)
            if failed is not None:
                raise failed from error
            raise UnreachedError(f"{host} could not be reached ({error.strerror or str(error) or 'no answer'}).") from error

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@contextlib.contextmanager
def _translated(url: str, connection: ClientConnection | None = None) -> Iterator[None]:
    """Turn the library's exceptions into ours."""
    host = urlsplit(url).netloc
    try:
        yield
    except InvalidStatus as error:
        answer = error.response
        with contextlib.suppress(RequestError):
            if answer.status_code >= _FAILED:
                headers = joined_headers(answer.headers.raw_items())
                check_status(Reply(answer.status_code, answer.reason_phrase, headers, bytes(answer.body or b""), url))
        raise NoPushError(f"{host} offers no WebSocket (status {answer.status_code}).") from error
    except (InvalidHandshake, InvalidURI, InvalidProxy, ImportError) as error:
        raise NoPushError(f"{host} offers no WebSocket ({str(error)[:_SAID]}).") from error
    except TimeoutError as error:
        raise SilentError(f"{host} did not complete the WebSocket handshake.", proven=False) from error
    except OSError as error:
        raise NoPushError(f"{host} closed the connection during the WebSocket handshake.") from error
    except ConnectionClosedOK:
        raise
    except ConnectionClosed as error:
        if isinstance(connection, _Connection) and connection.excess is not None:
            raise connection.excess from error
        if error.sent is not None and error.sent.code == _KEEPALIVE_FAILED and not error.rcvd_then_sent:
            proven = connection is not None and connection.latency > 0
            raise SilentError(f"{host} did not answer a ping over its WebSocket.", proven=proven) from error
        raise BrokenOffError(f"{host} closed its WebSocket ({error}).") from error
