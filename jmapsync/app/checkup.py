"""Ask a server what it offers to an account; nothing is changed on either side."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.app.identity import check_pin, pin_of
from jmapsync.app.ledger_check import ledger_error
from jmapsync.app.mailbox_list import incomplete, paths_of, read_mailboxes
from jmapsync.app.own_account import own_account
from jmapsync.app.seen import quota_texts, unread_of, vacation_text
from jmapsync.app.seen_refresh import read_now
from jmapsync.app.session_accounts import SessionAccount, accounts_of_session
from jmapsync.app.shared import from_ledger, withdrawn_in
from jmapsync.app.sides import patterns_of, require
from jmapsync.app.signin import credential_for, patient_client
from jmapsync.errors import AccountGoneError, ExitCode, JmapsyncError, RootError, SuspendedError, UnsupportedError
from jmapsync.jmap.failures import MethodError
from jmapsync.kinds import KINDS, MAIL, SIEVE
from jmapsync.signin.credential import OAuthCredential
from jmapsync.storage.files.access import trouble_with
from jmapsync.storage.files.filesystem import peculiarities_at
from jmapsync.storage.files.root import USUAL, claim, root_note
from jmapsync.storage.jmap.identities import SUBMISSION, read_identities
from jmapsync.storage.jmap.objects import collections, dialect_for
from jmapsync.sync.report import worst
from jmapsync.sync.withdrawn import message_of

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig, KindConfig, MailConfig
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session
    from jmapsync.kinds import Kind
    from jmapsync.storage.jmap.identities import Identity

CAPABILITIES = {
    **{kind.name: kind.capabilities for kind in KINDS.values()},
    "sending": (SUBMISSION,),
}
"""What offers a kind: the standard's name, and those that Cyrus used before there was one."""


_MAILED = (
    "the server mails the participants of events that you change (send_invitations = true); `jmapsync sync --dry-run` names them"
)
_NOT_MAILED = "no invitations and no answers are mailed (send_invitations = false)"


class Mailbox(Struct, frozen=True):
    """One mailbox of the server."""

    path: str
    role: str
    total: int
    unread: int
    mirrored: bool
    """Whether `include` and `exclude` select it."""
    writable: bool


class Checkup(Struct):
    """What a check found out about one account."""

    name: str
    server: str = ""
    """Where the session was read."""
    user: str = ""
    account_id: str = ""
    kinds: dict[str, str] = {}
    """By kind: how the server offers it, or nothing."""
    limits: dict[str, int] = {}
    push: bool = False
    mailboxes: list[Mailbox] = []
    identities: list[Identity] = []
    """Whom the user may send as."""
    quotas: list[str] = []
    """What is used and what may be, in words."""
    vacation: str = ""
    """Whether a vacation reply is sent; nothing while it is off."""
    collections: dict[str, list[str]] = {}
    """The names of address books and calendars, by kind."""
    left_out: dict[str, list[str]] = {}
    """The names of address books and calendars that only the disk has, and that are not to be mirrored, by kind."""
    invitations: str = ""
    """Whether the participants of events are mailed; nothing without calendars."""
    disks: dict[str, list[str]] = {}
    """By kind: how the file system of its root differs from a Unix one."""
    adoption: str = ""
    """What the first run would do with the files of another program, or nothing."""
    accounts: list[SessionAccount] = []
    """All accounts of the session, with the rights in each."""
    problems: list[str] = []
    exit_code: ExitCode = ExitCode.IN_SYNC

    def note_cut(self, kind: Kind, cut: str) -> None:
        """Record that a list of containers, or of scripts, may lack some; `cut` says why, or is empty."""
        if cut:
            self.fail(incomplete(kind, cut), ExitCode.QUARANTINED)

    def fail(self, message: str, code: ExitCode) -> None:
        """Record what prevents a sync."""
        self.problems.append(message)
        self.exit_code = worst([self.exit_code, code])


async def check_account(account: AccountConfig) -> Checkup:
    """Sign in to the account's server and list what it offers."""
    found = Checkup(account.name)
    _check_disk(found, account)
    if not account.kinds:
        found.fail(f"Nothing to synchronize; add a table such as [accounts.{account.name}.mail].", ExitCode.USAGE)
    for kind, config in account.kinds.items():
        _check_root(found, account, config)
        found.disks[kind] = peculiarities_at(config.path)
        if paths := withdrawn_in(account, kind):
            found.fail(message_of(KINDS[kind], paths, account.name), ExitCode.SUSPENDED)
    try:
        credential = await credential_for(account)
        if isinstance(credential, OAuthCredential) and (uncovered := credential.uncovered(account.kinds)):
            found.problems.append(f"The sign-in does not cover {' and '.join(uncovered)}. {credential.advice}")
        async with patient_client(account, credential) as client:
            session = await client.session()
            _note_offer(found, session)
            found.identities = await _identities(account, client, session)
            seen = await read_now(account, client)
            found.quotas, found.vacation = quota_texts(seen), vacation_text(seen)
            found.problems += unread_of(seen)
            for kind in account.kinds:
                await _check_kind(found, account, kind, client, session)
            found.accounts = await accounts_of_session(account, client, session)
    except JmapsyncError as error:
        found.fail(str(error), error.exit_code)
    return found


def _check_disk(found: Checkup, account: AccountConfig) -> None:
    """Check that the ledger can be read and the account's directories written; nothing lasting is changed."""
    error = ledger_error(account.state_dir)
    if error is not None:
        found.fail(str(error), error.exit_code)
    folders = [(f"The path {config.path} of {config.kind}", config.path) for config in account.kinds.values()]
    for what, folder in (*folders, (f"The state folder {account.state_dir}", account.state_dir)):
        if why := trouble_with(folder):
            found.fail(f"{what} cannot be used: {why}. Fix that, or choose another folder.", ExitCode.FAILED)


