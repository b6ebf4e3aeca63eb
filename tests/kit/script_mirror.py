"""Drive the mirror of one account's Sieve scripts in a test: a folder, a state folder, and `sync`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jmapsync.app.account import AccountRun, Sides
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.kinds import SIEVE
from jmapsync.ledger import AccountLock, ConflictCopy, Ledger
from jmapsync.planner.guard import Limits
from jmapsync.storage.jmap.scripts.side import ScriptSide
from jmapsync.storage.port import MailPair
from jmapsync.storage.sieve.side import ScriptFiles
from jmapsync.sync.options import Options
from jmapsync.sync.report import KindReport, Silent
from tests.kit.object_mirror import conflict_copies_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

KEEP = "keep;\n"
STOP = "stop;\n"
BROKEN = 'require "fileinto";\nfileinto "x"\nkeep;\n'


@dataclass
class ScriptMirror:
    """The folder of an account under test; `sync` runs what `jmapsync sync` runs."""

    url: str
    base: Path
    limits: Limits = field(default_factory=lambda: Limits(25, 20))
    transport: httpx.AsyncBaseTransport | None = None
    wrap: Callable[[Any], Any] = lambda part: part
    """Given the ledger and both sides of a run; what it returns is used instead."""
    user: str = "demo"
    password: str = "demo"
    session: bytes | None = None
    requests: int = 0

    @property
    def root(self) -> Path:
        return self.base / "sieve"

    def sync(self, *, allow_deletes: bool = False, full: bool = False, dry: bool = False) -> KindReport:
        """Run once, whatever comes of it, and return the report."""
        return asyncio.run(self._run(Options(allow_deletes=allow_deletes, full=full, dry=dry)))

    def sync_until_quiet(self, *, requests: int = 1) -> None:
        """Run three times; fail if anything is wrong, or written after the first run.

        The second run reads again what the first one sent, as its blob has a new id; the third takes one request, or any number
        of `requests` where that is 0.
        """
        for run in range(3):
            report = self.sync()
            assert (report.state.value, report.conflicts) == ("synced", 0), report.messages
            assert report.problems == [], [(one.item, one.why) for one in report.problems]
            assert run == 0 or writes(report) == 0
        assert requests in {0, self.requests}

    async def _run(self, options: Options) -> KindReport:
        state = self.base / "state"
        state.mkdir(exist_ok=True)
        with AccountLock(state / "lock", "test"):
            kept = Session.from_json(self.session) if self.session else None
            plain = Ledger.open(state / "ledger.sqlite") if not options.dry else Ledger.copy_of(state / "ledger.sqlite")
            ledger = self.wrap(plain)
            client = Client(
                self.url, BasicCredential(self.user, self.password), session=kept, max_wait=5.0, transport=self.transport
            )
            async with client:
                try:
                    session = await client.session()
                    run = AccountRun("test", state, ledger, self.limits, options, Silent())
                    await run.run([self._sides(client, session, dry=options.dry)], client.together)
                    self.session = (await client.session()).to_json()
                    return run.report.kinds["sieve"]
                finally:
                    self.session = None if client.session_changed else self.session
                    self.requests = client.requests
                    plain.close()

    def _sides(self, client: Client, session: Session, *, dry: bool) -> Sides:
        offered = next(name for name in SIEVE.capabilities if name in session.capabilities)
        account = session.account_for(offered)
        local = ScriptFiles(self.root, dry=dry, clock=lambda: time.time() + 1)  # files are at rest: nobody waits for that
        remote = ScriptSide(client, account, local)
        return Sides(SIEVE, account.id, MailPair(self.wrap(local), self.wrap(remote), by_content=False))

    # the disk

    def write(self, name: str, text: str) -> Path:
        """Write a script as an editor does, which gives the file another inode."""
        self.root.mkdir(exist_ok=True)
        file, new = self.root / f"{name}.sieve", self.root / "4913"
        new.write_text(text)
        new.rename(file)
        return file

    def link(self, name: str) -> None:
        """Let the link lead to a script; take it away where the name is empty."""
        (self.root / "active").unlink(missing_ok=True)
        if name:
            (self.root / "active").symlink_to(f"{name}.sieve")

    @property
    def files(self) -> dict[str, str]:
        """Return the text of each file, by its name without the suffix."""
        return {file.name.removesuffix(".sieve"): file.read_text() for file in sorted(self.root.glob("[!.]*.sieve"))}

    @property
    def active(self) -> str:
        """Return the name of the file that the link leads to, without the suffix; nothing without a link."""
        link = self.root / "active"
        return link.readlink().name.removesuffix(".sieve") if link.is_symlink() else ""

    def conflict_copies(self) -> list[tuple[ConflictCopy, bytes]]:
        """Return the conflict copies, with their bytes."""
        return conflict_copies_in(self.base / "state")


def writes(report: KindReport) -> int:
    """Return how much was written on either side."""
    return report.to_disk.total + report.to_server.total + report.folders.total
