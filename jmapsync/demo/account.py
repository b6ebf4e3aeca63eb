"""Keep one account in memory, and do to it what another client would."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.demo.content import Content, SyntheticMessage, mail_like_size, read_content
from jmapsync.demo.cyrus_mailboxes import sort_order
from jmapsync.demo.freedoms import NONE
from jmapsync.demo.identity_methods import CYRUS_TEXT, VACATION_DEFAULTS
from jmapsync.demo.james import FOLDERS, INBOX_ORDER
from jmapsync.demo.mail import MailStore
from jmapsync.demo.models import CALENDAR_MODEL, CONTACT_MODEL
from jmapsync.demo.quota_methods import Allowance
from jmapsync.demo.records import format_utc_date
from jmapsync.demo.scripts import Script, ScriptStore
from jmapsync.demo.store import Backup, Store
from jmapsync.demo.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jmapsync.demo.dialect import Dialect
    from jmapsync.demo.freedoms import Freedoms
    from jmapsync.demo.history import ChangeLog
    from jmapsync.demo.problems import JsonObject
    from jmapsync.demo.records import Email, Mailbox

_FOLDERS = (
    ("Drafts", "drafts", 0),
    ("Sent", "sent", 0),
    ("Trash", "trash", 0),
    ("Junk", "junk", 0),
    ("Archive", "archive", 0),
)


@dataclass(frozen=True)
class SentMessage:
    """One message that left."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    mail_parameters: JsonObject = field(default_factory=dict)
    """Of the envelope's sender."""
    recipient_parameters: tuple[JsonObject, ...] = ()
    """Of each of its recipients."""


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
    scripts: tuple[dict[str, Script], str]


