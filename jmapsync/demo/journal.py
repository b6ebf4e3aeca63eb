"""Keep account of what clients asked for, so that tests can count requests and read their arguments."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

from jmapsync.demo.problems import JsonObject  # noqa: TC001 - a field's type


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request; sizes in octets of the bodies."""

    endpoint: str
    """`session`, `well-known`, `api`, `upload`, `download`, `events` or `websocket`."""
    path: str
    authorization: str
    """The scheme the credential came under, lower-case; empty without one."""
    status: int = 0
    """0: the connection was dropped, or the answer is still to come."""
    received: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class MethodCall:
    """One method call, its result references resolved."""

    name: str
    arguments: JsonObject


class Journal:
    """The latest requests and calls in order, and the counts of all since the last `clear`. Safe from any thread."""

    def __init__(self, keep: int = 10_000) -> None:
        """Keep the latest `keep` requests and as many calls."""
        self._lock = threading.Lock()
        self._http: deque[HttpRequest] = deque(maxlen=keep)
        self._calls: deque[MethodCall] = deque(maxlen=keep)
        self._counts: Counter[str] = Counter()

    def note_request(self, request: HttpRequest) -> None:
        """Add an HTTP request; its status and sizes may be filled in later."""
        with self._lock:
            self._http.append(request)
            self._counts[request.endpoint] += 1
            self._counts["http"] += 1

    def note_call(self, name: str, arguments: JsonObject) -> None:
        """Add a method call."""
        with self._lock:
            self._calls.append(MethodCall(name, arguments))
            self._counts[name] += 1

    def count(self, name: str) -> int:
        """Return how many requests there were to an endpoint, calls of a method, or, for `http`, requests in all."""
        return self._counts[name]

    @property
    def counts(self) -> dict[str, int]:
        """All counts: by endpoint, by method name, and `http`, the requests in all."""
        with self._lock:
            return dict(self._counts)

    @property
    def http(self) -> list[HttpRequest]:
        """The latest HTTP requests, oldest first."""
        with self._lock:
            return list(self._http)

    def calls(self, name: str | None = None) -> list[MethodCall]:
        """Return the latest method calls, oldest first; those of one method if a name is given."""
        with self._lock:
            return [call for call in self._calls if name in (None, call.name)]

    def clear(self) -> None:
        """Forget everything noted so far."""
        with self._lock:
            self._http.clear()
            self._calls.clear()
            self._counts.clear()
