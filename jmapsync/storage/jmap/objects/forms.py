"""Separate a normal form from what a server adds to it: JMAP's own properties, and blobs in the places of data (pure).

A photo or an attachment that the server keeps as a blob is named in a normal form by `urn:jmapsync:blob:<id>`, in the property that
would hold its `data:` URI: `uri` of a Media (RFC 9553, 2.6.4), `href` of a Link (RFC 8984, 1.4.11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.align import likely_keys, with_keys
from jmapsync.formats.canonical import canonical
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.patch import apply, diff
from jmapsync.formats.pointer import at, escape, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jmapsync.formats.objects import Object, Patch

BLOB = "urn:jmapsync:blob:"
ASIDE = "urn:jmapsync:sha-256:"
"""How the ledger names data that it keeps aside (formats.setaside): it must never leave this machine."""
_OWN = frozenset(
    {
        "id",
        "addressBookIds",
        "addressbookId",
        "calendarIds",
        "baseEventId",
        "isDraft",
        "isOrigin",
        "utcStart",
        "utcEnd",
        "mayInviteSelf",
        "mayInviteOthers",
        "hideAttendees",
        "useDefaultAlerts",
        "blobId",
        "debugBlobId",
    }
)
"""Properties that are JMAP's own and never part of a file (RFC 9610, 3; draft-ietf-jmap-calendars, 5)."""
_DEFAULT = "useDefaultAlerts"
_HOLDERS = ("media", "links", "participants", "locations")
"""Where entries with blobs are, directly or in the `links` of an entry."""
_OF_TASKS = frozenset({"due", "progress", "percentComplete", "estimatedDuration"})


def normal(item: Object) -> Object:
    """Return an object without what is JMAP's own; a blob of it is named by its id until somebody needs it.

    Alerts that are not in force, because the event has those of its calendar (RFC 8984, 4.5.1), are left out. Those of the calendar
    are not its own: written into a file they would come back as such.
    """
    found = {
        name: value
        for name, value in item.items()
        if value is not None and name not in _OWN and not name.startswith(("x-", "jmapsync:"))  # Cyrus: x-href
    }
    is_default = item.get("useDefaultAlerts") is True
    if is_default:
        found.pop("alerts", None)
    if isinstance(overrides := found.get("recurrenceOverrides"), dict):
        found["recurrenceOverrides"] = {moment: _in_force(patch, is_default=is_default) for moment, patch in overrides.items()}
    place = "uri" if found.get("@type") == "Card" or "media" in found else "href"
    return _with_names(found, place)


def _in_force(patch: Any, *, is_default: bool) -> Any:  # noqa: ANN401 # any JSON value
    """Return the patch of an override without alerts that are not in force, and without what says so."""
    if not isinstance(patch, dict):
        return patch
    is_default = patch.get(_DEFAULT, is_default) is True
    return {path: value for path, value in patch.items() if path != _DEFAULT and not (is_default and _is_of_alerts(path))}


def _is_of_alerts(path: str) -> bool:
    return split(path)[0] == "alerts"


def _with_names(item: Object, place: str) -> Object:
    for name in _HOLDERS:
        entries = item.get(name)
        if isinstance(entries, dict):
            item[name] = {key: _named(entry, place) for key, entry in entries.items()}
    return item


def _named(entry: Any, place: str) -> Any:  # noqa: ANN401 # any JSON value
    if not isinstance(entry, dict):
        return entry
    blob_id = entry.get("blobId")
    if not isinstance(blob_id, str):
        return _with_names(dict(entry), place) if isinstance(entry.get("links"), dict) else entry
    rest = {name: value for name, value in entry.items() if name != "blobId" and value is not None}
    return {**rest, place: BLOB + blob_id}


