"""Sign in to a server and list what it offers: kinds with counts, mailboxes, and further hosts that need the credential."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.app.checkup import Mailbox, arrange
from jmapsync.app.mailbox_list import incomplete, read_mailboxes
from jmapsync.app.sides import require
from jmapsync.config import MailConfig
from jmapsync.errors import HostRefusedError, JmapsyncError, UnsupportedError
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import Client
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.wire import Call
from jmapsync.kinds import KINDS, MAIL, SIEVE
from jmapsync.storage.jmap.objects import collections, dialect_for
from jmapsync.storage.jmap.scripts.listing import Scripts
from jmapsync.sync.report import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.config import AccountConfig
    from jmapsync.jmap.auth import Credential
    from jmapsync.jmap.session import Account, Session
    from jmapsync.kinds import Kind

PATIENCE = 15.0
"""Seconds that one request may wait for a failing server."""
_SILENCE = 30.0
_ITEMS = {"contacts": ("card", "cards"), "calendars": ("entry", "entries")}
"""Only these can be counted: the tasks of a calendar are objects of the same type as its events."""


@dataclass(slots=True)
class Survey:
    """What a server offers to the user who signed in."""

    user: str
    """The user name of the session."""
    kinds: dict[str, str] = field(default_factory=dict)
    """By kind that can be synchronized: how much there is, in words."""
    problems: list[str] = field(default_factory=list)
    """Which of its lists may be incomplete, and why."""
    mailboxes: list[Mailbox] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)
    """Names by id, where several accounts offer something and none is the primary one: one has to be chosen."""
    refused: list[Origin] = field(default_factory=list)
    """Hosts that the session names and nobody approved; what needs them was not asked for."""


async def survey(account: AccountConfig, credential: Credential) -> Survey:
    """Sign in to the account's server and list what it offers.

    Raise `SignInError` where the server refuses the credential, and what else a request raises.
    """
    async with Client(
        account.server,
        credential,
        trusted_hosts=account.trusted_hosts,
        max_wait=PATIENCE,
        bounds=Bounds(silence=_SILENCE, connect=_SILENCE),
    ) as client:
        session = await client.session()
        found = Survey(session.username, refused=_refused(account, session))
        if Origin.of(session.api_url) in found.refused:
            return found
        amounts = await asyncio.gather(*(_amount(kind, account, client, found) for kind in KINDS))
    found.kinds = {kind: amount for kind, amount in zip(KINDS, amounts, strict=True) if amount}
    return found


def _refused(account: AccountConfig, session: Session) -> list[Origin]:
    """Return the hosts of the session's URLs that are neither the server's own nor trusted."""
    approval = Approval(account.trusted_hosts)
    approval.set_home(account.url)
    refused: list[Origin] = []
    for url in (session.api_url, session.download_url, session.upload_url, session.event_source_url):
        if not url:
            continue
        origin = Origin.of(url.partition("{")[0])
        if origin not in refused and not approval.approves(origin.url):
            refused.append(origin)
    return refused


async def _amount(kind: str, account: AccountConfig, client: Client, found: Survey) -> str:
    """Return how much there is of a kind, in words; nothing where the server does not offer it."""
    session = await client.session()
    try:
        theirs = require(kind, account, session)
        if kind == "mail":
            listed = await read_mailboxes(client, theirs)
            found.mailboxes = arrange(listed.raw, MailConfig(path=account.state_dir))
            boxes = _counted(found, MAIL, len(found.mailboxes), listed.cut)
            return boxes + await _total(client, theirs, MAIL.capabilities, "Email", ("message", "messages"))
        if kind == SIEVE.name:
            scripts = Scripts(client, theirs)
            count = len((await scripts.all()).items)
            return _counted(found, SIEVE, count, scripts.doubt)
        dialect = dialect_for(kind, session, theirs)
        every = await collections(client, theirs, dialect)
        names = _counted(found, KINDS[kind], len(every.items), every.cut)
    except UnsupportedError as error:
        if error.advice:
            found.accounts |= {one.id: one.name for one in session.accounts.values()}
        return ""
    if kind not in _ITEMS:
        return names
    return names + await _total(client, theirs, dialect.using, dialect.type, _ITEMS[kind])


def _counted(found: Survey, kind: Kind, count: int, cut: str) -> str:
    """Return a number of containers, or of scripts, in words; `cut` says why there may be more of them."""
    noun = SIEVE.noun if kind is SIEVE else kind.container_noun
    if not cut:
        return counted(count, noun, kind.container_nouns)
    found.problems.append(incomplete(kind, cut))
    return f"at least {counted(count, noun, kind.container_nouns)}"


async def _total(client: Client, theirs: Account, using: Sequence[str], type_: str, item: tuple[str, str]) -> str:
    """Return the number of objects of a type; nothing where the server does not count them."""
    query = Call(f"{type_}/query", {"accountId": theirs.id, "limit": 1, "calculateTotal": True}, "total")
    try:
        session = await client.session()
        answer = (await client.call([query], using=session.using(*using, account=theirs))).get(query)
    except HostRefusedError:
        raise
    except JmapsyncError:
        return ""  # only the number is missing
    total = answer.get("total")
    return f", {counted(total, *item)}" if isinstance(total, int) else ""
