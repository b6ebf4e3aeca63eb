"""Fetch a page without a credential: https only, a limited number of redirects, a limited size."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from jmapsync.errors import DiscoveryError, HostRefusedError
from jmapsync.jmap.bounds import URL_OCTETS
from jmapsync.jmap.exchange import MAX_REDIRECTS, REDIRECTS
from jmapsync.jmap.hosts import Origin, shown
from jmapsync.jmap.session import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jmapsync.jmap.replies import Reply
    from jmapsync.jmap.transport import Transport


async def follow(url: str, admit: Callable[[str], Origin], fetch: Callable[[str], Awaitable[Reply]]) -> Reply:
    """Return the answer to a request after redirects; its `url` is the last one.

    `admit` returns the origin of each URL before it is asked, or raises. Raise `DiscoveryError` for a redirect that must not be
    followed, and what `admit` and `fetch` raise.
    """
    for _ in range(MAX_REDIRECTS + 1):
        origin = admit(url)
        reply = await fetch(url)
        if reply.status not in REDIRECTS:
            return reply
        target = resolve(url, reply.headers.get("location", ""))
        if not target:
            raise DiscoveryError(f"{origin} redirects to an address that cannot be used.")
        if origin.scheme == "https" and not target.startswith("https:"):
            raise DiscoveryError(f"{origin} redirects to an unencrypted address.")
        url = target
    raise DiscoveryError(f"{Origin.of(url)} redirects more than {MAX_REDIRECTS} times.")


class Visitor:
    """Fetches pages of servers that nobody approved yet."""

    def __init__(self, transport: Transport, *, local: bool) -> None:
        """Use a transport; `local` allows hosts of this machine and of private networks, for a user who named one."""
        self._transport = transport
        self._local = local

    async def get(self, url: str, *, accept: str, most: int) -> Reply:
        """Return the answer to a GET after redirects; its `url` is the last one.

        Raise `DiscoveryError` for an address that must not be followed, and what `Transport` raises.
        """

        async def fetch(url: str) -> Reply:
            async with self._transport.open("GET", url, {"Accept": accept}) as response:
                return await self._transport.read(response, most)

        return await follow(url, self.admit, fetch)

    def admit(self, url: str) -> Origin:
        """Return the origin of a URL that may be visited, else raise `DiscoveryError`.

        What a stranger's DNS or page names must not reach servers that only this machine or its network can.
        """
        if len(url) > URL_OCTETS or not url.isprintable():
            raise DiscoveryError("an address is too long, or holds control characters.")
        try:
            origin = Origin.of(url)
        except HostRefusedError as error:
            raise DiscoveryError(f"{shown(url)} is not an https address.") from error
        if not self._local and (origin.is_loopback or _is_private(origin.host)):
            raise DiscoveryError(f"{origin} is an address inside this machine or its network.")
        if not self._local and not origin.host.isascii():
            # A person who approves the host could not distinguish its letters from similar ones.
            raise DiscoveryError("a host is not named in its ASCII form (RFC 5890).")
        return origin


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
