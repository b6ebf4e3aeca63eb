"""A server and the mirror of its contacts, calendars and tasks in one thread, whose runs can be made to die."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from jmapsync.app.account import Sides
from jmapsync.demo import CYRUS_312, RFC, STALWART, DemoServer
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.demo.freedoms import NONE
from jmapsync.errors import ExitCode
from jmapsync.formats import jscalendar1
from jmapsync.formats.codec import FileCodec, cards, schedules
from jmapsync.formats.ical import write_calendar
from jmapsync.formats.names import CollectionPatterns
from jmapsync.kinds import CALENDARS, CONTACTS, TASKS
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.jmap.objects import ObjectSide, dialect_for
from jmapsync.storage.port import ObjectPair
from jmapsync.storage.vdir import metadata
from jmapsync.storage.vdir.side import VdirSide
from jmapsync.storage.vdir.tree import name_of
from tests.sim.account_world import AccountWorld
from tests.sim.world import account_of

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import Dialect, Store
    from jmapsync.demo.account import Account
    from jmapsync.demo.freedoms import Freedoms
    from jmapsync.formats.objects import Object
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Session
    from jmapsync.kinds import Kind
    from jmapsync.sync.report import AccountReport, KindReport
    from tests.sim.fate import Fate

KINDS: dict[str, tuple[Kind, FileCodec]] = {
    "contacts": (CONTACTS, cards("3.0")),
    "calendars": (CALENDARS, schedules("Event")),
    "tasks": (TASKS, schedules("Task")),
}
WORD = re.compile(r"w[0-9]+w")
"""A text value that a user wrote; no two are the same."""
WRITES = ("CalendarEvent/set", "CalendarEvent/copy")
"""What may make a server mail the participants of events."""
MOST_RUNS = 8
"""Runs after which a world must be silent."""

Shown = tuple[str, str, str, tuple[str, ...]]
"""One item in one collection: the kind, its uid, the collection's name, its words."""


@dataclass(frozen=True)
class Flavour:
    """A server, and what it offers."""

    name: str
    dialect: Dialect
    kinds: tuple[str, ...] = tuple(KINDS)
    files: bool = False
    """Whether it gives events as files."""


RFC_WORLD = Flavour("rfc", RFC)
FLAVOURS = (
    RFC_WORLD,
    Flavour("stalwart", STALWART),
    Flavour("cyrus312", CYRUS_312, ("calendars",)),
    Flavour("cyrus312-files", CYRUS_312, ("calendars",), files=True),
)


