"""Define what a sign-in by OAuth gives: tokens, and what is needed to refresh and revoke them."""

from __future__ import annotations

from typing import NoReturn

import msgspec

from jmapsync.jmap.decoding import DecodeError, decode_json

LIFETIME = 3600.0
"""Seconds that an access token is assumed to be valid where the server does not say (RFC 6749, section 5.1)."""


class OAuthClient(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A client as the authorization server knows it: registered at sign-in, or named by the configuration."""

    id: str
    secret: str = ""
    auth: str = "none"
    """How it authenticates: none, client_secret_basic or client_secret_post (RFC 7591, section 2)."""

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"OAuthClient({self.id!r})"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one account, bound to the server and the authorization server that were approved at sign-in."""

    server: str
    """URL or address of the account when it was signed in; the tokens are presented to no other."""
    issuer: str
    token_endpoint: str
    """The only place that the refresh token is sent to, beside `revocation_endpoint`."""
    revocation_endpoint: str = ""
    client: OAuthClient
    resource: str = ""
    """The protected resource that the tokens are for (RFC 8707)."""
    scopes: tuple[str, ...] = ()
    access_token: str
    refresh_token: str = ""
    expires_at: float
    """When the access token expires, in seconds since 1970, by the clock of this machine."""
    lifetime: float = LIFETIME
    """Seconds that the access token is valid from when it was issued."""
    refused: str = ""
    """Why the authorization server refused to refresh the tokens; empty while it did not."""

    def __repr__(self) -> str:
        """Return a text without tokens."""
        return f"Grant({self.issuer!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("A grant cannot be pickled.")

    def to_json(self) -> str:
        """Return the grant as JSON, to be stored."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Grant | None:
        """Return a stored grant; None for anything else."""
        try:
            grant: Grant = decode_json(text.encode(), cls)
        except DecodeError:
            return None
        return grant
