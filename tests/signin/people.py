"""People who sign in, each in one way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.signin.world import World


async def visit(url: str) -> tuple[int, str]:
    """Return the status and the page of a loopback URL, as a browser gets it."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split(" ")[1]), answer


class Alice:
    """Someone who allows everything, in a browser or with a code."""

    def __init__(self, world: World, change: Callable[[str], str] = lambda url: url) -> None:
        """`change` is what somebody makes of the address that the browser is sent to."""
        self.world, self.change = world, change
        self.opened: list[str] = []
        self.pages: list[tuple[int, str]] = []
        self.codes: list[tuple[str, str, str]] = []
        self.pasted: asyncio.Future[str] | None = None

    @property
    def asked_for(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.opened[-1]).query).items()}

    async def open(self, url: str, host: str) -> None:
        self.opened.append(url)
        assert host in url
        self.pages.append(await visit(self.change(self.world.authorize(url))))

    def show_code(self, url: str, code: str, complete_url: str) -> None:
        self.codes.append((url, code, complete_url))

    async def paste(self) -> str:
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never


class Paster(Alice):
    """Someone whose browser is on another machine, and who pastes the address that it cannot open."""

    async def open(self, url: str, host: str) -> None:
        del host
        self.opened.append(url)

    async def paste(self) -> str:
        return f"  {self.world.authorize(self.opened[-1])}\n"
