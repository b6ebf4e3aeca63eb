"""Define the other rows of the ledger as values."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """One local file: a copy of an item in a folder."""

    folder: int
    name: str
    """The unique part of the file name, before the info."""
    info: str
    """The flags part of the file name with its separator, or nothing."""
    sub: str
    """`new` or `cur`."""
    key: int
    ino: int
    size: int
    """Octets on disk."""
    mtime: int
    """Nanoseconds since the epoch."""
    form: str
    """How the file's bytes relate to the server's: see formats.message.Form."""

    @property
    def stamp(self) -> int:
        """Return the mtime in seconds since the epoch."""
        return self.mtime // 1_000_000_000

    @property
    def state(self) -> tuple[int, int, int]:
        """Return what shows that the file is untouched: inode, octets and mtime."""
        return self.ino, self.size, self.mtime


class FolderRow(NamedTuple):
    """Where a container lies on the disk."""

    key: int
    path: str
    """Below the root."""
    keywords: str = ""
    """Its keyword table, as text."""


class Listed(NamedTuple):
    """The stamps that a folder's directories and files had when it was listed (`storage.files.directory_stamps`).

    An empty one is not trusted.
    """

    kind: str
    place: str
    """Below the root."""
    own: bytes = b""
    marker: bytes = b""
    keywords: bytes = b""
    tmp: bytes = b""
    new: bytes = b""
    cur: bytes = b""
    files: int = 0
    """In `new` and `cur`."""


class Intent(NamedTuple):
    """A create that was sent, or was about to be."""

    key: int
    kind: str
    what: str
    """JSON of what would prove it done."""
    at: int


class ConflictCopy(NamedTuple):
    """A version that lost a conflict."""

    id: int
    kind: str
    key: int
    item: str
    side: str
    reason: str
    at: int
    home: str
    tags: str


class Quarantined(NamedTuple):
    """A quarantined item."""

    kind: str
    subject: str
    """What it is about: the same row means the same thing, whatever its label."""
    item: str
    """A label for people; several things may bear the same."""
    key: int | None
    why: str
    remedy: str
    seen: str
    since: int
    last: int


class Suspended(NamedTuple):
    """A plan that the guard suspended."""

    kind: str
    plan: str
    message: str
    at: int


class Tagged(NamedTuple):
    """One item as notmuch shows it. Items of one Message-ID are one message to notmuch, and have rows of the same tags."""

    key: int
    message: str
    """notmuch's id of the message."""
    tags: frozenset[str]
    """All tags it had."""
    shown: frozenset[str]
    """Those that stood for keywords and mailboxes of ours."""
    marked: bool
    """Whether it was given our mark, which it loses when notmuch forgets it."""
