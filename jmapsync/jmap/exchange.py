"""Send single HTTP requests: with the credential to approved hosts only, and again where time may mend a failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from jmapsync.errors import HostRefusedError, OutcomeUnknownError, Remedy, ServerError
from jmapsync.jmap.bounds import API_OCTETS, ERROR_OCTETS, TooLargeError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.media_types import ANYTHING
from jmapsync.jmap.retry_policy import Patience, Setback, judge
from jmapsync.jmap.session import resolve
from jmapsync.jmap.transport import BrokenOffError, Reply, Transport, UnreachedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    import httpx

    from jmapsync.errors import JmapsyncError
    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.request_limit import Lanes

_FIRST_CONTACT_ATTEMPTS = 3
"""A host that was never reached is probably misspelt or the network is down: its user should hear of it in seconds."""
_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_REDIRECTS_OF_A_POST = {307, 308}

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Exchange:
    """One credential's connections to the hosts that may be sent it."""

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

    async def ask(
        self,
        method: str,
        url: str,
        read: Callable[[Reply], T],
        *,
        purpose: str,
        lanes: Lanes | None = None,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], bytes | AsyncIterator[bytes]] | None = None,
        repeatable: bool = True,
        size_limit: str = "maxSizeRequest",
        most: int = API_OCTETS,
    ) -> T:
        """Send one request, again where that helps, and return what `read` makes of the answer.

        `read` may raise `ServerError` for an answer that makes no sense (a portal's HTML, a cut body); that is tried once
        more. `content` is called for each attempt. `purpose` says in the plural what a refused host would be sent.
        Raise what `persist` raises, and `SignInError`, `HostRefusedError` and `RequestError` at once; such is an answer of more
        than `most` octets, as less should have been asked for.
        """

        async def attempt() -> T:
            async with self._open(method, url, headers or {}, content, purpose) as response:
                try:
                    reply = await self.transport.read(response, most)
                except TooLargeError as error:
                    if not repeatable:
                        raise Setback(error, maybe_done=True) from error
                    raise RequestError("limit", limit="answer", message=error.message) from error
            judged = judge(reply, size_limit=size_limit)
            try:
                return read(judged)
            except ServerError as error:
                raise Setback(error, maybe_done=True, once=True) from error

        return await self.persist(attempt, lanes=lanes, repeatable=repeatable)

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, lanes: Lanes | None = None, repeatable: bool = True) -> T:
        """Run an attempt until it succeeds or patience runs out, and then raise the last one's error.

        Raise `OutcomeUnknownError` at once if an attempt that is not `repeatable` may have been acted upon.
        """
        patience = Patience(self._max_wait)
        while True:
            await self._cool_down()
            try:
                async with lanes or contextlib.nullcontext():
                    return await attempt()
            except (Setback, UnreachedError, BrokenOffError) as error:
                await self._recover(error, patience, lanes, repeatable=repeatable)

    async def stream(self, url: str, *, purpose: str, lanes: Lanes, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the body of a GET piece by piece; after a cut it is asked for again and what was already had is skipped.

        So what the URL names must never change, which holds for blobs (RFC 8620, section 6.2). Raise `TooLargeError` beyond
        so many octets.
        """
        patience = Patience(self._max_wait)
        had = 0
        while True:
            await self._cool_down()
            try:
                async with lanes, self._open("GET", url, {"Accept": ANYTHING}, None, purpose) as response:
                    if not response.is_success:
                        judge(await self.transport.read(response, ERROR_OCTETS))
                    skip = had
                    async with contextlib.aclosing(self.transport.pieces(response, most)) as pieces:
                        async for piece in pieces:
                            fresh = piece[skip:]
                            skip = max(0, skip - len(piece))
                            had += len(fresh)
                            if fresh:
                                yield fresh
            except (Setback, UnreachedError, BrokenOffError) as error:
                await self._recover(error, patience, lanes, repeatable=True)
            else:
                return

    @contextlib.asynccontextmanager
    async def listen(
        self, url: str, *, purpose: str, headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[Reply, AsyncGenerator[bytes, None]]]:
        """Open a GET whose answer has no end, over a connection of its own: its head, and each piece as it arrives.

        Nothing is tried again here. Raise `Setback` and what else `judge` raises, `HostRefusedError`, `NetworkError`.
        """
        transport = self.transport.apart()
        try:
            async with self._open("GET", url, headers, None, purpose, transport=transport) as response:
                if not response.is_success:
                    judge(await transport.read(response, ERROR_OCTETS))
                head = Reply(response.status_code, response.reason_phrase, response.headers, b"", str(response.url))
                async with contextlib.aclosing(transport.arrivals(response)) as arrivals:
                    yield head, arrivals
        finally:
            self.transport.requests += transport.requests
            await transport.aclose()

    def admit(self, url: str, *, purpose: str) -> dict[str, str]:
        """Return the headers for a connection that somebody else opens: credential and name of this client.

        `url` is http or https in place of another scheme. Raise `HostRefusedError` for a host that was not approved.
        """
        self.approval.check(url, purpose)
        return {"Authorization": self._credential.authorization(), "User-Agent": self.transport.user_agent}

    async def renew(self, shown: str, since: float) -> bool:
        """Get the secret anew after a refusal of what was `shown`; return whether another one is to be shown now.

        Requests that were under way together get it once: one begun before the last time, by the monotonic clock, does not do
        so again. Raise `SignInError` where the secret cannot be had.
        """
        async with self._renewing:
            if since > self._renewed_at:
                try:
                    await self._credential.renew()
                finally:
                    self._renewed_at = time.monotonic()
        return self._credential.authorization() != shown

    async def _recover(self, error: JmapsyncError | Setback, patience: Patience, lanes: Lanes | None, *, repeatable: bool) -> None:
        """Wait before the next attempt, or raise if there should be none."""
        setback = error if isinstance(error, Setback) else Setback(error, maybe_done=not isinstance(error, UnreachedError))
        if setback.maybe_done and not repeatable:
            raise OutcomeUnknownError(
                f"{setback.error.message.rstrip('.')}; whether the server did what was asked is unknown.",
                advice="The next look at the server tells.",
            ) from error
        if setback.narrow and lanes is not None:
            lanes.narrow()
        pause = patience.pause(setback)
        bounds = self.transport.bounds
        vain = patience.attempts >= _FIRST_CONTACT_ATTEMPTS or patience.waited >= bounds.connect
        if pause is None or (not self._reached and vain):
            raise setback.error from error
        if setback.shared:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        _log.debug("waiting %.1f s: %s", pause, setback.error.message)
        if self._on_wait is not None:
            self._on_wait(pause, setback.error.message)
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
        """Send the request along redirects between approved hosts; the credential is added for each hop anew.

        A secret that was refused is got anew once: an access token of another program's keeping runs out every hour.
        """
        transport = transport or self.transport
        renewed = False
        for _ in range(_MAX_REDIRECTS):
            self.approval.check(url, purpose)
            shown, begun = self._credential.authorization(), time.monotonic()
            sent = {**headers, "Authorization": shown}
            async with transport.open(method, url, sent, content() if content else None) as response:
                self._reached = True
                if response.status_code == HTTPStatus.UNAUTHORIZED and not renewed:
                    renewed = True
                    if await self.renew(shown, begun):
                        await transport.read(response, ERROR_OCTETS)
                        continue
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                await transport.read(response, ERROR_OCTETS)  # or the connection could not be used again
                url = _redirected(method, url, response, self.approval, purpose)
        raise ServerError(f"{Origin.of(url)} redirects in circles.")

    async def _cool_down(self) -> None:
        # Another request may have prolonged the pause meanwhile.
        while (left := self._not_before - time.monotonic()) > 0:  # noqa: ASYNC110  # a moment, not an event
            await asyncio.sleep(left)


def _redirected(method: str, url: str, response: httpx.Response, approval: Approval, purpose: str) -> str:
    """Return where a redirect leads if it may be followed."""
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
