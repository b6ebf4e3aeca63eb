"""Offer every misbehaviour seen on real servers as a switch, to be turned while the server runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from jmapsync.demo.problems import JsonObject, MethodError, SetError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

T = TypeVar("T")

HTML = b"<!DOCTYPE html><html><head><title>Sign in to the network</title></head><body>Welcome!</body></html>"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer given instead of the real one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def too_many_requests(cls, retry_after: str) -> Answer:
        """Return 429 with a Retry-After, in seconds or as an HTTP date."""
        return cls(429, {"Retry-After": retry_after})

    @classmethod
    def unavailable(cls, retry_after: str | None = None) -> Answer:
        """Return 503, with a Retry-After if one is given."""
        return cls(503, {} if retry_after is None else {"Retry-After": retry_after})

    @classmethod
    def html(cls, status: int = 200) -> Answer:
        """Return a page, as a captive portal or a proxy does."""
        return cls(status, {"Content-Type": "text/html; charset=utf-8"}, HTML)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Answer:
        """Return a redirection."""
        return cls(status, {"Location": location})


class Switch(Generic[T]):
    """One fault: off, on for some occasions, or on until disarmed. Safe to turn from any thread."""

    def __init__(self, default: T) -> None:
        """Keep the value that `arm` uses when given none."""
        self._default = default
        self._lock = threading.Lock()
        self._value: T = default
        self._left: int | None = 0
        self._skip = 0
        self._only: frozenset[str] = frozenset()
        self.fired = 0
        """How often the fault has shown since it was made."""

    @property
    def armed(self) -> bool:
        """Whether the fault may still show."""
        return self._left != 0

    def arm(self, value: T | None = None, *, times: int | None = None, skip: int = 0, only: Collection[str] = ()) -> None:
        """Turn the fault on: for `times` occasions (None: until disarmed), after letting `skip` of them pass.

        `only` restricts it to scopes: endpoints (`session`, `api`, `upload`, `download`, `events`, `websocket`), method names
        such as `Email/set`, or data types such as `Email`; which of them a fault uses, its own description says.
        """
        with self._lock:
            self._value = self._default if value is None else value
            self._left, self._skip, self._only = times, skip, frozenset(only)

    def disarm(self) -> None:
        """Turn the fault off."""
        with self._lock:
            self._left = 0

    def take(self, scopes: Iterable[str] = ()) -> T | None:
        """Return the fault's value if it is to show now, in one of these scopes, and count it; else None."""
        if self._left == 0:
            return None
        with self._lock:
            if self._left == 0 or (self._only and self._only.isdisjoint(scopes)):
                return None
            if self._skip:
                self._skip -= 1
                return None
            if self._left is not None:
                self._left -= 1
            self.fired += 1
            return self._value

    def active(self) -> T | None:
        """Return the fault's value while it is armed, else None; for faults that are conditions and not occasions."""
        with self._lock:
            return self._value if self._left != 0 else None

    def shows(self, scopes: Iterable[str] = ()) -> bool:
        """Return whether the fault is to show now, and count it."""
        return self.take(scopes) is not None


