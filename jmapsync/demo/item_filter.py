"""Compile the filters and sort orders of `ContactCard/query` and `CalendarEvent/query`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.models import CONTACT_MODEL, Model
from jmapsync.demo.problems import JsonObject, MethodError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.demo.dialect import Dialect


def _contains(value: object, text: str) -> bool:
    """Return whether all words of a text stand somewhere in a value, whatever their case."""
    whole = "\n".join(_strings(value)).casefold()
    return all(word in whole for word in text.casefold().split())


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


_TIMES: dict[str, Callable[[JsonObject, str], bool]] = {
    "createdBefore": lambda item, value: item.get("created", "") < value,
    "createdAfter": lambda item, value: item.get("created", "") >= value,
    "updatedBefore": lambda item, value: item.get("updated", "") < value,
    "updatedAfter": lambda item, value: item.get("updated", "") >= value,
    "uid": lambda item, value: bool(item["uid"] == value),
    "text": _contains,
}
_CARD_TESTS: dict[str, Callable[[JsonObject, str], bool]] = {
    **_TIMES,
    "inAddressBook": lambda item, value: value in item["addressBookIds"],
    "hasMember": lambda item, value: value in item.get("members", {}),
    "kind": lambda item, value: item.get("kind", "individual") == value,
    "name": lambda item, value: _contains(item.get("name"), value),
    "nickname": lambda item, value: _contains(item.get("nicknames"), value),
    "organization": lambda item, value: _contains(item.get("organizations"), value),
    "email": lambda item, value: _contains(item.get("emails"), value),
    "phone": lambda item, value: _contains(item.get("phones"), value),
    "onlineService": lambda item, value: _contains(item.get("onlineServices"), value),
    "address": lambda item, value: _contains(item.get("addresses"), value),
    "note": lambda item, value: _contains(item.get("notes"), value),
}
_EVENT_TESTS: dict[str, Callable[[JsonObject, str], bool]] = {
    **_TIMES,
    "inCalendar": lambda item, value: value in item["calendarIds"],
    "title": lambda item, value: _contains(item.get("title"), value),
    "description": lambda item, value: _contains(item.get("description"), value),
    "location": lambda item, value: _contains(item.get("locations"), value),
    "owner": lambda item, value: _contains(item.get("participants"), value),
    "attendee": lambda item, value: _contains(item.get("participants"), value),
}
_SORTS = frozenset({"id", "uid", "created", "updated", "start", "recurrenceId"})
_NAME_SORTS = frozenset({"name/given", "name/surname", "name/surname2"})


def compile_filter(model: Model, dialect: Dialect, condition: JsonObject) -> Callable[[JsonObject], bool]:
    """Return the test a filter stands for; raise MethodError for one that is not offered, as those by occurrence are not."""
    if (operator := condition.get("operator")) is not None:
        parts = [compile_filter(model, dialect, part) for part in condition.get("conditions", [])]
        choices: dict[str, Callable[[JsonObject], bool]] = {
            "AND": lambda item: all(part(item) for part in parts),
            "OR": lambda item: any(part(item) for part in parts),
            "NOT": lambda item: not any(part(item) for part in parts),
        }
        if operator not in choices:
            raise MethodError("invalidArguments", "An operator is AND, OR or NOT.")
        return choices[operator]
    tests = _CARD_TESTS if model is CONTACT_MODEL else _EVENT_TESTS
    if dialect.event_rules == "cyrus" and "inCalendars" in condition:
        homes = set(condition["inCalendars"])
        rest = compile_filter(model, dialect, {name: value for name, value in condition.items() if name != "inCalendars"})
        return lambda item: not homes.isdisjoint(item["calendarIds"]) and rest(item)
    if dialect.event_rules == "cyrus" and condition.keys() & {"after", "before"}:
        rest = compile_filter(model, dialect, {name: value for name, value in condition.items() if name not in ("after", "before")})
        after, before = str(condition.get("after", "")), str(condition.get("before", "9"))
        return lambda item: _within(item, after, before) and rest(item)
    unknown = condition.keys() - tests.keys() | ({"inCalendar"} & condition.keys() if dialect.event_rules == "cyrus" else set())
    if unknown:
        raise MethodError(dialect.unknown_filter, f"There is no filter by {min(unknown)!r}.")
    if not all(isinstance(value, str) for value in condition.values()):
        raise MethodError("invalidArguments", "A filter's value is of the wrong type.")
    return lambda item: all(tests[name](item, value) for name, value in condition.items())


def _within(item: JsonObject, after: str, before: str) -> bool:
    """Return whether an event is in a span of time, by its start, and as if it had no recurrences."""
    return after <= str(item.get("start", "")) < before


def sort_key(model: Model, comparator: JsonObject) -> Callable[[JsonObject], str]:
    """Return the key that a comparator sorts by; raise MethodError for one that is not offered."""
    name = str(comparator.get("property"))
    if model is CONTACT_MODEL and name in _NAME_SORTS:
        kind = name.partition("/")[2]
        return lambda item: _name_part(item, kind)
    if name not in _SORTS:
        raise MethodError("unsupportedSort")
    return lambda item: str(item.get(name, ""))


def _name_part(card: JsonObject, kind: str) -> str:
    components = card.get("name", {}).get("components", [])
    return next((str(one.get("value", "")) for one in components if one.get("kind") == kind), "")
