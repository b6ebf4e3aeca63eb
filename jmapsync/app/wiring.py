"""Open one account, run its kinds any number of times, and close everything again."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, closing, nullcontext, suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.account import AccountRun, Sides
from jmapsync.app.identity import identified, pin_of
from jmapsync.app.invitations import note_first_run, unmailed_events
from jmapsync.app.ledger_check import checking_ledger
from jmapsync.app.memory import give_back_memory
from jmapsync.app.own_account import pins_of
from jmapsync.app.seen_refresh import ask_ahead, refresh_seen
from jmapsync.app.server_offer import OFFER, noted
from jmapsync.app.shared import SharedAccount, register, title_of
from jmapsync.app.sides import account_of, patterns_of, require, sides_of
from jmapsync.app.signin import credential_for
from jmapsync.app.state_paths import LEDGER, LOCK, OUTBOX, SPOOL
from jmapsync.config import MailConfig
from jmapsync.directories import make_private
from jmapsync.errors import AccountGoneError, ExitCode, JmapsyncError, LocalError, SuspendedError, UnsupportedError
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.jmap.traffic import shared_limit
from jmapsync.kinds import KINDS
from jmapsync.ledger import AccountLock, Ledger, Summary
from jmapsync.planner.guard import Limits
from jmapsync.storage.maildir.side import clear_spool
from jmapsync.sync.options import Options
from jmapsync.sync.report import KindReport, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from jmapsync.backup.verify import Proof
    from jmapsync.config import AccountConfig, KindConfig, NotmuchConfig, SafetyConfig
    from jmapsync.jmap.auth import Credential
    from jmapsync.sync.report import AccountReport, Progress

AUDITED = "audited"
"""The ledger's note of the last full sync, in seconds since 1970."""
SESSION = "session"
"""The ledger's note of the Session, kept so that a run with nothing to do needs no request for it."""


@asynccontextmanager
async def open_account(
    account: AccountConfig, safety: SafetyConfig, kinds: Sequence[KindConfig], progress: Progress, *, dry: bool = False
) -> AsyncIterator[OpenAccount]:
    """Take hold of an account: its lock, its ledger, its secret and a connection.

    A dry run takes no lock, makes no folder, and works on a copy of the ledger. Raise `BusyError`, `SignInError`, `LocalError`
    or `LedgerError`.
    """
    state = account.state_dir
    if not dry:
        _make_state(account)
    with checking_ledger(state), nullcontext() if dry else AccountLock(state / LOCK, account.name):
        ledger = Ledger.copy_of(state / LEDGER) if dry else Ledger.open(state / LEDGER)
        try:
            if not dry:
                clear_spool(state / SPOOL)
            async with Client(
                account.server,
                await _credential(account, ledger, kinds, dry=dry),
                trusted_hosts=account.trusted_hosts,
                bounds=Bounds(silence=account.timeout),
                rate=shared_limit(account.limit_rate),
                session=_kept_session(account, ledger),
                on_wait=lambda seconds, why: progress.say(account.name, f"Trying again in {seconds:.1f} seconds: {why}"),
            ) as client:
                limits = Limits(safety.max_deletes, safety.max_delete_percent)
                yield OpenAccount(account, kinds, limits, progress, ledger, client, dry)
        finally:
            ledger.close()


