"""Events of others take one's own answer and properties that each user has for himself (draft-ietf-jmap-calendars, 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.storage.jmap.objects.others_events import beyond_rights
from jmapsync.storage.port import Refused
from tests.kit.object_side_driver import ObjectSideDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE = frozenset({"mailto:me@example.com"})
HELD: dict[str, Any] = {
    "@type": "Event",
    "title": "Meeting",
    "participants": {
        "me": {"calendarAddress": "mailto:me@example.com", "participationStatus": "needs-action", "name": "Me"},
        "boss": {"calendarAddress": "mailto:boss@example.com", "participationStatus": "accepted"},
    },
    "alerts": {"a": {"trigger": {"offset": "-PT5M"}}},
    "recurrenceOverrides": {"2026-12-08T10:00:00": {"title": "Moved"}, "2026-12-15T10:00:00": {"excluded": True}},
}
AT = "recurrenceOverrides/2026-12-08T10:00:00"


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"keywords": {"x": True}},
        {"color": "red", "freeBusyStatus": "free"},
        {"alerts/a/trigger/offset": "-PT10M"},
        {"alerts": None},
        {"participants/me/participationStatus": "accepted"},
        {"participants/me/expectReply": True},
        {"participants/me": {**HELD["participants"]["me"], "participationStatus": "declined"}},
        {AT: {"title": "Moved", "participants/me/participationStatus": "declined"}},
        {AT: {"title": "Moved", "alerts": None}},
        {"updated": "2026-01-01T00:00:00Z"},
    ],
)
def test_what_is_ones_own(patch: dict[str, Any]) -> None:
    assert beyond_rights(patch, HELD, MINE) == []


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"title": "Mine"}, "title"),
        ({"participants/boss/participationStatus": "declined"}, "participants boss participation status"),
        ({"participants/me/name": "I"}, "participants me name"),
        ({"participants/boss": None}, "participants boss"),
        ({"participants": None}, "participants"),
        ({"participants/new": {"calendarAddress": "mailto:me@example.com"}}, "participants new"),
        ({AT: {"title": "Mine"}}, "title"),
        ({AT: None}, "title"),
        ({"recurrenceOverrides/2026-12-15T10:00:00": None}, "excluded"),
        ({"recurrenceOverrides/2026-12-22T10:00:00": {}}, "recurrence overrides"),
        ({"recurrenceOverrides": None}, "title"),
    ],
)
def test_what_is_not(patch: dict[str, Any], words: str) -> None:
    assert words in beyond_rights(patch, HELD, MINE)


def test_nobody_is_me_where_the_server_does_not_report() -> None:
    assert beyond_rights({"participants/me/participationStatus": "accepted"}, HELD, frozenset())


@pytest.fixture(params=["rfc", "cyrus312"])
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        if request.param == "cyrus312":
            server.faults.hidden_capabilities.arm({"https://cyrusimap.org/ns/jmap/calendars"})
        yield server


def test_the_answer_is_sent_without_a_message_and_the_rest_refused(server: DemoServer) -> None:
    store = server.account.calendars
    me, boss = server.account.calendar_addresses[0], "mailto:boss@example.com"
    v1 = server.service.dialect.calendars == "1.0"

    def person(address: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 # JSON
        return {"@type": "Participant", **({"sendTo": {"imip": address}} if v1 else {"calendarAddress": address}), **more}

    ref = store.add(
        {
            "uid": "m",
            "title": "Meeting",
            "start": "2026-12-01T10:00:00",
            "participants": {"me": person(me, roles={"attendee": True}), "boss": person(boss, roles={"owner": True})},
            **({"replyTo": {"imip": boss}} if v1 else {"organizerCalendarAddress": boss}),
        }
    )
    assert store.items[ref]["isOrigin"] is False
    with ObjectSideDriver(server.url, "calendars") as room:
        room.observe()
        (receipt,) = room.write(room.to_patch(ref, {"title": "Mine"}))
        assert (type(receipt), "title" in receipt.why) == (Refused, True)
        room.done(room.to_patch(ref, {"participants/me/participationStatus": "accepted"}))
    assert (store.items[ref]["title"], store.items[ref]["participants"]["me"]["participationStatus"]) == ("Meeting", "accepted")
    assert store.sent == []
