"""Keep one account in step: wait for hints, look, and wait again, through whatever befalls the account.

Nothing here knows what is synchronised. What goes wrong is reported in the state and tried again: at once when somebody asks,
after a while when time mends it, and seldom when a person has to act.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from jmapsync.daemon.account_state import Standing
from jmapsync.daemon.hook_runner import Aftermath
from jmapsync.daemon.push_listener import Listener, PushState
from jmapsync.daemon.request_queue import Demands, is_by_hook, options_for
from jmapsync.daemon.supervision import keep_running
from jmapsync.daemon.tasks import Errands
from jmapsync.daemon.triggers import RESTLESS, Hints, Look
from jmapsync.daemon.watch.watcher import Watcher, WatchMode
from jmapsync.errors import ExitCode, HostRefusedError, JmapsyncError, Remedy, SignInError
from jmapsync.sync.report import AccountReport
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from jmapsync.daemon.watch.watcher import WatchState
    from jmapsync.jmap.client import Client
    from jmapsync.sync.options import Options
    from jmapsync.sync.progress import Meter

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
"""Seconds between two tries when the account is in trouble: at random up to a limit that doubles from the first to the longest."""
CRASH_PAUSE = 300.0
"""The same after a fault of ours, which may well come again."""
SIGN_IN_PAUSE = 3600.0
"""The same once a person has to sign in: hosts ban addresses that go on with a wrong password."""
REFUSALS = 2
"""So many refusals in a row, by the approved server itself, mean that a person has to sign in."""
BARE_REFUSALS = 12
"""So many of any kind mean it too, which takes most of an hour: some servers refuse a secret in neither HTTP's form nor JMAP's."""
REST = 5.0
"""Seconds without a look after which memory is given back."""
MOST_LOGGED = 20
"""Quarantined items that one run logs by name."""
STUCK = 900.0
"""Seconds without any progress after which a look counts as hung."""

PUSH, HOOKS, LOOP = "the push connection", "the hooks", "the account"
"""The parts that are begun anew when they end."""

_log = logging.getLogger(__name__)


class Opened(Protocol):
    """An account at hand, which can be run again and again."""

    client: Client

    @property
    def roots(self) -> list[Path]:
        """Return the folders to watch."""

    @property
    def audited(self) -> float:
        """Return when everything was looked at last, in seconds since 1970."""

    @property
    def types(self) -> frozenset[str]:
        """Return the names of the data types whose changes are worth a look."""

    async def account_id(self) -> str:
        """Return the server's id of the account."""

    async def run(self, options: Options) -> AccountReport:
        """Synchronise once."""

    def rest(self) -> None:
        """Give back memory until the next run."""


@dataclass(frozen=True, slots=True)
class Settings:
    """When an account is looked at; times in seconds."""

    push: bool = True
    settle: float = 1.0
    """How long the disk has to rest before it is looked at."""
    full: float = 604_800.0
    """How old the last look at everything may be when the daemon starts."""


