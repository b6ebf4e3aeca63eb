"""Measure how well `[network] limit_rate` is kept: `python -m tests.bench.rate [--rates 100 500 2000] [--seconds 10]`.

Messages of several sizes go from the embedded server and to it, by each client, through a relay that counts every octet, headers
included. Rates are in thousands of octets a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.demo import DemoServer
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.blobs import download_whole, upload
from jmapsync.jmap.client import Client
from jmapsync.jmap.traffic import RateLimit
from tests.bench.daemon import say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SIZES = (2_000, 8_000, 30_000, 200_000)
"""Octets of the messages, in turn."""
AT_A_TIME = 16


class CountingRelay:
    """Passes octets on between a port of its own and a server, and counts them."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self.octets = 0

    async def start(self) -> int:
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        with contextlib.suppress(asyncio.CancelledError):  # at the end
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 14):
            self.octets += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


async def measure(url: str, rate: int, seconds: float) -> None:
    """Pull and send for about so many seconds by each client."""
    parts = urlsplit(url)
    relay = CountingRelay(str(parts.hostname), int(parts.port or 80))
    near = f"http://127.0.0.1:{await relay.start()}{parts.path}"
    for many in (False, True):
        async with Client(near, BasicCredential("demo", "demo"), rate=RateLimit(rate)) as client:
            account = (await client.session()).account_for("urn:ietf:params:jmap:mail").id
            ids = [(await upload(client, account, bytes(size), "x/y")).blob_id for size in SIZES]
            await asyncio.sleep(2)

            async def pull(number: int, one: Client = client, refs: list[str] = ids, who: str = account, by: bool = many) -> None:
                await download_whole(one, who, refs[number % len(refs)], many=by)

            async def send(number: int, one: Client = client, who: str = account, by: bool = many) -> None:
                await upload(one, who, bytes(SIZES[number % len(SIZES)]), "x/y", many=by)

            for what, act in (("downloads", pull), ("uploads", send)):
                before, took = relay.octets, await _run_for(seconds, act)
                kept = (relay.octets - before) / took
                name = "libcurl" if many else "httpx"
                say(f"{what} by {name} at {rate / 1e3:g} KB/s: {kept / 1e3:.1f} KB/s, {100 * kept / rate - 100:+.1f} %")


async def _run_for(seconds: float, act: Callable[[int], Awaitable[None]]) -> float:
    began, number = time.monotonic(), 0

    async def work() -> None:
        nonlocal number
        while time.monotonic() - began < seconds:
            number += 1
            await act(number)

    await asyncio.gather(*(work() for _ in range(AT_A_TIME)))
    return time.monotonic() - began


def main() -> None:
    """Measure several rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with DemoServer() as server:
        for rate in options.rates:
            asyncio.run(measure(server.url, rate * 1000, options.seconds))


if __name__ == "__main__":
    main()
