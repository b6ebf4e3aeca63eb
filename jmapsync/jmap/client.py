"""Send JMAP method calls within the session's limits, and refresh the session (RFC 8620, sections 2 and 3)."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from jmapsync.errors import DiscoveryError, HostRefusedError, JmapsyncError, ServerError, SignInError
from jmapsync.jmap import discovery
from jmapsync.jmap.bounds import SESSION_OCTETS, Bounds
from jmapsync.jmap.divide import send_divided
from jmapsync.jmap.exchange import STREAMS, Exchange
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.first_request import Bundle, Rider
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.media_types import JSON
from jmapsync.jmap.replies import UnreachedError
from jmapsync.jmap.request_limit import RequestLimit
from jmapsync.jmap.session import Session
from jmapsync.jmap.transport import Transport
from jmapsync.jmap.wire import CORE, Call, Response, decode_response, encode_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.session import Limits
    from jmapsync.jmap.traffic import RateLimit

_log = logging.getLogger(__name__)
USER_AGENT = "jmapsync"
MAX_WAIT = 300.0
"""Seconds that one request may spend waiting between its attempts."""
SESSION_SECONDS = 300.0
"""How long a session state that still differs after a new fetch is ignored: some servers send another one each time."""


class Client:
    """JMAP client of one account; use it as an asynchronous context manager."""

    def __init__(
        self,
        url_or_address: str,
        credential: Credential,
        *,
        trusted_hosts: Sequence[str] = (),
        session: Session | None = None,
        user_agent: str = USER_AGENT,
        transport: httpx.AsyncBaseTransport | None = None,
        resolver: discovery.Resolver | None = None,
        on_wait: Callable[[float, str], None] | None = None,
        max_wait: float = MAX_WAIT,
        max_concurrent: int = 0,
        bounds: Bounds | None = None,
        rate: RateLimit | None = None,
    ) -> None:
        """Prepare without network access.

        `session` is one kept from an earlier run; `on_wait` is called with the seconds of each pause and its reason;
        `max_concurrent` lowers the session's limit of concurrent requests, 0 does not; `rate` limits the octets a second.
        """
        self._address = url_or_address
        self._credential = credential
        self._trusted_hosts = trusted_hosts
        self._resolver = resolver
        self._max_concurrent = max_concurrent
        self._approval = Approval(trusted_hosts)
        self._transport = Transport(user_agent=user_agent, inner=transport, bounds=bounds, limit=rate)
        self.exchange = Exchange(self._transport, credential, self._approval, on_wait=on_wait, max_wait=max_wait)
        self._session: Session | None = None
        self._session_lock = asyncio.Lock()
        self._stale = False
        self._bundle: Bundle | None = None
        self._riders: dict[str, Rider] = {}
        self.trusts_text = True
        """Whether no blob that Blob/get gave as text was another than its digest says."""
        self._reread_for = ""
        self._next_reread = 0.0
        self.request_limit = self.upload_limit = self.download_limit = RequestLimit(1)
        if session is not None and discovery.approve(self._approval, self._address, session.url):
            self._adopt(session)

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent, of every kind, repeated ones included."""
        return self._transport.traffic.requests

    @property
    def received(self) -> int:
        """How many octets of answers were received, as they came over the wire, without headers."""
        return self._transport.traffic.received

    @property
    def session_changed(self) -> bool:
        """Whether a response had another session state; `session()` then fetches the Session again."""
        return self._stale

    @property
    def session_flawed(self) -> bool:
        """Whether the session in use was malformed in places."""
        return self._session is not None and self._session.flawed

    def lacks(self, capability: str) -> bool:
        """Return whether the known Session lacks a capability; sends nothing."""
        return self._session is not None and capability not in self._session.capabilities

    async def __aenter__(self) -> Self:
        """Return itself; nothing is sent yet."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def apart(self, *, max_wait: float) -> Client:
        """Return another client of the same server, with its own connections and retry budget, so that it delays no other."""
        return Client(
            self._address,
            self._credential,
            trusted_hosts=self._trusted_hosts,
            session=self._session,
            max_wait=max_wait,
            bounds=self._transport.bounds,
            rate=self._transport.traffic.limit,
        )

    async def session(self) -> Session:
        """Return the Session; fetch it if none is cached or the cached one is out of date."""
        session = self._session
        if session is None or self._stale:
            async with self._session_lock:
                session = self._session
                if session is None or self._stale:
                    session = await (self._discover() if session is None else self._reread(session))
                    self._adopt(session)
                    self._stale = False
        return session

    def expire_session(self) -> None:
        """Fetch the Session again before the next request, as after `accountNotFound`."""
        self._stale = True

    @property
    def rode_in_vain(self) -> bool:
        """Whether a request failed with what was to be sent with it."""
        return any(one.failure is not None for one in self._riders.values())

    async def call(
        self, calls: Sequence[Call], *, using: Sequence[str], repeatable: bool = True, is_patient: bool = True
    ) -> Response:
        """Send method calls as one request and return the response; a call's own failure shows when its result is asked for.

        A request that is not `repeatable` raises `OutcomeUnknownError` when it may have reached the server and no whole
        answer came; one that is not patient is tried once. Also raise `RequestError` (for the session's limits too, then with
        nothing sent), `SignInError`, `HostRefusedError`, `NetworkError` or `ServerError`.
        """
        if not is_patient:
            return await self._call_once(calls, using, encode_request(calls, using), repeatable=repeatable, is_patient=False)
        if self._bundle is not None and self._bundle.is_open and repeatable:
            return await self._bundle.call(calls, using)
        return await self._call(calls, using, repeatable=repeatable)

    def begin_run(self) -> None:
        """Forget the calls that were to be sent with others."""
        self._riders = {}

    def ride(self, name: str, calls: Sequence[Call], using: Sequence[str]) -> None:
        """Have calls sent with the next request that has room for them; it does without them where that fails."""
        self._riders.setdefault(name, Rider(calls, using))

    def ridden(self, name: str) -> Rider | None:
        """Return what was to be sent with another request in this run, with the response once there is one."""
        return self._riders.get(name)

    @contextmanager
    def together(self, askers: int) -> Iterator[Bundle]:
        """Send the first calls of `askers` callers as one request; a caller without calls has to leave the bundle."""
        self._bundle = Bundle(self._call, askers)
        try:
            yield self._bundle
        finally:
            self._bundle = None

    async def _call(self, calls: Sequence[Call], using: Sequence[str], *, repeatable: bool = True) -> Response:
        limits = (await self.session()).limits
        if repeatable and (response := await self._with_riders(calls, using, limits)) is not None:
            return response
        most = limits.max_calls_in_request
        body = encode_request(calls, using)
        if len(calls) > 1 and len(body) > limits.max_size_request:
            most = min(most, len(calls) // 2)
        if len(calls) <= most:
            return await self._call_once(calls, using, body, repeatable=repeatable)
        send = partial(self._call, using=using, repeatable=repeatable)
        return await send_divided(calls, most, send, repeatable=repeatable)

    async def _with_riders(self, calls: Sequence[Call], using: Sequence[str], limits: Limits) -> Response | None:
        """Send calls together with those that are to ride; None where none are, there is no room for them, or it failed."""
        riders = [one for one in self._riders.values() if one.waits]
        every = [*calls, *(call for one in riders for call in one.calls)]
        if not riders or len(every) > limits.max_calls_in_request:
            return None
        names = list(dict.fromkeys([*using, *(name for one in riders for name in one.using)]))
        body = encode_request(every, names)
        if len(body) > limits.max_size_request:
            return None
        for one in riders:
            one.waits = False
        try:
            response = await self._call_once(every, names, body, repeatable=True, is_patient=False)
        except (SignInError, HostRefusedError):
            raise
        except JmapsyncError as error:
            for one in riders:
                one.failure = error
            return None
        for one in riders:
            one.response = response
        return response

    async def _call_once(
        self, calls: Sequence[Call], using: Sequence[str], body: bytes, *, repeatable: bool, is_patient: bool = True
    ) -> Response:
        session = await self.session()
        _log.debug("calls: %s", ", ".join(call.name for call in calls))
        try:
            response = await self._post(session, body, repeatable=repeatable, is_patient=is_patient)
        except RequestError as error:
            # Where the session's state never changes (Cyrus), only this error shows that a limit was lowered.
            self._stale = self._stale or (error.type == "limit" and error.status != 0)
            if error.type not in {"notFound", "unknownCapability"}:
                raise
            # The server has moved or offers other capabilities. It did not process the request.
            self._stale = True
            session = await self.session()
            offered = [name for name in using if name == CORE or name in session.capabilities]
            body = encode_request(calls, offered)
            response = await self._post(session, body, repeatable=repeatable, is_patient=is_patient)
        self._note(session, response.session_state)
        if response.session_state not in {"", session.state} and response.has_error("requestTooLarge"):
            self._stale = True  # a limit may have been lowered since the Session was fetched
        return response

    async def _post(self, session: Session, body: bytes, *, repeatable: bool, is_patient: bool) -> Response:
        if len(body) > session.limits.max_size_request:
            raise RequestError.too_large("maxSizeRequest", len(body), session.limits.max_size_request)
        return await self.exchange.send(
            "POST",
            session.api_url,
            lambda reply: decode_response(reply.body),
            purpose="requests",
            limit=self.request_limit,
            headers={"Content-Type": "application/json", "Accept": JSON},
            content=body,
            repeatable=repeatable,
            many=True,
            is_patient=is_patient,
        )

    def _note(self, session: Session, state: str) -> None:
        """Mark the session as out of date if a response says so, but fetch it only once for the same state."""
        if not state or session is not self._session or state in {session.state, self._reread_for}:
            return
        now = time.monotonic()
        if now >= self._next_reread:
            self._reread_for = state
            self._next_reread = now + SESSION_SECONDS
            self._stale = True

    def _adopt(self, session: Session) -> None:
        known = self._session
        self._session = session
        if known is None or known.limits != session.limits:
            most = self._max_concurrent or session.limits.max_concurrent_requests
            self.request_limit = RequestLimit(min(most, session.limits.max_concurrent_requests))
            self.download_limit = RequestLimit(
                self._max_concurrent or self._transport.most_downloads, widest=self._max_concurrent or STREAMS
            )
            self.upload_limit = RequestLimit(min(most, session.limits.max_concurrent_upload))

    async def _reread(self, known: Session) -> Session:
        try:
            return await self._read_session(known.url)
        except (DiscoveryError, RequestError) as error:
            try:
                return await self._discover()
            except DiscoveryError:
                # It was there before: a temporary failure, not a wrong address.
                host = Origin.of(known.url)
                raise ServerError(f"{host} no longer answers with a JMAP session.") from error

    async def _discover(self) -> Session:
        failures: list[JmapsyncError] = []
        for url in await discovery.candidates(self._address, self._resolver):
            if not discovery.approve(self._approval, self._address, url):
                raise discovery.unverified(self._address, url)
            try:
                return await self._read_session(url)
            except (UnreachedError, DiscoveryError, RequestError, ServerError) as error:
                failures.append(error)
        # If the network is down, the address may be right.
        if all(isinstance(failure, UnreachedError) for failure in failures):
            raise failures[0]
        raise DiscoveryError(
            f"No JMAP server was found for {self._address}. {' '.join(failure.message for failure in failures)}",
            advice="If you know where its JMAP session is, set url.",
        )

    async def _read_session(self, url: str) -> Session:
        return await self.exchange.send(
            "GET",
            url,
            lambda reply: Session.parse(reply.body, reply.url),
            purpose="session requests",
            headers={"Accept": JSON},
            most=SESSION_OCTETS,
            many=True,
        )
