"""Run one account's sync loop: wait for a trigger, sync, retry with back-off.

Nothing here knows what is synchronized. A failure is reported in the state and retried: at once on request, with back-off when it
may be temporary, and about once an hour when a person has to act.
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

from msgspec import Struct

from jmapsync.daemon.account_state import AccountState
from jmapsync.daemon.hook_runner import HookRunner
from jmapsync.daemon.push_listener import Listener, PushState
from jmapsync.daemon.request_queue import RequestQueue, is_by_hook, options_for
from jmapsync.daemon.supervision import keep_running
from jmapsync.daemon.tasks import TaskQueue
from jmapsync.daemon.triggers import MAX_DEBOUNCES, Hints, Trigger
from jmapsync.daemon.watch.watcher import Watcher, WatchMode
from jmapsync.errors import ExitCode, HostRefusedError, JmapsyncError, Remedy, SignInError
from jmapsync.sync.report import AccountReport
from jmapsync.sync.threads import complete
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from jmapsync.daemon.watch.watcher import WatchState
    from jmapsync.jmap.client import Client
    from jmapsync.sync.options import Options
    from jmapsync.sync.progress import Meter

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
"""Seconds between two attempts after a failure: random, with a limit that doubles from the first to the longest."""
CRASH_PAUSE = 300.0
"""The same after an unexpected exception, which is likely to recur."""
SIGN_IN_PAUSE = 3600.0
"""The same while a person has to sign in: servers ban addresses that repeat a wrong password."""
REFUSALS = 2
"""Consecutive refusals by the approved server after which a person has to sign in."""
BARE_REFUSALS = 12
"""The same for refusals of any form, about an hour's worth: some servers refuse a secret in neither HTTP's form nor JMAP's."""
REST = 5.0
"""Idle seconds after which memory is released."""
MOST_LOGGED = 20
"""Quarantined items that one run logs by name."""
STUCK = 900.0
"""Seconds without any progress after which a run counts as hung."""

PUSH, HOOKS, LOOP = "the push connection", "the hooks", "the account"
"""The parts that are restarted when they end."""

_log = logging.getLogger(__name__)


class Opened(Protocol):
    """An opened account, which can be synchronized repeatedly."""

    client: Client

    @property
    def roots(self) -> list[Path]:
        """Return the folders to watch."""

    @property
    def audited(self) -> float:
        """Return the time of the last full sync, in seconds since 1970."""

    @property
    def types(self) -> frozenset[str]:
        """Return the names of the data types whose changes start a run."""

    async def account_id(self) -> str:
        """Return the server's id of the account."""

    async def run(self, options: Options) -> AccountReport:
        """Synchronize once."""

    def rest(self) -> None:
        """Release memory until the next run."""


class Settings(Struct, frozen=True):
    """When an account is synchronized; times in seconds."""

    push: bool = True
    debounce: float = 1.0
    """Debounce for local changes."""
    full: float = 604_800.0
    """Age of the last full sync above which the daemon starts with another one."""


