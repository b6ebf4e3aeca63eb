"""Sign an account in and out, and list how each account signs in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from jmapsync.app.signin import PATIENCE, credential_of, patient_client, store_of
from jmapsync.errors import ConfigError, JmapsyncError, SignInError
from jmapsync.jmap.auth import BearerCredential, Secret
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import USER_AGENT
from jmapsync.jmap.transport import Transport
from jmapsync.signin.authorize import Person, Wish, sign_in
from jmapsync.signin.discover import discover
from jmapsync.signin.grant import Grant
from jmapsync.signin.token_requests import revoke

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from jmapsync.config import AccountConfig
    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.session import Session
    from jmapsync.signin.discover import Offer, Way
    from jmapsync.signin.store import Place

How = Literal["auto", "browser", "device", "token"]


class Visitor(Person, Protocol):
    """Whoever signs in, with what only a person can decide."""

    @property
    def can_browse(self) -> bool:
        """Return whether a browser can be opened here."""

    def approve(self, server: str, issuer: str) -> bool:
        """Return whether a host may sign the user in to another host."""

    def secret(self, question: str) -> str:
        """Return a password or an API token, typed without echo."""


class SignedIn(Struct, frozen=True):
    """What a sign-in led to."""

    account: str
    user: str
    """As the server names the user."""
    url: str
    place: Place
    """Where the sign-in is stored."""
    path: Path
    """The file, if it is stored in one."""


class SignedOut(Struct, frozen=True):
    """What signing out left undone, in sentences."""

    problem: str = ""
    """What failed."""
    remark: str = ""
    """What the server does not offer."""


async def offer_of(account: AccountConfig, visitor: Visitor | None = None) -> Offer:
    """Return how the server of an account lets people sign in; raise what `discover` raises."""
    async with _transport(account) as transport:
        return await _discover(account, transport, visitor)


async def login(account: AccountConfig, how: How, visitor: Visitor) -> SignedIn:
    """Sign an account in, prove it by reading the session, and store the sign-in; nothing is stored if the server refuses.

    Raise `ConfigError` where the account takes its secret from elsewhere, `SignInError`, `HostRefusedError`, `NetworkError`,
    `ServerError`, `DiscoveryError` or `LocalError`.
    """
    if how == "token" or (how == "auto" and account.auth != "oauth"):
        return await _login_by_secret(account, visitor)
    if account.auth != "oauth":
        raise ConfigError([f'{account.name} signs in by auth = "{account.auth}"; set auth = "oauth" to sign in by --{how}.'])
    async with _transport(account) as transport:
        offer = await _discover(account, transport, visitor)
        way = _choose(how, offer, visitor)
        wish = Wish(
            kinds=tuple(account.kinds) or ("mail", "contacts", "calendars"),
            client_id=account.client_id,
            client_secret=account.client_secret,
            scopes=account.scopes,
        )
        grant = await sign_in(offer, way, wish, visitor, transport)
        store = store_of(account)
        try:
            session = await _session(account, BearerCredential(Secret(grant.access_token)))
            async with store.locked():
                before = await _stored_grant(account)
                place = await store.store(grant)
        except BaseException:  # Ctrl-C too, while the keyring waits to be unlocked
            await _revoke(transport, grant)
            raise
        if before is not None:
            await _revoke(transport, before)
    return SignedIn(account.name, session.username, session.url, place, store.path)


async def logout(account: AccountConfig) -> SignedOut:
    """Revoke the sign-in of an account and forget it.

    Raise `ConfigError` where it takes its secret from elsewhere, `LocalError` where it cannot be forgotten.
    """
    if account.auth != "oauth" and not account.keyring:
        raise ConfigError([f"{account.name} takes its secret from {secret_source(account)}; jmapsync stores none."])
    store = store_of(account)
    async with store.locked():
        grant = await _stored_grant(account)
        await store.forget()
        if account.keyring:
            await store.forget_password()
    if grant is None:
        return SignedOut()
    async with _transport(account) as transport:
        return await _revoke(transport, grant)


async def _login_by_secret(account: AccountConfig, visitor: Visitor) -> SignedIn:
    if account.auth == "oauth":
        raise ConfigError([f'{account.name} signs in by OAuth; for an API token, set auth = "bearer" and keyring = true.'])
    if not account.keyring:
        source = secret_source(account)
        raise ConfigError(
            [f"{account.name} takes its secret from {source}; set keyring = true instead to have it stored by login."]
        )
    what = f"Password of {account.user}" if account.auth == "basic" else "API token"
    secret = visitor.secret(f"{what} for {account.server}")
    if not secret:
        raise SignInError("Nothing was typed.")
    session = await _session(account, credential_of(account, Secret(secret)))
    store = store_of(account)
    async with store.locked():
        place = await store.store(secret)
    return SignedIn(account.name, session.username, session.url, place, store.path)


def secret_source(account: AccountConfig) -> str:
    """Return the key of the configuration that names where an account's secret comes from."""
    if account.auth == "oauth":
        return "oauth"
    given = {
        "password_command": account.password_command,
        "password_file": account.password_file,
        "credential": account.credential,
        "keyring": account.keyring,
    }
    return next((name for name, value in given.items() if value), "password")


