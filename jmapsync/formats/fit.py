"""Tell which files of a server can stand on the disk as they are: in the form that everything here is written in.

Where a server hands out the file that it keeps (Cyrus' blobs), its very bytes are the best copy there is, and the cheapest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.formats.vcard import Version

_LONGEST = 75
"""Octets of a line (RFC 5545, 3.1; RFC 6350, 3.2)."""
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\r\n"))
_UID = re.compile(rb"^UID[;:]", re.MULTILINE)
_VERSION = re.compile(rb"^VERSION:([0-9.]+)\r$", re.MULTILINE)
_ZONE = re.compile(rb"^TZID:([^\r]*)", re.MULTILINE)
_IN_ZONE = re.compile(rb';TZID="?([^";:]*)')
_METHOD = re.compile(rb"^METHOD[;:]", re.MULTILINE)


def is_fit_card(version: Version, data: bytes) -> bool:
    """Tell whether a file is one vCard of this version that names its uid; it can be read, as is known already."""
    return (
        _is_fit(data, b"VCARD")
        and data.count(b"BEGIN:") == 1
        and _VERSION.findall(data) == [str(version).encode()]
        and _UID.search(data) is not None
    )


def is_fit_schedule(data: bytes) -> bool:
    """Tell whether a file is an iCalendar object that defines its time zones before it uses them, and is no message to anybody."""
    if not _is_fit(data, b"VCALENDAR") or _METHOD.search(data) or not _UID.search(data):
        return False
    unfolded = data.replace(b"\r\n ", b"").replace(b"\r\n\t", b"")
    zones, first = unfolded.rfind(b"\r\nBEGIN:VTIMEZONE\r\n"), re.search(rb"\r\nBEGIN:V(?:EVENT|TODO)\r\n", unfolded)
    return set(_IN_ZONE.findall(unfolded)) <= set(_ZONE.findall(unfolded)) and first is not None and zones < first.start()


def _is_fit(data: bytes, component: bytes) -> bool:
    begin, end = b"BEGIN:" + component + b"\r\n", b"\r\nEND:" + component + b"\r\n"
    if not data.startswith(begin) or not data.endswith(end) or data.count(end) != 1:
        return False
    lines = data.split(b"\r\n")
    if max(map(len, lines)) > _LONGEST or not data.count(b"\r") == data.count(b"\n") == len(lines) - 1:
        return False
    if len(data.translate(None, _CONTROLS)) != len(data):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
