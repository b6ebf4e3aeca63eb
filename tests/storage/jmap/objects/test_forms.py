"""Normal forms and what a server adds to them: JMAP's own properties, blobs, keys."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats.align import likely_keys, with_keys
from jmapsync.storage.jmap.objects.forms import (
    fitted_patch,
    normal,
    patch_with_blob_ids,
    strings,
    type_of,
    with_blob_ids,
)


def test_nothing_of_jmap_is_left() -> None:
    """RFC 9610, 3; draft-ietf-jmap-calendars, 5."""
    own: dict[str, Any] = dict.fromkeys(("id", "addressBookIds", "calendarIds", "isOrigin", "utcStart", "blobId", "x-href"), "x")
    assert normal({"@type": "Event", "uid": "u", "title": None, "example.com:mine": 1, **own}) == {
        "@type": "Event",
        "uid": "u",
        "example.com:mine": 1,
    }


def test_a_blob_takes_the_place_of_its_data() -> None:
    card = {"@type": "Card", "media": {"p": {"kind": "photo", "blobId": "B1", "mediaType": "image/png", "uri": None}}}
    assert normal(card)["media"] == {"p": {"kind": "photo", "uri": "urn:jmapsync:blob:B1", "mediaType": "image/png"}}
    event = {"@type": "Event", "links": {"l": {"blobId": "B2"}}, "participants": {"p": {"links": {"m": {"blobId": "B3"}}}}}
    found = normal(event)
    assert found["links"] == {"l": {"href": "urn:jmapsync:blob:B2"}}
    assert found["participants"] == {"p": {"links": {"m": {"href": "urn:jmapsync:blob:B3"}}}}
    assert event["links"] == {"l": {"blobId": "B2"}}


def test_a_new_object_refers_to_what_was_uploaded() -> None:
    card = {"media": {"p": {"uri": "data:a"}, "q": {"uri": "urn:jmapsync:blob:B"}, "r": {"uri": "https://example.com/"}}}
    assert with_blob_ids(card, "uri", {"data:a": "A"}) == {
        "media": {"p": {"blobId": "A"}, "q": {"blobId": "B"}, "r": {"uri": "https://example.com/"}}
    }


@pytest.mark.parametrize(
    ("patch", "sent"),
    [
        ({"media/p/uri": "data:new"}, {"media/p/uri": "data:new", "media/p/blobId": None}),
        ({"media/q/uri": "data:new"}, {"media/q/uri": "data:new"}),
        ({"media/p/uri": "data:large"}, {"media/p/uri": None, "media/p/blobId": "L"}),
        ({"media/p": None}, {"media/p": None}),
        ({"media/n": {"uri": "data:large"}}, {"media/n": {"blobId": "L"}}),
        ({"media": {"p": {"uri": "urn:jmapsync:blob:B"}}}, {"media": {"p": {"blobId": "B"}}}),
        ({"uri": "data:new"}, {"uri": "data:new"}),
    ],
)
def test_an_entry_has_its_bytes_once(patch: dict[str, Any], sent: dict[str, Any]) -> None:
    """RFC 9610, 3: a Media has either a `blobId` or a `uri`."""
    given = {"media": {"p": {"blobId": "B"}, "q": {"uri": "https://example.com/"}}}
    assert patch_with_blob_ids(patch, given, "uri", {"data:large": "L"}) == sent


def test_an_edit_gets_the_keys_of_the_server() -> None:
    """A file has no keys; a patch under ours would add an entry beside the server's."""
    held = {
        "@type": "Event",
        "recurrenceOverrides": {"T": {"participants/a/participationStatus": "tentative", "title": "x"}},
        "participants": {"a": {"calendarAddress": "mailto:a"}, "b": {"calendarAddress": "mailto:b"}},
        "alerts": {"k": {"trigger": {"offset": "-PT5M"}}},
    }
    server = {
        "@type": "Event",
        "alerts": {"1": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}},
        "participants": {"sb": {"calendarAddress": "mailto:b"}, "sa": {"calendarAddress": "mailto:a"}},
    }
    after = {
        **held,
        "participants": {**held["participants"], "new": {"calendarAddress": "mailto:c"}},  # type: ignore[dict-item]
        "alerts": {"k": {"trigger": {"offset": "-PT10M"}}},
    }
    assert with_keys(after, server, likely_keys(held, server)) == {
        "@type": "Event",
        "recurrenceOverrides": {"T": {"participants/sa/participationStatus": "tentative", "title": "x"}},
        "participants": {
            "sa": {"calendarAddress": "mailto:a"},
            "sb": {"calendarAddress": "mailto:b"},
            "new": {"calendarAddress": "mailto:c"},
        },
        "alerts": {"1": {"trigger": {"offset": "-PT10M"}}},
    }


@pytest.mark.parametrize(
    ("item", "type_"),
    [
        ({"@type": "Task"}, "Task"),
        ({"@type": "Group"}, "Group"),
        ({"start": "2026-01-01T00:00:00"}, "Event"),
        ({"due": "2026-01-01T00:00:00", "start": None}, "Task"),
        ({"percentComplete": 0}, "Task"),
        ({"progress": None}, "Event"),
    ],
)
def test_an_object_without_a_type_is_known_by_what_it_has(item: dict[str, Any], type_: str) -> None:
    assert type_of(item) == type_


def test_every_text_is_found() -> None:
    assert sorted(strings({"a": ["b", {"c": "d"}], "e": 1, "f": None})) == ["a", "b", "c", "d", "e", "f"]


def test_a_patch_fits_an_object_that_got_other_keys() -> None:
    held = {"@type": "Card", "emails": {"a": {"address": "ada@example.com"}, "b": {"address": "b@example.com"}}}
    now = {"@type": "Card", "emails": {"1": {"address": "b@example.com"}, "2": {"address": "ada@example.com"}}}
    patch = {"emails/a/address": "countess@example.com", "emails/b": None, "title": "x"}
    assert fitted_patch(patch, held, held) == patch
    assert fitted_patch(patch, held, now) == {"emails/2/address": "countess@example.com", "emails/1": None, "title": "x"}
