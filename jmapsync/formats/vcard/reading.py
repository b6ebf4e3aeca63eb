"""Convert the lines of a vCard 2.1, 3.0 or 4.0 to a JSContact Card (RFC 9555, 2)."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from jmapsync.formats.objects import MalformedError
from jmapsync.formats.vcard.addresses import read_addresses
from jmapsync.formats.vcard.anniversaries import APPLE_DATE, KINDS, PLACES, read_anniversary, read_place
from jmapsync.formats.vcard.entries import ENTRIES, read_entry
from jmapsync.formats.vcard.jsprop import filled_by, read_patch
from jmapsync.formats.vcard.languages import Sorted, read_localizations, sort_languages
from jmapsync.formats.vcard.names import read_legacy, read_names
from jmapsync.formats.vcard.preserved import read_params
from jmapsync.formats.vcard.relations import (
    MEMBER_3,
    RELATED_3,
    link_titles,
    read_keywords,
    read_member,
    read_organization,
    read_related,
)
from jmapsync.formats.vcard.resources import CYRUS_PROFILE, NAMES, OLD_PROFILE, OLD_SERVICES, PROFILE, read_resource, read_service
from jmapsync.formats.vcard.state import Reading
from jmapsync.formats.vcard.values import read_stamp, unescape

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.objects import Object

KINDS_OF_CARD = frozenset({"individual", "group", "org", "location", "device", "application"})
"""RFC 9553, 2.1.4."""
_VENDOR = re.compile(r"[^\W_][\w.-]*:[^\x00-\x1f\"/~]+\Z")
_FRACTION = re.compile(r"(?<=\d)[.,]\d+", re.ASCII)
"""The fraction of a second, which no TIMESTAMP has (RFC 6350, 4.3.5)."""
_VERSIONS = frozenset({"2.1", "3.0", "4.0"})
_TEXTS = {"UID": "uid", "PRODID": "prodId", "LANGUAGE": "language"}
_STAMPS = {"CREATED": "created", "REV": "updated"}
_KIND_NAMES = frozenset({"KIND", "X-KIND", "X-ADDRESSBOOKSERVER-KIND"})
_LAST: dict[str, Callable[[Reading, Line], None]] = {
    **dict.fromkeys(PLACES, read_place),
    **dict.fromkeys(("SORT-STRING", "X-PHONETIC-FIRST-NAME", "X-PHONETIC-LAST-NAME", "X-PHONETIC-MIDDLE-NAME"), read_legacy),
}
_LATER = {
    **{name: name for name in ("FN", "N", "VERSION", "JSPROP")},
    **dict.fromkeys(("ADR", "LABEL", "GEO", "TZ"), "ADR"),
    **dict.fromkeys(_LAST, ""),
}
"""Lines that are read after the lines that they belong to, and their readers."""


def _read_text(reading: Reading, line: Line) -> None:
    name = _TEXTS[line.name]
    text = unescape(line.value)
    if name in reading.card:
        reading.keep(line)
    elif text:
        reading.card[name] = text


def _read_stamp(reading: Reading, line: Line) -> None:
    name = _STAMPS[line.name]
    stamp = read_stamp(_FRACTION.sub("", unescape(line.value).strip()))
    if stamp is not None and name not in reading.card:
        reading.card[name] = stamp
    elif line.value:
        reading.keep(line)


def is_kind(kind: str) -> bool:
    """Return whether a string is a valid kind of card: one of RFC 9553, 2.1.4, or a vendor's."""
    return kind.lower() in KINDS_OF_CARD or _VENDOR.match(kind) is not None


def _read_kind(reading: Reading, line: Line) -> None:
    kind = unescape(line.value)
    if "kind" not in reading.card and is_kind(kind):
        reading.card["kind"] = kind.lower() if kind.lower() in KINDS_OF_CARD else kind
    elif kind.lower() != reading.card.get("kind") and kind:
        reading.keep(line)


