"""Run the embedded JMAP server on a loopback port, in a thread of the calling process."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from jmapsync.demo.account import Account
from jmapsync.demo.dialect import DIALECTS, Dialect, Limits
from jmapsync.demo.endpoints import Credentials, Endpoints
from jmapsync.demo.freedoms import NONE, Freedoms
from jmapsync.demo.service import OTHER_HOSTS, Service
from jmapsync.demo.shaping import Shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.types import ASGIApp, Receive, Scope, Send

    from jmapsync.demo.faults import Faults
    from jmapsync.demo.journal import Journal

_TURNS = 4
"""Turns of the event loop that a connection takes from its acceptance to its handler, and an aborted one to its end."""
_START_SECONDS = 10


class DemoServer:
    """A JMAP server of one user that speaks real HTTP; use it as a context manager, or `start` and `stop` it.

    `account` is a direct handle on the primary account, for assertions and for acting as another client.
    """

    def __init__(
        self,
        *,
        dialect: str | Dialect = "rfc",
        user: str = "demo",
        password: str = "demo",  # noqa: S107 - a toy secret, on loopback only
        token: str = "demo-token",  # noqa: S107 - a toy secret, on loopback only
        account_id: str = "a1",
        history: int = 1_000_000,
        limits: Limits | None = None,
        port: int = 0,
        freedoms: Freedoms | None = None,
    ) -> None:
        """Prepare a server of a dialect (`rfc`, `stalwart`, `cyrus36`, `cyrus312`, `james`); port 0 takes a free one.

        `history` bounds the change logs; `limits` replaces those of the dialect; `freedoms` are what it chooses besides,
        those of the dialect by default.
        """
        self.service = Service(DIALECTS[dialect] if isinstance(dialect, str) else dialect, user)
        if limits is not None:
            self.service.limits = limits
        self.freedoms = self.service.dialect.ways if freedoms is None else freedoms
        if self.freedoms != NONE:
            self.service.shape = Shape(self.freedoms)
        self.credentials = Credentials(user, password, token)
        self.endpoints = Endpoints(self.service, self.credentials)
        self.account = self.add_account(account_id, name=user, history=history)
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._others: list[socket.socket] = []
        """The same port of the further hosts that the session names."""
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def faults(self) -> Faults:
        """The switches of misbehaviour."""
        return self.service.faults

    @property
    def requests(self) -> Journal:
        """What clients asked for so far."""
        return self.service.journal

    @property
    def limits(self) -> Limits:
        """The limits advertised and enforced; may be changed while the server runs."""
        return self.service.limits

    @property
    def port(self) -> int:
        """The port in use; raises RuntimeError before `start`."""
        if self._socket is None:
            raise RuntimeError("the server is not running")
        return int(self._socket.getsockname()[1])

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the session."""
        return self.origin + self.service.dialect.session_path

    @property
    def well_known(self) -> str:
        """The URL that redirects to the session."""
        return self.origin + "/.well-known/jmap"

    def add_account(
        self, account_id: str, *, name: str = "", personal: bool = True, read_only: bool = False, history: int = 1_000_000
    ) -> Account:
        """Add an account that the user sees; the first one added is the primary one."""
        account = Account(account_id, self.service.dialect, name=name, history=history, freedoms=self.freedoms)
        account.is_personal, account.is_read_only = personal, read_only
        account.listeners.append(self.endpoints.broadcast.notify)
        self.share(account)
        return account

    def share(self, account: Account) -> None:
        """Have the user see an account, as one that is shared with them again."""
        self.service.accounts[account.id] = account

    def withdraw(self, account_id: str) -> None:
        """Have the user no longer see an account."""
        del self.service.accounts[account_id]

    def start(self) -> Self:
        """Listen, and return once requests are answered; raise RuntimeError if that takes over ten seconds."""
        self._socket = socket.create_server(("127.0.0.1", self._wanted_port))
        # With Nagle's algorithm on, a small answer in two parts waits 40 ms for the client's delayed ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.endpoints.broadcast.closing = False
        self._server = _Server(self.endpoints)
        if self.freedoms.hosts == "apart":
            self._others = [socket.create_server((f"127.0.0.{place + 2}", self.port)) for place in range(len(OTHER_HOSTS))]
        sockets = [self._socket, *self._others]
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="jmap-demo", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS):
            raise RuntimeError("the embedded server did not start")
        return self

    def stop(self) -> None:
        """Close every connection and the port; does nothing when not running."""
        if self._server is not None and self._thread is not None and self._socket is not None:
            self._server.request_stop()
            self._thread.join()
            for listening in (self._socket, *self._others):
                listening.close()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the server."""
        self.stop()


async def stop_listening(server: asyncio.Server) -> None:
    """Close the ports of a server, and leave none of its connections half made.

    Up to Python 3.11, a connection accepted in the turn before `close` meets an assertion and is never closed.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    await asyncio.sleep(0)
    server.close()


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the application close the connection under a request, as a dying server does."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})["jmapsync.abort"] = {"abort": _aborter(transport)}
            await inner(scope, receive, send)

        self.app = app


def _aborter(transport: asyncio.Transport) -> Callable[[], None]:
    return transport.abort


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready, and stops at once instead of within its tick of 100 ms."""

    def __init__(self, endpoints: Endpoints) -> None:
        app: ASGIApp = endpoints.application()
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="websockets-sansio" if endpoints.service.dialect.websocket else "none",
                ws_ping_interval=None,
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
        )
        self.ready = threading.Event()
        self._endpoints = endpoints
        self._stop: asyncio.Event | None = None
        self._running_loop: asyncio.AbstractEventLoop | None = None

    def request_stop(self) -> None:
        """Stop serving; called from another thread."""
        if self._running_loop is not None and self._stop is not None:
            self._running_loop.call_soon_threadsafe(self._stop.set)

    async def main_loop(self) -> None:
        """Serve until asked to stop."""
        self._running_loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._endpoints.broadcast.attach(self._running_loop)
        self.ready.set()
        await self._stop.wait()
        self._endpoints.broadcast.close()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port and every connection, without waiting for clients to agree."""
        self._abort_connections()  # first, lest one has a turn to say goodbye
        for server in self.servers:
            await stop_listening(server)
        for _ in range(_TURNS):
            self._abort_connections()
            await asyncio.sleep(0)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        del sockets

    def _abort_connections(self) -> None:
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in this thread, which is not the main one and so takes no signals."""
        asyncio.run(self._serve(sockets))
