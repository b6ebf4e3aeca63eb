"""Decode emails and mailboxes, and build the calls that ask for them (RFC 8621, sections 2 and 4)."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Struct, field

from jmapsync.formats.flags import valid_keyword
from jmapsync.formats.pointer import escape
from jmapsync.jmap.wire import Call, Ref
from jmapsync.planner.model import Version
from jmapsync.storage.jmap.decoding import Listed, listed
from jmapsync.storage.jmap.sharing import shares_of
from jmapsync.storage.port import Folder, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from jmapsync.jmap.wire import Response

MAIL = "urn:ietf:params:jmap:mail"
PROPERTIES = ("id", "blobId", "mailboxIds", "keywords", "receivedAt", "size")
"""All that a mirror needs; anything more makes servers parse bodies."""
READ_BACK = ("id", "blobId", "mailboxIds", "keywords")
"""What is read again after a change."""
MAILBOX_PROPERTIES = ("id", "name", "parentId", "role", "myRights")
IMPORTING = "jmapsync-import"
"""The keyword of a message that is being imported into a server that takes none without (James); nobody is shown it."""
HOMELESS = "the server names no mailbox that it is in"
ADRIFT = "the server says it is in a mailbox that cannot be read, or that it does not list: {}"

Name = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
"""An UnsignedInt (RFC 8620, 1.3)."""


class Boxes(Struct):
    """The mailboxes of an account: those of the context of a run, and what was met besides."""

    keys: Mapping[str, int] = {}
    """Container key by mailbox id."""
    roles: Mapping[str, str] = {}
    """Mailbox id by role."""
    outside: AbstractSet[str] = field(default_factory=frozenset)
    """Ids of mailboxes whose mail is not mirrored by the user's wish; one that others lie in has a key all the same."""

    unread: set[str] = set()
    """Ids of mailboxes that the server gave in a malformed way, and that nobody ever knew."""

    unfinished: set[str] = set()
    """Ids of emails that were seen to have the keyword of an import that was interrupted."""

    def ids(self, homes: frozenset[int]) -> list[str]:
        """Return the mailbox ids of containers."""
        return [box for box, key in self.keys.items() if key in homes]

    def homes(self, boxes: Iterable[str]) -> frozenset[int]:
        """Return the containers of those mailboxes whose mail is mirrored."""
        return frozenset(self.keys[box] for box in boxes if box in self.keys and box not in self.outside)

    def know(self, box: str) -> bool:
        """Return whether a mailbox is known."""
        return box in self.keys or box in self.outside


class Email(msgspec.Struct, rename="camel", kw_only=True):
    """The metadata of one email, as far as it was asked for."""

    id: Name
    blob_id: str = ""
    mailbox_ids: dict[str, bool] = {}
    keywords: dict[str, bool] = {}
    received_at: str = ""
    size: Count = 0

    @property
    def boxes(self) -> list[str]:
        """Return the ids of the mailboxes that it is in."""
        return [box for box, held in self.mailbox_ids.items() if held]


class _WholeEmail(Email, rename="camel", kw_only=True):
    """An email with all that a mirror needs: what lacks any of it is malformed, not an email without content or keywords."""

    blob_id: Name
    mailbox_ids: dict[str, bool]
    keywords: dict[str, bool]
    received_at: str
    size: Count


class _HeldEmail(Email, rename="camel", kw_only=True):
    """An email as it is read again after a change."""

    blob_id: Name
    mailbox_ids: dict[str, bool]
    keywords: dict[str, bool]


_KINDS: dict[tuple[str, ...], type[Email]] = {PROPERTIES: _WholeEmail, READ_BACK: _HeldEmail}


