"""Find the participants of an event, and of each of its occurrences that has others (RFC 8984, 4.3.5: patches of overrides)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.pointer import split

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object


def people_of(event: Object | None) -> dict[str, Object]:
    """Return the participants of an event by their keys: of all occurrences by "", and by its moment of each that has others."""
    whole = _people((event or {}).get("participants"))
    found = {"": whole}
    overrides = (event or {}).get("recurrenceOverrides")
    for moment, patch in overrides.items() if isinstance(overrides, dict) else ():
        if isinstance(patch, dict) and any(split(path)[0] == "participants" for path in patch):
            found[moment] = _patched(whole, patch)
    return found


def is_user(address: object, mine: frozenset[str]) -> bool:
    """Return whether an address is one of the user's, `mine`, which are case-folded: programs write `MAILTO:` too."""
    return isinstance(address, str) and address.casefold() in mine


def _patched(whole: Object, patch: Object) -> Object:
    """Return the participants of an occurrence, whose patch changes them; a path to one that is not there says nothing."""
    people = dict(whole)
    for path, value in patch.items():
        match split(path):
            case ("participants",):
                people = _people(value)
            case ("participants", key):
                people[key] = value
            case ("participants", key, name) if isinstance(people.get(key), dict):
                people[key] = {**people[key], name: value}
    return _people(people)


def _people(value: Any) -> Object:  # noqa: ANN401 # any JSON value
    return {key: one for key, one in value.items() if isinstance(one, dict)} if isinstance(value, dict) else {}
