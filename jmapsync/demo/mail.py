"""Keep the mail of one account in memory: mailboxes, messages, blobs, and the states of all data types."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jmapsync.demo.content import Content, blob_id_of, read_content
from jmapsync.demo.freedoms import NONE, form_id
from jmapsync.demo.history import ChangeLog
from jmapsync.demo.models import MODELS
from jmapsync.demo.records import Email, Mailbox
from jmapsync.demo.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from jmapsync.demo.dialect import Dialect
    from jmapsync.demo.freedoms import Freedoms

_MAIL_TYPES = ("Email", "Mailbox", "Thread")
_FAMILIES = (
    _MAIL_TYPES,
    ("EmailSubmission",),
    ("Identity",),
    ("VacationResponse",),
    ("SieveScript",),
    *((model.collection, model.item) for model in MODELS),
)


class MailStore:
    """Mailboxes and messages, changed as the methods of the server change them, from any thread."""

    def __init__(self, dialect: Dialect, history: int, freedoms: Freedoms = NONE) -> None:
        """Hold nothing yet; the change logs keep `history` entries each."""
        self.dialect = dialect
        self.freedoms = freedoms
        self.lock = threading.RLock()
        self.emails: dict[str, Email] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self._by_path: dict[str, str] = {}
        """Ids of mailboxes that were asked for by path; they may lie elsewhere by now."""
        self.blobs: dict[str, Content] = {}
        self.threads = Threads()
        self.logs = {name: ChangeLog(history) for family in _FAMILIES for name in family}
        self.version = 0
        """Grows with every change of a message, and is never set back."""
        self.listeners: list[Callable[[], None]] = []
        """Called after each transaction that changed something, in the thread that made it."""
        self.mailboxes_modseq = 0
        """That of the latest change of a mailbox other than of its counts."""
        self._by_blob: dict[str, list[str]] = {}
        self._modseq = 0
        self._serial = 0
        self._depth = 0
        self._counts_changed: set[str] = set()
        self._dirty = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the account; at the end of the outermost one, the counts' changes are recorded and listeners notified."""
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
        return str(max(log.state, log.floor)) if log is not None else "0"

    def record(self, type_name: str, record_id: str, *, dead: bool = False, anew: bool = False) -> int:
        """Note in a type's log that a record was made, changed or (`dead`) destroyed, and return the modseq of it."""
        self._dirty = True
        self.version += 1
        modseq = self._next_modseq()
        self.logs[type_name].record(record_id, modseq, dead=dead, anew=anew)
        return modseq

    def add_blob(self, data: bytes) -> str:
        """Store bytes and return their blob id."""
        with self.transaction():
            blob_id = self._next_id("upload") if self.dialect.blob_is_email else blob_id_of(data)
            self.blobs.setdefault(blob_id, data)
            if self.dialect.upload_moves_state:
                self._dirty = True
                for name in _MAIL_TYPES:
                    self.logs[name].state = self._next_modseq()
            return blob_id

    def keep_blob(self, data: bytes) -> None:
        """Store bytes that are part of what is stored already, which changes no state."""
        with self.lock:
            self.blobs.setdefault(blob_id_of(data), data)

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
            if self.dialect.blob_is_email:
                blob_id = email_id
            email = Email(email_id, blob_id, len(data), received_at, frozenset(mailbox_ids), frozenset(keywords))
            self.blobs.setdefault(blob_id, content)
            self._insert(email, data)
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
                is_new = self.dialect.moved_is_created and bool(mailbox_ids - email.mailbox_ids)
                is_left = is_new and bool(email.mailbox_ids - mailbox_ids)
                self._count(email, -1)
                email.mailbox_ids, email.keywords = mailbox_ids, keywords
                self._count(email, 1)
                self.record("Email", email.id, anew=is_new)
                if is_left:
                    self.record("Email", email.id)

    def remove_email(self, email_id: str, *, silent: bool = False) -> None:
        """Destroy a message; its blob stays downloadable, as servers keep it for a while. `silent`: no log lists it."""
        with self.transaction():
            email = self.emails.pop(email_id)
            self._by_blob[email.blob_id].remove(email_id)
            self._count(email, -1)
            if self.dialect.blob_is_email:
                del self.blobs[email.blob_id]
            is_last = self.threads.remove(email_id, email.thread_id)
            if not silent:
                modseq = self.record("Email", email_id, dead=True)
                self.logs["Thread"].record(email.thread_id, modseq, dead=is_last)

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
            mailbox.changed = self.mailboxes_modseq = self.record("Mailbox", mailbox.id)

    def remove_mailbox(self, mailbox_id: str) -> None:
        """Destroy a mailbox, and the messages that are nowhere else."""
        with self.transaction():
            for email in [email for email in self.emails.values() if mailbox_id in email.mailbox_ids]:
                if others := email.mailbox_ids - {mailbox_id}:
                    self._take_out(email, others)
                else:
                    self.remove_email(email.id, silent=self.dialect.mailbox_destruction == "silent")
            del self.mailboxes[mailbox_id]
            modseq = self.mailboxes_modseq = self.record("Mailbox", mailbox_id, dead=True)
            if self.dialect.mailbox_destruction_ends_states:
                self.logs["Email"].floor = modseq

    def _take_out(self, email: Email, others: frozenset[str]) -> None:
        """Leave a message in the other mailboxes only, in which nothing is counted anew."""
        counted = set(self._counts_changed)
        if self.dialect.mailbox_destruction == "silent":
            email.mailbox_ids = others
        else:
            self.update_email(email, mailbox_ids=others)
        self._counts_changed = counted

    def mailbox(self, name: str) -> Mailbox:
        """Return a mailbox by id or by path, `INBOX` being the inbox whatever its name; raise KeyError without one."""
        if name in self.mailboxes:
            return self.mailboxes[name]
        known = self.mailboxes.get(self._by_path.get(name, ""))
        if known is not None and self._is_called(known, name):
            return known
        for mailbox in self.mailboxes.values():
            if self._is_called(mailbox, name):
                self._by_path[name] = mailbox.id
                return mailbox
        raise KeyError(name)

    def _is_called(self, mailbox: Mailbox, name: str) -> bool:
        if name == "INBOX" and mailbox.role == "inbox":
            return True
        return name.endswith(mailbox.name) and self.path(mailbox) == name

    def path(self, mailbox: Mailbox) -> str:
        """Return the names of a mailbox and its parents, joined by slashes."""
        parent = self.mailboxes.get(mailbox.parent_id or "")
        return mailbox.name if parent is None else f"{self.path(parent)}/{mailbox.name}"

    def inside(self, mailbox: Mailbox) -> list[Mailbox]:
        """Return the mailboxes inside one, at every depth, parents first."""
        found = [mailbox]
        for parent in found:
            found += [one for one in self.mailboxes.values() if one.parent_id == parent.id]
        return found[1:]

    def role_of(self, mailbox: Mailbox) -> str | None:
        """Return the role a mailbox shows: of several that were given the same, the first by path (Cyrus)."""
        if mailbox.role is None:
            return None
        rivals = [other for other in self.mailboxes.values() if other.role == mailbox.role]
        return mailbox.role if min(rivals, key=self.path) is mailbox else None

    def _next_modseq(self) -> int:
        self._modseq += 1
        return self._modseq

    def _next_id(self, prefix: str) -> str:
        self._serial += 1
        return form_id(self.freedoms.id_form, prefix, self._serial)

    def _insert(self, email: Email, data: bytes, *, silent: bool = False) -> None:
        self.emails[email.id] = email
        self._by_blob.setdefault(email.blob_id, []).append(email.id)
        email.thread_id = self.threads.add(email.id, data, lambda: self._new_thread_id(email.id), email.thread_id)
        self._count(email, 1)
        if not silent:
            self.logs["Thread"].record(email.thread_id, self.record("Email", email.id))

    def _new_thread_id(self, email_id: str) -> str:
        if self.dialect.email_ids == "content":
            return "T" + email_id[1:17]
        if self.dialect.blob_is_email:
            return email_id
        return form_id(self.freedoms.id_form, "t", self._serial)

    def _count(self, email: Email, step: int) -> None:
        unread = 0 if email.keywords & {"$seen", "$draft"} else step
        for mailbox_id in email.mailbox_ids:
            mailbox = self.mailboxes[mailbox_id]
            mailbox.total += step
            mailbox.unread += unread
        self._counts_changed |= email.mailbox_ids
