"""Classify HTTP responses as success, temporary or permanent failure; compute the back-off of retries within a budget.

See RFC 8620, section 3.6.1, for errors of a JMAP server, and RFC 9110, section 10.2.3, for Retry-After.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jmapsync.errors import ForbiddenError, JmapsyncError, Remedy, ServerError, SignInError
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.hosts import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.jmap.replies import Reply

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
_LONGEST_REQUEST = 366 * 86_400.0
"""Upper limit of a Retry-After, in seconds."""
_SAID = 300
"""Characters of a server's text that are repeated."""
_CONCURRENCY = {"maxConcurrentRequests", "maxConcurrentUpload"}


class RetryableError(Exception):  # never reaches a user: it carries the error that would
    """An attempt failed in a way that may be temporary."""

    def __init__(
        self,
        error: JmapsyncError,
        *,
        maybe_done: bool,
        once: bool = False,
        retry_after: float | None = None,
        shared: bool = False,
        lower_limit: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        """The error to raise when the retry budget is spent."""
        self.maybe_done = maybe_done
        """Whether the server may have processed the request."""
        self.once = once
        """Whether to retry only once."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait, if it does."""
        self.shared = shared
        """Whether all other requests have to wait too."""
        self.lower_limit = lower_limit
        """Whether to lower the limit of concurrent requests."""


def check_status(reply: Reply, *, size_limit: str = "maxSizeRequest") -> Reply:
    """Return a response of status 2xx; raise an error for any other.

    `RetryableError` for temporary failures, `SignInError` for 401 and 403, `RequestError` for permanent refusals
    (of type "notFound" for 404 and 410), `ServerError` for the rest. `size_limit` is the limit that a 413 refers to.

    A refusal of the credential that is not in the form of HTTP (401 with WWW-Authenticate: RFC 9110, section 11.6.1) or JMAP (a
    problem in JSON) may be that of a captive portal, or of a proxy before a server that is down: it counts as temporary.
    """
    status = reply.status
    if 200 <= status < 300:  # noqa: PLR2004
        return reply
    host = str(Origin.of(reply.url))
    problem = _problem(reply)
    limit = _text(problem, "limit")
    wait = retry_after(reply.headers)
    match status:
        case 401:
            raise _passing(
                SignInError(f"{host} did not accept the user name or the secret."),  # the advice is the credential's
                unless=bool(problem) or "www-authenticate" in reply.headers,
            )
        case 403:
            raise _passing(
                ForbiddenError(
                    f"{host} does not allow this request to this user.",
                    advice="If you use an API token, check that it covers what you synchronize.",
                ),
                unless=bool(problem),
            )
        case 404 | 410:
            path = urlsplit(reply.url).path
            raise RequestError("notFound", status=status, message=f"{host} has nothing at {path} (status {status}).")
        case 413:
            raise RequestError("limit", status=status, limit=limit or size_limit, detail="it is too large")
        case 429 | 503:
            for_how_long = "" if wait is None else f" of {wait:.0f} seconds"
            error = ServerError(f"{host} asks for a pause{for_how_long} (status {status}{_said(reply, problem)}).")
            raise RetryableError(error, maybe_done=False, retry_after=wait, shared=status == 429 or wait is not None)  # noqa: PLR2004
    if status >= 500 or status == 408:  # noqa: PLR2004
        error = ServerError(f"{host} failed (status {status}{_said(reply, problem)}).")
        passing = status in {408, 502, 504}
        raise RetryableError(error, maybe_done=True, once=not passing, retry_after=wait)
    if status >= 400:  # noqa: PLR2004
        refused = RequestError(
            _text(problem, "type")[:_SAID] or f"http{status}",
            status=status,
            detail=_text(problem, "detail")[:_SAID],
            limit=limit[:_SAID],
        )
        if refused.type == "limit" and limit in _CONCURRENCY:
            raise RetryableError(refused, maybe_done=False, retry_after=wait, lower_limit=True)
        raise refused
    raise ServerError(f"{host} answered with status {status}, which JMAP does not define here.")


def _passing(error: JmapsyncError, *, unless: bool) -> JmapsyncError:
    """Return the error, marked as temporary unless it came from the server itself."""
    if not unless:
        error.remedy = Remedy.LATER
    return error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return a Retry-After, given in seconds or as a date, in seconds; None if there is none.

    A date is compared with the response's own Date, so that a wrong clock on either side does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:20]), _LONGEST_REQUEST)
    until = _date(value)
    if until is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(max(0.0, (until - now).total_seconds()), _LONGEST_REQUEST)


class RetryBudget:
    """Retries of one request: exponential back-off with full jitter, within a budget of seconds."""

    def __init__(self, max_wait: float, jitter: Callable[[float, float], float] = random.uniform) -> None:
        self._left = max_wait
        self._jitter = jitter
        self.attempts = 0
        self.waited = 0.0
        """Seconds that attempts took without any progress."""

    def pause(self, failure: RetryableError) -> float | None:
        """Return the seconds to wait before the next attempt; None when the budget is spent."""
        self.attempts += 1
        waited = getattr(failure.error, "waited", 0.0)
        self.waited += waited
        if failure.once and self.attempts > 1:
            return None
        longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.attempts - 1))
        pause = self._jitter(0, longest)
        if failure.retry_after is not None:
            # With jitter, so that not all clients return at the same moment, and never earlier than requested.
            pause = failure.retry_after + self._jitter(0, FIRST_PAUSE)
        # Charge at least half of the longest pause: with small random pauses the retries might not end.
        self._left -= max(pause, longest / 2) + waited
        return pause if self._left >= 0 else None


def _problem(reply: Reply) -> dict[str, Any]:
    if "json" not in reply.headers.get("content-type", ""):
        return {}
    try:
        problem: object = decode_json(reply.body)
    except DecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _said(reply: Reply, problem: dict[str, Any]) -> str:
    said = _text(problem, "detail") or reply.reason or _phrase(reply.status)
    return f": {said[:_SAID]}" if said else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _text(problem: dict[str, Any], name: str) -> str:
    value = problem.get(name)
    return value if isinstance(value, str) else ""


def _date(value: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # few answers need the package

    try:
        date = parsedate_to_datetime(value)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):  # years 1 and 9999 have days that no zone but theirs has
        return None
