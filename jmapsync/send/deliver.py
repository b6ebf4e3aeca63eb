"""Send the messages of the outbox, each once, wherever the last attempt ended.

Each step is recorded before it is taken, and if an answer was lost the server is asked what became of the message before
any request is repeated. A server that keeps no submissions (Cyrus, unless configured to) still counts them: while its state
of submissions is unchanged, nothing was sent; and one that still has an older submission keeps them. If doubt remains, the
user decides.

A message with a time is never sent before it. A server that holds mail is given it at once and sends it itself, and its draft stays
until then; for any other server it stays in the outbox, and the first run after its time sends it.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import JmapsyncError, NetworkError, Remedy, ServerError, SignInError
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.replies import UnreachedError
from jmapsync.send.identity import add_defaults, header_of, names_in, senders_of
from jmapsync.storage.jmap.identities import IdentityError, choose
from jmapsync.storage.jmap.scheduled import Status
from jmapsync.storage.jmap.submission import RefusedError
from jmapsync.storage.outbox import Stage
from jmapsync.text import local_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.storage.jmap.submission import Desk, Post
    from jmapsync.storage.outbox import Outbox, Waiting

NO_RECORD = "the server no longer has a record of it{}, as of what it sent or what was canceled; it was due at {}"
PATIENCE = 300.0
"""Seconds after which a server that was asked to send will not begin to any more: the time limits of SMTP are minutes."""


class Fate(enum.Enum):
    """What became of a message for now."""

    SENT = enum.auto()
    SCHEDULED = enum.auto()
    """Its time has not come: the server holds it, or the outbox does."""
    CANCELED = enum.auto()
    """It was taken back before it was sent."""
    WAITS = enum.auto()
    """It will be tried again by itself."""
    REFUSED = enum.auto()
    """The server does not take it."""
    UNSURE = enum.auto()
    """It may have been sent; the server does not show whether."""
    UNCONFIRMED = enum.auto()
    """The server held it until its time and has no record of it now: it was sent, or canceled. It is filed as sent."""


class Sent(Struct, frozen=True):
    """What became of one message, and why."""

    waiting: Waiting
    fate: Fate
    why: str = ""
    error: JmapsyncError | None = None
    notice: str = ""
    """What the sender asked for and the server does not do."""


@dataclass(slots=True)
class Sender:
    """One account's way out. The caller holds the lock of the outbox."""

    outbox: Outbox
    post: Post
    now: Callable[[], float] = time.time
    patience: float = PATIENCE
    _desk: Desk | None = field(default=None, init=False)

    async def send_all(self) -> list[Sent]:
        """Send everything that waits and is not held, the oldest first; return what became of each.

        Raise what makes it useless to try any other: `SignInError`, `UnsupportedError`, `LocalError` and the like.
        """
        return [await self.send(waiting) for waiting in self.outbox.entries() if waiting.is_open]

    async def send(self, waiting: Waiting) -> Sent:
        """Take a message as far as it gets, and return what became of it. Raises as `send_all` does."""
        if waiting.stage is Stage.CONCLUDED:
            return Sent(waiting, Fate.UNCONFIRMED, waiting.why)
        try:
            sent = await self._advance(waiting)
        except (NetworkError, ServerError) as error:
            return self._later(waiting, error.message, error)
        except (IdentityError, RefusedError, MethodError, RequestError) as error:  # of this message: the others may go
            # A capability that the server withdrew a moment ago is as one that it never had: the message waits for it.
            if error.remedy in {Remedy.LATER, Remedy.NOW} or not self.post.is_offered or _is_of_server(error):
                return self._later(waiting, error.message, error)
            held = self.outbox.note(replace(self._noted(waiting), held=True, why=str(error)))
            return Sent(held, Fate.REFUSED, str(error), error)
        return replace(sent, notice=self.post.offer.ignored(waiting.envelope))

    async def _advance(self, waiting: Waiting) -> Sent:
        """Take a message as far as it gets. Raises what the server refuses, and what `Client.call` raises."""
        if waiting.stage is Stage.SENDING:
            waiting = self.outbox.note(await self._judge(waiting))
        elif waiting.stage is Stage.SCHEDULED:
            waiting = self.outbox.note(await self._follow(waiting))
        if why := self._early(waiting):
            return Sent(self.outbox.note(replace(waiting, why=why)), Fate.SCHEDULED, why)
        if waiting.stage in {Stage.SENDING, Stage.SCHEDULED}:
            return Sent(waiting, Fate.UNSURE if waiting.held else Fate.WAITS, waiting.why)
        if waiting.stage in {Stage.QUEUED, Stage.IMPORTING}:
            waiting = await self._draft(waiting)
        filed = False
        if waiting.stage is Stage.DRAFT:
            waiting, filed = await self._submit(waiting)
            if waiting.stage is Stage.SCHEDULED:
                return Sent(waiting, Fate.SCHEDULED, waiting.why)
        return await self._file(waiting, filed=filed)

    async def _file(self, waiting: Waiting, *, filed: bool) -> Sent:
        """File a message that was sent, unless the server did, and forget it; what is not certain stays listed."""
        if not filed and not await self.post.file(await self._get_desk(), waiting.email_id):
            what = f"{waiting.unconfirmed}; it" if waiting.unconfirmed else "it was sent, and"
            return self._later(waiting, f"{what} could not be filed yet", None)
        if waiting.unconfirmed:
            why = f"{waiting.unconfirmed}; it was filed as sent"
            waiting = self.outbox.note(replace(waiting, stage=Stage.CONCLUDED, why=why, concluded_at=self.now()))
            return Sent(waiting, Fate.UNCONFIRMED, why)
        self.outbox.remove(waiting.id)
        return Sent(waiting, Fate.SENT)

    async def unsend(self, waiting: Waiting) -> Sent:
        """Cancel a message that the server holds and forget it; its draft stays. One that was sent already is filed as such.

        Raises what `Client.call` raises.
        """
        refused = await self.post.schedule.cancel(waiting.submission)
        if refused is None:
            self.outbox.remove(waiting.id)
            return Sent(waiting, Fate.CANCELED)
        if await self.post.schedule.status(waiting.submission) is Status.CANCELED:
            self.outbox.remove(waiting.id)
            return Sent(waiting, Fate.CANCELED)
        sent = await self.send(waiting)
        if sent.fate is Fate.UNCONFIRMED:
            self.outbox.remove(waiting.id)
        return sent if sent.fate is not Fate.SCHEDULED else replace(sent, why=f"the server refused it ({refused})")

    async def withdraw(self, waiting: Waiting) -> None:
        """Forget a message that was not sent, and its draft on the server. Raises what `Client.call` raises."""
        if waiting.email_id:
            await self.post.give_up(await self._get_desk(), waiting.email_id, ours=waiting.ours)
        self.outbox.remove(waiting.id)

    async def _judge(self, waiting: Waiting) -> Waiting:
        """Find out from the server how far a message got that it may have been asked to send."""
        evidence, desk = await self.post.evidence(waiting.email_id, waiting.baseline), await self._get_desk()
        if evidence.held and waiting.at:
            return replace(waiting, stage=Stage.SCHEDULED, submission=evidence.held, why="")
        if evidence.submitted or (evidence.email is not None and desk.has_filed(evidence.email)):
            return replace(waiting, stage=Stage.SENT)
        if not evidence.unsent:
            why = "the server may have sent it, and keeps no record; check Sent before you send it again"
            return replace(waiting, held=True, why=why)
        if evidence.email is None:
            return replace(waiting, held=True, why="its draft was taken away on the server before it was sent")
        if 0 <= self.now() - waiting.asked_at < self.patience:
            return replace(waiting, why="the server was asked to send it and did not answer; it is asked again later")
        return replace(waiting, stage=Stage.DRAFT)

    def _early(self, waiting: Waiting) -> str:
        """Return why nothing is to be done for a message before its time, or nothing."""
        early = waiting.at - self.now()
        if early <= 0 or waiting.held or waiting.stage in {Stage.SENDING, Stage.SENT}:
            return ""
        if waiting.stage is Stage.SCHEDULED:
            return f"the server sends it at {local_time(waiting.at)}"
        longest = self.post.offer.longest_hold
        if early <= longest:
            return ""
        why = "the server holds no mail" if not longest else "the server does not hold mail that long"
        return f"it is sent from here at {local_time(waiting.at)}, or by the first run after that: {why}"

    async def _follow(self, waiting: Waiting) -> Waiting:
        """Find out what became of a message that the server held until its time.

        A server may destroy the record once the message was sent (RFC 8621, 7). Cyrus does, and where it was canceled too:
        one that is gone after the message's time proves nothing, unless the message was filed as sent.
        """
        status = await self.post.schedule.status(waiting.submission, waiting.baseline.newest)
        early = waiting.is_early(self.now())
        if status is Status.CANCELED:
            return replace(waiting, held=True, why="it was canceled on the server; its draft stays there")
        if status is Status.UNSENT or (status is Status.GONE and early):
            why = "the server has no record of it: it was canceled there, or could not be sent; check it before you send it again"
            return replace(waiting, held=True, why=why)
        if status is Status.PENDING or (status is Status.UNKNOWN and early):
            return replace(waiting, why="the server has not sent it yet")
        if status is Status.FINAL:
            return replace(waiting, stage=Stage.SENT)
        email = (await self.post.evidence(waiting.email_id, waiting.baseline)).email
        if email is not None and (await self._get_desk()).has_filed(email):
            return replace(waiting, stage=Stage.SENT)
        lost = "" if email is not None else ", nor the message"
        return replace(waiting, stage=Stage.SENT, unconfirmed=NO_RECORD.format(lost, local_time(waiting.at)))

    async def _draft(self, waiting: Waiting) -> Waiting:
        """Bring a message to the server, as a draft."""
        desk, path = await self._get_desk(), self.outbox.message(waiting.id)
        header = header_of(path)
        identity = choose(desk.identities, senders_of(waiting.envelope, header), names_in(header))
        if waiting.stage is Stage.QUEUED:
            waiting = add_defaults(self.outbox, waiting, header, identity)
        blob_id = await self.post.upload(path)
        if waiting.stage is Stage.IMPORTING:
            found = await self.post.find_draft(desk, waiting.envelope, blob_id, path.stat().st_size)
            if found:
                return self.outbox.note(replace(waiting, stage=Stage.DRAFT, email_id=found, ours=False))
        waiting = self.outbox.note(replace(waiting, stage=Stage.IMPORTING))
        email_id, ours = await self.post.make_draft(desk, blob_id)
        return self.outbox.note(replace(waiting, stage=Stage.DRAFT, email_id=email_id, ours=ours))

    async def _submit(self, waiting: Waiting) -> tuple[Waiting, bool]:
        """Have a draft sent, at once or at its time, and return it with whether it is filed too."""
        desk = await self._get_desk()
        header = header_of(self.outbox.message(waiting.id))
        identity = choose(desk.identities, senders_of(waiting.envelope, header), names_in(header))
        baseline = await self.post.baseline(waiting.email_id)
        asked = self.outbox.note(replace(waiting, stage=Stage.SENDING, baseline=baseline, asked_at=self.now()))
        try:
            until = asked.at if asked.is_early(self.now()) else 0
            submitted = await self.post.submit(desk, asked.email_id, asked.envelope, identity, until)
        except JmapsyncError as error:
            if _is_surely_unsent(error):
                self.outbox.note(waiting)
            raise
        if submitted.is_held:
            why = f"the server sends it at {local_time(asked.at)}"
            return self.outbox.note(replace(asked, stage=Stage.SCHEDULED, submission=submitted.id, why=why)), False
        return self.outbox.note(replace(asked, stage=Stage.SENT)), submitted.is_filed

    async def _get_desk(self) -> Desk:
        if self._desk is None:
            self._desk = await self.post.desk()
        return self._desk

    def _later(self, waiting: Waiting, why: str, error: JmapsyncError | None) -> Sent:
        return Sent(self.outbox.note(replace(self._noted(waiting), why=why)), Fate.WAITS, why, error)

    def _noted(self, waiting: Waiting) -> Waiting:
        """Return a message as it was noted last, by whichever step failed."""
        return next((one for one in self.outbox.entries() if one.id == waiting.id), waiting)


def _is_of_server(error: JmapsyncError) -> bool:
    """Return whether the server does not offer what was called (RFC 8620, 3.6.1 and 3.6.2): that says nothing of the message."""
    return isinstance(error, MethodError | RequestError) and error.type in {"unknownMethod", "unknownCapability"}


def _is_surely_unsent(error: JmapsyncError) -> bool:
    """Return whether a failed request certainly sent nothing."""
    if isinstance(error, RefusedError | MethodError):
        return error.remedy in {Remedy.HUMAN, Remedy.ROOM, Remedy.NEVER}
    return isinstance(error, UnreachedError | RequestError | SignInError)
