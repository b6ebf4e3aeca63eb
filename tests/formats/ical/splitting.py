"""Split the iCalendar files of others into files of one uid, and complete what is only a part of a file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def split(data: bytes) -> list[bytes]:
    """Return a file as one file for each uid; as it is where its components do not nest."""
    lines = re.sub(rb"\r\n?", b"\n", data.removeprefix(b"\xef\xbb\xbf")).split(b"\n")
    header: list[bytes] = []
    blocks: dict[bytes, list[bytes]] = {}
    block: list[bytes] = []
    depth, calendars = 0, 0
    for line in lines:
        upper = line.upper()
        begins, ends = upper.startswith(b"BEGIN:"), upper.startswith(b"END:")
        depth += begins
        calendars += upper.strip() == b"BEGIN:VCALENDAR"
        if depth >= 2:
            block.append(line)
            if ends and depth == 2:
                text = b"\n".join(block) + b"\n"
                inside = re.sub(rb"\nBEGIN:(?!VEVENT|VTODO).*?\nEND:[^\n]*", b"", text, flags=re.DOTALL | re.IGNORECASE)
                uid = re.search(rb"\nUID(?:\n[ \t])?[;:][^\n]*(?:\n [^\n]*)*", inside, re.IGNORECASE)
                if block[0].upper().startswith(b"BEGIN:VTIMEZONE"):
                    header.append(text.rstrip(b"\n"))
                else:
                    blocks.setdefault(uid[0] if uid else str(len(blocks)).encode(), []).append(text)
                block = []
        elif not ends and line:
            header.append(line)
        depth -= ends
    if depth or calendars != 1 or not blocks:
        return [data]
    return [b"\n".join(header) + b"\n" + b"".join(texts) + b"END:VCALENDAR\n" for texts in blocks.values()]


def repaired(data: bytes) -> bytes:
    """Return what is only a part of a file as a whole one: with a VCALENDAR, a UID and a start."""
    data = re.sub(rb"\r\n?", b"\n", data)
    if data.upper().startswith((b"BEGIN:VEVENT", b"BEGIN:VTODO", b"BEGIN:VALARM")):
        if data.upper().startswith(b"BEGIN:VALARM"):
            data = b"BEGIN:VEVENT\n" + data.strip() + b"\nEND:VEVENT"
        data = b"BEGIN:VCALENDAR\n" + data.strip() + b"\nEND:VCALENDAR\n"

    def complete(match: re.Match[bytes]) -> bytes:
        more = b"" if re.search(rb"\nUID(?:\n[ \t])?[:;]", match[0], re.IGNORECASE) else b"UID:repaired\n"
        if match[2].upper() == b"VEVENT" and not re.search(rb"\nDTSTART(?:\n[ \t])?[:;]", match[0], re.IGNORECASE):
            more += b"DTSTART:20200101T120000Z\n"
        return match[1] + more + match[3]

    return re.sub(rb"(BEGIN:(VEVENT|VTODO)\n)(.*?\nEND:\2)", complete, data, flags=re.DOTALL | re.IGNORECASE)


def objects_of(places: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each .ics file below some directories with each of its objects."""
    for name in sorted(
        os.path.join(place, name)
        for top in places
        for place, _, files in os.walk(top)
        for name in files
        if name.lower().endswith(".ics")
    ):
        for part in split(Path(name).read_bytes()):
            yield name, repaired(part)
