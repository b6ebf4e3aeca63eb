"""Ask the DNS, the domain, its configuration files and the list of providers for the JMAP server, all at the same time."""

from __future__ import annotations

import asyncio
import enum
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.errors import ConfigError, DiscoveryError, JmapsyncError
from jmapsync.jmap import discovery
from jmapsync.jmap.autodiscovery import autoconfig, pacc
from jmapsync.jmap.autodiscovery.providers import provider_of
from jmapsync.jmap.autodiscovery.visit import Visitor
from jmapsync.jmap.autodiscovery.well_known import Server, probe
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import USER_AGENT
from jmapsync.jmap.hosts import belongs_to, is_loopback
from jmapsync.jmap.media_types import ANYTHING, JSON
from jmapsync.jmap.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import httpx

SECONDS = 5.0
"""Timeout of each way, the server's own answer included."""
_MOST_TARGETS = 3
"""Targets of SRV records that are tried."""


class Way(enum.Enum):
    """How a server is searched for; the value is its name for people."""

    PROVIDER = "list of providers"
    SRV = "DNS (SRV record)"
    WELL_KNOWN = ".well-known/jmap"
    PACC = "PACC"
    AUTOCONFIG = "autoconfig"
    URL = "given URL"


_INSIDE = (Way.URL, Way.PROVIDER, Way.SRV, Way.WELL_KNOWN, Way.PACC, Way.AUTOCONFIG)
"""The order of preference; SRV before the domain itself (RFC 8620, section 2.2)."""
_OUTSIDE = (Way.URL, Way.PROVIDER, Way.WELL_KNOWN, Way.PACC, Way.AUTOCONFIG, Way.SRV)
"""The same for hosts outside the domain: the certificate of the domain proves every way but the DNS, which is seldom signed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one way led to."""

    way: Way
    server: Server | None = None
    why: str = ""
    """Why there is no server."""


@dataclass(slots=True)
class Discovery:
    """What all ways led to."""

    domain: str
    """The domain of the address, or the host of the URL that the user gave."""
    findings: list[Finding] = field(default_factory=list)

    def servers(self) -> list[Finding]:
        """Return one finding for each origin, best first: those inside the domain, then those outside."""
        found = [one for one in self.findings if one.server is not None]
        found.sort(key=lambda one: _rank(one, outside=self.needs_approval(one)))
        return list({str(one.server.origin): one for one in reversed(found) if one.server is not None}.values())[::-1]

    def needs_approval(self, finding: Finding) -> bool:
        """Return whether the user has to approve the host: it is outside the domain, and no known provider's for this domain."""
        if finding.server is None or finding.way is Way.PROVIDER:
            return False
        return not belongs_to(finding.server.origin.host, _host(self.domain))


def _rank(finding: Finding, *, outside: bool) -> tuple[bool, int]:
    order = _OUTSIDE if outside else _INSIDE
    return outside, order.index(finding.way)


async def search(
    address_or_url: str,
    *,
    on_finding: Callable[[Finding], None] = lambda _: None,
    seconds: float = SECONDS,
    inner: httpx.AsyncBaseTransport | None = None,
) -> Discovery:
    """Search for the server of an address, or ask the URL that the user gave; report each finding as it comes.

    Raise `DiscoveryError` for what is neither an address nor a host nor a URL, `ConfigError` for a proxy that cannot be used.
    """
    transport = Transport(user_agent=USER_AGENT, inner=inner, bounds=Bounds(silence=seconds, connect=seconds))
    tasks: list[asyncio.Future[Finding]] = []
    try:
        if discovery.is_url(address_or_url):
            [url] = await discovery.candidates(address_or_url)
            found = Discovery(urlsplit(url).hostname or "")
            ways: dict[Way, Awaitable[Server]] = {Way.URL: _at([url], Visitor(transport, local=True))}
        else:
            found = Discovery(discovery.domain_of(address_or_url))
            ways = _ways(address_or_url, found.domain, transport)
        tasks = [asyncio.ensure_future(_within(seconds, way, job)) for way, job in ways.items()]
        for coming in asyncio.as_completed(tasks):
            finding = await coming
            found.findings.append(finding)
            on_finding(finding)
    finally:
        for task in tasks:
            task.cancel()
        await transport.aclose()
    return found


