"""Define the records an account holds, and how they read on the wire (RFC 8621)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

FULL_RIGHTS = {
    "mayReadItems": True,
    "mayAddItems": True,
    "mayRemoveItems": True,
    "maySetSeen": True,
    "maySetKeywords": True,
    "mayCreateChild": True,
    "mayRename": True,
    "mayDelete": True,
    "maySubmit": True,
}
ROLES = frozenset(
    {
        *("all", "archive", "drafts", "flagged", "important", "inbox", "junk", "sent", "subscribed", "trash"),
        *("memos", "scheduled", "snoozed"),
    }
)
_KEYWORD = re.compile(r"[\x21-\x7e]{1,255}")
_KEYWORD_FORBIDDEN = re.compile(r'[(){\]%*"\\]')
_UTC_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(slots=True)
class Mailbox:
    """A mailbox; `changed` is the modseq of its last change other than of its counts."""

    id: str
    name: str
    parent_id: str | None = None
    role: str | None = None
    sort_order: int = 0
    is_subscribed: bool = True
    rights: dict[str, bool] = field(default_factory=FULL_RIGHTS.copy)
    total: int = 0
    unread: int = 0
    changed: int = 0
    share_with: dict[str, dict[str, bool]] | None = None


@dataclass(slots=True)
class Email:
    """A message's metadata; `received_at` is in seconds since 1970, `size` in octets."""

    id: str
    blob_id: str
    size: int
    received_at: int
    mailbox_ids: frozenset[str]
    keywords: frozenset[str]
    thread_id: str = ""


def is_keyword(text: str) -> bool:
    """Return whether `text` may be a keyword (RFC 8621, section 4.1.1)."""
    return _KEYWORD.fullmatch(text) is not None and _KEYWORD_FORBIDDEN.search(text) is None


def format_utc_date(seconds: int) -> str:
    """Return the UTCDate of a moment given in seconds since 1970."""
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)  # noqa: DTZ001 - UTC by construction
    return moment.isoformat() + "Z"


def parse_utc_date(text: object) -> int:
    """Return the seconds since 1970 of a UTCDate; raise ValueError for anything else."""
    if not isinstance(text, str) or _UTC_DATE.fullmatch(text) is None:
        raise ValueError("not a UTCDate")
    return int(dt.datetime.fromisoformat(text).timestamp())
