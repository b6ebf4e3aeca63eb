"""A small IMAP client that reads what a mailbox really holds; it shares no code with the project."""

from __future__ import annotations

import imaplib
import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

imaplib._MAXLINE = 50_000_000  # type: ignore[attr-defined]  # a FETCH of a large folder is one answer

_BATCH_BYTES = 1_000_000
_BATCH_MESSAGES = 200


class ImapError(Exception):
    """The server refused a command; the message holds its answer."""


@dataclass(frozen=True)
class Message:
    """One message as IMAP shows it. `received` is INTERNALDATE in seconds since the epoch."""

    uid: int
    flags: frozenset[str]
    received: float
    content: bytes


@dataclass(frozen=True)
class Draft:
    """One message to append."""

    content: bytes
    flags: Sequence[str] = ()
    received: float | None = None


class _Connection(imaplib.IMAP4):
    """IMAP4 that sends at once: with Nagle's algorithm each APPEND waits 40 ms for a delayed acknowledgement."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        connection: socket.socket = super()._create_socket(timeout)  # type: ignore[misc]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class Imap:
    """One signed-in IMAP connection. Folder names are paths with `/`, in Unicode; every method raises ImapError."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._client = _Connection("127.0.0.1", port, timeout=120)
        self._client.login(user, password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.shutdown()

    def folders(self) -> dict[str, frozenset[str]]:
        """Return each folder's attributes, special uses (RFC 6154) among them, lower-cased without the backslash."""
        found: dict[str, frozenset[str]] = {}
        for line in self._run("list", '""', '"*"', "RETURN", "(SPECIAL-USE)", response="LIST"):
            match = re.fullmatch(rb'\(([^)]*)\) "/" (.*)', _flat(line), re.DOTALL)
            if not match:
                raise ImapError(f"Unreadable LIST answer: {line!r}")
            name = re.sub(rb"\\(.)", rb"\1", match[2][1:-1]) if match[2].startswith(b'"') else match[2]
            found[_decode_name(name)] = frozenset(match[1].decode().lower().replace("\\", "").split())
        return found

    def messages(self, folder: str) -> list[Message]:
        """Return every message of a folder in the order of its uids, deleted-marked ones included."""
        self._run("select", _quote(folder), "(CONDSTORE)", response=None)
        parts = self._run("uid", "FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])", response="FETCH")
        return sorted(_read_messages(parts), key=lambda message: message.uid)

    def append(self, folder: str, drafts: Iterable[Draft]) -> None:
        """Append messages, many to a command (MULTIAPPEND, RFC 3502) with literals that need no answer (RFC 7888)."""
        batch: list[Draft] = []
        size = 0
        for draft in drafts:
            batch.append(draft)
            size += len(draft.content)
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_MESSAGES:
                self._append_batch(folder, batch)
                batch, size = [], 0
        if batch:
            self._append_batch(folder, batch)

    def store(self, folder: str, uids: Sequence[int], change: str, flags: Sequence[str]) -> None:
        """Add (`change` is `+`), remove (`-`) or replace (empty) the flags of messages."""
        self._select(folder)
        self._run("uid", "STORE", _set(uids), f"{change}FLAGS.SILENT", f"({' '.join(flags)})", response=None)

    def copy(self, folder: str, uids: Sequence[int], target: str) -> None:
        self._select(folder)
        self._run("uid", "COPY", _set(uids), _quote(target), response=None)

    def move(self, folder: str, uids: Sequence[int], target: str) -> None:
        self._select(folder)
        self._run("uid", "MOVE", _set(uids), _quote(target), response=None)

    def expunge(self, folder: str, uids: Sequence[int]) -> None:
        """Delete messages for good, the given ones only."""
        self.store(folder, uids, "+", ["\\Deleted"])
        self._run("uid", "EXPUNGE", _set(uids), response=None)

    def create_folder(self, folder: str) -> None:
        self._run("create", _quote(folder), response=None)

    def rename_folder(self, folder: str, target: str) -> None:
        self._run("rename", _quote(folder), _quote(target), response=None)

    def delete_folder(self, folder: str) -> None:
        if self._client.state == "SELECTED":
            self._client.unselect()
        self._run("delete", _quote(folder), response=None)

    def set_acl(self, folder: str, user: str, rights: str) -> None:
        """Give somebody exactly these rights to a folder (RFC 4314)."""
        self._run("setacl", _quote(folder), user, rights or '""', response=None)

    def _append_batch(self, folder: str, drafts: Sequence[Draft]) -> None:
        tag = self._client._new_tag()
        pieces = [tag, b" APPEND ", _quote(folder).encode()]
        for draft in drafts:
            received = f" {imaplib.Time2Internaldate(draft.received)}" if draft.received is not None else ""
            pieces.append(f" ({' '.join(draft.flags)}){received} {{{len(draft.content)}+}}\r\n".encode())
            pieces.append(draft.content)
        self._client.send(b"".join([*pieces, b"\r\n"]))
        kind, data = self._client._command_complete("APPEND", tag)
        if kind != "OK":
            raise ImapError(f"APPEND to {folder}: {kind} {data!r}")

    def _select(self, folder: str) -> None:
        self._run("select", _quote(folder), response=None)

    def _run(self, command: str, *arguments: str, response: str | None) -> list[bytes | tuple[bytes, bytes]]:
        """Run one command and return the untagged answers of the given name."""
        client = self._client
        try:
            kind, data = client._simple_command(command.upper(), *arguments)
        except imaplib.IMAP4.error as error:
            raise ImapError(f"{command} {arguments}: {error}") from error
        if kind != "OK":
            raise ImapError(f"{command} {arguments}: {kind} {data!r}")
        if command == "select":
            client.state = "SELECTED"  # imaplib refuses FETCH and the like before
        if response is None:
            return []
        return [part for part in client.response(response)[1] if part is not None]


def _read_messages(parts: Iterable[bytes | tuple[bytes, bytes]]) -> Iterator[Message]:
    """Put FETCH answers together: imaplib yields (text before the literal, literal) and then the text after it."""
    content: bytes | None = None
    text = b""
    for part in parts:
        if isinstance(part, tuple):
            text, content = part
            continue
        if content is None:
            continue  # an unasked FETCH that only has flags
        text += part
        uid = re.search(rb"UID (\d+)", text)
        flags = re.search(rb"FLAGS \(([^)]*)\)", text)
        received = imaplib.Internaldate2tuple(text)
        if not uid or not flags or not received:
            raise ImapError(f"Unreadable FETCH answer: {text!r}")
        yield Message(int(uid[1]), frozenset(flags[1].decode().split()), time.mktime(received), content)
        content = None


def _flat(line: bytes | tuple[bytes, bytes]) -> bytes:
    """Return a LIST line with a name given as a literal put back in its place."""
    if isinstance(line, bytes):
        return line
    name = line[1].replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return re.sub(rb"\{\d+\}$", b"", line[0]) + b'"' + name + b'"'


def _quote(folder: str) -> str:
    """Return a folder name as a quoted string in modified UTF-7 (RFC 3501, section 5.1.3)."""

    def encode(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        return "&" + match[0].encode("utf-7").decode()[1:].rstrip("-").replace("/", ",") + "-"

    return '"' + re.sub(r"&|[^\x20-\x7e]+", encode, folder).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _decode_name(name: bytes) -> str:
    def decode(match: re.Match[str]) -> str:
        return ("+" + match[1].replace(",", "/") + "-").encode().decode("utf-7") if match[1] else "&"

    return re.sub(r"&([^-]*)-", decode, name.decode("ascii"))


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))
