"""Build the credential of an account from wherever its secret is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.jmap.auth import (
    BasicCredential,
    BearerCredential,
    Secret,
    from_command,
    from_file,
    from_keyring,
    from_systemd_credential,
)

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig
    from jmapsync.jmap.auth import Credential

KEYRING_SERVICE = "jmapsync"
"""The name secrets are kept under in a keyring; the user name there is the account's name in the configuration."""


async def credential_for(account: AccountConfig) -> Credential:
    """Return what requests of an account present; raise `SignInError` where the secret cannot be had."""
    secret = await _secret_of(account)
    return BasicCredential(account.user, secret) if account.auth == "basic" else BearerCredential(secret)


async def _secret_of(account: AccountConfig) -> Secret:
    if account.password_command:
        return await from_command(account.password_command)
    if account.password_file is not None:
        return from_file(account.password_file)
    if account.credential:
        return from_systemd_credential(account.credential)
    if account.keyring:
        return await from_keyring(KEYRING_SERVICE, account.name)
    return Secret(account.password)
