"""Build the adapters of one account, run its kinds, and put everything away again."""

from __future__ import annotations

from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING

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
    from jmapsync.config import AccountConfig, MailConfig, SafetyConfig
    from jmapsync.engine.cycle import Options
    from jmapsync.engine.report import AccountReport, Progress

SESSION = "session"
"""The ledger's note of the Session, kept so that a run with nothing to do needs no request for it."""


async def run_account(
    account: AccountConfig, safety: SafetyConfig, mail: MailConfig, options: Options, progress: Progress
) -> AccountReport:
    """Synchronise the mail of an account and return what was done.

    A dry run takes no lock and makes no folder. What takes the account down is told in the report, and raised if it came before
    the report was begun.
    """
    state = account.state_dir
    if not options.dry:
        _make_state(account)
    async with AsyncExitStack() as stack:
        stack.enter_context(nullcontext() if options.dry else AccountLock(state / LOCK, account.name))
        ledger = Ledger.copy_of(state / LEDGER) if options.dry else Ledger.open(state / LEDGER)
        stack.callback(ledger.close)
        if not options.dry:
            clear_spool(state / SPOOL)
        client = await stack.enter_async_context(
            Client(
                account.server,
                await credential_for(account),
                trusted_hosts=account.trusted_hosts,
                session=_kept_session(ledger),
                on_wait=lambda seconds, why: progress.say(account.name, f"Waiting {seconds:.0f} seconds: {why}"),
            )
        )
        session = await client.session()
        theirs = session.account_for(MAIL_CAPABILITY, account.account_id)
        limits = Limits(safety.max_deletes, safety.max_delete_percent)
        run = AccountRun(account.name, theirs.id, state, ledger, limits, options, progress)
        run.pin()
        spool = state / SPOOL
        kind = MAIL.pulled_only() if mail.direction == "pull" else MAIL
        local = MaildirSide(mail.path, spool, keep_crlf=mail.line_endings == "crlf", dry=options.dry)
        remote = MailSide(client, theirs, spool, on_delete=mail.on_delete)
        try:
            await run.run(Sides(kind, local, remote))
            if not options.dry:
                _keep_session(ledger, await client.session())
        except JmapsyncError as error:
            run.report.error, run.report.exit_code = str(error), error.exit_code
        finally:
            if client.session_changed and not options.dry:
                ledger.set_note(SESSION, "")
        run.report.requests, run.report.bytes = client.requests, client.received
        return run.report


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
