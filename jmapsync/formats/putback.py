"""Record what a server left out of an object, and reapply it to later versions of that object, entry by entry.

Others may reorder, remove and edit entries between two versions of a server's object, and a file has no keys to identify them. So
what was left out is a change to the object as the server held it, and that change is merged into the later version. An entry is
identified by its id, else by its value; what was left out of an entry that is gone or changed is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.align import keys_between, with_keys
from jmapsync.formats.canonical import canonical
from jmapsync.formats.grouped import fold, unfold
from jmapsync.formats.merge import is_lines, merge, missing, without_lines, without_repeats
from jmapsync.formats.objects import INSTANCES, as_object, instances, same
from jmapsync.formats.patch import MAPS_OF_PATCHES, apply, apply_fitting, diff, instance
from jmapsync.formats.pointer import at, follow, split

if TYPE_CHECKING:
    from jmapsync.formats.merge import Lines
    from jmapsync.formats.objects import Object, Patch

_SERIES = ("start", "timeZone", "showWithoutTime", "due", "recurrenceRule")
"""Properties that determine which occurrence a recurrence id names."""
_JOINED = {"notes": "note", "nicknames": "name"}
"""Maps of which Cyrus' Contact keeps one text: all texts of a card, joined."""


def left_out(wanted: Object, held: Object) -> Patch:
    """Return the part of an object that the server does not hold, as a patch for `put_back`."""
    whole, shown = fold(wanted), fold(held)
    if same(canonical(whole), canonical(shown)):
        return {}
    return missing({path: value for path, value in diff({}, whole).items() if value is not None}, shown)


def put_back(now: Object, held: Object, lost: Patch) -> Object:
    """Return the server's present object with what it left out of its former object, as far as that still applies."""
    if not lost:
        return now
    before = fold(held)
    whole, _ = apply_fitting(before, lost)
    if same(before, whole):
        return now
    folded = fold(now)
    result = _put_back(folded, before, _without_joined(whole, before, folded))
    return unfold(result, now, held)


def _without_joined(whole: Object, held: Object, now: Object) -> Object:
    """Return the whole object without texts that the server held as parts of one text that has changed since.

    The new text contains them, or somebody removed them.
    """
    result = dict(whole)
    for name, attribute in _JOINED.items():
        old, new, found = (_texts(item, name, attribute) for item in (held, whole, now))
        edited = {key: text for key, text in old.items() if new.get(key) != text and text not in found.values()}
        gone = {key for key, text in new.items() if key not in old and any(text in one for one in edited.values())}
        if gone:
            kept = {key: entry for key, entry in as_object(whole[name]).items() if key not in gone}
            result[name] = {**kept, **{key: held[name][key] for key in edited}}
    return result


def _texts(item: Object, name: str, attribute: str) -> dict[str, str]:
    entries = as_object(item.get(name)).items()
    return {key: text for key, entry in entries if isinstance(text := as_object(entry).get(attribute), str)}


def _put_back(now: Object, held: Object, whole: Object) -> Object:
    """Merge the change `held` -> `whole` into the server's present object."""
    if parts := instances(now):
        old, new = instances(held), instances(whole)
        put = {key: _put_back(part, old[key], new[key]) if key in old and key in new else part for key, part in parts.items()}
        return {**now, INSTANCES: put}
    plain = [{name: value for name, value in item.items() if name not in MAPS_OF_PATCHES} for item in (now, held, whole)]
    result = _merged(*plain)
    for name in MAPS_OF_PATCHES & (now.keys() | whole.keys()):
        if patches := _patches(name, result, now, held, whole):
            result = {**result, name: patches}
    return result


def _merged(now: Object, held: Object, whole: Object) -> Object:
    """Return the server's present object with the change `held` -> `whole` made at the entries that are unchanged."""
    keys = keys_between(held, now)
    before, after = with_keys(held, now, keys), with_keys(whole, now, keys)
    patch = merge(before, after, before, now).patch
    for path in diff(before, after):
        if is_lines(path):
            patch.pop(path, None)
            old, new, found = (at(item, path) or [] for item in (before, after, now))
            above = split(path)[:-1]
            if isinstance(follow(now, above), dict) and all(isinstance(lines, list) for lines in (old, new, found)):
                patch[path] = _lines(old, new, found, str(now.get("title", "")))
    return _without_dangling(apply(now, patch))


def _lines(held: Lines, whole: Lines, now: Lines, title: str) -> Lines:
    """Return the server's present lines with those that it left out, without a second line where only one is allowed.

    A line that somebody wrote since wins over the one left out; one that Cyrus filled in from the title does not.
    """
    kept = without_lines(now, without_lines(held, whole))
    lost = without_lines(without_lines(whole, held), kept)
    written = without_lines([line for line in kept if line[-1:] != [title]], held)
    lost = without_repeats(lost, written)
    return without_repeats(kept, lost) + lost


def _patches(name: str, result: Object, now: Object, held: Object, whole: Object) -> Object:
    """Return the overrides or localizations of the result."""
    old, new, found = (as_object(item.get(name)) for item in (held, whole, now))
    as_before = name != "recurrenceOverrides" or all(same(now.get(each), held.get(each)) for each in _SERIES)
    patches: Object = {}
    for key, patch in found.items():
        if same(old.get(key), new.get(key)):
            patches[key] = patch
            continue
        three = [instance(item, name, key, one) for item, one in ((now, patch), (held, old.get(key)), (whole, new.get(key)))]
        base = instance(result, name, key, {})
        if base is None or any(one is None for one in three):
            # It does not fit what the server has: it may fit that with what is put back.
            is_whole = same(patch, old.get(key)) and instance(result, name, key, new.get(key)) is not None
            patches[key] = new[key] if is_whole else patch
        else:
            patches[key] = diff(base, _merged(*(one or {} for one in three)))
    for key in new.keys() - old.keys() - found.keys() if as_before else ():
        if instance(result, name, key, new[key]) is not None or as_object(new[key]).get("excluded") is True:
            patches[key] = new[key]
    return patches


def _without_dangling(item: Object) -> Object:
    """Return an item without the `convertedProperties` of properties that it lacks."""
    component = item.get("iCalendar")
    noted = component.get("convertedProperties") if isinstance(component, dict) else None
    if not isinstance(component, dict) or not isinstance(noted, dict):
        return item
    kept = {path: value for path, value in noted.items() if len(split(path)) == 1 or follow(item, split(path)[:2]) is not None}
    return item if len(kept) == len(noted) else {**item, "iCalendar": {**component, "convertedProperties": kept}}
