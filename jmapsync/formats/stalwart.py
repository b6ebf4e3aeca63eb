"""Convert between normal forms and the objects of Stalwart (0.16.19 over JMAP and DAV; its library calcard 0.3).

Stalwart stores files and converts them on request: lines without a property are in `iCalendar` or, of a card, in `vCard`, where RFC
9555 has `vCardProps` and `vCardParams`. It writes an override without the properties of the series, so overrides are sent complete.
Dates without times need a hint (formats.hints).
"""

from __future__ import annotations

from typing import Any, Final

from jmapsync.formats.canonical import STAMPS
from jmapsync.formats.hints import ENTRIES, is_whole_day, renewed
from jmapsync.formats.objects import as_object, same
from jmapsync.formats.patch import UnfitPatchError, apply, diff
from jmapsync.formats.pointer import follow, join, split
from jmapsync.formats.shapes import KEYED, PARTS
from jmapsync.formats.stalwartlines import components, ical_down, ical_up, vcard_down, vcard_up

Object = dict[str, Any]
Patch = dict[str, Any]

_CARD: Final = "Card"
_MAPS: Final = frozenset(name for name, part in PARTS[_CARD].items() if part.how == KEYED)
_MAIN: Final = {
    **dict.fromkeys(("nicknames", "organizations", "titles"), "name"),
    **dict.fromkeys(("calendars", "cryptoKeys", "directories", "links", "media", "onlineServices", "schedulingAddresses"), "uri"),
    "phones": "number",
    "emails": "address",
    "addresses": "components",
    "anniversaries": "date",
    "notes": "note",
    "personalInfo": "value",
    "preferredLanguages": "language",
}
"""The property of an entry that is the value of its line, by map; hints are recorded for it."""
_FORM: Final = frozenset({"value", "tzid"})
_NAMES: Final = {
    "start": "dtstart",
    "due": "due",
    "duration": "duration",
    "estimatedDuration": "estimated-duration",
    "title": "summary",
    "description": "description",
    "keywords": "categories",
    "color": "color",
    "priority": "priority",
    "percentComplete": "percent-complete",
    "sequence": "sequence",
    "created": "created",
    "updated": "dtstamp",
    "uid": "uid",
    "status": "status",
    "progress": "status",
    "privacy": "class",
    "freeBusyStatus": "transp",
    "recurrenceRule": "rrule",
    "recurrenceId": "recurrence-id",
    "organizerCalendarAddress": "organizer",
    "relatedTo": "related-to",
    "trigger": "trigger",
    "action": "action",
    "acknowledged": "acknowledged",
}
"""The iCalendar property of a property; Stalwart names it only if it is another one."""
_NAMES_OF_ENTRIES: Final = {
    ("locations", "name"): "location",
    ("locations", "coordinates"): "geo",
    ("participants", "calendarAddress"): "attendee",
    ("virtualLocations", "uri"): "conference",
    ("links", "href"): "attach",
}
_NOT_IN_OVERRIDES: Final = frozenset(
    {"@type", "uid", "recurrenceRule", "recurrenceOverrides", "recurrenceId", "recurrenceIdTimeZone", "prodId", "version", "method"}
)
_ONCE: Final = frozenset({"dtstart", "dtend", "due", "duration", "dtstamp", "uid"})
"""Lines that occur once in a component and are converted."""
_INHERITED: Final = frozenset({"timeZone", "endTimeZone", "showWithoutTime", "locale", "organizerCalendarAddress"})
"""Properties of a series that also apply to overrides in files, although their component does not have them."""
_OWN: Final = frozenset({"version", "prodId"})
"""Properties of an event that Stalwart can only store as JSPROP lines."""


def is_of_stalwart(item: Object) -> bool:
    """Return whether a server's object has this form: `vCard` in a card, other components without `@type`."""
    kept = item.get("iCalendar")
    return isinstance(item.get("vCard"), dict) or (isinstance(kept, dict) and "name" in kept and "@type" not in kept)


# from the server


def up(item: Object) -> Object:
    """Return the normal form of an object of Stalwart."""
    if _is_card(item):
        return _card_up(item)
    return _with_said_overrides(_with_icons(_owners(item, _component_up)))


def _is_card(item: Object) -> bool:
    return item.get("@type") == _CARD or "vCard" in item or "vCardProps" in item


