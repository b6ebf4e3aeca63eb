"""Keep cards, events and tasks as Stalwart 0.16.19 gives them back: it stores files, and converts what it is sent (seen live)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.models import Model, known_names
from jmapsync.demo.problems import SetError, invalid_properties

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.demo.problems import JsonObject

UNKNOWN = "unknown"
DEFAULT_TYPES = {
    **dict.fromkeys(("attach", "url", "source", "concept", "tzurl", "coordinates"), "uri"),
    **dict.fromkeys(("attendee", "organizer", "calendar-address"), "cal-address"),
    **dict.fromkeys(("acknowledged", "completed", "created", "dtend", "dtstamp", "dtstart", "due"), "date-time"),
    **dict.fromkeys(("exdate", "last-modified", "rdate", "recurrence-id"), "date-time"),
    **dict.fromkeys(("duration", "estimated-duration", "refresh-interval", "trigger"), "duration"),
    **dict.fromkeys(("percent-complete", "priority", "repeat", "sequence"), "integer"),
    **dict.fromkeys(("exrule", "rrule"), "recur"),
    "geo": "float",
    "freebusy": "period",
}
"""The types of properties that are not texts, where no other is given."""
_NATURAL = {"start": "dtstart", "due": "due", "duration": "duration", "title": "summary", "description": "description"}
_HOLDERS = ("iCalendar", "vCard")
_ENTRIES = ("participants", "locations", "virtualLocations", "links", "alerts")


def check_names(model: Model, names: Iterable[str]) -> None:
    """Raise SetError for the first property that Stalwart does not know: it refuses the object for it."""
    known = (known_names(model) | {"vCard"}) - {"vCardProps"}
    for path in names:
        if path.removeprefix("/").partition("/")[0] not in known:
            raise invalid_properties(path, description="Invalid property.")


def refused_patch(error: SetError, patch: JsonObject) -> SetError:
    """Return the refusal of a patch that does not fit."""
    if error.body.get("type") != "invalidPatch":
        return error
    path = next((path for path in patch if "/" in path.removeprefix("/")), "")
    return invalid_properties(path, description="Patch operation failed.")


def kept(item: JsonObject) -> JsonObject:
    """Return an item as it is given back, after it was made a file and read again."""
    result = {name: value for name, value in item.items() if name != "vCardProps"}
    if (lines := item.get("vCardProps")) is not None:  # of another client, which sent a file
        result["vCard"] = {**item.get("vCard", {}), "properties": lines}
    if item.get("@type") in ("Event", "Task"):
        result.pop("version", None)
    _keep_holders(result)
    for name in _ENTRIES:
        for entry in _objects(result.get(name)):
            _keep_holders(entry)
    for override in _objects(result.get("recurrenceOverrides")):
        _keep_holders(override)
    return result


def _objects(value: object) -> list[JsonObject]:
    return [one for one in value.values() if isinstance(one, dict)] if isinstance(value, dict) else []


def _keep_holders(owner: JsonObject) -> None:
    for holder in _HOLDERS:
        if not isinstance(given := owner.get(holder), dict):
            continue
        left: JsonObject = {}
        if hints := _hints(owner, given.get("convertedProperties") or {}):
            left["convertedProperties"] = hints
        if lines := [line for line in map(_line, given.get("properties") or ()) if line is not None]:
            left["properties"] = lines
        if parts := given.get("components"):
            left["components"] = [_component(part) for part in parts]
        if not left:
            del owner[holder]
        else:
            owner[holder] = left | ({"name": given.get("name", "vevent")} if holder == "iCalendar" else {})


def _hints(owner: JsonObject, given: JsonObject) -> JsonObject:
    """Return hints of values that are there, without what Stalwart does not know of them."""
    found: JsonObject = {}
    for path, hint in given.items():
        name, parameters = hint.get("name"), hint.get("parameters")
        entry = {"parameters": parameters} if parameters else {}
        if name and name != _NATURAL.get(path):
            entry["name"] = name
        if entry and value_at(owner, path) is not None:
            found[path] = entry
    return found


def value_at(owner: JsonObject, path: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return what an object holds at a pointer; None for nothing."""
    value: Any = owner
    for step in path.split("/"):
        value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
    return value


def _component(part: Any) -> Any:  # noqa: ANN401 # any JSON value
    name, lines, inner = part
    return [name, [line for line in map(_line, lines) if line is not None], [_component(one) for one in inner]]


def _line(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return a kept line: the first value of it alone; None for a value that cannot be written."""
    name, parameters, kind, value = line[0].lower(), line[1], line[2].lower(), line[3]
    if isinstance(value, dict):
        return None
    shown = UNKNOWN if kind in (UNKNOWN, "text", DEFAULT_TYPES.get(name)) else kind.upper()
    return [name, parameters, shown, value]
