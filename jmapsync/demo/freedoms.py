"""List what the RFCs leave to a JMAP server to choose, as values that the embedded server follows.

Each field is one freedom, named by the section that grants it. The defaults are what the embedded server does by itself. A
`Dialect` says what one real server does; `Freedoms` say what a server *may* do, so that one can be drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StateForm = Literal["number", "opaque", "unicode", "long", "odd"]
BriefLives = Literal["omitted", "destroyed", "both", "created"]
"""`created` alone is what only Cyrus 3.6 does, with mailboxes."""
ItemForm = Literal["as given", "members renamed", "defaults dropped", "defaults written", "unknown dropped"]
IdForm = Literal["serial", "dashes", "case", "long", "digits"]


@dataclass(frozen=True, kw_only=True)
class Freedoms:
    """The choices of one server in the frame of RFC 8620 and RFC 8621; probabilities are between 0 and 1."""

    seed: int = 0
    """Of the choices that differ from answer to answer."""

    # States (RFC 8620, 1.2, 5.1 and 5.2)
    state_form: StateForm = "number"
    """A state is any string: a number, something opaque, with letters beyond ASCII, of 1,000 characters, with signs that JSON,
    URLs and SQL treat apart."""
    state_changes_alone: float = 0.0
    """How often an answer shows another string for the same state (5.1: it MUST change if the data does, not only then)."""

    # /changes (RFC 8620, 5.2)
    changes_order: Literal["oldest", "shuffled"] = "oldest"
    """Ids stand in any order."""
    changes_page: int | None = None
    """The most ids of one page, whatever `maxChanges` allows."""
    created_also_updated: bool = False
    """An id that was created and then updated MAY stand in both lists."""
    destroyed_also_updated: bool = False
    """An id that was updated and then destroyed MAY stand in both lists."""
    brief_lives: BriefLives = "omitted"
    """An id created and destroyed since MAY stand in `destroyed`, or in `created` and `destroyed`."""
    changes_unchanged: float = 0.0
    """How often an id is listed as updated of which nothing changed."""
    cannot_calculate: float = 0.0
    """How often `cannotCalculateChanges` is the answer; 1 where a server keeps no changes."""
    changes_lacking: Literal["", "Mailbox", "Email"] = ""
    """A type whose changes the server cannot calculate at all."""
    empty_pages: float = 0.0
    """How often a page lists nothing, with another state and `hasMoreChanges`."""
    counts_named: bool = True
    """Whether `updatedProperties` of `Mailbox/changes` is a list where only counts changed (RFC 8621, 2.2), else null."""

    # /query (RFC 8620, 5.5)
    total: Literal["given", "first page", "never"] = "given"
    """`total`, when asked for. Stalwart leaves it out after the first page, James always."""
    query_state: Literal["plain", "page", "answer"] = "plain"
    """A queryState MAY change though the results did not: with each page (James), with each answer."""
    past_the_end: Literal["clamped", "as asked", "zero"] = "clamped"
    """The `position` of an empty page behind the end (Stalwart: 0)."""
    can_calculate_query: bool = False
    """`canCalculateChanges` (5.6 may fail all the same)."""

    # /get (RFC 8620, 5.1)
    get_order: Literal["as asked", "reversed", "shuffled"] = "as asked"
    """The order of `list` is the server's."""
    extra_properties: bool = False
    """More properties than asked for, from extensions that the client does not know."""
    fractional_dates: bool = False
    """A UTCDate may have a fraction of a second (1.4)."""

    # /set and /import (RFC 8620, 5.3; RFC 8621, 4.8); what real servers refuse is in `Dialect`
    updated_as: Literal["null", "object"] = "null"
    """What `updated` says of an id: null, or an object of properties that the server set."""
    empty_results: Literal["null", "empty", "absent"] = "null"
    """An empty `created`, `updated`, `destroyed`, `notCreated`...: null, empty, or left out as if null were the default."""
    partial_fails: float = 0.0
    """How often a `/set` or `/import` does a part of what it is to do, or all of it, and answers `serverPartialFail` (3.6.2)."""
    marks_new: bool = False
    """Whether a message gets a keyword of the server's own when it is imported (RFC 8621, 4.1.1), as `$hasattachment` of Cyrus."""
    loses_uploads: float = 0.0
    """How often a blob is gone when it is to be imported (6: unreferenced ones are deleted early where the quota is used up)."""
    old_state: Literal["given", "null"] = "given"
    """`oldState` MAY be null if the server does not know it (5.3)."""

    # Ids and blobs (RFC 8620, 1.2 and 6)
    id_form: IdForm = "serial"
    """Ids are 1 to 255 of `A-Za-z0-9-_`: many dashes, distinct by case only, long, digits that several types share."""
    blob_ids: Literal["content", "apart"] = "content"
    """`apart`: an upload and the email made of it have different blob ids for the same bytes."""

    # HTTP (RFC 9110 and 9112; the URLs: RFC 8620, 2)
    content_coding: Literal["identity", "gzip", "deflate"] = "identity"
    """How bodies are compressed (RFC 9110, 8.4.1), as a proxy does whatever the client accepts."""
    chunked: bool = False
    """Bodies come in chunks, and no header gives their length (RFC 9112, 7.1)."""
    http_version: Literal["HTTP/1.1", "HTTP/1.0", "HTTP/2"] = "HTTP/1.1"
    """Followed by the transport of the worlds only."""
    hosts: Literal["one", "apart"] = "one"
    """Uploads, downloads and events are on hosts of their own (Fastmail)."""
    event_variables: bool = True
    """False: eventSourceUrl has none of the variables that RFC 8620, 7.3, asks for (Fastmail)."""
    json_form: Literal["compact", "spaced", "escaped"] = "compact"
    """How the JSON of answers is written: with white space, with each letter beyond ASCII escaped (RFC 8259, 2 and 7)."""
    primary: Literal["named", "none"] = "named"
    """Whether the session names primary accounts (2: there may be none for a capability)."""
    more_capabilities: bool = False
    """Capabilities of other specifications, in the session and in accounts."""

    # Push (RFC 8620, 7: a server may merge changes, and nothing promises that an event arrives)
    push_ids: bool = True
    """Whether events have ids, which a client may name when it comes back."""
    push_resumes: bool = True
    """Whether `Last-Event-ID` brings what was missed (James: not)."""
    push_begins: Literal["changes", "states"] = "changes"
    """What comes first: nothing before a change, or all present states (Fastmail)."""
    push_types: Literal["changed", "all", "more"] = "changed"
    """Which types a StateChange names: those that changed, every type, or further ones that no client knows too."""
    push_gathers: float = 0.0
    """Seconds in which changes are gathered into one event."""
    push_late: float = 0.0
    """Seconds by which an event is older than its arrival."""
    push_repeats: bool = False
    """Each event comes twice."""
    push_loses: float = 0.0
    """How often an event does not arrive."""

    # Trouble that a correct server has (RFC 8620, 3.6)
    unavailable: float = 0.0
    """How often a method answers `serverUnavailable`, or what `unavailable_as` says."""
    unavailable_as: Literal["serverUnavailable", "serverFail"] = "serverUnavailable"
    """Either says that nothing was changed (3.6.2)."""
    throttled: float = 0.0
    """How often an API request answers 429 or 503, or the problem `limit`."""
    problem_form: Literal["jmap", "untyped", "bare"] = "jmap"
    """How it does so: by a problem of JMAP, by one without a type (RFC 9457, 3.1.1), by a page of a proxy that is no JSON."""
    retry_after: Literal["zero", "second", "date", "none"] = "zero"
    """What the header Retry-After says then: nothing to wait for, one second, a date that is past, or it is missing."""
    refused_objects: float = 0.0
    """How often the creation of one object is refused for now (5.3)."""
    refusal: Literal["rateLimit", "overQuota"] = "rateLimit"
    """By which SetError: too many were created lately, or the quota is used up (RFC 9425)."""
    session_moves: float = 0.0
    """How often a response has another `sessionState` although the session is the same."""
    session_turns: float = 0.0
    """How often the session changes before an API request (2): a limit, the URLs, a name, a capability that is withdrawn."""
    old_urls: Literal["kept", "gone"] = "kept"
    """Whether URLs of an earlier session still work."""

    # Mailboxes (RFC 8621, 2)
    roles: bool = True
    """Whether mailboxes have roles beside the inbox."""
    subscribed: bool = True
    """Whether mailboxes are subscribed."""
    defaults: Literal["written", "omitted"] = "written"
    """Properties of a mailbox, address book or calendar that have their default value: given, or left out."""
    sort_orders: Literal["kept", "moving"] = "kept"
    """`sortOrder` of a mailbox is another one in each answer."""

    # Cards, events and tasks (RFC 9610, 3; draft-ietf-jmap-calendars, 5; RFC 8620, 5.3 on what a server may set)
    items_kept: ItemForm = "as given"
    """How an object comes back: as it was given; its members under the server's keys; without the properties that have their
    default value; with them; without what the server does not know."""
    member_order: Literal["as kept", "reversed", "shuffled"] = "as kept"
    """The order of the members of an object, at every depth, which means nothing in JSON (RFC 8259, 4)."""
    sequence_bumped: bool = False
    """`sequence` of an event grows with each update that leaves it as it is."""
    utc_times: bool = False
    """`utcStart` and `utcEnd` of an event, which follow from the rest, where no properties are named."""


NONE = Freedoms()
"""What the embedded server does by itself."""


def form_id(form: IdForm, prefix: str, serial: int) -> str:
    """Return an id of a form; no two of one prefix are equal (RFC 8620, 1.2)."""
    if form == "dashes":
        return f"-_{prefix}--{serial}_-"
    if form == "case":
        letters = f"{prefix}abcdefghijklmnopqrst"
        return "".join(letter.upper() if serial >> place & 1 else letter for place, letter in enumerate(letters))
    if form == "long":
        return f"{prefix}{'x' * 240}{serial:014}"
    return str(serial) if form == "digits" else f"{prefix}{serial}"
