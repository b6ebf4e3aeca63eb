"""Join the converters of files with the algebra of objects: the codec of each kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from jmapsync.formats import align, canonical
from jmapsync.formats.budget import OVERRIDES, check_file, check_object
from jmapsync.formats.codec import MalformedError
from jmapsync.formats.fit import is_fit_card, is_fit_schedule
from jmapsync.formats.instances import gathered, instances
from jmapsync.formats.repairs import take_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.codec import Object, Patch
    from jmapsync.formats.vcard import Version

_UID = re.compile(rb"^(?:[\w-]+\.)?UID[;:]", re.IGNORECASE | re.MULTILINE)
_WORDS = {"Event": "an event", "Task": "a task"}


@dataclass(frozen=True, slots=True)
class FileCodec:
    """A codec for one kind of file; see `codec.Codec`."""

    suffix: str
    read: Callable[[bytes], Object]
    write: Callable[[Object], bytes]
    is_fit: Callable[[bytes], bool]

    def align(self, item: Object, reference: Object) -> Object:
        """Return an object with the keys that `reference` has for the same entries."""
        return align.align(item, reference)

    def sense(self, item: Object) -> str:
        """Return the digest of what an object means, its large data by digest."""
        return canonical.sense(item)

    def patch(self, before: Object, after: Object) -> Patch:
        """Return what an edit changed, editors' damage taken back."""
        return canonical.changes(before, take_back(before, align.align(after, before)))


def cards(version: Version) -> FileCodec:
    """Return the codec of contacts, which writes vCards of a version and reads any."""
    return FileCodec(".vcf", _read_card, partial(_write_card, version), partial(is_fit_card, version))


def schedules(type_: Literal["Event", "Task"]) -> FileCodec:
    """Return the codec of events or of tasks."""
    return FileCodec(".ics", partial(_read_one, type_), _write_one, is_fit_schedule)


def _text(data: bytes) -> bytes:
    """Return a file that is text, and not too much of it. Raises MalformedError.

    One with NUL is what a crash leaves behind, and no server takes it.
    """
    check_file(data)
    if b"\0" in data:
        raise MalformedError("It holds NUL characters, which are no part of any text.")
    return data


def _read_card(data: bytes) -> Object:
    """Return a card without the uid that was made of its content: an edit would make another item of it."""
    from jmapsync.formats.vcard import read_card  # noqa: PLC0415  # a run with nothing to do converts nothing

    item = read_card(_text(data))
    check_object(item)
    if not _UID.search(data):
        del item["uid"]
    return item


def _write_card(version: Version, item: Object) -> bytes:
    from jmapsync.formats.vcard import write_card  # noqa: PLC0415  # as above

    check_object(item)
    return _text(write_card(item, version))


def _write_one(item: Object) -> bytes:
    from jmapsync.formats.ical import write_calendar  # noqa: PLC0415  # the icalendar library costs 100 ms

    objects = list(instances(item).values()) or [item]
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
