"""Let one run at a time hold an account, by a lock the kernel drops when the process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, Self

from jmapsync.errors import BusyError, LocalError
from jmapsync.opening import kind_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


_TRIES = 4
_PAUSE = 0.05
"""Seconds."""


class AccountLock:
    """An exclusive flock on a file in the account's state folder; the file's content is only a note for people."""

    def __init__(self, path: Path, account: str) -> None:
        """Name the file; nothing is taken yet."""
        self._path = path
        self._account = account
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Take the lock. Raises BusyError, naming the process that holds it, and LocalError where there can be no such file."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LocalError(f"The lock {self._path} cannot be used: {error.strerror}.") from error
        if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
            os.close(handle)
            raise LocalError(f"The lock {self._path} cannot be used: it is {kind_of(mode)}, not a regular file.")
        try:
            self._take(handle)
        except BlockingIOError as error:
            holder = os.read(handle, 64).decode("ascii", "replace").strip()
            os.close(handle)
            raise BusyError(
                f"Another jmapsync{f' ({holder})' if holder else ''} is working on account {self._account}.",
                advice="Wait for it to end, then try again.",
            ) from error
        with contextlib.suppress(OSError):  # a note for people; on a full disk there is none
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
        self._handle = handle
        return self

    @staticmethod
    def _take(handle: int) -> None:
        """Take the lock, with patience for `status`, which holds it for an instant to see whether it is free."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE)
            else:
                return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the lock go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
