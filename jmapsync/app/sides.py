"""Build the two sides of each kind of an account: where its files lie here, and how its server offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.app.account import Sides
from jmapsync.app.state_paths import SPOOL
from jmapsync.config import CalendarsConfig, ContactsConfig, MailConfig, TasksConfig
from jmapsync.errors import UnsupportedError
from jmapsync.formats.names import Patterns
from jmapsync.kinds import CALENDARS, CONTACTS, TASKS, Kind
from jmapsync.kinds import MAIL as MAIL_KIND

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig, KindConfig, NotmuchConfig
    from jmapsync.formats.codec import Codec
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session
    from jmapsync.storage.maildir.tree import Tree
    from jmapsync.storage.notmuch.side import TagSide


MAIL = "urn:ietf:params:jmap:mail"
CAPABILITIES = {
    "mail": (MAIL,),
    "contacts": ("urn:ietf:params:jmap:contacts", "https://cyrusimap.org/ns/jmap/contacts"),
    "calendars": ("urn:ietf:params:jmap:calendars",),
    "tasks": ("urn:ietf:params:jmap:calendars",),
}
"""What offers a kind: the standard's name, and the one that Cyrus used before there was one."""
TYPES = {
    "mail": ("Mailbox", "Email"),
    "contacts": ("AddressBook", "ContactCard", "Contact", "ContactGroup"),
    "calendars": ("Calendar", "CalendarEvent"),
    "tasks": ("Calendar", "CalendarEvent"),
}
"""The data types of a kind, as push names them."""


def account_of(kind: str, account: AccountConfig, session: Session) -> Account:
    """Return the server's account for a kind. Raises UnsupportedError where the server does not offer it, AccountGoneError."""
    *older, last = (name for name in CAPABILITIES[kind] if name in session.capabilities or name == CAPABILITIES[kind][-1])
    return session.account_for(older[0] if older else last, account.account_id)


def require(kind: str, account: AccountConfig, session: Session) -> Account:
    """Return the server's account for a kind, in a dialect that is known. Raises UnsupportedError, in the same words for all."""
    try:
        theirs = account_of(kind, account, session)
        if kind != "mail":
            from jmapsync.storage.jmap.objects import dialect_for  # noqa: PLC0415  # mail alone needs none of it

            dialect_for(kind, session, theirs)
    except UnsupportedError as error:
        if error.advice:  # it is offered, in several accounts
            raise
        whom = f"in the account {account.account_id}" if account.account_id else f"to {session.username or 'this user'}"
        raise UnsupportedError(f"{urlsplit(session.url).netloc} offers no {kind} {whom}.") from error
    return theirs


def sides_of(config: KindConfig, account: AccountConfig, client: Client, session: Session, *, dry: bool) -> Sides:
    """Return both sides of one kind. Raises UnsupportedError where the server does not offer it, AccountGoneError."""
    if isinstance(config, MailConfig):
        return _mail(config, account, client, session, dry=dry)
    return _objects(config, account, client, session, dry=dry)


def _mail(config: MailConfig, account: AccountConfig, client: Client, session: Session, *, dry: bool) -> Sides:
    from jmapsync.storage.jmap.mail.side import MailSide  # noqa: PLC0415
    from jmapsync.storage.maildir.side import MaildirSide  # noqa: PLC0415

    theirs = require("mail", account, session)
    spool = account.state_dir / SPOOL
    patterns = Patterns(config.include, config.exclude)
    local = MaildirSide(
        config.path,
        spool,
        layout=config.layout,
        keep_crlf=config.line_endings == "crlf",
        keep_deleted=config.keep_deleted,
        dry=dry,
        patterns=patterns,
    )
    return Sides(
        MAIL_KIND.pulled_only() if config.direction == "pull" else MAIL_KIND,
        theirs.id,
        local,
        MailSide(client, theirs, spool, on_delete=config.on_delete, selective=not patterns.is_all),
        patterns=patterns,
        tags=_tags(config.notmuch, account.name, local.tree, dry=dry) if config.notmuch is not None else None,
    )


def _tags(config: NotmuchConfig, name: str, tree: Tree, *, dry: bool) -> TagSide:
    from jmapsync.storage.notmuch.side import TagRules, TagSide  # noqa: PLC0415  # few use it

    return TagSide(tree, name, TagRules(config.config, config.mailboxes, tuple(config.tags.items()), config.ignore), dry=dry)


def _objects(config: KindConfig, account: AccountConfig, client: Client, session: Session, *, dry: bool) -> Sides:
    from jmapsync.storage.jmap.objects import ObjectSide, dialect_for  # noqa: PLC0415  # mail alone needs none of it
    from jmapsync.storage.vdir.side import VdirSide  # noqa: PLC0415

    kind, codec = _formats(config)
    theirs = require(kind.name, account, session)
    dialect = dialect_for(kind.name, session, theirs)
    return Sides(
        kind,
        theirs.id,
        VdirSide(config.path, kind.name, codec, dry=dry),
        ObjectSide(client, theirs, dialect, codec),
        codec,
    )


def _formats(config: KindConfig) -> tuple[Kind, Codec]:
    """Return the declaration of a kind of objects and the converter of its files."""
    from jmapsync.formats.codec import cards, schedules  # noqa: PLC0415  # mail needs no converter

    if isinstance(config, ContactsConfig):
        return CONTACTS, cards(config.vcard_version)
    if isinstance(config, CalendarsConfig):
        return CALENDARS, schedules("Event")
    if isinstance(config, TasksConfig):
        return TASKS, schedules("Task")
    raise AssertionError(config.kind)
