"""Parts of an object that a server left out are restored at their entries, whatever others edit in between."""

from __future__ import annotations

import copy
import itertools
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.formats.align import align, keys_between, with_keys
from jmapsync.formats.codec import schedules
from jmapsync.formats.grouped import fold, unfold
from jmapsync.formats.putback import left_out, put_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Entry = dict[str, Any]
SEEDS = range(15)


def word(text: str) -> str:
    """Return the part of a made-up value that identifies its owner."""
    return f"of-{text}-"


def phone(name: str) -> Entry:
    return {"number": f"+{name}", "label": word(name), "features": {word(name): True}, "pref": 1}


def address(name: str) -> Entry:
    return {
        "components": [{"kind": "name", "value": name}, {"kind": "locality", "value": "Town"}],
        "coordinates": f"geo:{word(name)}",
        "timeZone": word(name),
    }


def anniversary(name: str) -> Entry:
    number = int(name.lstrip("v"))
    return {"kind": "other", "date": {"month": number % 12 + 1, "day": number // 12 + 1}, "place": {"full": word(name)}}


def organization(name: str) -> Entry:
    return {"name": name, "units": [{"name": word(name)}], "sortAs": word(name)}


CARDS: dict[str, Callable[[str], Entry]] = {
    "phones": phone,
    "emails": lambda name: {"address": f"{name}@example.com", "label": word(name), "contexts": {word(name): True}},
    "links": lambda name: {"uri": f"https://{name}.example", "label": word(name), "mediaType": word(name)},
    "addresses": address,
    "anniversaries": anniversary,
    "organizations": organization,
    "notes": lambda name: {"note": name, "author": {"name": word(name)}},
    "onlineServices": lambda name: {"user": name, "service": word(name)},
    "personalInfo": lambda name: {"kind": "hobby", "value": name, "level": word(name)},
    "media": lambda name: {"kind": "photo", "uri": f"https://{name}.example/p", "label": word(name)},
}
EVENTS: dict[str, Callable[[str], Entry]] = {
    "locations": lambda name: {"name": name, "coordinates": word(name), "locationTypes": {word(name): True}},
    "virtualLocations": lambda name: {"uri": f"https://{name}.example", "name": word(name)},
    "links": lambda name: {"href": f"https://{name}.example", "title": word(name), "rel": "icon"},
    "participants": lambda name: {
        "calendarAddress": f"mailto:{name}@example.com",
        "name": word(name),
        "links": {"L1": {"href": f"https://{name}.example/me", "title": word(name)}},
    },
    "alerts": lambda name: {
        "trigger": {"@type": "OffsetTrigger", "offset": f"-PT{name.lstrip('v')}M"},
        "iCalendar": {"properties": [["x-sound", {}, "unknown", word(name)]]},
    },
}
VALUES = frozenset(
    {
        "number",
        "address",
        "uri",
        "components",
        "date",
        "name",
        "note",
        "user",
        "value",
        "href",
        "trigger",
        "calendarAddress",
        "kind",
    }
)
"""What makes an entry the one that it is; the double keeps all of it."""


class Server:
    """A server that numbers entries by their place and keeps only a part of what it is given."""

    def __init__(self, chance: random.Random, kinds: dict[str, Callable[[str], Entry]]) -> None:
        self.chance = chance
        self.kinds = kinds
        self.names = (f"v{number}" for number in itertools.count(1))
        self.dropped = {
            (kind, name): chance.random() < 0.7 for kind, make in kinds.items() for name in make("v1") if name not in VALUES
        }

    def whole(self) -> dict[str, Any]:
        made = {}
        for kind, make in self.kinds.items():
            names = [next(self.names) for _ in range(self.chance.randint(2, 6))]
            made[kind] = {f"{kind}{name}": make(name) for name in names}
        return made

    def kept(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return what of an object the server keeps, its keys by place."""
        found = dict(item)
        for kind in self.kinds.keys() & item.keys():
            entries = [
                {name: value for name, value in entry.items() if not self.dropped.get((kind, name))}
                for entry in item[kind].values()
            ]
            lost = self.dropped.get((kind, "label")) and self.chance.random() < 0.3
            found[kind] = numbered(kind, entries[1:] if lost else entries)
        return found

    def changed(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return an object after somebody else reordered, removed, edited and added entries."""
        found = dict(item)
        for kind in self.kinds.keys() & item.keys():
            entries = list(copy.deepcopy(item[kind]).values())
            self.chance.shuffle(entries)
            for _ in range(self.chance.randint(0, 2)):
                if entries:
                    entries.pop(self.chance.randrange(len(entries)))
            if entries and self.chance.random() < 0.5:
                fresh = self.kinds[kind](next(self.names))
                entries[0] |= {name: fresh[name] for name in VALUES & fresh.keys() & entries[0].keys()}
                for name in [name for name, value in entries[0].items() if "of-" in json.dumps(value) and name not in VALUES]:
                    del entries[0][name]
            if self.chance.random() < 0.5:
                made = self.kinds[kind](next(self.names))
                entries.insert(0, {name: made[name] for name in VALUES & made.keys()})
            found[kind] = numbered(kind, entries)
        return found


def numbered(kind: str, entries: list[Entry]) -> dict[str, Entry]:
    return {f"{kind.upper()}-{number}": entry for number, entry in enumerate(entries, 1)}


def name_of(kind: str, entry: Entry, kinds: dict[str, Callable[[str], Entry]]) -> str:
    """Return the made-up name of an entry by its value."""
    for number in range(1, 400):
        made = kinds[kind](f"v{number}")
        if all(entry.get(name) == made[name] for name in VALUES & made.keys() if "of-" not in str(made[name])):
            return f"v{number}"
    raise AssertionError(entry)


def owners(value: Any) -> Iterator[str]:  # noqa: ANN401 # any JSON value
    for part in json.dumps(value).split("of-")[1:]:
        yield part.partition("-")[0]


def assert_at_their_entries(result: dict[str, Any], kinds: dict[str, Callable[[str], Entry]]) -> None:
    """Fail where an entry has a part of another one."""
    for kind in kinds:
        for entry in result.get(kind, {}).values():
            name = name_of(kind, entry, kinds)
            assert set(owners(entry)) <= {name}, (kind, entry)


@pytest.mark.parametrize("kinds", [CARDS, EVENTS], ids=["card", "event"])
@pytest.mark.parametrize("seed", SEEDS)
def test_each_part_is_at_its_entry_or_gone(seed: int, kinds: dict[str, Callable[[str], Entry]]) -> None:
    server = Server(random.Random(seed), kinds)
    base = {"@type": "Card"} if kinds is CARDS else {"@type": "Event", "start": "2026-01-01T10:00:00"}
    wanted = {**base, **server.whole()}
    held = server.kept(wanted)
    lost = left_out(align(wanted, held), held)
    assert_same_entries(put_back(held, held, lost), wanted, kinds)
    now = held
    for _ in range(3):
        now = server.changed(now)
        result = put_back(now, held, lost)
        assert_at_their_entries(result, kinds)
        there = {kind: {name_of(kind, entry, kinds) for entry in now.get(kind, {}).values()} for kind in kinds}
        for kind in kinds:
            for entry in now.get(kind, {}).values():
                name = name_of(kind, entry, kinds)
                twins = [one for one in result[kind].values() if name_of(kind, one, kinds) == name]
                assert len(twins) == 1, "an entry is doubled"
                original = [one for one in wanted[kind].values() if name_of(kind, one, kinds) == name]
                if original:
                    assert twins[0] == original[0], "a part is missing at an entry that is still there"
            assert there[kind] <= {name_of(kind, entry, kinds) for entry in result[kind].values()}


def assert_same_entries(result: dict[str, Any], wanted: dict[str, Any], kinds: dict[str, Callable[[str], Entry]]) -> None:
    for kind in kinds:
        assert sorted(map(json.dumps, (dict(sorted(one.items())) for one in result[kind].values()))) == sorted(
            map(json.dumps, (dict(sorted(one.items())) for one in wanted[kind].values()))
        )


def test_a_label_line_follows_its_entry_into_another_group() -> None:
    """Cyrus renames the groups of the lines that it writes anew."""
    street = [{"kind": "name", "value": "Street 1"}]
    wanted = {
        "@type": "Card",
        "addresses": {
            "ADDR-1": {"components": street, "vCardParams": {"group": "item1"}},
            "ADDR-2": {"components": [{"kind": "name", "value": "Street 2"}], "vCardParams": {"group": "item2"}},
        },
        "vCardProps": [
            ["x-ablabel", {"group": "item1"}, "unknown", "House"],
            ["x-plain", {}, "unknown", "kept"],
            ["x-note", {"group": "item2"}, "unknown", "of street 2"],
            ["x-abdate", {"group": "item9"}, "unknown", "2015-01-02"],
            ["x-ablabel", {"group": "item9"}, "unknown", "First met"],
        ],
    }
    held = {
        "@type": "Card",
        "addresses": {
            "ADDR-1": {"components": street, "vCardParams": {"group": "adr0"}},
            "ADDR-2": {"components": [{"kind": "name", "value": "Street 2"}]},
        },
        "vCardProps": [["x-ablabel", {"group": "adr0"}, "unknown", "House"]],
    }
    lost = left_out(wanted, held)
    now = {
        "@type": "Card",
        "addresses": {
            "ADDR-1": {"components": [{"kind": "name", "value": "Street 3"}], "vCardParams": {"group": "item9"}},
            "ADDR-2": {"components": [{"kind": "name", "value": "Street 2"}]},
            "ADDR-3": {"components": street, "vCardParams": {"group": "other"}},
        },
        "vCardProps": [["x-ablabel", {"group": "other"}, "unknown", "House"]],
    }
    result = put_back(now, held, lost)
    groups = {key: entry.get("vCardParams", {}).get("group") for key, entry in result["addresses"].items()}
    lines = {(name, params.get("group"), value) for name, params, _, value in result["vCardProps"]}
    dates = next(group for name, group, _ in lines if name == "x-abdate")
    assert groups["ADDR-1"] == "item9"
    assert lines == {
        ("x-ablabel", groups["ADDR-3"], "House"),
        ("x-note", groups["ADDR-2"], "of street 2"),
        ("x-plain", None, "kept"),
        ("x-abdate", dates, "2015-01-02"),
        ("x-ablabel", dates, "First met"),
    }
    assert len({*groups.values(), dates}) == 4
    gone = put_back({"@type": "Card", "addresses": {"ADDR-1": now["addresses"]["ADDR-1"]}}, held, lost)  # type: ignore[index]
    assert "of street 2" not in json.dumps(gone)
    assert unfold(fold(wanted), wanted) == {**wanted, "vCardProps": unfold(fold(wanted), wanted)["vCardProps"]}


def test_a_date_does_not_get_the_year_of_another() -> None:
    held = {
        "@type": "Card",
        "anniversaries": {
            "ANNIVERSARY-1": {"kind": "wedding", "date": {"month": 5, "day": 6}},
            "ANNIVERSARY-2": {"kind": "birth", "date": {"month": 2, "day": 29}},
        },
    }
    wanted = copy.deepcopy(held)
    wanted["anniversaries"]["ANNIVERSARY-1"]["date"]["year"] = 2011  # type: ignore[index]
    now = {"@type": "Card", "anniversaries": {"ANNIVERSARY-1": {"kind": "birth", "date": {"month": 2, "day": 29}}}}
    assert put_back(now, held, left_out(wanted, held)) == now
    edited = {"@type": "Card", "anniversaries": {"ANNIVERSARY-1": {"kind": "wedding", "date": {"month": 7, "day": 6}}}}
    assert put_back(edited, held, left_out(wanted, held)) == edited


def test_an_entry_with_an_id_keeps_its_parts_when_its_value_changes() -> None:
    held = {"@type": "Card", "phones": {"home": {"number": "1"}, "work": {"number": "2"}}}
    wanted = {"@type": "Card", "phones": {"home": {"number": "1", "label": "a"}, "work": {"number": "2", "label": "b"}}}
    now = {"@type": "Card", "phones": {"work": {"number": "1"}, "home": {"number": "3"}}}
    assert put_back(now, held, left_out(wanted, held))["phones"] == {
        "work": {"number": "1", "label": "b"},
        "home": {"number": "3", "label": "a"},
    }


def test_what_an_occurrence_lost_stays_with_that_occurrence() -> None:
    first, second = "2026-01-05T10:00:00", "2026-01-12T10:00:00"
    base = {
        "@type": "Event",
        "start": "2026-01-05T10:00:00",
        "recurrenceRule": {"frequency": "weekly"},
        "locations": {"k": {"name": "Hall"}},
    }
    wanted = {
        **base,
        "recurrenceOverrides": {
            first: {"title": "One", "color": "red", "locations/k/coordinates": "geo:1,1"},
            second: {"title": "Two", "color": "blue"},
        },
    }
    held = {**base, "recurrenceOverrides": {first: {"title": "One"}, second: {"title": "Two"}}}
    lost = left_out(wanted, held)
    assert put_back(held, held, lost) == wanted
    now = {**held, "title": "All", "recurrenceOverrides": {first: {"title": "Uno"}, "2026-01-19T10:00:00": {"title": "Two"}}}
    assert put_back(now, held, lost)["recurrenceOverrides"] == {
        first: {"title": "Uno", "color": "red", "locations/k/coordinates": "geo:1,1"},
        "2026-01-19T10:00:00": {"title": "Two"},
    }


def test_a_reference_follows_the_entry_that_it_names() -> None:
    before = {
        "@type": "Event",
        "locations": {"a": {"name": "A"}, "b": {"name": "B"}},
        "mainLocationId": "b",
        "recurrenceOverrides": {"2026-01-12T10:00:00": {"locations/b/name": "B2"}},
        "start": "2026-01-05T10:00:00",
    }
    now = {"@type": "Event", "locations": {"1": {"name": "B"}, "2": {"name": "A"}, "b": {"name": "C"}}, "start": before["start"]}
    keys = keys_between({**before, "locations": {"LOC-1": {"name": "A"}, "LOC-2": {"name": "B"}}}, now)
    renamed = with_keys({**before, "locations": {"LOC-1": {"name": "A"}, "LOC-2": {"name": "B!"}, "b": {"name": "D"}}}, now, keys)
    assert renamed["locations"].keys() == {"1", "2", renamed["mainLocationId"]}
    assert renamed["locations"][renamed["mainLocationId"]] == {"name": "D"}
    assert renamed["mainLocationId"] not in now["locations"]
    assert list(renamed["recurrenceOverrides"]["2026-01-12T10:00:00"]) == [f"locations/{renamed['mainLocationId']}/name"]


@pytest.mark.parametrize(
    ("name", "attribute", "between", "now", "expected"),
    [
        ("notes", "note", "\n\n", "one\n\ntwo", ["one", "two"]),
        ("notes", "note", "\n\n", "one\n\ntwo\nthree", ["one\n\ntwo\nthree"]),
        ("notes", "note", "\n\n", "one", ["one"]),
        ("notes", "note", "\n\n", "two\n\none", ["two\n\none"]),
        ("nicknames", "name", ", ", "one, two", ["one", "two"]),
        ("nicknames", "name", ", ", "one, too", ["one, too"]),
    ],
)
def test_texts_that_a_server_joined_are_not_doubled_when_it_says_something_else(
    name: str, attribute: str, between: str, now: str, expected: list[str]
) -> None:
    wanted = {"uid": "a", name: {"X-1": {attribute: "one"}, "X-2": {attribute: "two"}}}
    held = {"uid": "a", name: {"X-1": {attribute: f"one{between}two"}}}
    result = put_back({"uid": "a", name: {"X-1": {attribute: now}}}, held, left_out(wanted, held))
    assert [entry[attribute] for entry in result[name].values()] == expected


def alarm(title: str, *lines: str) -> dict[str, Any]:
    """Return an event with one alarm."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:a", "DTSTART:20261201T100000Z", f"SUMMARY:{title}")
    text = "\r\n".join((*head, "BEGIN:VALARM", "TRIGGER:-PT5M", *lines, "END:VALARM", "END:VEVENT", "END:VCALENDAR", ""))
    return schedules("Event").read(text.encode())


@pytest.mark.parametrize(("name", "action"), [("DESCRIPTION", "DISPLAY"), ("DESCRIPTION", "EMAIL"), ("SUMMARY", "EMAIL")])
@pytest.mark.parametrize(("now", "expected"), [("S", "A"), ("T", "A"), ("A", "A"), ("of another client", "of another client")])
def test_a_line_that_an_alarm_has_once_is_not_doubled_where_the_server_fills_it_with_the_title(
    name: str, action: str, now: str, expected: str
) -> None:
    held = alarm("S", f"ACTION:{action}", f"{name}:S", "UID:u1")
    wanted = align(alarm("S", f"ACTION:{action}", f"{name}:A"), held)
    lost = left_out(wanted, held)
    for _ in range(2):  # what is put back is what is left out next time
        found = alarm("T", f"ACTION:{action}", f"{name}:{now}", "UID:u1")
        wanted = put_back(found, held, lost)
        text = schedules("Event").write(wanted).decode().partition("BEGIN:VALARM")[2]
        assert [line for line in text.split("\r\n") if line.startswith(name)] == [f"{name}:{expected}"]
        held, lost = found, left_out(wanted, found)
