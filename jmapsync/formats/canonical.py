"""Say in one way what a card, an event or a task means, and digest it.

Two objects that differ in defaults, in time stamps that servers and programs set, in the order of what has none, or in the form of
a file they were read from have one canonical form. Two that differ besides only in keys that mean nothing have one sense.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.encoding import encode, holds_data
from jmapsync.formats.instances import INSTANCES, instances
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.lines import digest_of
from jmapsync.formats.objects import UnfitPatchError, apply, at, diff, escape, tokens
from jmapsync.formats.plain import PATCHES, STAMPS, plain_item, text_key
from jmapsync.formats.shapes import KEYED, LIST, NAMED, ONE, PARTS, REFERENCES, objects, type_of

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object, Patch

_FIXED = frozenset({"recurrenceRule", "recurrenceOverrides", "recurrenceId", "recurrenceIdTimeZone", "localizations", "uid"})
"""What an override or a localization cannot change (RFC 8984, 4.3.5)."""


def canonical(item: Object, beside: Object | None = None) -> Object:
    """Return an object without what goes without saying; keys of maps stay as they are.

    Overrides and localizations become the narrowest patches of the canonical form that mean the same. What goes without saying
    beside the title and the description, that is in the texts of alarms, is told by those of `beside`, if that is given.
    """
    if parts := instances(item):
        others = instances(beside or {})
        return {**plain_item(_without_instances(item)), INSTANCES: {key: canonical(parts[key], others.get(key)) for key in parts}}
    result = plain_item(item, beside)
    for name in PATCHES:
        if patches := _patches(item, name):
            result[name] = {key: _narrowest(item, name, key, patches[key]) for key in patches}
    return result


def sense(item: Object) -> str:
    """Return the digest of what an object means: SHA-256 in base64 of its canonical form, keys that mean nothing left out.

    Large `data:` URIs count by the digest of their octets, so an object means the same with them in place and set aside.
    """
    if holds_data(encode(item)):
        item = set_aside(item)[0]
    if parts := instances(item):
        return digest_of(encode({**_content(_without_instances(item)), INSTANCES: {key: sense(parts[key]) for key in parts}}))
    content = _content(item)
    for name in PATCHES:
        if patches := _patches(item, name):
            content[name] = {key: _meaning(item, name, key, patches[key]) for key in patches}
    return digest_of(encode(content))


def changes(before: Object, after: Object) -> Patch:
    """Return the narrowest patch of what `after` means otherwise than `before`; the values are as `after` writes them.

    What it leaves out or has empty is null, which sets a property to its default (RFC 8620, 5.3).
    """
    old, new = instances(before), instances(after)
    if old and new:
        return diff(_without_instances(before), _without_instances(after)) | _changed_instances(old, new)
    meaning = canonical(after)
    patch = {path: at(after, path) for path in diff(canonical(before, after), meaning)}
    for path, value in list(patch.items()):
        name, _, key = path.partition("/")
        if value in ("", {}, []) and at(meaning, path) is None:
            patch[path] = None
        elif name in PATCHES and key and isinstance(value, dict):
            if _still_says(after, path, at(before, path)):
                del patch[path]
            else:
                patch[path] = {inner: each for inner, each in value.items() if inner not in STAMPS}
    return _fitted(before, after, patch)


def _changed_instances(before: dict[str, Object], after: dict[str, Object]) -> Patch:
    patch: Patch = {}
    for key in before.keys() | after.keys():
        path = f"{INSTANCES}/{escape(key)}"
        if key in before and key in after:
            patch |= {f"{path}/{inner}": value for inner, value in changes(before[key], after[key]).items()}
        else:
            patch[path] = after.get(key)
    return patch


def _without_instances(item: Object) -> Object:
    return {name: value for name, value in item.items() if name != INSTANCES}


def _fitted(before: Object, after: Object, patch: Patch) -> Patch:
    """Return a patch whose overrides and localizations fit what it makes of `before`, which may lack what goes without saying."""
    patches = {path: value for path, value in patch.items() if path.partition("/")[0] in PATCHES and value}
    if not patches:
        return patch
    base = apply(before, {path: value for path, value in patch.items() if path not in patches})

    def fit(name: str, key: str, value: Any) -> Any:  # noqa: ANN401 # any JSON value
        wanted, plain = _whole(after, name, key, value), _whole(base, name, key, {})
        if wanted is None or plain is None or _whole(base, name, key, value) is not None:
            return value
        return diff(plain, wanted)

    for path, value in patches.items():
        name, *key = tokens(path)
        if key:
            patch[path] = fit(name, key[0], value)
        elif isinstance(value, dict):
            patch[path] = {each: fit(name, each, inner) for each, inner in value.items()}
    return patch


def _still_says(after: Object, path: str, old: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Tell whether an override or a localization as it was says of the new item what the new one says."""
    name, key = tokens(path)
    one, other = _whole(after, name, key, old), _whole(after, name, key, at(after, path))
    return one is not None and other is not None and plain_item(one) == plain_item(other)


