"""Own the connections: the one place that knows httpx, and where its exceptions become ours.

HTTP/2 where the server offers it, one pool, certificates always verified. Redirects are not followed and no credential is added
here: `client` decides on both.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.errors import ConfigError, NetworkError
from jmapsync.jmap.hosts import is_loopback

# httpx imports its own command line with all of rich and pygments if it can: 45 ms of a run that may last 200. An entry of
# None makes that import fail, which httpx provides for.
if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # the documented way to make an import fail
import httpx

if sys.modules.get("httpx._main", sys) is None:
    del sys.modules["httpx._main"]
import httpcore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

# It writes every header of HTTP/2 into its debug log, the secret included.
logging.getLogger("hpack").setLevel(logging.INFO)

CONNECT_SECONDS = 30.0
READ_SECONDS = 120.0
"""How long a server may be silent; Cyrus is silent while it rebuilds a conversations database."""
KEPT_CONNECTIONS = 16
CHUNK = 1 << 18

# Every read passes through five layers; at 64 KB a read, as httpcore has it, that is a tenth of the time of a first pull.
httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = CHUNK


class UnreachedError(NetworkError):
    """The request never reached the server: it can be sent again whatever it asks for."""


class BrokenOffError(NetworkError):
    """The request may have reached the server, but no whole answer came."""


class UntrustedError(NetworkError):
    """The server's certificate could not be verified; trying again at once would change nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole answer to one HTTP request."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """Names compare without case."""
    body: bytes
    url: str


class Certificates:
    """What every server's certificate is verified against."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._loaded = False

    def load(self) -> None:
        """Read the machine's certificates, once; that takes 25 ms, so it is left to the first https request."""
        if self._loaded:
            return
        self.context.load_default_certs()  # SSL_CERT_FILE and SSL_CERT_DIR, else the machine's own
        if not self.context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
            import certifi  # noqa: PLC0415  # only for a machine without certificates

            self.context.load_verify_locations(certifi.where())
        self._loaded = True


class Transport:
    """One pool of connections, and the count of what went through it.

    Raise `ConfigError` for a proxy of the environment (HTTPS_PROXY, ALL_PROXY) that cannot be used.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        inner: httpx.AsyncBaseTransport | None = None,
        certificates: Certificates | None = None,
        patient: bool = False,
    ) -> None:
        self.user_agent = user_agent
        self.requests = 0
        self.received = 0
        """Octets of answers as they came over the wire, without headers."""
        self._certificates = certificates or Certificates()
        try:
            self._client = httpx.AsyncClient(
                http2=True,
                verify=self._certificates.context,
                transport=inner,
                # Plain http goes to this machine only, so never through a proxy of the environment.
                mounts={"http://": None} if inner is None else None,
                timeout=httpx.Timeout(READ_SECONDS, read=None if patient else READ_SECONDS, connect=CONNECT_SECONDS, pool=None),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=60),
                headers={"User-Agent": user_agent},
                follow_redirects=False,
            )
        except (ImportError, ValueError) as error:
            raise ConfigError([f"The environment names a proxy that cannot be used ({error})."]) from error

    @contextlib.asynccontextmanager
    async def open(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | AsyncIterator[bytes] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send one request and hand over the answer before its body is read.

        Raise `UnreachedError`, `BrokenOffError` or `UntrustedError`.
        """
        parts = urlsplit(url)
        if parts.scheme == "https":
            self._certificates.load()
        # Compressing costs both ends of a loopback connection more than it saves.
        encoding = "identity" if is_loopback(parts.hostname or "") else "gzip, deflate"
        request = self._client.build_request(method, url, headers={"Accept-Encoding": encoding, **headers}, content=content)
        self.requests += 1
        with _translated(url):
            response = await self._client.send(request, auth=None, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def read(self, response: httpx.Response) -> Reply:
        """Read the whole body of an opened answer; raise `BrokenOffError` if it is cut."""
        url = str(response.url)
        try:
            with _translated(url):
                body = await response.aread()
        finally:
            self.received += response.num_bytes_downloaded
        return Reply(response.status_code, response.reason_phrase, response.headers, body, url)

    async def pieces(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Yield the body of an opened answer piece by piece; raise `BrokenOffError` if it is cut."""
        before = 0
        with _translated(str(response.url)):
            async for piece in response.aiter_bytes(CHUNK):
                self.received += response.num_bytes_downloaded - before
                before = response.num_bytes_downloaded
                yield piece

    async def arrivals(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Yield the body of an opened answer without end, each piece as it arrives; raise `BrokenOffError` if it is cut."""
        with _translated(str(response.url)):
            async for piece in response.aiter_bytes():
                yield piece

    def apart(self) -> Transport:
        """Return another pool, with the same certificates, that waits for an answer's next octet as long as it takes.

        An answer without end would otherwise share its connection with requests (HTTP/2), and its death with them.
        """
        return Transport(user_agent=self.user_agent, certificates=self._certificates, patient=True)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


@contextlib.contextmanager
def _translated(url: str) -> Iterator[None]:
    host = urlsplit(url).netloc
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        untrusted = _certificate_failure(error)
        if untrusted is not None:
            raise UntrustedError(
                f"The certificate of {host} could not be verified ({untrusted.verify_message}).",
                advice="If the server has a certificate authority of its own, name its file in SSL_CERT_FILE.",
            ) from error
        raise UnreachedError(f"{host} could not be reached ({_told(error)}).", advice="Is the network up?") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise BrokenOffError(f"{host} stopped answering ({_told(error)}).") from error


def _certificate_failure(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _told(error: httpx.HTTPError | httpx.StreamError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no answer within {CONNECT_SECONDS:g} seconds"
    if isinstance(error, httpx.TimeoutException):
        return f"silent for {READ_SECONDS:g} seconds"
    return str(error).rstrip(".") or type(error).__name__
