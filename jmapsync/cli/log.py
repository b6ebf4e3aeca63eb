"""Send the log to standard error: as lines for a terminal or a journal, or as JSON objects for a log collector."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from typing import Any

from jmapsync.text import bounded, one_line

_URL = re.compile(r"(https?://)(?:[^\s/?#\"@]*@)?([^\s?#\"]*)([?#][^\s\"]*)?")
_REQUESTS = "httpx"
"""The logger of those that libcurl does not carry: a line each with method, URL and status."""
_STEPS = "jmapsync.steps"
"""The logger of the steps of a run; see `sync.steps`."""


class SafeFormatter(logging.Formatter):
    """Format each log record as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name of the standard library
        """Return the line of a record, without a traceback."""
        record.message = one_line(without_queries(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802  # as in the standard library
        """Return a traceback, with control characters escaped: its last lines quote servers."""
        return "\n".join(one_line(line) for line in super().formatException(ei).split("\n"))


class JournalFormatter(SafeFormatter):
    """Format lines with the level in front, as the journal reads it (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        steps = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
        level = next((number for least, number in steps if record.levelno >= least), 7)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


class JsonFormatter(SafeFormatter):
    """Format each log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record; a traceback is part of it."""
        error = self.formatException(record.exc_info) if record.exc_info else ""
        more = {"logger": record.name, **({"error": error} if error else {})}
        return as_json(record.levelname.lower(), without_queries(record.getMessage()), at=record.created, **more)


def as_json(level: str, message: str, *, at: float | None = None, **more: str) -> str:
    """Return a message as one JSON object of ASCII."""
    moment = time.time() if at is None else at
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment % 1 * 1000):03}Z"
    found = {"time": stamp, "level": level, "message": one_line(message), **more}
    return json.dumps(bounded(found)).replace("\x7f", "\\u007f")


def without_queries(text: str) -> str:
    """Return a text whose URLs have neither credentials nor what follows the path: codes and tokens may stand there."""
    return _URL.sub(lambda found: f"{found[1]}{found[2]}{'?...' if found[3] else ''}", text) if "://" in text else text


def set_up_log(verbose: int, *, json_lines: bool) -> None:
    """Log what a command does: with -v each step, with -v -v each request. Other libraries are left out: they log headers."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if json_lines else SafeFormatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    ours = logging.getLogger("jmapsync")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    if verbose > 1:
        ours.setLevel(logging.DEBUG)
        requests = logging.getLogger(_REQUESTS)
        requests.addHandler(handler)
        requests.setLevel(logging.INFO)


def set_up_service_log(*, verbose: int, quiet: bool, json_lines: bool) -> None:
    """Log what the daemon does: with levels for the journal, which has time stamps of its own; else with times."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter()
        if json_lines
        else JournalFormatter("%(message)s")
        if _in_journal()
        else SafeFormatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.getLogger().handlers = [handler]  # warnings of asyncio and of libraries, which would be printed as they are
    ours = logging.getLogger("jmapsync")
    ours.handlers = [handler]
    ours.propagate = False
    ours.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose > 1 else logging.INFO)
    logging.getLogger(_STEPS).setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger(_REQUESTS).setLevel(logging.INFO if verbose > 1 else logging.WARNING)


def _in_journal() -> bool:
    """Return whether standard error goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))
