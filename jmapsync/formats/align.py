"""Give the entries of an object the keys that the same entries have in another: files keep no keys, or editors drop them.

An entry is the same by equal meaning, else by an equal main value (an address, a number, a name), else by its key, else by what it
shares and by its place among those left of its kind. What is new keeps its key, or gets one that the reference never used.

Between two versions of one side's object a place proves nothing, for anybody may have reordered or removed entries there: see
`Pairs`.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.canonical import canonical, plain_part
from jmapsync.formats.objects import INSTANCES, instances
from jmapsync.formats.patch import MAPS_OF_PATCHES, UnfitPatchError, apply, diff
from jmapsync.formats.pointer import escape, split
from jmapsync.formats.shapes import KEYED, NAMED, ONE, PARTS, REFERENCES, objects, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jmapsync.formats.objects import Object

Keys = dict[tuple[str, ...], dict[str, str]]
"""New keys by old ones, for each map, known by its place in the object (with new keys on the way)."""


class Pairs(enum.Enum):
    """Which entries of two objects count as the same."""

    LIKELY = "likely"
    """Those that an edit may have made of each other: by meaning, value, key, then place."""
    PROVED = "proved"
    """By a key that is an id, then by meaning, then by value; nothing else."""
    NOTED = "noted"
    """Those that were noted before; none is looked for."""


class _Walk(NamedTuple):
    """What is known on a walk through an object."""

    keys: Keys
    pairs: Pairs


_COUNTED = re.compile(r"(?:[A-Z]+-|k)[0-9]+", re.ASCII)
"""A key that only counts the lines of a file (`PHONE-1`, as RFC 9555 does, or `k1`, as Stalwart 0.16 does): it is no id."""
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
"""Properties that tell an entry from its like, the first that it has."""
_COMPARED = 50
"""Entries that one is compared with by what it shares with them: with all of thousands it would take minutes."""
_DRESS = re.compile(r"(?:mailto|tel):|[\s()./-]", re.IGNORECASE)
"""What a number or an address may be written with or without."""
_KEYED_OF = {
    owner: {name for name, part in parts.items() if part.how == KEYED}
    | {path.partition("/")[0] for path, _ in REFERENCES.get(owner, ())}
    for owner, parts in PARTS.items()
}


def align(item: Object, reference: Object) -> Object:
    """Return an item with the keys that its entries have in the reference; what refers to entries by key follows.

    An override or a localization that means the same as the reference's is written as the reference's is.
    """
    if item == reference:
        return item
    if parts := instances(item):
        others = instances(reference)
        return {**item, INSTANCES: {key: align(part, others[key]) if key in others else part for key, part in parts.items()}}
    return _as_written(_with_keys(item, reference, _Walk({}, Pairs.LIKELY)), reference)


def keys_between(item: Object, reference: Object) -> Keys:
    """Return the keys that the entries of an earlier version of an object have in a later one, where they are proved the same.

    Overrides and localizations are left out of it: what only they have, has keys of its own.
    """
    keys: Keys = {}
    _rekeyed(type_of(item), _bare(item), reference, (), _Walk(keys, Pairs.PROVED))
    return keys


def likely_keys(item: Object, reference: Object) -> Keys:
    """Return the keys that the entries of an object have in another one that holds the same in another form."""
    keys: Keys = {}
    _rekeyed(type_of(item), _bare(item), reference, (), _Walk(keys, Pairs.LIKELY))
    return keys


def with_keys(item: Object, reference: Object, keys: Keys) -> Object:
    """Return an object with new keys, which are noted for others with the same ones; an entry without one keeps its own.

    Where the reference has that key for another entry it gets a new one, which is added to `keys`.
    """
    return _with_keys(item, reference, _Walk(keys, Pairs.NOTED))


def _with_keys(item: Object, reference: Object, walk: _Walk) -> Object:
    owner = type_of(item)
    result = _follow(owner, _rekeyed(owner, _bare(item), reference, (), walk), walk.keys)
    for name in MAPS_OF_PATCHES & item.keys():
        patches, theirs = item[name], reference.get(name)
        if isinstance(patches, dict):
            known = theirs if isinstance(theirs, dict) else {}
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
    """Return the canonical form of an override or a localization of an item; None for one that does not fit it."""
    return canonical({**item, name: {key: patch}}).get(name, {}).get(key) if _applied(item, patch) is not None else None


def _patch(item: Object, result: Object, patch: Any, reference: Object, walk: _Walk, *, begin: Object) -> Any:  # noqa: ANN401 # JSON
    """Return an override or a localization with keys as in the aligned item, and as the reference's for what it adds.

    `begin` has the start of an instance whose override says nothing of it.
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
        return patch  # in whatever form it says so: another one would look like a change
    return diff({**_bare(result), **begin}, aligned)


