"""Compare a mirror with what IMAP says of the same account: bytes, flags, dates, folder by folder; shares no project code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kit.mirror import Mirror
    from tests.live.conftest import Account
    from tests.live.imap import Message

LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Draft": "D", "$Forwarded": "P"}
Shown = tuple[bytes, str, frozenset[str], int]
"""Bytes with LF, standard flag letters, other keywords, seconds of arrival."""


def on_server(account: Account) -> dict[str, list[Shown]]:
    """Return every message that IMAP shows, by folder; a message marked as deleted does not count (RFC 8621, 4.1.1)."""
    found: dict[str, list[Shown]] = {}
    for folder in account.imap.folders():
        messages = [_shown(message) for message in account.imap.messages(folder) if "\\Deleted" not in message.flags]
        if messages:
            found[folder] = sorted(messages)
    return found


def _shown(message: Message) -> Shown:
    letters = {letter for flag, letter in LETTERS.items() if flag.lower() in {one.lower() for one in message.flags}}
    standard = {flag.lower() for flag in LETTERS} | {"\\recent"}
    keywords = frozenset(flag.lower() for flag in message.flags) - standard
    return stored(message.content), "".join(sorted(letters)), keywords, int(message.received)


def stored(content: bytes) -> bytes:
    """Return the bytes as a mirror stores them: with LF only where every line end is CRLF."""
    ends = content.count(b"\r\n")
    return content.replace(b"\r\n", b"\n") if content.count(b"\n") == ends == content.count(b"\r") else content


def on_disk(mirror: Mirror) -> dict[str, list[Shown]]:
    """Return every message of the mirror, by folder, read by the rules of Maildir and `dovecot-keywords`."""
    found: dict[str, list[Shown]] = {}
    for file in mirror.files():
        folder = file.parent.parent
        table = folder / "dovecot-keywords"
        lines = table.read_text().splitlines() if table.exists() else []
        names = {chr(ord("a") + int(line.split()[0])): line.split()[1] for line in lines}
        letters = file.name.partition(":2,")[2]
        keywords = frozenset(names[letter] for letter in letters if letter.islower())
        standard = "".join(letter for letter in letters if letter.isupper())
        shown = (file.read_bytes(), standard, keywords, int(file.stat().st_mtime))
        found.setdefault(mirror.path_of(folder), []).append(shown)
    return {folder: sorted(messages) for folder, messages in found.items()}


def assert_same(account: Account, mirror: Mirror) -> None:
    """Fail unless the mirror and the account hold the same, byte for byte and flag for flag."""
    here, there = on_disk(mirror), on_server(account)
    assert sorted(here) == sorted(there)
    for folder, messages in there.items():
        assert here[folder] == messages, folder
