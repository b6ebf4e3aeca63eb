"""The event stream (RFC 8620, section 7.3)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.agreement.account import Account

_PATIENCE = 90.0
_ENDED = "the stream ended"


def _stream_url(a: Account, types: str, close_after: str, ping: str) -> str:
    url: str = a.session.get("eventSourceUrl", "")
    for name, value in {"types": types, "closeafter": close_after, "ping": ping}.items():
        url = url.replace("{" + name + "}", value)
    return urljoin(a.base, url)


def _events(
    a: Account, act: Callable[[], object], *, types: str, close_after: str = "state", ping: str = "0", last: str = ""
) -> object:
    """Open a stream, act once it is open, and return what the first event says, or the status where there is none.

    A stream that ended before any event is opened again, as every client has to: Cyrus 3.12 ended one when the machine stood still.
    """
    deadline = time.monotonic() + _PATIENCE
    found: object = _ENDED
    while found == _ENDED and time.monotonic() < deadline:
        found = _first_event(a, act, _stream_url(a, types, close_after, ping), last, deadline)
        act = _nothing
    return found


def _first_event(a: Account, act: Callable[[], object], url: str, last: str, deadline: float) -> object:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    with a.http.stream("GET", url, headers=headers, timeout=_PATIENCE) as response:
        if response.status_code != 200 or "text/event-stream" not in response.headers.get("content-type", ""):
            return [response.status_code, response.headers.get("content-type", "")]
        act()
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            if not line and "data" in fields:
                return fields
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.strip()
            if time.monotonic() > deadline:
                return "nothing came"
    return _ENDED


def _nothing() -> None:
    pass


@script()
def event_stream(a: Account) -> None:
    a.box("inbox")
    a.deliver("first")
    reported = _events(a, _nothing, types="*", ping="1", close_after="no")
    a.record("a ping", _shape(reported))
    a.record("after a delivery", _shape(_events(a, lambda: _deliver(a, "second"), types="*")))
    a.record("of one type", _shape(_events(a, lambda: _deliver(a, "third"), types="Email")))
    mail = a.deliver("fourth")
    acts: dict[str, Callable[[], object]] = {
        "a mailbox": lambda: a.create_box("Fresh"),
        "a keyword": lambda: a.call("Email/set", update={mail: {"keywords/work": True}}),
    }
    for label, act in acts.items():
        a.record(f"after {label}", _shape(_events(a, act, types="*")))


def _deliver(a: Account, name: str) -> None:
    a.deliver(name)


def _shape(reported: object) -> object:
    """Return an event without the values of its states."""
    if not isinstance(reported, dict):
        return reported
    data = json.loads(reported["data"])
    if "changed" in data:
        (states,) = data["changed"].values()
        data["changed"] = sorted(states)
    return {"event": reported.get("event"), "has an id": bool(reported.get("id")), "data": data}
