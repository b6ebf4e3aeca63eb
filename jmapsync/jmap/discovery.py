"""Find the URL of the JMAP session for an address, a host or a URL (RFC 8620, section 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jmapsync.errors import DiscoveryError, HostRefusedError
from jmapsync.jmap.hosts import Approval, Origin, belongs_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Resolver = Callable[[str], Awaitable[list[tuple[str, int]]]]

WELL_KNOWN = "/.well-known/jmap"
SRV_SECONDS = 5.0
"""Timeout of the query for an SRV record; without an answer the domain itself is tried."""


def is_url(address: str) -> bool:
    """Return whether a string is a URL, not an address or a host."""
    return "://" in address


def domain_of(address: str) -> str:
    """Return the domain (and port, if one is given) of an address or a host, in its ASCII form.

    Raise `DiscoveryError` if there is none.
    """
    domain = address.rpartition("@")[2].strip().rstrip(".")
    try:
        parts = urlsplit(f"//{domain}")
        name, port = parts.hostname or "", parts.port
        if not name.isascii():
            import idna  # noqa: PLC0415  # rarely needed

            name = idna.encode(name, uts46=True).decode("ascii")
    except ValueError as error:  # idna.IDNAError is one
        raise DiscoveryError(f"{address!r} is neither a mail address nor a host nor a URL.") from error
    if not name or parts.netloc != domain or any(char.isspace() for char in domain):
        raise DiscoveryError(f"{address!r} is neither a mail address nor a host nor a URL.")
    if ":" in name:
        name = f"[{name}]"
    return name if port is None else f"{name}:{port}"


async def candidates(address_or_url: str, resolver: Resolver | None = None) -> list[str]:
    """Return the URLs to try, best first: a full URL as it is, else what SRV records name, else the domain itself.

    `resolver` maps a name such as `_jmap._tcp.example.com` to (host, port) pairs in order of preference, and may raise
    `DiscoveryError` if the domain says that it has no such service. Fastmail needs the SRV record: its domain's own
    well-known URL is a 404.
    """
    if is_url(address_or_url):
        has_path = urlsplit(address_or_url).path.strip("/")
        return [address_or_url if has_path else address_or_url.rstrip("/") + WELL_KNOWN]
    domain = domain_of(address_or_url)
    found = [] if ":" in domain else await (resolver or resolve_srv)(f"_jmap._tcp.{domain}")
    urls = [url_at(host, port) for host, port in found]
    return list(dict.fromkeys([*urls, f"https://{domain}{WELL_KNOWN}"]))


def url_at(host: str, port: int) -> str:
    """Return the URL to try at a target of an SRV record."""
    return f"https://{host if port == 443 else f'{host}:{port}'}{WELL_KNOWN}"  # noqa: PLR2004


def approve(approval: Approval, address_or_url: str, url: str) -> bool:
    """Approve the origin of a session's URL for the credential if the configuration names it; return whether it did.

    It does by the configured URL, by the domain of the address and its subdomains, and by `trusted_hosts`. An SRV record alone
    proves nothing, because DNS is seldom signed.
    """
    if is_url(address_or_url):
        approval.set_home(address_or_url)
        return approval.approves(url)
    origin = Origin.of(url)
    inside = belongs_to(origin.host, urlsplit(f"//{domain_of(address_or_url)}").hostname or "")
    if inside and origin.scheme == "https":
        approval.set_home(url)
    return inside or approval.trusts(origin)


def unverified(address: str, url: str) -> HostRefusedError:
    """Return the error for a host that only DNS says serves an address."""
    origin = Origin.of(url)
    return HostRefusedError(
        f"The domain name system says that {address} is served by {origin}, which cannot be verified.",
        advice=f'If you know that host as your provider\'s, add "{origin}" to trusted_hosts of the account.',
    )


class UnansweredError(DiscoveryError):
    """The name servers gave no answer."""


async def resolve_srv(name: str) -> list[tuple[str, int]]:
    """Return the targets of an SRV record as `srv_targets` does; none if there is no usable answer."""
    try:
        return await srv_targets(name)
    except UnansweredError:
        return []


async def srv_targets(name: str) -> list[tuple[str, int]]:
    """Return the targets of an SRV record (RFC 2782) by priority, then weight; none if there is no record.

    Raise `UnansweredError`, and `DiscoveryError` if the record says that there is no such service.
    """
    records = sorted(await _records(name, "SRV"), key=lambda record: (record.priority, -record.weight))
    targets = [(record.target.to_text(omit_final_dot=True), record.port) for record in records]
    if targets and all(host in {"", "."} for host, _ in targets):
        raise DiscoveryError(f"The domain {name.removeprefix('_jmap._tcp.')} says that it offers no JMAP (SRV record).")
    return [(host, port) for host, port in targets if host not in {"", "."}]


async def resolve_txt(name: str) -> list[str]:
    """Return the TXT records of a name (RFC 1035, 3.3.14), the strings of each joined; none if there is no usable answer."""
    try:
        return [b"".join(record.strings).decode("utf-8", "replace") for record in await _records(name, "TXT")]
    except UnansweredError:
        return []


async def _records(name: str, kind: str) -> list[Any]:
    """Return the records of a name, none if it has none; raise `UnansweredError`."""
    # Imported here because it costs 100 ms, and only a first sign-in by address needs it.
    import dns.asyncresolver  # noqa: PLC0415
    import dns.exception  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    try:
        return list(await dns.asyncresolver.resolve(name, kind, lifetime=SRV_SECONDS))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise UnansweredError("The name servers gave no answer.") from error