class OpenAccount(Struct):
    """An account at hand."""

    account: AccountConfig
    kinds: Sequence[KindConfig]
    limits: Limits
    progress: Progress
    ledger: Ledger
    client: Client
    dry: bool
    shared: list[SharedAccount] = []
    """The shared accounts, where the account mirrors them: as its last run found them."""

    async def session(self) -> Session:
        """Return the session, with the account named by its id from now on; raise what `Client.session` raises, and ConfigError."""
        session = await self.client.session()
        self.account = identified(self.account, self.ledger, session, dry=self.dry)
        return session

    @property
    def roots(self) -> list[Path]:
        """Return the directories to watch: the roots of the account, and those of its notmuch database."""
        tags = [_tag_folder(config.notmuch) for config in self.kinds if isinstance(config, MailConfig) and config.notmuch]
        return [*(config.path for config in self.kinds), *(folder for folder in tags if folder is not None)]

    @property
    def audited(self) -> float:
        """Return the time of the last full sync, in seconds since 1970."""
        return float(self.ledger.note(AUDITED) or 0)

    @property
    def types(self) -> frozenset[str]:
        """Return the names of the data types whose changes start a run."""
        return frozenset(name for config in self.kinds for name in KINDS[config.kind].types)

    async def account_id(self) -> str:
        """Return the server's id of the account; raise what `Client.session` raises."""
        session = await self.session()
        for config in self.kinds[:-1]:
            with suppress(UnsupportedError):  # another kind may be offered
                return account_of(config.kind, self.account, session).id
        return account_of(self.kinds[-1].kind, self.account, session).id

    async def run(self, options: Options) -> AccountReport:
        """Synchronize and return what was done.

        A failure of the whole account is part of the report, and raised if it occurs before the report is begun.
        """
        client, account = self.client, self.account
        requests, received = client.requests, client.received
        run = AccountRun(account.name, account.state_dir, self.ledger, self.limits, options, self.progress)
        if account.shared and not options.disk_only:
            client.expire_session()  # its state is the same whoever shares what on Cyrus, so only reading it shows that
        session = await self._begin(run)
        is_gone = False
        if not self.dry:
            _keep_offer(self.ledger, session)
        await ask_ahead(self._pinned(session), client, session)
        try:
            self._register(session)
            await run.run(self._sides(run, session), client.together)
            await self._skip_withdrawn(run, session)
            if not self.dry:
                note_first_run(self.ledger, run.report)
                _keep_session(self.ledger, await client.session())
                if options.full or not self.audited:
                    self.ledger.set_note(AUDITED, str(int(time.time())))
        except JmapsyncError as error:
            is_gone, why = isinstance(error, AccountGoneError), self._in_words(error)
            run.fail_unfinished([config.kind for config in self.kinds], why)
            run.report.error, run.report.exit_code, run.report.remedy = str(why), why.exit_code, why.remedy
        finally:
            # The next run asks whether it still does.
            lacking = {State.SKIPPED} if account.login_of is None else {State.SKIPPED, State.SUSPENDED}
            lacks = is_gone or any(one.state in lacking for one in run.report.kinds.values())
            if not self.dry and (client.session_changed or client.session_flawed or lacks):
                self.ledger.set_note(SESSION, "")
            if client.session_flawed or lacks:
                client.expire_session()  # the next run may be given another one under the same state
        if not self.dry and not run.report.error and not options.disk_only:
            wrote = any(kind.to_server.total for kind in run.report.kinds.values())
            await refresh_seen(self._pinned(session), client, session, full=options.full, wrote=wrote)
        run.report.requests, run.report.bytes = client.requests - requests, client.received - received
        await self._send_waiting(run.report)
        return run.report

    def _register(self, session: Session) -> None:
        """Record the shared accounts of a login, and keep the session that they go by, also where the login itself is suspended."""
        if self.account.shared:
            self.shared = register(self.account, self.ledger, session, dry=self.dry)
            if not self.dry:
                _keep_session(self.ledger, session)

    def _pinned(self, session: Session) -> AccountConfig:
        """Return the account with the id of the one that is mirrored, where the server has it."""
        pins = [] if self.account.account_id else pins_of(self.account, self.ledger)
        pinned = next((one for one in pins if one in session.accounts), "")
        return replace(self.account, account_id=pinned) if pinned else self.account

    async def _send_waiting(self, report: AccountReport) -> None:
        """Send what waits in the outbox, unless the run failed as a whole."""
        if not self.dry and not report.error and (self.account.state_dir / OUTBOX).exists():
            from jmapsync.app.sending import send_waiting  # noqa: PLC0415  # most accounts have no outbox

            await send_waiting(self.account, self.client, report)

    def _in_words(self, error: JmapsyncError) -> JmapsyncError:
        """Return a failure as it is, or that a shared account is no longer in the session with its name."""
        if self.account.login_of is None or not isinstance(error, AccountGoneError):
            return error
        return AccountGoneError(
            f"The account {title_of(self.account)} ({self.account.account_id}) is no longer shared with you.",
            advice="Nothing was deleted; it goes on when it is shared again. shared_exclude leaves it out.",
        )

    async def _skip_withdrawn(self, run: AccountRun, before: Session) -> None:
        """Say of a kind that failed because the server stopped offering it what is said where it never did.

        The Session may be one kept from an earlier run, and is then read anew in the middle of this one.
        """
        failed = [config.kind for config in self.kinds if run.report.kinds[config.kind].state is State.FAILED]
        if not failed or (session := await self.client.session()) is before:
            return
        for kind in failed:
            try:
                require(kind, self.account, session)
            except UnsupportedError as error:
                self._pass_over(run, kind, error, session)

    def _pass_over(self, run: AccountRun, kind: str, why: UnsupportedError, session: Session) -> None:
        """Report a kind that the server does not offer as skipped, or as suspended where it was mirrored from a shared account."""
        theirs = session.accounts.get(self.account.account_id)
        was_shared = theirs is not None and not theirs.is_personal and bool(pin_of(self.ledger, kind))
        if self.account.login_of is None and not was_shared:
            run.skip(kind, why)
            return
        run.suspend(
            kind,
            SuspendedError(
                f"The server no longer shares {kind} of {theirs.name if theirs else self.account.account_id}.",
                advice="Nothing was deleted; it goes on when they are shared again.",
            ),
        )

    async def _begin(self, run: AccountRun) -> Session:
        """Note in the ledger that a run begins, and return the session; what prevents it is recorded of every kind."""
        kinds = [config.kind for config in self.kinds]
        if not run.options.disk_only:
            run.begin(kinds)
        self.progress.start(self.account.name, "", "connecting", 0, 0)
        try:
            return await self.session()
        except BaseException as error:
            run.fail_unfinished(kinds, error)
            raise
        finally:
            self.progress.finish(self.account.name, "")

    async def verify(self) -> tuple[AccountReport, dict[str, Proof]]:
        """Prove the mirror complete; return what failed, and by kind what was compared."""
        client = self.client
        session = await self.session()
        options = Options(full=True, dry=True)
        run = AccountRun(self.account.name, self.account.state_dir, self.ledger, self.limits, options, self.progress)
        proofs: dict[str, Proof] = {}
        try:
            proofs = await run.verify(self._sides(run, session))
        except JmapsyncError as error:
            run.report.error, run.report.exit_code, run.report.remedy = str(error), error.exit_code, error.remedy
        run.report.requests, run.report.bytes = client.requests, client.received
        return run.report, proofs

    def _sides(self, run: AccountRun, session: Session) -> list[Sides]:
        """Build the sides of the kinds; one that the server does not offer is reported as skipped."""
        found = []
        for config in self.kinds:
            try:
                unmailed = unmailed_events(self.ledger, config.kind, patterns_of(config))
                found.append(sides_of(config, self.account, self.client, session, dry=self.dry, unmailed=unmailed))
            except UnsupportedError as error:
                self._pass_over(run, config.kind, error, session)
        return found

    def rest(self) -> None:
        """Give back memory until the next run."""
        self.ledger.release_memory()
        give_back_memory()