def _owners(item: Object, turn: Any) -> Object:  # noqa: ANN401 # a function of an object and its holder
    """Return an event or a task with the kept lines converted, also in its entries and overrides."""
    result: Object = _turned(item, item, turn)
    for name in ENTRIES:
        if isinstance(entries := result.get(name), dict):
            result[name] = {key: _turned(entry, item, turn) for key, entry in entries.items()}
    if isinstance(overrides := result.get("recurrenceOverrides"), dict):
        result["recurrenceOverrides"] = {
            key: _owners(patch, turn) if isinstance(patch, dict) else patch for key, patch in overrides.items()
        }
    return result


def _turned(owner: Any, item: Object, turn: Any) -> Any:  # noqa: ANN401 # any JSON value; as above
    if not isinstance(owner, dict) or not isinstance(kept := owner.get("iCalendar"), dict):
        return dict(owner) if owner is item else owner
    return {**owner, "iCalendar": turn(kept, owner)}


def _with_icons(item: Object) -> Object:
    """Return an event whose images have the rel `icon`: Stalwart marks them by `display` only, and does not read LINKREL."""
    links = item.get("links")
    if not isinstance(links, dict):
        return item
    shown = {
        key: {**link, "rel": "icon"} if isinstance(link, dict) and link.get("display") and "rel" not in link else link
        for key, link in links.items()
    }
    return {**item, "links": shown}


def _with_said_overrides(item: Object) -> Object:
    """Return an event whose overrides remove what their instances lack: Stalwart lists all properties of a file's component.

    An override that another client made over JMAP has fewer properties than a component must have, and is already a patch.
    """
    overrides = item.get("recurrenceOverrides")
    if not isinstance(overrides, dict):
        return item
    names = {name for name in item if name not in _NOT_IN_OVERRIDES | STAMPS | _INHERITED}
    result = {}
    for at, patch in overrides.items():
        whole = isinstance(patch, dict) and all(name in patch or name not in item for name in ("start", "duration", "title"))
        said = {name.partition("/")[0] for name in patch} if whole else set()
        result[at] = {**patch, **dict.fromkeys(sorted(names - said))} if whole and patch else patch
    return {**item, "recurrenceOverrides": result}


def _component_up(kept: Object, owner: Object) -> Object:
    result = {"@type": "ICalComponent", **kept}
    if isinstance(lines := kept.get("properties"), list):
        result["properties"] = [ical_up(line) for line in lines]
    if isinstance(inner := kept.get("components"), list):
        result["components"] = [components(one, ical_up) for one in inner]
    if isinstance(hints := kept.get("convertedProperties"), dict):
        result["convertedProperties"] = dict(_hint_up(path, hint) for path, hint in hints.items() if isinstance(hint, dict))
        if (words := result["convertedProperties"].pop("keywords", None)) and isinstance(owner.get("keywords"), dict):
            result["convertedProperties"] |= {join("keywords", word): words for word in owner["keywords"]}
    return result


def _hint_up(path: str, hint: Object) -> tuple[str, Object]:
    params = hint.get("parameters")
    plain = {name.lower(): value for name, value in params.items() if name.lower() not in _FORM} if isinstance(params, dict) else {}
    name = hint.get("name") or _natural(path)
    return path, {"@type": "ICalProperty", **({"name": name} if name else {}), **({"parameters": plain} if plain else {})}


def _natural(path: str) -> str:
    """Return the name of the iCalendar property that the value at a path usually comes from."""
    steps = split(path)
    return _NAMES_OF_ENTRIES.get((steps[0], steps[-1]), "") if len(steps) > 2 else _NAMES.get(steps[0], "")  # noqa: PLR2004 # in an entry


