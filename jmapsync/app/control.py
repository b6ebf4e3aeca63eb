"""Speak with the daemon that holds an account: a socket in the account's state folder, JSON lines, its owner only.

`sync` and `restore` hand their work over by it and get the report, `status` asks it how things are; `daemon_socket` is its short
form for `sync` and `status`.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from jmapsync.app.daemon_socket import MOST, bound, connected, unanswered
from jmapsync.app.state_paths import SOCKET
from jmapsync.backup.restore import Restored  # noqa: TC001  # and these
from jmapsync.sync.report import AccountReport  # noqa: TC001  # msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

T = TypeVar("T")


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked of the daemon."""

    do: str
    """`sync`, `restore` or `status`."""
    full: bool = False
    allow_deletes: bool = False
    kinds: tuple[str, ...] = ()
    """The kinds that deletions are allowed for, none for all; those to be restored."""
    by_hook: bool = False
    account: str = ""
    """Whose items are to be restored."""
    paths: tuple[str, ...] = ()
    """Absolute ones of what is to be restored; none for everything."""


class Answer(msgspec.Struct):
    """What the daemon answers; a run gets several of them, the last with the report."""

    report: AccountReport | None = None
    state: dict[str, Any] | None = None
    restored: list[tuple[str, AccountReport, Restored | None]] | None = None
    """By kind: how it went, and what was put back unless it failed."""
    error: str = ""


def _line_of(message: Ask | Answer) -> bytes:
    """Return a message as a line of ASCII: a path may hold octets that are no UTF-8, which msgspec's own encoder refuses."""
    return json.dumps(msgspec.to_builtins(message)).encode() + b"\n"


def _read(line: bytes, kind: type[T]) -> T:
    """Return the message of a line. Raises ValueError where it is none of that kind."""
    return msgspec.convert(json.loads(line), type=kind)


@asynccontextmanager
async def answering(state_dir: Path, answer: Callable[[Ask], Awaitable[Answer]]) -> AsyncIterator[None]:
    """Answer on the account's socket as long as the context lasts. Raise OSError where there can be none."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            try:
                reply = await answer(_read(await reader.readuntil(b"\n"), Ask))
            except ValueError:
                reply = Answer(error="The daemon is of another version.")
            writer.write(_line_of(reply))
            await writer.drain()
        writer.close()

    listening = bound(state_dir)
    server = await asyncio.start_unix_server(serve, sock=listening, limit=MOST)
    try:
        yield
    finally:
        server.close()
        (state_dir / SOCKET).unlink(missing_ok=True)


async def ask(state_dir: Path, question: Ask, *, patience: float | None = None) -> Answer | None:
    """Return the daemon's answer; None where no daemon holds the account. Raise `BusyError` if it ends before it answers."""
    link = await asyncio.to_thread(connected, state_dir)
    if link is None:
        return None
    reader, writer = await asyncio.open_unix_connection(sock=link, limit=MOST)
    try:
        async with asyncio.timeout(patience):
            writer.write(_line_of(question))
            await writer.drain()
            return _read(await reader.readuntil(b"\n"), Answer)
    except (OSError, asyncio.IncompleteReadError, ValueError) as error:
        raise unanswered() from error
    finally:
        writer.close()
