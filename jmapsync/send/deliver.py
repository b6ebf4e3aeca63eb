"""Send the messages of the outbox, each once, wherever the last attempt ended.

Each step is recorded before it is taken, and if an answer was lost the server is asked what became of the message before
any request is repeated. A server that keeps no submissions (Cyrus, unless configured to) still counts them: while its state
of submissions is unchanged, nothing was sent; and one that still has an older submission keeps them. If doubt remains, the
user decides.
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
from jmapsync.send.identity import add_defaults, header_of, senders_of
from jmapsync.storage.jmap.identities import IdentityError, choose
from jmapsync.storage.jmap.submission import RefusedError
from jmapsync.storage.outbox import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.storage.jmap.submission import Desk, Post
    from jmapsync.storage.outbox import Outbox, Waiting

PATIENCE = 300.0
"""Seconds after which a server that was asked to send will not begin to any more: the time limits of SMTP are minutes."""


class Fate(enum.Enum):
    """What became of a message for now."""

    SENT = enum.auto()
    WAITS = enum.auto()
    """It will be tried again by itself."""
    REFUSED = enum.auto()
    """The server does not take it."""
    UNSURE = enum.auto()
    """It may have been sent; the server does not show whether."""


class Sent(Struct, frozen=True):
    """What became of one message, and why."""

    waiting: Waiting
    fate: Fate
    why: str = ""
    error: JmapsyncError | None = None


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
        return [await self.send(waiting) for waiting in self.outbox.entries() if not waiting.held]

    async def send(self, waiting: Waiting) -> Sent:
        """Take a message as far as it gets, and return what became of it. Raises as `send_all` does."""
        try:
            if waiting.stage is Stage.SENDING:
                waiting = self.outbox.note(await self._judge(waiting))
                if waiting.stage is Stage.SENDING:
                    return Sent(waiting, Fate.UNSURE if waiting.held else Fate.WAITS, waiting.why)
            if waiting.stage in {Stage.QUEUED, Stage.IMPORTING}:
                waiting = await self._draft(waiting)
            filed = False
            if waiting.stage is Stage.DRAFT:
                waiting, filed = await self._submit(waiting)
            if not filed and not await self.post.file(await self._get_desk(), waiting.email_id):
                return self._later(waiting, "it was sent, and could not be filed yet", None)
        except (NetworkError, ServerError) as error:
            return self._later(waiting, error.message, error)
        except (IdentityError, RefusedError, MethodError, RequestError) as error:  # of this message: the others may go
            # A capability that the server withdrew a moment ago is as one that it never had: the message waits for it.
            if error.remedy in {Remedy.LATER, Remedy.NOW} or not self.post.is_offered or _is_of_server(error):
                return self._later(waiting, error.message, error)
            held = self.outbox.note(replace(self._noted(waiting), held=True, why=str(error)))
            return Sent(held, Fate.REFUSED, str(error), error)
        self.outbox.remove(waiting.id)
        return Sent(waiting, Fate.SENT)

    async def withdraw(self, waiting: Waiting) -> None:
        """Forget a message that was not sent, and its draft on the server. Raises what `Client.call` raises."""
        if waiting.email_id:
            await self.post.give_up(await self._get_desk(), waiting.email_id, ours=waiting.ours)
        self.outbox.remove(waiting.id)

    async def _judge(self, waiting: Waiting) -> Waiting:
        """Find out from the server how far a message got that it may have been asked to send."""
        evidence, desk = await self.post.evidence(waiting.email_id, waiting.baseline), await self._get_desk()
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

    async def _draft(self, waiting: Waiting) -> Waiting:
        """Bring a message to the server, as a draft."""
        desk, path = await self._get_desk(), self.outbox.message(waiting.id)
        header = header_of(path)
        identity = choose(desk.identities, senders_of(waiting.envelope, header))
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
        """Have a draft sent, and return it with whether it is filed too."""
        desk = await self._get_desk()
        identity = choose(desk.identities, senders_of(waiting.envelope, header_of(self.outbox.message(waiting.id))))
        baseline = await self.post.baseline(waiting.email_id)
        asked = self.outbox.note(replace(waiting, stage=Stage.SENDING, baseline=baseline, asked_at=self.now()))
        try:
            filed = await self.post.submit(desk, asked.email_id, asked.envelope, identity)
        except JmapsyncError as error:
            if _is_surely_unsent(error):
                self.outbox.note(waiting)
            raise
        return self.outbox.note(replace(asked, stage=Stage.SENT)), filed

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
        return error.remedy in {Remedy.HUMAN, Remedy.NEVER}
    return isinstance(error, UnreachedError | RequestError | SignInError)
