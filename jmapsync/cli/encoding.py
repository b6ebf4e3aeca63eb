"""Use UTF-8 in every locale: file names are UTF-8, and characters that a terminal cannot show are escaped."""

from __future__ import annotations

import io
import locale
import os
import sys


def use_utf8() -> None:
    """Restart the interpreter in UTF-8 mode (PEP 540) if the locale has another encoding, and let no output fail.

    With another encoding a mailbox with an umlaut in its name would get a name that no other program can read, or none. The
    locale's encoding is the terminal's, and remains that of standard output.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  # this program
    shown = None
    if sys.flags.utf8_mode and "PYTHONIOENCODING" not in os.environ and "PYTHONUTF8" not in os.environ:
        shown = locale.getencoding()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (shown is not None or stream.errors == "strict"):
            stream.reconfigure(encoding=shown, errors="backslashreplace")
