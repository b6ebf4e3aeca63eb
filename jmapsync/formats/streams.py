"""Convert files of many cards or calendar objects, one at a time, and report what the other format cannot express.

A malformed object is reported, and the others are converted. JSON is read as one object, an array, or one object a line, and
written as one object a line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.objects import MalformedError, instances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.formats.objects import Object

FORMATS: Final = ("jscontact", "vcard3", "vcard4", "jscalendar", "ical")
_MARK = re.compile(rb"^[ \t]*(BEGIN|END)[ \t]*:[ \t]*(VCARD|VCALENDAR)[ \t]*$", re.IGNORECASE)
_JSPROP = re.compile(rb"^JSPROP;JSPTR=\"?([^\":\r]+)", re.MULTILINE)
_NAMED: Final = 5
"""Properties named in one report."""


@dataclass(frozen=True, slots=True)
class Converted:
    """One object of a file."""

    name: str
    """The name or title of the object, else "object" and its number in the file."""
    data: bytes = b""
    error: str = ""
    """Why it could not be converted; then there is no data."""
    left_out: tuple[str, ...] = ()
    """What the new format has no property for, in sentences."""


def converted(data: bytes, to: str = "") -> Iterator[Converted]:
    r"""Yield the objects of a file in another format: one of FORMATS, or by default the JSON of the file's kind, and back.

    >>> [one.data for one in converted(b"BEGIN:VCARD\nVERSION:4.0\nUID:1\nFN:Ann\nEND:VCARD\n", "vcard3")]
    [b'BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ann\r\nN:;;;;\r\nEND:VCARD\r\n']
    """
    for number, (from_json, read) in enumerate(_objects(data), 1):
        name = f"object {number}"
        try:
            item = read()
            name = _name_of(item) or name
            yield _written(name, item, to or _default(item, from_json=from_json))
        except MalformedError as error:
            yield Converted(name, error=str(error))


def _default(item: Object, *, from_json: bool) -> str:
    if item.get("@type") == "Card":
        return "vcard4" if from_json else "jscontact"
    return "ical" if from_json else "jscalendar"


def _written(name: str, item: Object, to: str) -> Converted:
    from jmapsync.formats import jscalendar_to_ical, jscontact_to_vcard  # noqa: PLC0415  # 30 ms for those who convert nothing

    is_card = item.get("@type") == "Card"
    if is_card != (to in ("jscontact", "vcard3", "vcard4")):
        raise MalformedError(f"A {'contact' if is_card else 'calendar'} cannot become {to}.")
    if to in ("jscontact", "jscalendar"):
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        return Converted(name, text.encode("utf-8", "backslashreplace") + b"\n", left_out=zone_notes(item))
    if to == "ical":
        data = jscalendar_to_ical(item)
        return Converted(name, data, left_out=_left_out(data))
    data = jscontact_to_vcard(item, "3.0" if to == "vcard3" else "4.0")
    return Converted(name, data, left_out=(*_left_out(data), *_lost(item, data)))


def zone_notes(item: Object) -> tuple[str, ...]:
    """Return a sentence for each time zone that only the file of an object defines."""
    entries = item.get("entries")
    objects = [*(entries if isinstance(entries, list) else ()), *instances(item).values(), item]
    kept = [one for one in objects if isinstance(one, dict) and _keeps_zones(one)]
    if not kept:
        return ()
    from jmapsync.formats.ical import zones_of_file  # noqa: PLC0415  # as above

    found = dict.fromkeys(name for one in kept for name in zones_of_file(one))
    return tuple(
        f"no zone of the IANA database has the offsets of its time zone {name!r}; its times are converted." for name in found
    )


def _keeps_zones(item: Object) -> bool:
    kept = item.get("iCalendar")
    components = kept.get("components") if isinstance(kept, dict) else None
    return isinstance(components, list) and any(isinstance(one, list) and one[:1] == ["vtimezone"] for one in components)


def _left_out(data: bytes) -> tuple[str, ...]:
    """Return a sentence on the properties that are in JSPROP lines, which only programs for JSContact and JSCalendar read."""
    found = [pointer.decode() for pointer in dict.fromkeys(_JSPROP.findall(data.replace(b"\r\n ", b"")))]
    if not found:
        return ()
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return (f"no property for {', '.join(found[:_NAMED])}{more}; kept as JSPROP.",)


def _lost(card: Object, data: bytes) -> tuple[str, ...]:
    """Return a sentence on what a card loses in its file."""
    from jmapsync.formats import vcard_to_jscontact  # noqa: PLC0415  # as above
    from jmapsync.formats.align import align  # noqa: PLC0415
    from jmapsync.formats.canonical import changes  # noqa: PLC0415

    lost = sorted(changes(card, align(vcard_to_jscontact(data), card)))
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return (f"lost or changed: {', '.join(islice(lost, _NAMED))}{more}.",) if lost else ()


def _name_of(item: Object) -> str:
    name = item.get("name")
    found = (name.get("full") if isinstance(name, dict) else None) or item.get("title") or item.get("uid")
    if isinstance(found, str):
        return found
    entries = item.get("entries")
    return _name_of(entries[0]) if isinstance(entries, list) and entries and isinstance(entries[0], dict) else ""


def _objects(data: bytes) -> Iterator[tuple[bool, Callable[[], Object]]]:
    """Yield whether each object of a file is JSON, and a function that returns it or raises MalformedError."""
    from jmapsync.formats import ical_to_jscalendar, vcard_to_jscontact  # noqa: PLC0415  # as above

    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        for value in _values(data):
            yield True, partial(_object, value)
        return
    for kind, part in split(data):
        yield False, partial(vcard_to_jscontact if kind == "VCARD" else ical_to_jscalendar, part)


def split(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the outermost vCards and calendars of a file, each with its kind, and what stands between them."""
    start, depth, kind = 0, 0, ""
    place = 0
    for line in data.splitlines(keepends=True):
        mark = _MARK.match(line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf"))
        if mark is not None and mark[1].upper() == b"BEGIN":
            if depth == 0:
                start, kind = place, mark[2].decode().upper()
            depth += 1
        place += len(line)
        if mark is not None and mark[1].upper() == b"END" and depth:
            depth -= 1
            if depth == 0:
                yield kind, data[start:place]
                start = place
    if data[start:].strip():
        yield kind or "VCARD", data[start:]


def _values(data: bytes) -> Iterator[Any]:
    """Yield the values of JSON: of arrays their elements; None for what is malformed, which ends the file."""
    text = data.decode("utf-8-sig", "replace")
    decoder = json.JSONDecoder()
    place = len(text) - len(text.lstrip())
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
            json.dumps(value, allow_nan=False)  # NaN is no JSON
        except (ValueError, RecursionError):
            yield None
            return
        yield from value if isinstance(value, list) else [value]
        while place < len(text) and text[place].isspace():
            place += 1


def _object(value: Any) -> Object:  # noqa: ANN401  # any JSON value
    if not isinstance(value, dict):
        raise MalformedError("The JSON is malformed, or not an object.")
    return value
