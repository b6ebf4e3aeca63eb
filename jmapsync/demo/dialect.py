"""Say in which points real servers differ from one another, as values that the embedded server follows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jmapsync.demo.freedoms import NONE, BriefLives, Freedoms
from jmapsync.demo.records import ROLES
from jmapsync.demo.refusals import NO_MORE, Refusals

if TYPE_CHECKING:
    from jmapsync.demo.problems import JsonObject

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
MAIL_SHARING = "urn:ietf:params:jmap:mail:share"
BLOB = "urn:ietf:params:jmap:blob"
SIEVE = "urn:ietf:params:jmap:sieve"
CYRUS_SIEVE = "https://cyrusimap.org/ns/jmap/sieve"
SUBMISSION = "urn:ietf:params:jmap:submission"
VACATION = "urn:ietf:params:jmap:vacationresponse"
WEBSOCKET = "urn:ietf:params:jmap:websocket"
CONTACTS = "urn:ietf:params:jmap:contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"
CYRUS_CALENDARS = "https://cyrusimap.org/ns/jmap/calendars"
ABSENT = object()
"""The value of a member that a server leaves out."""
QUOTA = "urn:ietf:params:jmap:quota"
CYRUS_QUOTA = "https://cyrusimap.org/ns/jmap/quota"
CYRUS_BLOB = "https://cyrusimap.org/ns/jmap/blob"


@dataclass(kw_only=True)
class Limits:
    """The limits a session advertises and the server then enforces (RFC 8620, section 2; sizes in octets).

    The values here are the smallest the RFC suggests. Changing one while the server runs changes the session's state.
    """

    max_size_upload: int = 50_000_000
    max_concurrent_upload: int = 4
    max_size_request: int = 10_000_000
    max_concurrent_requests: int = 4
    max_calls_in_request: int = 16
    max_objects_in_get: int = 500
    max_objects_in_set: int = 500
    max_mailboxes_per_email: int | None = None
    max_size_mailbox_name: int = 490
    max_mailbox_depth: int | None = None
    max_keywords_per_email: int | None = None
    max_collections_per_item: int | None = None
    """The most address books a card is in, and calendars an event is in."""
    max_query_limit: int | None = None
    """The most ids one page of `/query` holds, whatever the client asks for."""
    max_changes: int | None = None
    """The most ids one page of `/changes` holds, whatever the client asks for."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one server behaves where the RFCs leave room, or where it departs from them.

    The defaults are the RFCs'; what is said of Cyrus was seen on 3.6.1 and 3.12.4, on both unless one is named.
    """

    name: str
    limits: Limits = dataclasses.field(default_factory=Limits)
    """The limits a server of this dialect starts with; copied for each server."""

    # HTTP and session
    session_path: str = "/jmap/session"
    api_path: str = "/jmap/api/"
    relative_urls: bool = False
    """The session's URLs have no host (Cyrus)."""
    fixed_session_state: str | None = None
    """The session's state never changes (Cyrus: `0`)."""
    event_source: bool = True
    """False: the advertised eventSourceUrl answers 204 (Cyrus 3.6)."""
    pushes_counts: bool = True
    """False: push reports no state of Mailbox where only counts of mailboxes changed (Cyrus 3.12)."""
    websocket: bool = False
    """Requests and push over a WebSocket are offered (RFC 8887; Cyrus only when built with libwslay, Debian's is not)."""
    wrong_content_type_status: int = 400
    too_large_request_status: int = 400
    json_type: str = "application/json"
    """The media type of answers."""
    uploads_expire: bool = False
    """The answer to an upload says when it goes (Cyrus)."""
    upload_types: Literal["as sent", "bare"] = "as sent"
    """The media type in the answer to an upload: with its parameters, or without, and never empty (Cyrus 3.12)."""
    takes_nul: bool = True
    """False: NUL in a string makes the request `notJSON` (Cyrus)."""
    account_defaults: bool = False
    """A call without an accountId means the primary account (Cyrus)."""
    account_members: tuple[str, ...] = ()
    """More members of an account in the session (Cyrus: `isPrimary`)."""
    core_of_account: Literal["no", "empty", "whole"] = "no"
    """The core capability is among those of an account, as an empty object (Cyrus), or whole (James)."""
    mail_details: JsonObject = dataclasses.field(default_factory=dict)
    """What differs in the mail capability's value in an account; `ABSENT`: a member that is missing."""
    enforce_concurrency: bool = True
    """Requests past the advertised concurrency are refused (Cyrus does not)."""
    object_limits: Literal["method", "request"] = "method"
    """Too many objects in `/get` or `/set` refuse the call by requestTooLarge, or the request by `limit` (Cyrus)."""
    result_reference_error: str = "invalidResultReference"
    lenient_references: bool = False
    """The path of a reference needs no slash in front (Cyrus)."""
    primary_of_vendor: bool = True
    """False: no primary account is named for the core capability and Cyrus' form of `Blob/get` (Cyrus)."""
    version: str = ""
    """What the first media type of Accept has to name; all else is answered by 404 (James 3.8)."""
    query_changes: Literal["rfc", "cyrus"] = "rfc"
    """Cyrus: `/queryChanges` repeats the query, has the total unasked and counts all that changed as removed; not of mailboxes."""
    query_rules: Literal["rfc", "james"] = "rfc"
    """James: `/query` takes no anchor, and `Mailbox/query` only a filter by role."""
    ways: Freedoms = NONE
    """What it chooses of the things that the RFCs leave open."""
    mail_sharing: bool = False
    """Shows whom mailboxes are shared with (draft-ietf-jmap-mail-sharing)."""
    refusals: Refusals = NO_MORE
    """What it refuses beyond what they say."""

    set_errors: Literal["rfc", "james"] = "rfc"
    """What SetErrors are called (James: invalidArguments, invalidPatch and serverFail)."""
    checks_states: bool = True
    """False: `ifInState` has no effect (James)."""
    results_by_id: bool = False
    """The answer to `/set` names objects by their ids where the call had their creation ids (James)."""
    problem_type: str = "application/problem+json"
    """The media type of a problem (James: `application/json`)."""
    any_content_type: bool = False
    """A request may have any media type, or none (James)."""
    limits_requests: bool = True
    """False: `maxCallsInRequest`, `maxSizeRequest` and the limits of objects are advertised and not kept (James)."""
    known_arguments: bool = True
    """False: arguments and members of objects that are not known are passed over (James)."""
    returns_created_ids: bool = True

    # States
    shared_states: bool = False
    """All types have one counter, so a new mailbox moves the Email state too (Cyrus)."""
    garbage_state: Literal["cannotCalculateChanges", "invalidArguments"] = "cannotCalculateChanges"
    future_state: Literal["cannotCalculateChanges", "accept"] = "cannotCalculateChanges"
    """A state later than the present one, as after a restored backup; Cyrus answers it as if nothing happened."""
    upload_moves_state: bool = False
    """An upload alone changes the states (Cyrus keeps uploads in a hidden mailbox)."""
    unchanged_moves_state: bool = False
    """A keyword patch that changes nothing still lists the message as updated (Cyrus)."""
    omitted_fill_pages: bool = False
    """A record that was created and destroyed since a state counts in `maxChanges` though no page lists it (Cyrus)."""
    mailbox_destruction: Literal["reported", "silent"] = "reported"
    """`silent`: emails that are destroyed with their mailbox are in no list of changes (James)."""
    mailbox_destruction_ends_states: bool = False
    """After a mailbox is destroyed, earlier Email states cannot be calculated from (Cyrus)."""

    # Messages
    email_sorts: tuple[str, ...] = (
        *("receivedAt", "size", "from", "to", "subject", "sentAt"),
        *("hasKeyword", "allInThreadHaveKeyword", "someInThreadHaveKeyword"),
    )
    """What `Email/query` sorts by, as the session lists; the default is Stalwart's."""
    email_ids: Literal["serial", "content"] = "serial"
    """`content`: the id follows from the message's digest, so equal content is one Email (Cyrus)."""
    stores_messages: Literal["as sent", "james"] = "as sent"
    """James: what is no header field in a header is lost, without a word."""
    blob_is_email: bool = False
    """The blob of a message has the message's id, and is gone with it; the first message of a thread gives it its id (James)."""
    moved_is_created: bool = False
    """`Email/changes` lists a message that came into a mailbox as created, though it was there before; and what was changed
    after it was created as updated too (James)."""
    last_mailbox: Literal["refuse", "destroy"] = "refuse"
    """A message that is taken out of its last mailbox: refused, or destroyed (James)."""
    import_rules: Literal["rfc", "james"] = "rfc"
    """James: `keywords`, of which there is one at least, and `receivedAt` have to be given, else the call is refused; and a message
    goes into one mailbox."""
    duplicates: Literal["alreadyExists", "copy"] = "alreadyExists"
    """`Email/import` of content the account holds: refused with the id (Cyrus), or a second Email (Stalwart)."""
    bare_newlines: Literal["refuse", "accept"] = "refuse"
    """A bare LF in an imported message is `invalidEmail` (Cyrus, Stalwart)."""
    masks_8bit_headers: bool = False
    """Octets over 127 in the header of an imported message become `X`, without a word (Cyrus)."""
    import_date: Literal["now", "header"] = "now"
    """What receivedAt of an imported message is without one: the present, or the moment in its Date field (Cyrus 3.12)."""
    import_seconds: Literal["any", "unsigned"] = "any"
    """`unsigned`: receivedAt is kept in 32 bits, of which 0 means that there is none (Cyrus)."""
    import_is_limited: bool = True
    """`maxObjectsInSet` holds for `Email/import` (not on Cyrus)."""
    import_results: Literal["null", "empty"] = "null"
    """What `Email/import` has where nothing was created, or nothing refused (Cyrus: an empty object)."""
    import_has_states: bool = True
    """False: `Email/import` has no oldState, newState and ifInState (Cyrus 3.6)."""
    null_ids_of_email: Literal["limit", "refuse", "invalid"] = "limit"
    """`Email/get` of `ids: null`: within maxObjectsInGet, or never: requestTooLarge (Cyrus), or invalidArguments (James)."""
    repeats_objects: bool = False
    """An id that is asked for twice is answered twice by `Email/get` (Cyrus)."""
    strict_updates: bool = True
    """False: patch paths are neither unescaped nor checked for sense, immutable properties are passed over, and a
    message may be updated and destroyed in one call (Cyrus)."""
    creation_ids_as_keys: bool = True
    """False: `#id` is no key of `Email/set`'s update and destroy (Cyrus)."""
    unknown_destroy: Literal["notFound", "destroyed"] = "notFound"
    """What `Email/set` says of destroying an id that does not exist (Cyrus 3.6: done)."""
    unknown_filter: Literal["unsupportedFilter", "invalidArguments"] = "unsupportedFilter"

    # Sending
    submissions: Literal["kept", "forgotten"] = "kept"
    """What was sent leaves a submission behind; Cyrus destroys it at once unless `jmapsubmission_deleteonsend` is off."""
    submission_methods: Literal["all", "set"] = "all"
    """`set`: `EmailSubmission` has no other method (James)."""
    max_delayed_send: int = 30 * 86_400
    """The most seconds that it holds a message; 0: it holds none."""
    submission_extensions: tuple[str, ...] = ("DSN", "FUTURERELEASE", "SMTPUTF8")
    """The SMTP extensions that it lists; Cyrus lists those of the server that it hands mail to, and passes SMTPUTF8 on unlisted."""
    identity: str = "demo@example.com"
    """The address of the only identity (Cyrus: none where the user's name is no address)."""

    # Quotas and the vacation response
    quota: Literal["rfc", "stalwart", "cyrus312", "cyrus", "james"] | None = "rfc"
    """The form of quotas: `cyrus` is that of 3.6, under a capability of its own, octets only; None: none (Fastmail)."""
    vacation: Literal["rfc", "cyrus", "crashes"] = "rfc"
    """Cyrus: `isEnabled` has to be in every update, members that are null may be missing, and switching it on replaces the
    active script; Debian's 3.6.1 ends without an answer."""

    # Mailboxes
    inbox_name: str = "INBOX"
    inbox_renaming: Literal["refuse", "do", "ignore"] = "refuse"
    """mayRename is false on the inbox; Cyrus 3.6 renames it nevertheless, 3.12 says so and does not."""
    mailbox_rules: Literal["rfc", "cyrus", "james"] = "rfc"
    """Cyrus: a taken name is invalidProperties, a slash in it serverFail, a role may be given to several of
    which the first by name shows it, names are made NFC, and new mailboxes are not subscribed; see `cyrus_mailboxes`. James: names
    are not exchanged, and members that are null are left out; see `james`."""
    renamed_children: Literal["unchanged", "after", "before"] = "unchanged"
    """`Mailbox/changes` lists the mailboxes inside one that was renamed or moved too: after it or (Cyrus 3.6) before it."""
    changed_signs: str = ""
    """Pairs of characters in a mailbox's name of which the first becomes the second (Cyrus 3.12)."""
    mailbox_roles: frozenset[str] = ROLES
    """Those that can be given."""
    subscribing_moves_state: bool = True
    """False: a subscription is no change of the mailbox (Cyrus 3.6)."""
    brief_mailboxes: BriefLives = "omitted"
    """Cyrus 3.6: a mailbox that was created and destroyed since a state is listed as created."""
    created_mailbox: tuple[str, ...] = ()
    """What `Mailbox/set` reports of a new mailbox; empty: all that the client did not give."""

    # Contacts, calendars, tasks
    contacts: bool = True
    """RFC 9610 is offered (Cyrus from 3.13, and no Debian build)."""
    calendars: Literal["2.0", "1.0"] | None = "2.0"
    """Calendars are offered, with JSCalendar 2.0 (Stalwart, Cyrus from 3.13) or RFC 8984 (Cyrus 3.8 to 3.12)."""
    tasks: bool = True
    """Objects of `@type` Task live among the events (Stalwart; the draft has no tasks, Cyrus hides them)."""
    event_rules: Literal["draft", "cyrus"] = "draft"
    """Cyrus: events have ids made of their uids and only properties that it knows, `/get` fills in defaults, `calendarIds`
    takes no paths, an owner joins the participants, and there is no default calendar; see `cyrus_events`."""
    calendar_details: JsonObject = dataclasses.field(
        default_factory=lambda: {
            "minDateTime": "1900-01-01T00:00:00Z",
            "maxDateTime": "2100-01-01T00:00:00Z",
            "maxExpandedQueryDuration": "P0D",
            "maxParticipantsPerEvent": None,
        }
    )
    """The fixed part of the calendars capability's value in an account."""
    named_only: frozenset[str] = frozenset({"iCalendar"})
    """Properties that `/get` gives only when asked for by name; Stalwart has more of them than the draft."""
    attachments: Literal["blob", "inline"] = "blob"
    """`blob`: a `blobId` is taken for an item's bytes, and given instead of a `data:` URI (RFC 9610, section 3); `inline`:
    it is refused, and URIs stay as they are (Stalwart)."""
    item_form: Literal["sent", "stalwart"] = "sent"
    """How cards, events and tasks are kept: as they were sent, or as Stalwart gives them back; see `stalwart_items`."""
    totals: Literal["every", "first", "known"] = "every"
    """Which pages of a listing have the total that was asked for (Stalwart: those from position 0); `known`: so have those
    from which it follows, unasked (Cyrus)."""
    repeats_limit: bool = False
    """The answer to `/query` has the limit that was asked for (Stalwart)."""
    echoes_queries: bool = False
    """The answer to `/query` repeats its filter and its sort (Cyrus)."""
    before_includes: bool = False
    """`before` in a filter of emails includes the moment itself (Cyrus, James)."""
    after_excludes: bool = False
    """`after` does not (James)."""
    position_past_end: Literal["reported", "zero"] = "reported"
    """The position that is returned for a page past the end of a listing (Stalwart: 0)."""
    cuts_null_ids: bool = False
    """`/get` of `ids: null` cuts what it gives at maxObjectsInGet, without a word (Stalwart)."""
    program: str = ""
    """What the server says that it is, in the capability of Sieve, the only one that has a place for it."""
    scripts: Literal["rfc", "stalwart", "cyrus36", "cyrus312"] | None = "rfc"
    """By whose rules the server keeps Sieve scripts (RFC 9661); None: it offers none."""
    stamps_cards: bool = True
    """`created` and `updated` of a card are set where the client does not (Cyrus: as REV)."""

    # Blobs
    blob_capability: str | None = BLOB
    """What `Blob/get` needs in `using`; None: no such method."""
    upload_rules: Literal["rfc", "cyrus"] = "rfc"
    """Cyrus: `Blob/upload` keeps no limit, takes data that are missing or no Base64 for none, and has a blobId in its answer."""
    offers_cyrus_blob: bool = False
    """The capability of Cyrus' form of `Blob/get` is there beside that of RFC 9404 (Cyrus 3.12)."""
    blob_details: JsonObject = dataclasses.field(
        default_factory=lambda: {
            "maxSizeBlobSet": 4_000_000,
            "maxDataSources": 64,
            "supportedTypeNames": ["Mailbox", "Thread", "Email"],
            "supportedDigestAlgorithms": ["sha", "sha-256"],
        }
    )
    """The capability's value in an account (RFC 9404, section 3.1); no algorithms: digests are unknown properties."""

    @property
    def quota_capability(self) -> str:
        """Return what offers quotas; nothing where none are stated."""
        return "" if self.quota is None else CYRUS_QUOTA if self.quota == "cyrus" else QUOTA


