"""Decide which hosts may get the credential: the session's own origin and those in `trusted_hosts`.

No rule on domain names distinguishes a second host of an honest provider (Fastmail's downloads) from a hostile one, so every other
host is refused until the user approves it (RFC 8620, section 8.2 leaves this to the client).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from jmapsync.errors import HostRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"https": 443, "http": 80}
_AUTHORITY = len("https://")
"""Where the path of a URL may begin, at the earliest."""
_SHOWN = 200
"""Characters of a URL in a message."""


class Origin(Struct, frozen=True):
    """Scheme, host and port of a URL (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL; raise `HostRefusedError` unless a credential may be sent by it at all.

        That needs https, or http to a loopback address, and a URL without a user name.
        """
        end = url.find("/", _AUTHORITY)
        try:
            return _origin(url if end < 0 else url[:end])
        except HostRefusedError:
            return _origin(url)

    @property
    def url(self) -> str:
        """Return the scheme with host and port."""
        return f"{self.scheme}://{self}"

    @property
    def is_loopback(self) -> bool:
        """Return whether this is the machine itself."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        """Return host and port as `trusted_hosts` names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@lru_cache(maxsize=64)
def _origin(url: str) -> Origin:
    """Return the origin of a URL, mostly one without its path: those of downloads differ in nothing else."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise HostRefusedError(f"The server named an address that cannot be used: {shown(url)}.") from error
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.username is not None or parts.password is not None:
        raise HostRefusedError(f"The server named an address that cannot be used: {shown(url)}.")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return Origin(parts.scheme, host, port)
    raise HostRefusedError(
        f"{host} can only be reached unencrypted ({parts.scheme}); the secret was not sent.",
        advice="Use an https address; http is allowed to this machine only.",
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Approval:
    """The hosts that may get one account's credential."""

    def __init__(self, trusted_hosts: Iterable[str] = ()) -> None:
        self._trusted = {name.lower().removesuffix(":443").rstrip(".") for name in trusted_hosts}
        self._home: Origin | None = None

    def set_home(self, url: str) -> None:
        """Approve a URL's origin, which the user configured or discovery found, as the account's server."""
        self._home = Origin.of(url)

    def trusts(self, origin: Origin) -> bool:
        """Return whether the user named this host; `host` means its standard port, `host:port` another one."""
        return str(origin).lower() in self._trusted

    def approves(self, url: str) -> bool:
        """Return whether the credential may be sent to a URL."""
        origin = Origin.of(url)
        return origin == self._home or self.trusts(origin)

    def check(self, url: str, purpose: str) -> Origin:
        """Return the URL's origin if the credential may be sent there, else raise `HostRefusedError` naming the host."""
        home = f"{self._home}" if self._home else "The server"
        try:
            origin = Origin.of(url)
        except HostRefusedError as error:
            if self._home is None or self._home.host not in error.message:
                raise
            advice = "Its administrator has to correct the server's base URL, which is the https address that you use."
            raise HostRefusedError(
                f"{home} sends {purpose} to another scheme than its own: {error.message}", advice=advice
            ) from error
        if self.approves(url):
            return origin
        if self._home is not None and origin.scheme != self._home.scheme:
            home, where = self._home.url, origin.url
        else:
            where = f"{origin}"
        raise HostRefusedError(
            f"{home} sends {purpose} to {where}, which was not approved to be sent your secret.",
            advice=f'If you know that address as your provider\'s, add "{origin}" to trusted_hosts of the account.',
        )


def belongs_to(host: str, domain: str) -> bool:
    """Return whether a host is the domain itself or inside it."""
    host, domain = host.lower().rstrip("."), domain.lower().rstrip(".")
    return host == domain or host.endswith(f".{domain}")


def shown(url: str) -> str:
    """Return a URL for messages: without user name and password, and shortened."""
    text = url.rpartition("@")[2]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"
