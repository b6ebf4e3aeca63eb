"""Convert BDAY, DEATHDATE, ANNIVERSARY, their places, and Apple's X-ABDATE (RFC 9555, 2.5.1; RFC 6474)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.contentline import Line, escape
from jmapsync.formats.vcard.draft import Draft, keyed
from jmapsync.formats.vcard.preserved import read_params, write_params
from jmapsync.formats.vcard.values import is_uri, read_date, read_number, read_stamp, unescape, uri_value, write_date, write_stamp

if TYPE_CHECKING:
    from jmapsync.formats.contentline import Params
    from jmapsync.formats.objects import Object
    from jmapsync.formats.vcard.state import Reading

KINDS = {"BDAY": "birth", "DEATHDATE": "death", "ANNIVERSARY": "wedding", "X-ANNIVERSARY": "wedding"}
PLACES = {"BIRTHPLACE": "birth", "DEATHPLACE": "death"}
APPLE_DATE = "X-ABDATE"
_PLACE_NAME = {kind: name for name, kind in PLACES.items()}
_LABELS = {"anniversary": "wedding", "wedding": "wedding", "birthday": "birth", "death": "death"}
_LABEL_OF = {"wedding": "Anniversary", "birth": "Birthday", "death": "Death"}
_VENDOR = re.compile(r"[^\W_][\w.-]*:[^\x00-\x1f\"/~]+\Z")
_PREFIX = "ANNIVERSARY"
_ZONED = re.compile(r"\d{4}-?\d\d-?\d\d[Tt ]\d\d(?::?\d\d(?::?\d\d(?:[.,]0+)?)?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)\Z", re.ASCII)
"""A time with its zone: with an offset, or without seconds (RFC 6350, 4.3.4). A Timestamp is in UTC (RFC 9553, 2.8.1)."""
_TWINS = (APPLE_DATE, "X-ANNIVERSARY")
_OMIT_YEAR = "x-apple-omit-year"


def read_anniversary(reading: Reading, line: Line) -> None:
    """Read a date; text, times without a zone, a day or a month alone are kept as lines (RFC 9555, 2.2.2)."""
    value = unescape(line.value).strip(" ;")
    if not value:
        return
    kind = KINDS.get(line.name) or _labelled(reading, line)
    params = line.params
    text = params.get("value", [""])[0].lower() == "text"
    date = None if text or not kind or not reading.understands(line) else _date(value)
    if date is None:
        reading.keep(line)
        return
    used = {"calscale", "value", "prop-id"}
    omitted = params.get(_OMIT_YEAR, [""])[0]
    if omitted and "day" in date and date.get("year") == read_number(omitted):
        del date["year"]
        used.add(_OMIT_YEAR)
    if "calscale" in params and "@type" not in date:
        date["calendarScale"] = ",".join(params["calscale"]).lower()
    entry: Object = {"kind": kind, "date": date}
    kept = {name: values for name, values in params.items() if name not in used}
    if kept:  # contexts and pref too, which an Anniversary does not have (RFC 9553, 2.8.1)
        entry["vCardParams"] = read_params(kept)
    if line.name == APPLE_DATE:
        reading.mark_converted(line.group)
    if line.name in _TWINS and "value" in params and entry in reading.card.get("anniversaries", {}).values():
        return  # sabre/vobject writes the date of a wedding twice
    reading.add(line, "anniversaries", _PREFIX, entry)


def _labelled(reading: Reading, line: Line) -> str:
    """Return the kind named by the label of an X-ABDATE line, if it is one of JSContact or a vendor's."""
    label = reading.label_of(line)[0]
    return _LABELS.get(label.lower()) or (label if _VENDOR.match(label) else "")


def _date(value: str) -> dict[str, Any] | None:
    if _ZONED.match(value):
        utc = read_stamp(value)
        return {"@type": "Timestamp", "utc": utc} if utc else None
    return read_date(value)