@dataclass(slots=True)
class AccountLoop:
    """Run one account's sync loop; retry with back-off."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Opened]]
    settings: Settings
    meter: Meter
    after: Callable[[AccountReport], Awaitable[None]]
    """Called, one at a time and outside of any look, for a run that changed anything."""
    crashed: Callable[[Exception], JmapsyncError]
    """Makes a report of a fault of ours."""
    turned: Callable[[AccountLoop], None]
    """Told when the standing changed."""
    standing: Standing = Standing.STARTING
    why: str = ""
    """What is wrong, in sentences."""
    looks: int = 0
    looked_at: float | None = None
    """When the last look ended, in seconds since 1970."""
    last: AccountReport | None = None
    faults: dict[str, str] = field(default_factory=dict)
    """What ended unforeseen and was begun anew, and why it ended the last time."""
    hints: Hints = field(init=False)
    first_look: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first look came to its end, or could not be."""
    _demands: Demands = field(default_factory=Demands)
    _errands: Errands = field(default_factory=Errands)
    _told: tuple[Standing, str] = (Standing.STARTING, "")
    """What was told last; being at work is no news."""
    _failures: int = 0
    _refusals: int = 0
    """In a row, by the approved server itself."""
    _bare_refusals: int = 0
    """In a row, by whomever."""
    _exit_code: ExitCode = ExitCode.FAILED
    """Of what is wrong."""
    _aftermath: Aftermath = field(init=False)
    _listener: Listener | None = None
    _push_down: PushState | None = None
    """Why nothing listens although it should."""
    _watcher: Watcher | None = None
    _opened: Opened | None = None
    _received: int = 0

    def __post_init__(self) -> None:
        """Begin to collect hints."""
        self.hints = Hints(self.settings.settle)
        self._aftermath = Aftermath(self.name, self.settings.settle, self.after, self._watch_what_is_new)

    @property
    def push(self) -> PushState | None:
        """Return how the server reports changes; None while nothing listens."""
        return self._push_down or (self._listener.state if self._listener is not None else None)

    @property
    def watch(self) -> WatchState | None:
        """Return how the disk is watched; None while it is not."""
        return self._watcher.state if self._watcher is not None else None

    def request(self, options: Options, *, by_hook: bool = False) -> asyncio.Future[AccountReport]:
        """Have the account run at once and return the report to come."""
        self.hints.wake("somebody asked for it")
        return self._demands.add(options, by_hook=by_hook)

    def lend(self, act: Callable[[Any], Awaitable[Any]]) -> asyncio.Future[Any]:
        """Have something done with the account at hand before the next look, and return the result to come.

        `act` is given the opened account. The result raises what opening it, or the act, raises.
        """
        self.hints.wake("somebody asked for it")
        return self._errands.add(act)

    def tick(self, why: str, *, full: bool = False, renew: bool = False) -> None:
        """Look because time passed; `renew` the push connection too, as after a suspend. Not while a person has to sign in."""
        if self.standing is Standing.SIGN_IN:
            return
        if renew and self._listener is not None:
            self._listener.renew()
        self.hints.wake(why, full=full)

    def is_stuck(self) -> bool:
        """Return whether a look has made no progress for so long that it must be hung."""
        if self.standing is not Standing.AT_WORK:
            return False
        received = self._opened.client.received if self._opened is not None else 0
        if received != self._received:
            self._received = received
            self.meter.beat()
        return self.meter.silence() > STUCK

    async def run(self) -> None:
        """Keep the account in step until cancelled."""
        hooks = asyncio.create_task(keep_running(self._aftermath.run, partial(self.note_fault, HOOKS)))
        try:
            self.hints.wake("the daemon started")
            while True:
                await self._hold()
        finally:
            self.standing = Standing.STOPPED
            hooks.cancel()
            self._demands.cancel()
            self._errands.cancel()
            with suppress(asyncio.CancelledError):
                await hooks

    async def _hold(self) -> None:
        """Open the account and serve it until something is wrong with it; then wait until trying again is worth it."""
        try:
            async with self.open() as self._opened:
                await self._serve(self._opened)
        except JmapsyncError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # a fault of ours in one account must not end the others
            self._exit_code, self._refusals, self._bare_refusals = ExitCode.FAILED, 0, 0
            self._turn(Standing.TROUBLE, str(self.crashed(error)))
            self._try_again(CRASH_PAUSE, full=self.hints.drop().full)
        finally:
            self._opened = None
        self.first_look.set()
        self._fail_demands()
        self.hints.give_back(await self.hints.next())

    def _fail(self, error: JmapsyncError) -> None:
        """Say what took the account down, and when to try again.

        Only what the approved server itself refuses needs a person, and only if it does so again: a captive portal or a sign-in
        service that is down refuses too, but not for long.
        """
        self._exit_code = error.exit_code
        is_refusal = isinstance(error, SignInError | HostRefusedError) and error.remedy is Remedy.HUMAN
        self._refusals = self._refusals + 1 if is_refusal else 0
        self._bare_refusals = self._bare_refusals + 1 if isinstance(error, SignInError) else 0
        full = self.hints.drop().full
        if self._refusals < REFUSALS and self._bare_refusals < BARE_REFUSALS:
            self._turn(Standing.TROUBLE, str(error))
            self._try_again(self._pause(), full=full)
        else:
            self._turn(Standing.SIGN_IN, str(error))
            self._try_again(SIGN_IN_PAUSE * random.uniform(1.0, 1.5), full=full)  # noqa: S311  # no secret

    def _fail_demands(self) -> None:
        """Tell those who asked for a run why there was none."""
        code = self._exit_code
        self._demands.answer(AccountReport(self.name, error=self.why, exit_code=code))
        self._errands.fail((SignInError if code is ExitCode.SIGN_IN else JmapsyncError)(self.why))

    async def _serve(self, opened: Opened) -> None:
        """Look whenever a hint says so."""
        self._watcher = Watcher(opened.roots, self._on_disk, self._on_lost)
        listening: asyncio.Task[None] | None = None
        try:
            if time.time() - opened.audited > self.settings.full:
                self.hints.wake("it is time for the whole look", full=True)
            await complete(self._watcher.start)  # before the first look: what changes after it is then told of
            while True:
                await self._look(opened, await self._next_look(opened))
                if listening is None and self.settings.push and self.standing is not Standing.TROUBLE:
                    listening = asyncio.create_task(keep_running(partial(self._listen, opened), partial(self.note_fault, PUSH)))
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])
            self._listener = self._push_down = None
            self._watcher.stop()
            self._watcher = None

    async def _next_look(self, opened: Opened) -> Look:
        """Wait for the next look; before a long wait, give back what the last one needed."""
        try:
            async with asyncio.timeout(REST):
                return await self.hints.next()
        except TimeoutError:
            await complete(opened.rest)
            return await self.hints.next()

    async def _listen(self, opened: Opened) -> None:
        """Take the server's hints. Nothing that happens to push takes the account down."""
        self._listener = Listener(
            opened.client,
            await opened.account_id(),
            partial(self.hints.wake, server_only=True),
            types=opened.types,
            crashed=partial(self.note_fault, PUSH),
        )
        self._push_down = None
        await self._listener.run()

    def note_fault(self, what: str, error: Exception) -> None:
        """Take note of what ended a part of the daemon that is begun anew; a fault of ours is reported."""
        known = isinstance(error, JmapsyncError)
        why = str(error if known else self.crashed(error))
        if self.faults.get(what) != why:
            _log.warning("%s: %s ended and is begun anew: %s", self.name, what, why)
        self.faults[what] = why
        if what == PUSH:
            self._push_down = PushState("poll", connected=False, why=why, since=time.time())

    async def _look(self, opened: Opened, look: Look) -> None:
        """Run the account once, for a hint and for everybody who asked."""
        demands = self._demands.now()
        options = options_for(look, demands, self._folders(look))
        _log.debug("%s: looking, because %s", self.name, "; ".join(look.reasons))
        self.meter.beat()
        self._turn(Standing.AT_WORK, self.why)
        await self._errands.run(opened)
        report = await opened.run(options)
        self.looks += 1
        self._log_problems(report)
        self.looked_at, self.last = time.time(), report
        self._demands.answer(report, demands)
        for kind in report.changed:
            _log.info("%s %s: %s", self.name, kind, report.kinds[kind].summary)
        self._judge(report, look)
        if report.withheld:
            self.hints.wake("folders changed while they were looked at", after=RESTLESS * self.settings.settle)
        self.first_look.set()
        if report.changed and not is_by_hook(look, demands):
            self._aftermath.add(report)

    def _log_problems(self, report: AccountReport) -> None:
        """Log what was not quarantined before, the first of it by name."""
        new = report.new_problems(self.last)
        for kind, problem in new[:MOST_LOGGED]:
            _log.warning("%s %s: quarantined: %s: %s", self.name, kind, problem.item, problem.why)
        if len(new) > MOST_LOGGED:
            _log.warning("%s: %s more quarantined; see: jmapsync status", self.name, f"{len(new) - MOST_LOGGED:,}")

    def _folders(self, look: Look) -> frozenset[str] | None:
        """Return the folders of the disk to look at; all of them unless the kernel told of every change since the last look."""
        told = self.looks and self._watcher is not None and self._watcher.state.mode is WatchMode.INOTIFY
        return frozenset(look.folders) if told and look.folders is not None and not look.full else None

    def _judge(self, report: AccountReport, look: Look) -> None:
        """Say how the account stands after a run, and when to try again."""
        sentences = [sentence for kind in report.kinds.values() if kind.exit_code for sentence in kind.sentences]
        why = report.error or " ".join(dict.fromkeys(sentences))
        code = report.worst_tried
        if code is ExitCode.SIGN_IN:
            refusal = SignInError(why)
            if report.exit_code is ExitCode.SIGN_IN:
                refusal.remedy = report.remedy
            raise refusal
        self._refusals = self._bare_refusals = 0
        if code in {ExitCode.IN_SYNC, ExitCode.QUARANTINED, ExitCode.USAGE}:
            self._failures = 0
            self._turn(Standing.IN_STEP, why)
        elif code is ExitCode.SUSPENDED:
            self._failures = 0
            self._turn(Standing.SUSPENDED, why)
        else:
            self._turn(Standing.TROUBLE, why)
            self._try_again(self._pause(), full=look.full)

    def _turn(self, standing: Standing, why: str) -> None:
        self.standing, self.why = standing, why
        if standing is not Standing.AT_WORK and self._told != (standing, why):
            self._told = (standing, why)
            self.turned(self)

    def _pause(self) -> float:
        """Return how long to wait before the next try."""
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return limit * random.uniform(0.5, 1.0)  # noqa: S311  # no secret

    def _try_again(self, after: float, *, full: bool = False) -> None:
        self.hints.wake("it is time to try again", after=after, full=full)

    async def _watch_what_is_new(self) -> None:
        """Watch what the hook made: the first `notmuch new` makes the database."""
        opened, watcher = self._opened, self._watcher
        if opened is not None and watcher is not None:
            watcher.include(await complete(lambda: opened.roots))

    # what the disk says

    def _on_disk(self, folder: Path) -> None:
        self.hints.touch(os.fspath(folder), by_hook=self._aftermath.is_running)

    def _on_lost(self, why: str) -> None:
        told = self._watcher is not None and self._watcher.state.mode is WatchMode.INOTIFY
        _log.log(logging.INFO if told else logging.WARNING, "%s: %s", self.name, why)
        self.hints.wake(why)