class Mailbox(msgspec.Struct, rename="camel"):
    """One mailbox, as far as it was asked for."""

    id: Name
    name: str
    parent_id: str | None = None
    role: Any = None
    my_rights: Any = None
    share_with: Any = msgspec.UNSET

    @property
    def flaw(self) -> str:
        """Return what is wrong with it, though it can be mirrored; or nothing."""
        if self.role is not None and not isinstance(self.role, str):
            return "its role is malformed; it is taken to have none"
        held = self.my_rights
        if not isinstance(held, dict) or not all(isinstance(each, bool) for each in held.values()):
            return "its myRights is malformed: what may be done in it is unknown"
        return ""

    def folder(self) -> Folder:
        """Return it as a container."""
        held = self.my_rights if isinstance(self.my_rights, dict) else {}
        if not all(isinstance(each, bool) for each in held.values()):
            held = {}  # a right that is unknown is not one that is denied: an edit would be undone for it
        role = self.role if isinstance(self.role, str) else ""
        rights = frozenset(name for name, may in held.items() if may is True)
        there = self.share_with is not msgspec.UNSET
        shares = shares_of(self.share_with, rights, there=there)
        return Folder(self.id, self.name, self.parent_id or "", role.lower(), rights=rights, shares=shares)


def get_emails(account: str, ids: Sequence[str] | Ref, name: str, properties: Sequence[str] = PROPERTIES) -> Call:
    """Return the call that reads emails."""
    return Call("Email/get", {"accountId": account, "ids": ids, "properties": list(properties)}, name)


def emails_of(response: Response, call: Call, properties: tuple[str, ...] = PROPERTIES) -> Listed[Email]:
    """Return the emails that a call of `get_emails` for these properties gave. Raises MethodError."""
    return listed(response, call, _KINDS.get(properties, Email))


def get_mailboxes(account: str, ids: Sequence[str] | Ref | None, name: str) -> Call:
    """Return the call that reads mailboxes; None asks for all."""
    return Call("Mailbox/get", {"accountId": account, "ids": ids, "properties": list(MAILBOX_PROPERTIES)}, name)


def tags_of(email: Email) -> frozenset[str]:
    """Return the keywords of an email; case does not count (RFC 8621, 4.1.1). What is no keyword, or ours, is passed over."""
    words = (word.lower() for word, held in email.keywords.items() if held and valid_keyword(word))
    return frozenset(word for word in words if word != IMPORTING)


def version_of(email: Email, boxes: Boxes, digest: str = "") -> Version:
    """Return what the server holds of an email, in the mailboxes that are mirrored."""
    return Version(email.blob_id, digest, tags_of(email), boxes.homes(email.boxes))


def seen_email(email: Email, boxes: Boxes) -> Seen:
    """Return an email as an observation."""
    if IMPORTING in email.keywords:
        boxes.unfinished.add(email.id)
    outside = not boxes.outside.isdisjoint(email.boxes)
    version = version_of(email, boxes)
    # All mailboxes were read again when an email was in an unknown one.
    unread = boxes.unread.intersection(email.boxes) | {box for box in email.boxes if not boxes.know(box)}
    adrift = ADRIFT.format(", ".join(sorted(unread))) if unread else "" if email.boxes else HOMELESS
    return Seen(email.id, version, size=email.size, stamp=seconds(email.received_at), outside=outside, adrift=adrift)


def seconds(text: str) -> int:
    """Return a UTCDate as seconds since the epoch; 0 for one that cannot be read."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return 0


def utc_date(stamp: int) -> str:
    """Return seconds since the epoch as a UTCDate (RFC 8620, 1.4), within the years it can be written in."""
    stamp = min(max(stamp, 0), 253402300799)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp))


def patch(add_tags: Iterable[str], drop_tags: Iterable[str], add_homes: Iterable[str], drop_homes: Iterable[str]) -> dict[str, Any]:
    """Return the patch that changes these keywords and mailboxes and leaves others' changes alone (RFC 8620, 5.3)."""
    return {
        **{f"keywords/{escape(word)}": True for word in sorted(add_tags)},
        **{f"keywords/{escape(word)}": None for word in sorted(drop_tags)},
        **{f"mailboxIds/{escape(box)}": True for box in sorted(add_homes)},
        **{f"mailboxIds/{escape(box)}": None for box in sorted(drop_homes)},
    }