RFC = Dialect(name="rfc")

_CYRUS_SORTS = [
    *("receivedAt", "sentAt", "from", "id", "emailstate", "size", "subject", "to", "hasKeyword", "someInThreadHaveKeyword"),
    *("addedDates", "threadSize", "spamScore", "snoozedUntil"),
]

CYRUS_312 = Dialect(
    name="cyrus312",
    limits=Limits(
        max_size_upload=1 << 30,
        max_concurrent_upload=5,
        max_size_request=10 << 20,
        max_concurrent_requests=5,
        max_calls_in_request=50,
        max_objects_in_get=4096,
        max_objects_in_set=4096,
        max_mailboxes_per_email=20,
        max_keywords_per_email=100,
        max_collections_per_item=1,
    ),
    session_path="/jmap/",
    api_path="/jmap/",
    relative_urls=True,
    fixed_session_state="0",
    wrong_content_type_status=415,
    json_type="application/json; charset=utf-8",
    uploads_expire=True,
    upload_types="bare",
    takes_nul=False,
    account_defaults=True,
    account_members=("isPrimary",),
    core_of_account="empty",
    mail_details={
        "maxKeywordsPerEmail": 100,
        "maxSizeAttachmentsPerEmail": 10_485_760,
        "emailsListSortOptions": _CYRUS_SORTS,  # Cyrus spells it so
        "maxMailboxDepth": ABSENT,
        "maxSizeMailboxName": ABSENT,
        "emailQuerySortOptions": ABSENT,
    },
    totals="known",
    lenient_references=True,
    primary_of_vendor=False,
    pushes_counts=False,
    echoes_queries=True,
    query_changes="cyrus",
    before_includes=True,
    import_date="header",
    import_seconds="unsigned",
    import_is_limited=False,
    import_results="empty",
    too_large_request_status=413,
    enforce_concurrency=False,
    object_limits="request",
    shared_states=True,
    future_state="accept",
    upload_moves_state=True,
    unchanged_moves_state=True,
    mailbox_destruction_ends_states=True,
    omitted_fill_pages=True,
    email_ids="content",
    masks_8bit_headers=True,
    null_ids_of_email="refuse",
    repeats_objects=True,
    strict_updates=False,
    creation_ids_as_keys=False,
    unknown_filter="invalidArguments",
    refusals=Refusals(
        lacking=("Identity/set", "Identity/changes"),
        text_filters=False,
        strict_header=True,
        empty_uploads=False,
    ),
    email_sorts=("receivedAt", "sentAt", "from", "id", "size", "subject", "to", "hasKeyword", "someInThreadHaveKeyword"),
    submissions="forgotten",
    max_delayed_send=512 * 86_400,
    submission_extensions=("size",),
    identity="",
    quota="cyrus312",
    vacation="cyrus",
    inbox_name="Inbox",
    inbox_renaming="ignore",
    mailbox_rules="cyrus",
    mailbox_roles=frozenset({"archive", "drafts", "important", "junk", "scheduled", "sent", "snoozed", "trash"}),
    renamed_children="after",
    changed_signs="^.",
    created_mailbox=(
        *("id", "myRights", "totalEmails", "unreadEmails", "totalThreads", "unreadThreads"),
        *("isSubscribed", "isSeenShared", "sortOrder", "showAsLabel"),
    ),
    contacts=False,
    calendars="1.0",
    event_rules="cyrus",
    calendar_details={
        "minDateTime": "1970-01-01T00:00:01Z",
        "maxDateTime": "2038-01-19T03:14:06Z",
        "maxExpandedQueryDuration": "P365D",
        "maxParticipantsPerEvent": None,
        "shareesActAs": "self",
    },
    tasks=False,
    scripts="cyrus312",
    offers_cyrus_blob=True,
    upload_rules="cyrus",
    blob_details={
        "maxSizeBlobSet": 4096,
        "maxdataSources": 100,  # Cyrus spells it so
        "supportedTypeNames": ["Mailbox", "Thread", "Email"],
        "supportedDigestAlgorithms": ["md5", "sha", "sha-256"],
    },
)

