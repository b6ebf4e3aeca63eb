"""Send messages: take one from a program, choose the account, and send what waits whenever the server can be reached."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.own_account import own_account
from jmapsync.app.state_paths import OUTBOX, may_have_daemon
from jmapsync.errors import BusyError, ConfigError, ExitCode, JmapsyncError, LocalError, NetworkError, ServerError
from jmapsync.storage.outbox import Outbox, Stage, Waiting
from jmapsync.sync.report import Problem, worst
from jmapsync.text import command, local_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from jmapsync.config import AccountConfig, Config
    from jmapsync.formats.envelope import Envelope
    from jmapsync.jmap.client import Client
    from jmapsync.send.deliver import Sender
    from jmapsync.sync.report import AccountReport

_PATIENCE = 5.0
"""Seconds that anybody is kept waiting for a server in trouble; then the message is kept."""
_INTERRUPTED = "jmapsync was interrupted while the server was being asked to send it."
_TURN = 0.05
_TURNS = 1200


def account_for(config: Config, sender: str, name: str | None = None) -> AccountConfig:
    """Return the account that sends as an address. Raises ConfigError where none or several could be meant."""
    accounts = config.accounts
    if name is not None and name not in accounts:
        raise ConfigError([f"There is no account {name!r} in {config.path}. The accounts are: {', '.join(accounts)}."])
    if name is not None or len(accounts) == 1:
        return accounts[name if name is not None else next(iter(accounts))]
    fitting = [one for one in accounts.values() if sender and sender.casefold() in {one.address.casefold(), one.user.casefold()}]
    if len(fitting) != 1:
        why = f"No account of {config.path} has the address {sender}" if sender else "The message has no sender"
        raise ConfigError([f"{why}; use --account with one of: {', '.join(accounts)}."])
    return fitting[0]


def own_address(account: AccountConfig) -> str:
    """Return the address of an account, or an empty string if its configuration has none."""
    return next((one for one in (account.address, account.user) if "@" in one), "")


def outbox_of(account: AccountConfig) -> Outbox:
    """Return the outbox of an account."""
    return Outbox(account.state_dir / OUTBOX)


class Accepted(Struct, frozen=True):
    """The state of an accepted message: sent, or waiting for a reason."""

    waiting: Waiting
    why: str = ""
    notice: str = ""
    """What the sender asked for and the server does not do."""
    is_scheduled: bool = False
    """Whether it waits for nothing but its time."""

    @property
    def is_sent(self) -> bool:
        """Return whether it is sent."""
        return not self.why


async def send(account: AccountConfig, header: bytes, body: Iterable[bytes], envelope: Envelope, at: int = 0) -> Accepted:
    """Send a message, at a time or 0 for at once, or keep it until the server can be reached.

    Once this returns the message is safe. Raises why the server refused it; then it is not kept.
    """
    outbox = outbox_of(account)
    waiting = outbox.add(header, body, envelope, at)
    try:
        return await _send_now(account, outbox, waiting)
    except (NetworkError, ServerError, BusyError) as error:
        with outbox.locked() as is_mine:
            if is_mine:
                _note_failure(outbox, error, only=waiting.id)
        return Accepted(waiting, error.message)
    except (JmapsyncError, asyncio.CancelledError) as error:
        # The caller sends again after a failure, so a message that may be sent must not fail.
        noted = next((one for one in outbox.entries() if one.id == waiting.id), None)
        if noted is not None and noted.stage in {Stage.SENDING, Stage.SENT}:
            return Accepted(noted, error.message if isinstance(error, JmapsyncError) else _INTERRUPTED)
        if noted is not None:
            outbox.remove(waiting.id)
        raise


def _wake_daemon(account: AccountConfig) -> None:
    """Start a run of the daemon, if one holds the account: it then knows of the message's time. Nobody waits for the run."""
    if may_have_daemon(account.state_dir):
        from jmapsync.app.daemon_socket import Question  # noqa: PLC0415  # most accounts have no daemon

        Question(account.state_dir, {"do": "sync"}).leave()


async def _send_now(account: AccountConfig, outbox: Outbox, waiting: Waiting) -> Accepted:
    from jmapsync.send.deliver import Fate  # noqa: PLC0415  # the HTTP library costs 100 ms: first it is safe

    async with await client_for(account) as client:
        sender = await sender_for(account, outbox, client)
        async for _ in turns(outbox):
            noted = next((one for one in outbox.entries() if one.id == waiting.id), None)
            if noted is None:  # the daemon was faster
                return Accepted(waiting)
            result = await sender.send(noted)
            if result.fate is Fate.REFUSED and result.error is not None:
                with suppress(JmapsyncError):  # then its draft stays
                    await sender.withdraw(result.waiting)
                outbox.remove(waiting.id)
                raise result.error
            if result.fate is Fate.SCHEDULED and result.waiting.stage is Stage.QUEUED:
                _wake_daemon(account)
            why = "" if result.fate is Fate.SENT else result.why
            return Accepted(result.waiting, why, result.notice, result.fate is Fate.SCHEDULED)
    raise BusyError("Another process is sending.")


async def client_for(account: AccountConfig) -> Client:
    """Return a client that waits for a server in trouble for a few seconds only. Raises SignInError."""
    from jmapsync.app.signin import credential_for  # noqa: PLC0415  # as above
    from jmapsync.jmap.bounds import Bounds  # noqa: PLC0415
    from jmapsync.jmap.client import Client  # noqa: PLC0415
    from jmapsync.jmap.traffic import shared_limit  # noqa: PLC0415

    return Client(
        account.server,
        await credential_for(account),
        trusted_hosts=account.trusted_hosts,
        max_wait=_PATIENCE,
        bounds=Bounds(silence=account.timeout),
        rate=shared_limit(account.limit_rate),
    )


