"""Keep messages that wait to be sent, each in two files: the message as it will leave, and a note of how far it got.

A message is in the outbox once its note is there, which comes last and in one step. Every step of sending is noted, durably,
before it is taken: whoever finds the note after a crash knows what may have happened already.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jmapsync.directories import make_private
from jmapsync.errors import LocalError
from jmapsync.formats.envelope import Envelope
from jmapsync.formats.message import Form, to_wire
from jmapsync.opening import read_regular
from jmapsync.storage.files.atomic import replace_bytes, sync_directories, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_NAMED = 5
"""Recipients in the name of a message."""
_NOTE, _MESSAGE, _UNFINISHED, _LOCK = ".json", ".eml", ".tmp", "lock"
_TO_SEND = 20.0
"""Seconds that a server has to send what it held before it is asked what became of it."""
_LONGEST_NOTE = 1 << 26
"""Octets: it names every recipient."""
_LISTED = 7 * 86_400.0
_UNFINISHED_SECONDS = 86_400.0
"""A message without a note was left by a program that ended before it knew that its message is safe."""


class Stage(enum.StrEnum):
    """How far a message got."""

    QUEUED = "queued"
    """Nothing was asked of the server."""
    IMPORTING = "importing"
    """The server may have been asked to take it among the drafts."""
    DRAFT = "draft"
    """It is a draft on the server, and nothing was asked to send it."""
    SENDING = "sending"
    """The server may have been asked to send it."""
    SCHEDULED = "scheduled"
    """The server holds it and sends it at its time; its draft stays until then."""
    SENT = "sent"
    """It was sent, or is taken to be; what is left is to file it."""
    CONCLUDED = "concluded"
    """It is filed, and whether it was sent is not certain: that is listed for `_LISTED` seconds, or until it is dropped."""


class Baseline(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the server knew of submissions just before it was asked to send a message."""

    state: str = ""
    """While it stays, nothing was sent."""
    of_message: tuple[str, ...] = ()
    """The ids of those of the same message: the same bytes may have been sent before, which proves nothing."""
    newest: str = ""
    """The id of the newest that was sent for good: while the server keeps that record, it keeps any later one too."""


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of the outbox, and how far it got."""

    id: str
    envelope: Envelope
    queued_at: float
    """In seconds since 1970, as `asked_at`."""
    stage: Stage = Stage.QUEUED
    email_id: str = ""
    """The draft on the server."""
    ours: bool = False
    """That draft was made to be sent, and is nobody's if it is not."""
    baseline: Baseline = Baseline()
    asked_at: float = 0.0
    why: str = ""
    """Why it still waits, for people."""
    held: bool = False
    """Only a person can decide what becomes of it."""
    at: int = 0
    """When it is to be sent, in seconds since 1970; 0 for as soon as possible."""
    submission: str = ""
    """The id of the submission that the server holds."""
    unconfirmed: str = ""
    """Why it is not certain that it was sent, or nothing."""
    concluded_at: float = 0.0

    @property
    def name(self) -> str:
        """Return what people know it by."""
        some, more = self.envelope.recipients[:_MOST_NAMED], len(self.envelope.recipients) - _MOST_NAMED
        to = (", ".join(some) or "nobody") + (f" and {more} more" if more > 0 else "")
        return f"{self.id} ({self.envelope.subject or 'no subject'}, to {to})"

    @property
    def is_open(self) -> bool:
        """Return whether there is, or will be, something to do for it without a person."""
        return not self.held and self.stage is not Stage.CONCLUDED

    def is_early(self, now: float) -> bool:
        """Return whether it is not to be sent yet."""
        return self.at > now


