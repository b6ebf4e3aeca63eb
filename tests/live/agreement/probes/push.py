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

_PATIENCE = 4.0


def _stream_url(a: Account, types: str, close_after: str, ping: str) -> str:
    url: str = a.session.get("eventSourceUrl", "")
    for name, value in {"types": types, "closeafter": close_after, "ping": ping}.items():
        url = url.replace("{" + name + "}", value)
    return urljoin(a.base, url)


def _events(
    a: Account, act: Callable[[], object], *, types: str, close_after: str = "state", ping: str = "0", last: str = ""
) -> object:
    """Open a stream, act once it is open, and return what the first event says, or the status where there is none."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    with a.http.stream("GET", _stream_url(a, types, close_after, ping), headers=headers, timeout=_PATIENCE) as response:
        if response.status_code != 200 or "text/event-stream" not in response.headers.get("content-type", ""):
            return [response.status_code, response.headers.get("content-type", "")]
        fields: dict[str, str] = {}
        lines = response.iter_lines()
        acted = False
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if not acted:
                act()
                acted = True
            line = next(lines, None)
            if line is None:
                return "the stream ended"
            if not line and "data" in fields:
                return fields
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.strip()
    return "nothing came"


@script()
def event_stream(a: Account) -> None:
    a.box("inbox")
    a.deliver("first")
    reported = _events(a, lambda: None, types="*", ping="1", close_after="no")
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
