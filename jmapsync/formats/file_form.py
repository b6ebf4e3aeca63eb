"""Give an event or task of a server the form of the file that it replaces: the file changes in nothing but what somebody changed.

Servers return defaults, other spellings of a duration, and an IANA zone for a VTIMEZONE. Cyrus 3.12 and Stalwart 0.16 keep neither
the TZID of a file nor whether it had DTEND or DURATION. Nothing of it has a meaning (formats.canonical): the file keeps its form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jmapsync.formats.canonical import PATCHES, STAMPS, is_form_parameter, plain_item, sense
from jmapsync.formats.objects import INSTANCES, as_object, instances, same
from jmapsync.formats.patch import instance
from jmapsync.formats.pointer import follow, split
from jmapsync.formats.shapes import KEYED, NAMED, PARTS, type_of

if TYPE_CHECKING:
    from typing import Any

    from jmapsync.formats.objects import Object

_OVERRIDES: Final = "recurrenceOverrides"
_TYPES: Final = frozenset({"Event", "Task"})
_TIMES: Final = frozenset({"start", "due", "duration", "recurrenceId"})
_BESIDE_TIMES: Final = ("start", "timeZone", "endTimeZone", "recurrenceIdTimeZone", "showWithoutTime")
_ZONE: Final = "vtimezone"
_COMPARED: Final = 400
"""Overrides up to which each is compared with that of the file, which takes a millisecond."""


def in_form_of(item: Object, mine: Object) -> Object:
    """Return an object with the form of `mine`, the object of the file here; it means what it meant before."""
    if parts := instances(item):
        others = instances(mine)
        return {**item, INSTANCES: {key: in_form_of(part, others.get(key, {})) for key, part in parts.items()}}
    if type_of(item) not in _TYPES or type_of(mine) != type_of(item):
        return item
    result = _in_form(item, mine)
    return result if same(result, item) or sense(result) == sense(item) else item


def _in_form(item: Object, mine: Object) -> Object:
    now, then = plain_item(item), plain_item(mine)
    entries = {name for name, part in PARTS[type_of(item)].items() if part.how in {KEYED, NAMED}}
    result = dict(item)
    for name in (item.keys() | mine.keys()) - STAMPS - entries - {"iCalendar", *PATCHES}:
        if same(now.get(name), then.get(name)):
            if name in mine:
                result[name] = mine[name]
            else:
                del result[name]
    result = _with_lines(result, mine)
    if isinstance(overrides := item.get(_OVERRIDES), dict) and len(overrides) <= _COMPARED:
        former = as_object(mine.get(_OVERRIDES))
        result[_OVERRIDES] = {key: _patch(item, result, key, patch, former.get(key)) for key, patch in overrides.items()}
    return result


def _patch(item: Object, result: Object, key: str, patch: Any, former: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Return the override of the file if it makes of the result what that of the server makes of its object."""
    if not isinstance(former, dict) or not isinstance(patch, dict) or same(patch, former):
        return patch
    if patch.get("excluded") or former.get("excluded"):
        return patch
    one, other = instance(item, _OVERRIDES, key, patch), instance(result, _OVERRIDES, key, former)
    return patch if one is None or other is None or not same(plain_item(one), plain_item(other)) else former


def _with_lines(item: Object, mine: Object) -> Object:
    """Return an object with what `mine` notes of the form of its lines, where these say the same, and with its VTIMEZONEs."""
    kept, own = as_object(item.get("iCalendar")), as_object(mine.get("iCalendar"))
    hints = dict(as_object(kept.get("convertedProperties")))
    for path, hint in as_object(own.get("convertedProperties")).items():
        steps = split(path)
        same_times = steps[0] not in _TIMES or all(same(item.get(name), mine.get(name)) for name in _BESIDE_TIMES)
        if same_times and same(follow(item, steps), follow(mine, steps)):
            hints[path] = _hint(as_object(hint), as_object(hints.get(path)))
    found, given = kept.get("components", []), own.get("components", [])
    if not isinstance(found, list) or not isinstance(given, list):
        return item
    zones = [value for value in given if _is_zone(value) and value not in found]
    result = {"@type": "ICalComponent", **{name: own[name] for name in ("name",) if name in own}, **kept}
    if hints:
        result["convertedProperties"] = hints
    if zones:
        result["components"] = [*(value for value in found if not _is_zone(value)), *zones]
    return {**item, "iCalendar": result} if hints or zones else item


def _is_zone(component: Any) -> bool:  # noqa: ANN401  # any JSON value
    return isinstance(component, list) and component[:1] == [_ZONE]


def _hint(mine: Object, now: Object) -> Object:
    """Return what is noted of a line: its form here, and the rest as the server has it."""
    params = {name: value for name, value in as_object(mine.get("parameters")).items() if is_form_parameter(name)}
    result = {**{name: value for name, value in mine.items() if name != "parameters"}, **now}
    params |= as_object(now.get("parameters"))
    return {**result, "parameters": params} if params else result
