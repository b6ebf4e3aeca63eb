"""Undo what khal 0.14 does to the VTIMEZONE of a file: it lists the changes around the first day of an event only.

Each is at the local time after it (see `Rules.listed_by_khal`). Otherwise an edit of the title gives a series other times from the
next year on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.objects import MalformedError, as_object

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

_ZONES: Final = ("timeZone", "endTimeZone", "recurrenceIdTimeZone")
_OVERRIDES: Final = "recurrenceOverrides"
_KHAL: Final = "khal / icalendar"
_VTIMEZONE: Final = ["vtimezone"]


def shortened_zones(before: Object, after: Object) -> Object:
    """Restore the VTIMEZONEs of which an edited event has only some changes, and the times in them."""
    kept, given = _vtimezones(after), _vtimezones(before)
    if not kept or not given or kept == given:
        return after
    from jmapsync.formats.ical.own_zones import resolved, restored, tzid_of, year_of  # noqa: PLC0415  # few events are repaired
    from jmapsync.formats.ical.zone_match import zone_of_rules  # noqa: PLC0415  # as above

    old = {tzid_of(text): text for text in map(_text, given)}
    by_khal = _KHAL in str(after.get("prodId"))
    new = {tzid: text for text in map(_text, kept) if _is_part(text, old.get(tzid := tzid_of(text), text), by_khal=by_khal)}
    if not new:
        return after
    year = year_of(after)
    zones = {text: zone_of_rules(tzid, old[tzid], year) or old[tzid] for tzid, text in new.items()}
    try:
        item = resolved(_with_zones(restored(after, new, year), zones))
    except MalformedError:
        return after
    whole = {tzid_of(_text(value)): value for value in given}
    components = [
        whole[tzid] if value in kept and (tzid := tzid_of(_text(value))) in new else value for value in _components(after)
    ]
    return {**item, "iCalendar": {**item["iCalendar"], "components": components}}


def _components(item: Object) -> list[Any]:
    components = as_object(item.get("iCalendar")).get("components")
    return components if isinstance(components, list) else []


def _vtimezones(item: Object) -> list[Any]:
    """Return the VTIMEZONEs that an object keeps, in jCal."""
    return [value for value in _components(item) if isinstance(value, list) and value[:1] == _VTIMEZONE]


def _text(component: Any) -> str:  # noqa: ANN401  # any JSON value
    from jmapsync.formats.ical import jcal  # noqa: PLC0415  # as above

    return "\n".join(jcal.to_lines(component))


def _is_part(text: str, whole: str, *, by_khal: bool) -> bool:
    """Return whether a VTIMEZONE lists, as khal does, all changes that another has in these years, and no more.

    Where khal knows other rules by the name of the zone, or cuts the seconds of its offsets, rules without end of the file go on.
    """
    from jmapsync.formats.ical.observances import rules_of  # noqa: PLC0415  # as above

    part, rules = rules_of(text), rules_of(whole)
    if text == whole or part is None or rules is None:
        return False
    changes = part.rules.listed_by_khal()
    listed = bool(changes) and rules.rules.window(changes[0][0] - 1, changes[-1][0]).changes == changes
    return listed or (by_khal and rules.rules.end is None)


def _with_zones(item: Object, zones: dict[str, str]) -> Object:
    """Return an object and its overrides with other zones."""
    result = {name: zones.get(value, value) if name in _ZONES and isinstance(value, str) else value for name, value in item.items()}
    if isinstance(overrides := item.get(_OVERRIDES), dict):
        result[_OVERRIDES] = {
            key: _with_zones(patch, zones) if isinstance(patch, dict) else patch for key, patch in overrides.items()
        }
    return result
