"""Send requests that may be repeated through libcurl, which needs a tenth of httpx's processor time for each and starts faster.

It keeps to what `transport` does: certificates always verified, proxies as `proxies` reads them and nothing else taken from the
environment, no redirect followed, every exchange bounded in time and size. Whom the credential is sent to is decided by `exchange`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.jmap.certificates import OTHER_NAME, is_no_tls, not_tls, untrusted
from jmapsync.jmap.curl_loop import CONNECTIONS, CurlLoop
from jmapsync.jmap.curl_transfer import Octets, Transfer
from jmapsync.jmap.hosts import Origin, shown
from jmapsync.jmap.inflating import codings_for
from jmapsync.jmap.libcurl import pycurl
from jmapsync.jmap.replies import broken_off, refused_by_proxy, stalled, unreached, unusable, violated_http_2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.errors import JmapsyncError
    from jmapsync.jmap.content import FileContent
    from jmapsync.jmap.curl_transfer import Reading
    from jmapsync.jmap.proxies import Proxy
    from jmapsync.jmap.replies import Reply, Sink
    from jmapsync.jmap.transport import Transport

_log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?][!-~]*)?")
"""Addresses of which every parser reads the same host."""
_BUFFER = 1 << 18
_KEPT = 64
"""Handles that are kept for the next requests."""
_IDLE_SECONDS = 60
"""How long connections are kept that nothing uses."""
_FIRST_SECONDS = 1.0
"""How long requests wait for the first answer of a host."""
_OLDEST_SECONDS = 60
"""How long a connection may be unused before another request gets a new one: servers close them."""
_FAR = 0.01
"""Seconds of a TLS handshake, a round trip and 2 to 5 ms for the keys, from which on a host is not in the local network. Cyrus
compresses a message of 11 kB in 0.6 ms to half its size: as long as 50 Mbit/s take for the other half."""
_LONGEST_TICK = 1.0
_TICKS = 8
"""How often progress is checked within the time that none may be made, at least."""
_REFUSALS = 300
"""The least status by which a proxy refuses to connect."""

# libcurl-errors(3); pycurl does not name all of them.
_UNUSABLE = {1, 3}
"""A scheme that is not supported, a malformed URL."""
_UNREACHED = {5, 6, 7}
"""No address of a proxy, of a host; no connection."""
_HTTP_2 = {16, 92}
_TLS, _UNTRUSTED, _PROXY = 35, 60, 97
_UNSPECIFIED = 1
"""Of openssl-verification-options(1)."""
_FRAME = re.compile(r"^SSL[^:]*: | \(\d+\)$")
"""What libcurl puts around OpenSSL's text."""


