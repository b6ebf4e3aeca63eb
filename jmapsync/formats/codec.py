"""Read and write the files of cards, events and tasks for the sync engine: convert, align keys, digest, compare.

Where a server hands out the file that it stores (blobs of Cyrus), and the file has the form of our own, its octets are stored as
they are: that loses nothing and costs least.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from jmapsync.formats import align, canonical
from jmapsync.formats.checks import OVERRIDES, check_file, check_object
from jmapsync.formats.objects import MalformedError, gathered, instances
from jmapsync.formats.repairs import take_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.formats.vcard import Version

_LONGEST = 75
"""Octets of a line (RFC 5545, 3.1; RFC 6350, 3.2)."""
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\r\n"))
_UID = re.compile(rb"^UID[;:]", re.MULTILINE)
_ANY_UID = re.compile(rb"^(?:[\w-]+\.)?UID[;:]", re.IGNORECASE | re.MULTILINE)
_USUAL_UID = re.compile(rb"^UID:\S", re.MULTILINE)
_EMPTY_UID = re.compile(rb"^(?:[\w-]+\.)?UID(?:;[^:\r\n]*)?:[ \t]*\r?\n(?![ \t])", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(rb"^VERSION:([0-9.]+)\r$", re.MULTILINE)
_ZONE = re.compile(rb"^TZID:([^\r]*)", re.MULTILINE)
_IN_ZONE = re.compile(rb';TZID="?([^";:]*)')
_METHOD = re.compile(rb"^METHOD[;:]", re.MULTILINE)
_WORDS = {"Event": "an event", "Task": "a task"}


class Codec(Protocol):
    """Converts the files of one kind. Pure: the same input gives the same output, byte for byte."""

    @property
    def suffix(self) -> str:
        """Return the suffix of file names, with the dot."""

    def read(self, data: bytes) -> Object:
        """Return the normal form of a file. Raise MalformedError."""

    def write(self, item: Object) -> bytes:
        """Return the file of a normal form: UTF-8, CRLF, folded at 75 octets. Raise MalformedError."""

    def is_fit(self, data: bytes) -> bool:
        """Return whether a readable file of a server can be stored unchanged, because it has the form that `write` produces."""

    def is_plain(self, data: bytes, uid: object) -> bool:
        """Return whether such a file may be converted later: it is known to convert, and to be the item of this uid."""

    def align(self, item: Object, reference: Object) -> Object:
        """Return an object whose map entries have the keys of the same entries in `reference`."""

    def sense(self, item: Object) -> str:
        """Return the digest of the canonical form: defaults, order and time stamps do not count."""

    def patch(self, before: Object, after: Object) -> Patch:
        """Return the changes of an edited file, without the known faults of editors (formats.repairs)."""


class FileCodec(Struct, frozen=True):
    """The codec of one kind of file."""

    suffix: str
    read: Callable[[bytes], Object]
    write: Callable[[Object], bytes]
    is_fit: Callable[[bytes], bool]
    is_plain: Callable[[bytes, object], bool]

    def align(self, item: Object, reference: Object) -> Object:
        """Return an object whose map entries have the keys of the same entries in `reference`."""
        return align.align(item, reference)

    def sense(self, item: Object) -> str:
        """Return the digest of the canonical form, in which large data count by their digest."""
        return canonical.sense(item)

    def patch(self, before: Object, after: Object) -> Patch:
        """Return the changes of an edited file, without the known faults of editors."""
        return canonical.changes(before, take_back(before, align.align(after, before)))


def cards(version: Version) -> FileCodec:
    """Return the codec of contacts: it reads vCards of any version and writes one version."""
    return FileCodec(".vcf", _read_card, partial(_write_card, version), partial(is_fit_card, version), _is_plain_card)


def schedules(type_: Literal["Event", "Task"]) -> FileCodec:
    """Return the codec of events or of tasks."""
    is_plain = _is_plain_event if type_ == "Event" else _is_never_plain
    return FileCodec(".ics", partial(_read_one, type_), _write_one, is_fit_schedule, is_plain)


_CODECS: dict[str, Callable[[Version], FileCodec]] = {
    "contacts": cards,
    "calendars": lambda _: schedules("Event"),
    "tasks": lambda _: schedules("Task"),
}


def codec_of(kind: str, *, vcard_version: Version) -> FileCodec:
    """Return the codec of a kind's files; `vcard_version` counts where they are vCards."""
    return _CODECS[kind](vcard_version)


def _text(data: bytes) -> bytes:
    """Return a file if it is text within the bounds of checks. Raise MalformedError.

    A file system leaves NUL characters behind after a crash; servers refuse them.
    """
    check_file(data)
    if b"\0" in data:
        raise MalformedError("It holds NUL characters, which text cannot contain.")
    return data


def _read_card(data: bytes) -> Object:
    """Return a card, without the uid that `read_card` derives from the content: an edit would change it."""
    from jmapsync.formats.vcard import read_card  # noqa: PLC0415  # a run with nothing to do converts nothing

    try:
        item = read_card(_text(data))
    except MalformedError as refused:
        from jmapsync.formats.vcard.second_reader import read_with_vobject  # noqa: PLC0415  # as above

        item = read_with_vobject(_text(data), refused)
    check_object(item)
    if not _USUAL_UID.search(data) and not _ANY_UID.search(_EMPTY_UID.sub(b"", data)):
        del item["uid"]
    return item


def _write_card(version: Version, item: Object) -> bytes:
    from jmapsync.formats.vcard import write_card  # noqa: PLC0415  # as above

    check_object(item)
    return _text(write_card(item, version))


def _write_one(item: Object) -> bytes:
    """Return the file of an event or task, without METHOD: that belongs to messages, not to what is stored (RFC 4791, 4.1)."""
    from jmapsync.formats.ical import write_calendar  # noqa: PLC0415  # the icalendar library costs 100 ms

    objects = [{name: value for name, value in one.items() if name != "method"} for one in instances(item).values() or [item]]
    for one in objects:
        check_object(one)
    return _text(write_calendar(objects))


def _read_one(type_: str, data: bytes) -> Object:
    from jmapsync.formats.ical import read_calendar  # noqa: PLC0415  # as above

    objects = read_calendar(_text(data))
    if len(objects) > OVERRIDES:
        raise MalformedError(f"The file holds more than {OVERRIDES:,} occurrences of a series.")
    for item in objects:
        check_object(item)
    found = str(objects[0].get("@type"))
    if found != type_:
        raise MalformedError(f"The file holds {_WORDS.get(found, 'something else')}, not {_WORDS[type_]}.")
    return gathered(objects) if "recurrenceId" in objects[0] else objects[0]


def _is_plain_card(data: bytes, uid: object) -> bool:
    from jmapsync.formats.plain_files import is_plain_card  # noqa: PLC0415  # as above

    return is_plain_card(data, uid)


def _is_plain_event(data: bytes, uid: object) -> bool:
    from jmapsync.formats.plain_files import is_plain_event  # noqa: PLC0415  # as above

    return is_plain_event(data, uid)


def _is_never_plain(_data: bytes, _uid: object) -> bool:
    return False


def is_fit_card(version: Version, data: bytes) -> bool:
    """Return whether a readable file is one vCard of this version with a UID, in the form that `write_card` produces."""
    return (
        _is_fit(data, b"VCARD")
        and data.count(b"BEGIN:") == 1
        and _VERSION.findall(data) == [str(version).encode()]
        and _UID.search(data) is not None
    )


def is_fit_schedule(data: bytes) -> bool:
    """Return whether a readable file is an iCalendar object without METHOD that defines time zones before their use."""
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
