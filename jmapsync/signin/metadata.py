"""Read and check the metadata of protected resources (RFC 9728) and authorization servers (RFC 8414, OpenID Connect Discovery).

Whatever a document says, tokens and codes go only to the issuer's own origin or to hosts that the user named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from jmapsync.errors import HostRefusedError, JmapsyncError, ServerError
from jmapsync.jmap.hosts import Origin, belongs_to, shown
from jmapsync.signin.requests import get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jmapsync.jmap.transport import Transport
    from jmapsync.signin.requests import Document

RESOURCE_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_SERVER_WELL_KNOWN = "/.well-known/oauth-authorization-server"
_OPENID_WELL_KNOWN = "/.well-known/openid-configuration"
_MOST_ISSUERS = 3
"""Authorization servers of one resource that are asked."""
CODE, REFRESH, DEVICE = "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"


class Resource(Struct, frozen=True):
    """A protected resource: what the server says of itself, of the scopes it knows, and who issues its tokens."""

    identifier: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...] | None
    """The scopes it knows; None where it does not list them."""


class Provider(Struct, frozen=True, kw_only=True):
    """An authorization server whose metadata was checked; an endpoint that it does not have is empty."""

    issuer: str
    resource: Resource
    token_endpoint: str
    authorization_endpoint: str = ""
    device_endpoint: str = ""
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    scopes: tuple[str, ...] | None = None
    grants: tuple[str, ...] | None = None
    client_auth: tuple[str, ...] | None = None
    names_issuer: bool = False
    """Whether its authorization responses name the issuer (RFC 9207), and one that does not is forged."""

    @property
    def host(self) -> str:
        """Return the host to name to people."""
        return str(Origin.of(self.issuer))


class Trust:
    """Decide whether an authorization server may sign the user in to a JMAP server.

    It may at the JMAP server's own host, below it, below the domain of the address, at a host of `trusted_hosts`, and where
    `approve`, which asks a person, says so.
    """

    def __init__(self, trusted_hosts: Iterable[str], domain: str, approve: Callable[[str, str], bool] | None) -> None:
        """Keep the rules; `approve` is given the host of the JMAP server and that of the authorization server."""
        self._trusted = {name.lower().removesuffix(":443").rstrip(".") for name in trusted_hosts}
        self._domain = domain
        self._approve = approve

    def names(self, origin: Origin) -> bool:
        """Return whether the user named this host."""
        return str(origin).lower() in self._trusted

    def check_issuer(self, issuer: str, server: str) -> None:
        """Raise `HostRefusedError` unless the issuer may sign the user in to the JMAP server at a URL."""
        origin, home = Origin.of(issuer), Origin.of(server)
        if origin == home or self.names(origin):
            return
        near = belongs_to(origin.host, home.host) or (bool(self._domain) and belongs_to(origin.host, self._domain))
        if near and (origin.scheme == "https" or home.scheme == "http"):
            return
        # A person could not distinguish the letters of a host outside ASCII from similar ones (RFC 5890).
        is_plain = origin.host.isascii() and origin.host.isprintable()
        if is_plain and self._approve is not None and self._approve(str(home), str(origin)):
            return
        raise HostRefusedError(
            f"{home} says that {origin} signs its users in, which was not approved.",
            advice=f'If you know that host as your provider\'s, add "{origin}" to trusted_hosts of the account.',
        )

    def endpoint(self, document: Document, name: str, issuer: Origin) -> str:
        """Return an endpoint of an authorization server, or nothing; raise `HostRefusedError` for one at another host."""
        url = document.text(name)
        if not url:
            return ""
        origin = Origin.of(url)
        if urlsplit(url).fragment or not url.isprintable():
            raise ServerError(f"{issuer} names an address that cannot be used: {shown(url)}.")
        if origin == issuer or self.names(origin):
            return url
        raise HostRefusedError(
            f"{issuer} names {origin.url} as its {name.replace('_', ' ')}, which was not approved.",
            advice=f'If you know that host as your provider\'s, add "{origin}" to trusted_hosts of the account.',
        )


async def read_resource(transport: Transport, server: str, named: str) -> Resource | None:
    """Return the metadata of the JMAP server at a URL; `named` is the `resource_metadata` of its 401, or empty.

    None where there is none. Raise `HostRefusedError` or `ServerError` for metadata of something else.
    """
    home = Origin.of(server)
    for url in [named] if named else [_well_known(server, RESOURCE_WELL_KNOWN), home.url + RESOURCE_WELL_KNOWN]:
        if Origin.of(url) != home:
            raise HostRefusedError(f"{home} names metadata for sign-in at {Origin.of(url).url}, which is not its own.")
        found = await get(transport, url)
        if found.is_success:
            break
    else:
        return None
    identifier = found.text("resource")
    # RFC 9728, section 3.3, wants the URL of the request, but Stalwart names its origin.
    if not identifier or Origin.of(identifier) != home:
        raise ServerError(f"{home} has metadata for sign-in to another server ({shown(identifier) or 'none'}), which is not used.")
    return Resource(identifier, (found.texts("authorization_servers") or ())[:_MOST_ISSUERS], found.texts("scopes_supported"))


async def read_provider(transport: Transport, resource: Resource, server: str, trust: Trust) -> Provider:
    """Return the first authorization server of a resource that can be used; raise why there is none.

    Raise `HostRefusedError`, `NetworkError` or `ServerError`.
    """
    failure: JmapsyncError = ServerError(f"{Origin.of(server)} names no authorization server.")
    for issuer in resource.issuers or (Origin.of(server).url,):
        try:
            trust.check_issuer(issuer, server)
            return await _read_issuer(transport, issuer, resource, trust)
        except JmapsyncError as error:
            failure = error
    raise failure


async def _read_issuer(transport: Transport, issuer: str, resource: Resource, trust: Trust) -> Provider:
    origin = Origin.of(issuer)
    if urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise ServerError(f"{shown(issuer)} cannot be the name of an authorization server (RFC 8414, section 2).")
    places = [
        _well_known(issuer, _SERVER_WELL_KNOWN),
        _well_known(issuer, _OPENID_WELL_KNOWN),
        issuer.rstrip("/") + _OPENID_WELL_KNOWN,
    ]
    for url in dict.fromkeys(places):
        found = await get(transport, url)
        if found.is_success:
            break
    else:
        raise ServerError(f"{origin} has no metadata of an authorization server (status {found.status}).")
    if found.text("issuer") != issuer:  # RFC 8414, section 3.3
        raise ServerError(
            f"The metadata of {shown(issuer)} is that of another server ({shown(found.text('issuer'))}); it is not used."
        )
    token_endpoint = trust.endpoint(found, "token_endpoint", origin)
    if not token_endpoint:
        raise ServerError(f"{origin} names no token endpoint.")
    methods = found.texts("code_challenge_methods_supported")
    can_browse = methods is None or "S256" in methods
    return Provider(
        issuer=issuer,
        resource=resource,
        token_endpoint=token_endpoint,
        authorization_endpoint=trust.endpoint(found, "authorization_endpoint", origin) if can_browse else "",
        device_endpoint=trust.endpoint(found, "device_authorization_endpoint", origin),
        registration_endpoint=trust.endpoint(found, "registration_endpoint", origin),
        revocation_endpoint=trust.endpoint(found, "revocation_endpoint", origin),
        scopes=found.texts("scopes_supported"),
        grants=found.texts("grant_types_supported"),
        client_auth=found.texts("token_endpoint_auth_methods_supported"),
        names_issuer=found.content.get("authorization_response_iss_parameter_supported") is True,
    )


def _well_known(url: str, path: str) -> str:
    """Return the well-known URL of an identifier: the path is put between host and path (RFC 8414, section 3.1)."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, path + parts.path.rstrip("/"), "", ""))
