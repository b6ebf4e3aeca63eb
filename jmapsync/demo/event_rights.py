"""Decide whether a user may change an event: rights of calendars, ownership, invitations (draft-ietf-jmap-calendars, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.models import PER_USER
from jmapsync.demo.patch import split_path
from jmapsync.demo.problems import JsonObject, SetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo.account import Account

_ANSWER = frozenset({"participationStatus", "expectReply", "scheduleSequence", "scheduleUpdated"})
_BOOKKEEPING = frozenset({"updated", "isDraft"})
_PARTICIPANT_DEPTH = 3


def check_event_rights(account: Account, before: JsonObject | None, after: JsonObject | None) -> None:
    """Raise SetError `forbidden` unless the user may bring an event from one form to another; None is no event.

    An event that another server is the origin of takes changes of the user's own properties and answers only.
    """
    calendars = account.calendars.collections
    old, new = (set(event["calendarIds"]) if event else set() for event in (before, after))
    moved, kept = old ^ new, old & new
    owned = all(_is_owner(account, event) for event in (before, after) if event)

    def may(homes: set[str], right: str) -> bool:
        return all(calendars[home]["myRights"][right] for home in homes)

    def may_write(homes: set[str]) -> bool:
        return may(homes, "mayWriteAll") or (owned and may(homes, "mayWriteOwn"))

    if not may_write(moved):
        raise SetError("forbidden", "A calendar does not allow events to be put into it or taken out of it.")
    if before is None or after is None:
        return
    is_foreign = not before["isOrigin"]
    if may_write(kept) and not is_foreign:
        return
    for path in _changes(before, after):
        if path[0] in _BOOKKEEPING | {"calendarIds"}:
            continue
        if path[0] in PER_USER and may(kept, "mayUpdatePrivate"):
            continue
        if not (_is_answer(account, before, path) and may(kept, "mayRSVP")):
            raise SetError("forbidden", f"The property {'/'.join(path)} is not the user's to change.")


def _changes(before: JsonObject, after: JsonObject) -> Iterator[tuple[str, ...]]:
    """Yield the paths at which two events differ; inside of an override, those at which its patch changes something."""
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name == "participants":
            yield from ((name, *path) for path in _deep(old or {}, new or {}, _PARTICIPANT_DEPTH - 1))
        elif name == "recurrenceOverrides":
            for moment in {**(old or {}), **(new or {})}:
                patches = [(side or {}).get(moment, {}) for side in (old, new)]
                for path in patches[0].keys() | patches[1].keys():
                    was, now = (_said(event, path, moment) for event in (before, after))
                    if was != now and path == "participants":
                        yield from ((path, *rest) for rest in _deep(was, now, _PARTICIPANT_DEPTH - 1))
                    elif was != now:
                        yield tuple(split_path(path))
                if not any(patches):
                    yield (name,)
        else:
            yield (name,)


def _said(event: JsonObject, path: str, moment: str) -> object:
    """Return what an event says at a path of an occurrence: by its override, else as all of them (RFC 8984, section 4.3.5)."""
    patch = (event.get("recurrenceOverrides") or {}).get(moment, {})
    if path in patch:
        return patch[path]
    if path == "start":
        return moment
    value: object = event
    for name in split_path(path):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _deep(old: object, new: object, depth: int) -> Iterator[tuple[str, ...]]:
    if depth == 0 or not isinstance(old, dict) or not isinstance(new, dict):
        yield ()
        return
    for name in old.keys() | new.keys():
        if old.get(name) != new.get(name):
            yield from ((name, *path) for path in _deep(old.get(name), new.get(name), depth - 1))


def _is_answer(account: Account, event: JsonObject, path: tuple[str, ...]) -> bool:
    """Return whether a path leads to what a participant who is the user answers an invitation with."""
    if len(path) != _PARTICIPANT_DEPTH or path[0] != "participants" or path[2] not in _ANSWER:
        return False
    return _is_user(account, event.get("participants", {}).get(path[1], {}))


def _is_user(account: Account, participant: JsonObject) -> bool:
    address = participant.get("calendarAddress") or (participant.get("sendTo") or {}).get("imip")
    return account.has_calendar_address(address)


def _is_owner(account: Account, event: JsonObject) -> bool:
    """Return whether the user owns an event, or nobody does."""
    owners = [one for one in (event.get("participants") or {}).values() if one.get("roles", {}).get("owner")]
    return not owners or any(_is_user(account, one) for one in owners)