async def turns(outbox: Outbox) -> AsyncIterator[None]:
    """Yield once, holding the outbox alone, as soon as no other process does; not at all if that takes a minute."""
    for _ in range(_TURNS):
        with outbox.locked() as is_mine:
            if is_mine:
                yield
                return
        await asyncio.sleep(_TURN)


async def sender_for(account: AccountConfig, outbox: Outbox, client: Client) -> Sender:
    """Return what sends the messages of an outbox. Raises UnsupportedError where the server offers no submission."""
    from jmapsync.send.deliver import Sender  # noqa: PLC0415  # as above
    from jmapsync.storage.jmap.identities import SUBMISSION  # noqa: PLC0415
    from jmapsync.storage.jmap.submission import Post  # noqa: PLC0415

    theirs = own_account(account, await client.session(), SUBMISSION)
    return Sender(outbox, Post(client, theirs))


async def send_waiting(account: AccountConfig, client: Client, report: AccountReport) -> None:
    """Send the messages of an account's outbox; those that still wait are added to the report as problems.

    It uses connections and a short timeout of its own, so that a message that cannot be sent delays no incoming mail.
    """
    outbox = outbox_of(account)
    if not outbox.is_there:
        return
    async with client.apart(max_wait=_PATIENCE) as own:
        problems = await _empty(account, outbox, own)
    report.requests, report.bytes = report.requests + own.requests, report.bytes + own.received
    kind = report.kinds.get("mail") or next(iter(report.kinds.values()), None)
    if problems and kind is not None:
        kind.problems += problems
        kind.exit_code = worst([kind.exit_code, ExitCode.QUARANTINED])
    report.wake_at = outbox.next_time(time.time())


async def _empty(account: AccountConfig, outbox: Outbox, client: Client) -> list[Problem]:
    """Send what is not stopped, and return what still waits; nothing if another process is sending."""
    outbox.tidy()
    now = time.time()
    if any(_is_due(one, now) for one in outbox.entries()):
        with outbox.locked() as is_mine:
            if not is_mine:
                return []
            try:
                sender = await sender_for(account, outbox, client)
                for one in outbox.entries():
                    if _is_due(one, now):
                        await sender.send(one)
            except JmapsyncError as error:
                _note_failure(outbox, error)
    return waiting_in(outbox)


def _note_failure(outbox: Outbox, error: JmapsyncError, only: str = "") -> None:
    """Record why nothing could be sent, of each message that is due, or of `only` one; the outbox is locked."""
    now = time.time()
    for one in outbox.entries():
        if _is_due(one, now) and not one.is_early(now) and only in {"", one.id}:
            with suppress(LocalError):  # the message is safe, and the reason is for reports only
                outbox.note(replace(one, why=error.message))


def _is_due(waiting: Waiting, now: float) -> bool:
    """Return whether there is something to do for a message: what the server holds is its own until its time."""
    return waiting.is_open and not (waiting.stage is Stage.SCHEDULED and waiting.is_early(now))


def _is_scheduled(waiting: Waiting, now: float) -> bool:
    """Return whether nothing hinders a message but that its time has not come."""
    return waiting.is_open and waiting.is_early(now)


def _waits(waiting: Waiting, now: float) -> bool:
    """Return whether a message waits beyond its time."""
    return waiting.stage is not Stage.CONCLUDED and not _is_scheduled(waiting, now)


def waiting_in(outbox: Outbox) -> list[Problem]:
    """Return what waits in an outbox beyond its time, by name, and why."""
    now = time.time()
    return [Problem(one.name, one.why or "it waits to be sent") for one in outbox.entries() if _waits(one, now)]


def scheduled_in(outbox: Outbox) -> list[Problem]:
    """Return what of an outbox is to be sent later, by name, and when."""
    now = time.time()
    found = [one for one in outbox.entries() if _is_scheduled(one, now)]
    return [Problem(one.name, one.why or f"it is to be sent at {local_time(one.at)}") for one in found]


def unconfirmed_in(outbox: Outbox) -> list[Problem]:
    """Return what of an outbox was due and may not have been sent, by name, and why that is not known."""
    return [Problem(one.name, one.why) for one in outbox.entries() if one.stage is Stage.CONCLUDED]


def find(accounts: Sequence[AccountConfig], identity: str) -> tuple[AccountConfig, Waiting]:
    """Return the message whose id starts with a text, and its account. Raises ConfigError if there is not exactly one."""
    found = [
        (account, one) for account in accounts for one in outbox_of(account).entries() if identity and one.id.startswith(identity)
    ]
    if len(found) != 1:
        count = "more than one" if found else "no"
        raise ConfigError([f"{identity!r} is {count} message that waits; `{command('outbox')}` lists them."])
    return found[0]


def retry(outbox: Outbox, waiting: Waiting) -> None:
    """Have a message sent with the next run, whatever stood in its way. Raises ConfigError where the server holds it."""
    if waiting.stage is Stage.CONCLUDED:
        raise ConfigError([f"{waiting.name} was filed as sent: send it from there if its recipients do not have it."])
    if waiting.stage is Stage.SCHEDULED and not waiting.held:
        raise ConfigError([f"{waiting.name} is with the server, which sends it at {local_time(waiting.at)}."])
    stage = waiting.stage if waiting.stage in {Stage.QUEUED, Stage.SENT} else Stage.IMPORTING
    outbox.note(replace(waiting, stage=stage, held=False, why="", submission=""))
