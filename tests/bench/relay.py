"""Carry TCP connections over a line with a round trip and a rate: `python -m tests.bench.relay PORT MILLISECONDS MBIT`.

The rate is that of the line, shared by all connections, each way by itself. A connection costs a round trip before its first octet,
as a handshake of TCP does; slow start is left out. The port that it listens on goes to standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

_CHUNK = 1 << 14
_QUEUED = 64
"""Chunks on their way: 1 MB, the product of 50 Mbit/s and 150 ms."""


class Way:
    """One direction of the line."""

    def __init__(self, delay: float, rate: float) -> None:
        self._delay = delay
        self._rate = rate
        self._free = 0.0

    def arrival(self, octets: int) -> float:
        """Return when octets arrive that are sent now."""
        self._free = max(self._free, asyncio.get_running_loop().time()) + octets / self._rate
        return self._free + self._delay


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
    """Carry one direction of one connection to its end."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)

    async def deliver() -> None:
        loop = asyncio.get_running_loop()
        while True:
            at, data = await queue.get()
            await asyncio.sleep(at - loop.time())
            if not data:
                return writer.close()
            writer.write(data)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            await queue.put((way.arrival(len(data)), data))
    await queue.put((way.arrival(0), b""))
    with contextlib.suppress(OSError):
        await delivering


async def main() -> None:
    """Carry connections until killed."""
    port, milliseconds, megabits = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    delay, rate = milliseconds / 2000, megabits * 1e6 / 8
    up, down = Way(delay, rate), Way(delay, rate)

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(carry(reader, far_writer, up), carry(far_reader, writer, down))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
