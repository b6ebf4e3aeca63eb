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
_HTTP = "another status or header of HTTP, of which no client makes a difference"
_STRICT = "the real one takes what is no sound request; the embedded one refuses it, as the RFC says"
_NAMED = "another property is named as wrong, or none"
_LOOSE = "what is refused there by another error, or taken here as the RFC says"
_ORDER = "the order of messages of one moment, or without a sort, is not defined there"
_STATES = "which states of other types move too"
_COUNTS = "unread drafts count there as unread, and a keyword other than $seen is no change of a mailbox"
_PAGES = "how many ids of either list fill a page"
_NULLS = "members that are null are left out of headers there"
_JAMES = {
    _HTTP: (
        *("credentials: a token that is none: session", "credentials: well-known"),
        *("media types: session is not kept by caches", "media types: GET of the API", "media types: DELETE of the session"),
        *("uploads and downloads: upload without a type", "uploads and downloads: upload to an unknown account"),
        *("uploads and downloads: download of an id that is none", "session: urn:ietf:params:jmap:core of an account"),
    ),
    _STRICT: (
        *("malformed requests: nothing", "malformed requests: a call of four", "malformed requests: a lone surrogate"),
        *("references: both plainly and by reference", "query windows: calculateTotal as text", "queries: by mailbox null"),
        *("import properties: receivedAt with an offset", "mailbox renames: subscribe"),
    ),
    _NAMED: (
        *("mailbox creation: create with name null", "mailbox creation: create with a number as name"),
        *("mailbox creation: create with all", "mailbox tree: move to the top where the name is taken"),
        *("mailbox renames: rename the inbox", "mailbox renames: move the inbox", "mailbox renames: a good and a bad property"),
        *("mailbox names: empty", "limits: too many to create"),
    ),
    _LOOSE: (
        *("references: a path of nothing", "references: a reference that is none", "mailbox roles: who has it"),
        *("mailbox roles: take the role away", "mailbox tree: destroy an id twice", "mailbox queries: by no role"),
        *("emails read: an id that is none", "emails read: an empty id", "queries: by and"),
        *("queries: sorted by something unknown", "email changes: since 0", "mailbox changes: threads"),
    ),
    _ORDER: ("queries: no sort", "queries: sorted by nothing"),
    _STATES: (
        *("states: after an import", "states: after a keyword", "states: after a destruction", "emails read: a thread"),
        *("mailbox renames: changes of a rename", "mailbox destruction: changes of mailboxes"),
        *("mailbox changes: after one was created and renamed, and another destroyed", "mailbox changes: after a subscription"),
        *("mailbox changes: from the start", "mailbox changes: from the start, a page of one"),
    ),
    _COUNTS: ("mailboxes read: counts of the drafts", "mailbox changes: after another keyword"),
    _PAGES: (
        *("email changes: pages of 1", "email changes: pages of 2", "email changes: pages of 3"),
        *("updates: changes of: keywords and mailboxes",),
    ),
    _NULLS: ("emails read: headers", "emails read: members without properties"),
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
    "james": {probe: reason for reason, probes in _JAMES.items() for probe in probes},
}
"""By profile, then by probe."""
