"""Write a crash report for an unexpected exception, where its user can find it and attach it to a bug report."""

from __future__ import annotations

import errno
import os
import platform
import time
import traceback
from typing import TYPE_CHECKING

from jmapsync import __version__
from jmapsync.directories import make_private
from jmapsync.errors import JmapsyncError
from jmapsync.text import one_line

if TYPE_CHECKING:
    from pathlib import Path


_MOST_AT_ONCE = 100
"""Reports that one process writes in one second."""


class CrashError(JmapsyncError):
    """Something happened that the program was not written for; a report of it lies in a file."""


def report_crash(error: BaseException, folder: Path) -> CrashError:
    """Write a report of an exception into a folder that only its user can read, and return the error that names the file.

    The report holds the types and the places of the whole chain, and the messages of our own errors only: a foreign message may
    quote anything, a secret included.
    """
    text = "\n".join(
        (
            f"jmapsync {__version__}, Python {platform.python_version()}, {platform.platform()}",
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "",
            *_describe(error),
            "",
        )
    )
    try:
        make_private(folder)
        path, handle = _create(folder, f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as refused:
        advice = f"No report could be written to {folder}: {refused.strerror}."
    else:
        advice = f"A report for the developers, without secrets, is in {path}."
    return CrashError(f"Something unexpected happened ({type(error).__name__}).", advice=advice)


def _create(folder: Path, name: str) -> tuple[Path, int]:
    """Make a file that is new, and return its path and handle: two accounts may fail in the same second. Raises OSError."""
    for number in range(2, _MOST_AT_ONCE + 1):
        path = folder / f"{name}.txt"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            name = f"{name.partition('.')[0]}.{number}"
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(folder / f"{name}.txt"))


def _describe(error: BaseException) -> list[str]:
    lines = []
    waiting: list[tuple[str, BaseException]] = [("", error)]
    met: set[int] = set()
    while waiting:
        how, one = waiting.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        message = f": {one_line(one.message)}" if isinstance(one, JmapsyncError) else ""
        lines.append(f"{how}{type(one).__module__}.{type(one).__qualname__}{message}")
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(one.__traceback__)]
        if isinstance(one, BaseExceptionGroup):
            waiting += [("one of which: ", inner) for inner in one.exceptions]
        if one.__cause__ is not None:
            waiting.append(("caused by: ", one.__cause__))
        elif one.__context__ is not None:
            waiting.append(("while handling: ", one.__context__))
    return lines
