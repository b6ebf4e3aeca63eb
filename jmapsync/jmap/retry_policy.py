"""Tell from an HTTP answer what to do next: take it, try again later, or give up; and for how long to try.

RFC 8620, section 3.6.1, for what a JMAP server says itself; RFC 9110, section 10.2.3, for Retry-After.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jmapsync.errors import ForbiddenError, JmapsyncError, Remedy, ServerError, SignInError
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.hosts import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.jmap.transport import Reply

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
_LONGEST_REQUEST = 366 * 86_400.0
"""Seconds that a Retry-After may ask for; what is longer is cut."""
_SAID = 300
"""Characters of what a server says that are repeated."""
_CONCURRENCY = {"maxConcurrentRequests", "maxConcurrentUpload"}


class Setback(Exception):  # noqa: N818  # never reaches a user: it carries the error that would
    """An attempt failed in a way that time may mend."""

    def __init__(
        self,
        error: JmapsyncError,
        *,
        maybe_done: bool,
        once: bool = False,
        retry_after: float | None = None,
        shared: bool = False,
        narrow: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        """What to raise when patience has run out."""
        self.maybe_done = maybe_done
        """Whether the server may have acted on the request."""
        self.once = once
        """Whether trying again is worth it only once."""
        self.retry_after = retry_after
        """How many seconds the server asked to wait, if it did."""
        self.shared = shared
        """Whether every other request has to wait too."""
        self.narrow = narrow
        """Whether fewer requests should be under way at the same time."""


def judge(reply: Reply, *, size_limit: str = "maxSizeRequest") -> Reply:
    """Return an answer of status 2xx; raise what any other means.

    `Setback` for what time may mend, `SignInError` for 401 and 403, `RequestError` for what is refused for good
    (of type "notFound" for 404 and 410), `ServerError` for the rest. `size_limit` is the limit that a 413 speaks of.

    A refusal of the credential that is not in the form of HTTP (401 with WWW-Authenticate: RFC 9110, section 11.6.1) or JMAP (a
    problem in JSON) may be that of a captive portal, or of a proxy before a server that is down: time mends it.
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
                SignInError(f"{host} did not accept the user name or the secret.", advice="Check both, then run jmapsync check."),
                unless=bool(problem) or "www-authenticate" in reply.headers,
            )
        case 403:
            raise _passing(
                ForbiddenError(
                    f"{host} does not allow this request to this user.",
                    advice="If you use an API token, check that it covers what you mirror.",
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
            raise Setback(error, maybe_done=False, retry_after=wait, shared=status == 429 or wait is not None)  # noqa: PLR2004
    if status >= 500 or status == 408:  # noqa: PLR2004
        error = ServerError(f"{host} is in trouble (status {status}{_said(reply, problem)}).")
        passing = status in {408, 502, 504}
        raise Setback(error, maybe_done=True, once=not passing, retry_after=wait)
    if status >= 400:  # noqa: PLR2004
        refused = RequestError(
            _text(problem, "type")[:_SAID] or f"http{status}",
            status=status,
            detail=_text(problem, "detail")[:_SAID],
            limit=limit[:_SAID],
        )
        if refused.type == "limit" and limit in _CONCURRENCY:
            raise Setback(refused, maybe_done=False, retry_after=wait, narrow=True)
        raise refused
    raise ServerError(f"{host} answered with status {status}, which JMAP does not know here.")


def _passing(error: JmapsyncError, *, unless: bool) -> JmapsyncError:
    """Return an error that time mends, unless it came from the server itself."""
    if not unless:
        error.remedy = Remedy.LATER
    return error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a Retry-After asks to wait, given in seconds or as a date; None if there is none.

    A date is measured against the answer's own Date, so that a wrong clock on either side does no harm.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:20]), _LONGEST_REQUEST)
    until = _date(value)
    if until is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(max(0.0, (until - now).total_seconds()), _LONGEST_REQUEST)


class Patience:
    """How long one request goes on trying: exponential pauses with full jitter, within a budget of seconds."""

    def __init__(self, max_wait: float, jitter: Callable[[float, float], float] = random.uniform) -> None:
        self._left = max_wait
        self._jitter = jitter
        self.attempts = 0
        self.waited = 0.0
        """Seconds that attempts spent without any progress."""

    def pause(self, setback: Setback) -> float | None:
        """Return the seconds to wait before the next attempt; None when there should be none."""
        self.attempts += 1
        waited = getattr(setback.error, "waited", 0.0)
        self.waited += waited
        if setback.once and self.attempts > 1:
            return None
        longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.attempts - 1))
        pause = self._jitter(0, longest)
        if setback.retry_after is not None:
            # Not all at once when the pause ends, and never before.
            pause = setback.retry_after + self._jitter(0, FIRST_PAUSE)
        # Half of the longest is charged at least, or lucky throws of the jitter could go on for ever.
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
    try:
        date = parsedate_to_datetime(value)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):  # years 1 and 9999 have days that no zone but theirs has
        return None
