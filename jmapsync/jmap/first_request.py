"""Merge the first calls of several kinds into one request, so that a run with nothing to do costs a single round trip.

Each caller sends its calls as usual and gets its own part of the response; the ids of the calls are made unique.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.wire import Response, prefixed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jmapsync.errors import JmapsyncError
    from jmapsync.jmap.wire import Call

    Send = Callable[[Sequence[Call], Sequence[str]], Awaitable[Response]]


class Rider(Struct):
    """Calls that are sent with a request of others, which is sent without them where it fails with them.

    So a method that a server fails at, or dies of, holds up nothing else.
    """

    calls: Sequence[Call]
    """Their ids are not those of any other calls of the request."""
    using: Sequence[str]
    waits: bool = True
    """Whether no request had room for them yet."""
    response: Response | None = None
    failure: JmapsyncError | None = None
    """Why the request with them failed, which may have another reason than they."""
    is_used: bool = False
    """Whether the response was read."""


class _Part(Struct):
    calls: Sequence[Call]
    using: Sequence[str]
    response: asyncio.Future[Response]


class Bundle(Struct):
    """A merged request, and the callers that it still waits for."""

    send: Send
    askers: int
    """Callers that have neither called nor left."""
    _parts: list[_Part] = []
    _sending: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether calls can still be added."""
        return self.askers > 0

    async def call(self, calls: Sequence[Call], using: Sequence[str]) -> Response:
        """Add calls and return their part of the response, once every caller has called or left. Raises as `Client.call` does."""
        part = _Part(calls, using, asyncio.get_running_loop().create_future())
        self._parts.append(part)
        self.leave()
        return await part.response

    def leave(self) -> None:
        """Remove one caller; has no effect once the request was sent."""
        if self.askers == 0:
            return
        self.askers -= 1
        if self.askers == 0 and self._parts:
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        parts = self._parts
        every = [call for number, part in enumerate(parts) for call in prefixed(part.calls, f"{number}.")]
        using = list(dict.fromkeys(name for part in parts for name in part.using))
        try:
            response = await self.send(every, using)
        except RequestError as error:
            if len(parts) == 1:
                _fail(parts, error)
            else:
                # Together they may exceed a limit, or one of them may be invalid: send each by itself.
                await asyncio.gather(*(self._send_one(part) for part in parts))
        except BaseException as error:  # noqa: BLE001  # callers get every exception, cancellation included
            _fail(parts, error)
        else:
            for number, part in enumerate(parts):
                if not part.response.done():
                    part.response.set_result(response.part(f"{number}."))

    async def _send_one(self, part: _Part) -> None:
        try:
            response = await self.send(part.calls, part.using)
        except BaseException as error:  # noqa: BLE001  # as above
            _fail([part], error)
        else:
            if not part.response.done():
                part.response.set_result(response)


def _fail(parts: Sequence[_Part], error: BaseException) -> None:
    for part in parts:
        if part.response.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            part.response.cancel()
        else:
            part.response.set_exception(error)
