"""Read emails and mailboxes as the server writes them, and the calls that ask for them (RFC 8621, sections 2 and 4)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.formats.flags import valid_keyword
from jmapsync.jmap.wire import Call, Ref
from jmapsync.planner.model import Version
from jmapsync.storage.port import Folder, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAIL = "urn:ietf:params:jmap:mail"
PROPERTIES = ("id", "blobId", "mailboxIds", "keywords", "receivedAt", "size")
"""All that a mirror needs; anything more makes servers parse bodies."""
MAILBOX_PROPERTIES = ("id", "name", "parentId", "role", "myRights")


@dataclass(frozen=True, slots=True)
class Boxes:
    """The mailboxes of an account; the engine fills it as containers are taken up."""

    keys: dict[str, int] = field(default_factory=dict)
    """Container key by mailbox id."""
    roles: dict[str, str] = field(default_factory=dict)
    """Mailbox id by role."""
    outside: set[str] = field(default_factory=set)
    """Ids of mailboxes whose mail is not mirrored by the user's wish; one that others lie in has a key all the same."""

    def ids(self, homes: frozenset[int]) -> list[str]:
        """Return the mailbox ids of containers."""
        return [box for box, key in self.keys.items() if key in homes]

    def homes(self, boxes: Iterable[str]) -> frozenset[int]:
        """Return the containers of those mailboxes whose mail is mirrored."""
        return frozenset(self.keys[box] for box in boxes if box in self.keys and box not in self.outside)

    def know(self, box: str) -> bool:
        """Tell whether a mailbox was told of."""
        return box in self.keys or box in self.outside


class Email(msgspec.Struct, rename="camel"):
    """The metadata of one email."""

    id: str
    blob_id: str = ""
    mailbox_ids: dict[str, bool] = {}
    keywords: dict[str, bool] = {}
    received_at: str = ""
    size: int = 0

    @property
    def boxes(self) -> list[str]:
        """Return the ids of the mailboxes that it is in."""
        return [box for box, held in self.mailbox_ids.items() if held]


class EmailList(msgspec.Struct, rename="camel"):
    """The result of Email/get."""

    state: str = ""
    emails: list[Email] = msgspec.field(name="list", default_factory=list)
    not_found: list[str] | None = None


class Mailbox(msgspec.Struct, rename="camel"):
    """One mailbox."""

    id: str
    name: str = ""
    parent_id: str | None = None
    role: str | None = None
    my_rights: dict[str, bool] = {}

    def folder(self) -> Folder:
        """Return it as a container."""
        rights = frozenset(name for name, held in self.my_rights.items() if held)
        return Folder(self.id, self.name, self.parent_id or "", (self.role or "").lower(), rights=rights)


class MailboxList(msgspec.Struct, rename="camel"):
    """The result of Mailbox/get."""

    state: str = ""
    mailboxes: list[Mailbox] = msgspec.field(name="list", default_factory=list)
    not_found: list[str] | None = None


class Changes(msgspec.Struct, rename="camel"):
    """The result of a `/changes` call (RFC 8620, section 5.2)."""

    old_state: str = ""
    new_state: str = ""
    has_more_changes: bool = False
    created: list[str] = []
    updated: list[str] = []
    destroyed: list[str] = []

    @property
    def empty(self) -> bool:
        """Tell whether nothing is listed."""
        return not (self.created or self.updated or self.destroyed)


def get_emails(account: str, ids: Sequence[str] | Ref, name: str, properties: Sequence[str] = PROPERTIES) -> Call:
    """Return the call that reads emails."""
    return Call("Email/get", {"accountId": account, "ids": ids, "properties": list(properties)}, name)


def get_mailboxes(account: str, ids: Sequence[str] | Ref | None, name: str) -> Call:
    """Return the call that reads mailboxes; None asks for all."""
    return Call("Mailbox/get", {"accountId": account, "ids": ids, "properties": list(MAILBOX_PROPERTIES)}, name)


def tags_of(email: Email) -> frozenset[str]:
    """Return the keywords of an email; case does not count (RFC 8621, 4.1.1), and what is no keyword is passed over."""
    return frozenset(word.lower() for word, held in email.keywords.items() if held and valid_keyword(word))


def version_of(email: Email, boxes: Boxes, digest: str = "") -> Version:
    """Return what the server holds of an email, in the mailboxes that are mirrored."""
    return Version(email.blob_id, digest, tags_of(email), boxes.homes(email.boxes))


def seen_email(email: Email, boxes: Boxes) -> Seen:
    """Return an email as an observation."""
    outside = not boxes.outside.isdisjoint(email.boxes)
    version = version_of(email, boxes)
    return Seen(email.id, version, size=email.size, stamp=seconds(email.received_at), outside=outside)


def seconds(text: str) -> int:
    """Return a UTCDate as seconds since the epoch; 0 for one that cannot be read (hard case 61)."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return 0


def utc_date(stamp: int) -> str:
    """Return seconds since the epoch as a UTCDate (RFC 8620, 1.4), within the years it can be written in."""
    stamp = min(max(stamp, 0), 253402300799)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp))


def pointer(word: str) -> str:
    """Escape one part of a patch path (RFC 6901)."""
    return word.replace("~", "~0").replace("/", "~1")


def patch(add_tags: Iterable[str], drop_tags: Iterable[str], add_homes: Iterable[str], drop_homes: Iterable[str]) -> dict[str, Any]:
    """Return the patch that changes these keywords and mailboxes and leaves others' changes alone (RFC 8620, 5.3)."""
    return {
        **{f"keywords/{pointer(word)}": True for word in sorted(add_tags)},
        **{f"keywords/{pointer(word)}": None for word in sorted(drop_tags)},
        **{f"mailboxIds/{pointer(box)}": True for box in sorted(add_homes)},
        **{f"mailboxIds/{pointer(box)}": None for box in sorted(drop_homes)},
    }
