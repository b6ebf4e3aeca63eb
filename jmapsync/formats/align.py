"""Match the entries of maps between two versions of an object, and give them equal keys: files have no keys, or editors drop them.

Entries match by equal meaning, else by an equal main value (an address, a number, a name), else by key, else by common properties
and position among the rest of their kind. A new entry keeps its key, or gets one that the reference never used.

Position proves nothing between two versions of a server's object, where anybody may have reordered or removed entries: see `Pairs`.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from jmapsync.formats.canonical import canonical, plain_part
from jmapsync.formats.objects import INSTANCES, as_object, instances, natural
from jmapsync.formats.patch import MAPS_OF_PATCHES, UnfitPatchError, apply, diff
from jmapsync.formats.pointer import escape, split
from jmapsync.formats.shapes import KEYED, NAMED, ONE, PARTS, REFERENCES, objects, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jmapsync.formats.objects import Object

Keys = dict[tuple[str, ...], dict[str, str]]
"""New keys by old ones, for each map; a map is identified by its path in the object, new keys included."""
_COUNTED = re.compile(r"(?:[A-Z]+-|k)[0-9]+", re.ASCII)
"""A key that only counts the lines of a file (`PHONE-1` in RFC 9555, `k1` in Stalwart 0.16): it identifies nothing."""
_MAIN = (
    "address",
    "number",
    "uri",
    "user",
    "calendarAddress",
    "href",
    "name",
    "note",
    "value",
    "language",
    "coordinates",
    "email",
    "trigger",
    "pronouns",
    "date",
    "full",
    "components",
)
"""Properties that identify an entry; the first that it has counts."""
_COMPARED = 50
"""Entries that one entry is compared with property by property: with thousands of entries it would take minutes."""
_DRESS = re.compile(r"(?:mailto|tel):|[\s()./-]", re.IGNORECASE)
"""Decoration of numbers and addresses that does not count."""
_KEYED_OF = {
    owner: {name for name, part in parts.items() if part.how == KEYED}
    | {path.partition("/")[0] for path, _ in REFERENCES.get(owner, ())}
    for owner, parts in PARTS.items()
}


class Pairs(enum.Enum):
    """Which entries of two objects match."""

    LIKELY = "likely"
    """Those that an edit may have made of each other: by meaning, value, key, then position."""
    PROVED = "proved"
    """By a key that is an id, then by meaning, then by value; nothing else."""
    AGREED = "agreed"
    """By meaning, by value, then by key: what both sides agreed on. Place proves nothing where one side holds more."""
    NOTED = "noted"
    """Those that were recorded before; no others are matched."""


class _Walk(NamedTuple):
    """The state of one pass over an object."""

    keys: Keys
    pairs: Pairs


def align(item: Object, reference: Object) -> Object:
    """Return an item whose entries have the keys of the matching entries in the reference; references by key are changed too.

    An override or a localization that means the same as the reference's is written like the reference's.
    """
    if item == reference:
        return item
    if parts := instances(item):
        others = instances(reference)
        return {**item, INSTANCES: {key: align(part, others[key]) if key in others else part for key, part in parts.items()}}
    return _as_written(_with_keys(item, reference, _Walk({}, Pairs.LIKELY)), reference)


def keys_between(item: Object, reference: Object) -> Keys:
    """Return the keys that entries of an earlier version of an object have in a later one, if their identity is certain.

    Overrides and localizations are not compared: entries that only they have keep their own keys.
    """
    return _keys(item, reference, Pairs.PROVED)


def likely_keys(item: Object, reference: Object) -> Keys:
    """Return the keys that entries of an object have in another object with the same content in another form."""
    return _keys(item, reference, Pairs.LIKELY)


def agreed_keys(item: Object, reference: Object) -> Keys:
    """Return the keys that entries of an object have in the other side's object of the same meaning: a server may give others."""
    return _keys(item, reference, Pairs.AGREED)


def _keys(item: Object, reference: Object, pairs: Pairs) -> Keys:
    keys: Keys = {}
    _rekeyed(type_of(item), _bare(item), reference, (), _Walk(keys, pairs))
    return keys


def with_keys(item: Object, reference: Object, keys: Keys) -> Object:
    """Return an object with the new keys of `keys`; an entry without a new key keeps its own.

    If the reference has that key for another entry, the entry gets a fresh one, which is added to `keys`.
    """
    return _with_keys(item, reference, _Walk(keys, Pairs.NOTED))


def _with_keys(item: Object, reference: Object, walk: _Walk) -> Object:
    owner = type_of(item)
    result = _follow(owner, _rekeyed(owner, _bare(item), reference, (), walk), walk.keys)
    for name in MAPS_OF_PATCHES & item.keys():
        patches, theirs = item[name], reference.get(name)
        if isinstance(patches, dict):
            known = as_object(theirs)
            with_theirs = {key: _applied(reference, known.get(key, {})) or reference for key in patches}
            moves = name == "recurrenceOverrides" and item.get("start") is not None
            patches = {
                key: _patch(item, result, patch, with_theirs[key], walk, begin={"start": key} if moves else {})
                for key, patch in patches.items()
            }
        result[name] = patches
    return result