def _check_root(found: Checkup, account: AccountConfig, config: KindConfig) -> None:
    """Check that a root that was mirrored is still there, and this mirror's: else each run is suspended."""
    layout = getattr(config, "layout", USUAL)
    notes = from_ledger(account, lambda ledger: [(ledger.note(root_note(config.kind)), pin_of(ledger, config.kind))])
    for known, account_id in notes:
        if known:
            try:
                claim(config.path, known, account_id, config.kind, dry=True, layout="" if layout == USUAL else layout)
            except RootError as error:
                found.fail(str(error), error.exit_code)


def _note_offer(found: Checkup, session: Session) -> None:
    found.server, found.user = session.url, session.username
    found.push = session.event_source_url is not None
    offered = {name for account in session.accounts.values() for name in account.capabilities if name in session.capabilities}
    for kind, names in CAPABILITIES.items():
        found.kinds[kind] = next((name for name in names if name in offered), "")
    if found.kinds["tasks"] and not any(_offers_tasks(session, account) for account in session.accounts.values()):
        found.kinds["tasks"] = ""
    found.limits = {
        "maxObjectsInGet": session.limits.max_objects_in_get,
        "maxObjectsInSet": session.limits.max_objects_in_set,
        "maxCallsInRequest": session.limits.max_calls_in_request,
        "maxSizeRequest": session.limits.max_size_request,
        "maxSizeUpload": session.limits.max_size_upload,
        "maxConcurrentRequests": session.limits.max_concurrent_requests,
        "maxConcurrentUpload": session.limits.max_concurrent_upload,
    }


def _offers_tasks(session: Session, account: Account) -> bool:
    """Return whether a server offers the tasks of its calendars."""
    try:
        dialect_for("tasks", session, account)
    except UnsupportedError:
        return False
    return True


async def _check_kind(found: Checkup, account: AccountConfig, kind: str, client: Client, session: Session) -> None:
    try:
        theirs = require(kind, account, session)
    except UnsupportedError as error:
        found.fail(str(error), error.exit_code)
        return
    try:
        for known in from_ledger(account, lambda ledger: [pin_of(ledger, kind)]):
            check_pin(known, theirs.id)
    except SuspendedError as error:
        found.fail(str(error), error.exit_code)
    if kind == "mail" and account.mail is not None:
        found.account_id = theirs.id
        if theirs.is_read_only:
            found.problems.append(f"The account {theirs.id} is read-only; local changes cannot be sent.")
        mailboxes = await read_mailboxes(client, theirs)
        found.mailboxes = arrange(mailboxes.raw, account.mail)
        found.note_cut(MAIL, mailboxes.cut)
    elif kind == SIEVE.name:
        found.account_id = found.account_id or theirs.id
        await _check_scripts(found, account, client, session, theirs)
    else:
        found.account_id = found.account_id or theirs.id
        await _check_collections(found, account.kinds[kind], client, session, theirs)
    if kind == "calendars" and account.calendars is not None:
        found.invitations = _MAILED if account.calendars.send_invitations else _NOT_MAILED


async def _check_collections(found: Checkup, config: KindConfig, client: Client, session: Session, theirs: Account) -> None:
    """List address books or calendars, and say which are not mirrored, those that only the disk has among them."""
    from jmapsync.storage.vdir.folders import unwanted_in  # noqa: PLC0415  # mail alone needs none of it

    patterns = patterns_of(config)
    every = await collections(client, theirs, dialect_for(config.kind, session, theirs))
    found.collections[config.kind] = [
        one.label() if patterns.covers(one.name, hidden=bool(one.unshown)) else one.label("not mirrored") for one in every.items
    ]
    found.note_cut(KINDS[config.kind], every.cut)
    found.left_out[config.kind] = unwanted_in(config.path, patterns)


async def _check_scripts(found: Checkup, account: AccountConfig, client: Client, session: Session, theirs: Account) -> None:
    """List the scripts, and say which the server does not accept and which file into mailboxes that it does not have."""
    from jmapsync.app.script_check import doubts, listed  # noqa: PLC0415  # few use it

    found.collections[SIEVE.name], cut = await listed(client, theirs)
    found.note_cut(SIEVE, cut)
    boxes: dict[str, str] | None = None
    with suppress(UnsupportedError):
        mailboxes = await read_mailboxes(client, require(MAIL.name, account, session))
        if not mailboxes.cut:  # one that was not listed may exist
            boxes = {one["id"]: path for one, path in zip(mailboxes.raw, paths_of(mailboxes.raw), strict=True)}
    found.problems += await doubts(client, theirs, account.kinds[SIEVE.name].path, boxes)


async def _identities(account: AccountConfig, client: Client, session: Session) -> list[Identity]:
    """Return whom the user may send as; nobody where mail cannot be sent by the server."""
    try:
        theirs = own_account(account, session, SUBMISSION)
        return list(await read_identities(client, theirs))
    except (UnsupportedError, MethodError, AccountGoneError):
        return []


def arrange(raw: list[dict[str, Any]], config: MailConfig) -> list[Mailbox]:
    """Return mailboxes with their paths, the inbox first."""
    patterns = patterns_of(config)
    boxes = [
        Mailbox(
            path=path,
            role=str(one.get("role") or ""),
            total=int(one.get("totalEmails") or 0),
            unread=int(one.get("unreadEmails") or 0),
            mirrored=patterns.covers(path),
            writable=(one.get("myRights") or {}).get("mayAddItems") is not False,
        )
        for one, path in zip(raw, paths_of(raw), strict=True)
    ]
    return sorted(boxes, key=lambda box: (box.role != "inbox", box.path.casefold()))
