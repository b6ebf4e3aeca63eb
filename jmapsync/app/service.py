"""The daemon: one loop per account, and what controls them all: signals, the timetable, systemd and the control sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.app.cleanup import tidy
from jmapsync.app.control import Answer, Ask, answering
from jmapsync.app.crash import report_crash
from jmapsync.app.hook import run_after_sync, run_on_success, run_on_trouble
from jmapsync.app.notify import ServiceManager
from jmapsync.app.restoring import restore_opened
from jmapsync.app.root import App
from jmapsync.app.shared import shared_accounts
from jmapsync.app.signin import store_of
from jmapsync.app.sources import sources_of
from jmapsync.app.wiring import open_account
from jmapsync.daemon.account_loop import LOOP, AccountLoop, Settings
from jmapsync.daemon.account_state import AccountState
from jmapsync.daemon.supervision import keep_running
from jmapsync.daemon.timetable import Timetable
from jmapsync.errors import ConfigError, ExitCode, JmapsyncError
from jmapsync.sync.options import Options
from jmapsync.sync.progress import Meter, described
from jmapsync.sync.report import AccountReport, counted
from jmapsync.sync.threads import complete
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from jmapsync.config import AccountConfig, Config, HooksConfig

CONTROL_SECONDS = 2.0
"""Between two rounds of the control task: the clocks, the watchdog, the status line."""
TIDY_SECONDS = 86_400.0
STOP_SECONDS = 4.0
"""How long a running batch, or anything else, may take to end."""
SPREAD = 0.1
"""Polls come up to so much of their period later, so that many daemons do not ask in the same second."""
_TROUBLE = frozenset({AccountState.SIGN_IN, AccountState.SUSPENDED})

_log = logging.getLogger(__name__)


class _Kept(Struct):
    """One account and its running loop."""

    account: AccountConfig
    loop: AccountLoop
    task: asyncio.Task[None]
    doors: AsyncExitStack
    sign_in: tuple[int, int]
    """The version of the stored sign-in that was seen last."""
    runs: int = 0
    """After how many of its runs its shared accounts were looked up."""


@dataclass(slots=True)
class Service:
    """The daemon."""

    load: Callable[[], Config]
    """Reads the configuration. Raises ConfigError."""
    names: Sequence[str] = ()
    """The accounts to keep; none means all."""
    manager: ServiceManager = field(default_factory=ServiceManager)
    deadline: threading.Timer = field(init=False)
    """Ends the process some time after it was asked to end; the caller cancels it once asyncio's loop is closed.

    asyncio waits for its threads without limit, and one that resolves a name or waits for a disk cannot be ended.
    """
    _config: Config = field(init=False)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _timetable: Timetable = field(init=False)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _background: set[asyncio.Task[None]] = field(default_factory=set)
    _conflicts: dict[str, int] = field(default_factory=dict)
    """The number of conflict copies of each account that `on_trouble` last reported."""
    _busy_hooks: set[str] = field(default_factory=set)
    """The accounts whose `on_success` runs."""
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unread: str = ""
    """Why the configuration that is there now is not the one in use, or nothing."""
    _is_up: bool = False
    """Whether the service manager was notified that the daemon is ready."""

    def __post_init__(self) -> None:
        """Prepare the deadline for the end."""
        self.deadline = threading.Timer(STOP_SECONDS, _give_up)
        self.deadline.daemon = True

    async def run(self) -> ExitCode:
        """Run the accounts until SIGTERM or SIGINT; raise `ConfigError` if there is none to run."""
        self._config = self.load()
        accounts = self._wanted(self._config)
        self._timetable = Timetable(self._on_jump)
        running = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, self._on_end)
        running.add_signal_handler(signal.SIGHUP, self._on_reload)
        for account in accounts:
            await self._keep(account)
        self._timetable.start()
        self._timetable.every("tidy", TIDY_SECONDS, self._on_tidy, spread=3600)
        control = asyncio.create_task(keep_running(self._control, self._on_fault))
        greeting = asyncio.create_task(self._greet())
        try:
            await self._ending.wait()
        finally:
            self.manager.stopping()
            self.manager.status("ending")
            self._timetable.stop()
            for task in (control, greeting):
                task.cancel()
            await self._end_all()
        return ExitCode.IN_SYNC

    # accounts

    def _wanted(self, config: Config) -> list[AccountConfig]:
        found = []
        for account in App(config).named_only(self.names):
            if not account.kinds:
                _log.warning("%s: nothing to synchronize", account.name)
                continue
            found.append(account)
        if not found:
            raise ConfigError([f"{config.path} has no account that can be synchronized."])
        return found

    async def _keep(self, account: AccountConfig) -> None:
        config = self._config
        meter = Meter()
        daemon = config.daemon
        loop = AccountLoop(
            account.name,
            partial(open_account, account, config.safety, list(account.kinds.values()), meter),
            Settings(push=daemon.push, debounce=daemon.settle, full=daemon.full),
            meter,
            partial(self._after, account.name),
            partial(self._on_success, account),
            partial(report_crash, folder=account.state_dir),
            self._on_state_change,
        )
        doors = AsyncExitStack()
        try:
            await doors.enter_async_context(answering(account.state_dir, partial(self._answer, loop)))
        except OSError as error:
            _log.warning("%s: `sync` and `status` cannot reach this daemon: %s.", account.name, error.strerror)
        task = asyncio.create_task(keep_running(loop.run, partial(loop.note_fault, LOOP)), name=account.name)
        self._kept[account.name] = _Kept(account, loop, task, doors, store_of(account).version())
        poll = partial(loop.tick, "time to poll")
        self._timetable.every(f"poll {account.name}", daemon.poll, poll, spread=daemon.poll * SPREAD)
        audit = partial(loop.tick, "time for a full sync", full=True)
        self._timetable.every(f"full {account.name}", daemon.full, audit, spread=daemon.full * SPREAD)

    async def _release(self, name: str) -> None:
        kept = self._kept.pop(name)
        for job in ("poll", "full"):
            self._timetable.drop(f"{job} {name}")
        kept.task.cancel()
        await asyncio.wait([kept.task], timeout=STOP_SECONDS)
        await kept.doors.aclose()

    async def _end_all(self) -> None:
        tasks = [kept.task for kept in self._kept.values()]
        for task in [*tasks, *self._background]:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for kept in self._kept.values():
            await kept.doors.aclose()

    async def _keep_shared(self) -> None:
        """Run the shared accounts that the runs of their logins found since they were last looked up, as they are by now."""
        if self._reloading.locked():
            return  # the next round does it, and this one goes on feeding the watchdog
        async with self._reloading:
            for login in [kept for kept in self._kept.values() if kept.account.shared and kept.loop.runs != kept.runs]:
                login.runs = login.loop.runs
                for account in await complete(shared_accounts, login.account):
                    kept = self._kept.get(account.name)
                    if kept is not None and kept.account != account:
                        await self._release(account.name)
                    if account.name not in self._kept:
                        await self._keep(account)

    # what happens

    def _on_end(self) -> None:
        if self._ending.is_set():
            os._exit(ExitCode.FAILED)
        self.deadline.start()
        self._ending.set()

    def _on_reload(self) -> None:
        self._do(self._reload())

    def _on_jump(self, what: str) -> None:
        _log.info("%s; checking everything that may have changed", what)
        for kept in self._kept.values():
            kept.loop.tick(what, renew=True)

    def _on_tidy(self) -> None:
        for kept in self._kept.values():
            tidy(kept.account.state_dir)

    def _on_state_change(self, loop: AccountLoop) -> None:
        level = logging.WARNING if loop.state in {*_TROUBLE, AccountState.TROUBLE} else logging.INFO
        _log.log(level, "%s: %s", loop.name, f"{loop.state}{f': {loop.why}' if loop.why else ''}")
        if loop.state in _TROUBLE:
            self._do(run_on_trouble(self._config.hooks, loop.name, loop.why))

    async def _after(self, name: str, report: AccountReport) -> None:
        """Run the hooks for a run that changed something."""
        conflicts = sum(kind.conflicts for kind in report.kinds.values())
        if conflicts > self._conflicts.get(name, 0):
            message = f"{counted(conflicts, 'version')} lost a conflict; see: {command('conflicts')}"
            self._do(run_on_trouble(self._config.hooks, name, message))
        self._conflicts[name] = conflicts
        kept = self._kept.get(name)
        if await run_after_sync(self._config.hooks, report) and kept is not None and _has_tags(kept.account):
            kept.loop.hints.touch("the tags of notmuch", by_hook=True)

    def _on_success(self, account: AccountConfig, report: AccountReport) -> None:
        """Run `on_success` beside further runs; one that still runs when the next is due is not joined by another."""
        hooks = self._config.hooks
        if hooks.on_success and len(report.kinds) == len(account.kinds) and account.name not in self._busy_hooks:
            self._do(self._run_on_success(hooks, account, report))

    async def _run_on_success(self, hooks: HooksConfig, account: AccountConfig, report: AccountReport) -> None:
        self._busy_hooks.add(account.name)
        try:
            await run_on_success(hooks, report, account.state_dir, self._config.daemon.poll)
        finally:
            self._busy_hooks.discard(account.name)

    def _do(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job in the background, and log its failure."""
        # The job itself is the task: one that is cancelled before it begins closes it, and would not close what it awaits.
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        """Log the failure of a job: it must not end the accounts, nor be silent."""
        self._background.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, JmapsyncError):
            _log.warning("%s", error)
        elif isinstance(error, Exception):
            self._on_fault(error)

    def _on_fault(self, error: Exception) -> None:
        """Report a bug outside of any account, and add it to the status of each."""
        crash: JmapsyncError | None = None
        for kept in self._kept.values():
            crash = crash or report_crash(error, kept.account.state_dir)
            kept.loop.note_fault("the daemon", crash)

    async def _reload(self) -> None:
        """Read the configuration again; an invalid one is logged, and the old one stays."""
        async with self._reloading:
            if self._is_up:
                self.manager.reloading()
            try:
                config = self.load()
                accounts = {account.name: account for account in self._wanted(config)}
            except JmapsyncError as error:
                self._unread = "The configuration was not changed: " + str(error).replace("\n", "; ")
                _log.error("%s", self._unread)
            else:
                self._unread = ""
                await self._change_to(config, accounts)
                _log.info("The configuration was read again.")
            if self._is_up:
                self.manager.ready()

    async def _change_to(self, config: Config, accounts: dict[str, AccountConfig]) -> None:
        same = all(getattr(config, part) == getattr(self._config, part) for part in ("daemon", "safety", "hooks"))
        self._config = config
        wanted = accounts | {one.name: one for account in accounts.values() for one in shared_accounts(account)}
        for name, kept in list(self._kept.items()):
            if not same or wanted.get(name) != kept.account or kept.loop.state is AccountState.SIGN_IN:
                await self._release(name)
        for name, account in accounts.items():
            if name not in self._kept:
                await self._keep(account)

    # the control task

    async def _greet(self) -> None:
        """Notify that the daemon is ready once every account was synchronized, or could not be."""
        for kept in list(self._kept.values()):
            await kept.loop.first_run.wait()
        self._is_up = True
        self.manager.ready()

    async def _control(self) -> None:
        """Watch the clocks, feed the watchdog, and update the status line."""
        while True:
            self._timetable.watch_clocks()
            self._notice_sign_ins()
            await self._keep_shared()
            stuck = [name for name, kept in self._kept.items() if kept.loop.is_stuck()]
            if stuck:
                _log.error("%s: no progress for a long time; the watchdog is no longer fed", ", ".join(stuck))
            else:
                self.manager.alive()
            self.manager.status("; ".join(filter(None, [*(self._line(kept) for kept in self._kept.values()), self._unread])))
            period = min(CONTROL_SECONDS, self.manager.watchdog / 3 or CONTROL_SECONDS)
            await asyncio.sleep(period)

    def _notice_sign_ins(self) -> None:
        """Try again at once where a person signed in, by `jmapsync login`."""
        for kept in self._kept.values():
            version = store_of(kept.account).version()
            if version == kept.sign_in or kept.loop.state in {AccountState.STARTING, AccountState.AT_WORK}:
                continue  # a run at work may have read what was stored before
            kept.sign_in = version
            if kept.loop.state in {AccountState.SIGN_IN, AccountState.TROUBLE}:
                kept.loop.hints.wake("somebody signed in")

    def _line(self, kept: _Kept) -> str:
        loop = kept.loop
        words = f"{loop.name}: {loop.state}"
        for one in loop.meter.to_json():
            words += f", {described(one)}"
        if loop.state is AccountState.AT_WORK and loop.meter.waits is not None:
            words += f" ({loop.meter.waits['why']})"
        return f"{words} ({loop.why})" if loop.why and loop.state is not AccountState.AT_WORK else words

    # what is asked

    async def _answer(self, loop: AccountLoop, ask: Ask) -> Answer:
        if ask.do == "sync":
            options = Options(full=ask.full, allow_deletes=ask.allow_deletes, kinds=frozenset(ask.kinds))
            try:
                return Answer(report=await loop.request(options, by_hook=ask.by_hook))
            except asyncio.CancelledError:
                return Answer(error="The daemon is ending.")
        if ask.do == "restore":
            return await self._restore(loop, ask)
        return Answer(state=self._state(loop))

    async def _restore(self, loop: AccountLoop, ask: Ask) -> Answer:
        """Restore items with the open account; they may be those of another account."""
        try:
            [account] = App(self._config).named_only([ask.account])
            sources = sources_of(account, [config for name, config in account.kinds.items() if name in ask.kinds], ask.paths)
            return Answer(restored=await loop.run_task(partial(restore_opened, account, sources)))
        except asyncio.CancelledError:
            return Answer(error="The daemon is ending.")
        except JmapsyncError as error:
            report = AccountReport(loop.name, error=str(error), exit_code=error.exit_code)
            return Answer(restored=[(kind, report, None) for kind in ask.kinds[:1]])

    def _state(self, loop: AccountLoop) -> dict[str, Any]:
        due, now = loop.hints.due, asyncio.get_running_loop().time()
        poll, full = self._timetable.due(f"poll {loop.name}"), self._timetable.due(f"full {loop.name}")
        if loop.state is AccountState.SIGN_IN:  # no poll asks for anything before the next attempt, see `AccountLoop.tick`
            poll = full = datetime.now(UTC) + timedelta(seconds=max(0.0, due - now)) if due is not None else None
        push, watch = loop.push, loop.watch
        return {
            "standing": loop.state.value,
            "why": loop.why,
            "process": os.getpid(),
            "looks": loop.runs,
            "looked_at": loop.last_run_at,
            "look_due_in": max(0.0, round(due - now, 1)) if due is not None else None,
            "next_poll": poll.isoformat() if poll else None,
            "next_full": full.isoformat() if full else None,
            "push": {"mode": push.mode, "connected": push.connected, "why": push.why, "since": push.since} if push else None,
            "watch": {"mode": watch.mode.value, "why": watch.why} if watch else None,
            "progress": loop.meter.to_json(),
            "waiting": loop.meter.waits if loop.state is AccountState.AT_WORK else None,
            "faults": [f"{what}: {why}" for what, why in loop.faults.items()],
        }


def _has_tags(account: AccountConfig) -> bool:
    return account.mail is not None and account.mail.notmuch is not None


def _give_up() -> None:
    _log.warning("Something did not end in time; the next start continues it.")
    logging.shutdown()
    os._exit(ExitCode.IN_SYNC)  # as safe as any crash
