"""A server on a loopback port that does to each connection whatever a test says, without any protocol of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import zlib
from typing import TYPE_CHECKING

from jmapsync.demo.server import stop_listening

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextlib.asynccontextmanager
async def wild(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve; yield host and port."""
    ends: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        await stop_listening(server)
        for end in ends:
            end.transport.abort()
        await server.wait_closed()


async def head(reader: asyncio.StreamReader) -> bytes:
    """Return the head of a request without a body."""
    return await reader.readuntil(b"\r\n\r\n")


def answering(first: bytes, then: Callable[[], bytes | None], pause: float = 0.0) -> Talk:
    """Answer every request with some octets, and then with more as long as there are some, a pause before each."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(first)
        while (more := then()) is not None:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


@functools.cache
def bomb(size: int, format_: str = "gzip") -> bytes:
    """Return compressed octets that become so many mebibytes of white space."""
    window = {"gzip": 31, "zlib": 15, "raw": -15}[format_]
    press = zlib.compressobj(9, zlib.DEFLATED, window)
    block = b" " * (1 << 20)
    return b"".join(press.compress(block) for _ in range(size)) + press.flush()
