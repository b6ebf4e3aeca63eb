"""Build the credential of an account from wherever its secret is stored, and a client that presents it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.jmap.auth import (
    BasicCredential,
    BearerCredential,
    Secret,
    from_command,
    from_file,
    from_systemd_credential,
)
from jmapsync.text import command

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig
    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.client import Client
    from jmapsync.signin.store import SignInStore

PATIENCE = 20.0
"""Seconds that somebody who waits at the terminal is kept waiting by a busy server."""


def store_of(account: AccountConfig) -> SignInStore:
    """Return the store of an account's sign-in."""
    from jmapsync.signin.store import SignInStore  # noqa: PLC0415  # only who signed in by `login` has one

    return SignInStore(account.login.state_dir, account.login.name)


async def credential_for(account: AccountConfig) -> Credential:
    """Return what requests of an account present; raise `SignInError` where there is none."""
    account = account.login
    if account.auth == "oauth":
        from jmapsync.signin.credential import OAuthCredential  # noqa: PLC0415  # as above

        return await OAuthCredential.load(account.name, store_of(account), account.server)
    return credential_of(account, await _secret_of(account))


def credential_of(account: AccountConfig, secret: Secret) -> Credential:
    """Return what requests of an account present, with a password or an API token."""
    name = account.name
    advice = (
        f"To store another one: {command('login', name)}" if account.keyring else f"Check both, then run: {command('check', name)}"
    )
    if account.auth == "basic":
        return BasicCredential(account.user, secret, advice=advice)
    return BearerCredential(secret, advice=advice)


def patient_client(account: AccountConfig, credential: Credential) -> Client:
    """Return a client of an account for somebody who waits at the terminal."""
    from jmapsync.jmap.bounds import Bounds  # noqa: PLC0415  # who needs the credential alone has no use for it
    from jmapsync.jmap.client import Client  # noqa: PLC0415  # as above

    return Client(
        account.server,
        credential,
        trusted_hosts=account.trusted_hosts,
        max_wait=PATIENCE,
        bounds=Bounds(silence=account.timeout),
    )


async def _secret_of(account: AccountConfig) -> Secret:
    if account.password_command:
        return await from_command(account.password_command)
    if account.password_file is not None:
        return from_file(account.password_file)
    if account.credential:
        return from_systemd_credential(account.credential)
    if account.keyring:
        return await store_of(account).secret()
    return Secret(account.password)
