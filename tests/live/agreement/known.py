"""List where a profile answers differently from the real server, each probe with the reason why that is accepted."""

from __future__ import annotations

from typing import Final

_CRASH = "the real server's process ends there; the embedded one answers, as a server that is up has to"
_QUERY_STATE = "the queryState of Mailbox/query depends on the query there; here a drawn freedom does so"
_WELL_KNOWN = "the real one redirects to the session by its path without a slash; the embedded one to the path it has"
_NO_SINCE = "a call without a sinceState is invalidArguments here, and cannotCalculateChanges there"
_LOOP = "the state moves there though the move is refused"
_GARBAGE = "the real one reads past the end of its list; the embedded one answers an empty page"
_PAGE = "what a state is called inside of a listing of changes"
_FORMER = "a mailbox that the message was once in is listed too there; the embedded one lists those it is in"

_CYRUS = {
    "credentials: well-known": _WELL_KNOWN,
    "mailbox loops: move into itself": _LOOP,
    **{
        f"mailbox queries: {name}": _QUERY_STATE
        for name in (
            *("by no role", "by an unknown parent", "by name", "all by name with a total", "the second page"),
            *("by two conditions", "past the end"),
        )
    },
    "query windows: anchor and offset past the end": _GARBAGE,
    "email changes: since missing": _NO_SINCE,
    "mailbox changes: from the start, a page of one": _PAGE,
}
KNOWN: Final[dict[str, dict[str, str]]] = {
    "cyrus36": {**_CYRUS, "mailbox tree: destroy what is destroyed": _CRASH},
    "cyrus312": {
        **_CYRUS,
        "email changes: since a number": _NO_SINCE,
        "mailbox changes: after a destruction": _FORMER,
        "events created: create a task": "another property is named as wrong",
        "events created: create another type": "another property is named as wrong",
        "events changed: update: uid": "the real one names the value of the property as wrong",
        "events changed: update: updated": "the sequence moves there with a value of `updated` that the server sets itself",
        "events changed: changes of all": "an event that was moved and destroyed is listed twice there",
        "event with an empty uid: the script ends here": _CRASH,
        "event with an empty uid: changes of it": _CRASH,
        "events listed: UTC times": "the embedded one computes no utcStart",
    },
    "james": {},
}
"""By profile, then by probe."""
