"""A server and the mirror of its Sieve scripts in one thread, whose runs can be made to die; somebody who acts on both sides."""

from __future__ import annotations

import itertools
import random
import re
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING
from unittest import mock

import httpx

from jmapsync.app.account import AccountRun, Sides
from jmapsync.demo import DemoServer
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.kinds import SIEVE
from jmapsync.ledger import Ledger
from jmapsync.planner.guard import Limits
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.jmap.scripts.side import ScriptSide
from jmapsync.storage.port import MailPair
from jmapsync.storage.sieve.side import ScriptFiles
from jmapsync.sync.options import Options
from jmapsync.sync.report import Silent
from tests.kit import virtual
from tests.sim.world import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.sync.report import KindReport
    from tests.sim.fate import Fate

MOST_RUNS = 8
"""Runs after which a world must be silent."""
WORD = re.compile(r"w[0-9]+w")
"""A comment in a script that was put there once; no two are the same."""
DIALECTS = ("rfc", "stalwart", "cyrus312", "cyrus36")


class ScriptWorld:
    """One account on an embedded server and one mirror of its scripts."""

    def __init__(self, base: Path, dialect: str) -> None:
        self.base = base
        self.root = base / "sieve"
        self.server = DemoServer(dialect=dialect)
        self.store = self.server.account.scripts
        self.requests = 0
        self._app = self.server.endpoints.application()
        self._session: bytes | None = None
        self._tokens = itertools.count(1)
        self._processes = itertools.count(1001)

    async def _run(self, fate: Fate | None, options: Options) -> KindReport:
        state = self.base / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        kept = Session.from_json(self._session) if self._session else None
        url = f"http://127.0.0.1:1{self.server.service.dialect.session_path}"
        with closing(Ledger.open(state / "ledger.sqlite")) as opened:
            ledger = fate.wrap(opened) if fate else opened
            transport = fate.transport(self._app) if fate else httpx.ASGITransport(app=self._app)
            async with Client(url, BasicCredential("demo", "demo"), session=kept, transport=transport) as client:
                session = await client.session()
                run = AccountRun("test", state, ledger, Limits(25, 20), options, Silent(), lambda: NOW)
                await run.run([self._sides(client, session, fate)], client.together)
                self._session, self.requests = (await client.session()).to_json(), client.requests
                return run.report.kinds["sieve"]

    def _sides(self, client: Client, session: Session, fate: Fate | None) -> Sides:
        theirs = session.account_for(next(name for name in SIEVE.capabilities if name in session.capabilities))
        local = ScriptFiles(self.root, clock=lambda: 4e9, token=lambda: f"{next(self._tokens):08x}")
        remote = ScriptSide(client, theirs, local)
        pair = MailPair(local, remote, by_content=False)
        if fate is not None:
            pair = MailPair(fate.wrap(local), fate.wrap(remote), by_content=False)
        return Sides(SIEVE, theirs.id, pair)

    def sync(self, fate: Fate | None = None, *, allow_deletes: bool = False, full: bool = False) -> KindReport:
        """Run once, in this thread alone, so that the same world takes the same steps. Raises DiedError."""
        process = mock.patch("os.getpid", return_value=next(self._processes))
        try:
            with fate.over(self.base) if fate else nullcontext(), process:
                return virtual.run(self._run(fate, Options(allow_deletes=allow_deletes, full=full)))[0]
        finally:
            if fate is not None and fate.trouble is not None:
                raise fate.trouble

    def sync_until_quiet(self, *, allow_deletes: bool = False) -> None:
        """Run until a run writes nothing; fail if that takes too long or anything is quarantined."""
        reports: list[KindReport] = []
        for number in range(MOST_RUNS):
            report = self.sync(allow_deletes=allow_deletes, full=allow_deletes and number == 1)
            reports.append(report)
            written = report.to_disk.total + report.to_server.total
            if not written and report.state.value == "synced" and not report.problems:
                return
        raise AssertionError(f"not at rest: {reports[-2:]}")

    # pictures

    @property
    def files(self) -> dict[str, bytes]:
        """Return the files by name, without the suffix, with the line ends of the wire."""
        found = {file.name.removesuffix(".sieve"): file.read_bytes() for file in sorted(self.root.glob("[!.]*.sieve"))}
        return {name: data if b"\r" in data else data.replace(b"\n", b"\r\n") for name, data in found.items()}

    @property
    def link(self) -> str:
        """Return the name of the file that the link leads to, without the suffix; nothing without a link."""
        link = self.root / "active"
        return link.readlink().name.removesuffix(".sieve") if link.is_symlink() else ""

    def conflict_copies(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted((self.base / "state").glob("shelf/*"))]

    def leftovers(self) -> list[str]:
        """Return hidden files that only a run under way may have."""
        return sorted(file.name for file in self.root.iterdir() if file.name[0] == "." and file.name != MARKER)

    def assert_same(self) -> None:
        """Fail unless both sides hold the same scripts, and the same one is active."""
        assert self.files == self.store.listing()
        assert self.link == self.store.active_name

    def picture(self) -> object:
        """Return what both sides hold."""
        return self.files, self.link, self.store.listing(), self.store.active_name, self.leftovers()


