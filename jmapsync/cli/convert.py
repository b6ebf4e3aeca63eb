"""`jmapsync convert`: convert a file of contacts or calendars to another format."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say

if TYPE_CHECKING:
    from typing import BinaryIO

_FORMATS = ("jscontact", "vcard3", "vcard4", "jscalendar", "ical")
_LONGEST = 1 << 30
"""Octets of a file that is read."""


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True, dir_okay=False), default="-")
@click.option("--to", "wanted", type=click.Choice(_FORMATS), help="The format to write; default: JSON, and from JSON back.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Where to write; default: standard output.")
def convert(file: str, wanted: str | None, output: str | None) -> int:
    """Convert vCard, iCalendar, JSContact or JSCalendar; FILE may hold many objects, and `-` is standard input.

    JSON is one object a line. What cannot be converted, and what the new format cannot express, is listed on standard error.
    """
    from jmapsync.errors import ExitCode, JmapsyncError  # noqa: PLC0415  # `--help` must be fast
    from jmapsync.formats.streams import converted  # noqa: PLC0415

    try:
        data = _read(file)
    except OSError as error:
        raise JmapsyncError(f"{file}: {error.strerror or error}") from None
    refused, written = 0, 0
    try:
        target: BinaryIO = open(output, "wb") if output else sys.stdout.buffer  # noqa: SIM115  # closed below
    except OSError as error:
        raise JmapsyncError(f"{output}: {error.strerror or error}") from None
    try:
        for one in converted(data, wanted or ""):
            if one.error:
                refused += 1
                say(f"jmapsync: {one.name}: {one.error}", err=True)
                continue
            written += 1
            target.write(one.data)
            for text in one.left_out:
                say(f"jmapsync: {one.name}: {text}", err=True)
        target.flush()
    finally:
        if output:
            target.close()
    if not written and not refused:
        raise JmapsyncError(f"{file}: it holds no contact, event or task.")
    return ExitCode.QUARANTINED if refused else ExitCode.IN_SYNC


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(_LONGEST)
    with open(file, "rb") as opened:
        return opened.read(_LONGEST)
