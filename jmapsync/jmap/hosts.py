"""Decide which hosts may be sent the credential: the session's own origin and those that the user named.

No rule on domain names can tell a second host of an honest provider (Fastmail's downloads) from a hostile one, so every other
host is refused until the user approves of it (RFC 8620, section 8.2 leaves this to the client).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.errors import HostRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL; raise `HostRefusedError` unless a credential may travel by it at all.

        That needs https, or http to this very machine, and a URL without a user name of its own.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise HostRefusedError(f"The server named an address that is none: {url}") from error
        host = (parts.hostname or "").rstrip(".")
        if not host or parts.username is not None or parts.password is not None:
            raise HostRefusedError(f"The server named an address that cannot be used: {_without_user(url)}")
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
            return cls(parts.scheme, host, port)
        raise HostRefusedError(
            f"{host} can only be reached unencrypted ({parts.scheme}); the secret was not sent.",
            advice="Use an https address; http is allowed to this machine only.",
        )

    @property
    def is_loopback(self) -> bool:
        """Tell whether this is the machine itself."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        """Return host and port as `trusted_hosts` names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Approval:
    """The hosts that one account's credential may be sent to."""

    def __init__(self, trusted_hosts: Iterable[str] = ()) -> None:
        self._trusted = {name.lower().removesuffix(":443").rstrip(".") for name in trusted_hosts}
        self._home: Origin | None = None

    def settle(self, url: str) -> None:
        """Make a URL's origin the home of the credential: the one that the user configured or discovery found."""
        self._home = Origin.of(url)

    def trusts(self, origin: Origin) -> bool:
        """Tell whether the user named this host; `host` means its standard port, `host:port` another one."""
        return str(origin).lower() in self._trusted

    def approves(self, url: str) -> bool:
        """Tell whether the credential may be sent to a URL."""
        origin = Origin.of(url)
        return origin == self._home or self.trusts(origin)

    def check(self, url: str, purpose: str) -> Origin:
        """Return the URL's origin if the credential may be sent there, else raise `HostRefusedError` naming the host."""
        origin = Origin.of(url)
        if self.approves(url):
            return origin
        home = f"{self._home}" if self._home else "The server"
        raise HostRefusedError(
            f"{home} sends {purpose} to {origin}, which was not approved to be sent your secret.",
            advice=f'If you know that host as your provider\'s, add "{origin}" to trusted_hosts of the account.',
        )


def belongs_to(host: str, domain: str) -> bool:
    """Tell whether a host is the domain itself or inside it."""
    host, domain = host.lower().rstrip("."), domain.lower().rstrip(".")
    return host == domain or host.endswith(f".{domain}")


def _without_user(url: str) -> str:
    return url.rpartition("@")[2]