def _as_written(result: Object, reference: Object) -> Object:
    """Return the item with the reference's overrides and localizations wherever they mean the same."""
    for name in MAPS_OF_PATCHES & result.keys() & reference.keys():
        if isinstance(result[name], dict) and isinstance(reference[name], dict) and result[name] != reference[name]:
            mine, theirs = canonical(result).get(name, {}), canonical(reference).get(name, {})
            result[name] = {
                key: reference[name][key]
                if key in theirs and mine.get(key) == theirs[key] and _means(result, name, key, reference[name][key]) == mine[key]
                else patch
                for key, patch in result[name].items()
            }
    return result


def _means(item: Object, name: str, key: str, patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the canonical form of an override or a localization of an item; None if it does not fit."""
    return canonical({**item, name: {key: patch}}).get(name, {}).get(key) if _applied(item, patch) is not None else None


def _patch(item: Object, result: Object, patch: Any, reference: Object, walk: _Walk, *, begin: Object) -> Any:  # noqa: ANN401 # JSON
    """Return an override or a localization with the keys of the aligned item, and the reference's keys for what it adds.

    `begin` has the start of an instance whose override does not change it.
    """
    owner = type_of(item)
    if not isinstance(patch, dict) or not {path.partition("/")[0] for path in patch} & _KEYED_OF[owner]:
        return patch
    whole = _applied({**item, **begin}, patch)
    if whole is None:
        return patch
    inner: Keys = {place: dict(known) for place, known in walk.keys.items()}
    aligned = _follow(owner, _rekeyed(owner, whole, reference, (), _Walk(inner, walk.pairs)), inner)
    if aligned == whole and _bare(result) == _bare(item):
        return patch  # in whatever form it says so: another form would count as a change
    return diff({**_bare(result), **begin}, aligned)


def _bare(item: Object) -> Object:
    return {name: value for name, value in item.items() if name not in MAPS_OF_PATCHES}


def _applied(item: Object, patch: Any) -> Object | None:  # noqa: ANN401 # any JSON value
    """Return the item with an override or a localization applied; None if it does not fit."""
    try:
        return apply(_bare(item), patch) if isinstance(patch, dict) else None
    except UnfitPatchError:
        return None


def _rekeyed(owner: str, value: Object, reference: Object, place: tuple[str, ...], walk: _Walk) -> Object:
    """Return an object with new keys in its maps, and record them; keys recorded before are used as they are."""
    result = dict(value)
    for name, part, inner in objects(owner, value):
        other = reference.get(name)
        here = (*place, name)
        if part.how in {KEYED, NAMED} and isinstance(inner, dict):
            others = as_object(other)
            known = walk.keys.setdefault(here, {})
            names = _match(part.of, inner, others, known, walk.pairs) if part.how == KEYED else {key: key for key in inner}
            result[name] = {
                names[key]: _inside(part.of, inner[key], others.get(names[key]), (*here, names[key]), walk) for key in inner
            }
        elif part.how == ONE:
            result[name] = _inside(part.of, inner, other, here, walk)
    return result


def _inside(owner: str, value: Any, reference: Any, place: tuple[str, ...], walk: _Walk) -> Any:  # noqa: ANN401 # any JSON value
    if not isinstance(value, dict) or owner not in PARTS:
        return value
    return _rekeyed(owner, value, as_object(reference), place, walk)


class _Pairing(Struct):
    """Entries of two maps that are not matched yet."""

    entries: Object
    others: Object
    names: dict[str, str]
    """The new key of each matched entry."""
    left: dict[str, None]
    free: dict[str, None]

    def pair(self, mark_of: Callable[[str, Any], Any]) -> None:
        """Match entries with an equal mark, the same key or the likest first, then in order. The mark None matches none."""
        if not self.left or not self.free:
            return
        by_mark: dict[Any, dict[str, None]] = {}
        for other in self.free:
            by_mark.setdefault(mark_of(other, self.others[other]), {})[other] = None
        by_mark.pop(None, None)
        alike = [(key, mark) for key in self.left if (mark := mark_of(key, self.entries[key])) in by_mark]
        for key, mark in sorted(alike, key=lambda found: found[0] not in by_mark[found[1]]):
            if candidates := by_mark[mark]:
                other = key if key in candidates else self._closest(key, candidates)
                del candidates[other]
                self.found(key, other)

    def sort(self) -> None:
        """Put the remaining entries in the order of a file: JSON objects have none, and the ledger sorts keys as texts."""
        if self.left and len(self.free) > 1:
            self.left = dict.fromkeys(sorted(self.left, key=natural))
            self.free = dict.fromkeys(sorted(self.free, key=natural))

    def _closest(self, key: str, candidates: dict[str, None]) -> str:
        """Return the first of the candidates that share most properties with an entry."""
        if len(candidates) == 1:
            return next(iter(candidates))
        return max(islice(candidates, _COMPARED), key=lambda other: _shared(self.entries[key], self.others[other]))

    def pair_by_place(self) -> None:
        """Match each entry, in the order of a file, with the entry of its kind that it shares most properties with."""
        free: dict[Any, dict[str, None]] = {}
        for other in self.free:
            free.setdefault(_kind(self.others[other]), {})[other] = None
        for key in list(self.left):
            if alike := free.get(_kind(self.entries[key])):
                other = self._closest(key, alike)
                del alike[other]
                self.found(key, other)

    def found(self, key: str, other: str) -> None:
        """Record the new key of an entry."""
        self.names[key] = other
        del self.left[key]
        del self.free[other]


def _match(owner: str, entries: Object, others: Object, names: dict[str, str], pairs: Pairs) -> dict[str, str]:
    """Add the new key of every entry to `names`, and return `names`."""
    taken = set(names.values())
    pairing = _Pairing(
        entries,
        others,
        names,
        dict.fromkeys(key for key in entries if key not in names),
        dict.fromkeys(key for key in others if key not in taken),
    )
    if pairs is Pairs.PROVED:
        pairing.pair(lambda key, entry: None if _COUNTED.fullmatch(key) else (key, _kind(entry)))
    if pairs is not Pairs.NOTED:
        pairing.pair(lambda _, entry: _text(plain_part(owner, entry) if isinstance(entry, dict) else entry))
        pairing.sort()
        if owner == "Address":
            pairing.pair(lambda _, entry: _parts(entry))
        pairing.pair(lambda _, entry: _main(entry))
    if pairs in {Pairs.LIKELY, Pairs.AGREED}:
        pairing.pair(lambda key, entry: (key, _kind(entry)))
    if pairs is Pairs.LIKELY:
        pairing.pair_by_place()
    taken = {*others, *names.values()}
    numbers: dict[str, Iterator[int]] = {}
    for key in pairing.left:
        names[key] = _new_key(key, entries[key], taken, numbers)
        taken.add(names[key])
    return names


def _new_key(key: str, entry: Any, taken: set[str], numbers: dict[str, Iterator[int]]) -> str:  # noqa: ANN401 # any JSON value
    """Return an unused key; `numbers` continues the count of entries with the same content."""
    if key not in taken:
        return key
    made = "k" + hashlib.sha256(_text(entry).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    if made not in taken:
        return made
    return next(name for number in numbers.setdefault(made, count(2)) if (name := f"{made}-{number}") not in taken)


def _text(value: Any) -> str:  # noqa: ANN401 # any JSON value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _kind(entry: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return what keeps entries of a map apart: a title is not a role. The kind of a participant may be edited."""
    return _text(entry.get("kind")) if isinstance(entry, dict) and "calendarAddress" not in entry else None


def _parts(entry: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the components of an address: khard changes their order, and what stands beside them may be another's by then."""
    parts = entry.get("components") if isinstance(entry, dict) else None
    return _text(parts) if parts else None


def _main(entry: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the property that identifies an entry, undecorated; None if it has none."""
    if not isinstance(entry, dict):
        return None
    name = next((name for name in _MAIN if entry.get(name)), None)
    if name is None:
        return None
    value = entry[name]
    if name == "components" and isinstance(value, list):
        value = " ".join(str(part.get("value")) for part in value if isinstance(part, dict))
    return name, _kind(entry), _DRESS.sub("", value).casefold() if isinstance(value, str) else _text(value)


def _shared(one: Any, other: Any) -> int:  # noqa: ANN401 # any JSON value
    """Return how many properties two entries share."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return 0
    return sum(name != "@type" and name in other and bool(other[name] == value) for name, value in one.items())


def _follow(owner: str, item: Object, keys: Keys) -> Object:
    """Return an item whose references by key have the new keys."""
    for path, target in REFERENCES.get(owner, ()):
        names = keys.get((target,), {})
        if any(old != new for old, new in names.items()):
            item = _refer(item, path.split("/"), names)
    component = item.get("iCalendar")
    if isinstance(component, dict) and isinstance(pointers := component.get("convertedProperties"), dict):
        renamed = {_pointer(path, keys): value for path, value in pointers.items()}
        item = {**item, "iCalendar": {**component, "convertedProperties": renamed}}
    return item


def _refer(value: Any, path: list[str], names: dict[str, str]) -> Any:  # noqa: ANN401 # any JSON value
    if not path:
        if isinstance(value, dict):
            return {names.get(key, key): inner for key, inner in value.items()}
        return names.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        return value
    inside: Iterable[str] = value if path[0] == "*" else {path[0]} & value.keys()
    return {**value, **{name: _refer(value[name], path[1:], names) for name in inside}}


def _pointer(path: str, keys: Keys) -> str:
    """Return a JSON pointer with the new keys."""
    place: tuple[str, ...] = ()
    for name in split(path):
        place = (*place, keys.get(place, {}).get(name, name))
    return "/".join(map(escape, place))
