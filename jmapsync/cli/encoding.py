"""Work in UTF-8 whatever the locale is: the names of files are UTF-8, and what a terminal cannot show is escaped."""

from __future__ import annotations

import io
import locale
import os
import sys


def use_utf8() -> None:
    """Start the interpreter anew in UTF-8 mode (PEP 540) where the locale has another encoding, and let output fail on nothing.

    In another one a mailbox called with an umlaut would get a name that no other program reads, or none at all. A locale's own
    encoding is that of the terminal, and stays that of standard output.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  # ourselves
    shown = None
    if sys.flags.utf8_mode and "PYTHONIOENCODING" not in os.environ and "PYTHONUTF8" not in os.environ:
        shown = locale.getencoding()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (shown is not None or stream.errors == "strict"):
            stream.reconfigure(encoding=shown, errors="backslashreplace")
