"""Read and write tags of a notmuch database: the one place that knows the notmuch2 binding and its exceptions."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.errors import ExitCode, JmapsyncError, Remedy, Scope
from jmapsync.storage.files.file_state import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "jmapsync"
"""The property that a message is given: it goes when notmuch forgets the message, and so distinguishes one that was read anew."""
_FLOCK = "hhqqi0q"
"""Linux' `struct flock`."""


class TagsError(JmapsyncError):
    """The notmuch database cannot be used now; mail itself is synchronized all the same."""

    remedy = Remedy.LATER
    scope = Scope.ITEM
    exit_code = ExitCode.IN_SYNC


class NoBindingError(TagsError):
    """The Python module that reads notmuch databases is not installed."""

    remedy = Remedy.HUMAN
    exit_code = ExitCode.USAGE


class Revision(Struct, frozen=True):
    """A moment of a database."""

    uuid: str
    """Another one after a restore or a compaction: then numbers mean nothing."""
    number: int


class Message(Struct, frozen=True):
    """One message as notmuch has it."""

    id: str
    tags: frozenset[str]
    """Those that are one line of text."""
    files: tuple[str, ...]
    """Absolute paths, as they were when notmuch last scanned the disk; only those that are UTF-8, as all of a mirror are."""
    marks: frozenset[str]
    """The values of our property."""


class TagDatabase:
    """An open database."""

    def __init__(self, db: Any) -> None:  # noqa: ANN401 # the binding has no types
        """Wrap an open one; use `opened`."""
        self._db = db

    @property
    def revision(self) -> Revision:
        """Return how far it is; writes under way count."""
        found = self._db.revision()
        return Revision(found.uuid.decode(), int(found.rev))

    @property
    def new_tags(self) -> frozenset[str]:
        """Return the tags that `notmuch new` gives messages (`new.tags`)."""
        text = str(self._db.config.get("new.tags", ""))
        return frozenset(filter(None, (tag.strip() for tag in text.split(";"))))

    def since(self, number: int) -> Iterator[Message]:
        """Yield the messages that were changed after a revision, in no order; 0 for all."""
        query = f"lastmod:{number + 1}.." if number else "*"
        missing = self._db.count_messages(query)
        for found in self._db.messages(query):
            missing -= 1
            message = _read(found)
            if is_text(message.id):
                yield message
        if missing > 0:  # what Xapian refuses in the middle of a list just ends it
            raise TagsError("The notmuch database changed while it was read; its tags are read in the next run.")

    def find(self, message: str) -> Message | None:
        """Return a message by its id; None when notmuch does not know it."""
        found = self._find(message)
        return _read(found) if found is not None else None

    def change(self, message: str, add: frozenset[str], remove: frozenset[str], mark: str) -> None:
        """Give a message tags and our mark, and take tags off it; one that is not there is passed over."""
        found = self._find(message)
        if found is None:
            return
        with found.frozen():
            for tag in sorted(remove):
                found.tags.discard(tag)
            for tag in sorted(add):
                found.tags.add(tag)
        if mark not in _marks(found):
            found.properties.add(MARK, mark)

    def together(self) -> Any:  # noqa: ANN401 # the binding has no types
        """Return a context in which all changes become visible at once."""
        return self._db.atomic()

    def _find(self, message: str) -> Any:  # noqa: ANN401 # the binding has no types
        try:
            return self._db.find(message)
        except (LookupError, UnicodeEncodeError):
            return None


def _read(found: Any) -> Message:  # noqa: ANN401 # the binding has no types
    files = tuple(name for one in found.filenamesb() if is_text(name := os.fsdecode(one)))
    tags = frozenset(tag for tag in map(str, found.tags) if tag.isprintable())
    return Message(str(found.messageid), tags, files, _marks(found))


def _marks(found: Any) -> frozenset[str]:  # noqa: ANN401 # the binding has no types
    return frozenset(str(one.value) for one in found.properties.getall(MARK, exact=True))


@contextmanager
def opened(config: Path | None, *, write: bool = False) -> Iterator[TagDatabase]:
    """Open the database of a notmuch configuration, or of the one that notmuch finds itself.

    Raises TagsError when there is none, when another program writes it, or when it cannot be read; also for what fails inside.
    To open a locked one for writing would wait without limit (libnotmuch retries), so the lock is tested first.
    """
    notmuch2 = _binding()
    where = notmuch2.Database.CONFIG.SEARCH if config is None else config
    try:
        with notmuch2.Database(config=where) as db:
            if is_locked(_xapian(db)):
                raise TagsError("The notmuch database is locked by another program; tags are synchronized with the next run.")
            if not write:
                yield TagDatabase(db)
                return
        with notmuch2.Database(config=where, mode="rw") as db:
            yield TagDatabase(db)
    except notmuch2.NotmuchError as error:
        why = str(error).strip().removeprefix("Error: ").rstrip(".")
        raise TagsError(f"The notmuch database cannot be used, so tags were not synchronized: {why}.") from error


def folder_of(config: Path | None) -> Path | None:
    """Return the folder whose files change with each change of a tag; None where there is none that can be read."""
    try:
        notmuch2 = _binding()
        with notmuch2.Database(config=notmuch2.Database.CONFIG.SEARCH if config is None else config) as db:
            return Path(_xapian(db))
    except NoBindingError:
        return None
    except notmuch2.NotmuchError:
        return None


def _binding() -> Any:  # noqa: ANN401 # the binding has no types
    try:
        import notmuch2  # noqa: PLC0415  # an optional dependency
    except ImportError as error:
        raise NoBindingError(
            "Tags are not synchronized: the Python module notmuch2 is not installed.",
            advice="Install it beside jmapsync: pip install notmuch2 (on Debian that needs libnotmuch-dev, python3-dev and gcc).",
        ) from error
    return notmuch2


def _xapian(db: Any) -> str:  # noqa: ANN401 # the binding has no types
    """Return the folder of the Xapian database in a notmuch one, which may be split from the mail."""
    inside = f"{db.path}/.notmuch/xapian"
    return inside if os.path.isdir(inside) else f"{db.path}/xapian"


def is_locked(folder: str) -> bool:
    """Return whether a program has a Xapian database open for writing; it holds a lock on `flintlock` (fcntl(2), F_GETLK)."""
    try:
        descriptor = os.open(f"{folder}/flintlock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind: int = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))[0]
    except OSError:
        return False  # a file system that knows no locks
    finally:
        os.close(descriptor)
    return kind != fcntl.F_UNLCK
