"""Print text and JSON: the only place where text of servers and files is written to a terminal."""

from __future__ import annotations

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