class CurlTransport:
    """The connections of one account for requests that may be repeated: libcurl repeats by itself."""

    def __init__(self, main: Transport) -> None:
        """Prepare, with the settings and the counts of a transport."""
        self._main = main
        self._traffic = main.traffic
        self._loop: CurlLoop | None = None
        self._retired: list[CurlLoop] = []
        """Those of connections that stalled, until their last transfer ends."""
        self._free: list[Transfer] = []
        self._active: dict[Transfer, CurlLoop] = {}
        self._asked: dict[Origin, asyncio.Event] = {}
        """Whether the first answer of a host came, which shows whether it speaks HTTP/2."""
        self._turns: dict[Origin, asyncio.Semaphore] = {}
        self._handshakes: dict[Origin, float] = {}
        """Seconds of the quickest TLS handshake with a host."""
        self._watch: asyncio.TimerHandle | None = None
        self._is_idle = False
        """Whether nothing was under way when that timer was set."""

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
        """Send one request and read the answer, as `Transport.fetch` does.

        Raise `UnreachedError`, `BrokenOffError`, `UntrustedError`, `TooLargeError` beyond `most` octets before or after decoding,
        `ServerError` for an invalid URL or content coding, and what the sink raises.
        """
        address, proxy = _checked(url), self._main.proxies.for_url(url)
        origin = Origin.of(address)
        with self._main.in_flight():
            await self._learn(origin)
            async with self._turn(origin):
                self._traffic.requests += 1
                await self._traffic.turn()
                transfer = self._free.pop() if self._free else self._new_transfer()
                loop = self._loop = self._loop or CurlLoop(self._traffic.limit)
                try:
                    with _opened(content) as reading:
                        transfer.begin(url, reading, sink, most, bounds=self._main.bounds, now=loop.time())
                        size = None if content is None else len(content) if isinstance(content, bytes) else content.size
                        coding = self._codings(urlsplit(address).hostname or "", origin, is_blob=sink is not None)
                        sent = {"Accept-Encoding": coding, **headers}
                        self._set_up(transfer.handle, method, address, headers=sent, size=size, proxy=proxy)
                        reply = await self._carry_out(transfer, loop, origin, proxy)
                finally:
                    self._put_back(transfer, loop)
        self._main.multiplexed[origin] = reply.is_multiplexed
        _log.debug("%s %s %d%s", method, url, reply.status, " by HTTP/2" if reply.is_multiplexed else "")
        await self._traffic.turn()
        return reply

    async def _carry_out(self, transfer: Transfer, loop: CurlLoop, origin: Origin, proxy: Proxy | None) -> Reply:
        # Rather another stream than another connection: libcurl then waits for the first one to be ready.
        transfer.handle.setopt(pycurl.PIPEWAIT, self._main.multiplexed.get(origin, False))
        self._active[transfer] = loop
        self._keep_watch()
        code, text = await loop.run(transfer.handle)
        reply = transfer.finish(is_complete=not code)
        self._asked[origin].set()
        handshake = transfer.handle.getinfo(pycurl.APPCONNECT_TIME) - transfer.handle.getinfo(pycurl.CONNECT_TIME)
        if handshake > 0:  # a connection was made for it
            self._handshakes[origin] = min(handshake, self._handshakes.get(origin, handshake))
        if reply is None:
            raise _error(transfer, proxy, code, text)
        return reply

    def _codings(self, host: str, origin: Origin, *, is_blob: bool) -> str:
        """Return the value of Accept-Encoding: on a fast line compressing a blob takes the server longer than the line saves."""
        if is_blob and self._handshakes.get(origin, 0.0) < _FAR and self._traffic.limit is None:
            return "identity"
        return codings_for(host)

    def _turn(self, origin: Origin) -> asyncio.Semaphore | contextlib.nullcontext[None]:
        """Return what lets a request wait until a connection is free: in libcurl, that time would count for connecting."""
        if self._main.multiplexed.get(origin):
            return contextlib.nullcontext()
        return self._turns.setdefault(origin, asyncio.Semaphore(CONNECTIONS))

    async def _learn(self, origin: Origin) -> None:
        """Let the first request to a host go alone for a moment: its answer shows whether others need their own connections."""
        if origin in self._main.multiplexed:
            self._asked.setdefault(origin, asyncio.Event()).set()
        elif origin not in self._asked:
            self._asked[origin] = asyncio.Event()
        elif not self._asked[origin].is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_SECONDS):
                    await self._asked[origin].wait()
            self._asked[origin].set()

    # handles

    def _new_transfer(self) -> Transfer:
        limit = self._traffic.limit
        handle = pycurl.Curl()
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        handle.setopt(pycurl.NOPROXY, "")  # it would be read from the environment otherwise
        handle.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)  # the credential is not for a proxy
        handle.setopt(pycurl.USERAGENT, self._main.user_agent)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        handle.setopt(pycurl.HTTP09_ALLOWED, 0)
        handle.setopt(pycurl.MAXAGE_CONN, _OLDEST_SECONDS)
        handle.setopt(pycurl.BUFFERSIZE, _BUFFER if limit is None else min(_BUFFER, limit.piece))
        return Transfer(handle, self._traffic)

    def _set_up(
        self,
        handle: pycurl.Curl,
        method: str,
        address: str,
        *,
        headers: Mapping[str, str],
        size: int | None,
        proxy: Proxy | None,
    ) -> None:
        """Give a handle what is this request's own; `size` is that of the content, if it has any."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise ValueError("A header holds what none may hold.")  # libcurl would send line ends as they are
        lines += ["Expect:"]
        handle.setopt(pycurl.URL, address)
        handle.setopt(pycurl.HTTPHEADER, lines)
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(self._main.bounds.connect * 1000)))
        if size is None:
            handle.setopt(pycurl.HTTPGET, 1)
        else:
            handle.setopt(pycurl.POST, 1)
            handle.setopt(pycurl.POSTFIELDSIZE_LARGE, size)
        handle.setopt(pycurl.CUSTOMREQUEST, method)
        # The name is for the proxy to resolve, as httpx has it: socks5h in place of socks5.
        handle.setopt(pycurl.PROXY, "" if proxy is None else re.sub("^socks5:", "socks5h:", proxy.url))
        handle.setopt(pycurl.HTTPPROXYTUNNEL, proxy is not None)
        if address.startswith("https:"):
            self._set_certificates(handle)

    def _set_certificates(self, handle: pycurl.Curl) -> None:
        self._main.certificates.load()
        for option, place in zip(_PLACES, 2 * self._main.certificates.locations(), strict=True):
            if place is None:
                handle.unsetopt(option)
            else:
                handle.setopt(option, place)
        for option, value in _VERIFICATION:
            handle.setopt(option, value)

    def _put_back(self, transfer: Transfer, loop: CurlLoop) -> None:
        """Keep a handle for another request, with nothing of this one."""
        self._active.pop(transfer, None)
        loop.may_resolve = loop.may_resolve or not transfer.is_sent
        transfer.end()
        transfer.handle.unsetopt(pycurl.HTTPHEADER)
        if len(self._free) < _KEPT:
            self._free.append(transfer)
        else:
            transfer.handle.close()
        if loop in self._retired and loop.is_idle:
            self._retired.remove(loop)
            loop.close()

    # progress

    def _keep_watch(self) -> None:
        """Check progress soon, or whether the connections are still unused after a time."""
        if self._watch is not None and self._is_idle and self._active:
            self._watch.cancel()
            self._watch = None
        if self._watch is None:
            bounds = self._main.bounds
            tick = min(_LONGEST_TICK, min(bounds.silence, bounds.connect) / _TICKS)
            self._is_idle = not self._active
            self._watch = asyncio.get_running_loop().call_later(_IDLE_SECONDS if self._is_idle else tick, self._check_progress)

    def _check_progress(self) -> None:
        """End what makes no progress, and close connections that nothing uses."""
        self._watch = None
        for transfer, loop in list(self._active.items()):
            if transfer.is_over(loop.time()):
                if loop is self._loop:  # whatever shares the connection gets no further either
                    self._retired.append(loop)
                    self._loop = None
                loop.stop(transfer.handle)
        if self._active or not self._is_idle:
            self._keep_watch()
        else:
            self._close()

    def _close(self) -> None:
        for loop in (self._loop, *self._retired):
            if loop is not None:
                loop.close()
        for transfer in self._free:
            transfer.handle.close()
        self._loop, self._retired, self._free = None, [], []

    async def aclose(self) -> None:
        """Close every connection."""
        if self._watch is not None:
            self._watch.cancel()
        self._close()


def _opened(content: bytes | FileContent | None) -> contextlib.AbstractContextManager[Reading | None]:
    if content is None or isinstance(content, bytes):
        return contextlib.nullcontext(content if content is None else Octets(content))
    return content.open()


_NO_PARTIAL_CHAIN = 4
"""CURLSSLOPT_NO_PARTIALCHAIN, which pycurl before 7.49 does not name."""
_PLACES = (pycurl.CAINFO, pycurl.CAPATH, pycurl.PROXY_CAINFO, pycurl.PROXY_CAPATH)
_VERIFICATION = (
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
    (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
    (pycurl.SSL_OPTIONS, _NO_PARTIAL_CHAIN),  # as Python's ssl has it
    (pycurl.PROXY_SSL_VERIFYPEER, 1),
    (pycurl.PROXY_SSL_VERIFYHOST, 2),
    (pycurl.PROXY_SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
    (pycurl.PROXY_SSL_OPTIONS, _NO_PARTIAL_CHAIN),
)


def _checked(url: str) -> str:
    """Return the URL in a form of which libcurl reads the host that was approved; raise `ServerError` if there is none."""
    if _ADDRESS.fullmatch(url):
        return url
    from jmapsync.jmap.lean_httpx import httpx  # noqa: PLC0415  # hardly any address needs it

    try:
        plain = str(httpx.URL(url))
    except (httpx.InvalidURL, ValueError) as error:
        raise unusable(url) from error
    if not _ADDRESS.fullmatch(plain):
        raise unusable(url)
    return plain


def _error(transfer: Transfer, proxy: Proxy | None, code: int, text: str) -> JmapsyncError:
    """Return what libcurl's code and text mean, as `transport` has it of httpx's exceptions."""
    handle, url, bounds = transfer.handle, transfer.url, transfer.bounds
    why = text.rstrip(".")[:200] or (f"libcurl's error {code}" if code else "the head of the answer is cut short")
    if code in _UNUSABLE and not transfer.is_sent:  # afterwards it is the server's answer that is no HTTP
        return unusable(url)
    if code == _UNTRUSTED or (code == _TLS and is_no_tls(why)):
        return _tls_error(transfer, code, why)
    if code == _PROXY or int(handle.getinfo(pycurl.HTTP_CONNECTCODE)) >= _REFUSALS:
        return refused_by_proxy(url, proxy, why)
    has_stalled = code == pycurl.E_OPERATION_TIMEDOUT
    if not transfer.is_sent or code in _UNREACHED:
        waited = bounds.connect if has_stalled else 0.0
        return unreached(url, proxy, f"no answer within {waited:g} seconds" if has_stalled else why, waited=waited)
    if has_stalled:
        return stalled(url, bounds, has_begun=transfer.has_trickled)
    return violated_http_2(url, why) if code in _HTTP_2 else broken_off(url, why)


def _tls_error(transfer: Transfer, code: int, why: str) -> JmapsyncError:
    host = shown(urlsplit(transfer.url).netloc)
    if code != _UNTRUSTED:
        return not_tls(host)
    number = int(transfer.handle.getinfo(pycurl.SSL_VERIFYRESULT))
    # It compares names itself, without a number of OpenSSL's.
    return untrusted(OTHER_NAME if number <= _UNSPECIFIED else number, _FRAME.sub("", why), host)