async def _credential(account: AccountConfig, ledger: Ledger, kinds: Sequence[KindConfig], *, dry: bool) -> Credential:
    """Return the credential; that there is none is recorded as an attempt of every kind. Raises SignInError."""
    try:
        return await credential_for(account)
    except (JmapsyncError, asyncio.CancelledError) as error:
        report = KindReport()
        if isinstance(error, JmapsyncError):
            report.fail(str(error), error.exit_code)
        else:
            report.fail("the run was interrupted", ExitCode.FAILED)
        if not dry:
            for config in kinds:
                ledger.record_run(config.kind, int(time.time()), report.to_json())
        raise


def _tag_folder(config: NotmuchConfig) -> Path | None:
    """Return the folder whose files notmuch writes with each change of a tag; None while there is none."""
    from jmapsync.storage.notmuch.database import folder_of  # noqa: PLC0415  # few use it

    return folder_of(config.config)


def _make_state(account: AccountConfig) -> None:
    try:
        make_private(account.state_dir)
        (account.state_dir / LOCK).touch(mode=0o600)
    except OSError as error:
        raise LocalError(f"The state folder {account.state_dir} cannot be written: {error.strerror}.") from error


def _kept_session(account: AccountConfig, ledger: Ledger) -> Session | None:
    """Return the session that was kept: of a shared account, the one that its login has read last."""
    kept = ledger.note(SESSION)
    if account.login_of is not None and (of_login := Summary.open_readonly(account.login_of.state_dir / LEDGER)) is not None:
        with closing(of_login):
            kept = of_login.note(SESSION) or kept
    try:
        return Session.from_json(kept.encode())
    except ValueError:
        return None


def _keep_offer(ledger: Ledger, session: Session) -> None:
    text = noted(session)
    if text != ledger.note(OFFER):
        ledger.set_note(OFFER, text)


def _keep_session(ledger: Ledger, session: Session) -> None:
    text = session.to_json().decode()
    if text != ledger.note(SESSION):
        ledger.set_note(SESSION, text)
