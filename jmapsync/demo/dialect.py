"""Say in which points real servers differ from one another, as values that the embedded server follows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
BLOB = "urn:ietf:params:jmap:blob"
CYRUS_BLOB = "https://cyrusimap.org/ns/jmap/blob"
SUBMISSION = "urn:ietf:params:jmap:submission"


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
    max_keywords_per_email: int | None = None
    max_query_limit: int | None = None
    """The most ids one page of `/query` holds, whatever the client asks for."""
    max_changes: int | None = None
    """The most ids one page of `/changes` holds, whatever the client asks for."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one server behaves where the RFCs leave room, or where it departs from them."""

    name: str
    blob_capability: str | None = BLOB
    """What `Blob/get` needs in `using`; None: no such method."""
    relative_urls: bool = False
    """The session's URLs have no host (Cyrus)."""
    session_path: str = "/jmap/session"
    api_path: str = "/jmap/api/"
    enforce_concurrency: bool = True
    """Requests past the advertised concurrency are refused (Cyrus does not)."""
    garbage_state: Literal["cannotCalculateChanges", "invalidArguments"] = "cannotCalculateChanges"
    future_state: Literal["cannotCalculateChanges", "accept"] = "cannotCalculateChanges"
    """A state later than the present one, as after a restored backup; Cyrus answers it as if nothing happened."""
    null_ids_of_email: Literal["limit", "refuse"] = "limit"
    """`Email/get` of `ids: null`: within maxObjectsInGet, or never (Cyrus)."""
    email_ids: Literal["serial", "content"] = "serial"
    """`content`: the id follows from the message's digest, so equal content is one Email (Cyrus)."""
    duplicates: Literal["alreadyExists", "copy"] = "alreadyExists"
    """`Email/import` of content the account holds: refused with the id (Cyrus), or a second Email (Stalwart)."""
    bare_newlines: Literal["refuse", "accept"] = "refuse"
    """A bare LF in an imported message is `invalidEmail` (Cyrus, Stalwart)."""
    upload_moves_state: bool = False
    """An upload alone changes the Email and Mailbox states (Cyrus keeps uploads in a hidden mailbox)."""
    event_source: bool = True
    """False: the advertised eventSourceUrl answers 204 (Cyrus 3.6)."""
    empty_set_results: Literal["null", "empty"] = "null"
    """What `/set` answers where nothing was created, updated and so on."""
    wrong_content_type_status: int = 400
    limits: Limits = dataclasses.field(default_factory=Limits)
    """The limits a server of this dialect starts with; copied for each server."""


RFC = Dialect(name="rfc")

_CYRUS_LIMITS = Limits(
    max_size_upload=1 << 30,
    max_concurrent_upload=5,
    max_size_request=10 << 20,
    max_concurrent_requests=5,
    max_calls_in_request=50,
    max_objects_in_get=4096,
    max_objects_in_set=4096,
    max_mailboxes_per_email=20,
    max_keywords_per_email=100,
)

CYRUS_312 = Dialect(
    name="cyrus312",
    relative_urls=True,
    session_path="/jmap/",
    api_path="/jmap/",
    enforce_concurrency=False,
    future_state="accept",
    null_ids_of_email="refuse",
    email_ids="content",
    upload_moves_state=True,
    empty_set_results="empty",
    wrong_content_type_status=415,
    limits=_CYRUS_LIMITS,
)

CYRUS_36 = dataclasses.replace(
    CYRUS_312,
    name="cyrus36",
    blob_capability=CYRUS_BLOB,
    garbage_state="invalidArguments",
    event_source=False,
)

DIALECTS = {dialect.name: dialect for dialect in (RFC, CYRUS_36, CYRUS_312)}
