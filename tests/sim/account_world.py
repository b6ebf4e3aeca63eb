"""A server and a mirror of one of its accounts in one thread, whose runs can be made to die; worlds of mail have their own."""

from __future__ import annotations

import itertools
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING
from unittest import mock

import httpx

from jmapsync.app.account import AccountRun
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.ledger import Ledger
from jmapsync.planner.guard import Limits
from jmapsync.sync.options import Options
from jmapsync.sync.report import Silent
from tests.kit import virtual
from tests.sim.fate import DiedError, Fate
from tests.sim.world import NOW, OTHER_HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.app.account import Sides
    from jmapsync.demo import DemoServer
    from jmapsync.sync.report import AccountReport


class AccountWorld:
    """One account on an embedded server and one mirror of it."""

    def __init__(self, base: Path, server: DemoServer) -> None:
        self.base = base
        self.server = server
        self.account_id = ""
        """The account that the configuration names."""
        self.now = NOW
        """What the clock of the mirror says."""
        self.requests = 0
        """HTTP requests of the last run."""
        self._app = server.endpoints.application()
        self._session: bytes | None = None
        self._tokens = itertools.count(1)
        self._processes = itertools.count(1001)

    def all_sides(self, client: Client, session: Session, fate: Fate | None) -> list[Sides]:
        """Return both sides of each kind that is mirrored."""
        raise NotImplementedError

    def token(self) -> str:
        """Return a part of a name of ours that no other one has, the same in each life of a world."""
        return f"{next(self._tokens):08x}"

    async def _run(self, fate: Fate | None, options: Options) -> AccountReport:
        state = self.base / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        kept = Session.from_json(self._session) if self._session else None
        url = f"http://127.0.0.1:1{self.server.service.dialect.session_path}"
        with closing(Ledger.open(state / "ledger.sqlite")) as opened:
            ledger = fate.wrap(opened) if fate else opened
            transport = fate.transport(self._app) if fate else httpx.ASGITransport(app=self._app)
            credential = BasicCredential("demo", "demo")
            async with Client(url, credential, session=kept, transport=transport, trusted_hosts=OTHER_HOSTS) as client:
                session = await client.session()
                run = AccountRun("test", state, ledger, Limits(25, 20), options, Silent(), lambda: self.now)
                await run.run(self.all_sides(client, session, fate), client.together)
                self._session, self.requests = (await client.session()).to_json(), client.requests
                return run.report

    def run(self, fate: Fate | None = None, *, allow_deletes: bool = False, full: bool = False) -> AccountReport:
        """Run once, in this thread alone, so that the same world takes the same steps. Raises DiedError."""
        process = mock.patch("os.getpid", return_value=next(self._processes))
        try:
            with fate.over(self.base) if fate else nullcontext(), process:
                return virtual.run(self._run(fate, Options(allow_deletes=allow_deletes, full=full)))[0]
        finally:
            if fate is not None and fate.trouble is not None:
                raise fate.trouble

    def die(self, step: int, *, slips: dict[int, Callable[[], None]] | None = None) -> Fate:
        """Run and die at a step, or live to the end when there are fewer; what waits for a word gets it. See `Fate`."""
        fate = Fate(step, slips=slips)
        try:
            self.run(fate, allow_deletes=True)
        except DiedError:
            assert fate.dead
        else:
            assert not fate.dead, f"survived its own death at {fate.trace[-1]}"
        return fate

    def conflict_copies(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted((self.base / "state").glob("shelf/*"))]
