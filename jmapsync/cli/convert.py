"""`jmapsync convert`: convert files of contacts or calendars to another format."""

from __future__ import annotations

import errno
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say

if TYPE_CHECKING:
    from typing import BinaryIO

    from jmapsync.errors import ExitCode

_FORMATS = ("jscontact", "vcard3", "vcard4", "jscalendar", "ical")
_LONGEST = 1 << 30
"""Octets of a file that is read."""


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(allow_dash=True, dir_okay=False))
@click.option("--to", "wanted", type=click.Choice(_FORMATS), help="The format to write; default: JSON, and from JSON back.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Where to write; default: standard output.")
def convert(files: tuple[str, ...], wanted: str | None, output: str | None) -> int:
    """Convert vCard, iCalendar, JSContact or JSCalendar; a FILE may hold many objects, `-` or none is standard input.

    JSON is one object a line. What cannot be converted, and what the new format cannot express, is listed on standard error. A
    file that cannot be read is named, and the others are converted.
    """
    from jmapsync.errors import JmapsyncError  # noqa: PLC0415  # `--help` must be fast
    from jmapsync.sync.report import worst  # noqa: PLC0415

    # Read first: the output may be one of them.
    contents = [(file, _read(file)) for file in files or ("-",)]
    try:
        with open(output, "wb") if output else nullcontext(sys.stdout.buffer) as target:
            return worst([_convert(file, content, wanted or "", target, several=len(contents) > 1) for file, content in contents])
    except OSError as error:
        if not output:
            raise
        raise JmapsyncError(f"{output}: {error.strerror or error}") from None


def _convert(file: str, content: bytes | OSError, wanted: str, target: BinaryIO, *, several: bool) -> ExitCode:
    """Convert the objects of one file; return the exit code for it."""
    from jmapsync.errors import ExitCode  # noqa: PLC0415
    from jmapsync.formats.streams import converted  # noqa: PLC0415

    if isinstance(content, OSError):
        say(f"jmapsync: {file}: {content.strerror or content}", err=True, level="error")
        return ExitCode.FAILED
    place = f"{file}: " if several else ""
    refused, written = 0, 0
    for one in converted(content, wanted):
        if one.error:
            refused += 1
            say(f"jmapsync: {place}{one.name}: {one.error}", err=True)
            continue
        written += 1
        click.echo(one.data, file=target, nl=False)
        for text in one.left_out:
            say(f"jmapsync: {place}{one.name}: {text}", err=True)
    if not written and not refused:
        say(f"jmapsync: {file}: it holds no contact, event or task.", err=True, level="error")
        return ExitCode.FAILED
    return ExitCode.QUARANTINED if refused else ExitCode.IN_SYNC


def _read(file: str) -> bytes | OSError:
    """Return the content of a file, or why it cannot be read."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as opened:
            content = opened.read(_LONGEST + 1)
    except OSError as error:
        return error
    return content if len(content) <= _LONGEST else OSError(errno.EFBIG, f"it is larger than {_LONGEST:,} octets")
