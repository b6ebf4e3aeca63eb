"""Compare jmapsync with vdirsyncer on contacts and calendars, on one real Cyrus in one run; print medians and ratios.

`python -m tests.bench.objects [--contacts 2000] [--events 2000] [--changes 100] [--rounds 3]`. Needs root, what
tests/live/provision installs, and vdirsyncer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.ours import Jmapsync, precompile
from tests.kit.vdirsyncer import Vdirsyncer
from tests.live.cyrus import Cyrus
from tests.live.jmapraw import CORE, Jmap

if TYPE_CHECKING:
    from tests.bench.measure import Cost

USER, PASSWORD = "alice", "secret"
BATCH = 500
CONTACTS = "https://cyrusimap.org/ns/jmap/contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"
CYRUS_CALENDARS = "https://cyrusimap.org/ns/jmap/calendars"
BLOB = "urn:ietf:params:jmap:blob"
_KINDS = """
[accounts.bench.contacts]
path = "{0}/contacts"

[accounts.bench.calendars]
path = "{0}/calendars"
"""


def contact(number: int) -> dict[str, Any]:
    """Return a contact of common size, as Cyrus takes it."""
    return {
        "firstName": f"Given{number}",
        "lastName": f"Surname{number % 97}",
        "company": f"Company {number % 31}",
        "jobTitle": "Engineer",
        "emails": [{"type": "work", "value": f"given{number}@example.com", "isDefault": True}],
        "phones": [{"type": "mobile", "value": f"+1-555-{number:07}"}],
        "addresses": [
            {
                "type": "home",
                "street": f"{number} Main Street",
                "locality": "Springfield",
                "region": "",
                "postcode": "12345",
                "country": "",
            }
        ],
        "notes": f"Met at conference number {number % 13}.",
    }


def event(number: int) -> dict[str, Any]:
    """Return an event of common size (RFC 8984): every fourth one recurs."""
    rules = [{"@type": "RecurrenceRule", "frequency": "weekly", "count": 10}] if number % 4 == 0 else None
    return {
        "@type": "Event",
        "uid": f"event{number}@example.com",
        "calendarIds": {"Default": True},
        "title": f"Meeting {number}",
        "description": f"Agenda of meeting number {number}.",
        "start": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:30:00",
        "timeZone": "Europe/Berlin",
        "duration": "PT1H",
        "locations": {"1": {"@type": "Location", "name": f"Room {number % 20}"}},
        "alerts": {"1": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT15M"}}},
        **({"recurrenceRules": rules} if rules else {}),
    }


def fill(jmap: Jmap, contacts: int, events: int) -> None:
    """Make so many of each on the server."""
    for kind, make, count in (("Contact", contact, contacts), ("CalendarEvent", event, events)):
        for start in range(0, count, BATCH):
            create = {f"k{number}": make(number) for number in range(start, min(count, start + BATCH))}
            [answer] = jmap.call([(f"{kind}/set", {"create": create})], [CORE, CONTACTS, CALENDARS])
            if answer.get("notCreated"):
                raise RuntimeError(str(answer["notCreated"])[:500])


def floor(server: Cyrus) -> float:
    """Return the seconds that a client takes that asks what ours asks on a first run, and throws the answers away."""
    started = time.monotonic()
    with Jmap(server.jmap_url, USER, PASSWORD) as jmap:
        for kind, using in (("Contact", [CONTACTS]), ("CalendarEvent", [CALENDARS, CYRUS_CALENDARS])):
            [listed] = jmap.call([(f"{kind}/query", {"limit": 4096})], [CORE, *using])
            for start in range(0, len(listed["ids"]), 400):
                get = {"ids": listed["ids"][start : start + 400], "properties": ["id", "uid", "blobId"]}
                blobs = {
                    "#ids": {"resultOf": "0", "name": f"{kind}/get", "path": "/list/*/blobId"},
                    "properties": ["data:asBase64"],
                }
                jmap.call([(f"{kind}/get", get), ("Blob/get", blobs)], [CORE, *using, BLOB])
    return time.monotonic() - started


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=2000)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--changes", type=int, default=100, help="of contacts and of events, made on the server for a delta")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Cyrus.start("3.12") as server, tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        server.create_user(USER, PASSWORD)
        with Jmap(server.jmap_url, USER, PASSWORD) as jmap:
            fill(jmap, options.contacts, options.events)
        _say(f"Cyrus {server.version}: {options.contacts} contacts, {options.events} events, {options.rounds} rounds")
        precompile()
        _compare(server, Path(name), options.rounds, options.changes)


def change(server: Cyrus, number: int, changes: int) -> None:
    """Change so many contacts and so many events on the server."""
    with Jmap(server.jmap_url, USER, PASSWORD) as jmap:
        for kind, name in (("Contact", "notes"), ("CalendarEvent", "description")):
            [listed] = jmap.call([(f"{kind}/query", {"limit": 4096})], [CORE, CONTACTS, CALENDARS])
            update = {ref: {name: f"Changed in round {number}."} for ref in sorted(listed["ids"])[:changes]}
            [answer] = jmap.call([(f"{kind}/set", {"update": update})], [CORE, CONTACTS, CALENDARS])
            if answer.get("notUpdated"):
                raise RuntimeError(str(answer["notUpdated"])[:500])


def _compare(server: Cyrus, directory: Path, rounds: int, changes: int) -> None:
    costs: dict[str, list[Cost]] = {}
    floors: list[float] = []
    requests = idle = delta = 0
    for number in range(rounds):
        place = directory / str(number)
        mirror = Jmapsync(place / "jmapsync", server.jmap_url, USER, PASSWORD)
        mirror.config.write_text(mirror.config.read_text() + _KINDS.format(place / "jmapsync"))
        cost, report = mirror.run()
        floors.append(floor(server))
        requests = report["requests"]
        peer = Vdirsyncer(place / "vdirsyncer", server.jmap_port, USER, PASSWORD)
        mine, theirs = {"ours": cost}, {"theirs": peer.run()}
        mine["our idle"], report = mirror.run()
        idle, theirs["their idle"] = report["requests"], peer.run()
        change(server, number, changes)
        mine["our delta"], report = mirror.run()
        delta, theirs["their delta"] = report["requests"], peer.run()
        for who, one in (mine | theirs).items():
            costs.setdefault(who, []).append(one)
        files = [sum(1 for _ in (place / who).rglob("*.[vi]c[fs]")) for who in ("jmapsync", "vdirsyncer")]
        _say(f"round {number + 1}: {'; '.join(f'{who} {cost[-1]}' for who, cost in costs.items())}; files {files}")
    wall = {who: statistics.median(one.wall for one in some) for who, some in costs.items()}
    _say(f"first run: {wall['ours']:.2f} s in {requests} requests, vdirsyncer {wall['theirs']:.2f} s,")
    _say(
        f"  {wall['theirs'] / wall['ours']:.2f} times as fast; the floor, which asks the same and keeps nothing: {_median(floors)}"
    )
    _say(f"nothing to do: {wall['our idle']:.3f} s in {idle} request(s), mail included, vdirsyncer {wall['their idle']:.3f} s,")
    _say(f"  {wall['their idle'] / wall['our idle']:.2f} times as fast")
    _say(f"{changes} contacts and {changes} events changed: {wall['our delta']:.3f} s in {delta} requests,")
    _say(f"  vdirsyncer {wall['their delta']:.3f} s, {wall['their delta'] / wall['our delta']:.2f} times as fast")
    cpu = {who: statistics.median(one.cpu for one in some) for who, some in costs.items()}
    _say(f"CPU of the clients: {', '.join(f'{who} {seconds:.2f} s' for who, seconds in cpu.items())}")


def _median(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
