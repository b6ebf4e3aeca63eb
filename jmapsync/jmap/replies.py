"""Define what comes of an HTTP request, whichever client sent it: a reply, or an error with a message for users."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from jmapsync.errors import NetworkError, ServerError
from jmapsync.jmap.bounds import TooLargeError
from jmapsync.jmap.hosts import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.jmap.bounds import Bounds
    from jmapsync.jmap.proxies import Proxy

    Sink = Callable[[bytes], object]
    """Takes a body piece by piece, decoded; an exception ends the exchange and is raised by it."""


class UnreachedError(NetworkError):
    """The request did not reach the server, so it is safe to repeat."""

    def __init__(self, message: str, *, advice: str = "", waited: float = 0.0) -> None:
        super().__init__(message, advice=advice)
        self.waited = waited
        """Seconds that passed without any progress."""


class BrokenOffError(NetworkError):
    """The request may have reached the server, but no complete response arrived."""

    def __init__(self, message: str, *, advice: str = "", waited: float = 0.0) -> None:
        super().__init__(message, advice=advice)
        self.waited = waited
        """Seconds that passed without any progress."""


class Reply(Struct, frozen=True):
    """The answer to one HTTP request."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """With names in lower case or of any case."""
    body: bytes
    """Complete for a status of success, unless it went to a sink; for any other, at least its beginning."""
    url: str
    is_multiplexed: bool = False
    """Whether it came by HTTP/2, so that one connection carries many requests at a time."""


def unreached(url: str, proxy: Proxy | None, why: str, *, waited: float = 0.0) -> UnreachedError:
    """Return the error of a host, or of the proxy on the way to it, with which no connection was made."""
    host = _host(url)
    if proxy is None:
        return UnreachedError(f"{host} could not be reached ({why}).", advice="Is the network up?", waited=waited)
    return UnreachedError(
        f"{host} could not be reached through the proxy {proxy.place} ({why}).",
        advice=f"Check {proxy.variable} in the environment and whether the proxy is up, or name the host in NO_PROXY.",
        waited=waited,
    )


def refused_by_proxy(url: str, proxy: Proxy | None, why: str) -> UnreachedError:
    """Return the error of a proxy that does not connect to a host."""
    place = f"The proxy {proxy.place} ({proxy.variable})" if proxy is not None else "The proxy"
    return UnreachedError(
        f"{place} did not connect to {_host(url)} ({why}).",
        advice="Check the proxy and the sign-in to it, or name the host in NO_PROXY.",
    )


def broken_off(url: str, why: str) -> BrokenOffError:
    """Return the error of an answer that ends early."""
    return BrokenOffError(f"{_host(url)} stopped answering ({why}).")


def violated_http_2(url: str, why: str) -> BrokenOffError:
    """Return the error of an answer that HTTP/2 does not allow."""
    return BrokenOffError(f"{_host(url)} violated HTTP/2 ({why[:200]}).")


def stalled(url: str, bounds: Bounds, *, has_begun: bool) -> BrokenOffError:
    """Return the error of an exchange without progress; `has_begun` says whether a part of the body arrived in that time."""
    how = f"less than {bounds.least_rate:g} octets a second" if has_begun else "silent"
    seconds = bounds.silence
    return BrokenOffError(f"{_host(url)} stopped answering ({how} for {seconds:g} seconds).", waited=seconds)


def too_large(url: str, most: int) -> TooLargeError:
    """Return the error of a response beyond its limit."""
    return TooLargeError(f"{_host(url)} sent a response larger than the limit of {most:,} octets.")


def cut_short(url: str) -> BrokenOffError:
    """Return the error of a compressed body without its end."""
    return broken_off(url, "the compressed answer is cut short")


def unusable(url: str) -> ServerError:
    """Return the error of an address that no client can use."""
    return ServerError(f"The server named an address that cannot be used: {shown(url)}.")


def _host(url: str) -> str:
    return shown(urlsplit(url).netloc)