def _bare(item: Object) -> Object:
    return {name: value for name, value in item.items() if name not in MAPS_OF_PATCHES}


def _applied(item: Object, patch: Any) -> Object | None:  # noqa: ANN401 # any JSON value
    """Return what an override or a localization makes of an item; None where it does not fit."""
    try:
        return apply(_bare(item), patch) if isinstance(patch, dict) else None
    except UnfitPatchError:
        return None


def _rekeyed(owner: str, value: Object, reference: Object, place: tuple[str, ...], walk: _Walk) -> Object:
    """Return an object with new keys in its maps, and note them; those noted already stay."""
    result = dict(value)
    for name, part, inner in objects(owner, value):
        other = reference.get(name)
        here = (*place, name)
        if part.how in {KEYED, NAMED} and isinstance(inner, dict):
            others = other if isinstance(other, dict) else {}
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
    return _rekeyed(owner, value, reference if isinstance(reference, dict) else {}, place, walk)


@dataclass(slots=True)
class _Pairing:
    """Entries and others that have not found each other yet."""

    entries: Object
    others: Object
    names: dict[str, str]
    """The new key of each entry that has found its like."""
    left: dict[str, None]
    free: dict[str, None]

    def pair(self, tell: Callable[[str, Any], Any]) -> None:
        """Pair what is told alike: what has the same key first, then in order. None tells nothing."""
        if not self.left or not self.free:
            return
        told: dict[Any, dict[str, None]] = {}
        for other in self.free:
            told.setdefault(tell(other, self.others[other]), {})[other] = None
        told.pop(None, None)
        alike = [(key, mark) for key in self.left if (mark := tell(key, self.entries[key])) in told]
        for key, mark in sorted(alike, key=lambda found: found[0] not in told[found[1]]):
            if candidates := told[mark]:
                other = key if key in candidates else next(iter(candidates))
                del candidates[other]
                self.found(key, other)

    def pair_by_place(self) -> None:
        """Pair each entry with the one of its kind that shares most with it, in order."""
        free: dict[Any, dict[str, None]] = {}
        for other in self.free:
            free.setdefault(_kind(self.others[other]), {})[other] = None
        for key in list(self.left):
            if alike := free.get(_kind(self.entries[key])):
                other = max(islice(alike, _COMPARED), key=lambda other: _shared(self.entries[key], self.others[other]))
                del alike[other]
                self.found(key, other)

    def found(self, key: str, other: str) -> None:
        """Note what an entry's key is to be."""
        self.names[key] = other
        del self.left[key]
        del self.free[other]


def _match(owner: str, entries: Object, others: Object, names: dict[str, str], pairs: Pairs) -> dict[str, str]:
    """Add the new key of every entry to `names`, and return it."""
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
        pairing.pair(lambda _, entry: _main(entry))
    if pairs is Pairs.LIKELY:
        pairing.pair(lambda key, entry: (key, _kind(entry)))
        pairing.pair_by_place()
    taken = {*others, *names.values()}
    numbers: dict[str, Iterator[int]] = {}
    for key in pairing.left:
        names[key] = _new_key(key, entries[key], taken, numbers)
        taken.add(names[key])
    return names


def _new_key(key: str, entry: Any, taken: set[str], numbers: dict[str, Iterator[int]]) -> str:  # noqa: ANN401 # any JSON value
    """Return a key that is not taken; `numbers` goes on where a former entry of the same content left off."""
    if key not in taken:
        return key
    made = "k" + hashlib.sha256(_text(entry).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    if made not in taken:
        return made
    return next(name for number in numbers.setdefault(made, count(2)) if (name := f"{made}-{number}") not in taken)


def _text(value: Any) -> str:  # noqa: ANN401 # any JSON value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _kind(entry: Any) -> Any:  # noqa: ANN401 # any JSON value
    return _text(entry.get("kind")) if isinstance(entry, dict) else None


def _main(entry: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return what tells an entry from its like, without the dress of addresses and numbers; None where nothing does."""
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
    """Return an item whose references by key follow the new keys."""
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
    """Return a JSON pointer that leads through new keys."""
    place: tuple[str, ...] = ()
    for name in split(path):
        place = (*place, keys.get(place, {}).get(name, name))
    return "/".join(map(escape, place))