CYRUS_36 = dataclasses.replace(
    CYRUS_312,
    name="cyrus36",
    event_source=False,
    upload_types="as sent",
    import_date="now",
    garbage_state="invalidArguments",
    result_reference_error="resultReference",
    import_has_states=False,
    unknown_destroy="destroyed",
    inbox_renaming="do",
    mailbox_roles=CYRUS_312.mailbox_roles - {"scheduled"},
    renamed_children="before",
    changed_signs="",
    subscribing_moves_state=False,
    brief_mailboxes="created",
    created_mailbox=("id", "isSubscribed", "isSeenShared", "sortOrder", "showAsLabel"),
    calendars=None,
    quota="cyrus",
    vacation="crashes",
    scripts="cyrus36",
    blob_capability=CYRUS_BLOB,
    offers_cyrus_blob=False,
    blob_details={},
)

STALWART = dataclasses.replace(
    RFC,
    name="stalwart",
    mail_sharing=True,
    limits=Limits(max_size_mailbox_name=255, max_mailbox_depth=10),
    api_path="/jmap/",
    refusals=Refusals(inbox_in_any_case=True, guarded="inbox, junk, trash", needs_header=True),
    garbage_state="invalidArguments",
    duplicates="copy",
    attachments="inline",
    named_only=frozenset({"iCalendar", "vCard"}),
    item_form="stalwart",
    totals="first",
    position_past_end="zero",
    repeats_limit=True,
    created_mailbox=("id",),
    cuts_null_ids=True,
    program="Stalwart v1.0.0",
    quota="stalwart",
    scripts="stalwart",
)
"""What was seen of Stalwart 0.16.19 and read in its source; `tests/demo/stalwart` holds answers of it, which this gives too."""