class Faults:
    """All the switches of one server. Scopes are named as HTTP (endpoint and method names), method, or type."""

    def __init__(self) -> None:  # noqa: PLR0915 - one line for each fault
        """Make every switch, turned off."""
        # HTTP
        self.answer = Switch(Answer(503))
        """This answer in place of the real one; nothing is done. Scope: HTTP."""
        self.latency = Switch(0.05)
        """Seconds to wait before answering. Scope: HTTP."""
        self.drop_before = Switch(default=True)
        """The connection is closed without an answer and nothing is done. Scope: HTTP."""
        self.drop_after = Switch(default=True)
        """The request is carried out, then the connection is closed without an answer. Scope: HTTP."""
        self.cut_body = Switch(100)
        """The answer's body stops after so many octets and the connection closes. Scope: HTTP."""
        self.short_body = Switch(10)
        """A download lacks so many octets at its end, and its Content-Length agrees with that. Scope: HTTP."""
        self.padding = Switch(1 << 20)
        """So many octets of white space follow the answer of the API. Scope: HTTP."""
        self.missing_blob = Switch(default=True)
        """A blob that exists is not found: 404, notFound of Blob/get. Scope: HTTP, `Blob/get`."""
        # Session
        self.session_urls: Switch[Literal["relative", "absolute", "foreign"]] = Switch("relative")
        """How the session names its URLs; `foreign`: on the host of `foreign_origin`."""
        self.foreign_origin = "http://other.invalid"
        self.flapping_session_state = Switch(default=True)
        """Each answer names another sessionState. Scope: `session`, `api`."""
        self.vanished_account = Switch("")
        """The account of this id (empty: every one) is gone from the session, and accountNotFound."""
        self.hidden_capabilities: Switch[Collection[str]] = Switch(())
        """These capabilities are not offered, and unknown in `using`."""
        self.no_roles = Switch(default=True)
        """No mailbox has a role."""
        # Methods
        self.before_call: Switch[Callable[[], None]] = Switch(lambda: None)
        """Run this just before a method, as another client slipping in. Scope: method."""
        self.after_call: Switch[Callable[[], None]] = Switch(lambda: None)
        """Run this just after a method. Scope: method."""
        self.method_error = Switch(MethodError("serverFail"))
        """The method does nothing and answers this error. Scope: method."""
        self.partial_fail = Switch(1)
        """A `/set` or `Email/import` does so many of its parts, then answers serverPartialFail. Scope: method."""
        self.set_error = Switch(SetError("forbidden"))
        """One object of a `/set` or import is refused with this. Scope: method, and `create`, `update`, `destroy`."""
        self.refuse_patches = Switch(default=True)
        """`/set` answers invalidPatch to any update with a path in it. Scope: type."""
        self.drop_keyword_writes = Switch(default=True)
        """`Email/set` says an update was done, but leaves the keywords as they were."""
        self.drop_properties: Switch[Collection[str]] = Switch(())
        """`/set` says a write was done, but leaves these top-level properties as they were, or out. Scope: type."""
        self.rewrite_items: Switch[Callable[[JsonObject], JsonObject]] = Switch(lambda item: item)
        """`/set` of cards or events stores what this makes of the item. Scope: type."""
        self.rewrite_imports: Switch[Callable[[bytes], bytes]] = Switch(lambda message: b"X-Repaired: yes\r\n" + message)
        """`Email/import` stores what this makes of the message, under another blob id."""
        self.rewrite_result: Switch[Callable[[JsonObject], JsonObject]] = Switch(lambda result: result)
        """A method answers what this makes of its result. Scope: method."""
        self.rewrite_body: Switch[Callable[[bytes], bytes]] = Switch(lambda body: body)
        """The API answers what this makes of the octets of its answer."""
        # Listings
        self.stuck_changes = Switch(default=True)
        """`/changes`: hasMoreChanges, an unchanged state and nothing listed (James). Scope: type."""
        self.foreign_old_state = Switch("another-state")
        """`/changes`: this oldState instead of the one asked for (Stalwart). Scope: type."""
        self.created_and_destroyed: Switch[Collection[str]] = Switch(())
        """`/changes`: these ids in both lists; by default all destroyed ones stand in `created` too. Scope: type."""
        self.newest_first = Switch(default=True)
        """`/changes`: pages begin with the latest changes. Scope: type."""
        self.omit_destroyed = Switch(default=True)
        """`/changes`: destroyed ids are left out (Stalwart, shared accounts). Scope: type."""
        self.truncated_query = Switch(10)
        """`/query`: at most so many ids although more follow, and no `limit` in the answer. Scope: type."""
        self.truncated_get = Switch(500)
        """`/get` of `ids: null`: only the first so many objects, without a word (Stalwart). Scope: type."""
        self.missing_total = Switch(default=True)
        """`/query`: no `total` although it was asked for. Scope: type."""
        self.repeated_in_get = Switch(1)
        """`/get`: the first so many objects are listed twice. Scope: type."""
        self.missing_in_get = Switch(1)
        """`/get`: the last so many objects are in neither list. Scope: type."""
        # EventSource
        self.silent_events = Switch(default=True)
        """The event stream stays open but says nothing, not even pings; checked for each event."""
        self.held_events = Switch(default=True)
        """The event stream begins, but nothing of it ever comes, as behind a proxy that buffers. Scope: `events`."""
        self.no_pings = Switch(default=True)
        """The event stream has no pings, only changes; checked for each ping."""
        self.pings_in_milliseconds = Switch(default=True)
        """Pings name their interval in milliseconds (Stalwart)."""
        self.clamped_pings = Switch(60.0)
        """Pings come this many seconds apart, whatever interval was asked for. Scope: `events`."""
        self.ending_events = Switch(0.05)
        """An event stream or WebSocket is closed in good order after so many seconds. Scope: `events`, `websocket`."""
        self.event_source_url = Switch("")
        """The session's eventSourceUrl; empty: it has none (Cyrus with `jmap_pushpoll: 0`)."""

    def clear(self) -> None:
        """Turn every switch off; the counters stay."""
        for switch in vars(self).values():
            if isinstance(switch, Switch):
                switch.disarm()
