"""Print text and JSON: the only place where text of servers and files is written to a terminal."""

from __future__ import annotations

import sys
from typing import Any

import click

from jmapsync.text import bounded, one_line

_messages: dict[str, bool] = {"json": False}
"""How messages are written to standard error."""


def print_messages_as_json(*, wanted: bool) -> None:
    """Write each further message to standard error as a JSON object, or as a line."""
    _messages["json"] = wanted


def say(*lines: str, err: bool = False, level: str = "info") -> None:
    """Print each text as one line, with control characters escaped; without a text, an empty line.

    `level` is that of a message on standard error where messages are JSON.
    """
    if err and _messages["json"]:
        from jmapsync.cli.log import as_json  # noqa: PLC0415  # rarely needed

        for line in filter(None, lines):
            click.echo(as_json(level, line), err=True)
        return
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    for line in lines or ("",):
        click.echo(one_line(line).encode(encoding, "backslashreplace").decode(encoding), err=err)


def say_json(value: dict[str, Any]) -> None:
    """Print one JSON object as ASCII; long strings are truncated."""
    import json  # noqa: PLC0415  # rarely needed

    click.echo(json.dumps(bounded(value)).replace("\x7f", "\\u007f"))
