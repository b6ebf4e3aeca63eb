"""Open one account, run its kinds as often as is wished, and put everything away again."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.app.memory import give_back_memory
from jmapsync.app.places import LEDGER, LOCK, SPOOL
from jmapsync.app.signin import credential_for
from jmapsync.engine.account import AccountRun, Sides
from jmapsync.errors import JmapsyncError, LocalError
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.kinds.mail import MAIL
from jmapsync.ledger import AccountLock, Ledger
from jmapsync.planner import Limits
from jmapsync.storage.maildir.side import MaildirSide, clear_spool
from jmapsync.storage.remote.emails import MAIL as MAIL_CAPABILITY
from jmapsync.storage.remote.side import MailSide

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from jmapsync.config import AccountConfig, MailConfig, SafetyConfig
    from jmapsync.engine.cycle import Options
    from jmapsync.engine.report import AccountReport, Progress

AUDITED = "audited"
"""The ledger's note of when everything was looked at last, in seconds since 1970."""
SESSION = "session"
"""The ledger's note of the Session, kept so that a run with nothing to do needs no request for it."""


@asynccontextmanager
async def open_account(
    account: AccountConfig, safety: SafetyConfig, mail: MailConfig, progress: Progress, *, dry: bool = False
) -> AsyncIterator[OpenAccount]:
    """Take hold of an account: its lock, its ledger, its secret and a connection.

    A dry run takes no lock, makes no folder, and works on a copy of the ledger. Raise `BusyError`, `SignInError`, `LocalError`
    or `LedgerError`.
    """
    state = account.state_dir
    if not dry:
        _make_state(account)
    with nullcontext() if dry else AccountLock(state / LOCK, account.name):
        ledger = Ledger.copy_of(state / LEDGER) if dry else Ledger.open(state / LEDGER)
        try:
            if not dry:
                clear_spool(state / SPOOL)
            async with Client(
                account.server,
                await credential_for(account),
                trusted_hosts=account.trusted_hosts,
                session=_kept_session(ledger),
                on_wait=lambda seconds, why: progress.say(account.name, f"Waiting {seconds:.0f} seconds: {why}"),
            ) as client:
                limits = Limits(safety.max_deletes, safety.max_delete_percent)
                yield OpenAccount(account, mail, limits, progress, ledger, client, dry)
        finally:
            ledger.close()


@dataclass(slots=True)
class OpenAccount:
    """An account at hand."""

    account: AccountConfig
    mail: MailConfig
    limits: Limits
    progress: Progress
    ledger: Ledger
    client: Client
    dry: bool

    @property
    def roots(self) -> list[Path]:
        """Return the folders that are mirrors of the account."""
        return [self.mail.path]

    @property
    def audited(self) -> float:
        """Return when everything was looked at last, in seconds since 1970."""
        return float(self.ledger.note(AUDITED) or 0)

    async def account_id(self) -> str:
        """Return the server's id of the account; raise what `Client.session` raises."""
        return (await self.client.session()).account_for(MAIL_CAPABILITY, self.account.account_id).id

    async def run(self, options: Options) -> AccountReport:
        """Synchronise the mail and return what was done.

        What takes the account down is told in the report, and raised if it came before the report was begun.
        """
        client, account, state = self.client, self.account, self.account.state_dir
        requests, received = client.requests, client.received
        session = await client.session()
        theirs = session.account_for(MAIL_CAPABILITY, account.account_id)
        run = AccountRun(account.name, theirs.id, state, self.ledger, self.limits, options, self.progress)
        run.pin()
        kind = MAIL.pulled_only() if self.mail.direction == "pull" else MAIL
        spool = state / SPOOL
        local = MaildirSide(self.mail.path, spool, keep_crlf=self.mail.line_endings == "crlf", dry=self.dry)
        remote = MailSide(client, theirs, spool, on_delete=self.mail.on_delete)
        try:
            await run.run(Sides(kind, local, remote))
            if not self.dry:
                _keep_session(self.ledger, await client.session())
                if options.full or not self.audited:
                    self.ledger.set_note(AUDITED, str(int(time.time())))
        except JmapsyncError as error:
            run.report.error, run.report.exit_code, run.report.remedy = str(error), error.exit_code, error.remedy
        finally:
            if client.session_changed and not self.dry:
                self.ledger.set_note(SESSION, "")
        run.report.requests, run.report.bytes = client.requests - requests, client.received - received
        return run.report

    def rest(self) -> None:
        """Give back memory until the next run."""
        self.ledger.release_memory()
        give_back_memory()


def _make_state(account: AccountConfig) -> None:
    try:
        account.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (account.state_dir / LOCK).touch(mode=0o600)
    except OSError as error:
        raise LocalError(f"The state folder {account.state_dir} cannot be written: {error.strerror}.") from error


def _kept_session(ledger: Ledger) -> Session | None:
    try:
        return Session.from_json(ledger.note(SESSION).encode())
    except ValueError:
        return None


def _keep_session(ledger: Ledger, session: Session) -> None:
    text = session.to_json().decode()
    if text != ledger.note(SESSION):
        ledger.set_note(SESSION, text)
