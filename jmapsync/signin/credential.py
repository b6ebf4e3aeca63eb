"""Present the access token of a sign-in by OAuth, and refresh it: by one process at a time, and stored before it is used.

Authorization servers that rotate refresh tokens revoke the whole grant when one is used twice (RFC 9700, section 4.14). So the
answer to a refresh is made durable before anything else happens, cancellation included. A process that dies between the answer and
that moment leaves the old refresh token, which is tried once more: some servers accept it for a while, others want a new sign-in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from jmapsync.errors import LocalError, NetworkError, ServerError, SignInError
from jmapsync.jmap.replies import UnreachedError
from jmapsync.signin.grant import Grant
from jmapsync.signin.metadata import REFRESH
from jmapsync.signin.scopes import missing_kinds
from jmapsync.signin.token_requests import RefusedError, Tokens, ask_tokens
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jmapsync.jmap.transport import Transport
    from jmapsync.signin.store import SignInStore

EARLY = 60.0
"""Seconds before its end at which a token is refreshed, at most a tenth of its lifetime."""
_RETRY = 30.0
"""Seconds after a failed refresh in which a token that is still valid is used without another attempt."""

_FINAL = {"invalid_grant", "invalid_client", "unauthorized_client"}
"""The errors after which the same refresh token is never sent again (RFC 6749, section 5.2)."""

_log = logging.getLogger(__name__)


class OAuthCredential:
    """The access token of one account, as `jmap.auth.Credential`."""

    def __init__(self, account: str, store: SignInStore, grant: Grant, clock: Callable[[], float] = time.time) -> None:
        """Present a grant that was read from the store."""
        self._account = account
        self._store = store
        self._grant = grant
        self._clock = clock
        self._version = (0, 0)
        self._refreshing = asyncio.Lock()
        self._not_before = 0.0

    @classmethod
    async def load(cls, account: str, store: SignInStore, server: str, clock: Callable[[], float] = time.time) -> OAuthCredential:
        """Return the credential of what is stored; raise `SignInError` unless that is a usable grant for this server."""
        found = await store.load()
        if not isinstance(found, Grant):
            raise _missing(account)
        credential = cls(account, store, msgspec.structs.replace(found, server=server), clock)
        await credential._adopt()
        return credential

    def authorization(self) -> str:
        """Return the value of the Authorization header."""
        return f"Bearer {self._grant.access_token}"

    @property
    def advice(self) -> str:
        """Return what to do where the server refuses the token."""
        return f"Sign in again: {command('login', self._account)}"

    def uncovered(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds that were not asked for when the account was signed in."""
        return missing_kinds(kinds, self._grant.scopes)

    async def ready(self, transport: Transport) -> None:
        """Adopt what another process stored, and refresh a token that expires soon; raise `SignInError` where there is none.

        A temporary failure is not raised while the token is valid.
        """
        if self._store.version() != self._version:
            await self._adopt()
        left = self._grant.expires_at - self._clock()
        if left > min(EARLY, self._grant.lifetime / 10) or (left > 0 and time.monotonic() < self._not_before):
            return
        try:
            await self._refresh(transport, self._grant.access_token)
        except (NetworkError, ServerError, LocalError) as error:
            if left <= 0:
                raise
            self._not_before = time.monotonic() + _RETRY
            _log.info("%s: the access token was not refreshed yet: %s", self._account, error)

    async def renew(self, transport: Transport) -> None:
        """Refresh the token that the server just refused; raise `SignInError` where that needs a person, or a temporary error."""
        await self._refresh(transport, self._grant.access_token)

    async def _refresh(self, transport: Transport, refused: str) -> None:
        """Refresh, unless another process already replaced the token; a cancellation waits until the answer is stored."""
        task = asyncio.ensure_future(self._refresh_once(transport, refused))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.debug("%s: the refresh failed while the program ended: %s", self._account, type(error).__name__)
            raise

    async def _refresh_once(self, transport: Transport, refused: str) -> None:
        async with self._refreshing, self._store.locked():
            await self._adopt()
            grant = self._grant
            if grant.access_token != refused and grant.expires_at > self._clock():
                return
            if not grant.refresh_token:
                raise SignInError(
                    f"The sign-in of {self._account} has ended, and the server gave no means to renew it.", advice=self.advice
                )
            self._store.reserve()
            try:
                tokens = await self._ask(transport, grant)
            except RefusedError as error:
                if error.code in _FINAL:
                    await self._keep(msgspec.structs.replace(grant, refused=error.message))
                raise self._ended(error.message) from None
            await self._keep(_renewed(grant, tokens, self._clock()))

    async def _ask(self, transport: Transport, grant: Grant) -> Tokens:
        fields = {"grant_type": REFRESH, "refresh_token": grant.refresh_token, "resource": grant.resource}
        try:
            return await ask_tokens(transport, grant.token_endpoint, grant.client, fields)
        except UnreachedError:
            raise
        except NetworkError as error:
            # The server may have answered. Those that accept a used refresh token again do so for seconds only.
            _log.info("%s: the refresh is repeated at once: %s", self._account, error.message)
            return await ask_tokens(transport, grant.token_endpoint, grant.client, fields)

    async def _keep(self, grant: Grant) -> None:
        await self._store.update(grant)
        self._grant, self._version = grant, self._store.version()

    async def _adopt(self) -> None:
        """Read the stored grant; raise `SignInError` where there is none any more, or it was refused."""
        version = self._store.version()
        found = await self._store.load()
        if not isinstance(found, Grant):
            raise _missing(self._account)
        if found.server != self._grant.server:
            raise SignInError(f"{self._account} was signed in to another server ({found.server}).", advice=self.advice)
        self._grant, self._version = found, version
        if found.refused:
            raise self._ended(found.refused)

    def _ended(self, why: str) -> SignInError:
        return SignInError(f"The sign-in of {self._account} has ended: {why}", advice=self.advice)

    def __repr__(self) -> str:
        """Return a text without tokens."""
        return f"OAuthCredential({self._account!r})"


def _missing(account: str) -> SignInError:
    return SignInError(f"{account} is not signed in.", advice=f"Sign in: {command('login', account)}")


def _renewed(grant: Grant, tokens: Tokens, now: float) -> Grant:
    """Return the grant after a refresh; a server that does not rotate refresh tokens sends none."""
    return msgspec.structs.replace(
        grant,
        access_token=tokens.access,
        refresh_token=tokens.refresh or grant.refresh_token,
        scopes=tokens.scopes or grant.scopes,
        expires_at=now + tokens.lifetime,
        lifetime=tokens.lifetime,
    )