@dataclass(slots=True)
class AccountLoop:
    """Run one account's sync loop; retry with back-off."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Opened]]
    settings: Settings
    meter: Meter
    after: Callable[[AccountReport], Awaitable[None]]
    """Called after a run that changed anything; one call at a time, and never during a run."""
    succeeded: Callable[[AccountReport], None]
    """Called after a run without any fault; returns at once."""
    crashed: Callable[[Exception], JmapsyncError]
    """Writes a crash report for an unexpected exception and returns the error to show."""
    state_changed: Callable[[AccountLoop], None]
    """Called when the state changed."""
    state: AccountState = AccountState.STARTING
    why: str = ""
    """Description of the failure, in sentences."""
    runs: int = 0
    last_run_at: float | None = None
    """When the last run ended, in seconds since 1970."""
    last: AccountReport | None = None
    faults: dict[str, str] = field(default_factory=dict)
    """Parts that ended unexpectedly and were restarted, with the latest reason."""
    hints: Hints = field(init=False)
    first_run: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first run has ended or has failed to start."""
    _requests: RequestQueue = field(default_factory=RequestQueue)
    _tasks: TaskQueue = field(default_factory=TaskQueue)
    _reported: tuple[AccountState, str] = (AccountState.STARTING, "")
    """The state reported last; `AT_WORK` is not reported."""
    _failures: int = 0
    _refusals: int = 0
    """Consecutive ones by the approved server."""
    _bare_refusals: int = 0
    """Consecutive ones of any origin."""
    _exit_code: ExitCode = ExitCode.FAILED
    """Exit code of the failure."""
    _hook_runner: HookRunner = field(init=False)
    _listener: Listener | None = None
    _push_down: PushState | None = None
    """Set while the push listener has failed and waits for its restart."""
    _watcher: Watcher | None = None
    _opened: Opened | None = None
    _received: int = 0

    def __post_init__(self) -> None:
        """Begin to collect hints."""
        self.hints = Hints(self.settings.debounce)
        self._hook_runner = HookRunner(self.name, self.settings.debounce, self.after, self._watch_what_is_new)

    @property
    def push(self) -> PushState | None:
        """Return the state of push; None while no listener runs."""
        return self._push_down or (self._listener.state if self._listener is not None else None)

    @property
    def watch(self) -> WatchState | None:
        """Return how the folders are watched; None while they are not."""
        return self._watcher.state if self._watcher is not None else None

    def request(self, options: Options, *, by_hook: bool = False) -> asyncio.Future[AccountReport]:
        """Request a run at once and return a future of its report."""
        self.hints.wake("somebody asked for it")
        return self._requests.add(options, by_hook=by_hook)

    def run_task(self, act: Callable[[Any], Awaitable[Any]]) -> asyncio.Future[Any]:
        """Run a task with the opened account before the next run, and return a future of its result.

        `act` is given the opened account. The result raises what opening it, or the act, raises.
        """
        self.hints.wake("somebody asked for it")
        return self._tasks.add(act)

    def tick(self, why: str, *, full: bool = False, renew: bool = False) -> None:
        """Request a run on schedule; `renew` the push connection too, as after a suspend. Not while a person has to sign in."""
        if self.state is AccountState.SIGN_IN:
            return
        if renew and self._listener is not None:
            self._listener.renew()
        self.hints.wake(why, full=full)

    def is_stuck(self) -> bool:
        """Return whether a run has made no progress for `STUCK` seconds."""
        if self.state is not AccountState.AT_WORK:
            return False
        received = self._opened.client.received if self._opened is not None else 0
        if received != self._received:
            self._received = received
            self.meter.beat()
        return self.meter.silence() > STUCK

    async def run(self) -> None:
        """Run the loop until cancelled."""
        hooks = asyncio.create_task(keep_running(self._hook_runner.run, partial(self.note_fault, HOOKS)))
        try:
            self.hints.wake("the daemon started")
            while True:
                await self._run_until_failure()
        finally:
            self.state = AccountState.STOPPED
            hooks.cancel()
            self._requests.cancel()
            self._tasks.cancel()
            with suppress(asyncio.CancelledError):
                await hooks

    async def _run_until_failure(self) -> None:
        """Open the account and serve it until it fails; then wait for the next trigger."""
        try:
            async with self.open() as self._opened:
                await self._serve(self._opened)
        except JmapsyncError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # an exception in one account must not end the others
            self._exit_code, self._refusals, self._bare_refusals = ExitCode.FAILED, 0, 0
            self._set_state(AccountState.TROUBLE, str(self.crashed(error)))
            self._retry(CRASH_PAUSE, full=self.hints.drop().full)
        finally:
            self._opened = None
        self.first_run.set()
        self._fail_requests()
        self.hints.give_back(await self.hints.next())

    def _fail(self, error: JmapsyncError) -> None:
        """Set the state after a failure and schedule the retry.

        Only what the approved server itself refuses needs a person, and only if it does so again: a captive portal or a sign-in
        service that is down refuses too, but not for long.
        """
        self._exit_code = error.exit_code
        is_refusal = isinstance(error, SignInError | HostRefusedError) and error.remedy is Remedy.HUMAN
        self._refusals = self._refusals + 1 if is_refusal else 0
        self._bare_refusals = self._bare_refusals + 1 if isinstance(error, SignInError) else 0
        full = self.hints.drop().full
        if self._refusals < REFUSALS and self._bare_refusals < BARE_REFUSALS:
            self._set_state(AccountState.TROUBLE, str(error))
            self._retry(self._pause(), full=full)
        else:
            self._set_state(AccountState.SIGN_IN, str(error))
            self._retry(SIGN_IN_PAUSE * random.uniform(1.0, 1.5), full=full)  # noqa: S311  # no secret

    def _fail_requests(self) -> None:
        """Answer pending requests and tasks with the failure."""
        code = self._exit_code
        self._requests.answer(AccountReport(self.name, error=self.why, exit_code=code))
        self._tasks.fail((SignInError if code is ExitCode.SIGN_IN else JmapsyncError)(self.why))

    async def _serve(self, opened: Opened) -> None:
        """Run whenever a trigger is due."""
        self._watcher = Watcher(opened.roots, self._on_disk, self._on_lost)
        listening: asyncio.Task[None] | None = None
        try:
            if time.time() - opened.audited > self.settings.full:
                self.hints.wake("it is time for a full sync", full=True)
            await complete(self._watcher.start)  # before the first run, so that later changes are reported
            while True:
                await self._run_once(opened, await self._next_trigger(opened))
                if listening is None and self.settings.push and self.state is not AccountState.TROUBLE:
                    listening = asyncio.create_task(keep_running(partial(self._listen, opened), partial(self.note_fault, PUSH)))
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])
            self._listener = self._push_down = None
            self._watcher.stop()
            self._watcher = None

    async def _next_trigger(self, opened: Opened) -> Trigger:
        """Wait for the next trigger; release memory before a long wait."""
        try:
            async with asyncio.timeout(REST):
                return await self.hints.next()
        except TimeoutError:
            await complete(opened.rest)
            return await self.hints.next()

    async def _listen(self, opened: Opened) -> None:
        """Listen to the server's push. A failure of push does not affect the account's state."""
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
        """Record why a part of the daemon ended and is restarted; write a crash report for an unexpected exception."""
        known = isinstance(error, JmapsyncError)
        why = str(error if known else self.crashed(error))
        if self.faults.get(what) != why:
            _log.warning("%s: %s ended and is restarted: %s", self.name, what, why)
        self.faults[what] = why
        if what == PUSH:
            self._push_down = PushState("poll", connected=False, why=why, since=time.time())

    async def _run_once(self, opened: Opened, trigger: Trigger) -> None:
        """Run the account once for a trigger, and answer all pending requests."""
        requests = self._requests.now()
        options = options_for(trigger, requests, self._folders(trigger))
        _log.debug("%s: run starts: %s", self.name, "; ".join(trigger.reasons))
        self.meter.beat()
        self._set_state(AccountState.AT_WORK, self.why)
        await self._tasks.run(opened)
        report = await opened.run(options)
        self.runs += 1
        self._log_problems(report)
        self.last_run_at, self.last = time.time(), report
        self._requests.answer(report, requests)
        for kind in report.changed:
            _log.info("%s %s: %s", self.name, kind, report.kinds[kind].summary)
        self._update_state(report, trigger)
        if report.withheld:
            self.hints.wake("folders changed during the run", after=MAX_DEBOUNCES * self.settings.debounce)
        if report.wake_at is not None:
            self.hints.wake("a message has its time", after=max(0.0, report.wake_at - time.time()), server_only=True)
        self.first_run.set()
        if report.changed and not is_by_hook(trigger, requests):
            self._hook_runner.add(report)
        if report.is_faultless:
            self.succeeded(report)

    def _log_problems(self, report: AccountReport) -> None:
        """Log newly quarantined items, the first `MOST_LOGGED` by name."""
        new = report.new_problems(self.last)
        for kind, problem in new[:MOST_LOGGED]:
            _log.warning("%s %s: quarantined: %s: %s", self.name, kind, problem.item, problem.why)
        if len(new) > MOST_LOGGED:
            _log.warning("%s: %s more quarantined; see: %s", self.name, f"{len(new) - MOST_LOGGED:,}", command("status", self.name))

    def _folders(self, trigger: Trigger) -> frozenset[str] | None:
        """Return the local folders to scan; None, for all of them, unless inotify has reported every change since the last run."""
        complete_hints = self.runs and self._watcher is not None and self._watcher.state.mode is WatchMode.INOTIFY
        return frozenset(trigger.folders) if complete_hints and trigger.folders is not None and not trigger.full else None

    def _update_state(self, report: AccountReport, trigger: Trigger) -> None:
        """Set the state after a run, and schedule a retry where it failed."""
        reasons = [reason for kind in report.kinds.values() if kind.exit_code for reason in kind.messages]
        why = report.error or " ".join(dict.fromkeys(reasons))
        code = report.worst_tried
        if code is ExitCode.SIGN_IN:
            refusal = SignInError(why)
            if report.exit_code is ExitCode.SIGN_IN:
                refusal.remedy = report.remedy
            raise refusal
        self._refusals = self._bare_refusals = 0
        if code in {ExitCode.IN_SYNC, ExitCode.QUARANTINED, ExitCode.USAGE}:
            self._failures = 0
            self._set_state(AccountState.IN_STEP, why)
        elif code is ExitCode.SUSPENDED:
            self._failures = 0
            self._set_state(AccountState.SUSPENDED, why)
        else:
            self._set_state(AccountState.TROUBLE, why)
            self._retry(self._pause(), full=trigger.full)

    def _set_state(self, state: AccountState, why: str) -> None:
        self.state, self.why = state, why
        if state is not AccountState.AT_WORK and self._reported != (state, why):
            self._reported = (state, why)
            self.state_changed(self)

    def _pause(self) -> float:
        """Return the back-off before the next attempt, in seconds."""
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return limit * random.uniform(0.5, 1.0)  # noqa: S311  # no secret

    def _retry(self, after: float, *, full: bool = False) -> None:
        self.hints.wake("it is time to try again", after=after, full=full, every_file=True)  # hints of the disk are lost

    async def _watch_what_is_new(self) -> None:
        """Watch directories that the hook created: the first `notmuch new` creates the database."""
        opened, watcher = self._opened, self._watcher
        if opened is not None and watcher is not None:
            watcher.include(await complete(lambda: opened.roots))

    # events of the watcher

    def _on_disk(self, folder: Path) -> None:
        self.hints.touch(os.fspath(folder), by_hook=self._hook_runner.is_running)

    def _on_lost(self, why: str) -> None:
        watched = self._watcher is not None and self._watcher.state.mode is WatchMode.INOTIFY
        _log.log(logging.INFO if watched else logging.WARNING, "%s: %s", self.name, why)
        self.hints.wake(why, every_file=True)
