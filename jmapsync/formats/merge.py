"""Merge the edits of both sides property by property, and find what was not kept of an edit (RFC 8620, 5.3)."""

from __future__ import annotations

import re
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.canonical import changes, plain_line, text_key
from jmapsync.formats.objects import INSTANCES, instances, same
from jmapsync.formats.patch import MAPS_OF_PATCHES, apply_fitting, diff
from jmapsync.formats.pointer import at, describe, escape, follow, join, split
from jmapsync.formats.shapes import KEYED, part_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jmapsync.formats.objects import Object, Patch

_STATEMENTS = [
    (re.compile(pattern), whole)
    for pattern, whole in (
        (r"(?:start|timeZone|showWithoutTime|due)", r"start"),
        (r"recurrenceRule/.*", r"recurrenceRule"),
        (r"(alerts/[^/]*/trigger)/.*", r"\1"),
        (r"(name|addresses/[^/]*)/(?:full|components|isOrdered|defaultSeparator)", r"\1/full"),
        (r"(anniversaries/[^/]*/date)/.*", r"\1"),
    )
]
"""Properties that are one statement: changes of both sides to parts of one are a conflict."""
_LINES = re.compile(r"(?:^|/)(?:vCardProps|jmapsync:lines|iCalendar/(?:properties|components))\Z")
"""Arrays that are sets: kept lines of vCard and iCalendar, those folded into entries (formats.grouped) among them."""
_ONCE = frozenset({"action", "acknowledged", "description", "duration", "repeat", "summary", "trigger"})
"""Lines that an alarm has once (RFC 5545, 3.6.6; RFC 9074, 6.1)."""
Lines = list[Any]


class Merge(NamedTuple):
    """The result of merging an edit with the changes of the other side."""

    patch: Patch
    """The changes to send: they apply to the other side's object."""
    conflicts: list[str]
    """Properties that both sides changed, in words, such as `recurrence overrides 2026-01-01T09:00:00`."""


def merge(base_local: Object, local: Object, base_remote: Object, remote: Object) -> Merge:
    """Merge the edit `base_local` -> `local` into the other side's object, which changed `base_remote` -> `remote`.

    Two changes conflict if one path is the start of the other, or both belong to one statement (a start and its time zone). A
    change that both sides made, or that the other side already has, is left out. Entries that both sides added to one map are both
    kept; under the same key, the local one gets an unused key.
    """
    if all(instances(item) for item in (base_local, local, base_remote, remote)):
        return _merge_instances(base_local, local, base_remote, remote)
    return _merge(base_local, local, base_remote, remote)


def _merge(base_local: Object, local: Object, base_remote: Object, remote: Object) -> Merge:
    four = (base_local, local, base_remote, remote)
    changed = _Changed([path for change in diff(base_remote, remote).items() for path, _ in _spread(*change, base_remote, local)])
    patch: Patch = {}
    conflicts: list[str] = []
    for path, value in _fitted(diff(base_local, local), base_local, local, remote):
        if is_lines(path) and all(isinstance(at(item, path), list | None) for item in four):
            lines, contested = merge_lines(*(at(item, path) or [] for item in four))
            conflicts += contested
            if lines != (at(remote, path) or []):
                patch[path] = lines or None
        elif same(at(remote, path), value):
            continue
        elif not changed.overlaps(path):
            patch[path] = value
        elif _is_added(path, value, base_local, base_remote):
            patch[_free(path, remote, local)] = value
        else:
            conflicts.append(describe(path))
    return Merge(patch, sorted(conflicts))


def _merge_instances(base_local: Object, local: Object, base_remote: Object, remote: Object) -> Merge:
    """Merge instances that all four objects have one by one, and the others as values of a map."""
    four = (base_local, local, base_remote, remote)
    common = set.intersection(*(set(instances(item)) for item in four))
    mine, theirs = instances(local), instances(remote)
    done = common | {key for key in mine.keys() & theirs.keys() if key not in common and not changes(theirs[key], mine[key])}
    rest = [{**item, INSTANCES: {key: part for key, part in instances(item).items() if key not in done}} for item in four]
    found = _merge(*rest)
    patch, conflicts = dict(found.patch), list(found.conflicts)
    for key in sorted(common):
        one = merge(*(instances(item)[key] for item in four))
        patch |= {f"{INSTANCES}/{escape(key)}/{path}": value for path, value in one.patch.items()}
        conflicts += [f"instance {key} {words}" for words in one.conflicts]
    return Merge(patch, sorted(conflicts))


def merge_lines(base_local: Lines, local: Lines, base_remote: Lines, remote: Lines) -> tuple[Lines, list[str]]:
    """Return the merged jCard or jCal lines, and the names of the lines that both sides changed.

    Lines are a set: additions and removals are replayed on the other side's lines (RFC 7095, 3.3; RFC 7265, 3.3).
    """
    removed, added = without_lines(base_local, local), without_lines(local, base_local)
    theirs = {_name(line) for line in without_lines(base_remote, remote) + without_lines(remote, base_remote)}
    both = {_name(line) for line in removed + added} & theirs
    kept = without_lines(remote, [line for line in removed if _name(line) not in both])
    contested = [name for name in both if without_lines(_named(local, name), remote) or without_lines(_named(remote, name), local)]
    return kept + without_lines([line for line in added if _name(line) not in both], kept), sorted(contested)


def is_lines(path: str) -> bool:
    """Return whether the value at a path is an array of lines, which is a set."""
    return _LINES.search(path) is not None