def _read_gender(reading: Reading, line: Line) -> None:
    spoken = reading.card.setdefault("speakToAs", {})
    if "grammaticalGender" in spoken or not line.value:
        reading.keep(line)
        if not spoken:
            del reading.card["speakToAs"]
    else:
        spoken["grammaticalGender"] = unescape(line.value).lower()
        kept = {name: values for name, values in line.params.items() if name not in {"value", "prop-id"}}
        if kept:
            spoken["vCardParams"] = read_params(kept)


_FIRST: dict[str, Callable[[Reading, Line], None]] = {
    **dict.fromkeys((entry.name for entry in ENTRIES), read_entry),
    **dict.fromkeys(_TEXTS, _read_text),
    **dict.fromkeys(_STAMPS, _read_stamp),
    **dict.fromkeys(_KIND_NAMES, _read_kind),
    **dict.fromkeys(NAMES, read_resource),
    **dict.fromkeys(("IMPP", PROFILE, OLD_PROFILE, CYRUS_PROFILE, *OLD_SERVICES), read_service),
    **dict.fromkeys((*KINDS, APPLE_DATE), read_anniversary),
    **dict.fromkeys(("RELATED", RELATED_3), read_related),
    **dict.fromkeys(("MEMBER", MEMBER_3), read_member),
    "CATEGORIES": read_keywords,
    "GRAMGENDER": _read_gender,
    "ORG": read_organization,
}


def read_object(lines: list[Line]) -> Object:
    """Return the Card of the lines of a file. Raise MalformedError for an unknown version."""
    version = next((line.value.strip() for line in lines if line.name == "VERSION"), "3.0")
    if version not in _VERSIONS:
        raise MalformedError(f"The file is a vCard of version {version[:20]!r}; known are 2.1, 3.0 and 4.0.")
    found = sort_languages(_with_common_groups(lines))
    reading = _read(found, version)
    if found.language and "language" not in reading.card:
        reading.card["language"] = found.language
    if found.others:
        read_localizations(reading, found, lambda some, spoken: _read(Sorted(some, spoken, {}, None), version).card)
    for line in found.main:
        if line.name == "JSPROP":
            read_patch(reading, line)
    if "uid" not in reading.card:
        reading.card["uid"] = _uid_of(lines)
    return reading.card


def _with_common_groups(lines: list[Line]) -> list[Line]:
    """Return the lines with one spelling of each group: its case does not count (RFC 6350, 3.3)."""
    groups = [line.group for line in lines if line.group]
    spellings: dict[str, str] = {}
    for group in groups:
        spellings.setdefault(group.lower(), group)
    if len(spellings) == len(set(groups)):
        return lines
    return [line._replace(group=spellings[line.group.lower()]) if line.group else line for line in lines]


def _read(found: Sorted, version: str) -> Reading:
    reading = Reading(version)
    lines = found.main
    later: dict[str, list[Line]] = {}
    reading.reserved = {path for line in lines if line.name == "JSPROP" for path in filled_by(line)}
    grouped = any(line.group for line in lines)
    labels = {id(line) for line in lines if reading.note_label(line)} if grouped else set()
    for line in lines:
        handler = _FIRST.get(line.name)
        if handler is not None:
            handler(reading, line)
        elif line.name in _LATER:
            later.setdefault(_LATER[line.name], []).append(line)
        elif id(line) not in labels:
            reading.keep(line)
    if later:
        spoken = [line for main, line in found.spoken if main.name == "N"]
        read_names(reading, later.get("FN", []), later.get("N", []), spoken)
        read_addresses(reading, later.get("ADR", []), found.spoken)
        for line in later.get("", ()):
            _LAST[line.name](reading, line)
    if grouped:
        link_titles(reading, lines)
    reading.finish()
    return reading


def _uid_of(lines: list[Line]) -> str:
    """Return the uid for a card without one: equal for equal lines (RFC 9555, 2.1.1)."""
    text = "\n".join(f"{line.name}:{line.value}" for line in lines)
    return uuid.uuid5(uuid.NAMESPACE_URL, f"text/vcard:{text}").urn
