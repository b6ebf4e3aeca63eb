"""Recognise files of servers that are plain enough to be converted later: they are known to convert, and hold no data."""

from __future__ import annotations

import re

_LARGEST = 1 << 16
"""Octets of a file that may wait: a larger one is more than a plain card or event."""
_LINE = rb"(?!BEGIN:|END:)%s[A-Z0-9-]+(?:;(?:[^\r\n:\"]|\"[^\r\n\"]*\")+)?:[^\r\n]*\r\n"
_PLAIN = _LINE % b""
_CARD = re.compile(rb"BEGIN:VCARD\r\n(?:%s)+END:VCARD\r\n" % (_LINE % rb"(?:[A-Za-z0-9_-]+\.)?"))
_RULES = rb"(?:BEGIN:STANDARD\r\n(?:%s)+END:STANDARD\r\n|BEGIN:DAYLIGHT\r\n(?:%s)+END:DAYLIGHT\r\n)+" % (_PLAIN, _PLAIN)
_ZONE = rb"BEGIN:VTIMEZONE\r\n(?:%s)+%sEND:VTIMEZONE\r\n" % (_PLAIN, _RULES)
_ALARM = rb"BEGIN:VALARM\r\n(?:%s)+END:VALARM\r\n" % _PLAIN
_EVENT = re.compile(
    rb"BEGIN:VCALENDAR\r\n(?:%s)+(?:%s){0,4}BEGIN:VEVENT\r\n((?:%s)+)(?:%s)*END:VEVENT\r\nEND:VCALENDAR\r\n"
    % (_PLAIN, _ZONE, _PLAIN, _ALARM)
)
_ODD_CARD = re.compile(
    rb"\n(?:[A-Za-z0-9_-]+\.)?(?:PHOTO|LOGO|SOUND|KEY|JSPROP)[;:]|\n[A-Za-z0-9_-]+\.(?:UID|VERSION)[;:]|\nVERSION;|;ENCODING=|data:",
    re.IGNORECASE,
)
_ODD_EVENT = re.compile(
    rb"\n(?:ATTACH|IMAGE|STRUCTURED-DATA|RECURRENCE-ID|JSPROP|X-JMAPSYNC[A-Z-]*)[;:]|;ENCODING=|data:", re.IGNORECASE
)
"""What may hold data, or is part of another form: such a file is converted when it is met."""
_ZONES = re.compile(rb"\nTZID:(?![A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+\r\n)")
"""A time zone that is none of the IANA database: whether its occurrences can be computed is only seen when they are."""
_RULE = re.compile(
    rb"\nRRULE(?!:FREQ=YEARLY(?:;(?:UNTIL=\w+|WKST=\w\w|INTERVAL=1|BYMONTH=\d\d?|BYDAY=[+-]?[1-4]?[A-Z]{2}|BYMONTHDAY=-?\d\d?))*\r\n)"
)
"""A rule of a time zone that is none of the usual ones, which change the clock once a year."""
_DAY = rb"(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
_START = re.compile(rb"DTSTART(?:;[^\r\n:]*)?:[12]\d{3}%s(?:T(?:[01]\d|2[0-3])[0-5]\d[0-5]\dZ?)?\r\n" % _DAY)
_STARTS = re.compile(rb"(?:^|(?<=\n))DTSTART[;:]")
_UID = re.compile(rb"(?:^|\n)((?:[A-Za-z0-9_-]+\.)?UID(?:;[^\r\n:]*)?):([^\r\n]*)\r\n")


def is_plain_card(file: bytes, uid: object) -> bool:
    """Return whether the vCard of a server, fit to be stored as it is, is plain and has this uid."""
    if not isinstance(uid, str) or not uid or len(file) > _LARGEST:
        return False
    text = _unfolded(file)
    return (
        _CARD.fullmatch(text) is not None
        and _ODD_CARD.search(text) is None
        and text.count(b"\nVERSION:") == 1
        and _uid_in(text) == uid
    )


def is_plain_event(file: bytes, uid: object) -> bool:
    """Return whether the iCalendar file of a server, fit to be stored as it is, is one plain event of this uid."""
    if not isinstance(uid, str) or not uid or len(file) > _LARGEST:
        return False
    text = _unfolded(file)
    event = _EVENT.fullmatch(text)
    return (
        event is not None
        and _ODD_EVENT.search(text) is None
        and _ZONES.search(text, 0, event.start(1)) is None
        and _RULE.search(text, 0, event.start(1)) is None
        and (start := _STARTS.search(event[1])) is not None
        and _START.match(event[1], start.start()) is not None
        and _uid_in(event[1]) == uid
    )


def _unfolded(file: bytes) -> bytes:
    return file.replace(b"\r\n ", b"").replace(b"\r\n\t", b"")


def _uid_in(lines: bytes) -> str:
    """Return the first uid of some lines; nothing where it is not simply that."""
    found = _UID.search(lines)
    if found is None or found[1] != b"UID" or b"\\" in found[2] or found[2].strip() != found[2]:
        return ""
    return found[2].decode()


def uid_of(file: bytes) -> str:
    """Return the uid of a plain file."""
    text = _unfolded(file)
    return _uid_in(text if text.startswith(b"BEGIN:VCARD") else text.partition(b"\nBEGIN:VEVENT\r\n")[2])