def without_lines(lines: Lines, others: Lines) -> Lines:
    """Return the lines minus the others. Each of the others removes one line of equal meaning: forms differ by server."""
    left = Counter(text_key(plain_line(line)) for line in others)
    kept = []
    for line in lines:
        key = text_key(plain_line(line))
        if left[key]:
            left[key] -= 1
        else:
            kept.append(line)
    return kept


def without_repeats(lines: Lines, others: Lines) -> Lines:
    """Return the lines without those that may occur once and occur among the others."""
    once = {name for line in others if (name := _name(line)) in _ONCE}
    return [line for line in lines if _name(line) not in once] if once else lines


def _named(lines: Lines, name: str) -> Lines:
    return [line for line in lines if _name(line) == name]


def _name(line: Any) -> str:  # noqa: ANN401 # any JSON value
    return str(line[0]).lower() if isinstance(line, list) and line else str(line)


def missing(patch: Patch, item: Object) -> Patch:
    """Return the part of a sent patch that the server's object does not show, with the narrowest paths.

    Further properties of the object are no loss, nor are defaults and other forms of equal meaning (formats.canonical).
    """
    over = {path: value if value is None else _overlaid(path, at(item, path), value) for path, value in patch.items()}
    shown, unfit = apply_fitting(item, over)
    lost = {path: patch[path] for path in unfit}
    return {**lost, **changes(item, shown)}


def _overlaid(path: str, held: Any, wanted: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the held value with the wanted value laid over it."""
    if is_lines(path) and isinstance(held, list) and isinstance(wanted, list):
        added = without_lines(wanted, held)
        return without_repeats(held, added) + added
    if not isinstance(held, dict) or not isinstance(wanted, dict):
        return wanted
    if path.rpartition("/")[0] in MAPS_OF_PATCHES:
        beside = {
            other: value for other, value in held.items() if not any(_leads(own, other) or _leads(other, own) for own in wanted)
        }
        return {**beside, **wanted}
    return {**held, **{name: _overlaid(f"{path}/{escape(name)}", held.get(name), value) for name, value in wanted.items()}}


def _fitted(patch: Patch, base_local: Object, local: Object, remote: Object) -> Iterator[tuple[str, Any]]:
    """Yield the changes with parents that the other side has: values below a missing parent are sent with it (RFC 8620, 5.3)."""
    lifted: Patch = {}
    for path in sorted(patch):
        names = split(path)
        depth = next((depth for depth in range(1, len(names)) if not isinstance(follow(remote, names[:depth]), dict)), len(names))
        if depth == len(names):
            yield from _spread(path, patch[path], base_local, remote)
        elif patch[path] is not None:
            lifted[join(*names[:depth])] = follow(local, names[:depth])
    yield from lifted.items()


def _spread(path: str, value: Any, base: Object, other: Object) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # any JSON value
    """Yield an added or removed map entry by entry if the other side's map has entries that this side never had."""
    known, there = at(base, path), at(other, path)
    names: Iterable[str] = ()
    if isinstance(there, dict) and not _is_entry(other, path):
        if known is None and isinstance(value, dict):
            names = value
        elif value is None and isinstance(known, dict) and there.keys() - known.keys():
            names = known
    if not names:
        yield path, value
    for name in sorted(names):
        yield from _spread(f"{path}/{escape(name)}", None if value is None else value[name], base, other)


def _is_entry(item: Object, path: str) -> bool:
    """Return whether the value at a path is independent of its siblings."""
    *place, _ = split(path)
    part = part_at(item, place)
    return (part is not None and part.how == KEYED) or place[-1:] in [[name] for name in (*MAPS_OF_PATCHES, INSTANCES)]


def _is_added(path: str, value: Any, *bases: Object) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether a value is an entry that neither base has, in a map with arbitrary keys."""
    *place, _ = split(path)
    part = part_at(bases[-1], place)
    return part is not None and part.how == KEYED and isinstance(value, dict) and all(at(base, path) is None for base in bases)


def _free(path: str, *items: Object) -> str:
    """Return the path if the other side lacks it, else the next path that neither object uses."""
    if at(items[0], path) is None:
        return path
    return next(free for free in (f"{path}-{number}" for number in count(2)) if all(at(item, free) is None for item in items))


def _leads(path: str, other: str) -> bool:
    return path == other or other.startswith(path + "/")


class _Changed:
    """The paths that the other side changed, indexed to compare thousands with thousands."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = set(paths)
        self._above = {above for path in self._paths for above in _above(path)}
        self._statements = {_statement(path) for path in self._paths}
        self._first = {statement.partition("/")[0] for statement in self._statements}

    def overlaps(self, path: str) -> bool:
        """Return whether a path is one of these, or above or below one, or part of one statement with one."""
        if path in self._paths or path in self._above or not self._paths.isdisjoint(_above(path)):
            return True
        statement = _statement(path)
        # An override is known by the time at which its instance would have started (RFC 8984, 4.3.5).
        other = {"recurrenceOverrides": "start", "start": "recurrenceOverrides"}.get(statement.partition("/")[0])
        return statement in self._statements or other in self._first


def _above(path: str) -> list[str]:
    """Return the paths of all parents of a path."""
    return [path[: match.start()] for match in re.finditer("/", path)]


def _statement(path: str) -> str:
    return next((pattern.sub(whole, path) for pattern, whole in _STATEMENTS if pattern.fullmatch(path)), path)