def _ways(address: str, domain: str, transport: Transport) -> dict[Way, Awaitable[Server]]:
    """Return what asks each way that there is for a domain."""
    visitor = Visitor(transport, local=_is_local(_host(domain)))
    ways: dict[Way, Awaitable[Server]] = {}
    provider = provider_of(domain)
    if provider is not None:
        ways[Way.PROVIDER] = _at([provider.url.format(domain=domain)], visitor)
    ways[Way.WELL_KNOWN] = _at([f"https://{domain}{discovery.WELL_KNOWN}"], visitor)
    if _is_name(domain):
        ways[Way.SRV] = _by_srv(domain, visitor)
        ways[Way.PACC] = _by_pacc(domain, visitor)
        ways[Way.AUTOCONFIG] = _by_autoconfig(address, domain, visitor)
    return ways


async def _within(seconds: float, way: Way, job: Awaitable[Server]) -> Finding:
    try:
        async with asyncio.timeout(seconds):
            return Finding(way, await job)
    except TimeoutError:
        return Finding(way, why=f"no answer within {seconds:g} seconds")
    except ConfigError:
        raise
    except JmapsyncError as error:
        return Finding(way, why=error.message.rstrip("."))


async def _at(urls: Sequence[str], visitor: Visitor, users: Sequence[str] = ()) -> Server:
    """Return the first server among some URLs; raise the error of the first one if there is none."""
    failures: list[JmapsyncError] = []
    for number, url in enumerate(urls):
        try:
            return await probe(visitor, url, user=users[number] if users else "")
        except ConfigError:
            raise
        except JmapsyncError as error:
            failures.append(error)
    raise failures[0]


async def _by_srv(domain: str, visitor: Visitor) -> Server:
    targets = await discovery.srv_targets(f"_jmap._tcp.{domain}")
    if not targets:
        raise DiscoveryError("no record.")
    return await _at([discovery.url_at(host, port) for host, port in targets[:_MOST_TARGETS]], visitor)


async def _by_pacc(domain: str, visitor: Visitor) -> Server:
    fetched, records = await asyncio.gather(
        _fetch([pacc.url_of(domain)], visitor, JSON, pacc.OCTETS), discovery.resolve_txt(pacc.record_of(domain))
    )
    pacc.check_digest(fetched, records)
    return await _at([pacc.session_url(fetched)], visitor)


async def _by_autoconfig(address: str, domain: str, visitor: Visitor) -> Server:
    entries = autoconfig.servers(await _fetch(autoconfig.urls_of(domain), visitor, ANYTHING, autoconfig.OCTETS), address)
    return await _at([entry.session_url for entry in entries], visitor, [entry.user for entry in entries])


async def _fetch(urls: Sequence[str], visitor: Visitor, accept: str, most: int) -> bytes:
    """Return the content of the first URL that has one; they are asked at the same time."""

    async def fetch(url: str) -> bytes:
        reply = await visitor.get(url, accept=accept, most=most)
        if reply.status != 200:  # noqa: PLR2004
            raise DiscoveryError(f"{_host(urlsplit(reply.url).netloc)} answers with status {reply.status}.")
        return reply.body

    answers = await asyncio.gather(*(fetch(url) for url in urls), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, bytes):
            return answer
    first = answers[0]
    assert isinstance(first, BaseException)  # noqa: S101  # none of them is bytes
    raise first


def _host(domain: str) -> str:
    """Return the host of a domain that may have a port."""
    return urlsplit(f"//{domain}").hostname or ""


def _is_name(domain: str) -> bool:
    """Return whether there may be names below a domain: it is not an address, has no port and is not this machine."""
    host = _host(domain)
    return domain == host and not is_loopback(host) and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    """Return whether the user named this machine or an address themselves."""
    return is_loopback(host) or _is_address(host)
