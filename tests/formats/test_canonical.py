"""The canonical form of cards, events and tasks, and its digest."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.align import align
from jmapsync.formats.canonical import canonical, changes, sense
from jmapsync.formats.patch import apply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.objects import Object

CARD: dict[str, Any] = {
    "@type": "Card",
    "version": "1.0",
    "uid": "urn:uuid:1",
    "name": {"components": [{"kind": "given", "value": "Ann"}, {"kind": "surname", "value": "Lee"}]},
    "emails": {"e1": {"address": "a@x"}, "e2": {"address": "b@x", "contexts": {"work": True}}},
    "organizations": {"o1": {"name": "One"}, "o2": {"name": "Two"}},
    "titles": {"t1": {"name": "Head", "organizationId": "o1"}},
    "anniversaries": {"b": {"kind": "birth", "date": {"month": 5, "day": 9}}},
    "vCardProps": [["x-foo", {}, "unknown", "1"], ["x-bar", {"group": "item1"}, "unknown", "2"]],
    "localizations": {"de": {"titles/t1/name": "Leiter"}},
}
EVENT: dict[str, Any] = {
    "@type": "Event",
    "uid": "e",
    "title": "Talk",
    "start": "2026-01-01T09:00:00",
    "timeZone": "Europe/Rome",
    "duration": "PT1H",
    "recurrenceRule": {"frequency": "weekly", "byDay": [{"day": "mo"}, {"day": "th"}]},
    "recurrenceOverrides": {
        "2026-01-08T09:00:00": {"participants/p1/participationStatus": "declined"},
        "2026-01-15T09:00:00": {"excluded": True},
    },
    "locations": {"l1": {"name": "Here"}, "l2": {"name": "There"}},
    "mainLocationId": "l2",
    "participants": {
        "p1": {"calendarAddress": "mailto:a@x", "roles": {"attendee": True}, "delegatedTo": {"p2": True}},
        "p2": {"calendarAddress": "mailto:b@x", "roles": {"attendee": True}},
    },
    "alerts": {"a1": {"trigger": {"offset": "-PT15M"}}},
    "relatedTo": {"other-uid": {"relation": {"parent": True}}},
}
ITEMS = pytest.mark.parametrize("item", [CARD, EVENT], ids=["card", "event"])


def rekeyed(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with the keys of its maps in capitals, and in the other order."""
    names = {"e1", "e2", "o1", "o2", "t1", "b", "l1", "l2", "p1", "p2", "a1"}

    def new(value: Any) -> Any:  # noqa: ANN401 # any JSON value
        if isinstance(value, dict):
            return {
                "/".join(part.upper() if part in names else part for part in key.split("/")): new(value[key])
                for key in reversed(value)
            }
        if isinstance(value, list):
            return [new(element) for element in value]
        return value.upper() if value in names else value

    return dict(new(item))


@pytest.mark.parametrize(
    ("item", "more"),
    [
        (
            CARD,
            {
                "updated": "2026-01-01T00:00:00Z",
                "created": "x",
                "prodId": "p",
                "kind": "individual",
                "phones": {},
                "keywords": {},
                "language": None,
            },
        ),
        (CARD, {"name": {**CARD["name"], "@type": "Name", "isOrdered": False, "full": ""}}),
        (
            CARD,
            {
                "emails": {
                    "e1": {"@type": "EmailAddress", "address": "a@x", "contexts": {}, "label": ""},
                    "e2": CARD["emails"]["e2"],
                }
            },
        ),
        (CARD, {"titles": {"t1": {"kind": "title", "name": "Head", "organizationId": "o1"}}}),
        (CARD, {"anniversaries": {"b": {"kind": "birth", "date": {"@type": "PartialDate", "month": 5, "day": 9}}}}),
        (CARD, {"vCardProps": [["version", {}, "text", "4.0"], ["x-bar", {}, "unknown", "2"], ["X-FOO", {}, "unknown", "1"]]}),
        (
            EVENT,
            {
                "sequence": 4,
                "priority": 0,
                "status": "confirmed",
                "freeBusyStatus": "busy",
                "privacy": "public",
                "showWithoutTime": False,
            },
        ),
        (
            EVENT,
            {
                "description": "",
                "descriptionContentType": "text/plain",
                "version": "2.0",
                "virtualLocations": {},
                "duration": "PT60M",
            },
        ),
        (
            EVENT,
            {
                "recurrenceRule": {
                    "@type": "RecurrenceRule",
                    "frequency": "weekly",
                    "interval": 1,
                    "skip": "omit",
                    "rscale": "gregorian",
                    "firstDayOfWeek": "mo",
                    "byDay": [{"@type": "NDay", "day": "th"}, {"day": "mo"}],
                }
            },
        ),
        (
            EVENT,
            {
                "alerts": {
                    "a1": {
                        "@type": "Alert",
                        "action": "display",
                        "trigger": {"@type": "OffsetTrigger", "offset": "-PT15M", "relativeTo": "start"},
                    }
                }
            },
        ),
        (
            EVENT,
            {
                "alerts": {
                    "a1": {
                        "trigger": {"offset": "-PT900S"},
                        "iCalendar": {
                            "name": "valarm",
                            "properties": [["description", {}, "text", "Talk"], ["uid", {}, "text", "9"]],
                        },
                    }
                }
            },
        ),
        (
            EVENT,
            {
                "iCalendar": {
                    "name": "vevent",
                    "convertedProperties": {"duration": {"name": "dtend"}},
                    "properties": [["dtstamp", {}, "date-time", "x"]],
                }
            },
        ),
        (
            EVENT,
            {
                "recurrenceOverrides": {
                    "2026-01-08T09:00:00": {
                        "title": "Talk",
                        "updated": "x",
                        "start": "2026-01-08T09:00:00",
                        "participants/p1/participationStatus": "declined",
                    },
                    "2026-01-15T09:00:00": {"excluded": True, "title": "gone"},
                }
            },
        ),
    ],
)
def test_what_goes_without_saying_is_left_out(item: dict[str, Any], more: dict[str, Any]) -> None:
    assert canonical({**item, **more}) == canonical(item)
    assert sense({**item, **more}) == sense(item)


