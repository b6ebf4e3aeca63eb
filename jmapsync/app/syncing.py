"""Synchronize accounts: by the daemon that holds one, else in this process."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import may_have_daemon
from jmapsync.errors import BusyError, ExitCode, JmapsyncError, SignInError
from jmapsync.sync.options import Options
from jmapsync.sync.report import AccountReport, RunReport, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jmapsync.app.daemon_socket import Question
    from jmapsync.config import AccountConfig, Config, KindConfig
    from jmapsync.sync.report import Progress

    Wanted = Sequence[tuple[AccountConfig, list[str]]]

_STILL = 2.0
"""Seconds after which the daemon is asked what keeps it."""
_SILENT = 10.0
"""Seconds that it has to say so."""
INSIDE = "JMAPSYNC_IN_HOOK"
"""Set for a hook, so that one which synchronizes (notmuch's post-new often does) does not call itself for ever."""


def sync_or_hand_over(config: Config, wanted: Wanted, options: Options, progress: Progress) -> RunReport:
    """Let daemons synchronize the accounts that they hold, and synchronize the others here at the same time.

    Where daemons hold all of them, neither the event loop nor the client, the planner and the ledger are imported.
    """
    started = time.monotonic()
    asked = {account.name: question for account, kinds in wanted if (question := _ask(account, kinds, options))}
    rest = [(account, kinds) for account, kinds in wanted if account.name not in asked]
    reports: dict[str, AccountReport] = {}
    if rest:
        import asyncio  # noqa: PLC0415  # 25 ms

        reports = asyncio.run(sync_here(config, rest, options, progress))
    for account, kinds in wanted:
        if account.name in asked:
            attempt = _Attempt(account, kinds, started)
            with attempt.reporting():
                _await_answer(asked[account.name], account, progress)
                attempt.report = _answer(asked[account.name], kinds)
            reports[account.name] = attempt.report
    return RunReport({name: reports[name] for name in dict.fromkeys([*(account.name for account, _ in wanted), *reports])})


def _ask(account: AccountConfig, kinds: list[str], options: Options) -> Question | None:
    """Ask the daemon that holds an account to synchronize some kinds; None where none does. Its hooks are its own.

    A dry run is made here.
    """
    if options.dry or not kinds or not may_have_daemon(account.state_dir):
        return None
    from jmapsync.app.daemon_socket import Question  # noqa: PLC0415  # most runs meet no daemon

    asked = {"full": options.full, "allow_deletes": options.allow_deletes, "kinds": kinds, "by_hook": INSIDE in os.environ}
    question = Question(account.state_dir, {"do": "sync", **asked})
    return question if question.is_sent else None


def _await_answer(question: Question, account: AccountConfig, progress: Progress) -> None:
    """Wait until the daemon answers; say once what keeps it from that: it waits for the server, or is silent itself."""
    from jmapsync.app.daemon_socket import Question  # noqa: PLC0415  # as above

    said = ""
    while not question.is_answered(_STILL):
        try:
            state = Question(account.state_dir, {"do": "status"}).answer(_SILENT).get("state")
        except BusyError as error:
            why = f"{error.message} Still waiting for it."
        else:
            waits = state.get("waiting") if isinstance(state, dict) else None
            why = f"The daemon waits: {waits['why']}" if waits else ""
        if why and why != said:
            progress.say(account.name, why)
        said = why


def _answer(question: Question, kinds: list[str]) -> AccountReport:
    """Return the daemon's report of some kinds. Raise `BusyError`."""
    from msgspec import ValidationError, convert  # noqa: PLC0415  # as above

    from jmapsync.app.daemon_socket import unanswered  # noqa: PLC0415

    answer = question.answer()
    if not answer.get("report"):
        raise BusyError(str(answer.get("error") or "The daemon gave no report."), advice="Try again.")
    try:
        report = convert(answer["report"], AccountReport)
    except ValidationError as error:
        raise unanswered() from error
    report.kinds = {kind: found for kind, found in report.kinds.items() if kind in kinds}
    return report


async def sync_here(config: Config, wanted: Wanted, options: Options, progress: Progress) -> dict[str, AccountReport]:
    """Synchronize accounts concurrently, those of one login one after the other; one that fails never blocks another.

    A shared account that its login finds in this run is synchronized too.
    """
    import asyncio  # noqa: PLC0415  # a run by a daemon needs none

    logins: dict[str, list[tuple[AccountConfig, list[str]]]] = {}
    for account, kinds in wanted:
        logins.setdefault(account.login.name, []).append((account, kinds))
    reports = await asyncio.gather(*(_sync_login(config, accounts, options, progress) for accounts in logins.values()))
    return {report.name: report for some in reports for report in some}


async def _sync_login(
    config: Config, wanted: list[tuple[AccountConfig, list[str]]], options: Options, progress: Progress
) -> list[AccountReport]:
    """Synchronize the accounts of one login; a secret that was refused to the first of them is not tried again for each."""
    reports: list[AccountReport] = []
    waiting = list(wanted)
    while waiting:
        account, kinds = waiting.pop(0)
        refused = next((one for one in reports if one.exit_code is ExitCode.SIGN_IN), None)
        run = _Here(config, account, options, progress)
        reports.append(await run.sync_safely(kinds, refused))
        known = {one.name for one, _ in wanted} | {one.name for one in reports}
        found = [(one, [kind for kind in kinds if kind in one.kinds]) for one in run.shared if one.name not in known]
        waiting += [(one, some) for one, some in found if some]
    return reports


class _Attempt:
    """An attempt to synchronize an account: every failure becomes part of its report."""

    def __init__(self, account: AccountConfig, kinds: Sequence[str], started: float) -> None:
        self.account = account
        self.report = AccountReport(account.name)
        self._kinds = kinds
        self._started = started

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Put whatever happens inside into the report, and complete it."""
        try:
            yield
        except JmapsyncError as error:
            self.report.error, self.report.exit_code = str(error), error.exit_code
        except Exception as error:  # noqa: BLE001  # a bug met in one account must not end the others
            from jmapsync.app.crash import report_crash  # noqa: PLC0415  # rarely needed

            crash = report_crash(error, self.account.state_dir)
            self.report.error, self.report.exit_code = str(crash), crash.exit_code
        self.report.fail_unseen(self._kinds)
        self.report.seconds = time.monotonic() - self._started


class _Here:
    """Synchronizes one account in this process."""

    def __init__(self, config: Config, account: AccountConfig, options: Options, progress: Progress) -> None:
        self.config = config
        self.account = account
        self.options = options
        self.progress = progress
        self.shared: list[AccountConfig] = []
        """The shared accounts that the run found."""

    async def sync_safely(self, kinds: Sequence[str], refused: AccountReport | None) -> AccountReport:
        """Synchronize some kinds and run the hook; every failure becomes part of the report.

        `refused` is the report of an account whose secret, which is this one's too, the server refused.
        """
        attempt = _Attempt(self.account, kinds, time.monotonic())
        with attempt.reporting():
            if refused is not None:
                raise SignInError(refused.error)
            attempt.report = await self._run([self.account.kinds[kind] for kind in kinds], self.options)
            if not self.options.dry and attempt.report.changed and self.config.hooks.after_sync:
                await self._run_hook(attempt.report)
            if not self.options.dry and self.config.hooks.on_success and len(kinds) == len(self.account.kinds):
                from jmapsync.app.hook import run_on_success  # noqa: PLC0415  # few have such a hook

                await run_on_success(self.config.hooks, attempt.report, self.account.state_dir, self.config.daemon.poll)
        return attempt.report

    async def _run(self, kinds: Sequence[KindConfig], options: Options) -> AccountReport:
        from jmapsync.app.dry_run import check_roots, check_state  # noqa: PLC0415  # only a dry run needs them
        from jmapsync.app.run_socket import answering_progress  # noqa: PLC0415  # and asyncio 25 ms
        from jmapsync.app.wiring import open_account  # noqa: PLC0415  # the HTTP library costs 100 ms
        from jmapsync.sync.progress import Both, Meter  # noqa: PLC0415

        if options.dry:
            check_state(self.account.state_dir)
        meter = Meter()
        progress = Both(self.progress, meter)
        answering = nullcontext() if options.dry else answering_progress(self.account.state_dir, meter)
        async with open_account(self.account, self.config.safety, kinds, progress, dry=options.dry) as opened, answering:
            try:
                report = await opened.run(options)
            finally:
                if opened.shared:
                    from jmapsync.app.shared import accounts_of  # noqa: PLC0415  # most accounts have none

                    self.shared = accounts_of(self.account, opened.shared)
        if options.dry:
            check_roots(kinds, report)
        return report

    async def _run_hook(self, report: AccountReport) -> None:
        """Run the hook, and synchronize the tags that it changed: notmuch indexes new messages first, then they can be tagged."""
        from jmapsync.app.hook import run_after_sync  # noqa: PLC0415  # most runs change nothing

        before = report.kinds.get("mail")
        if not await run_after_sync(self.config.hooks, report):
            return
        if self.account.mail is None or self.account.mail.notmuch is None or before is None or before.state is not State.SYNCED:
            return
        later = await self._run([self.account.mail], Options(disk_only=True, folders=frozenset()))
        report.kinds["mail"] = before.followed_by(later.kinds["mail"])
        report.requests, report.bytes = report.requests + later.requests, report.bytes + later.bytes
