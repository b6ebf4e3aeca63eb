"""Find out how a JMAP server lets people sign in: what it offers without a credential, and who issues its tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from jmapsync.errors import DiscoveryError, JmapsyncError, ServerError
from jmapsync.jmap import discovery
from jmapsync.jmap.autodiscovery.visit import follow
from jmapsync.jmap.autodiscovery.well_known import require_session
from jmapsync.jmap.bounds import SESSION_OCTETS
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.media_types import JSON
from jmapsync.jmap.replies import UnreachedError
from jmapsync.jmap.session import resolve
from jmapsync.signin.challenges import challenges
from jmapsync.signin.metadata import CODE, DEVICE, Resource, Trust, read_provider, read_resource
from jmapsync.signin.requests import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.jmap.replies import Reply
    from jmapsync.jmap.transport import Transport
    from jmapsync.signin.metadata import Provider

Way = Literal["browser", "device", "bearer", "basic"]
"""How to sign in: OAuth in a browser, OAuth by a code typed on another device, an API token, user name and password."""


class Offer(Struct, frozen=True, kw_only=True):
    """The ways that a server offers, best first."""

    server: str
    """The URL or address that was asked."""
    url: str
    """The URL of its session."""
    ways: tuple[Way, ...]
    provider: Provider | None = None
    """Who issues tokens by OAuth; None where nobody does."""
    why_no_oauth: str = ""
    """Why OAuth cannot be used, in sentences; empty where it can."""


async def discover(
    server: str,
    transport: Transport,
    *,
    trusted_hosts: Sequence[str] = (),
    has_client: bool = False,
    approve: Callable[[str, str], bool] | None = None,
    resolver: discovery.Resolver | None = None,
) -> Offer:
    """Return how a server, a URL or an address, lets people sign in; no credential is sent.

    `has_client` says that the configuration names a client id, so that the server need not offer registration. `approve` is asked
    whether a host other than the server's may sign the user in: see `Trust`. Raise `DiscoveryError`, `HostRefusedError`,
    `NetworkError` or `ServerError` where the server itself is not found.
    """
    reply = await _first_answer(server, transport, trusted_hosts, resolver)
    schemes = challenges(reply.headers.get("www-authenticate", "")) if reply.status == 401 else []  # noqa: PLR2004
    named = next((resolve(reply.url, one["resource_metadata"]) for _, one in schemes if "resource_metadata" in one), "")
    provider, why = None, "The server offers no sign-in by OAuth."
    domain = "" if discovery.is_url(server) else urlsplit(f"//{discovery.domain_of(server)}").hostname or ""
    try:
        provider = await _provider(transport, reply.url, named, Trust(trusted_hosts, domain, approve))
    except JmapsyncError as error:
        why = str(error)
    ways: list[Way] = []
    if provider is not None:
        ways += _ways_of(provider, has_client=has_client)
        why = "" if ways else _unusable(provider)
    named_schemes = [scheme for scheme, _ in schemes]
    ways += [way for way in ("bearer", "basic") if way in named_schemes or not named_schemes]
    return Offer(server=server, url=reply.url, ways=tuple(ways), provider=provider, why_no_oauth=why)


async def _provider(transport: Transport, url: str, named: str, trust: Trust) -> Provider | None:
    """Return the authorization server of the JMAP server at a URL, whose 401 named metadata or not; None where there is none."""
    resource = await read_resource(transport, url, named)
    if resource is not None:
        return await read_provider(transport, resource, url, trust)
    try:  # without RFC 9728, the JMAP server may be the authorization server itself
        return await read_provider(transport, Resource("", (Origin.of(url).url,), None), url, trust)
    except ServerError:
        return None


def _ways_of(provider: Provider, *, has_client: bool) -> list[Way]:
    if not (has_client or provider.registration_endpoint):
        return []
    ways: list[Way] = []
    if provider.authorization_endpoint and (provider.grants is None or CODE in provider.grants):
        ways.append("browser")
    if provider.device_endpoint and (provider.grants is None or DEVICE in provider.grants):
        ways.append("device")
    return ways


def _unusable(provider: Provider) -> str:
    if not provider.registration_endpoint:
        return f"{provider.host} does not register clients by itself; ask its administrator for a client id and set client_id."
    return f"{provider.host} offers neither the authorization code with PKCE (S256) nor the device grant."


async def _first_answer(
    server: str, transport: Transport, trusted_hosts: Sequence[str], resolver: discovery.Resolver | None
) -> Reply:
    """Return what the first candidate that is a JMAP server answers to a request without a credential."""
    failures: list[JmapsyncError] = []
    for url in await discovery.candidates(server, resolver):
        approval = Approval(trusted_hosts)
        if not discovery.approve(approval, server, url):
            raise discovery.unverified(server, url)
        try:
            reply = await follow(
                url,
                partial(approval.check, purpose="session requests"),
                partial(fetch, transport, "GET", headers={"Accept": JSON}, most=SESSION_OCTETS),
            )
            require_session(reply)
        except (UnreachedError, DiscoveryError, ServerError) as error:
            failures.append(error)
        else:
            return reply
    if all(isinstance(failure, UnreachedError) for failure in failures):
        raise failures[0]
    raise DiscoveryError(
        f"No JMAP server was found for {server}. {' '.join(failure.message for failure in failures)}",
        advice="If you know where its JMAP session is, set url.",
    )
