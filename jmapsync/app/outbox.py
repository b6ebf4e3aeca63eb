"""List the messages that wait to be sent, here and on the servers, and take one back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.app.own_account import own_account
from jmapsync.app.sending import client_for, find, outbox_of, sender_for, turns
from jmapsync.errors import BusyError, ConfigError, ExitCode, JmapsyncError, UnsupportedError
from jmapsync.storage.outbox import Stage
from jmapsync.text import command, local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.config import AccountConfig
    from jmapsync.jmap.client import Client
    from jmapsync.send.deliver import Sent
    from jmapsync.storage.jmap.scheduled import Held, Schedule
    from jmapsync.storage.outbox import Outbox, Waiting


class Listing(Struct):
    """What waits of one account."""

    lines: list[str] = []
    unasked: str = ""
    """Why the server could not be asked for what it holds, in words."""


class Outcome(Struct, frozen=True):
    """What became of a message that was to be taken back."""

    message: str
    exit_code: ExitCode = ExitCode.IN_SYNC


async def listing(account: AccountConfig) -> Listing:
    """Return what waits of an account: what is in its outbox, and what its server holds, whichever program submitted it."""
    found = Listing()
    on_server: list[Held] | None = None
    try:
        async with await client_for(account) as client:
            schedule = await _schedule(account, client)
            on_server = await schedule.held() if schedule is not None else None
    except JmapsyncError as error:
        found.unasked = error.message
    here = outbox_of(account).entries()
    held = {one.id: one for one in on_server or ()}
    found.lines = [f"{one.name}: {_why(one, held if on_server is not None else None)}" for one in here]
    ours = {one.submission for one in here}
    for one in held.values():
        if one.id not in ours:
            when = f" at {local_time(one.send_at)}" if one.send_at else ""
            found.lines.append(f"{account.name}/{one.name}: pending, the server sends it{when}")
    return found


def _why(waiting: Waiting, held: dict[str, Held] | None) -> str:
    if waiting.stage is not Stage.SCHEDULED or waiting.held or held is None:
        return waiting.why or "it waits to be sent"
    if waiting.submission not in held:
        return "the server no longer holds it: it was sent or canceled there; the next run files it"
    return f"pending, the server sends it at {local_time(held[waiting.submission].send_at or waiting.at)}"


async def drop(accounts: Sequence[AccountConfig], identity: str) -> Outcome:
    """Take a message back that was not sent yet; `identity` is of a message here, or `ACCOUNT/ID` of one that its server holds.

    Raises ConfigError if there is not exactly one, and why the server could not be asked: then nothing was changed.
    """
    name, slash, submission = identity.partition("/")
    if slash:
        return await _cancel(accounts, name, submission)
    account, waiting = find(accounts, identity)
    outbox = outbox_of(account)
    async for _ in turns(outbox):
        noted = next((one for one in outbox.entries() if one.id == waiting.id), None)
        if noted is None:
            return Outcome(f"Too late: {waiting.name} was sent.", ExitCode.FAILED)
        return await _drop(account, outbox, noted)
    raise BusyError("Another process is sending.")


async def _drop(account: AccountConfig, outbox: Outbox, waiting: Waiting) -> Outcome:
    if waiting.stage is Stage.SCHEDULED and not waiting.held:
        async with await client_for(account) as client:
            return _outcome(await (await sender_for(account, outbox, client)).unsend(waiting))
    outbox.remove(waiting.id)
    if waiting.stage is Stage.CONCLUDED:
        return Outcome(f"{waiting.name} is no longer listed.")
    if waiting.stage is Stage.SENT:
        return Outcome(f"Too late: {waiting.name} was sent; it will not be filed.", ExitCode.FAILED)
    if waiting.stage is Stage.SENDING:
        return Outcome(f"{waiting.name} was deleted here; whether the server sent it is not known.", ExitCode.FAILED)
    return Outcome(f"{waiting.name} was deleted.")


def _outcome(sent: Sent) -> Outcome:
    from jmapsync.send.deliver import Fate  # noqa: PLC0415  # it costs the HTTP library

    name = sent.waiting.name
    if sent.fate is Fate.CANCELED:
        return Outcome(f"{name} was canceled and will not be sent; its draft stays on the server.")
    if sent.fate is Fate.SENT:
        return Outcome(f"Too late: {name} was sent.", ExitCode.FAILED)
    if sent.fate is Fate.UNCONFIRMED:
        return Outcome(f"Too late for {name}: {sent.why}.", ExitCode.FAILED)
    return Outcome(f"{name} was not canceled: {sent.why}.", ExitCode.FAILED)


async def _cancel(accounts: Sequence[AccountConfig], name: str, submission: str) -> Outcome:
    """Cancel a submission of another program."""
    account = next((one for one in accounts if one.name == name), None)
    if account is None:
        raise ConfigError([f"There is no account {name!r}; `{command('outbox')}` lists what waits."])
    async with await client_for(account) as client:
        schedule = await _schedule(account, client)
        held = {one.id: one for one in (await schedule.held() or ())} if schedule is not None else {}
        if schedule is None or submission not in held:
            raise ConfigError([f"{name}/{submission} is no message that the server holds; `{command('outbox')}` lists them."])
        refused = await schedule.cancel(submission)
        label = f"{name}/{held[submission].name}"
    if refused is None:
        return Outcome(f"{label} was canceled and will not be sent; the message stays where it is on the server.")
    late = "Too late: " if refused.type == "cannotUnsend" else ""
    return Outcome(f"{late}{label} was not canceled ({refused}).", ExitCode.FAILED)


async def _schedule(account: AccountConfig, client: Client) -> Schedule | None:
    """Return the submissions of an account; None where the server offers none."""
    from jmapsync.storage.jmap.identities import SUBMISSION  # noqa: PLC0415
    from jmapsync.storage.jmap.scheduled import Schedule  # noqa: PLC0415  # it costs the HTTP library

    try:
        theirs = own_account(account, await client.session(), SUBMISSION)
    except UnsupportedError:
        return None
    return Schedule(client, theirs)