def describe(account: AccountConfig, title: str = "") -> dict[str, Any]:
    """Return how an account signs in and what it synchronizes, as the object of `accounts --json`; no secret is read.

    `title` is how the server names a shared account.
    """
    place: str | None = None
    if account.auth == "oauth" or account.keyring:
        try:
            place = store_of(account).place()
        except SignInError as error:
            place = str(error)
    shared = {"shared": {"id": account.account_id, "name": title}} if account.login_of is not None else {}
    return shared | {
        "server": account.server,
        "user": account.user,
        "auth": account.auth,
        "source": secret_source(account),
        "stored": place,
        "kinds": {kind: {"path": str(config.path), "direction": config.direction} for kind, config in account.kinds.items()},
    }


@asynccontextmanager
async def _transport(account: AccountConfig) -> AsyncIterator[Transport]:
    transport = Transport(user_agent=USER_AGENT, bounds=Bounds(silence=min(account.timeout, PATIENCE)))
    try:
        yield transport
    finally:
        await transport.aclose()


async def _discover(account: AccountConfig, transport: Transport, visitor: Visitor | None) -> Offer:
    return await discover(
        account.server,
        transport,
        trusted_hosts=account.trusted_hosts,
        has_client=bool(account.client_id),
        approve=visitor.approve if visitor is not None else None,
    )


def _choose(how: How, offer: Offer, visitor: Visitor) -> Way:
    ways = [way for way in offer.ways if way in {"browser", "device"}]
    if not ways:
        advice = "" if offer.provider is None else 'For an API token, set auth = "bearer" and keyring = true.'
        raise SignInError(offer.why_no_oauth, advice=advice)
    if how == "auto":
        how = "browser" if "browser" in ways and (visitor.can_browse or "device" not in ways) else "device"
    if how not in ways:
        raise SignInError(f"The server does not offer this sign-in; use --{ways[0]}.")
    return "browser" if how == "browser" else "device"


async def _session(account: AccountConfig, credential: Credential) -> Session:
    async with patient_client(account, credential) as client:
        return await client.session()


async def _stored_grant(account: AccountConfig) -> Grant | None:
    try:
        found = await store_of(account).load()
    except SignInError:  # it is replaced or deleted
        return None
    return found if isinstance(found, Grant) else None


async def _revoke(transport: Transport, grant: Grant) -> SignedOut:
    """Revoke the tokens of a grant."""
    if not grant.revocation_endpoint:
        return SignedOut(remark=f"{grant.issuer} offers no revocation: its tokens are valid until they expire.")
    try:
        if grant.refresh_token:
            await revoke(transport, grant.revocation_endpoint, grant.client, grant.refresh_token, "refresh_token")
        await revoke(transport, grant.revocation_endpoint, grant.client, grant.access_token, "access_token")
    except JmapsyncError as error:
        return SignedOut(
            problem=f"The tokens are forgotten here but not revoked: {error} End the sign-in on your provider's pages."
        )
    return SignedOut()