class Somebody:
    """Acts on both sides of a world at random; what was edited by one side only has to survive."""

    def __init__(self, world: ScriptWorld, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.safe: set[str] = set()
        """Words that nobody took away."""
        self.acts: list[str] = []
        self._words = itertools.count(1)
        self._names = itertools.count(1)

    def text(self) -> str:
        word = f"w{next(self._words)}w"
        self.safe.add(word)
        return f"# {word}\r\n{self.chance.choice(['keep;', 'stop;', 'discard;'])}\r\n"

    def populate(self) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            self.world.store.add(f"script {next(self._names)}", self.text())
        self.world.store.activate(self.chance.choice(list(self.world.store.listing())))

    def act(self) -> None:
        act = self.chance.choice([
            *(self._create, self._edit, self._edit, self._rename, self._delete, self._activate, self._activate, self._deactivate),
        ])  # fmt: skip
        here = self.chance.random() < 0.5
        self.acts.append(f"{act.__name__} {'here' if here else 'there'}")
        act(here=here)

    def fix_link(self) -> None:
        """Let a link lead somewhere that somebody's acts left leading nowhere."""
        if self.world.link and self.world.link not in self.world.files:
            self._link(next(iter(self.world.files), ""))

    def _chosen(self, *, here: bool) -> str:
        """Return a script that a side has, but not the active one; nothing without one."""
        names = set(self.world.files) if here else set(self.world.store.listing())
        names -= {self.world.link, self.world.store.active_name}
        return self.chance.choice(sorted(names)) if names else ""

    def _any(self, *, here: bool) -> str:
        names = sorted(self.world.files if here else self.world.store.listing())
        return self.chance.choice(names) if names else ""

    def _file(self, name: str) -> Path:
        return self.world.root / f"{name}.sieve"

    def _write(self, name: str, text: str) -> None:
        new = self.world.root / "4913"
        new.write_bytes(text.replace("\r\n", "\n").encode())
        new.rename(self._file(name))

    def _create(self, *, here: bool) -> None:
        name = f"script {next(self._names)}"
        if len(self.world.files) + len(self.world.store.scripts) >= 5:
            return
        if here:
            self._write(name, self.text())
        else:
            self.world.store.add(name, self.text())

    def _edit(self, *, here: bool) -> None:
        if name := self._any(here=here):
            before = self.world.files[name] if here else self.world.store.listing()[name]
            self.safe -= set(WORD.findall(before.decode()))
            text = self.text()
            self._write(name, text) if here else self.world.store.edit(name, text)

    def _rename(self, *, here: bool) -> None:
        if name := self._any(here=here):
            new = f"script {next(self._names)}"
            if not here:
                self.world.store.rename(name, new)
                return
            leads = self.world.link == name
            self._file(name).rename(self._file(new))
            if leads and self.chance.random() < 0.5:
                self._link(new)

    def _delete(self, *, here: bool) -> None:
        if name := self._chosen(here=here):
            data = self.world.files[name] if here else self.world.store.listing()[name]
            self.safe -= set(WORD.findall(data.decode()))
            self._file(name).unlink() if here else self.world.store.delete(name)

    def _activate(self, *, here: bool) -> None:
        if name := self._any(here=here):
            self._link(name) if here else self.world.store.activate(name)

    def _deactivate(self, *, here: bool) -> None:
        self._link("") if here else self.world.store.activate("")

    def _link(self, name: str) -> None:
        link = self.world.root / "active"
        link.unlink(missing_ok=True)
        if name:
            link.symlink_to(f"{name}.sieve")
