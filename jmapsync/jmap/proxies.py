"""Choose the proxy of a request from HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl(1) reads them.

The lower-case name of each takes precedence. Plain http is only used to loopback addresses, so never through a proxy.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from jmapsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    _Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PORT = 1080
"""What curl takes where a proxy is named without a port; 443 for one that is reached by https."""
_HTTPS_PORT = 443
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._-]+)?")
"""A host of which httpx and libcurl read the same: libcurl's message on any other one quotes the password."""
_SCHEMES = ("http", "https", "socks5", "socks5h")


class Proxy(Struct, frozen=True):
    """One proxy."""

    url: str
    """Includes the user name and the password of the proxy, which must not be shown."""
    place: str
    """Host and port."""
    variable: str
    """The environment variable that names it."""

    def __repr__(self) -> str:
        """Return a text without the password."""
        return f"Proxy({self.place!r}, {self.variable!r})"


class _Exception(Struct, frozen=True):
    """One entry of NO_PROXY."""

    port: int | None
    network: _Network | None = None
    name: str = ""

    def covers(self, host: str, port: int) -> bool:
        if self.port not in {None, port}:
            return False
        if self.network is None:
            return self.name in {"*", host} or host.endswith(f".{self.name}")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address in self.network


class Proxies(Struct, frozen=True):
    """The proxy settings of the environment."""

    proxy: Proxy | None = None
    exceptions: tuple[_Exception, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Proxies:
        """Read the environment; raise `ConfigError` that names the variable whose value cannot be used, without quoting it."""
        environment = os.environ if environment is None else environment
        variable, value = _first(environment, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        proxy = _proxy(variable, value) if value else None
        variable, value = _first(environment, "no_proxy", "NO_PROXY")
        words = value.replace(",", " ").split()
        return cls(proxy, tuple(_exception(variable, word) for word in words) if proxy else ())

    def for_url(self, url: str) -> Proxy | None:
        """Return the proxy that a request goes through."""
        if self.proxy is None:
            return None
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or _HTTPS_PORT
        direct = parts.scheme != "https" or any(one.covers(host, port) for one in self.exceptions)
        return None if direct else self.proxy


def _first(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return the first variable that is set, and its value."""
    for name in names:
        if value := environment.get(name, "").strip():
            return name, value
    return names[-1], ""


def _proxy(variable: str, value: str) -> Proxy:
    value = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _unusable(variable, "it is not a URL whose host and port can be read", _ENCODE) from None
    scheme = parts.scheme.lower()
    if scheme not in _SCHEMES:
        raise _unusable(variable, f"proxies by {scheme[:20]!r} are not supported", f"Use one of {', '.join(_SCHEMES)}.")
    host = _ascii(host)
    if not _HOST.fullmatch(host) or port == 0 or not value.isprintable() or " " in value:
        raise _unusable(variable, "it names no host that can be reached")
    if parts.query or parts.fragment or parts.path.strip("/"):
        raise _unusable(variable, "something follows its host and port", _ENCODE)
    port = port or (_HTTPS_PORT if scheme == "https" else _PORT)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    user = quote(parts.netloc.rpartition("@")[0], safe="%:@!$&'()*+,;=")
    if not unquote(user).isprintable():
        raise _unusable(variable, "its user name or password holds control characters")
    return Proxy(f"{scheme}://{user}{'@' if user else ''}{place}", place, variable)


def _ascii(host: str) -> str:
    """Return the ASCII form of a host (RFC 5890), nothing where it has none."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return ""


_ENCODE = "In a password, the characters # / ? @ and : are written as %23 %2F %3F %40 and %3A."


def _exception(variable: str, word: str) -> _Exception:
    """Read one word: a host with all that is inside it, an address, a network, or any of the first two with a port."""
    try:
        if word.startswith("["):
            address, bracket, rest = word[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise ValueError  # noqa: TRY301  # as ipaddress does
            return _Exception(_port(rest[1:]) if rest else None, ipaddress.IPv6Network(address.partition("%")[0]))
        if "/" in word:
            return _Exception(None, ipaddress.ip_network(word, strict=False))
        name, colon, port = word.rpartition(":")
        if colon and ":" not in name:
            return _Exception(_port(port), _address(name), _domain(name))
        return _Exception(None, _address(word), _domain(word))
    except ValueError:
        raise _unusable(variable, f"{word[:80]!r} is neither a host nor an address nor a network") from None


def _address(word: str) -> _Network | None:
    try:
        return ipaddress.ip_network(word.partition("%")[0])
    except ValueError:
        return None


def _domain(word: str) -> str:
    return word if word == "*" else word.lower().removeprefix("*").strip(".")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 1 << 16):
        raise ValueError
    return int(text)


def _unusable(variable: str, why: str, advice: str = "") -> ConfigError:
    return ConfigError([f"The environment variable {variable} cannot be used: {why}.{' ' if advice else ''}{advice}"])
