"""Convert LOCATION, GEO, VLOCATION and CONFERENCE (draft-ietf-calext-jscalendar-icalendar, sections of these names)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import escape, unescape
from jmapsync.formats.ical.fields import write_uri
from jmapsync.formats.ical.kept import Reading, Writing, chosen, extra, free, hashed, hashed_object, is_id, leave_unknown, whole
from jmapsync.formats.ical.lines import split_text
from jmapsync.formats.ical.links import NAMES as LINKS
from jmapsync.formats.ical.links import names_of, read_link, write_links
from jmapsync.formats.objects import as_object
from jmapsync.formats.pointer import join

if TYPE_CHECKING:
    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.objects import Object

_FLOATS = re.compile(r"\+?(-?\d+(?:\.\d+)?);\+?(-?\d+(?:\.\d+)?)", re.ASCII)
_POINT = re.compile(r"geo:(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)", re.ASCII)
_FEATURES: Final = ("FEATURE", "LABEL")
_CONFERENCE: Final = {"@type", "uri", "name", "features"}
_VLOCATION: Final = {"@type", "name", "locationTypes", "coordinates", "links", "iCalendar"}


def is_derived(line: Line) -> bool:
    """Return whether a line is derived from another one (DERIVED, RFC 9073, 5.3)."""
    return line.params.get("DERIVED", [""])[0].upper() == "TRUE"


def read_places(reading: Reading, locations: list[Line], points: list[Line], components: list[Component]) -> None:
    """Convert lines and components to locations; a second LOCATION or GEO is kept."""
    found: Object = {}
    main: str | None = None
    derived: Line | None = None
    for line in locations:
        if is_derived(line):
            derived = derived or line
        elif not line.value.strip():
            continue  # Exchange writes LOCATION;LANGUAGE=en-US: into every event without a place
        elif main is not None or not _is_text(line):
            reading.keep(line)
        else:
            main = _jsid(line, points, found)
            found[main] = {"@type": "Location", "name": unescape(line.value)}
            reading.note_extra(join("locations", main, "name"), line)
    _read_points(reading, points, main, found)
    for component in components:
        key, location = _read_location(component, found)
        found[key] = location
    if derived is not None:
        name = unescape(derived.value)
        main = main or next((key for key, place in found.items() if place.get("name") == name), None)
        if main is None:
            reading.keep(derived)
    if found:
        reading.item["locations"] = found
    if main is not None and len(components) > 1:
        reading.item["mainLocationId"] = main


def _is_text(line: Line) -> bool:
    return "VALUE" not in line.params or line.params["VALUE"][0].upper() == "TEXT"


def _jsid(line: Line, points: list[Line], taken: Object) -> str:
    params = line.params
    if "JSID" not in params and points and "JSID" in points[0].params:
        params = points[0].params  # both lines are one Location: either may name it
    return chosen(params, line.value, taken)


def _read_points(reading: Reading, points: list[Line], main: str | None, found: Object) -> None:
    done = False
    for line in points:
        if is_derived(line):
            continue
        match = _FLOATS.fullmatch(line.value.strip())
        if match is None or done:
            reading.keep(line)
            continue
        done = True
        key = main or chosen(line.params, line.value, found)
        found.setdefault(key, {"@type": "Location"})["coordinates"] = f"geo:{match[1]},{match[2]}"
        reading.note(join("locations", key, "coordinates"), "GEO", extra(line))


def _read_location(component: Component, taken: Object) -> tuple[str, Object]:
    reading = Reading("vlocation", "Location")
    item = reading.item
    for line in component.lines:
        if line.name in LINKS:
            read_link(reading, line)
        elif line.name == "NAME" and _is_text(line):
            reading.set("name", unescape(line.value), line)
        elif line.name == "LOCATION-TYPE":
            item.setdefault("locationTypes", {}).update(dict.fromkeys(split_text(line.value), True))
            reading.note_extra("locationTypes", line)
        elif line.name == "COORDINATES":
            reading.set("coordinates", write_uri(line.value), line)
        elif line.name == "GEO" and (match := _FLOATS.fullmatch(line.value.strip())) and "coordinates" not in item:
            item["coordinates"] = f"geo:{match[1]},{match[2]}"
            reading.note("coordinates", "GEO", extra(line))
        elif line.name == "JSPROP":
            reading.set_later(line)
        elif line.name != "JSID":
            keep_but_derived(reading, line, component)
    for inner in component.components:
        reading.keep_component(inner)
    return component_key(component, item, taken), reading.finished(always=not is_made(component))


def is_made(component: Component) -> bool:
    """Return whether the UID of a component equals its key: then a writer added it because the format requires one."""
    uid, jsid = component.first("UID"), component.first("JSID")
    return uid is not None and jsid is not None and uid.value == jsid.value


def keep_but_derived(reading: Reading, line: Line, component: Component) -> None:
    """Keep a line, unless a writer added it because the format requires it: a UID equal to the key, a derived text."""
    if (line.name == "UID" and is_made(component)) or (line.name in ("DESCRIPTION", "SUMMARY") and is_derived(line)):
        return
    reading.keep(line)


def component_key(component: Component, item: Object, taken: Object) -> str:
    """Return the key for a component: its JSID, else its UID, else the hash of its content."""
    for name in ("JSID", "UID"):
        line = component.first(name)
        if line is not None and is_id(unescape(line.value)):
            return free(unescape(line.value), taken)
    uid = component.first("UID")
    return free(hashed_object(item) if uid is None else hashed(uid.value), taken)


def add_identity(writing: Writing, key: str, made: str | None, *, uid: bool) -> None:
    """Add the key to a component unless it follows from the content; `made` is the key that does.

    With `uid`, also add the UID that the format requires.
    """
    kept = [value[3] for value in writing.noted_kept("uid") if len(value) > 3]  # noqa: PLR2004  # name, parameters, type, value
    if uid and not kept:
        writing.add("UID", escape(key))
        writing.add("JSID", escape(key))  # both say the same: a reader knows that the UID was made
    elif key not in kept and (key != made or kept):
        writing.add("JSID", escape(key))


def write_places(item: Object, writing: Writing) -> None:
    """Write the locations: one as LOCATION and GEO if these express it fully, the others as components."""
    places = item.get("locations")
    main = item.get("mainLocationId")
    if places is None and main is None:
        return
    entries = as_object(places)
    entries = {key: place for key, place in entries.items() if not _is_nowhere(place)}
    usable = {key: place for key, place in sorted(entries.items()) if isinstance(place, dict) and is_id(key)}
    left = {} if len(usable) == len(entries) else {key: place for key, place in entries.items() if key not in usable}
    if places is not None and not isinstance(places, dict):
        writing.leave("locations", places)
    chosen_key = _line_key(usable, main, writing)
    if chosen_key is not None:
        _write_line(chosen_key, usable[chosen_key], writing)
    others = [key for key in usable if key != chosen_key]
    for key in others:
        writing.nested.append(_write_location(key, usable[key]))
    writing.leave_entries("locations", left, len(entries))
    implied = chosen_key if chosen_key is not None and "name" in usable[chosen_key] else None
    if chosen_key is None and others:
        implied = _write_derived(usable, main, writing)
    if main is not None and main not in entries and isinstance(places, dict) and main in places:
        return
    if main is not None and (implied != main or len(others) < 2):  # noqa: PLR2004  # with one component a reader sees no main one
        writing.leave("mainLocationId", main)


def _is_nowhere(place: object) -> bool:
    """Return whether a location is no place: an older version made one of an empty LOCATION with a language."""
    return isinstance(place, dict) and place.keys() <= {"@type", "name"} and place.get("name", "x") == ""


def _line_key(places: Object, main: object, writing: Writing) -> str | None:
    """Return the key of the location that lines express fully: the main one if it is one, else the first."""
    able = [key for key, place in places.items() if _is_line(key, place, writing)]
    if isinstance(main, str) and main in places:
        return main if main in able else None
    return next((key for key in able if "name" in places[key]), next(iter(able), None))


def _is_line(key: str, place: Object, writing: Writing) -> bool:
    if not place.keys() <= {"@type", "name", "coordinates"} or not isinstance(place.get("name", ""), str):
        return False
    if "coordinates" not in place:
        return bool(place.get("name"))
    noted = bool(writing.noted(join("locations", key, "coordinates"), "geo"))
    return noted and _POINT.fullmatch(str(place["coordinates"])) is not None


def _write_line(key: str, place: Object, writing: Writing) -> None:
    name = place.get("name")
    point = _POINT.fullmatch(str(place.get("coordinates", "")))
    if name is not None:
        value = escape(name)
        params = {"JSID": key} if key != hashed(value) else {}
        writing.add("LOCATION", value, params, join("locations", key, "name"))
    if point is not None:
        value = f"{point[1]};{point[2]}"
        params = {"JSID": key} if name is None and key != hashed(value) else {}
        writing.add("GEO", value, params, join("locations", key, "coordinates"))


def _write_derived(places: Object, main: object, writing: Writing) -> str | None:
    """Repeat the main location for programs without VLOCATION; return the key that a reader finds by its name."""
    if writing.noted_kept("location"):
        return None
    named = [key for key, place in places.items() if isinstance(place.get("name"), str) and place["name"]]
    key = main if main in named else named[0] if named and main is None else None
    if key is None:
        return None
    writing.add("LOCATION", escape(places[key]["name"]), {"DERIVED": "TRUE"})
    if point := _POINT.fullmatch(str(places[key].get("coordinates", ""))):
        writing.add("GEO", f"{point[1]};{point[2]}", {"DERIVED": "TRUE"})
    return next(other for other in named if places[other]["name"] == places[key]["name"])


def _write_location(key: str, place: Object) -> list[str]:
    writing = Writing(place.get("iCalendar"), "vlocation")
    known = set(_VLOCATION)
    if isinstance(name := place.get("name"), str):
        writing.add("NAME", escape(name), None, "name")
    else:
        known.discard("name")
    if (
        types := [kind for kind, held in place["locationTypes"].items() if held is True]
        if isinstance(place.get("locationTypes"), dict)
        else []
    ):
        writing.add("LOCATION-TYPE", ",".join(map(escape, sorted(types))), None, "locationTypes")
    else:
        known.discard("locationTypes")
    point = _POINT.fullmatch(str(place.get("coordinates", "")))
    if point is not None and writing.noted("coordinates", "geo"):
        writing.add("GEO", f"{point[1]};{point[2]}", None, "coordinates")
    elif (uri := write_uri(place.get("coordinates"))) is not None:
        writing.add("COORDINATES", uri, {"VALUE": "URI"}, "coordinates")
    else:
        known.discard("coordinates")
    write_links(place, writing)
    leave_unknown(writing, place, known)
    writing.add_kept()
    from_file = "iCalendar" in place
    without = {name: value for name, value in place.items() if name != "iCalendar"}
    add_identity(writing, key, hashed_object(without) if from_file and not writing.rest else None, uid=not from_file)
    return writing.finished("VLOCATION")


def read_conference(reading: Reading, line: Line) -> None:
    """Convert a CONFERENCE; keep one that is not a URI."""
    uri = write_uri(line.value)
    if uri is None or line.params.get("VALUE", ["URI"])[0].upper() != "URI":
        reading.keep(line)
        return
    place: Object = {"@type": "VirtualLocation", "uri": uri}
    if "LABEL" in line.params:
        place["name"] = whole(line.params["LABEL"])
    if features := {value.lower(): True for value in line.params.get("FEATURE", ()) if value}:
        place["features"] = features
    places = reading.item.setdefault("virtualLocations", {})
    key = chosen(line.params, line.value, places)
    places[key] = place
    reading.note_extra(join("virtualLocations", key, "uri"), line, _FEATURES)


def write_conferences(item: Object, writing: Writing) -> None:
    """Write the virtual locations."""
    places: Any = item.get("virtualLocations")
    if not isinstance(places, dict):
        writing.leave("virtualLocations", places)
        return
    left: Object = {}
    for key in sorted(places):
        place = places[key]
        uri = write_uri(place.get("uri")) if isinstance(place, dict) and is_id(key) else None
        if uri is None:
            left[key] = place
            continue
        params: dict[str, str | list[str]] = {"VALUE": "URI"}
        known = set(_CONFERENCE)
        if features := names_of(place.get("features")):
            params["FEATURE"] = [feature.upper() for feature in features]
        else:
            known.discard("features")
        if isinstance(place.get("name"), str):
            params["LABEL"] = place["name"]
        else:
            known.discard("name")
        leave_unknown(writing, place, known, "virtualLocations", key)
        if key != hashed(uri) or writing.is_pointed(key):
            params["JSID"] = key
        writing.add("CONFERENCE", uri, params, join("virtualLocations", key, "uri"))
    writing.leave_entries("virtualLocations", left, len(places))
