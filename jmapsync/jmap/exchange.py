"""Send HTTP requests: with the credential to approved hosts only, and with retries after temporary failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from jmapsync.errors import HostRefusedError, OutcomeUnknownError, Remedy, ServerError, SignInError
from jmapsync.jmap.bounds import API_OCTETS, ERROR_OCTETS, TooLargeError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.media_types import ANYTHING
from jmapsync.jmap.retry_policy import RetryableError, RetryBudget, check_status
from jmapsync.jmap.session import resolve
from jmapsync.jmap.transport import BrokenOffError, Reply, Transport, UnreachedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    import httpx

    from jmapsync.errors import JmapsyncError
    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.request_limit import RequestLimit

_FIRST_CONTACT_ATTEMPTS = 3
"""A host that was never reached is probably misspelt or the network is down: the user should see an error within seconds."""
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
_REDIRECTS_OF_A_POST = {307, 308}

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Exchange:
    """Sends the requests of one credential."""

    def __init__(
        self,
        transport: Transport,
        credential: Credential,
        approval: Approval,
        *,
        on_wait: Callable[[float, str], None] | None,
        max_wait: float,
    ) -> None:
        self.transport = transport
        self.approval = approval
        self._credential = credential
        self._on_wait = on_wait
        self._max_wait = max_wait
        self._reached = False
        self._not_before = 0.0
        self._renewing = asyncio.Lock()
        self._renewed_at = 0.0

    async def send(
        self,
        method: str,
        url: str,
        read: Callable[[Reply], T],
        *,
        purpose: str,
        limit: RequestLimit | None = None,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], bytes | AsyncIterator[bytes]] | None = None,
        repeatable: bool = True,
        size_limit: str = "maxSizeRequest",
        most: int = API_OCTETS,
    ) -> T:
        """Send one request, with retries, and return the result of `read` for its response.

        `read` may raise `ServerError` for a malformed response (a portal's HTML, a truncated body), which is retried once.
        `content` is called for each attempt. `purpose` is a plural noun for errors: what is sent to the host.
        Raise what `with_retries` raises, and `SignInError`, `HostRefusedError` and `RequestError` at once; a response of more than
        `most` octets is a `RequestError`, as the request should have asked for less.
        """

        async def attempt() -> T:
            async with self._open(method, url, headers or {}, content, purpose) as response:
                try:
                    reply = await self.transport.read(response, most)
                except TooLargeError as error:
                    if not repeatable:
                        raise RetryableError(error, maybe_done=True) from error
                    raise RequestError("limit", limit="answer", message=error.message) from error
            judged = check_status(reply, size_limit=size_limit)
            try:
                return read(judged)
            except ServerError as error:
                raise RetryableError(error, maybe_done=True, once=True) from error

        return await self.with_retries(attempt, limit=limit, repeatable=repeatable)

    async def with_retries(
        self, attempt: Callable[[], Awaitable[T]], *, limit: RequestLimit | None = None, repeatable: bool = True
    ) -> T:
        """Retry until an attempt succeeds or the retry budget is spent, and then raise the last error.

        Raise `OutcomeUnknownError` at once if the server may have processed an attempt that is not `repeatable`.
        """
        patience = RetryBudget(self._max_wait)
        while True:
            await self._cool_down()
            try:
                async with limit or contextlib.nullcontext():
                    return await attempt()
            except (RetryableError, UnreachedError, BrokenOffError) as error:
                await self._recover(error, patience, limit, repeatable=repeatable)
            except SignInError as error:
                error.advice = error.advice or self._credential.advice
                raise

    async def stream(self, url: str, *, purpose: str, limit: RequestLimit, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the body of a GET in pieces; after a disconnect it is requested again and what was received is skipped.

        So the content of the URL must never change, which is true of blobs (RFC 8620, section 6.2). Raise `TooLargeError` beyond
        so many octets.
        """
        patience = RetryBudget(self._max_wait)
        had = 0
        while True:
            await self._cool_down()
            try:
                async with limit, self._open("GET", url, {"Accept": ANYTHING}, None, purpose) as response:
                    if not response.is_success:
                        check_status(await self.transport.read(response, ERROR_OCTETS))
                    skip = had
                    async with contextlib.aclosing(self.transport.pieces(response, most)) as pieces:
                        async for piece in pieces:
                            fresh = piece[skip:]
                            skip = max(0, skip - len(piece))
                            had += len(fresh)
                            if fresh:
                                yield fresh
            except (RetryableError, UnreachedError, BrokenOffError) as error:
                await self._recover(error, patience, limit, repeatable=True)
            else:
                return

    @contextlib.asynccontextmanager
    async def listen(
        self, url: str, *, purpose: str, headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[Reply, AsyncGenerator[bytes, None]]]:
        """Open an endless GET over its own connection; return its head, and each piece as it arrives.

        Does not retry. Raise `RetryableError` and what else `check_status` raises, `HostRefusedError`, `NetworkError`.
        """
        transport = self.transport.apart()
        try:
            async with self._open("GET", url, headers, None, purpose, transport=transport) as response:
                if not response.is_success:
                    check_status(await transport.read(response, ERROR_OCTETS))
                head = Reply(response.status_code, response.reason_phrase, response.headers, b"", str(response.url))
                async with contextlib.aclosing(transport.arrivals(response)) as arrivals:
                    yield head, arrivals
        finally:
            self.transport.requests += transport.requests
            await transport.aclose()

    async def admit(self, url: str, *, purpose: str) -> dict[str, str]:
        """Return the headers for a connection that the caller opens: credential and name of this client.

        `url` is http or https in place of another scheme. Raise `HostRefusedError` for a host that was not approved.
        """
        self.approval.check(url, purpose)
        await self._credential.ready(self.transport)
        return {"Authorization": self._credential.authorization(), "User-Agent": self.transport.user_agent}

    async def renew(self, shown: str, since: float) -> bool:
        """Read the secret again after the server refused `shown`; return whether it changed.

        Concurrent requests read it once: a request that began before the last reading, by the monotonic clock, does not read it
        again. Raise `SignInError` where the secret cannot be read.
        """
        async with self._renewing:
            if since > self._renewed_at:
                try:
                    await self._credential.renew(self.transport)
                finally:
                    self._renewed_at = time.monotonic()
        return self._credential.authorization() != shown

    async def _recover(
        self, error: JmapsyncError | RetryableError, patience: RetryBudget, limit: RequestLimit | None, *, repeatable: bool
    ) -> None:
        """Wait before the next attempt, or raise if there is none."""
        failure = (
            error if isinstance(error, RetryableError) else RetryableError(error, maybe_done=not isinstance(error, UnreachedError))
        )
        if failure.maybe_done and not repeatable:
            raise OutcomeUnknownError(
                f"{failure.error.message.rstrip('.')}; whether the server processed the request is unknown.",
                advice="The next run finds out.",
            ) from error
        if failure.lower_limit and limit is not None:
            limit.lower()
        pause = patience.pause(failure)
        bounds = self.transport.bounds
        vain = patience.attempts >= _FIRST_CONTACT_ATTEMPTS or patience.waited >= bounds.connect
        if pause is None or (not self._reached and vain):
            raise failure.error from error
        if failure.shared:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        _log.debug("waiting %.1f s: %s", pause, failure.error.message)
        if self._on_wait is not None:
            self._on_wait(pause, failure.error.message)
        await asyncio.sleep(pause)

    @contextlib.asynccontextmanager
    async def _open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Callable[[], bytes | AsyncIterator[bytes]] | None,
        purpose: str,
        *,
        transport: Transport | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send the request and follow redirects between approved hosts; the credential is added for each hop.

        After a refusal the secret is read again once: an access token that another program renews expires every hour.
        """
        transport = transport or self.transport
        renewed = False
        for _ in range(MAX_REDIRECTS):
            self.approval.check(url, purpose)
            await self._credential.ready(self.transport)
            shown, begun = self._credential.authorization(), time.monotonic()
            sent = {**headers, "Authorization": shown}
            async with transport.open(method, url, sent, content() if content else None) as response:
                self._reached = True
                if response.status_code == HTTPStatus.UNAUTHORIZED and not renewed:
                    renewed = True
                    if await self.renew(shown, begun):
                        await transport.read(response, ERROR_OCTETS)
                        continue
                if response.status_code not in REDIRECTS:
                    yield response
                    return
                await transport.read(response, ERROR_OCTETS)  # otherwise the connection could not be reused
                url = _redirected(method, url, response, self.approval, purpose)
        raise ServerError(f"{Origin.of(url)} redirects more than {MAX_REDIRECTS} times.")

    async def _cool_down(self) -> None:
        # Another request may have prolonged the pause while this one slept.
        while (left := self._not_before - time.monotonic()) > 0:  # noqa: ASYNC110  # a moment, not an event
            await asyncio.sleep(left)


def _redirected(method: str, url: str, response: httpx.Response, approval: Approval, purpose: str) -> str:
    """Return the target of a redirect if it may be followed."""
    came_from = Origin.of(url)
    target = resolve(url, response.headers.get("location", ""))
    if not target:
        raise ServerError(f"{came_from} redirects {purpose} to an address that cannot be used (status {response.status_code}).")
    try:
        goes_to = approval.check(target, purpose)
    except HostRefusedError as error:
        error.remedy = Remedy.LATER  # a captive portal does so, or a proxy before a server that is down
        raise
    if came_from.scheme == "https" and goes_to.scheme != "https":
        raise HostRefusedError(f"{came_from} redirects to an unencrypted address; the secret was not sent there.")
    if method != "GET" and response.status_code not in _REDIRECTS_OF_A_POST:
        raise ServerError(f"{came_from} redirects {purpose} (status {response.status_code}), which JMAP does not provide for.")
    return target
