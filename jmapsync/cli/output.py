"""Print text and JSON: the only place where text of servers and files is written to a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from jmapsync.text import bounded, one_line


def say(*lines: str, err: bool = False) -> None:
    """Print each text as one line, with control characters escaped; without a text, an empty line."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    for line in lines or ("",):
        click.echo(one_line(line).encode(encoding, "backslashreplace").decode(encoding), err=err)


def say_json(value: dict[str, Any]) -> None:
    """Print one JSON object as ASCII; long strings are truncated."""
    import json  # noqa: PLC0415  # rarely needed

    click.echo(json.dumps(bounded(value)).replace("\x7f", "\\u007f"))


class SafeFormatter(logging.Formatter):
    """Format each log record as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name of the standard library
        """Return the line of a record, without a traceback."""
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802  # as in the standard library
        """Return a traceback, with control characters escaped: its last lines quote servers."""
        return "\n".join(one_line(line) for line in super().formatException(ei).split("\n"))