class ObjectWorld(AccountWorld):
    """One account on an embedded server and one mirror of its contacts, calendars and tasks."""

    def __init__(
        self,
        base: Path,
        flavour: Flavour = RFC_WORLD,
        server: DemoServer | None = None,
        *,
        freedoms: Freedoms = NONE,
        holder: str = "own",
    ) -> None:
        """Make a world with a server of its own, or with one that other worlds have too; `holder` is as in `World`."""
        super().__init__(base, server or DemoServer(dialect=flavour.dialect, freedoms=freedoms))
        self.flavour = flavour
        self.account = account_of(self.server, holder, partial(_add_twins, flavour=flavour))
        self.account_id = "" if self.account is self.server.account else self.account.id
        if flavour.files:
            self.account.calendars.render = _file_of_cyrus
        elif flavour.dialect.event_rules == "cyrus":
            self.server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        self.patterns = CollectionPatterns()
        """Which collections are mirrored, of every kind."""
        self.mails = False
        """Whether the server may mail the participants of events."""

    # runs

    def all_sides(self, client: Client, session: Session, fate: Fate | None) -> list[Sides]:
        return [self._sides(kind, client, session, fate) for kind in self.flavour.kinds]

    def _sides(self, name: str, client: Client, session: Session, fate: Fate | None) -> Sides:
        kind, codec = KINDS[name]
        theirs = session.account_for(kind.capabilities[0], self.account_id)
        local = VdirSide(self.base / name, name, codec, clock=_much_later, token=self.token, patterns=self.patterns)
        remote = ObjectSide(client, theirs, dialect_for(name, session, theirs), codec, frozenset() if self.mails else None)
        if fate is None:
            return Sides(kind, theirs.id, ObjectPair(local, remote, codec), self.patterns)
        return Sides(kind, theirs.id, ObjectPair(fate.wrap(local), fate.wrap(remote), codec), self.patterns)

    def sync(self, fate: Fate | None = None, *, allow_deletes: bool = False, full: bool = False) -> AccountReport:
        """Run once. Raises DiedError."""
        return self.run(fate, allow_deletes=allow_deletes, full=full)

    def sync_until_quiet(self, *, allow_deletes: bool = False) -> None:
        """Run until a run writes nothing; fail if that takes too long or anything is quarantined.

        What waits for a person, such as a directory that could not be removed while a file lay in it, is tried once more.
        """
        reports = []
        for number in range(MOST_RUNS):
            report = self.sync(allow_deletes=allow_deletes, full=allow_deletes and number == 1)
            reports.append(report)
            if not report.changed and all(_is_well(one) for one in report.kinds.values()):
                return
        raise AssertionError("not at rest: " + "\n".join(str(one) for run in reports[-2:] for one in run.kinds.items()))

    # pictures

    def files(self, kind: str) -> list[Path]:
        """Return the files of a kind that are to be mirrored, by their collections and names."""
        return sorted((self.base / kind).glob(f"[!.]*/[!.]*{KINDS[kind][1].suffix}"))

    @staticmethod
    def uid(kind: str, file: Path) -> str:
        """Return the uid of the item that a file holds."""
        return str(KINDS[kind][1].read(file.read_bytes())["uid"])

    def store(self, kind: str) -> Store:
        return self.account.contacts if kind == "contacts" else self.account.calendars

    def items(self, kind: str) -> list[Object]:
        """Return the items of a kind on the server, by uid."""
        found = (one for one in self.store(kind).items.values() if (one["@type"] == "Task") == (kind == "tasks"))
        return sorted(found, key=lambda one: str(one["uid"]))

    def on_disk(self) -> list[Shown]:
        return sorted(
            (kind, str(KINDS[kind][1].read(file.read_bytes())["uid"]), self.name_of(file.parent), words_in(file.read_bytes()))
            for kind in self.flavour.kinds
            for file in self.files(kind)
        )

    def on_server(self) -> list[Shown]:
        found = []
        for kind in self.flavour.kinds:
            store = self.store(kind)
            for item in self.items(kind):
                words = words_in(json.dumps(item).encode())
                found += [(kind, item["uid"], store.collections[home]["name"], words) for home in item[store.model.homes]]
        return sorted(found)

    def collections_on_disk(self, kind: str) -> list[str]:
        return sorted(self.name_of(one) for one in (self.base / kind).iterdir() if one.is_dir() and one.name[0] != ".")

    @staticmethod
    def name_of(folder: Path) -> str:
        """Return what people call a collection on the disk."""
        return metadata.read_name(folder) or name_of(folder.name)

    def leftovers(self) -> list[str]:
        """Return hidden files that only a run under way may have."""
        hidden = (file for kind in self.flavour.kinds for file in (self.base / kind).rglob("*") if file.name[0] == ".")
        return sorted(str(file) for file in hidden if file.name != MARKER)

    def assert_same(self) -> None:
        """Fail unless both sides hold the same items with the same words in the same collections, each uid once."""
        here, there = self.on_disk(), self.on_server()
        assert here == there
        for kind in self.flavour.kinds:
            assert self.collections_on_disk(kind) == sorted(one["name"] for one in self.store(kind).collections.values()), kind
        spots = Counter((kind, uid, home) for kind, uid, home, _ in here)
        uids = Counter(item["uid"] for kind in self.flavour.kinds for item in self.items(kind))
        assert not [one for one, count in (spots + uids).items() if count > 1]

    def assert_at_rest(self) -> None:
        """Fail unless both sides hold the same, nothing is left over, and a further run asks once and writes nothing."""
        self.assert_same()
        report = self.sync()
        assert (report.changed, self.requests) == ([], 1)
        assert self.leftovers() == []
        self.assert_asked_about_mail()

    def assert_asked_about_mail(self) -> None:
        """Fail unless every request that changes events said whether participants may be mailed, and none was against the wish."""
        calls = [call for call in self.server.requests.calls() if call.name in WRITES]
        said = [(call.name, call.arguments.get("sendSchedulingMessages")) for call in calls]
        assert [one for one in said if one[1] not in ({True, False} if self.mails else {False})] == []
        assert self.mails or self.account.calendars.sent == []


def _add_twins(account: Account, flavour: Flavour) -> None:
    """Give an account items of the same uids as this world's own first ones."""
    for number in (1, 2):
        if "contacts" in flavour.kinds:
            account.contacts.add({"uid": f"u{number}", "name": {"full": "another"}})
        if "calendars" in flavour.kinds:
            event = {
                "@type": "Event",
                "uid": f"u{number}",
                "title": "another",
                "start": "2026-12-07T10:00:00",
                "timeZone": "Etc/UTC",
            }
            account.calendars.add(event)


def words_in(content: bytes) -> tuple[str, ...]:
    """Return the words that a file or an object holds, each once."""
    return tuple(sorted(set(WORD.findall(content.decode(errors="replace").replace("\r\n ", "")))))


def _much_later() -> float:
    """Return a time at which every file rests that was just written: nobody writes while a run goes on."""
    return time.time() + 3600


def _is_well(report: KindReport) -> bool:
    """Return whether a kind was synchronised with nothing quarantined; a conflict that was resolved does not count."""
    return (report.state.value, report.problems) == ("synced", []) and report.exit_code is not ExitCode.SUSPENDED


def _file_of_cyrus(events: list[Object]) -> bytes:
    """Return the file that a server holds of JSCalendar 1.0 events of one uid."""
    own = {"id", "calendarIds", "isDraft", "isOrigin", "blobId"}
    kept = [{name: value for name, value in event.items() if name not in own and value is not None} for event in events]
    return write_calendar([jscalendar1.from_v1(event) for event in kept])
