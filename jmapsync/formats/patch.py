"""Tell two objects apart as a PatchObject, apply one, and fit the edit of one side to what the other side did (RFC 8620, 5.3).

Paths are JSON pointers (RFC 6901) without the leading slash. A property that is null counts as missing, but for the values that
are patches themselves (overrides of recurrences, localizations): those are one value each, sent whole (RFC 8984, 4.3.5).
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.codec import MalformedError, Object, Patch
from jmapsync.formats.shapes import KEYED, part_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAPS_OF_PATCHES = frozenset({"recurrenceOverrides", "localizations"})
"""Properties whose values are PatchObjects: a null or a slash in them means something of its own."""
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
"""Properties that say one thing together: one side's change of a part cannot be put beside the other side's of another part."""
_LINES = re.compile(r"(?:^|/)(?:vCardProps|iCalendar/(?:properties|components))\Z")
"""Arrays that are sets: lines of vCard and iCalendar that have no property of their own."""
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


Lines = list[Any]


class UnfitPatchError(MalformedError):
    """A patch with a path whose parent the object lacks."""


class Merge(NamedTuple):
    """What becomes of an edit once the other side's changes are known."""

    patch: Patch
    """What can be sent, fitted to what the other side holds."""
    conflicts: list[str]
    """What both sides changed, in words, such as `recurrence overrides 2026-01-01T09:00:00`."""


def escape(name: str) -> str:
    """Return a property's name as one token of a path (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def tokens(path: str) -> list[str]:
    """Return the names that a path goes through."""
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")]


def words(path: str) -> str:
    """Return a path for people: `emails e1 address`."""
    first, *rest = tokens(path)
    return " ".join([_HUMP.sub(" ", first).lower(), *(_HUMP.sub(" ", name).lower() if name.isalpha() else name for name in rest)])


def at(item: Object, path: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return what an object holds at a path; None where it holds nothing."""
    return _follow(item, tokens(path))


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Tell whether two JSON values are the same; to Python true is also 1."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def diff(before: Object, after: Object) -> Patch:
    """Return the narrowest patch that makes `after` of `before`; empty where they are the same.

    Arrays are replaced whole, and so is an object whose `@type` changed. No path leads into an array or below what is missing or
    null in `before`, and none is the start of another (RFC 8620, 5.3).
    """
    return dict(_differences(before, after, ""))


def _differences(before: Object, after: Object, start: str) -> Iterator[tuple[str, Any]]:
    whole = start[:-1] in MAPS_OF_PATCHES
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if same(old, new):
            continue
        path = start + escape(name)
        if isinstance(old, dict) and isinstance(new, dict) and not whole and old.get("@type") == new.get("@type"):
            yield from _differences(old, new, path + "/")
        else:
            yield path, new


def apply(item: Object, patch: Patch) -> Object:
    """Return an object with a patch applied; the object itself stays as it is.

    Removing what is not there does nothing. Raises UnfitPatchError where a value's parent is missing or is no object: nothing is
    created on the way, and nothing of such a patch is applied (RFC 8984, 1.4.9).
    """
    result = dict(item)
    owned = {"": result}
    for path in sorted(patch):
        value, *names = patch[path], *tokens(path)
        parent, where = result, ""
        for name in names[:-1]:
            below = parent.get(name)
            if not isinstance(below, dict):
                break
            where += "/" + escape(name)
            if where not in owned:
                owned[where] = parent[name] = dict(below)
            parent = owned[where]
        else:
            if value is None:
                parent.pop(names[-1], None)
            else:
                parent[names[-1]] = value
            continue
        if value is not None:
            raise UnfitPatchError(f"there is no {words(path.rpartition('/')[0])} to hold {names[-1]}")
    return result


def merge(base_local: Object, local: Object, base_remote: Object, remote: Object) -> Merge:
    """Fit the edit `base_local` -> `local` to the other side, which went `base_remote` -> `remote`.

    Two changes overlap where one path is the other or leads to it, or where both are part of one statement (a start and its time
    zone). What both changed alike, and what the other side already holds, is left out. Entries that both added to one map stand
    side by side; under the same key, the local one gets a key that is free.
    """
    changed = [path for change in diff(base_remote, remote).items() for path, _ in _spread(*change, base_remote, local)]
    patch: Patch = {}
    conflicts: list[str] = []
    for path, value in _fitted(diff(base_local, local), base_local, local, remote):
        if _LINES.search(path) and all(
            isinstance(at(item, path), list | None) for item in (base_local, local, base_remote, remote)
        ):
            lines, contested = merge_lines(*(at(item, path) or [] for item in (base_local, local, base_remote, remote)))
            conflicts += contested
            if lines != (at(remote, path) or []):
                patch[path] = lines or None
        elif same(at(remote, path), value):
            continue
        elif not any(_overlap(path, theirs) for theirs in changed):
            patch[path] = value
        elif _is_added(path, value, base_local, base_remote):
            patch[_free(path, remote, local)] = value
        else:
            conflicts.append(words(path))
    return Merge(patch, sorted(conflicts))