JAMES = dataclasses.replace(
    RFC,
    name="james",
    limits=Limits(max_size_upload=31_457_280, max_mailboxes_per_email=10_000_000, max_size_mailbox_name=200, max_query_limit=256),
    api_path="/jmap/",
    websocket=True,
    version="jmapVersion=rfc-8621",
    query_rules="james",
    email_sorts=("receivedAt", "sentAt", "size", "from", "to", "subject"),
    ways=Freedoms(state_form="opaque", total="never", past_the_end="as asked"),
    set_errors="james",
    checks_states=False,
    results_by_id=True,
    problem_type="application/json",
    any_content_type=True,
    limits_requests=False,
    known_arguments=False,
    returns_created_ids=False,
    lenient_references=True,
    core_of_account="whole",
    mail_details={"maxSizeAttachmentsPerEmail": 20_000_000},
    stores_messages="james",
    blob_is_email=True,
    moved_is_created=True,
    before_includes=True,
    after_excludes=True,
    last_mailbox="destroy",
    unknown_filter="invalidArguments",
    renamed_children="after",
    null_ids_of_email="invalid",
    mailbox_rules="james",
    garbage_state="invalidArguments",
    mailbox_destruction="silent",
    import_rules="james",
    refusals=Refusals(
        name_signs=".%*",
        name_error="invalidArguments",
        longest_path=200,
        inbox_in_any_case=True,
        taken_name="invalidArguments",
        guarded="all roles",
        guarded_error="invalidArguments",
        guards_names=True,
        gives_roles=False,
        plain_keywords=True,
        keyword_error="invalidPatch",
    ),
    duplicates="copy",
    bare_newlines="accept",
    submission_methods="set",
    max_delayed_send=0,
    submission_extensions=(),
    quota="james",
    contacts=False,
    calendars=None,
    tasks=False,
    scripts=None,
    blob_capability=None,
)
"""What Apache James 3.8.1 was seen to do, and what its source says that it refuses."""

FASTMAIL = dataclasses.replace(
    CYRUS_312,
    name="fastmail",
    limits=Limits(
        max_size_upload=250_000_000,
        max_concurrent_upload=10,
        max_concurrent_requests=10,
        max_calls_in_request=50,
        max_objects_in_get=4096,
        max_objects_in_set=4096,
        max_mailboxes_per_email=1000,
        max_keywords_per_email=100,
    ),
    session_path="/jmap/session",
    api_path="/jmap/api/",
    relative_urls=False,
    fixed_session_state=None,
    ways=Freedoms(state_form="opaque", hosts="apart", event_variables=False),
    identity="demo@example.com",
    quota=None,
    vacation="rfc",
    contacts=True,
    calendars=None,
    event_rules="draft",
    scripts=None,
    blob_capability=None,
    blob_details={},
)
"""What Fastmail's documents and what its clients' authors report say of it: Cyrus with layers around it, without Blob/get and
calendars, downloads on another host, an eventSourceUrl without variables. It takes no Basic authentication, which this does."""

DIALECTS = {dialect.name: dialect for dialect in (RFC, CYRUS_36, CYRUS_312, STALWART, JAMES, FASTMAIL)}
