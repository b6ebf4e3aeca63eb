"""Send what several askers want to know first as one request: a run with nothing to do costs one, however many kinds it has.

Each asker sends calls as ever and gets its own part of the response; the ids of the calls are made unique on the way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.wire import Response, prefixed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jmapsync.jmap.wire import Call

    Send = Callable[[Sequence[Call], Sequence[str]], Awaitable[Response]]


@dataclass(slots=True)
class _Part:
    calls: Sequence[Call]
    using: Sequence[str]
    response: asyncio.Future[Response]


@dataclass(slots=True)
class Bundle:
    """One request to come, and those who are still to say what they want of it."""

    send: Send
    askers: int
    """How many have neither asked nor left."""
    _parts: list[_Part] = field(default_factory=list)
    _sending: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether calls can still be put in."""
        return self.askers > 0

    async def call(self, calls: Sequence[Call], using: Sequence[str]) -> Response:
        """Put calls in and return their part of the response, once everybody has asked or left. Raises as `Client.call` does."""
        part = _Part(calls, using, asyncio.get_running_loop().create_future())
        self._parts.append(part)
        self.leave()
        return await part.response

    def leave(self) -> None:
        """Say that one asker wants nothing more of it; once the request was sent that means nothing."""
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
                # Together they may be more than the server takes, or one of them spoils it for the others.
                await asyncio.gather(*(self._send_one(part) for part in parts))
        except BaseException as error:  # noqa: BLE001  # whoever waits has to hear of it, of a cancellation too
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
