"""Read the state of accounts from their ledgers: last runs, counts, problems; works while another process writes."""

from __future__ import annotations

import fcntl
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.ledger_check import checking_ledger
from jmapsync.app.seen import read_seen, seen_to_json
from jmapsync.app.state_paths import LEDGER, LOCK, OUTBOX, RUN_SOCKET, SEEN, SOCKET
from jmapsync.daemon.account_state import AccountState
from jmapsync.errors import BusyError, ExitCode, JmapsyncError, LocalError
from jmapsync.ledger import Summary
from jmapsync.ledger.pending import success_of
from jmapsync.storage.files.access import trouble_with
from jmapsync.sync.report import Problem, counted, worst

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jmapsync.app.daemon_socket import Question
    from jmapsync.config import AccountConfig

_PATIENCE = 5.0
"""Seconds that the daemons have to answer."""
_SPARING = 200.0
"""How many times as long as it took to read a ledger `HealthWatch` waits before it reads it again."""
_KILLED = "the last run did not end: it was killed, the machine stopped, or its end could not be recorded"
SILENT = "The process that holds the account does not answer."
_LIVE: dict[str, ExitCode] = {
    AccountState.SIGN_IN: ExitCode.SIGN_IN,
    AccountState.TROUBLE: ExitCode.FAILED,
    AccountState.SUSPENDED: ExitCode.SUSPENDED,
}
"""The exit code of an account's state in the daemon."""


