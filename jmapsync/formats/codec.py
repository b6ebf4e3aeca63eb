"""Say what the engine needs of a file format whose content is an object: a card, an event, a task.

An object travels as its *normal form*: JSON of a JSContact Card (RFC 9553) or of a JSCalendar 2.0 Event or Task, without the
properties that are JMAP's own. A file is read into it and written from it; each server's dialect is translated to and from it.
"""

from __future__ import annotations

from typing import Any, Protocol

Object = dict[str, Any]
"""One JSON object."""
Patch = dict[str, Any]
"""What is to change in an object: new values by path, null to remove (a PatchObject, RFC 8620, 5.3)."""


class MalformedError(ValueError):
    """A file or an object that cannot be converted; the text says why, in words for people."""


class Codec(Protocol):
    """Converts the files of one kind. Everything in it is pure: the same input gives the same output, byte for byte."""

    @property
    def suffix(self) -> str:
        """Return how names of files end, with the dot."""

    def read(self, data: bytes) -> Object:
        """Return the normal form of a file. Raises MalformedError."""

    def write(self, item: Object) -> bytes:
        """Return the file of a normal form: UTF-8, CRLF, folded at 75 octets. Raises MalformedError."""

    def is_fit(self, data: bytes) -> bool:
        """Tell whether a file that can be read can stand on the disk as it is, so that nobody sees that we did not write it."""

    def align(self, item: Object, reference: Object) -> Object:
        """Return an object with the keys of its maps chosen as in `reference`, wherever the entries are the same."""

    def sense(self, item: Object) -> str:
        """Return the digest of what an object means: two that differ in defaults, order or time stamps only have the same."""

    def patch(self, before: Object, after: Object) -> Patch:
        """Return what an edit of a file changed, the known damage that editors do taken back; nothing for no change."""
