"""Whoever edits one line of a file changes one property of the object on the server, and nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from khal.khalendar.event import Event
from khard.address_book import VdirAddressBook
from khard.contacts import Contact
from todoman.model import Database

from jmapsync.formats.codec import cards, schedules
from jmapsync.formats.objects import encode
from tests.formats.ical.test_zones import EUROPE, OLD_US, US, file, fixed, zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.formats.codec import FileCodec

Item = dict[str, Any]
LOCALE: Item = {"default_timezone": ZoneInfo("Europe/Berlin"), "local_timezone": ZoneInfo("Europe/Berlin")}
CARD: Item = {"@type": "Card", "version": "1.0", "uid": "u", "name": {"full": "Ann"}}
EVENT: Item = {"@type": "Event", "version": "2.0", "uid": "u", "start": "2026-01-05T10:00:00", "duration": "PT1H"}


def edited(codec: FileCodec, item: Item, *edits: tuple[str, str]) -> Item:
    """Return the patch of an edit: each pair is a line of the file, or its beginning, and what is put in its place."""
    server = json.loads(encode(item))
    file = codec.write(server)
    base = json.loads(encode(codec.align(codec.read(file), server)))
    text = file.decode().replace("\r\n ", "")
    for old, new in edits:
        assert f"\r\n{old}" in text
        text = text.replace(f"\r\n{old}", f"\r\n{new}" if new else "", 1)
    return codec.patch(base, codec.align(codec.read(text.encode()), base))


PLACES: Item = {
    "a": {"@type": "Location", "name": "Room", "locationTypes": {"office": True}},
    "b": {"@type": "Location", "name": "Hall", "locationTypes": {"hotel": True}},
}


@pytest.mark.parametrize("main", [{}, {"mainLocationId": "a"}])
@pytest.mark.parametrize("places", [PLACES, {"a": PLACES["a"]}])
def test_an_edited_copy_of_a_location_renames_the_location(main: Item, places: Item) -> None:
    item = {**EVENT, "locations": places, **main}
    assert edited(schedules("Event"), item, ("LOCATION;DERIVED=TRUE:Room", "LOCATION;DERIVED=TRUE:Cellar")) == {
        "locations/a/name": "Cellar"
    }


def test_the_class_of_a_series_is_that_of_its_overrides() -> None:
    later = {"2026-01-06T10:00:00": {"title": "Moved"}}
    series = {**EVENT, "recurrenceRule": {"frequency": "daily"}, "privacy": "private", "recurrenceOverrides": later}
    for kept in ({}, {"iCalendar": {"@type": "ICalComponent", "name": "vevent", "properties": [["x-a", {}, "unknown", "b"]]}}):
        for new, privacy in (("CLASS:CONFIDENTIAL", "secret"), ("", "public")):
            patch = edited(schedules("Event"), {**series, **kept}, ("CLASS:PRIVATE", new))
            assert patch.pop("privacy") in (privacy, None)
            assert not [path for path in patch if path.startswith("recurrenceOverrides")]


def test_the_rest_of_a_removed_link_is_no_line_of_its_own() -> None:
    links = {"l1": {"@type": "Link", "href": "https://a.example", "display": {"badge": True}, "rel": "enclosure"}}
    patch = edited(schedules("Event"), {**EVENT, "links": links}, ("ATTACH;JSID=l1:https://a.example", ""))
    assert patch == {"links": None}


def test_the_rest_of_a_removed_title_is_no_line_of_its_own() -> None:
    titles = {"t": {"name": "Head", "organizationId": "gone"}, "u": {"name": "Tail"}}
    patch = edited(cards("4.0"), {**CARD, "titles": titles}, ("TITLE;PROP-ID=t:Head", ""))
    assert patch == {"titles/t": None}


def test_what_is_removed_by_hand_from_a_card_without_a_time_stamp_is_removed() -> None:
    address = {"components": [{"kind": "locality", "value": "Town"}], "full": "Town", "timeZone": "Europe/Berlin"}
    patch = edited(cards("3.0"), {**CARD, "addresses": {"a": address}}, ("LABEL:Town", ""), ("TZ:Europe/Berlin", ""))
    assert patch == {"addresses/a/full": None, "addresses/a/timeZone": None}


def test_a_participant_of_another_kind_is_the_same_one() -> None:
    item = {**EVENT, "participants": {"p": {"@type": "Participant", "calendarAddress": "mailto:a@b.example", "kind": "individual"}}}
    line = "ATTENDEE;CUTYPE=INDIVIDUAL;JSID=p:mailto:a@b.example"
    for new in (line.replace("INDIVIDUAL", "RESOURCE"), "ATTENDEE;CUTYPE=RESOURCE:mailto:a@b.example"):
        assert edited(schedules("Event"), item, (line, new)) == {"participants/p/kind": "resource"}


def test_a_uri_that_becomes_a_malformed_data_uri_is_sent() -> None:
    item = {**CARD, "links": {"l": {"uri": "data:broken"}}}
    assert edited(cards("4.0"), item, ("URL;PROP-ID=l:data:broken", "URL;PROP-ID=l:data:fixed")) == {"links/l/uri": "data:fixed"}


def test_a_task_without_times_keeps_that_it_is_shown_without_time() -> None:
    codec = schedules("Task")
    item = {"@type": "Task", "version": "2.0", "uid": "u", "title": "x", "showWithoutTime": True}
    assert codec.read(codec.write(item))["showWithoutTime"] is True


ADDRESSES: Item = {
    "k1": {
        "components": [{"kind": "name", "value": "Main St"}, {"kind": "locality", "value": "Zurich"}],
        "full": "Main St\nZurich",
        "timeZone": "Europe/Zurich",
    },
    "k2": {"components": [{"kind": "name", "value": "Back St"}, {"kind": "locality", "value": "Aarau"}]},
    "k3": {"components": [{"kind": "locality", "value": "Bern"}], "contexts": {"billing": True}},
}
RICH: Item = {
    **CARD,
    "nicknames": {"n": {"name": "Annie"}},
    "organizations": {"o": {"name": "Acme", "units": [{"name": "Sales"}]}, "p": {"units": [{"name": "Club"}]}},
    "phones": {
        "p1": {"number": "+1 555"},
        "p2": {"number": "+1 556", "features": {"main-number": True}, "contexts": {"work": True}},
    },
    "addresses": ADDRESSES,
    "onlineServices": {
        "s": {"uri": "xmpp:a@b.example", "vCardName": "impp", "service": "Jabber", "user": "a", "label": "Talk", "pref": 1},
        "t": {"uri": "sip:a@b.example", "vCardName": "impp", "contexts": {"work": True}},
    },
}


@pytest.mark.parametrize(
    "item", [RICH, {**CARD, "name": {}, "organizations": {"o": {"name": "Acme"}}, "nicknames": RICH["nicknames"]}]
)
def test_a_nickname_edited_in_khard_is_all_that_changes(item: Item, tmp_path: Path) -> None:
    codec = cards("3.0")
    server = json.loads(encode(item))
    written = codec.write(server)
    base = json.loads(encode(codec.align(codec.read(written), server)))
    path = tmp_path / "a.vcf"
    path.write_bytes(written)
    contact = Contact.from_file(VdirAddressBook("a", str(tmp_path)), str(path))
    text = re.sub(r"(?m)^(Nickname\s*:).*$", r"\1 Nan", contact.to_yaml())
    rewritten = Contact.clone_with_yaml_update(contact, text).vcard.serialize().encode()
    assert codec.patch(base, codec.align(codec.read(rewritten), base)) == {"nicknames/n/name": "Nan"}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Sydney"])
@pytest.mark.parametrize("start", ["2015-03-10T09:00:00", "2026-07-01T09:00:00"])
@pytest.mark.parametrize(
    "rule",
    [None, {"frequency": "weekly"}, {"frequency": "daily", "count": 400}, {"frequency": "monthly", "until": "2035-01-01T00:00:00"}],
)
def test_a_title_edited_in_khal_is_all_that_changes(zone: str, start: str, rule: Item | None) -> None:
    """It lists the changes of the time zone around the first day only, each at the local time after the change."""
    codec = schedules("Event")
    series = {"recurrenceRule": rule} if rule else {}
    server = json.loads(encode({**EVENT, "title": "Old", "timeZone": zone, "start": start, **series}))
    written = codec.write(server)
    base = json.loads(encode(codec.align(codec.read(written), server)))
    event = Event.fromString(written.decode(), calendar="a", locale=LOCALE)
    event.update_summary("New")
    event.increment_sequence()
    patch = codec.patch(base, codec.align(codec.read(event.raw.encode()), base))
    assert {name: value for name, value in patch.items() if name != "sequence"} == {"title": "New"}


@pytest.mark.parametrize("rule", [[], ["RRULE:FREQ=WEEKLY;COUNT=150"], ["RRULE:FREQ=WEEKLY"]])
@pytest.mark.parametrize(
    "zones",
    [
        zone("khal-1", "-0500", "-0400", US),
        zone("khal-2", "-0500", "-0400", OLD_US),
        zone("Morocco Standard Time", "+0000", "+0100", EUROPE),
        fixed("khal-3", "+001730"),
    ],
    ids=["an IANA zone", "no IANA zone", "a name that khal knows otherwise", "seconds"],
)
def test_a_title_edited_in_khal_leaves_the_time_zone_of_the_file(zones: list[str], rule: list[str]) -> None:
    codec, tzid = schedules("Event"), zones[1].removeprefix("TZID:")
    data = file(f"DTSTART;TZID={tzid}:20260308T093000", "DURATION:PT45M", "SUMMARY:Old", *rule, zones=zones)
    base = codec.read(data)
    event = Event.fromString(data.decode(), calendar="a", locale=LOCALE)
    event.update_summary("New")
    event.increment_sequence()
    edited_file = event.raw.encode()
    assert edited_file.count(b"RRULE") < data.count(b"RRULE") or zones[1] == "TZID:khal-3"
    patch = codec.patch(base, codec.align(codec.read(edited_file), base))
    assert {name: value for name, value in patch.items() if name != "sequence"} == {"title": "New"}


TASK: Item = {
    "@type": "Task",
    "version": "2.0",
    "uid": "u",
    "title": "Old",
    "locale": "de",
    "sequence": 1,
    "start": "2026-06-01T09:00:00",
    "due": "2026-06-01T10:00:00",
    "timeZone": "Europe/Berlin",
    "recurrenceRule": {"frequency": "daily", "count": 9},
    "recurrenceOverrides": {"2026-06-03T09:00:00": {"title": "Other"}, "2026-06-04T09:00:00": {"excluded": True}},
    "description": "<p>Some <b>text</b></p>",
    "descriptionContentType": "text/html",
    "locations": {"a": PLACES["a"]},
}


@pytest.mark.parametrize("item", [TASK, {**TASK, "recurrenceOverrides": {}, "keywords": {"a,b": True, "c": True}}])
def test_a_priority_set_in_todoman_is_all_that_changes(item: Item, tmp_path: Path) -> None:
    codec = schedules("Task")
    server = json.loads(encode(item))
    written = codec.write(server)
    base = json.loads(encode(codec.align(codec.read(written), server)))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "u.ics").write_bytes(written)
    database = Database([tmp_path / "a"], tmp_path / "cache.sqlite3")
    [todo] = [found for found in database.todos(status="ANY") if found.summary == "Old"]
    todo.priority = 7
    database.save(todo)
    patch = codec.patch(base, codec.align(codec.read((tmp_path / "a" / "u.ics").read_bytes()), base))
    assert {name: value for name, value in patch.items() if name != "sequence"} == {"priority": 7}


@pytest.mark.parametrize(
    ("more", "edit", "patch"),
    [
        ({"title": "Old", "locale": "de"}, lambda event: event.update_summary("New"), {"title": "New"}),
        ({"duration": "PT24H"}, lambda event: event.update_summary("New"), {"title": "New"}),
        (
            {"description": "<b>Old</b>", "descriptionContentType": "text/html"},
            lambda event: event.update_description("New"),
            {"description": "New", "descriptionContentType": None},
        ),
    ],
    ids=["a language", "a duration", "a styled description"],
)
def test_what_khal_writes_anew_is_all_that_changes(more: Item, edit: Callable[[Event], None], patch: Item) -> None:
    codec = schedules("Event")
    server = json.loads(encode({**EVENT, **more}))
    written = codec.write(server)
    base = json.loads(encode(codec.align(codec.read(written), server)))
    event = Event.fromString(written.decode(), calendar="a", locale=LOCALE)
    edit(event)
    event.increment_sequence()
    found = codec.patch(base, codec.align(codec.read(event.raw.encode()), base))
    assert {name: value for name, value in found.items() if name != "sequence"} == patch
