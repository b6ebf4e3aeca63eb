"""Run the accounts of a configuration: the one place that builds the adapters and wires them together."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from jmapsync.app.dry_run import check_roots, check_state
from jmapsync.app.hook import INSIDE, run_after_sync
from jmapsync.app.state_paths import may_have_daemon
from jmapsync.app.unsupported_config import missing_for_kind, possible_kinds
from jmapsync.config.reader import nearest
from jmapsync.errors import BusyError, ConfigError, ExitCode, JmapsyncError
from jmapsync.sync.options import Options
from jmapsync.sync.report import AccountReport, KindReport, RunReport, Silent, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.app.checkup import Checkup
    from jmapsync.app.conflicts import ConflictCopies
    from jmapsync.app.health import AccountHealth
    from jmapsync.app.restoring import Restoration
    from jmapsync.backup.verify import Proof
    from jmapsync.config import AccountConfig, Config, KindConfig
    from jmapsync.sync.report import Progress


class App:
    """Everything that can be done with one configuration."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration; nothing is touched yet."""
        self.config = config

    def select(self, names: Sequence[str] = ()) -> list[AccountConfig]:
        """Return the accounts of some names, all of them for none; raise `ConfigError` that names every unknown one."""
        accounts = self.config.accounts
        unknown = [name for name in dict.fromkeys(names) if name not in accounts]
        if unknown:
            raise ConfigError([self._unknown(name) for name in unknown])
        return [accounts[name] for name in dict.fromkeys(names or accounts)]

    def _unknown(self, name: str) -> str:
        known = list(self.config.accounts)
        guess = nearest(name, known)
        hint = f"did you mean {guess!r}?" if guess else f"The accounts are: {', '.join(known)}."
        return f"There is no account {name!r} in {self.config.path}{'; ' if guess else '. '}{hint}"

    async def sync(
        self,
        names: Sequence[str] = (),
        kinds: Sequence[str] = (),
        *,
        dry_run: bool = False,
        full: bool = False,
        allow_deletes: bool = False,
        progress: Progress | None = None,
    ) -> RunReport:
        """Synchronize accounts concurrently; one that fails never blocks another.

        `kinds` narrows what is done, none means all that are configured. Raise `ConfigError` for an unknown account, or a kind
        that no selected account has.
        """
        accounts = self.select(names)
        wanted = {account.name: [kind for kind in account.kinds if not kinds or kind in kinds] for account in accounts}
        if not any(wanted.values()):
            what = f"no kind {' or '.join(kinds)}" if kinds else "nothing to synchronize; add a table such as [accounts.NAME.mail]"
            raise ConfigError([f"{' and '.join(wanted)} {'have' if len(wanted) > 1 else 'has'} {what}."])
        options = Options(full=full, dry=dry_run, allow_deletes=allow_deletes)
        reports = await asyncio.gather(
            *(
                self._sync_safely(account, wanted[account.name], options, progress or Silent())
                for account in accounts
                if wanted[account.name]
            )
        )
        return RunReport({report.name: report for report in reports})

    async def _sync_safely(
        self,
        account: AccountConfig,
        kinds: Sequence[str],
        options: Options,
        progress: Progress,
    ) -> AccountReport:
        """Synchronize one account; every failure becomes part of its report."""
        started = time.monotonic()
        missing = {kind: missing_for_kind(account, kind) for kind in kinds}
        report = AccountReport(account.name)
        try:
            if possible := [account.kinds[kind] for kind, reason in missing.items() if not reason]:
                handed = None if options.dry else await self._hand_over(account, [kind.kind for kind in possible], options)
                report = handed or await self._run(account, possible, options, progress)
                if not options.dry and handed is None and await run_after_sync(self.config.hooks, report):
                    await self._sync_tags(account, report, progress)
        except JmapsyncError as error:
            report.error, report.exit_code = str(error), error.exit_code
        except Exception as error:  # noqa: BLE001  # a bug met in one account must not end the others
            from jmapsync.app.crash import report_crash  # noqa: PLC0415  # rarely needed

            crash = report_crash(error, account.state_dir)
            report.error, report.exit_code = str(crash), crash.exit_code
        for kind, reason in missing.items():
            if reason:
                report.kinds[kind] = KindReport(messages=[reason])
                report.kinds[kind].fail(reason, ExitCode.USAGE, State.SKIPPED)
        report.fail_unseen(kinds)
        report.seconds = time.monotonic() - started
        return report

    async def _run(
        self, account: AccountConfig, kinds: Sequence[KindConfig], options: Options, progress: Progress
    ) -> AccountReport:
        from jmapsync.app.wiring import open_account  # noqa: PLC0415  # the HTTP library costs 100 ms

        if options.dry:
            check_state(account.state_dir)
        async with open_account(account, self.config.safety, kinds, progress, dry=options.dry) as opened:
            report = await opened.run(options)
        if options.dry:
            check_roots(kinds, report)
        return report

    async def _sync_tags(self, account: AccountConfig, report: AccountReport, progress: Progress) -> None:
        """Synchronize the tags that the hook changed: notmuch indexes new messages first, and only then can they be tagged."""
        before = report.kinds.get("mail")
        if account.mail is None or account.mail.notmuch is None or before is None or before.state is not State.SYNCED:
            return
        later = await self._run(account, [account.mail], Options(disk_only=True, folders=frozenset()), progress)
        report.kinds["mail"] = before.followed_by(later.kinds["mail"])
        report.requests, report.bytes = report.requests + later.requests, report.bytes + later.bytes

    async def _hand_over(self, account: AccountConfig, kinds: Sequence[str], options: Options) -> AccountReport | None:
        """Let the daemon do the run if one holds the account, and return what it did of some kinds; its hooks are its own."""
        if not may_have_daemon(account.state_dir):
            return None
        from jmapsync.app.control import Ask, ask  # noqa: PLC0415  # most runs meet no daemon

        question = Ask(
            "sync", full=options.full, allow_deletes=options.allow_deletes, kinds=tuple(kinds), by_hook=INSIDE in os.environ
        )
        answer = await ask(account.state_dir, question)
        if answer is None:
            return None
        if answer.report is None:
            raise BusyError(answer.error or "The daemon gave no report.", advice="Try again.")
        answer.report.kinds = {kind: report for kind, report in answer.report.kinds.items() if kind in kinds}
        return answer.report

    async def verify(
        self, names: Sequence[str] = (), *, progress: Progress | None = None
    ) -> dict[str, tuple[AccountReport, dict[str, Proof]]]:
        """Prove the mirrors of accounts complete; nothing is written, here or there, and no lock is taken."""
        from jmapsync.app.wiring import open_account  # noqa: PLC0415  # the HTTP library costs 100 ms

        found: dict[str, tuple[AccountReport, dict[str, Proof]]] = {}
        for account in self.select(names):
            started, report = time.monotonic(), AccountReport(account.name)
            proofs: dict[str, Proof] = {}
            try:
                kinds = possible_kinds(account)
                async with open_account(account, self.config.safety, kinds, progress or Silent(), dry=True) as opened:
                    report, proofs = await opened.verify()
            except JmapsyncError as error:
                report.error, report.exit_code = str(error), error.exit_code
            report.seconds = time.monotonic() - started
            found[account.name] = (report, proofs)
        return found

    async def restore(
        self,
        name: str | None,
        paths: Sequence[str] = (),
        *,
        kind: str | None = None,
        into: str | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Restoration:
        """Put mirrored items of an account back on its server, or into another account.

        Without `name` there has to be one account only. Raise `ConfigError` for what there is not, `BusyError` and whatever
        else reaching the server raises.
        """
        from jmapsync.app.restoring import Restoration, hand_over, restore  # noqa: PLC0415  # the HTTP library costs 100 ms
        from jmapsync.app.sources import sources_of  # noqa: PLC0415

        account, paths = self._meant(name, paths)
        [target] = self.select([into]) if into is not None else [account]
        wanted = [one for one in account.kinds if kind in {None, one}]
        missing = {one: missing_for_kind(account, one) for one in wanted}
        possible = [account.kinds[one] for one in wanted if not missing[one]]
        if not wanted:
            raise ConfigError([f"{account.name} has no kind {kind}." if kind else f"{account.name} has nothing to restore."])
        found = Restoration(target.name, [reason for reason in missing.values() if reason])
        if possible:
            sources = sources_of(account, possible, paths)
            handed = None if dry_run else await hand_over(account, target, possible, paths)
            if handed is not None:
                found.results = handed
            else:
                found.results = await restore(account, target, self.config.safety, sources, progress or Silent(), dry=dry_run)
        return found

    def _meant(self, name: str | None, paths: Sequence[str]) -> tuple[AccountConfig, Sequence[str]]:
        """Return the account whose items are meant, and paths: a name that is no account's is the first of them."""
        accounts = self.config.accounts
        if name is None or (name not in accounts and ("/" in name or os.path.lexists(name))):
            paths, name = ((*([name] if name is not None else []), *paths)), next(iter(accounts), None)
            if len(accounts) != 1 or name is None:
                raise ConfigError([f"Say which account is meant: {', '.join(accounts)}."])
        return self.select([name])[0], paths

    async def check(self, names: Sequence[str] = ()) -> list[Checkup]:
        """Reach the servers and return what they offer; nothing is changed on either side."""
        from jmapsync.app.checkup import check_account  # noqa: PLC0415  # the HTTP library costs 100 ms
        from jmapsync.app.preview import foretell, unclaimed_files  # noqa: PLC0415  # a run needs none of it

        accounts = self.select(names)
        found = list(await asyncio.gather(*(check_account(account) for account in accounts)))
        for account, one in zip(accounts, found, strict=True):
            files = unclaimed_files(account.mail) if one.exit_code is ExitCode.IN_SYNC else 0
            if account.mail is not None and files:
                report = await self._sync_safely(account, ["mail"], Options(dry=True), Silent())
                one.adoption = foretell(account.mail.path, files, report)
        return found

    async def status(self, names: Sequence[str] = ()) -> list[AccountHealth]:
        """Return the state of accounts from their ledgers and daemons; works while another process writes."""
        from jmapsync.app.health import read_health  # noqa: PLC0415  # a run needs none of it

        return list(await asyncio.gather(*(read_health(account) for account in self.select(names))))

    def conflict_copies(self, names: Sequence[str] = ()) -> list[ConflictCopies]:
        """Return the conflict copies of accounts: versions that lost a conflict."""
        from jmapsync.app.conflicts import ConflictCopies  # noqa: PLC0415  # a run needs none of it

        return [ConflictCopies(account) for account in self.select(names)]

    def mailboxes(self, names: Sequence[str] = (), *, named: bool = False) -> list[str]:
        """Return configuration lines that name the mirrored folders to a mail reader."""
        from jmapsync.app.mutt import folder_lines  # noqa: PLC0415  # a run needs none of it

        several = len(self.config.accounts) > 1
        return [line for account in self.select(names) for line in folder_lines(account, named=named, prefixed=several)]
