"""Decide which writes of events the server may mail to their participants, where the user allows it at all.

draft-ietf-jmap-calendars, 5.3: with `sendSchedulingMessages` a server sends what a write implies: invitations, updates and
cancellations of an organizer, replies of a guest. Without it nobody is mailed, and that is what every other write asks for.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jmapsync.formats.ical.fields import span
from jmapsync.storage.jmap.objects.others_events import PER_USER
from jmapsync.storage.jmap.objects.people import is_user, people_of

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

_UNANSWERED = frozenset({None, "", "needs-action"})
_PRIVATE = PER_USER | {"created", "updated", "sequence", "prodId", "privacy"}
_SLACK = timedelta(days=1)
"""No zone is further from UTC than 14 hours."""


def concerns_others(before: Object | None, after: Object | None, mine: frozenset[str], now: datetime) -> bool:
    """Return whether participants are to hear of an event that changes from one normal form to another; None is no event.

    `mine` are the calendar addresses of the user. What is over concerns nobody, nor does what only its user sees of an event.
    """
    event = after if after is not None else before
    if event is None or is_over(event, now) or not (_others(before, mine) or _others(after, mine)):
        return False
    if is_organizer(event, mine):
        return after is None or before is None or _differ(before, after)
    return _answers(before, mine) != _answers(after, mine) if after is not None else bool(_answers(before, mine))


def is_organizer(event: Object, mine: frozenset[str]) -> bool:
    """Return whether an event is the user's own to organize; one that names no organizer is."""
    organizer = event.get("organizerCalendarAddress")
    if organizer is None:
        owners = [one for one in _participants(event) if isinstance(one.get("roles"), dict) and one["roles"].get("owner") is True]
        return not owners or any(is_user(one.get("calendarAddress"), mine) for one in owners)
    return is_user(organizer, mine)


def is_over(event: Object, now: datetime) -> bool:
    """Return whether the last occurrence of an event is over; False where that is not known."""
    rule = event.get("recurrenceRule")
    last = event.get("start")
    if isinstance(rule, dict):
        last = rule.get("until")  # a rule with a count may go on for long: nothing is computed here
    moments = [last, *(event.get("recurrenceOverrides") or {})]
    if not all(isinstance(one, str) for one in moments):
        return False
    _, days, seconds = span(event.get("duration") or "PT0S") or (1, 0, 0)
    try:
        latest = max(datetime.fromisoformat(one[:19]) for one in moments)
        return latest + timedelta(days=days, seconds=seconds) + _SLACK < now.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return False


def _participants(event: Object | None) -> list[Object]:
    return [one for people in people_of(event).values() for one in people.values()]


def _others(event: Object | None, mine: frozenset[str]) -> bool:
    organizer = (event or {}).get("organizerCalendarAddress")
    is_theirs = organizer is not None and not is_user(organizer, mine)
    return is_theirs or not all(is_user(one.get("calendarAddress"), mine) for one in _participants(event))


def _differ(before: Object, after: Object) -> bool:
    return any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - _PRIVATE)


def _answers(event: Object | None, mine: frozenset[str]) -> dict[str, object]:
    """Return what the user answered, for the event and for each occurrence with another answer."""
    found: dict[str, object] = {}
    whole: object = None
    for moment, people in people_of(event).items():
        given = [one.get("participationStatus") for one in people.values() if is_user(one.get("calendarAddress"), mine)]
        status = next((one for one in given if one not in _UNANSWERED), None)
        whole = status if not moment else whole
        if status != (whole if moment else None):
            found[moment] = status
    return found
