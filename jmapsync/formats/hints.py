"""Update `convertedProperties` of events and cards when an edit changes the converted values (jscalendar-icalendar).

Beside `start` a server may record that it came from `DTSTART;VALUE=DATE`. Stalwart 0.16 writes that parameter whatever the present
value is: an all-day event that gets a time becomes `DTSTART;VALUE=DATE;TZID=Europe/Vienna`. So a patch that changes a property also
removes the parameters of its old form. Other parameters (a language, a vendor's) are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.objects import as_object, same
from jmapsync.formats.patch import apply, diff
from jmapsync.formats.pointer import follow, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jmapsync.formats.objects import Object, Patch

HOLDERS: Final = ("iCalendar", "vCard")
"""Properties that hold `convertedProperties`: of JSCalendar, and of Stalwart's cards."""
ENTRIES: Final = ("participants", "locations", "virtualLocations", "links", "alerts")
"""Maps whose entries may have `convertedProperties`."""
_CONVERTED: Final = "convertedProperties"
_FORM: Final = frozenset({"value", "tzid", "encoding", "charset", "jscomps"})
"""Parameters that describe the form of a value, not its meaning."""
_TIMES: Final = frozenset({"start", "due", "duration", "estimatedDuration", "recurrenceId", "recurrenceOverrides"})
_BESIDE_TIMES: Final = ("timeZone", "endTimeZone", "showWithoutTime")


def is_whole_day(item: Mapping[str, Any], series: Mapping[str, Any] | None = None) -> bool:
    """Return whether an object has dates without times; an override is combined with its series (jscalendarbis, 3.2)."""
    whole: Object = {**(series or {}), **item}
    moments = [whole[name] for name in ("start", "due") if isinstance(whole.get(name), str)]
    lengths = [whole[name] for name in ("duration", "estimatedDuration") if isinstance(whole.get(name), str)]
    return (
        whole.get("showWithoutTime") is True
        and whole.get("timeZone") is None
        and all(moment.endswith("T00:00:00") for moment in moments)
        and all("T" not in length or length.endswith(("T0S", "T0M", "T0H")) for length in lengths)
    )


def renewing(given: Object, patch: Patch) -> Patch:
    """Return a patch of an object that also updates the hints of what it changes."""
    if not _has_hints(given):
        return patch
    after = apply(given, patch)
    more = diff(after, renewed(given, after))
    return _composed(patch, more) if more else patch


def renewed(before: Object, after: Object) -> Object:
    """Return an object with hints that fit its values; `before` is the object before the edit."""
    result: Object = _renewed(before, after, after)
    for name in ENTRIES:
        if isinstance(entries := result.get(name), dict):
            former = before.get(name)
            others = as_object(former)
            result[name] = {key: _renewed(as_object(others.get(key)), entry, after) for key, entry in entries.items()}
    if isinstance(overrides := result.get("recurrenceOverrides"), dict):
        former = as_object(before.get("recurrenceOverrides"))
        result["recurrenceOverrides"] = {
            key: _renewed_override(key, as_object(former.get(key)), patch, before, after) for key, patch in overrides.items()
        }
    return result


def _renewed(before: Object, after: Any, series: Object) -> Any:  # noqa: ANN401 # any JSON value
    if not isinstance(after, dict):
        return after
    result = dict(after)
    for holder in HOLDERS:
        kept = as_object(after.get(holder))
        hints = kept.get(_CONVERTED)
        if isinstance(hints, dict):
            old = as_object(as_object(before.get(holder)).get(_CONVERTED))
            left = dict(_left(hints, old, before, after, series))
            rest = {name: value for name, value in kept.items() if name != _CONVERTED}
            result[holder] = {**rest, _CONVERTED: left} if left else rest
    return result