@ITEMS
def test_the_canonical_form_is_its_own(item: dict[str, Any]) -> None:
    kept = copy.deepcopy(item)
    assert canonical(canonical(item)) == canonical(item)
    assert sense(canonical(item)) == sense(item)
    assert item == kept


@ITEMS
def test_keys_mean_nothing_but_what_they_refer_to(item: dict[str, Any]) -> None:
    assert rekeyed(item) != item
    assert sense(rekeyed(item)) == sense(item)


@pytest.mark.parametrize(
    ("item", "change"),
    [
        (CARD, {"uid": "urn:uuid:2"}),
        (CARD, {"kind": "org"}),
        (CARD, {"name": {"components": list(reversed(CARD["name"]["components"]))}}),
        (CARD, {"emails": {"e1": {"address": "a@x", "contexts": {"work": True}}, "e2": {"address": "b@x"}}}),
        (CARD, {"titles": {"t1": {"name": "Head", "organizationId": "o2"}}}),
        (CARD, {"anniversaries": {"b": {"kind": "birth", "date": {"year": 1900, "month": 5, "day": 9}}}}),
        (CARD, {"vCardProps": [["x-foo", {}, "unknown", "3"], ["x-bar", {}, "unknown", "2"]]}),
        (CARD, {"localizations": {"de": {"titles/t1/name": "Chef"}}}),
        (CARD, {"example.com:flag": False}),
        (EVENT, {"timeZone": None}),
        (EVENT, {"mainLocationId": "l1"}),
        (EVENT, {"duration": "PT2H"}),
        (EVENT, {"status": "cancelled"}),
        (EVENT, {"recurrenceRule": {"frequency": "weekly", "byDay": [{"day": "mo"}]}}),
        (EVENT, {"recurrenceOverrides": {"2026-01-15T09:00:00": {"excluded": True}}}),
        (EVENT, {"recurrenceOverrides": {**EVENT["recurrenceOverrides"], "2026-01-16T09:00:00": {}}}),
        (EVENT, {"recurrenceOverrides": {**EVENT["recurrenceOverrides"], "2026-01-08T09:00:00": {"start": "2026-01-08T10:00:00"}}}),
        (EVENT, {"participants": {**EVENT["participants"], "p1": {**EVENT["participants"]["p1"], "delegatedTo": {}}}}),
        (EVENT, {"alerts": {"a1": {"trigger": {"offset": "-PT15M", "relativeTo": "end"}}}}),
        (
            EVENT,
            {
                "alerts": {
                    "a1": {
                        "trigger": {"offset": "-PT15M"},
                        "iCalendar": {"properties": [["description", {}, "text", "Bring the key"]]},
                    }
                }
            },
        ),
        (EVENT, {"relatedTo": {"yet-another": {"relation": {"parent": True}}}}),
    ],
)
def test_what_means_something_else_has_another_sense(item: dict[str, Any], change: dict[str, Any]) -> None:
    assert sense({**item, **change}) != sense(item)
    assert canonical({**item, **change}) != canonical(item)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 # any JSON value
    for name in value if isinstance(value, dict) else range(len(value)):
        if isinstance(value[name], (dict, list)):
            yield from leaves(value[name], (*path, name))
        elif name not in {"@type", "version", "group", "excluded"}:
            yield (*path, name)


@pytest.mark.parametrize(("item", "path"), [(item, path) for item in (CARD, EVENT) for path in leaves(item)])
def test_any_value_changed_changes_the_sense(item: dict[str, Any], path: tuple[Any, ...]) -> None:
    changed = copy.deepcopy(item)
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = not place[path[-1]] if isinstance(place[path[-1]], bool) else f"other {place[path[-1]]}"
    assert sense(changed) != sense(item)