class Outbox:
    """The messages of one account that wait to be sent."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is made yet."""
        self.folder = folder

    @property
    def is_there(self) -> bool:
        """Whether anything was ever put in."""
        return os.path.exists(self.folder)

    def add(self, header: bytes, body: Iterable[bytes], envelope: Envelope, at: int = 0) -> Waiting:
        """Put a message in that is to be sent at a time, 0 for at once, and return it once it is durable. Raises LocalError.

        Bare LFs of the body become CRLF.
        """
        identity = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
        waiting = Waiting(identity, envelope, time.time(), at=at)
        try:
            make_private(self.folder)
            handle = os.open(self.message(identity), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(header)
                file.writelines(to_wire(body, Form.MIXED))
                file.flush()
                os.fsync(file.fileno())
            self._put(waiting)
        except OSError as error:
            self.message(identity).unlink(missing_ok=True)
            raise LocalError(f"The message could not be kept in {self.folder}: {error.strerror}.") from error
        return waiting

    def put_first(self, identity: str, field: bytes) -> None:
        """Put a header field, with its line break, before the others of a message. Raises LocalError."""
        path, temporary = self.message(identity), self.message(f".{identity}")
        try:
            temporary.unlink(missing_ok=True)  # what a killed run left
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file, path.open("rb") as before:
                file.write(field)
                shutil.copyfileobj(before, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directories([os.fspath(self.folder)])
        except OSError as error:
            raise LocalError(f"{self.folder} cannot be written: {error.strerror}.") from error

    def note(self, waiting: Waiting) -> Waiting:
        """Write down durably how far a message got, and return it. Raises LocalError."""
        try:
            self._put(waiting)
        except OSError as error:
            raise LocalError(f"{self.folder} cannot be written: {error.strerror}.") from error
        return waiting

    def remove(self, identity: str) -> None:
        """Forget a message: the note first, since a message without one is not in the outbox. Raises LocalError."""
        try:
            self._file(identity).unlink(missing_ok=True)
            sync_directories([os.fspath(self.folder)])
            for path in (self.message(identity), self.message(f".{identity}"), unfinished(self._file(identity))):
                path.unlink(missing_ok=True)  # the last two are what a killed run left
        except OSError as error:
            raise LocalError(f"{self.folder} cannot be written: {error.strerror}.") from error

    def message(self, identity: str) -> Path:
        """Return the path of a message's bytes."""
        return self.folder / f"{identity}{_MESSAGE}"

    def entries(self) -> list[Waiting]:
        """Return what waits, the oldest first; a note that cannot be read is held by its name. Raises LocalError."""
        try:
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(_NOTE) and not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LocalError(f"{self.folder} cannot be read: {error.strerror}.") from error
        found = (self._read(name.removesuffix(_NOTE)) for name in names)
        return [waiting for waiting in found if waiting is not None]

    def next_time(self, now: float) -> float | None:
        """Return the next time at which there is something to do for a message that has a time. Raises LocalError."""
        times = [one.at + (_TO_SEND if one.stage is Stage.SCHEDULED else 0.0) for one in self.entries() if one.is_open and one.at]
        return min((time for time in times if time > now), default=None)

    def tidy(self) -> None:
        """Remove what programs left that ended while they wrote, and what was listed long enough. Raises LocalError."""
        for one in self.entries():
            if one.stage is Stage.CONCLUDED and not 0 <= time.time() - one.concluded_at < _LISTED:
                self.remove(one.id)
        limit = time.time() - _UNFINISHED_SECONDS
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(self.folder)):
                path = Path(entry.path)
                alone = path.suffix == _MESSAGE and not path.with_suffix(_NOTE).exists()
                if (alone or path.suffix == _UNFINISHED) and entry.stat().st_mtime < limit:
                    path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the outbox alone and yield True, or False at once while another process sends from it. Raises LocalError."""
        try:
            make_private(self.folder)
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LocalError(f"{self.folder} cannot be written: {error.strerror}.") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)

    def _file(self, identity: str) -> Path:
        return self.folder / f"{identity}{_NOTE}"

    def _put(self, waiting: Waiting) -> None:
        replace_bytes(self._file(waiting.id), msgspec.json.encode(waiting))

    def _read(self, identity: str) -> Waiting | None:
        try:
            found = msgspec.json.decode(read_regular(self._file(identity), _LONGEST_NOTE, follow=True), type=Waiting)
        except FileNotFoundError:  # another process sent it just now
            return None
        except (OSError, msgspec.DecodeError) as error:
            nobody = Envelope("", (), "")
            return Waiting(identity, nobody, 0.0, why=f"its note {self._file(identity)} cannot be read ({error})", held=True)
        if found.id != identity or not self.message(identity).exists():
            return msgspec.structs.replace(found, id=identity, held=True, why=f"{self.message(identity)} is gone")
        return found
