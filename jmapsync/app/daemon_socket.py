"""Ask the daemon that holds an account without an event loop: a socket in the account's state folder, lines of JSON.

`sync` and `status` import nothing else for it, because they are to be fast.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jmapsync.app.state_paths import SOCKET
from jmapsync.directories import make_private
from jmapsync.errors import BusyError

if TYPE_CHECKING:
    from pathlib import Path

MOST = 1 << 24
"""Octets of one message: a report lists every quarantined item."""


class Question:
    """A question that was sent to the daemon of an account, if one holds it."""

    def __init__(self, state_dir: Path, question: dict[str, Any], name: str = SOCKET) -> None:
        """Send a question to the process that listens on the socket of that name."""
        self._link = connected(state_dir, name)
        if self._link is not None:
            self._link.setblocking(True)
            with suppress(OSError):  # `answer` says so
                self._link.sendall(json.dumps(question).encode() + b"\n")

    @property
    def is_sent(self) -> bool:
        """Return whether a daemon holds the account."""
        return self._link is not None

    def leave(self) -> None:
        """Do not wait for the answer; the daemon does what it was asked."""
        if self._link is not None:
            self._link.close()

    def is_answered(self, seconds: float) -> bool:
        """Return whether an answer begins, or the process ends, within so many seconds."""
        return self._link is None or bool(select.select([self._link], [], [], seconds)[0])

    def answer(self, seconds: float | None = None) -> dict[str, Any]:
        """Wait for the answer, at most so long. Raise `BusyError` if none comes."""
        ending = time.monotonic() + seconds if seconds is not None else None
        try:
            found = json.loads(self._line(ending))
        except (OSError, ValueError) as error:
            raise unanswered() from error
        if not isinstance(found, dict):
            raise unanswered()
        return found

    def _line(self, ending: float | None) -> bytes:
        if self._link is None:
            raise unanswered()
        line = bytearray()
        with self._link as link:
            while not line.endswith(b"\n"):
                if ending is not None:
                    link.settimeout(max(0.001, ending - time.monotonic()))
                received = link.recv(1 << 16)
                line += received
                if not received or len(line) > MOST:
                    raise unanswered()
        return bytes(line)


def unanswered() -> BusyError:
    """Return the failure of a daemon that did not answer."""
    return BusyError("The daemon that holds the account did not answer.", advice="Try again, or restart it.")


def bound(state_dir: Path, name: str = SOCKET) -> socket.socket:
    """Return a socket bound in a folder whose path may be longer than the 107 octets that an address has room for."""
    make_private(state_dir)
    other = connected(state_dir, name)
    if other is not None:
        other.close()
        raise OSError(errno.EADDRINUSE, "another process answers for the account")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        (state_dir / name).unlink(missing_ok=True)  # nobody listens, so whoever made it is dead
        listening.bind(f"/proc/self/fd/{folder}/{name}")
        (state_dir / name).chmod(0o600)  # the folder is its owner's alone already
        listening.listen()
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    finally:
        os.close(folder)
    return listening


def connected(state_dir: Path, name: str = SOCKET) -> socket.socket | None:
    """Return a socket that is connected to what listens under that name, by default the daemon; None where nothing does."""
    try:
        folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(f"/proc/self/fd/{folder}/{name}")
    except OSError:
        link.close()
        return None
    finally:
        os.close(folder)
    link.setblocking(False)
    return link
