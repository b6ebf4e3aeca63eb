"""Put messages into threads: those that share a message id and, but for `Re:` and the like, the subject (RFC 8621, section 3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIELD = re.compile(
    rb"^(message-id|in-reply-to|references|subject)[ \t]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)
_ID = re.compile(rb"<[^<>\s]+>")
_PREFIX = re.compile(r"\s*(?:(?:re|fwd?|aw|wg)\s*(?:\[[^\]]*\]\s*)?:|\[[^\]]*\])\s*", re.IGNORECASE)
_MOST_IDS = 100
_LONGEST_HEADER = 65_536


def base_subject(subject: str) -> str:
    """Return a subject without what replying and forwarding put before it."""
    while (match := _PREFIX.match(subject)) is not None and match.end() < len(subject):
        subject = subject[match.end() :]
    return subject.strip()


class Threads:
    """The messages of each thread; a message stays in the thread that it was put in first."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._members: dict[str, list[str]] = {}
        self._threads: dict[bytes, str] = {}  # by message id and subject
        self._keys: dict[str, set[bytes]] = {}  # by thread

    def add(self, email_id: str, message: bytes, fresh: Callable[[], str], known: str = "") -> str:
        """Add a message and return the id of its thread: `known`, that of a relative, or a `fresh` one."""
        keys = _keys_of(message)
        thread = known or next((self._threads[key] for key in keys if key in self._threads), None) or fresh()
        self._members.setdefault(thread, []).append(email_id)
        for key in keys:
            if self._threads.setdefault(key, thread) == thread:
                self._keys.setdefault(thread, set()).add(key)
        return thread

    def remove(self, email_id: str, thread: str) -> bool:
        """Remove a message and return whether the thread ends with it."""
        members = self._members[thread]
        members.remove(email_id)
        if members:
            return False
        del self._members[thread]
        for key in self._keys.pop(thread, ()):
            del self._threads[key]
        return True

    def members(self, thread: str) -> list[str]:
        """Return the ids of a thread's messages, those of an unknown one being none."""
        return list(self._members.get(thread, ()))

    def all(self) -> list[str]:
        """Return the ids of all threads."""
        return list(self._members)


def _keys_of(message: bytes) -> list[bytes]:
    """Return what a message shares with its relatives; nothing where it has no message id."""
    end = message.find(b"\r\n\r\n", 0, _LONGEST_HEADER)
    header = message[: _LONGEST_HEADER if end < 0 else end]
    ids: list[bytes] = []
    subject = ""
    for name, value in _FIELD.findall(header):
        if name[0] in b"sS":
            subject = base_subject(" ".join(value.decode("utf-8", "replace").split())).casefold()
        else:
            ids += _ID.findall(value)
    mark = subject.encode()
    return [one + mark for one in dict.fromkeys(ids[:_MOST_IDS])]
