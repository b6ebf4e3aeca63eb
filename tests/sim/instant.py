"""Run a coroutine where nothing waits, and carry requests to an application without a connection: most of a small world's time."""

from __future__ import annotations

import asyncio
import gc
import selectors
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from starlette.requests import Request
from starlette.routing import Match, Route

from tests.kit.virtual import StuckError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping

    from starlette.applications import Starlette
    from starlette.types import Message

Result = TypeVar("Result")
_MONOTONIC = time.monotonic
_COLLECT_AFTER = 200_000
"""Allocations after which garbage is collected while worlds are played; Python's own 700 cost a tenth of the time."""


class _Selector(selectors.BaseSelector):
    """Has no file descriptor to ask: all of a world is in one thread. A wait is over at once, and the clock is ahead by it."""

    def __init__(self) -> None:
        self.now = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        raise NotImplementedError

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401
        raise NotImplementedError

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError
        self.now += max(0.0, timeout)
        return []


class InstantLoop(asyncio.SelectorEventLoop):
    """A loop of one thread that has no sockets and whose clock jumps to the next timer."""

    _ssock: socket.socket | None
    _csock: socket.socket | None

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        """Close nothing."""

    def _write_to_self(self) -> None:
        """Wake nobody: no other thread waits."""


def run_at_once(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine as `asyncio.run` does, without a wait. What a process leaves that died is not complained about."""
    loop = InstantLoop()
    loop.set_exception_handler(lambda *_: None)

    def monotonic() -> float:
        return _MONOTONIC() + loop.time()

    with replaced(time, "monotonic", monotonic):  # or a pause that is over would seem to last
        try:
            return loop.run_until_complete(main)
        except BaseException:
            _abandon(loop)
            raise
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


def _abandon(loop: InstantLoop) -> None:
    """Cancel what a process left that died. To search for it at the end of each run would cost a fiftieth of the time."""
    if left := asyncio.all_tasks(loop):
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left))


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:  # noqa: ANN401 # any module and what it has
    """Replace an attribute for the time being: `mock.patch` takes a hundred times as long."""
    usual = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, usual)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect garbage seldom, for the time being."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


class DirectTransport(httpx.AsyncBaseTransport):
    """Hands requests to the handlers of an application itself, without its middleware and ASGI's messages."""

    def __init__(self, app: Starlette) -> None:
        self._routes = [route for route in app.routes if isinstance(route, Route)]
        self._extensions = {"http_version": getattr(app.state, "http_version", "HTTP/1.1").encode()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = request.url
        scope: dict[str, Any] = {
            "type": "http",
            "method": request.method,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "scheme": url.scheme,
            "server": (url.host, url.port),
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "extensions": {},
            "state": {},
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(_: Message) -> None:
            raise NotImplementedError

        for route in self._routes:
            match, more = route.matches(scope)
            if match is Match.FULL:
                response = await more["endpoint"](Request({**scope, **more}, receive, send))
                stream = httpx.ByteStream(response.body) if hasattr(response, "body") else _Pieces(response.body_iterator)
                return httpx.Response(
                    response.status_code, headers=response.raw_headers, stream=stream, extensions=self._extensions
                )
        return httpx.Response(404)


class _Pieces(httpx.AsyncByteStream):
    """A body that comes in the pieces in which the application gives it."""

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces

    async def aclose(self) -> None:
        await self._pieces.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield bytes(piece)
