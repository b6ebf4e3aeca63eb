"""Find what of an edit a guest may not change in somebody else's event: all but the own answer and per-user properties.

draft-ietf-jmap-calendars, 5.1: where `isOrigin` is false, clients must not let users change anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.patch import apply
from jmapsync.formats.pointer import describe, split
from jmapsync.storage.jmap.objects.people import is_user, people_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.objects import Object, Patch

PER_USER = frozenset({"keywords", "color", "freeBusyStatus", "useDefaultAlerts", "alerts"})
ANSWER = frozenset({"participationStatus", "expectReply"})
_STAMPS = frozenset({"created", "updated", "sequence", "prodId"})


def beyond_rights(patch: Patch, held: Object, mine: frozenset[str]) -> list[str]:
    """Return in words what a patch of a normal form changes that is not the user's, who has the calendar addresses `mine`."""
    after = apply(held, patch)
    people, now = people_of(held), people_of(after)
    found = {path for path in _changed(held, after) if not _is_own(path, people[""], mine)}
    for moment in people.keys() | now.keys() if people != now else ():
        old, new = (some.get(moment, some[""]) for some in (people, now))
        inside = (("participants", *path) for path in _parts(old or None, new or None, 2))
        found |= {path for path in inside if not _is_own(path, old, mine)}
    return sorted({describe("/".join(path)) for path in found})


def _is_own(path: tuple[str, ...], people: Object, mine: frozenset[str]) -> bool:
    """Return whether a path leads to what is the user's to change; `people` are the participants by their keys."""
    if path[0] in PER_USER | _STAMPS:
        return True
    match path:
        case ("participants", key, name):
            participant = people.get(key)
            return name in ANSWER and isinstance(participant, dict) and is_user(participant.get("calendarAddress"), mine)
    return False


def _changed(before: Object, after: Object) -> Iterator[tuple[str, ...]]:
    """Yield where two events differ, but for their participants, inside of an override by what it says of the event."""
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name == "recurrenceOverrides":
            patches = [(_map(old).get(key), _map(new).get(key)) for key in {**_map(old), **_map(new)}]
            for one, other in patches:
                if not one and not other:
                    yield (name,)  # an occurrence more or less
                whole = (_map(one), _map(other))
                paths = (split(path) for path in whole[0].keys() | whole[1].keys() if whole[0].get(path) != whole[1].get(path))
                yield from (tuple(path) for path in paths if path[0] != "participants")
        elif name != "participants":
            yield (name,)


def _parts(old: Any, new: Any, depth: int) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 # any JSON value
    if depth == 0 or not isinstance(old, dict) or not isinstance(new, dict):
        yield ()
        return
    for name in old.keys() | new.keys():
        if old.get(name) != new.get(name):
            yield from ((name, *path) for path in _parts(old.get(name), new.get(name), depth - 1))


def _map(value: Any) -> Object:  # noqa: ANN401 # any JSON value
    return value if isinstance(value, dict) else {}