class KindHealth(Struct):
    """The state of one kind of an account."""

    last_run: datetime | None = None
    """In UTC; None before the first."""
    last_state: str = ""
    """How that run ended: synced, suspended, failed, skipped; nothing before the first."""
    last_attempt: datetime | None = None
    """When the last run began, however it ended."""
    last_success: datetime | None = None
    """When a run last came to its end."""
    last_code: ExitCode = ExitCode.IN_SYNC
    why: str = ""
    """Why the last attempt was no success."""
    unfinished: bool = False
    """Whether the last attempt began and has not ended."""
    here: int = 0
    on_server: int = 0
    waiting: int = 0
    """Items whose sides did not agree when last observed."""
    conflicts: int = 0
    problems: list[Problem] = []
    suspended: str = ""
    """Why the guard suspended the plan."""
    detached: list[str] = []
    """Paths of folders that stay on the disk although the patterns exclude them."""
    withdrawn: list[str] = []
    """Paths of folders that are no longer shared, and stay as they are."""

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of this state."""
        codes = [ExitCode.IN_SYNC]
        if self.suspended:
            codes.append(ExitCode.SUSPENDED)
        if self.last_code is not ExitCode.QUARANTINED:  # what is quarantined is counted by what is there now
            codes.append(self.last_code)
        if self.problems or self.conflicts:
            codes.append(ExitCode.QUARANTINED)
        return worst(codes)

    @property
    def reason(self) -> str:
        """Return why the exit code is not 0, in words."""
        waiting = [
            f"{counted(len(self.problems), 'item')} quarantined" if self.problems else "",
            counted(self.conflicts, "conflict copy", "conflict copies") if self.conflicts else "",
        ]
        return self.suspended or self.why or ", ".join(one for one in waiting if one)

    def to_json(self) -> dict[str, Any]:
        """Return the object of `status --json`."""
        return {
            "last_attempt": _iso(self.last_attempt),
            "last_success": _iso(self.last_success),
            "reason": self.reason or None,
            "exit_code": int(self.exit_code),
            "last_run": _iso(self.last_run),
            "last_state": self.last_state or None,
            "here": self.here,
            "on_server": self.on_server,
            "waiting": self.waiting,
            "conflicts": self.conflicts,
            "problems": [{"item": one.item, "why": one.why} for one in self.problems],
            "suspended": self.suspended or None,
            "detached": self.detached,
            "withdrawn": self.withdrawn,
        }


class AccountHealth(Struct):
    """The state of one account."""

    name: str
    running: bool = False
    """Whether another process is working on it now."""
    kinds: dict[str, KindHealth] = {}
    outbox: list[Problem] = []
    """Messages that wait to be sent, and why."""
    scheduled: list[Problem] = []
    """Messages that are to be sent later, and when."""
    unconfirmed: list[Problem] = []
    """Messages whose time has passed and of which the server has no record any more."""
    seen: dict[str, Any] = {}
    """What was last read of the quotas and the vacation reply."""
    error: str = ""
    error_code: ExitCode = ExitCode.IN_SYNC
    live: dict[str, Any] | None = None
    """What the daemon of the account reports; None without a daemon."""
    run: dict[str, Any] | None = None
    """How far a run of `sync` is: its process, and what it does; None without one."""
    is_silent: bool = False
    """Whether the process that holds the account does not answer."""

    @property
    def progress(self) -> list[dict[str, Any]]:
        """Return what is under way, in the daemon or in a run."""
        found: list[dict[str, Any]] = (self.live or self.run or {}).get("progress", [])
        return found

    @property
    def waiting(self) -> str:
        """Return since when, and for what, the daemon or a run waits in the middle of a run; nothing while it does not."""
        found = (self.live or self.run or {}).get("waiting")
        return f"since {datetime.fromtimestamp(found['since']).astimezone():%H:%M:%S}: {found['why']}" if found else ""

    @property
    def exit_code(self) -> ExitCode:
        """Return the most severe code."""
        codes = [self.error_code, *(kind.exit_code for kind in self.kinds.values())]
        if self.live is not None:
            codes.append(_LIVE.get(self.live["standing"], ExitCode.IN_SYNC))
        if self.waiting or self.is_silent:
            codes.append(ExitCode.FAILED)
        if self.outbox:
            codes.append(ExitCode.QUARANTINED)
        return worst(codes)

    @property
    def reason(self) -> str:
        """Return why the exit code is not 0, in words."""
        live = str(self.live["why"]) if self.live is not None and self.live["standing"] in _LIVE else ""
        kinds = [kind.reason for kind in self.kinds.values() if kind.exit_code and kind.reason]
        waiting = f"{counted(len(self.outbox), 'message')} to be sent" if self.outbox else ""
        halted = SILENT if self.is_silent else self.waiting
        return self.error or live or halted or " ".join(dict.fromkeys(kinds)) or waiting

    def to_json(self) -> dict[str, Any]:
        """Return the object of `status --json`."""
        attempts = [kind.last_attempt for kind in self.kinds.values() if kind.last_attempt is not None]
        successes = [kind.last_success for kind in self.kinds.values()]
        complete = [one for one in successes if one is not None]
        body: dict[str, Any] = {
            "last_attempt": _iso(max(attempts, default=None)),
            "last_success": _iso(min(complete, default=None)) if len(complete) == len(successes) else None,
            "reason": self.reason or None,
            "exit_code": int(self.exit_code),
            "running": self.running,
            "next_look": self.live["next_poll"] if self.live is not None else None,
            "daemon": self.live,
            "run": self.run,
            "kinds": {name: kind.to_json() for name, kind in self.kinds.items()},
            "outbox": [{"item": one.item, "why": one.why} for one in self.outbox],
            "scheduled": [{"item": one.item, "why": one.why} for one in self.scheduled],
            "unconfirmed": [{"item": one.item, "why": one.why} for one in self.unconfirmed],
            **seen_to_json(self.seen),
        }
        if self.error:
            body["error"] = self.error
        return body


def read_health(accounts: Sequence[AccountConfig]) -> list[AccountHealth]:
    """Return the state of accounts, from their ledgers and their daemons; nothing is written, not even a migration."""
    return [_read_stored(account, live) for account, live in zip(accounts, _read_live(accounts), strict=True)]


class HealthWatch:
    """Reads the state of accounts again and again, and the ledgers only where they changed, and seldom where that takes long."""

    def __init__(self, accounts: Sequence[AccountConfig]) -> None:
        """Read nothing yet."""
        self._accounts = accounts
        self._known: dict[str, tuple[object, float, AccountHealth]] = {}
        """By account: the time stamps and sizes of its files, when they may be read again, and what was read of them."""

    def read(self) -> list[AccountHealth]:
        """Return what `read_health` does."""
        live = _read_live(self._accounts)
        return [self._read(account, one) for account, one in zip(self._accounts, live, strict=True)]

    def _read(self, account: AccountConfig, live: AccountHealth) -> AccountHealth:
        stamp = (live.running, *(_stamp(account.state_dir / name) for name in (LEDGER, f"{LEDGER}-wal", OUTBOX, SEEN)))
        before, due, known = self._known.get(account.name, (None, 0.0, live))
        if stamp != before and time.monotonic() >= due:
            began = time.process_time()
            known = _read_stored(account, live)
            due = time.monotonic() + (time.process_time() - began) * _SPARING
            self._known[account.name] = (stamp, due, known)
        return replace(known, running=live.running, live=live.live, run=live.run, is_silent=live.is_silent)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found.st_size else None  # reading makes an empty write-ahead log


def _read_live(accounts: Sequence[AccountConfig]) -> list[AccountHealth]:
    """Return of each account what the process that holds it reports; all are asked before any has to answer."""
    asked = [_ask(account) for account in accounts]
    ending = time.monotonic() + _PATIENCE
    return [_answered(account, question, ending) for account, question in zip(accounts, asked, strict=True)]


def _ask(account: AccountConfig) -> Question | None:
    """Ask the daemon of an account how things are, or a run how far it is; None if neither is there.

    A daemon that waits to try again lets the account's lock go, but answers.
    """
    for name in (SOCKET, RUN_SOCKET):
        if os.path.exists(account.state_dir / name):
            from jmapsync.app.daemon_socket import Question  # noqa: PLC0415  # most accounts have no daemon

            question = Question(account.state_dir, {"do": "status"}, name)
            if question.is_sent:
                return question
    return None


def _answered(account: AccountConfig, question: Question | None, ending: float) -> AccountHealth:
    health = AccountHealth(account.name, running=_is_locked(account.state_dir / LOCK))
    if question is not None:
        try:
            state = question.answer(ending - time.monotonic()).get("state")
        except BusyError:
            health.is_silent = _is_locked(account.state_dir / LOCK)  # else it has ended
            return health
        if isinstance(state, dict):
            health.live, health.run = (state, None) if "standing" in state else (None, state)
    return health


def _read_stored(account: AccountConfig, health: AccountHealth) -> AccountHealth:
    """Add what the files of an account's state directory say."""
    health.seen = read_seen(account.state_dir)
    for kind in account.kinds:
        health.kinds[kind] = KindHealth()
    try:
        if os.path.exists(account.state_dir / OUTBOX):
            from jmapsync.app.sending import outbox_of, scheduled_in, unconfirmed_in, waiting_in  # noqa: PLC0415  # most accounts have none

            outbox = outbox_of(account)
            health.outbox, health.scheduled, health.unconfirmed = waiting_in(outbox), scheduled_in(outbox), unconfirmed_in(outbox)
        with checking_ledger(account.state_dir):
            _read_ledger(health, account.state_dir / LEDGER)
        if why := trouble_with(account.state_dir):
            raise LocalError(f"The state folder {account.state_dir} cannot be written: {why}.")
    except JmapsyncError as error:
        health.error, health.error_code = str(error), error.exit_code
        for found in health.kinds.values():
            found.last_state, found.last_code, found.why = "failed", error.exit_code, str(error)
    return health


