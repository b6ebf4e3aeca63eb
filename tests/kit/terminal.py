"""A terminal that shows what a program prints, read to its end and whole: pieces of a read may part a character."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

PATIENCE = 60.0
"""Seconds to wait for a text."""


class Terminal:
    """Made for a program, which gets `end`. A thread reads all the while, so that the program never waits for a reader."""

    def __init__(self, columns: int = 0) -> None:
        self._reader, self.end = pty.openpty()
        if columns:
            fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._shown = b""
        self._change = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close_end()
        self._thread.join()
        os.close(self._reader)

    def close_end(self) -> None:
        """Leave the program's end to the program: what is shown ends when it ends."""
        if self._is_open:
            self._is_open = False
            os.close(self.end)

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._reader, 1 << 16)
            except OSError:  # EIO: no program has it open any more
                return
            with self._change:
                self._shown += piece
                self._change.notify_all()

    def type(self, text: str) -> None:
        """Give the program a text as if somebody typed it."""
        os.write(self._reader, text.encode())

    def all(self) -> bytes:
        """Return what was shown when the program has ended."""
        self.close_end()
        self._thread.join(PATIENCE)
        return self._shown

    def wait_for(self, text: str) -> str:
        """Return what was shown as soon as a text was; fail if it does not come."""
        until = time.monotonic() + PATIENCE
        with self._change:
            while text.encode() not in self._shown:
                assert self._change.wait(until - time.monotonic()), self._shown
        return self._shown.decode(errors="replace")

    def wait_for_pattern(self, pattern: str, begin: int) -> tuple[str, re.Match[str]]:
        """Return what was shown as soon as a pattern is found behind a position of it, and the match."""
        until = time.monotonic() + PATIENCE
        with self._change:
            while True:
                shown = self._shown.decode(errors="replace")
                if match := re.compile(pattern).search(shown, begin):
                    return shown, match
                assert self._change.wait(until - time.monotonic()), shown[begin:]