def merge_lines(base_local: Lines, local: Lines, base_remote: Lines, remote: Lines) -> tuple[Lines, list[str]]:
    """Return what jCard or jCal lines become of the other side's with ours, and the names of those that both sides changed.

    They are a set: what was added here is added there, what was removed here is removed there (RFC 7095, 3.3; RFC 7265, 3.3).
    """
    removed, added = _less(base_local, local), _less(local, base_local)
    theirs = {_name(line) for line in _less(base_remote, remote) + _less(remote, base_remote)}
    both = {_name(line) for line in removed + added} & theirs
    kept = _less(remote, [line for line in removed if _name(line) not in both])
    contested = [name for name in both if _less(_named(local, name), remote) or _less(_named(remote, name), local)]
    return kept + _less([line for line in added if _name(line) not in both], kept), sorted(contested)


def _less(lines: Lines, others: Lines) -> Lines:
    """Return the lines without the others, each of which takes one like it away."""
    left = list(others)
    kept = []
    for line in lines:
        if line in left:
            left.remove(line)
        else:
            kept.append(line)
    return kept


def _named(lines: Lines, name: str) -> Lines:
    return [line for line in lines if _name(line) == name]


def _name(line: Any) -> str:  # noqa: ANN401 # any JSON value
    return str(line[0]).lower() if isinstance(line, list) and line else str(line)


def missing(patch: Patch, item: Object) -> Patch:
    """Return what of a patch that was sent an object does not show; the narrowest paths that say it.

    What the object holds beside it, and properties left out where the patch gives an empty value or `@type`, are no loss.
    """
    lost: Patch = {}
    for path, value in patch.items():
        lost.update(_unshown(path, value, at(item, path)))
    return lost


def _unshown(path: str, wanted: Any, shown: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # any JSON value
    if isinstance(wanted, dict) and isinstance(shown, dict) and path.rpartition("/")[0] not in MAPS_OF_PATCHES:
        for name, value in wanted.items():
            if name != "@type":
                yield from _unshown(f"{path}/{escape(name)}", value, shown.get(name))
    elif not same(wanted, shown) and (shown is not None or wanted not in (None, False, "", {}, [])):
        yield path, wanted


def _fitted(patch: Patch, base_local: Object, local: Object, remote: Object) -> Iterator[tuple[str, Any]]:
    """Yield the changes with parents that the other side has: what lies below a missing one is sent with it (RFC 8620, 5.3)."""
    lifted: Patch = {}
    for path in sorted(patch):
        names = tokens(path)
        depth = next((depth for depth in range(1, len(names)) if not isinstance(_follow(remote, names[:depth]), dict)), len(names))
        if depth == len(names):
            yield from _spread(path, patch[path], base_local, remote)
        elif patch[path] is not None:
            lifted["/".join(map(escape, names[:depth]))] = _follow(local, names[:depth])
    yield from lifted.items()


def _spread(path: str, value: Any, base: Object, other: Object) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # any JSON value
    """Yield a map that was added or removed entry by entry, where the other side has entries in it that this one never saw."""
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
    """Tell whether what is at a path is one value beside others that have nothing to do with it."""
    *place, _ = tokens(path)
    part = part_at(item, place)
    return (part is not None and part.how == KEYED) or place[-1:] in [[name] for name in MAPS_OF_PATCHES]


def _is_added(path: str, value: Any, *bases: Object) -> bool:  # noqa: ANN401 # any JSON value
    """Tell whether a value is an entry that neither base had, in a map with keys that mean nothing."""
    *place, _ = tokens(path)
    part = part_at(bases[-1], place)
    return part is not None and part.how == KEYED and isinstance(value, dict) and all(at(base, path) is None for base in bases)


def _free(path: str, *items: Object) -> str:
    """Return the path if the other side lacks it, else one beside it that neither object uses."""
    if at(items[0], path) is None:
        return path
    return next(free for free in (f"{path}-{number}" for number in count(2)) if all(at(item, free) is None for item in items))


def _overlap(one: str, other: str) -> bool:
    if one == other or one.startswith(other + "/") or other.startswith(one + "/"):
        return True
    left, right = _statement(one), _statement(other)
    # An override is known by the time at which its instance would have started (RFC 8984, 4.3.5).
    return left == right or {left.partition("/")[0], right.partition("/")[0]} == {"recurrenceOverrides", "start"}


def _statement(path: str) -> str:
    return next((pattern.sub(whole, path) for pattern, whole in _STATEMENTS if pattern.fullmatch(path)), path)


def _follow(item: Any, names: Sequence[str]) -> Any:  # noqa: ANN401 # any JSON value
    for name in names:
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item
