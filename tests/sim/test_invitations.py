"""Events with participants at random: every write says whether the server may mail them, and none does so unasked."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.sim.object_chance import Somebody
from tests.sim.objects import FLAVOURS, Flavour, ObjectWorld
from tests.sim.test_random_objects import ACTS
from tests.sim.world import scratch

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(int(os.environ.get("JMAPSYNC_SEEDS", "200")) if NIGHT else 1)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
OF_EVENTS = [Flavour(one.name, one.dialect, ("calendars",), files=one.files) for one in FLAVOURS]
ME, BOB = "mailto:demo@example.com", "mailto:bob@example.com"


class Host(Somebody):
    """Somebody all of whose events have a guest."""

    def _content(self, kind: str, uid: str) -> bytes:
        people = f"ORGANIZER:{ME}\r\nATTENDEE;PARTSTAT=ACCEPTED:{ME}\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:{BOB}\r\n"
        rule = "RRULE:FREQ=WEEKLY;COUNT=3\r\n" if self._chance.random() < 0.5 else ""
        when = "20371224T180000Z" if self._chance.random() < 0.8 else "20201224T180000Z"
        text = super()._content(kind, uid).decode().replace("20261224T180000Z", when)
        return text.replace("END:VEVENT", f"{rule}{people}END:VEVENT").encode()

    def _fresh(self, kind: str, uid: str) -> Object:
        people = {
            "me": {"@type": "Participant", "roles": {"owner": True}},
            "bob": {"@type": "Participant", "roles": {"attendee": True}},
        }
        is_old = self.world.flavour.dialect.calendars == "1.0"
        for key, address in (("me", ME), ("bob", BOB)):
            people[key] |= {"sendTo": {"imip": address}} if is_old else {"calendarAddress": address}
        organizer = {"replyTo": {"imip": ME}} if is_old else {"organizerCalendarAddress": ME}
        return {**super()._fresh(kind, uid), "start": "2037-12-07T10:00:00", "participants": people, **organizer}


@pytest.mark.parametrize("mails", [False, True])
@pytest.mark.parametrize("flavour", OF_EVENTS, ids=lambda flavour: flavour.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_write_says_whether_participants_may_be_mailed(seed: int, flavour: Flavour, *, mails: bool) -> None:
    chance = random.Random(f"invitations {seed + FIRST}")
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        host = Host(world, seed + FIRST)
        host.populate(3)
        world.sync_until_quiet()
        world.mails = mails
        for _ in range(3):
            for _ in range(ACTS // 2):
                host.act()
            world.die(chance.randint(1, 120))
        host.bring_to_rest()
        assert world.server.requests.count("CalendarEvent/set")
        assert bool(world.account.calendars.sent) is mails
