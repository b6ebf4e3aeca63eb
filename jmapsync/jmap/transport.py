"""Manage HTTP connections through httpx, and translate its exceptions.

HTTP/2 where the server offers it, certificates always verified. Redirects are not followed and no credential is added here:
`exchange` decides on both. Every exchange ends: there are timeouts without progress, and the size of a response is limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from jmapsync.errors import ConfigError, NetworkError, ServerError
from jmapsync.jmap.bounds import ERROR_OCTETS, ERROR_SECONDS, Bounds, TooLargeError
from jmapsync.jmap.certificates import Certificates, tls_failure
from jmapsync.jmap.hosts import Origin, shown
from jmapsync.jmap.inflating import codings_for, inflater
from jmapsync.jmap.proxies import Proxies, Proxy
from jmapsync.jmap.replies import (
    Reply,
    broken_off,
    cut_short,
    refused_by_proxy,
    stalled,
    too_large,
    unreached,
    unusable,
    violated_http_2,
)
from jmapsync.jmap.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping

    import httpx

    from jmapsync.jmap.content import FileContent
    from jmapsync.jmap.curl import CurlTransport
    from jmapsync.jmap.replies import Sink
    from jmapsync.jmap.traffic import RateLimit

KEPT_CONNECTIONS = 16
_ERRNO = re.compile(r"^\[Errno -?[0-9]+\] ")
"""What Python puts before the text of an error of the system."""
_LIMITED_DOWNLOADS = 4
"""Downloads at a time where the rate is limited: what waits in the kernel's buffers of each is not."""
_PATIENCE = 5.0
"""Seconds that the end waits for requests in flight to end."""
_SENT_AT_ONCE = 1 << 16
"""Octets of a request that are sent as one piece, which has to go out within the seconds of silence."""


class _Deadline:
    """Timeout of an exchange that makes no progress."""

    def __init__(self, bounds: Bounds, limit: asyncio.Timeout, *, is_sent: bool) -> None:
        self._bounds = bounds
        self._limit = limit
        self.is_sent = is_sent
        """Whether the server may have received a part of the request."""

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Record httpcore's progress; a CONNECT request to a proxy does not count."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.is_sent = True
            self.extend()

    def extend(self) -> None:
        """Restart the timeout."""
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._bounds.silence)


