"""Keep one account in memory: mailboxes, messages, blobs, states; contacts and calendars have stores of their own."""

from __future__ import annotations

import copy
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.demo.content import Content, SyntheticMessage, blob_id_of, mail_like_size, read_content
from jmapsync.demo.history import ChangeLog
from jmapsync.demo.models import CALENDAR_MODEL, CONTACT_MODEL, MODELS
from jmapsync.demo.records import Email, Mailbox
from jmapsync.demo.store import Backup, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from jmapsync.demo.dialect import Dialect

_MAIL_TYPES = ("Email", "Mailbox")
_FAMILIES = (_MAIL_TYPES, *((model.collection, model.item) for model in MODELS))
_FOLDERS = (
    ("Drafts", "drafts"),
    ("Sent", "sent"),
    ("Trash", "trash"),
    ("Junk", "junk"),
    ("Archive", "archive"),
)


@dataclass(frozen=True)
class Snapshot:
    """What an account held at one moment, for `Account.restore`."""

    modseq: int
    emails: dict[str, Email]
    mailboxes: dict[str, Mailbox]
    blobs: dict[str, Content]
    logs: dict[str, ChangeLog]
    contacts: Backup
    calendars: Backup


class Account:
    """An account's data, safe to use from any thread, and the acts of "another client" for tests.

    Mailboxes are named to these acts by id or by path, such as `INBOX` or `Lists/python`.
    """

    def __init__(self, account_id: str, dialect: Dialect, *, name: str = "", history: int = 1_000_000) -> None:
        """Make an account with the usual six mailboxes; its change logs keep `history` entries each."""
        self.id = account_id
        self.name = name or account_id
        self.is_personal = True
        self.is_read_only = False
        self.dialect = dialect
        self.lock = threading.RLock()
        self.emails: dict[str, Email] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.blobs: dict[str, Content] = {}
        self.logs = {name: ChangeLog(history) for family in _FAMILIES for name in family}
        self.version = 0
        """Grows with every change of a message, and is never set back."""
        self.listeners: list[Callable[[], None]] = []
        """Called after each transaction that changed something, in the thread that made it."""
        self._by_blob: dict[str, list[str]] = {}
        self._hidden: dict[str, Email] = {}
        self._modseq = 0
        self._serial = 0
        self._depth = 0
        self._counts_changed: set[str] = set()
        self._dirty = False
        inbox = self.add_mailbox(dialect.inbox_name, None, "inbox")
        inbox.rights |= {"mayRename": False, "mayDelete": False}
        for folder, role in _FOLDERS:
            self.create_mailbox(folder, role=role)
        self.calendar_addresses = ["mailto:demo@example.com"]
        """The URIs that stand for the user among an event's participants; the first is the default."""
        self.contacts = Store(self, CONTACT_MODEL)
        self.calendars = Store(self, CALENDAR_MODEL)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the account; at the end of the outermost one, the counts' changes are recorded and listeners told."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._dirty:
                    for mailbox_id in sorted(self._counts_changed & self.mailboxes.keys()):
                        self.logs["Mailbox"].record(mailbox_id, self._next_modseq())
                    self._counts_changed.clear()
                    self._dirty = False
                    for listener in list(self.listeners):
                        listener()

    def state(self, type_name: str) -> str:
        """Return the state string of a data type; types that never change have one state."""
        if self.dialect.shared_states:
            family = next((family for family in _FAMILIES if type_name in family), ())
            return str(max((self.logs[name].state for name in family), default=0))
        log = self.logs.get(type_name)
        return str(log.state) if log is not None else "0"

    def record(self, type_name: str, record_id: str, *, dead: bool = False, anew: bool = False) -> int:
        """Note in a type's log that a record was made, changed or (`dead`) destroyed, and return the modseq of it."""
        self._dirty = True
        self.version += 1
        modseq = self._next_modseq()
        self.logs[type_name].record(record_id, modseq, dead=dead, anew=anew)
        return modseq

    # Records, as the methods of the server change them.

    def add_blob(self, data: bytes) -> str:
        """Store bytes and return their blob id."""
        with self.transaction():
            blob_id = blob_id_of(data)
            self.blobs.setdefault(blob_id, data)
            if self.dialect.upload_moves_state:
                self._dirty = True
                for name in _MAIL_TYPES:
                    self.logs[name].state = self._next_modseq()
            return blob_id

    def emails_of_blob(self, blob_id: str) -> list[str]:
        """Return the ids of the messages that have this content."""
        return list(self._by_blob.get(blob_id, ()))

    def add_email(self, content: Content, mailbox_ids: Collection[str], keywords: Collection[str], received_at: int) -> Email:
        """Add a message; where ids follow from content, one that is already here gains the mailboxes instead."""
        data = read_content(content)
        blob_id = blob_id_of(data)
        with self.transaction():
            if self.dialect.email_ids == "content":
                email_id = "M" + blob_id[1:25]
                if (present := self.emails.get(email_id)) is not None:
                    self.update_email(present, mailbox_ids=present.mailbox_ids | frozenset(mailbox_ids))
                    return present
            else:
                email_id = self._next_id("e")
            email = Email(email_id, blob_id, len(data), received_at, frozenset(mailbox_ids), frozenset(keywords))
            self.blobs.setdefault(blob_id, content)
            self._insert(email)
            return email

    def update_email(
        self,
        email: Email,
        *,
        mailbox_ids: frozenset[str] | None = None,
        keywords: frozenset[str] | None = None,
        touched: bool = False,
    ) -> None:
        """Give a message other mailboxes or keywords; what is equal already is no change unless it was `touched`."""
        mailbox_ids = email.mailbox_ids if mailbox_ids is None else mailbox_ids
        keywords = email.keywords if keywords is None else keywords
        if not mailbox_ids:
            raise ValueError("a message is in at least one mailbox")
        with self.transaction():
            if touched or mailbox_ids != email.mailbox_ids or keywords != email.keywords:
                self._count(email, -1)
                email.mailbox_ids, email.keywords = mailbox_ids, keywords
                self._count(email, 1)
                self.record("Email", email.id)

    def remove_email(self, email_id: str) -> None:
        """Destroy a message; its blob stays downloadable, as servers keep it for a while."""
        with self.transaction():
            email = self.emails.pop(email_id)
            self._by_blob[email.blob_id].remove(email_id)
            self._count(email, -1)
            self.record("Email", email_id, dead=True)

    def add_mailbox(self, name: str, parent_id: str | None, role: str | None, sort_order: int = 0) -> Mailbox:
        """Add a mailbox; the rules of names and roles are the caller's to check."""
        with self.transaction():
            mailbox = Mailbox(self._next_id("m"), name, parent_id, role, sort_order)
            self.mailboxes[mailbox.id] = mailbox
            self.note_mailbox(mailbox)
            return mailbox

    def note_mailbox(self, mailbox: Mailbox) -> None:
        """Record that a mailbox's properties were changed."""
        with self.transaction():
            mailbox.changed = self.record("Mailbox", mailbox.id)

    def remove_mailbox(self, mailbox_id: str) -> None:
        """Destroy a mailbox, and the messages that are nowhere else."""
        with self.transaction():
            for email in [email for email in self.emails.values() if mailbox_id in email.mailbox_ids]:
                if others := email.mailbox_ids - {mailbox_id}:
                    self.update_email(email, mailbox_ids=others)
                else:
                    self.remove_email(email.id)
            del self.mailboxes[mailbox_id]
            modseq = self.record("Mailbox", mailbox_id, dead=True)
            if self.dialect.mailbox_destruction_ends_states:
                self.logs["Email"].floor = modseq

    # The acts of another client.

    def mailbox(self, name: str) -> Mailbox:
        """Return a mailbox by id or by path, `INBOX` being the inbox whatever its name; raise KeyError without one."""
        if name in self.mailboxes:
            return self.mailboxes[name]
        for mailbox in self.mailboxes.values():
            if self.path(mailbox) == name or (name == "INBOX" and mailbox.role == "inbox"):
                return mailbox
        raise KeyError(name)

    def path(self, mailbox: Mailbox) -> str:
        """Return the names of a mailbox and its parents, joined by slashes."""
        parent = self.mailboxes.get(mailbox.parent_id or "")
        return mailbox.name if parent is None else f"{self.path(parent)}/{mailbox.name}"

    def role_of(self, mailbox: Mailbox) -> str | None:
        """Return the role a mailbox shows: of several that were given the same, the first by path (Cyrus)."""
        if mailbox.role is None:
            return None
        rivals = [other for other in self.mailboxes.values() if other.role == mailbox.role]
        return mailbox.role if min(rivals, key=self.path) is mailbox else None

    def deliver(
        self,
        message: bytes,
        mailboxes: Sequence[str] = ("INBOX",),
        keywords: Iterable[str] = (),
        received_at: int | None = None,
    ) -> str:
        """Put a message into mailboxes as it is and return its email id; `received_at` is in seconds since 1970."""
        with self.transaction():
            ids = [self.mailbox(name).id for name in mailboxes]
            moment = int(time.time()) if received_at is None else received_at
            return self.add_email(message, ids, [keyword.lower() for keyword in keywords], moment).id

    def populate(self, count: int, *, mailboxes: Sequence[str] = ("INBOX",), size: int = 2_000, first_seed: int = 0) -> None:
        """Add `count` synthetic messages of mail-like sizes around `size` octets, spread over the mailboxes in turn."""
        with self.transaction():
            homes = [frozenset([self.mailbox(name).id]) for name in mailboxes]
            marks = [frozenset[str](), frozenset(["$seen"]), frozenset(["$seen"]), frozenset(["$seen", "$flagged"])]
            for seed in range(first_seed, first_seed + count):
                message = SyntheticMessage(seed, mail_like_size(seed, size))
                self.add_email(message, homes[seed % len(homes)], marks[seed % len(marks)], message.received_at)

    def set_keyword(self, email_id: str, keyword: str, *, present: bool = True) -> None:
        """Add a keyword to a message, or take it away."""
        with self.transaction():
            email = self.emails[email_id]
            change = frozenset([keyword.lower()])
            self.update_email(email, keywords=email.keywords | change if present else email.keywords - change)

    def move(self, email_id: str, source: str, target: str) -> None:
        """Take a message out of one mailbox and put it into another; further ones it is in stay."""
        with self.transaction():
            email = self.emails[email_id]
            others = email.mailbox_ids - {self.mailbox(source).id}
            self.update_email(email, mailbox_ids=others | {self.mailbox(target).id})

    def copy(self, email_id: str, target: str) -> None:
        """Put a message into one more mailbox."""
        with self.transaction():
            email = self.emails[email_id]
            self.update_email(email, mailbox_ids=email.mailbox_ids | {self.mailbox(target).id})

    def destroy(self, email_id: str) -> None:
        """Destroy a message."""
        self.remove_email(email_id)

    def hide(self, email_id: str) -> None:
        r"""Make a message vanish as an IMAP client does that marks it `\\Deleted` (RFC 8621, section 4.1.1)."""
        with self.transaction():
            self._hidden[email_id] = self.emails[email_id]
            self.remove_email(email_id)

    def unhide(self, email_id: str) -> None:
        """Let a hidden message come back under its id, which `/changes` then tells as updated (seen on Cyrus)."""
        with self.transaction():
            self._insert(self._hidden.pop(email_id))

    def create_mailbox(self, path: str, *, role: str | None = None) -> str:
        """Make a mailbox in the parent its path names, which must exist, and return its id."""
        parent, _, name = path.rpartition("/")
        return self.add_mailbox(name, self.mailbox(parent).id if parent else None, role).id

    def rename_mailbox(self, mailbox: str, name: str, *, parent: str | None = None) -> None:
        """Give a mailbox another last name and, if `parent` is given, another parent (an empty one: the top)."""
        with self.transaction():
            record = self.mailbox(mailbox)
            if parent is not None:
                record.parent_id = self.mailbox(parent).id if parent else None
            record.name = name
            self.note_mailbox(record)

    def destroy_mailbox(self, mailbox: str) -> None:
        """Destroy a mailbox, and the messages that are nowhere else."""
        self.remove_mailbox(self.mailbox(mailbox).id)

    def set_rights(self, mailbox: str, **rights: bool) -> None:
        """Change what the user may do in a mailbox, such as `mayAddItems=False`."""
        with self.transaction():
            record = self.mailbox(mailbox)
            record.rights.update(rights)
            self.note_mailbox(record)

    def raw(self, email_id: str) -> bytes:
        """Return a message's bytes."""
        return read_content(self.blobs[self.emails[email_id].blob_id])

    def listing(self) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
        """Return the mailbox paths and the keywords of every message, by email id."""
        with self.lock:
            paths = {mailbox.id: self.path(mailbox) for mailbox in self.mailboxes.values()}
            return {
                email.id: (frozenset(paths[home] for home in email.mailbox_ids), email.keywords) for email in self.emails.values()
            }

    # A backup that is restored.

    def snapshot(self) -> Snapshot:
        """Return all the account holds, as a backup would."""
        with self.lock:
            return Snapshot(
                self._modseq,
                {email.id: copy.copy(email) for email in self.emails.values()},
                {box.id: copy.deepcopy(box) for box in self.mailboxes.values()},
                self.blobs.copy(),
                copy.deepcopy(self.logs),
                self.contacts.backup(),
                self.calendars.backup(),
            )

    def restore(self, backup: Snapshot) -> None:
        """Set everything back to a snapshot, states included: clients then hold states of a future that never was."""
        with self.transaction():
            self._modseq = backup.modseq
            self.emails = {email.id: copy.copy(email) for email in backup.emails.values()}
            self.mailboxes = {box.id: copy.deepcopy(box) for box in backup.mailboxes.values()}
            self.blobs = backup.blobs.copy()
            self.logs = copy.deepcopy(backup.logs)
            self.contacts.restore(backup.contacts)
            self.calendars.restore(backup.calendars)
            self._by_blob = {}
            for email in self.emails.values():
                self._by_blob.setdefault(email.blob_id, []).append(email.id)
            self._counts_changed.clear()
            self.version += 1
            self._dirty = True

    def _next_modseq(self) -> int:
        self._modseq += 1
        return self._modseq

    def _next_id(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}{self._serial}"

    def _insert(self, email: Email) -> None:
        self.emails[email.id] = email
        self._by_blob.setdefault(email.blob_id, []).append(email.id)
        self._count(email, 1)
        self.record("Email", email.id)

    def _count(self, email: Email, step: int) -> None:
        unread = 0 if email.keywords & {"$seen", "$draft"} else step
        for mailbox_id in email.mailbox_ids:
            mailbox = self.mailboxes[mailbox_id]
            mailbox.total += step
            mailbox.unread += unread
        self._counts_changed |= email.mailbox_ids