def test_a_photo_means_the_same_in_place_and_set_aside() -> None:
    inline = {"@type": "Card", "media": {"p": {"kind": "photo", "uri": "data:image/png;base64," + "AAAA" * 100}}}
    spelled = {
        "@type": "Card",
        "media": {"q": {"kind": "photo", "mediaType": "image/png", "uri": "data:;base64," + "AAAA%0A" * 100}},
    }
    assert sense(inline) == sense(spelled)


def test_a_patch_that_does_not_fit_stays_as_it_is() -> None:
    odd = {**EVENT, "recurrenceOverrides": {"2026-01-08T09:00:00": {"alerts/none/action": "email"}}}
    assert canonical(odd)["recurrenceOverrides"] == odd["recurrenceOverrides"]
    assert sense(odd) != sense(EVENT)


NAMES = (
    "emails name components alerts iCalendar properties convertedProperties recurrenceRule byDay k @type vCardProps "
    "recurrenceOverrides localizations mainLocationId locations titles"
)


def json(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4),
        max_leaves=20,
    )


SCALARS = st.booleans() | st.integers() | st.text(max_size=3)
KINDS = st.sampled_from(["Card", "Event", "Task", "Other"])


@given(st.dictionaries(st.sampled_from(NAMES.split()), json(st.none() | SCALARS)), KINDS)
def test_whatever_a_server_sends_has_a_sense(value: dict[str, Any], kind: str) -> None:
    item = {**value, "@type": kind}
    assert len(sense(item)) == 44
    assert canonical(item).keys() <= item.keys()
    assert align(item, EVENT).keys() == item.keys()
    assert align(EVENT, item).keys() == EVENT.keys()


@given(st.dictionaries(st.sampled_from(NAMES.split()), json(SCALARS)), KINDS)
def test_the_canonical_form_of_any_object_is_its_own(value: dict[str, Any], kind: str) -> None:
    item = {**value, "@type": kind}
    assert canonical(canonical(item)) == canonical(item)


@pytest.mark.parametrize(
    ("junk", "plain"),
    [
        ({"phones": {"p": {"features": {"mobile": None}}}}, {"phones": {"p": {}}}),
        ({"@type": "Event", "recurrenceOverrides": {"2026-01-02T00:00:00": None}}, {"@type": "Event"}),
        (
            {"@type": "Event", "alerts": {"a": {}}, "recurrenceOverrides": {"2026-01-02T00:00:00": {"@type": "ICalComponent"}}},
            {"@type": "Event", "alerts": {"a": {}}, "recurrenceOverrides": {"2026-01-02T00:00:00": {}}},
        ),
        (
            {"@type": "Event", "iCalendar": {"components": [["x-jmapsync-vcalendar", [["version", {}, "text", "1"]], []]]}},
            {"@type": "Event"},
        ),
    ],
)
def test_missing_and_empty_values_are_equal(junk: Object, plain: Object) -> None:
    assert sense(junk) == sense(plain)


def test_an_alarm_keeps_what_is_empty_but_what_is_kept_of_its_file() -> None:
    alert = {"example.com:x": {}, "iCalendar": {"properties": [["description", {}, "text", "Reminder"]]}}
    assert canonical({"@type": "Event", "alerts": {"a": alert}})["alerts"] == {"a": {"example.com:x": {}}}


def test_an_alarm_that_repeats_the_title_is_sent_with_a_new_title() -> None:
    """A program writes the title into the DESCRIPTION that a VALARM must have; the server's would go on to say the old one."""

    def titled(title: str) -> Object:
        alert = {"trigger": {"offset": "-PT5M"}, "iCalendar": {"properties": [["description", {}, "text", title]]}}
        return {"@type": "Event", "uid": "u", "start": "2026-01-01T10:00:00", "title": title, "alerts": {"a": alert}}

    assert sense(apply(titled("old"), changes(titled("old"), titled("new")))) == sense(titled("new"))


def test_a_patch_of_an_instance_fits_the_event_that_it_is_sent_for() -> None:
    """What goes without saying is not sent with it, so nothing may lie inside of that (RFC 8984, 1.4.9)."""
    before: Object = {"@type": "Event", "uid": "u", "start": "2026-01-01T10:00:00"}
    noted = {"convertedProperties": {"duration": {"name": "dtend"}}}
    instance = {"iCalendar/convertedProperties/recurrenceId": {"name": "recurrence-id", "parameters": {"x": "1"}}}
    after = {**before, "iCalendar": noted, "recurrenceOverrides": {"2026-01-02T10:00:00": instance}}
    patched = apply(before, changes(before, after))
    assert sense(patched) == sense(after)
    for patch in patched["recurrenceOverrides"].values():
        assert apply(patched, patch)
