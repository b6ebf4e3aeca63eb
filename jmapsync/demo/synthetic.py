"""Fill accounts with many contacts and events that follow from their numbers; photos cost no memory until they are read."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.demo.sample_objects import in_version

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject

_GIVEN = ("Ada", "Barbara", "Charles", "Dorothy", "Edsger", "Frances", "Grace", "Hedy", "Ivan", "Jean", "Kateryna", "Léon")
_SURNAMES = ("Lovelace", "Liskov", "Babbage", "Vaughan", "Dijkstra", "Allen", "Hopper", "Lamarr", "Sutherland", "Bartik")
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", None)
_JPEG = b"\xff\xd8\xff\xe0"
_ONE_IN = 5  # events that recur


@dataclass(frozen=True, slots=True)
class SyntheticPhoto:
    """A photo in name only: octets that begin like a JPEG file and follow from the seed."""

    seed: int
    size: int
    """In octets, at least four."""

    def render(self) -> bytes:
        """Return the photo's bytes, the same ones at every call."""
        return _JPEG + random.Random(self.seed).randbytes(self.size - len(_JPEG))  # noqa: S311 - nothing here is secret


def populate_contacts(account: Account, count: int, *, photo_size: int = 0) -> None:
    """Add `count` cards to the default address book, each with a photo of so many octets unless that is 0."""
    store = account.contacts
    home = store.collection("")["id"]
    with account.transaction():
        for seed in range(count):
            card = _make_card(seed)
            if photo_size:
                blob_id = f"P{seed}"
                account.blobs[blob_id] = SyntheticPhoto(seed, photo_size)
                card["media"] = {"photo": {"kind": "photo", "blobId": blob_id, "mediaType": "image/jpeg"}}
            store.create({**store.filled(card), "addressBookIds": {home: True}})


def populate_calendars(account: Account, count: int) -> None:
    """Add `count` events to the default calendar, every fifth of them recurring with an override."""
    store = account.calendars
    home = store.collection("")["id"]
    with account.transaction():
        for seed in range(count):
            event = in_version(_make_event(seed), account.dialect.calendars)
            store.create({**store.filled(event), "calendarIds": {home: True}})


def _make_card(seed: int) -> JsonObject:
    given, surname = _GIVEN[seed % len(_GIVEN)], f"{_SURNAMES[seed // len(_GIVEN) % len(_SURNAMES)]} {seed}"
    return {
        "uid": f"urn:uuid:00000000-0000-4000-8000-{seed:012x}",
        "name": {
            "components": [{"kind": "given", "value": given}, {"kind": "surname", "value": surname}],
            "full": f"{given} {surname}",
        },
        "emails": {"e1": {"address": f"{given.lower()}.{seed}@example.org", "contexts": {"work": True}}},
        "phones": {"p1": {"number": f"+44 20 {seed:08d}", "features": {"voice": True}}},
        "organizations": {"o1": {"name": f"Works {seed % 97}"}},
    }


def _make_event(seed: int) -> JsonObject:
    start = f"2026-{seed % 12 + 1:02d}-{seed % 28 + 1:02d}T{seed % 24:02d}:00:00"
    event: JsonObject = {"uid": f"event-{seed}@example.org", "title": f"Meeting {seed}", "start": start, "duration": "PT1H"}
    event |= {"timeZone": _ZONES[seed % len(_ZONES)], "locations": {"l1": {"@type": "Location", "name": f"Room {seed % 40}"}}}
    if seed % _ONE_IN == 0:
        event["recurrenceRule"] = {"@type": "RecurrenceRule", "frequency": "weekly", "count": 10}
        event["recurrenceOverrides"] = {start: {"title": f"First meeting {seed}"}}
    return event