def _patches(item: Object, name: str) -> Object:
    patches = item.get(name)
    return {key: patch for key, patch in patches.items() if patch is not None} if isinstance(patches, dict) else {}


def _whole(item: Object, name: str, key: str, patch: Any) -> Object | None:  # noqa: ANN401 # any JSON value
    """Return what an override or a localization makes of the item; None where there is no such thing, or it does not fit."""
    if not isinstance(patch, dict) or patch.get("excluded") is True:
        return None
    base = _bare(item)
    changes = {path: value for path, value in patch.items() if path.partition("/")[0] not in _FIXED | {"@type", "excluded"}}
    try:
        return apply({**base, "start": key} if name == "recurrenceOverrides" and base.get("start") is not None else base, changes)
    except UnfitPatchError:
        return None


def _bare(item: Object) -> Object:
    return {name: value for name, value in item.items() if name not in _FIXED}


def _narrowest(item: Object, name: str, key: str, patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    whole = _whole(item, name, key, patch)
    if whole is None:
        return {"excluded": True} if isinstance(patch, dict) and patch.get("excluded") is True else patch
    base = _whole(item, name, key, {})
    return diff(plain_item(base or {}), plain_item(whole))


def _meaning(item: Object, name: str, key: str, patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    whole = _whole(item, name, key, patch)
    return _narrowest(item, name, key, patch) if whole is None else _content(whole)


def _content(item: Object) -> Object:
    """Return the canonical form with every map whose keys mean nothing as the sorted list of its values."""
    plain = plain_item(item)
    owner = type_of(item)
    locations = plain.get("locations")
    if plain.get("mainLocationId") is not None and isinstance(locations, dict) and len(locations) == 1:
        del plain["mainLocationId"]  # which of one is no question
    for name, target in REFERENCES.get(owner, ()):
        _resolve(plain, tokens(name), plain.get(target), target)
    result: Object = _unkeyed(owner, plain)
    if isinstance(component := result.get("iCalendar"), dict) and isinstance(
        pointers := component.get("convertedProperties"), dict
    ):
        component["convertedProperties"] = sorted(text_key([_pointer(owner, path), pointers[path]]) for path in pointers)
    return result


def _unkeyed(owner: str, value: Object) -> Object:
    result = dict(value)
    for name, part, inner in objects(owner, value):
        if part.how == LIST and isinstance(inner, list):
            result[name] = [_unkeyed(part.of, element) if isinstance(element, dict) else element for element in inner]
        elif part.how in {KEYED, NAMED} and isinstance(inner, dict):
            entries = {key: _unkeyed(part.of, entry) if isinstance(entry, dict) else entry for key, entry in inner.items()}
            result[name] = sorted(map(text_key, entries.values())) if part.how == KEYED else entries
        elif part.how == ONE and isinstance(inner, dict):
            result[name] = _unkeyed(part.of, inner)
    return result


def _pointer(owner: str, path: str) -> str:
    """Return a pointer with `*` for a key that means nothing."""
    names = tokens(path)
    part = PARTS.get(owner, {}).get(names[0])
    if part is not None and part.how == KEYED and len(names) > 1:
        names[1] = "*"
    return "/".join(map(escape, names))


def _resolve(value: Any, names: list[str], targets: Any, kind: str) -> None:  # noqa: ANN401 # any JSON value
    """Put the content of what is meant in the place of its key, or of the keys of a set."""
    if not isinstance(value, dict) or not isinstance(targets, dict):
        return
    name, *rest = names
    if name == "*":
        for entry in value.values():
            _resolve(entry, rest, targets, kind)
    elif rest:
        _resolve(value.get(name), rest, targets, kind)
    elif isinstance(meant := value.get(name), dict):
        value[name] = {_meant(key, targets, kind): inner for key, inner in meant.items()}
    elif isinstance(meant, str):
        value[name] = _meant(meant, targets, kind)


def _meant(key: str, targets: Object, kind: str) -> str:
    """Return a text for the entry that a key names: its calendar address, or itself without what it refers to in turn."""
    entry = targets.get(key)
    if not isinstance(entry, dict):
        return key
    if isinstance(entry.get("calendarAddress"), str):
        return str(entry["calendarAddress"])
    plain = {name: inner for name, inner in entry.items() if name not in {"delegatedTo", "delegatedFrom", "memberOf", "relatedTo"}}
    return text_key(_unkeyed(PARTS["Event" if kind in PARTS["Event"] else "Card"][kind].of, plain))
