"""Map mailbox paths to folder names that cannot leave the root, and back; select mailboxes by pattern; decode modified UTF-7.

Escaped as `%XX`: the slash, control characters, the percent sign before two hex digits, a leading dot or dash, a trailing dot or
space, and the first letter of reserved names (`cur`, `new`, `tmp`, at the top `INBOX` and `lost+found`). A name too long for the
file system, or equal to a sibling's under case folding and Unicode normalisation, ends in `%~` and a hash of its id: only the
ledger and the marker file of the folder know its mailbox.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

LONGEST = 200
"""Octets of a folder name; file systems allow 255, encrypted ones less."""

INSIDE = frozenset({"cur", "new", "tmp"})
"""Names that a subfolder cannot have, in any case."""
KEYWORDS = "dovecot-keywords"
"""The file of a Maildir folder that lists its keywords."""
NESTED = INSIDE | {KEYWORDS}
"""Names that a subfolder which is a directory in its parent cannot have, in any case."""
LOST_AND_FOUND = "lost+found"
"""The directory of a file system for recovered files, where one is mounted as the root; only the superuser can read it."""
KEPT = "DELETED"
"""The folder at the top for messages that the server deleted and the configuration keeps."""
TOP = frozenset({"inbox", LOST_AND_FOUND, KEPT.casefold()})
"""Names that a folder at the top cannot have, in any case, unless it is the inbox."""
_ESCAPE = re.compile(r"[\x00-\x1f\x7f/]|%(?=[0-9A-Fa-f]{2}|~)")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")
_SUFFIX = re.compile(r"%~[0-9a-f]{8}\Z")
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
INBOX = "INBOX"


def escape(name: str, *, reserved: frozenset[str] = INSIDE, also: str = "") -> str:
    """Return the folder name for a mailbox name. Never empty.

    `reserved` names (case-folded) are escaped too, and the characters of `also`, which the file system does not allow.
    """
    text = unicodedata.normalize("NFC", name)
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = _ESCAPE.sub(_percent, text)
    text = "".join(_hex(character) if character in also else character for character in text) if also else text
    if not text:
        return "%~"
    if text in INSIDE or text.casefold() in reserved or text[0] in ".-":
        text = _hex(text[0]) + text[1:]
    if text[-1] in ". ":
        text = text[:-1] + _hex(text[-1])
    return text


def unescape(text: str) -> str:
    """Return the mailbox name for a folder name."""
    if text == "%~":
        return ""
    text = _SUFFIX.sub("", text)
    name = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return unicodedata.normalize("NFC", name)


def seen_path(path: str) -> str:
    """Return the path of a mailbox, as users see it, for the path of its folder."""
    return "/".join(unescape(name) for name in path.split("/"))


def fold(text: str) -> str:
    """Return a key that is equal for two names which some file system would treat as one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def unique(text: str, identity: str, taken: Container[str], *, longest: int = LONGEST) -> str:
    """Return the folder name; with a hash of its identity if it is longer than `longest` or folds to a name that is taken."""
    if len(text.encode()) <= longest and fold(text) not in taken:
        return text
    mark = f"%~{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    room = longest - len(mark)
    cut = text.encode()[:room].decode("utf-8", "ignore") if len(text.encode()) > room else text
    cut = re.sub(r"%[0-9A-F]?\Z", "", cut)
    return cut + mark


def is_marked(path: str) -> bool:
    """Return whether `unique` added a hash to a folder name."""
    return _SUFFIX.search(path) is not None


def _percent(match: re.Match[str]) -> str:
    return _hex(match[0])


def _hex(character: str) -> str:
    return "".join(f"%{octet:02X}" for octet in character.encode())


def from_utf7(text: str) -> str:
    """Return the name that a string in modified UTF-7 (RFC 3501, 5.1.3) encodes; the string itself if it is not valid."""
    if not text.isascii() or "&" in _SHIFTED.sub("", text):
        return text
    try:
        return _SHIFTED.sub(lambda match: _decode(match[1]), text)
    except (binascii.Error, UnicodeDecodeError):
        return text


def _decode(shifted: str) -> str:
    if not shifted:
        return "&"
    padding = "=" * (-len(shifted) % 4)
    return base64.b64decode(shifted.replace(",", "/") + padding, validate=True).decode("utf-16-be")


class Patterns(Struct, frozen=True):
    """The mailboxes to sync: those that `include` selects, without those that `exclude` selects.

    A pattern selects the mailboxes whose paths it matches, and all below them. `*` matches `/` too, as in `fnmatch`. Matching is
    case-sensitive except for INBOX (RFC 3501, 5.1).
    """

    is_flat: ClassVar[bool] = False
    """Whether a name is a whole path."""
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        """Return whether every mailbox is selected, whatever its name."""
        return "*" in self.include and not self.exclude

    def covers(self, path: str, *, hidden: bool = False) -> bool:  # noqa: ARG002  # a mailbox is synced, hidden or not
        """Return whether a mailbox is synced; its path has the names that users see, joined by `/`, from the top or INBOX."""
        lineage = [path[:end] for end in _ends(path)]
        return _match(lineage, self.include) and not _match(lineage, self.exclude)

    def to_text(self) -> str:
        """Return a string that differs whenever the patterns do."""
        return repr((self.include, self.exclude))


class CollectionPatterns(Patterns, frozen=True):
    """The address books, calendars or task lists to sync, by their names: none lies in another, a `/` is a letter as any other."""

    is_flat = True
    hidden: bool = True
    """Whether those are synced that are not subscribed or are hidden; where not, only those whose very names `include` has."""

    @property
    def is_all(self) -> bool:
        """Return whether every one is selected, whatever its name."""
        return self.hidden and super().is_all

    def covers(self, path: str, *, hidden: bool = False) -> bool:
        """Return whether one of a name is synced; `hidden` says that it is not subscribed, or hidden."""
        if hidden and not self.hidden and path not in self.include:
            return False
        return _any_matches(path, self.include) and not _any_matches(path, self.exclude)

    def to_text(self) -> str:
        """Return a string that differs whenever the patterns do."""
        return repr((self.include, self.exclude, self.hidden))


EVERYTHING = Patterns()


def above(paths: Iterable[str]) -> set[str]:
    """Return the paths of all ancestors."""
    return {path[:end] for path in paths for end in _ends(path)[:-1]}


def _ends(path: str) -> list[int]:
    """Return the offsets in a path at which the paths of its ancestors end, and its length."""
    return [*(position for position, letter in enumerate(path) if letter == "/"), len(path)]


def _match(lineage: list[str], patterns: tuple[str, ...]) -> bool:
    if lineage[0].casefold() == INBOX.casefold():
        lineage, patterns = [_folded(path) for path in lineage], tuple(_folded(pattern) for pattern in patterns)
    return any(fnmatchcase(path, pattern) for path in lineage for pattern in patterns)


def _any_matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _folded(path: str) -> str:
    """Return a path with its first name in lower case: INBOX is case-insensitive."""
    head, slash, rest = path.partition("/")
    return f"{head.casefold()}{slash}{rest}"
