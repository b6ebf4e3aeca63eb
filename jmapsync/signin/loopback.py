"""Receive the authorization response on a loopback port (RFC 8252, section 7.3)."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct, field

from jmapsync.errors import LocalError
from jmapsync.signin.token_requests import REDIRECT_PATH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LONGEST_HEAD = 1 << 14
_SECONDS = 10.0
"""Deadline for the head of a request."""
_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>jmapsync</title></head>
<body style="font-family: sans-serif; margin: 4em auto; max-width: 30em"><h1>{title}</h1><p>{text}</p></body></html>
"""
_DONE = _PAGE.format(title="jmapsync has the answer", text="You may close this window and go back to the terminal.")
_FOREIGN = _PAGE.format(title="Not part of a sign-in", text="jmapsync waits for another page than this one.")


class Listener(Struct):
    """A port of this machine that waits for one redirect."""

    redirect_uri: str
    state: str
    """What the redirect has to carry, so that another page cannot end the wait."""
    answer: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """The URL that the browser was sent to."""
    open: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = field(default_factory=dict)
    """The connections by the task that serves each: browsers open some ahead of any request."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of a browser."""
        task = asyncio.current_task()
        self.open[task] = writer
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, _, rest = head.decode("latin-1").partition(" ")
            target = rest.partition(" ")[0]
            is_ours = method == "GET" and self.accept(target)
            writer.write(_response(200 if is_ours else 404, _DONE if is_ours else _FOREIGN))
            await writer.drain()
        del self.open[task]
        writer.close()

    async def end(self) -> None:
        """Give up connections without a request, whose tasks asyncio would otherwise report as failed when the loop ends."""
        tasks = [task for task in self.open if task is not None]
        for writer in self.open.values():
            writer.transport.abort()
        if tasks:
            await asyncio.wait(tasks)

    def accept(self, url: str) -> bool:
        """End the wait with the URL of a redirect, or a part of it from its path on; return whether it is one for this sign-in."""
        try:
            parts = urlsplit(url)
            state = parse_qs(parts.query, max_num_fields=100).get("state", [])
        except ValueError:
            return False
        if parts.path != REDIRECT_PATH or len(state) != 1 or not secrets.compare_digest(state[0].encode(), self.state.encode()):
            return False
        if not self.answer.done():
            self.answer.set_result(f"{self.redirect_uri}?{parts.query}")
        return True


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """Listen on a free port of 127.0.0.1 as long as the context lasts; raise `LocalError` where there is none."""
    listener = Listener("", secrets.token_urlsafe(32))
    try:
        server = await asyncio.start_server(listener.serve, "127.0.0.1", 0, limit=_LONGEST_HEAD)
    except OSError as error:
        raise LocalError(f"No port of this machine can be listened on ({error.strerror}).") from error
    listener.redirect_uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{REDIRECT_PATH}"
    try:
        yield listener
    finally:
        server.close()
        await listener.end()


def _response(status: int, page: str) -> bytes:
    body = page.encode()
    head = (
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}",  # noqa: PLR2004
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