def with_blob_ids(value: Any, place: str, blobs: Mapping[str, str]) -> Any:  # noqa: ANN401 # any JSON value
    """Return a value as the server takes it: a `blobId` wherever `place` names a blob, or data in `blobs`, ids by URI."""
    if isinstance(value, list):
        return [with_blob_ids(part, place, blobs) for part in value]
    if not isinstance(value, dict):
        return value
    result = {name: with_blob_ids(part, place, blobs) for name, part in value.items()}
    blob_id = _blob_id(value.get(place), blobs)
    if blob_id is not None:
        del result[place]
        result["blobId"] = blob_id
    return result


def patch_with_blob_ids(patch: Patch, given: Object, place: str, blobs: Mapping[str, str]) -> Patch:
    """Return a patch as the server takes it, where an entry of its object `given` has its bytes as a blob or as a URI, not both."""
    result: Patch = {}
    for path, value in patch.items():
        *above, last = split(path)
        parent = "/".join(map(escape, above))
        held = at(given, parent) if above else None
        blob_id = _blob_id(value, blobs) if last == place and above else None
        if blob_id is not None:
            result |= {f"{parent}/blobId": blob_id, path: None}
        elif last == place and isinstance(held, dict) and isinstance(held.get("blobId"), str):
            result |= {f"{parent}/blobId": None, path: value}
        else:
            result[path] = with_blob_ids(value, place, blobs)
    return result


def _blob_id(value: Any, blobs: Mapping[str, str]) -> str | None:  # noqa: ANN401 # any JSON value
    if not isinstance(value, str):
        return None
    return value.removeprefix(BLOB) if value.startswith(BLOB) else blobs.get(value)


def with_own_alerts(body: Patch, given: Object) -> Patch:
    """Return a patch of an event that has the alerts of its calendar so that the alerts that it sets are in force.

    Those of an occurrence are in the patch of an override, which is sent whole.
    """
    before = given.get("recurrenceOverrides")
    known: Object = before if isinstance(before, dict) else {}
    is_default = given.get(_DEFAULT) is True
    found: Patch = {}
    for path, value in body.items():
        match split(path):
            case ("recurrenceOverrides", moment):
                found[path] = _with_own(value, known.get(moment), is_default=is_default)
            case ("recurrenceOverrides",) if isinstance(value, dict):
                found[path] = {at: _with_own(one, known.get(at), is_default=is_default) for at, one in value.items()}
            case _:
                found[path] = value
    return found | ({_DEFAULT: False} if is_default and any(map(_is_of_alerts, body)) else {})


def _with_own(patch: Any, known: Any, *, is_default: bool) -> Any:  # noqa: ANN401 # any JSON value
    """Return the patch of an override so that the alerts that it sets are in force; else the ones of the `known` one stay so."""
    if not isinstance(patch, dict) or patch.get("excluded") is True:
        return patch
    said = known.get(_DEFAULT) if isinstance(known, dict) else None
    if any(map(_is_of_alerts, patch)):
        return {**patch, _DEFAULT: False} if is_default or said is True else patch
    return patch if said is None else {**patch, _DEFAULT: said}


def fitted_patch(patch: Patch, held: Object, now: Object) -> Patch:
    """Return a patch made for `held` under the keys of `now`, which means the same."""
    aside, _ = set_aside(now)
    if not held or canonical(held) == canonical(aside):
        return patch
    return rekeyed_patch(patch, held, aside)


def rekeyed_patch(patch: Patch, held: Object, now: Object) -> Patch:
    """Return a patch of `held` as a patch under the keys of `now`: a file has none, so an object read from one has others."""
    keys = likely_keys(held, now)
    return diff(with_keys(held, now, keys), with_keys(apply(held, patch), now, keys))


def type_of(item: Object) -> str:
    """Return the `@type` of an object in a calendar; one that a server left without (Stalwart) is known by its properties."""
    given = item.get("@type")
    if isinstance(given, str):
        return given
    return "Task" if any(item.get(name) is not None for name in _OF_TASKS) else "Event"


def strings(value: Any) -> Iterator[str]:  # noqa: ANN401 # any JSON value
    """Yield every text inside a JSON value, names of properties too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