def _read_ledger(health: AccountHealth, path: Path) -> None:
    ledger = Summary.open_readonly(path)
    if ledger is None:
        return
    try:
        runs = ledger.runs()
        for kind, found in health.kinds.items():
            _fill(found, kind, ledger, runs, running=health.running)
    finally:
        ledger.close()


def _fill(found: KindHealth, kind: str, ledger: Summary, runs: dict[str, tuple[int, dict[str, Any]]], *, running: bool) -> None:
    if kind in runs:
        _fill_runs(found, *runs[kind], running=running)
    found.here, found.on_server, found.waiting = ledger.counts(kind)
    found.conflicts = len(ledger.conflict_copies(kind))
    found.problems = [Problem(held.item, held.why) for held in ledger.problems(kind)]
    found.detached = ledger.left_alone(kind)
    found.withdrawn = ledger.withdrawn(kind)
    suspension = ledger.suspension(kind)
    found.suspended = suspension.message if suspension else ""


def _fill_runs(found: KindHealth, at: int, report: dict[str, Any], *, running: bool) -> None:
    """Fill in what is known of the last attempts; one that has not ended although no process holds the lock was killed."""
    succeeded = success_of(at, report)
    found.last_attempt = datetime.fromtimestamp(report.get("began", at) or at, UTC)
    found.last_success = datetime.fromtimestamp(succeeded, UTC) if succeeded is not None else None
    found.unfinished = report.get("ended", at) is None
    if "state" in report:
        found.last_run, found.last_state = datetime.fromtimestamp(at, UTC), str(report["state"])
        found.last_code = ExitCode(report.get("exit_code", ExitCode.FAILED if report["state"] == "failed" else ExitCode.IN_SYNC))
        found.why = str(report.get("reason", "")) if found.last_code not in {ExitCode.IN_SYNC, ExitCode.QUARANTINED} else ""
    if found.unfinished and not running:
        found.last_run, found.last_state = found.last_attempt, "failed"
        found.last_code, found.why = ExitCode.FAILED, _KILLED


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _is_locked(path: Path) -> bool:
    """Return whether a process holds the account's lock; nothing is created."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