def _card_up(card: Object) -> Object:
    result = {name: value for name, value in card.items() if name != "vCard"}
    kept = card.get("vCard")
    if not isinstance(kept, dict):
        return result
    if isinstance(lines := kept.get("properties"), list):
        own = [vcard_up(line) for line in lines if not _is_version(line)]
        result["vCardProps"] = [*(result.get("vCardProps") or ()), *own]
    hints = kept.get("convertedProperties")
    for path, hint in hints.items() if isinstance(hints, dict) else ():
        where, key, *rest = [*split(path), ""]
        params = hint.get("parameters") if isinstance(hint, dict) else None
        entry = follow(result, [where, key])
        if where not in _MAIN or rest[:1] != [_MAIN[where]] or not isinstance(params, dict) or not isinstance(entry, dict):
            continue
        known = _FORM | ({"type"} if where == "media" else set())
        own_params = {name.lower(): value for name, value in params.items() if name.lower() not in known}
        if own_params:
            params_of_entry = entry.get("vCardParams")
            entry = {**entry, "vCardParams": {**own_params, **as_object(params_of_entry)}}
            result[where] = {**result[where], key: entry}
    return result


def _is_version(line: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(line, list) and line[:1] == ["version"]


# to the server


def down(item: Object) -> Object:
    """Return an object of Stalwart for a normal form."""
    if _is_card(item):
        return _card_down(item)
    whole = _with_whole_overrides(_without_icons({name: value for name, value in item.items() if name not in _OWN}))
    return _with_dates(_owners(whole, _component_down), {})


def _without_icons(item: Object) -> Object:
    """Return an event whose images are marked by `display` only."""
    links = item.get("links")
    if not isinstance(links, dict):
        return item
    plain = {
        key: {name: value for name, value in link.items() if name != "rel" or value != "icon"}
        if isinstance(link, dict) and link.get("display")
        else link
        for key, link in links.items()
    }
    return {**item, "links": plain}


def _component_down(kept: Object, owner: Object) -> Object:
    result = {name: value for name, value in kept.items() if name != "@type"}
    if isinstance(lines := kept.get("properties"), list):
        result["properties"] = [ical_down(line) for line in lines if not _is_read_anew(line)]
    if isinstance(inner := kept.get("components"), list):
        result["components"] = [components(one, ical_down) for one in inner]
    if isinstance(hints := kept.get("convertedProperties"), dict):
        result["convertedProperties"] = dict(_hints_down(hints, owner))
    return result


def _is_read_anew(line: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether Stalwart would convert a line that was kept because it could not be converted."""
    return isinstance(line, list) and bool(line) and isinstance(line[0], str) and line[0].lower() in _ONCE


def _hints_down(hints: Object, owner: Object) -> Any:  # noqa: ANN401 # an iterator
    """Yield hints for Stalwart, except those of one among several entries of a map: it would apply them to another."""
    for path, hint in hints.items():
        steps = split(path)
        entries = owner.get(steps[0])
        if not isinstance(hint, dict) or (steps[0] in ENTRIES and isinstance(entries, dict) and len(entries) > 1):
            continue
        params = hint.get("parameters")
        plain = {name: value for name, value in params.items() if name not in _FORM} if isinstance(params, dict) else {}
        name = hint.get("name")
        named = {"name": name} if name and name != _natural(path) and path == "duration" else {}
        if steps[0] == "keywords":
            words = owner.get("keywords")
            others = [hints.get(join("keywords", word)) for word in (words if isinstance(words, dict) else ())]
            if not all(same(other, hint) for other in others):
                continue
        if plain or named:
            yield "keywords" if steps[0] == "keywords" else path, {**named, **({"parameters": plain} if plain else {})}


def _with_whole_overrides(item: Object) -> Object:
    """Return an event with complete overrides, which have the same effect (jscalendarbis, 3.3.4)."""
    overrides = item.get("recurrenceOverrides")
    if not isinstance(overrides, dict):
        return item
    series = {name: value for name, value in item.items() if name not in _NOT_IN_OVERRIDES}
    return {**item, "recurrenceOverrides": {at: _whole(series, at, patch) for at, patch in overrides.items()}}


def _whole(series: Object, at: str, patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    if not isinstance(patch, dict) or not patch or patch.get("excluded") is True:
        return patch
    begin = {"start": at} if series.get("start") is not None else {}
    try:
        instance = apply({**series, **begin}, {path: value for path, value in patch.items() if path not in _NOT_IN_OVERRIDES})
    except UnfitPatchError:
        return patch
    left_out = STAMPS | {name for name in ("timeZone", "showWithoutTime") if same(instance.get(name), series.get(name))}
    return {name: value for name, value in instance.items() if name not in left_out}


def _with_dates(item: Object, series: Object) -> Object:
    """Return an event, a task or an override with the hints that make its times dates if it has whole days."""
    result = dict(item)
    hints: Object = {}
    whole = is_whole_day(item, series)
    former = follow(item, ["iCalendar", "convertedProperties"])
    known: Object = as_object(former)
    if whole:
        hints |= {name: _dated(known.get(name)) for name in ("start", "due") if item.get(name) is not None}
        if isinstance(known.get("duration"), dict) and known["duration"].get("name") == "dtend":
            hints["duration"] = _dated(known["duration"])
    if isinstance(overrides := item.get("recurrenceOverrides"), dict):
        plain = {at for at, patch in overrides.items() if not patch or (isinstance(patch, dict) and patch.get("excluded") is True)}
        if whole:
            hints |= {join("recurrenceOverrides", at): _dated(None) for at in sorted(plain)}
        result["recurrenceOverrides"] = {
            at: _with_dates(patch, item) if isinstance(patch, dict) and at not in plain else patch
            for at, patch in overrides.items()
        }
    if hints:
        name = "vtodo" if (item.get("@type") or series.get("@type")) == "Task" else "vevent"
        kept = item.get("iCalendar")
        own: Object = kept if isinstance(kept, dict) else {"name": name}
        result["iCalendar"] = {**own, "convertedProperties": {**known, **hints}}
    return result


def _dated(hint: Any) -> Object:  # noqa: ANN401 # any JSON value
    known = as_object(hint)
    params = known.get("parameters")
    return {**known, "parameters": {**as_object(params), "value": "DATE"}}


def _card_down(card: Object) -> Object:
    result = {name: value for name, value in card.items() if name != "vCardProps"}
    kept: Object = {}
    if isinstance(lines := card.get("vCardProps"), list):
        kept["properties"] = [vcard_down(line) for line in lines]
    hints: Object = {}
    for where in _MAIN.keys() & card.keys() & _MAPS:
        entries = card[where]
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            params = entry.get("vCardParams") if isinstance(entry, dict) else None
            if isinstance(params, dict) and _MAIN[where] in entry:
                result[where] = {
                    **result[where],
                    key: {name: value for name, value in entry.items() if name != "vCardParams"},
                }
                hints[join(where, key, _MAIN[where])] = {"parameters": params}
    if hints:
        kept["convertedProperties"] = hints
    return {**result, "vCard": kept} if kept else result


def patch_down(patch: Patch, held: Object, given: Object) -> Patch:
    """Return the patch of an object of Stalwart for a patch of its normal form.

    Only what the patch changes in Stalwart's form is sent. Hints of this form are kept, and updated where values change.
    """
    target = given
    for path, value in diff(down(held), down(apply(held, patch))).items():
        target = _laid(target, split(path), value)
    lines = follow(given, ["vCard", "properties"])
    version = [line for line in lines if _is_version(line)] if isinstance(lines, list) else []
    if version and isinstance(after := follow(target, ["vCard", "properties"]), list) and not any(map(_is_version, after)):
        target = _laid(target, ["vCard", "properties"], [*version, *after])
    return diff(given, _untangled(renewed(given, target)))


def _untangled(item: Object) -> Object:
    """Return an event without hints for coordinates of places with a name: Stalwart would write the name instead."""
    places = item.get("locations")
    hints = follow(item, ["iCalendar", "convertedProperties"])
    named = (
        {key for key, place in places.items() if isinstance(place, dict) and "name" in place} if isinstance(places, dict) else ()
    )
    wrong = [path for key in named if (path := join("locations", key, "coordinates")) in (hints or ())]
    for path in wrong:
        item = _laid(item, ["iCalendar", "convertedProperties", path], None)
    return item


def _laid(item: Object, path: list[str], value: Any) -> Object:  # noqa: ANN401 # any JSON value
    """Return an object with a value set at a path, parents created; None removes the property."""
    name, *rest = path
    result = dict(item)
    inner = item.get(name)
    if rest:
        if value is not None or isinstance(inner, dict):
            result[name] = _laid(as_object(inner), rest, value)
    elif value is None:
        result.pop(name, None)
    elif name in ("iCalendar", "vCard") and isinstance(inner, dict) and isinstance(value, dict):
        result[name] = {**inner, **value}
    else:
        result[name] = value
    return result
