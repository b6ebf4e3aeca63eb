"""Send HTTP requests: with the credential to approved hosts only, and with retries after temporary failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from jmapsync.errors import HostRefusedError, OutcomeUnknownError, Remedy, ServerError, SignInError
from jmapsync.jmap.bounds import API_OCTETS, ERROR_OCTETS, TooLargeError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.media_types import ANYTHING
from jmapsync.jmap.replies import BrokenOffError, Reply, UnreachedError
from jmapsync.jmap.retry_policy import RetryableError, RetryBudget, check_status
from jmapsync.jmap.session import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from jmapsync.errors import JmapsyncError
    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.content import FileContent
    from jmapsync.jmap.replies import Sink
    from jmapsync.jmap.request_limit import RequestLimit
    from jmapsync.jmap.transport import Transport

_FIRST_CONTACT_ATTEMPTS = 3
"""A host that was never reached is probably misspelt or the network is down: the user should see an error within seconds."""
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
_REDIRECTS_OF_A_POST = {307, 308}

STREAMS = 100
"""Downloads at a time where HTTP/2 carries them in one connection."""
_ANYTHING = {"Accept": ANYTHING}
_SHORT_PAUSE = 10.0

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
        content: bytes | FileContent | None = None,
        repeatable: bool = True,
        size_limit: str = "maxSizeRequest",
        most: int = API_OCTETS,
        many: bool = False,
        is_patient: bool = True,
    ) -> T:
        """Send one request, with retries, and return the result of `read` for its response.

        `read` may raise `ServerError` for a malformed response (a portal's HTML, a truncated body), which is retried once.
        `purpose` is a plural noun for errors: what is sent to the host. `many` lets libcurl carry a request that may be repeated.
        One that is not patient is tried once.
        Raise what `with_retries` raises, and `SignInError`, `HostRefusedError` and `RequestError` at once; a response of more than
        `most` octets is a `RequestError`, as the request should have asked for less.
        """

        async def attempt() -> T:
            request = _Request(method, url, headers or {}, content, purpose)
            try:
                reply = await self._fetch(request, None, most, many=many and repeatable)  # libcurl repeats by itself
            except TooLargeError as error:
                if not repeatable:
                    raise RetryableError(error, maybe_done=True) from error
                raise RequestError("limit", limit="answer", message=error.message) from error
            judged = check_status(reply, size_limit=size_limit)
            try:
                return read(judged)
            except ServerError as error:
                raise RetryableError(error, maybe_done=True, once=True) from error

        return await self.with_retries(attempt, limit=limit, repeatable=repeatable, is_patient=is_patient)

    async def download(
        self, url: str, sink: Sink, *, purpose: str, limit: RequestLimit, most: int, many: bool = False, is_checked: bool = True
    ) -> None:
        """Give the body of a GET to `sink` in pieces; after a disconnect it is requested again and what was received is skipped.

        So the content of the URL must never change, which is true of blobs (RFC 8620, section 6.2). `many` says that it is one of
        many, `is_checked` that the caller checks the number of octets. Raise `TooLargeError` beyond so many octets, and what `send`
        and the sink raise.
        """
        had = 0
        request = _Request("GET", url, _ANYTHING, None, purpose)

        async def attempt() -> None:
            skip = had

            def take(piece: bytes) -> None:
                nonlocal had, skip
                fresh = piece[skip:] if skip else piece
                skip = max(0, skip - len(piece))
                if fresh:
                    had += len(fresh)
                    sink(fresh)

            reply = await self._fetch(request, take, most, many=many)
            check_status(reply)
            if reply.is_multiplexed:
                limit.widen(STREAMS)
            if many and not is_checked and reply.is_multiplexed and "content-length" not in reply.headers:
                # libcurl takes what came for whole where a stream ends by RST_STREAM with NO_ERROR, as Envoy
                # ends it when the server behind it dies. httpx does not; what is there already is skipped.
                skip = had
                check_status(await self._fetch(request, take, most, many=False))

        await self.with_retries(attempt, limit=limit)

    async def with_retries(
        self,
        attempt: Callable[[], Awaitable[T]],
        *,
        limit: RequestLimit | None = None,
        repeatable: bool = True,
        is_patient: bool = True,
    ) -> T:
        """Retry until an attempt succeeds or the retry budget is spent, and then raise the last error.

        Raise `OutcomeUnknownError` at once if the server may have processed an attempt that is not `repeatable`.
        """
        patience = RetryBudget(self._max_wait if is_patient else 0.0)
        while True:
            await self._cool_down()
            try:
                async with limit or contextlib.nullcontext():
                    return await attempt()
            except (RetryableError, UnreachedError, BrokenOffError) as error:
                if not is_patient:
                    self._note_pause(error)
                await self._recover(error, patience, limit, repeatable=repeatable)
            except SignInError as error:
                error.advice = error.advice or self._credential.advice
                raise

    @contextlib.asynccontextmanager
    async def listen(
        self, url: str, *, purpose: str, headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[Reply, AsyncGenerator[bytes, None]]]:
        """Open an endless GET over its own connection; return its head, and each piece as it arrives.

        Does not retry. Raise `RetryableError` and what else `check_status` raises, `HostRefusedError`, `NetworkError`.
        """
        transport = self.transport.apart()
        try:
            hops = _Hops(self, _Request("GET", url, headers, None, purpose))
            while True:
                sent = await hops.headers()
                async with transport.open("GET", hops.url, sent) as response:
                    if response.is_success:
                        head = Reply(response.status_code, response.reason_phrase, response.headers, b"", str(response.url))
                        async with contextlib.aclosing(transport.arrivals(response)) as arrivals:
                            yield head, arrivals
                        return
                    reply = await transport.read(response, ERROR_OCTETS)
                if not await hops.go_on(reply):
                    check_status(reply)
        finally:
            await transport.aclose()

    async def admit(self, url: str, *, purpose: str) -> dict[str, str]:
        """Return the headers for a connection that the caller opens: credential and name of this client.

        `url` is http or https in place of another scheme. Raise `HostRefusedError` for a host that was not approved.
        """
        self.approval.check(url, purpose)
        await self._credential.ready(self.transport)
        return {"Authorization": self._credential.authorization(), "User-Agent": self.transport.user_agent}

    async def authorization(self) -> str:
        """Return the value of the Authorization header, for approved hosts only."""
        await self._credential.ready(self.transport)
        return self._credential.authorization()

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

    def _note_pause(self, error: JmapsyncError | RetryableError) -> None:
        """Have other requests respect the pause that a server asks one for that is not repeated, but not for long.

        It may concern that request alone.
        """
        if isinstance(error, RetryableError) and error.retry_after is not None:
            self._not_before = max(self._not_before, time.monotonic() + min(error.retry_after, _SHORT_PAUSE))

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

    async def _fetch(self, request: _Request, sink: Sink | None, most: int, *, many: bool) -> Reply:
        """Send the request and follow redirects between approved hosts; return the last reply, whatever its status."""
        transport = self.transport.for_many() if many else self.transport
        hops = _Hops(self, request)
        while True:
            reply = await transport.fetch(request.method, hops.url, await hops.headers(), request.content, sink, most=most)
            self._reached = True
            if (200 <= reply.status < 300) or not await hops.go_on(reply):  # noqa: PLR2004
                return reply

    async def _cool_down(self) -> None:
        # Another request may have prolonged the pause while this one slept.
        while (left := self._not_before - time.monotonic()) > 0:  # noqa: ASYNC110  # a moment, not an event
            await asyncio.sleep(left)


class _Request(Struct, frozen=True):
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | FileContent | None
    purpose: str


class _Hops:
    """The addresses that one request goes to, each of which is approved before it is sent the credential.

    After a refusal the secret is read again once: an access token that another program renews expires every hour.
    """

    def __init__(self, exchange: Exchange, request: _Request) -> None:
        self.url = request.url
        self._exchange = exchange
        self._request = request
        self._left = MAX_REDIRECTS
        self._renewed = False
        self._shown = ""
        self._begun = 0.0

    async def headers(self) -> dict[str, str]:
        """Return the headers for the present address, the credential included. Raise `HostRefusedError` if it is not approved."""
        self._exchange.approval.check(self.url, self._request.purpose)
        self._shown, self._begun = await self._exchange.authorization(), time.monotonic()
        return {**self._request.headers, "Authorization": self._shown}

    async def go_on(self, reply: Reply) -> bool:
        """Return whether the request is to be sent again because of a reply that is no success: elsewhere, or with a new secret."""
        if reply.status == HTTPStatus.UNAUTHORIZED and not self._renewed:
            self._renewed = True
            return await self._exchange.renew(self._shown, self._begun)
        if reply.status not in REDIRECTS:
            return False
        self._left -= 1
        if not self._left:
            raise ServerError(f"{Origin.of(self.url)} redirects more than {MAX_REDIRECTS} times.")
        self.url = _redirected(self._request.method, self.url, reply, self._exchange.approval, self._request.purpose)
        return True


def _redirected(method: str, url: str, reply: Reply, approval: Approval, purpose: str) -> str:
    """Return the target of a redirect if it may be followed."""
    came_from = Origin.of(url)
    target = resolve(url, reply.headers.get("location", ""))
    if not target:
        raise ServerError(f"{came_from} redirects {purpose} to an address that cannot be used (status {reply.status}).")
    try:
        goes_to = approval.check(target, purpose)
    except HostRefusedError as error:
        error.remedy = Remedy.LATER  # a captive portal does so, or a proxy before a server that is down
        raise
    if came_from.scheme == "https" and goes_to.scheme != "https":
        raise HostRefusedError(f"{came_from} redirects to an unencrypted address; the secret was not sent there.")
    if method != "GET" and reply.status not in _REDIRECTS_OF_A_POST:
        raise ServerError(f"{came_from} redirects {purpose} (status {reply.status}), which JMAP does not provide for.")
    return target