class Account(MailStore):
    """An account's data, safe to use from any thread, and the acts of "another client" for tests.

    Mailboxes are named to these acts by id or by path, such as `INBOX` or `Lists/python`. Contacts and calendars have stores of
    their own.
    """

    def __init__(
        self, account_id: str, dialect: Dialect, *, name: str = "", history: int = 1_000_000, freedoms: Freedoms = NONE
    ) -> None:
        """Make an account with the usual six mailboxes; its change logs keep `history` entries each."""
        super().__init__(dialect, history, freedoms)
        self.id = account_id
        self.name = name or account_id
        self.is_personal = True
        self.is_read_only = False
        self.kinds: frozenset[str] | None = None
        """Of mail, contacts and calendars those that are shared with the user; None for all."""
        self.identities: list[JsonObject] = [{"id": "i1", "name": "", "email": dialect.identity, "mayDelete": False}]
        """Whom the user may send as."""
        self.vacation: JsonObject = dict(VACATION_DEFAULTS)
        if dialect.vacation == "cyrus":
            self.vacation["textBody"] = CYRUS_TEXT
        self.allowance = Allowance()
        self.unreadable: frozenset[str] = frozenset()
        """Ids of mailboxes of which the user may read nothing."""
        self.submissions: dict[str, JsonObject] = {}
        self.sent: list[SentMessage] = []
        """What left, the oldest first."""
        self.submitted = 0
        """How many submissions there were: the number in the id of the latest."""
        self.held: dict[str, SentMessage] = {}
        """What leaves later, by the id of its submission."""
        self.clock: Callable[[], float] = time.time
        """The clock by which that is; tests have time pass with it."""
        self._hidden: dict[str, Email] = {}
        self._withdrawn: dict[str, tuple[Mailbox, list[tuple[Email, bytes]], list[str]]] = {}
        """Mailboxes that the user no longer sees, by path: with the messages that are nowhere else, and the ids of the others."""
        inbox = self.add_mailbox(dialect.inbox_name, None, "inbox")
        inbox.rights |= {"mayRename": False, "mayDelete": False}
        of_james = dialect.mailbox_rules == "james"
        for folder, role, order in FOLDERS if of_james else _FOLDERS:
            self.add_mailbox(folder, None, role, order)
        if of_james:
            inbox.sort_order = INBOX_ORDER
            inbox.rights |= {"mayRename": True, "mayDelete": True}
        if dialect.mailbox_rules == "cyrus":
            for mailbox in self.mailboxes.values():
                mailbox.rights["mayAdmin"] = True
                mailbox.sort_order, mailbox.is_subscribed = sort_order(mailbox.role), mailbox.role == "inbox"
        self.calendar_addresses = ["mailto:demo@example.com"]
        """The URIs that stand for the user among an event's participants; the first is the default."""
        self.contacts = Store(self, CONTACT_MODEL)
        self.calendars = Store(self, CALENDAR_MODEL)
        self.scripts = ScriptStore(self)

    def has_calendar_address(self, address: object) -> bool:
        """Return whether an address is the user's, in any case."""
        return isinstance(address, str) and address.casefold() in map(str.casefold, self.calendar_addresses)

    def release(self) -> None:
        """Send what was held until now."""
        with self.transaction():
            now = format_utc_date(int(self.clock()))
            for ref in [one for one in self.held if self.submissions[one]["sendAt"] <= now]:
                self.sent.append(self.held.pop(ref))
                self.conclude(ref, "final")

    def conclude(self, submission: str, status: str) -> None:
        """Give a submission its last status; a server that forgets what it sent forgets what was canceled too (Cyrus)."""
        self.record("EmailSubmission", submission)
        self.submissions[submission]["undoStatus"] = status
        if self.dialect.submissions == "forgotten":
            del self.submissions[submission]

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
        """Let a hidden message come back under its id, which `/changes` then lists as updated (seen on Cyrus)."""
        with self.transaction():
            email = self._hidden.pop(email_id)
            self._insert(email, read_content(self.blobs[email.blob_id]))

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

    def give_role(self, mailbox: str, role: str) -> None:
        """Give a mailbox a role, which another one may lose by that: no two have the same (RFC 8621, 2)."""
        with self.transaction():
            record = self.mailbox(mailbox)
            for other in self.mailboxes.values():
                if other.role == role and other is not record:
                    other.role = None
                    self.note_mailbox(other)
            record.role = role
            self.note_mailbox(record)

    def destroy_mailbox(self, mailbox: str) -> None:
        """Destroy a mailbox, and the messages that are nowhere else."""
        self.remove_mailbox(self.mailbox(mailbox).id)

    def withdraw_mailbox(self, path: str) -> None:
        """Have the user no longer see a mailbox: it is listed as one that is destroyed."""
        with self.transaction():
            mailbox = self.mailbox(path)
            inside = [email for email in self.emails.values() if mailbox.id in email.mailbox_ids]
            alone = [(copy.copy(email), self.raw(email.id)) for email in inside if email.mailbox_ids == {mailbox.id}]
            others = [email.id for email in inside if email.mailbox_ids != {mailbox.id}]
            self._withdrawn[path] = copy.copy(mailbox), alone, others
            self.remove_mailbox(mailbox.id)

    def share_mailbox(self, path: str) -> None:
        """Have the user see a mailbox again, with what is in it."""
        with self.transaction():
            mailbox, alone, others = self._withdrawn.pop(path)
            mailbox.total = mailbox.unread = 0
            self.mailboxes[mailbox.id] = mailbox
            self.note_mailbox(mailbox)
            is_silent = self.dialect.mailbox_destruction == "silent"
            for email, data in alone:
                self.blobs.setdefault(email.blob_id, data)
                self._insert(email, data, silent=is_silent)
            for one in others:
                self.copy(one, mailbox.id)

    def destroy_withdrawn(self, path: str, email_id: str) -> None:
        """Destroy a message in a mailbox that the user may no longer see."""
        mailbox, alone, others = self._withdrawn[path]
        self._withdrawn[path] = mailbox, [one for one in alone if one[0].id != email_id], [one for one in others if one != email_id]

    def set_rights(self, mailbox: str, **rights: bool) -> None:
        """Change what the user may do in a mailbox, such as `mayAddItems=False`."""
        with self.transaction():
            record = self.mailbox(mailbox)
            record.rights.update(rights)
            self.note_mailbox(record)
            self.unreadable = frozenset(box.id for box in self.mailboxes.values() if not box.rights["mayReadItems"])

    def set_shares(self, mailbox: str, shares: dict[str, dict[str, bool]] | None) -> None:
        """Share a mailbox with others, by their names, for what each may do in it."""
        with self.transaction():
            record = self.mailbox(mailbox)
            record.share_with = shares
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
                self.scripts.backup(),
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
            self.scripts.restore(backup.scripts)
            self._by_blob, self.threads = {}, Threads()
            for email in self.emails.values():
                self._by_blob.setdefault(email.blob_id, []).append(email.id)
                data = read_content(self.blobs[email.blob_id])
                self.threads.add(email.id, data, lambda: "", email.thread_id)
            self._counts_changed.clear()
            self.version += 1
            self._dirty = True