class Transport:
    """The connections of one account, with counts of its requests and octets.

    Raise `ConfigError` for a proxy of the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) that cannot be used.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        inner: httpx.AsyncBaseTransport | None = None,
        certificates: Certificates | None = None,
        bounds: Bounds | None = None,
        limit: RateLimit | None = None,
    ) -> None:
        self.user_agent = user_agent
        self.bounds = bounds or Bounds()
        self.traffic = Traffic(limit)
        self.multiplexed: dict[Origin, bool] = {}
        """Which hosts answered by HTTP/2, so that one connection carries many requests at a time."""
        self.proxies = Proxies() if inner is not None else Proxies.of()
        self._inner = inner
        self.certificates = certificates or Certificates()
        self._clients: dict[bool, httpx.AsyncClient] = {}
        """Keyed by whether they use the proxy."""
        self._in_use: Counter[httpx.AsyncClient] = Counter()
        self._senders: Counter[asyncio.Task[Any] | None] = Counter()
        """The tasks whose requests are in flight."""
        self._many: Transport | CurlTransport | None = None
        if self.proxies.proxy is not None:
            self._client(proxied=True)

    @property
    def most_downloads(self) -> int:
        """Return how many downloads go on at a time: maxConcurrentRequests is of the API alone (RFC 8620, section 2)."""
        return KEPT_CONNECTIONS if self.traffic.limit is None else _LIMITED_DOWNLOADS

    def for_many(self) -> Transport | CurlTransport:
        """Return what sends requests that may be repeated: libcurl where there is a build of pycurl, else this transport itself."""
        if self._many is None:
            self._many = self
            if self._inner is None:
                with contextlib.suppress(ImportError):
                    from jmapsync.jmap.curl import CurlTransport  # noqa: PLC0415  # pycurl may be missing

                    self._many = CurlTransport(self)
        return self._many

    def _client(self, *, proxied: bool) -> httpx.AsyncClient:
        from jmapsync.jmap.lean_httpx import httpx  # noqa: PLC0415  # 80 ms; a run with nothing to do has no use for it

        if proxied not in self._clients:
            proxy = self.proxies.proxy if proxied else None
            try:
                self._clients[proxied] = httpx.AsyncClient(
                    http2=True,
                    verify=self.certificates.context,
                    transport=self._inner,
                    proxy=self._tunnel(proxy) if proxy is not None else None,
                    trust_env=False,
                    timeout=httpx.Timeout(None, connect=self.bounds.connect),  # the rest is `_Deadline`'s, and that of `_octets`
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=60),
                    headers={"User-Agent": self.user_agent},
                    follow_redirects=False,
                )
            except (ImportError, ValueError, httpx.InvalidURL) as error:
                variable = proxy.variable if proxy is not None else "HTTPS_PROXY"
                raise ConfigError([f"The environment variable {variable} names a proxy that cannot be used."]) from error
        return self._clients[proxied]

    def _tunnel(self, proxy: Proxy) -> httpx.Proxy:
        from jmapsync.jmap.lean_httpx import httpx  # noqa: PLC0415  # as above

        if not proxy.url.startswith("https:"):
            return httpx.Proxy(proxy.url)
        certificates = Certificates()  # of its own, because a proxy is not offered HTTP/2
        certificates.load()
        return httpx.Proxy(proxy.url, ssl_context=certificates.context)

    @contextlib.asynccontextmanager
    async def open(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | FileContent | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send one request and yield the response before its body is read.

        Raise `UnreachedError`, `BrokenOffError`, `UntrustedError`, or `ServerError` for an invalid URL.
        """
        parts = _split(url)
        if parts.scheme == "https":
            self.certificates.load()
        proxy = self.proxies.for_url(url)
        client = self._client(proxied=proxy is not None)
        with self.in_flight():
            self._in_use[client] += 1
            try:
                build = partial(
                    client.build_request, method, url, headers={"Accept-Encoding": codings_for(parts.hostname or ""), **headers}
                )
                response = await self._send(client, build, content, url=url, proxy=proxy)
                self.multiplexed[Origin.of(url)] = response.http_version == "HTTP/2"
                try:
                    yield response
                finally:
                    if not response.is_closed and response.http_version == "HTTP/2":
                        self._retire(client)  # unread data would fill the flow-control window of other streams
                    await response.aclose()
            finally:
                self._in_use[client] -= 1
                if not self._in_use[client]:
                    del self._in_use[client]
                    if client not in self._clients.values():
                        await client.aclose()

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count the task that runs now as one whose request `aclose` has to end."""
        sender = asyncio.current_task()
        self._senders[sender] += 1
        try:
            yield
        finally:
            self._senders[sender] -= 1
            if not self._senders[sender]:
                del self._senders[sender]

    async def _send(
        self,
        client: httpx.AsyncClient,
        build: Callable[..., httpx.Request],
        content: bytes | FileContent | None,
        *,
        url: str,
        proxy: Proxy | None,
    ) -> httpx.Response:
        """Send one request and return the response's head, with a timeout without progress (1xx responses are not progress)."""
        self.traffic.requests += 1
        await self.traffic.turn()
        bounds = self.bounds
        deadline: _Deadline | None = None
        try:
            # httpcore has its own timeouts of TCP connects and handshakes, and cleans up; this covers everything around them.
            async with asyncio.timeout(bounds.silence if self._inner else 2 * bounds.connect) as limit:
                deadline = _Deadline(bounds, limit, is_sent=self._inner is not None)
                with _translated(url, proxy, bounds):
                    request = build(content=self._in_pieces(content, deadline), extensions={"trace": deadline.trace})
                    if content is not None:
                        request.headers["Content-Length"] = str(len(content) if isinstance(content, bytes) else content.size)
                        request.headers.pop("Transfer-Encoding", None)
                    response = await client.send(request, auth=None, stream=True)
                    if self.traffic.limit is not None:
                        self.traffic.count_heads(_octets_of(request.headers) + _octets_of(response.headers) + len(url))
                    return response
        except TimeoutError as error:
            self._retire(client)
            if deadline is not None and deadline.is_sent:
                raise stalled(url, bounds, has_begun=False) from error
            raise unreached(url, proxy, f"no connection within {2 * bounds.connect:g} seconds", waited=bounds.connect) from error

    def _retire(self, client: httpx.AsyncClient) -> None:
        """Use new connections from now on; the old ones are closed when no longer in use."""
        if self._inner is None:
            self._clients = {proxied: kept for proxied, kept in self._clients.items() if kept is not client}

    def _in_pieces(self, content: bytes | FileContent | None, deadline: _Deadline) -> bytes | AsyncIterator[bytes] | None:
        """Return a request's content in pieces, each of which restarts the timeout when sent."""
        if content is None:
            return None
        if isinstance(content, bytes) and len(content) <= self._piece:
            self.traffic.send(len(content))
            return content
        return self._watched(_split_up(content, self._piece), deadline)

    @property
    def _piece(self) -> int:
        """Return the octets of a request that are sent at a time."""
        limit = self.traffic.limit
        return min(_SENT_AT_ONCE, limit.piece) if limit is not None else _SENT_AT_ONCE

    async def _watched(self, pieces: Iterable[bytes], deadline: _Deadline) -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            deadline.extend()
            await self.traffic.turn(deadline.extend)
            self.traffic.send(len(piece))
            yield piece
        deadline.extend()

    async def fetch(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | FileContent | None = None,
        sink: Sink | None = None,
        *,
        most: int,
    ) -> Reply:
        """Send one request and read the answer; the body of a success goes to `sink`, if there is one.

        Raise what `open`, `read` and the sink raise.
        """
        async with self.open(method, url, headers, content) as response:
            if sink is None or not response.is_success:
                return await self.read(response, most)
            async with contextlib.aclosing(self.pieces(response, most)) as pieces:
                async for piece in pieces:
                    sink(piece)
            return _reply(response, b"")

    async def read(self, response: httpx.Response, most: int) -> Reply:
        """Read the body of an opened response: all of it for a status of success, else its beginning.

        Raise `BrokenOffError` if it is truncated or makes no progress, `TooLargeError` beyond so many octets.
        """
        if response.is_success:
            pieces = [piece async for piece in self.pieces(response, most)]
        else:
            pieces = await self._beginning(response)
        return _reply(response, b"".join(pieces))

    async def _beginning(self, response: httpx.Response) -> list[bytes]:
        """Return the first octets of a response whose status is a failure."""
        pieces: list[bytes] = []
        with contextlib.suppress(TooLargeError, TimeoutError, NetworkError, ServerError):
            async with asyncio.timeout(min(ERROR_SECONDS, self.bounds.silence)):
                async with contextlib.aclosing(self.pieces(response, ERROR_OCTETS)) as coming:
                    async for piece in coming:
                        pieces.append(piece)  # noqa: PERF401  # what arrived before a failure is kept
        return pieces

    async def pieces(self, response: httpx.Response, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the body of an opened response in pieces, as it arrives.

        Raise `BrokenOffError` if it is truncated or makes no progress, `TooLargeError` beyond so many octets, before or after
        decoding, `ServerError` if it cannot be decoded.
        """
        url = str(response.url)
        inflate = inflater(response.headers.get("content-encoding", ""))
        raw = size = 0
        async with contextlib.aclosing(self._octets(response)) as coming:
            async for octets in coming:
                raw += len(octets)
                if raw > most:
                    raise too_large(url, most)
                for piece in inflate.feed(octets):
                    size += len(piece)
                    if size > most:
                        raise too_large(url, most)
                    yield piece
        if not inflate.is_whole:
            raise cut_short(url)

    async def _octets(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Yield octets as they arrive; time out below the least rate, counting only the time spent waiting."""
        url, bounds = str(response.url), self.bounds
        loop = asyncio.get_running_loop()
        left, needed = bounds.silence, bounds.silence * bounds.least_rate
        with _translated(url, None, bounds):
            async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as coming:
                while True:
                    began = loop.time()
                    try:
                        async with asyncio.timeout(left):
                            octets = await anext(coming, None)
                    except TimeoutError as error:
                        got = bounds.silence * bounds.least_rate - needed
                        raise stalled(url, bounds, has_begun=got > 0) from error
                    if octets is None:
                        return
                    self.traffic.receive(len(octets))
                    left -= loop.time() - began
                    await self.traffic.turn()
                    needed -= len(octets)
                    if needed <= 0:
                        left, needed = bounds.silence, bounds.silence * bounds.least_rate
                    yield octets

    async def arrivals(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of an endless response as they arrive; raise `BrokenOffError` if it is truncated."""
        inflate = inflater(response.headers.get("content-encoding", ""))
        with _translated(str(response.url), None, self.bounds):
            async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as coming:
                async for octets in coming:
                    for piece in inflate.feed(octets):
                        yield piece

    def apart(self) -> Transport:
        """Return a transport with its own connections and the same certificates.

        An endless response would otherwise share its HTTP/2 connection with requests, which fail when it breaks.
        """
        apart = Transport(user_agent=self.user_agent, inner=self._inner, certificates=self.certificates, bounds=self.bounds)
        apart.traffic = self.traffic
        return apart

    async def aclose(self) -> None:
        """End what is in flight, and close every connection: one that was being made would be open for good."""
        if senders := {task for task in self._senders if task is not None and task is not asyncio.current_task()}:
            for sender in senders:
                sender.cancel()
            await asyncio.wait(senders, timeout=_PATIENCE)
        for client in {*self._clients.values(), *self._in_use}:
            await client.aclose()
        if self._many is not None and self._many is not self:
            await self._many.aclose()


def _split_up(content: bytes | FileContent, size: int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for at in range(0, len(content), size):
            yield content[at : at + size]
        return
    with content.open() as reader:
        while piece := reader.read(size):
            yield piece


def _octets_of(headers: httpx.Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.raw)


def _reply(response: httpx.Response, body: bytes) -> Reply:
    is_multiplexed = response.http_version == "HTTP/2"
    return Reply(response.status_code, response.reason_phrase, response.headers, body, str(response.url), is_multiplexed)


def joined_headers(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return headers with case-insensitive names; values of repeated names are joined."""
    from jmapsync.jmap.lean_httpx import httpx  # noqa: PLC0415  # as above

    # What is not ASCII came from the wire as lone surrogates.
    return httpx.Headers([(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in pairs])


def _split(url: str) -> Any:  # noqa: ANN401  # urllib's own class has no public name
    try:
        return urlsplit(url)
    except ValueError as error:
        raise unusable(url) from error


@contextlib.contextmanager
def _translated(url: str, proxy: Proxy | None, bounds: Bounds) -> Iterator[None]:
    from jmapsync.jmap.lean_httpx import httpx  # noqa: PLC0415  # as above

    host = shown(urlsplit(url).netloc)
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        failed = tls_failure(error, host)
        if failed is not None:
            raise failed from error
        waited = bounds.connect if isinstance(error, httpx.ConnectTimeout) else 0.0
        raise unreached(url, proxy, _reason(error, bounds), waited=waited) from error
    except httpx.ProxyError as error:
        raise refused_by_proxy(url, proxy, _reason(error, bounds)) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
        if _breaks_http_2(error):
            raise violated_http_2(url, str(error)) from error
        raise unusable(url) from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise broken_off(url, _reason(error, bounds)) from error


def _breaks_http_2(error: BaseException | None) -> bool:
    """Return whether h2 rejected data of the server: httpcore reports that as a local protocol error."""
    while error is not None and not type(error).__module__.startswith("h2."):
        error = error.__cause__ or error.__context__
    return error is not None


def _reason(error: httpx.HTTPError | httpx.StreamError, bounds: Bounds) -> str:
    from jmapsync.jmap.lean_httpx import httpx  # noqa: PLC0415  # as above

    if isinstance(error, httpx.ConnectTimeout):
        return f"no answer within {bounds.connect:g} seconds"
    return _ERRNO.sub("", str(error)).rstrip(".")[:200] or type(error).__name__
