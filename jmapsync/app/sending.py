"""Send messages: take one from a program, choose the account, and send what waits whenever the server can be reached."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.state_paths import OUTBOX
from jmapsync.errors import BusyError, ConfigError, ExitCode, JmapsyncError, NetworkError, ServerError
from jmapsync.storage.outbox import Outbox, Stage, Waiting
from jmapsync.sync.report import Problem, worst

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

    @property
    def is_sent(self) -> bool:
        """Return whether it is sent."""
        return not self.why


async def send(account: AccountConfig, header: bytes, body: Iterable[bytes], envelope: Envelope) -> Accepted:
    """Send a message, or keep it until the server can be reached.

    Once this returns the message is safe. Raises why the server refused it; then it is not kept.
    """
    outbox = outbox_of(account)
    waiting = outbox.add(header, body, envelope)
    try:
        return await _send_now(account, outbox, waiting)
    except (NetworkError, ServerError, BusyError) as error:
        return Accepted(waiting, error.message)
    except (JmapsyncError, asyncio.CancelledError) as error:
        # The caller sends again after a failure, so a message that may be sent must not fail.
        noted = next((one for one in outbox.entries() if one.id == waiting.id), None)
        if noted is not None and noted.stage in {Stage.SENDING, Stage.SENT}:
            return Accepted(noted, error.message if isinstance(error, JmapsyncError) else _INTERRUPTED)
        if noted is not None:
            outbox.remove(waiting.id)
        raise


async def _send_now(account: AccountConfig, outbox: Outbox, waiting: Waiting) -> Accepted:
    from jmapsync.app.signin import credential_for  # noqa: PLC0415  # the HTTP library costs 100 ms: first it is safe
    from jmapsync.jmap.bounds import Bounds  # noqa: PLC0415
    from jmapsync.jmap.client import Client  # noqa: PLC0415
    from jmapsync.jmap.traffic import shared_limit  # noqa: PLC0415
    from jmapsync.send.deliver import Fate  # noqa: PLC0415

    credential = await credential_for(account)
    client = Client(
        account.server,
        credential,
        trusted_hosts=account.trusted_hosts,
        max_wait=_PATIENCE,
        bounds=Bounds(silence=account.timeout),
        rate=shared_limit(account.limit_rate),
    )
    async with client:
        sender = await _sender(account, outbox, client)
        async for _ in _turns(outbox):
            noted = next((one for one in outbox.entries() if one.id == waiting.id), None)
            if noted is None:  # the daemon was faster
                return Accepted(waiting)
            result = await sender.send(noted)
            if result.fate is Fate.REFUSED and result.error is not None:
                with suppress(JmapsyncError):  # then its draft stays
                    await sender.withdraw(result.waiting)
                outbox.remove(waiting.id)
                raise result.error
            return Accepted(result.waiting, "" if result.fate is Fate.SENT else result.why)
    raise BusyError("Another process is sending.")


async def _turns(outbox: Outbox) -> AsyncIterator[None]:
    """Yield once, holding the outbox alone, as soon as no other process does; not at all if that takes a minute."""
    for _ in range(_TURNS):
        with outbox.locked() as is_mine:
            if is_mine:
                yield
                return
        await asyncio.sleep(_TURN)


async def _sender(account: AccountConfig, outbox: Outbox, client: Client) -> Sender:
    from jmapsync.send.deliver import Sender  # noqa: PLC0415  # as above
    from jmapsync.storage.jmap.identities import SUBMISSION  # noqa: PLC0415
    from jmapsync.storage.jmap.submission import Post  # noqa: PLC0415

    theirs = (await client.session()).account_for(SUBMISSION, account.account_id)
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


async def _empty(account: AccountConfig, outbox: Outbox, client: Client) -> list[Problem]:
    """Send what is not stopped, and return what still waits; nothing if another process is sending."""
    outbox.tidy()
    if any(not one.held for one in outbox.entries()):
        with outbox.locked() as is_mine:
            if not is_mine:
                return []
            try:
                await (await _sender(account, outbox, client)).send_all()
            except JmapsyncError as error:
                return [Problem(one.name, one.why or error.message) for one in outbox.entries()]
    return waiting_in(outbox)


def waiting_in(outbox: Outbox) -> list[Problem]:
    """Return what waits in an outbox, by name, and why."""
    return [Problem(one.name, one.why or "it waits to be sent") for one in outbox.entries()]


def find(accounts: Sequence[AccountConfig], identity: str) -> tuple[Outbox, Waiting]:
    """Return the message whose id starts with a text. Raises ConfigError if there is not exactly one."""
    found = [
        (outbox, one) for outbox in map(outbox_of, accounts) for one in outbox.entries() if identity and one.id.startswith(identity)
    ]
    if len(found) != 1:
        raise ConfigError([f"{identity!r} is {'more than one' if found else 'no'} message that waits; jmapsync outbox lists them."])
    return found[0]


def retry(outbox: Outbox, waiting: Waiting) -> None:
    """Have a message sent with the next run, whatever stood in its way."""
    stage = waiting.stage if waiting.stage in {Stage.QUEUED, Stage.SENT} else Stage.IMPORTING
    outbox.note(replace(waiting, stage=stage, held=False, why=""))
