"""Drive the mirror of one account's contacts, calendars and tasks in a test: folders, a state folder, and `sync`."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jmapsync.app.account import AccountRun, Sides
from jmapsync.formats.codec import FileCodec, cards, schedules
from jmapsync.formats.names import CollectionPatterns
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.kinds import CALENDARS, CONTACTS, TASKS
from jmapsync.ledger import AccountLock, ConflictCopy, Ledger
from jmapsync.planner.guard import Limits
from jmapsync.storage.jmap.objects import ObjectSide, dialect_for
from jmapsync.storage.port import ObjectPair
from jmapsync.storage.vdir.side import VdirSide
from jmapsync.sync.options import Options
from jmapsync.sync.report import AccountReport, KindReport, Silent
from tests.kit.mirror import said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from jmapsync.kinds import Kind

KINDS: dict[str, tuple[Kind, FileCodec]] = {
    "contacts": (CONTACTS, cards("3.0")),
    "calendars": (CALENDARS, schedules("Event")),
    "tasks": (TASKS, schedules("Task")),
}


@dataclass
class ObjectMirror:
    """The folders of an account under test; `sync` runs what `jmapsync sync` runs."""

    url: str
    base: Path
    kinds: tuple[str, ...] = tuple(KINDS)
    limits: Limits = field(default_factory=lambda: Limits(25, 20))
    transport: httpx.AsyncBaseTransport | None = None
    wrap: Callable[[Any], Any] = lambda part: part
    """Given the ledger and both sides of a run; what it returns is used instead."""
    session: bytes | None = None
    max_wait: float = 5.0
    requests: int = 0
    patterns: CollectionPatterns = field(default_factory=CollectionPatterns)
    """Which collections are mirrored, of every kind."""

    def sync(self, *, allow_deletes: bool = False, full: bool = False) -> dict[str, KindReport]:
        """Run once, whatever comes of it, and return the report of each kind."""
        return asyncio.run(self._run(Options(allow_deletes=allow_deletes, full=full))).kinds

    def sync_until_quiet(self, *, echo: int = 3) -> None:
        """Run until nothing is written; fail if anything is quarantined, or written after what was written came back.

        The run after a write asks again for what the server made of it: once for each kind of the data type that changed;
        `echo` is how many requests it may take.
        """
        self.assert_well(self.sync())
        for most in (echo, 1):
            again = self.sync()
            self.assert_well(again)
            assert writes(again) == 0
            assert self.requests <= most

    @staticmethod
    def assert_well(reports: dict[str, KindReport]) -> None:
        """Fail unless every kind was synchronised without a word, but for rights that the server changed."""
        for kind, report in reports.items():
            assert (report.state.value, report.problems, said(report), report.conflicts) == ("synced", [], [], 0), kind

    async def _run(self, options: Options) -> AccountReport:
        state = self.base / "state"
        state.mkdir(exist_ok=True)
        with AccountLock(state / "lock", "test"):
            kept = Session.from_json(self.session) if self.session else None
            plain = Ledger.open(state / "ledger.sqlite")
            ledger = self.wrap(plain)
            client = Client(
                self.url, BasicCredential("demo", "demo"), session=kept, max_wait=self.max_wait, transport=self.transport
            )
            async with client:
                try:
                    session = await client.session()
                    run = AccountRun("test", state, ledger, self.limits, options, Silent())
                    await run.run([self._sides(kind, client, session) for kind in self.kinds], client.together)
                    self.session = (await client.session()).to_json()
                    return run.report
                finally:
                    self.session = None if client.session_changed else self.session
                    self.requests = client.requests
                    plain.close()

    def _sides(self, name: str, client: Client, session: Session) -> Sides:
        kind, codec = KINDS[name]
        account = session.account_for(kind.capabilities[0])
        remote = ObjectSide(client, account, dialect_for(name, session, account), codec)
        local = VdirSide(self.base / name, name, codec, patterns=self.patterns)
        return Sides(kind, account.id, ObjectPair(self.wrap(local), self.wrap(remote), codec), self.patterns)

    def files(self, kind: str) -> list[Path]:
        """Return the files of a kind."""
        return sorted((self.base / kind).glob(f"[!.]*/[!.]*{KINDS[kind][1].suffix}"))

    def file(self, kind: str, uid: str) -> Path:
        """Return the one file of an item."""
        [found] = [file for file in self.files(kind) if f"UID:{uid}\r\n" in file.read_bytes().decode()]
        return found

    def conflict_copies(self) -> list[tuple[ConflictCopy, bytes]]:
        """Return the conflict copies, with their bytes."""
        return conflict_copies_in(self.base / "state")


def conflict_copies_in(state: Path) -> list[tuple[ConflictCopy, bytes]]:
    """Return the conflict copies of an account's state, with their bytes."""
    ledger = Ledger.open_readonly(state / "ledger.sqlite")
    assert ledger is not None
    with closing(ledger):
        return [(one, (state / "shelf" / str(one.id)).read_bytes()) for one in ledger.conflict_copies()]


def writes(reports: dict[str, KindReport]) -> int:
    """Return how much was written on either side."""
    return sum(one.to_disk.total + one.to_server.total + one.folders.total for one in reports.values())


def change(file: Path, old: str, new: str) -> None:
    """Edit a file as a person does."""
    content = file.read_bytes()
    assert old.encode() in content, content.decode()
    file.write_bytes(content.replace(old.encode(), new.encode(), 1))