def _renewed_override(
    key: str,
    before: Object,
    patch: Any,  # noqa: ANN401 # any JSON value
    series_before: Object,
    series: Object,
) -> Any:  # noqa: ANN401 # any JSON value
    """Return an override with updated hints: complete ones, or those that it patches into the hints of its series.

    Its key is its recurrence id, of which the hint has RANGE=THISANDFUTURE.
    """
    if not isinstance(patch, dict) or not any(path.partition("/")[0] in HOLDERS for path in patch):
        return patch
    beside = dict.fromkeys(_BESIDE_TIMES)
    old, new = ({**beside, **each} for each in (series_before, series))
    before = {**{name: old[name] for name in _BESIDE_TIMES}, "recurrenceId": key, **before}
    after = {**{name: new[name] for name in _BESIDE_TIMES}, "recurrenceId": key, **patch}
    result = _renewed(before, after, series)
    for path in patch:
        steps = split(path)
        if steps[0] in HOLDERS and steps[1:2] == [_CONVERTED]:
            if len(steps) > 3:  # noqa: PLR2004 # a part of a hint of the series, as the TZID
                if _is_changed(split(steps[2]), {**series_before, **before}, {**series, **after}):
                    del result[path]
                continue
            hints = patch[path] if len(steps) == 2 else {steps[2]: patch[path]}  # noqa: PLR2004 # the map itself
            if isinstance(hints, dict):
                left = dict(_left(hints, as_object(before.get(path)), before, {**series, **after}, series))
                result[path] = left if len(steps) == 2 else next(iter(left.values()), None)  # noqa: PLR2004 # as above
    return {name: value for name, value in result.items() if name in patch}


def _left(hints: Object, old: Object, before: Object, after: Object, series: Object) -> Iterator[tuple[str, Any]]:
    """Yield the remaining hints by path."""
    whole = is_whole_day(after, series)
    for path, hint in hints.items():
        steps = split(path)
        value = follow(after, steps)
        if value is None:
            continue
        plain = hint
        if isinstance(hint, dict):
            times = steps[0] in _TIMES
            if (_is_changed(steps, before, after) and same(old.get(path), hint)) or (times and not whole and _says_date(hint)):
                plain = _without_form(hint, _FORM | ({"type"} if steps[0] == "media" else set()))
        if plain is not None:
            yield path, plain


def _is_changed(steps: list[str], before: Object, after: Object) -> bool:
    """Return whether the value at a path is another one, or in another zone."""
    return not same(follow(before, steps), follow(after, steps)) or (
        steps[0] in _TIMES and any(not same(before.get(name), after.get(name)) for name in _BESIDE_TIMES)
    )


def _says_date(hint: Object) -> bool:
    kinds = (as_object(hint.get("parameters")).get("value"), hint.get("valueType"))
    return any(isinstance(kind, str) and kind.lower() == "date" for kind in kinds)


def _without_form(hint: Object, form: frozenset[str]) -> Object | None:
    """Return a hint without the parameters of form; None if nothing else remains."""
    params = {name: value for name, value in as_object(hint.get("parameters")).items() if name.lower() not in form}
    rest = {name: value for name, value in hint.items() if name not in {"parameters", "valueType"}}
    plain = {**rest, "parameters": params} if params else rest
    return plain if plain.keys() - {"@type"} else None


def _has_hints(item: Object) -> bool:
    """Return whether an object, one of its entries or an override has hints."""
    if any(holder in item for holder in HOLDERS):
        return True
    parts = [part for name in (*ENTRIES, "recurrenceOverrides") for part in as_object(item.get(name)).values()]
    return any(isinstance(part, dict) and any(path.partition("/")[0] in HOLDERS for path in part) for part in parts)


def _composed(patch: Patch, more: Patch) -> Patch:
    """Return the composition of two patches; none of its paths is the start of another (RFC 8620, 5.3)."""
    result = dict(patch)
    for path, value in more.items():
        above = next((each for each in result if path == each or path.startswith(f"{each}/")), None)
        if above is None:
            result = {each: old for each, old in result.items() if not each.startswith(f"{path}/")}
            result[path] = value
        elif path == above:
            result[path] = value
        else:
            inner = path[len(above) + 1 :]
            result[above] = apply(result[above], {inner: value}) if isinstance(result[above], dict) else result[above]
    return result
