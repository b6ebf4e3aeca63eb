"""A cable between a client and a server on loopback that can be cut without notice to either end, as networks are."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit

from jmapsync.demo.server import stop_listening

_CHUNK = 1 << 16


class Cable:
    """Listens on a port of its own and passes octets on; what arrives while it is cut is lost for good."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._path = parts.path
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._cut: set[asyncio.StreamWriter] = set()
        self._joining = 0
        self.cut_new = False
        """Connections that are made from now on carry nothing either."""
        self.made = 0
        """How many connections there were so far."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        await stop_listening(self._server)
        while self._joining:  # one that is just being made is there to be closed a moment later
            self.break_off()
            await asyncio.sleep(0.001)
        await self._server.wait_closed()

    @property
    def origin(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return self.origin + self._path

    @property
    def open(self) -> int:
        """How many connections are open at present."""
        return len(self._ends) // 2

    def cut(self) -> None:
        """Carry nothing more over the connections there are; both ends stay connected."""
        self._cut |= self._ends

    def break_off(self) -> None:
        """Close every connection."""
        for end in self._ends:
            end.close()

    def _accept(self) -> asyncio.Protocol:
        """Counted from here on: a test may end before the task that joins the ends takes its first step."""
        self._joining += 1
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._join)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        ends = {writer}
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            ends.add(far_writer)
            self._ends |= ends
            if self.cut_new:
                self._cut |= ends
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            self._ends -= ends
            self._cut -= ends
            for end in ends:
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()
            self._joining -= 1

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if writer not in self._cut:
                    writer.write(data)
                    await writer.drain()
        writer.close()