def read_place(reading: Reading, line: Line) -> None:
    """Read BIRTHPLACE or DEATHPLACE after the dates: text or a `geo:` URI, for the date of its PROP-ID or the first."""
    kind = PLACES[line.name]
    entries = reading.card.get("anniversaries", {})
    matching = [key for key in entries if entries[key]["kind"] == kind and "place" not in entries[key]]
    named = line.params.get("prop-id", [""])[0]
    value = unescape(line.value)
    uri = line.params.get("value", [""])[0].lower() == "uri" or value.startswith("geo:")
    if (
        not matching
        or not value
        or (uri and not value.startswith("geo:"))
        or line.params.keys() - {"prop-id", "value"}
        or line.group
    ):
        if value:
            reading.keep(line)
        return
    key = named if named in matching else matching[0]
    entries[key]["place"] = {"coordinates" if uri else "full": value}
    reading.places[id(line)] = "anniversaries", key


def write_anniversaries(draft: Draft, entries: Object, keys: list[str]) -> None:
    """Write the dates: one of each kind that has a property; in vCard 3.0 the others as X-ABDATE with a label."""
    names = {
        "birth": "BDAY",
        "death": "DEATHDATE" if draft.four else "",
        "wedding": "ANNIVERSARY" if draft.four else "X-ANNIVERSARY",
    }
    for key in sorted(keys, key=lambda key: (_unsaid(entries[key]), "place" not in entries[key])):
        entry = entries[key]
        kind, date = entry.get("kind"), entry.get("date")
        if not isinstance(kind, str) or not isinstance(date, dict):
            continue
        params = keyed(key)
        value = _value(draft, date, params)
        if not value:
            continue
        name = names.pop(kind, "")
        if name:
            kept = entry.get("vCardParams")
            if isinstance(kept, dict) and draft.four:
                write_params(params, kept, ("group", "calscale", "value"))
            draft.add(Line(name, value, params, draft.group_on(name, entry)), "anniversaries", key)
        elif not draft.four and "year" in date and (kind in _LABEL_OF or _VENDOR.match(kind)):
            group = draft.new_group()
            draft.add(Line(APPLE_DATE, value, params, group), "anniversaries", key)
            draft.add(Line("X-ABLABEL", escape(_LABEL_OF.get(kind, kind)), {}, group), "anniversaries", key)
            continue
        else:
            continue
        place = entry.get("place")
        if kind in _PLACE_NAME and isinstance(place, dict):
            _write_place(draft, _PLACE_NAME[kind], place, key)


def _unsaid(entry: Object) -> int:
    """Return how many properties of a date no line can express: of several of one kind, that with the fewest gets the line."""
    date = entry.get("date")
    said = {"@type", "kind", "date", *(("place",) if entry.get("kind") in ("birth", "death") else ())}
    unsaid = [name for name, value in entry.items() if name not in said and value != {}]
    return len(unsaid) + (isinstance(date, dict) and "calendarScale" in date)


def _value(draft: Draft, date: dict[str, Any], params: Params) -> str:
    """Return the value of a date."""
    if date.get("@type") == "Timestamp":
        return write_stamp(date.get("utc"), dashes=not draft.four)
    scale = date.get("calendarScale")
    if draft.four and isinstance(scale, str) and scale:
        params["calscale"] = [scale]
    return write_date(date, dashes=not draft.four)


def _write_place(draft: Draft, name: str, place: Object, key: str) -> None:
    full, coordinates = place.get("full"), place.get("coordinates")
    if isinstance(full, str) and full and coordinates is None and not full.startswith("geo:"):
        draft.add(Line(name, escape(full), keyed(key)), "anniversaries", key)
    elif isinstance(coordinates, str) and coordinates.startswith("geo:") and is_uri(coordinates) and full is None:
        params = {**keyed(key), "value": ["uri"]}
        draft.add(Line(name, uri_value(coordinates, bare=draft.four), params), "anniversaries", key)
