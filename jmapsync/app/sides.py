"""Build the two sides of each kind of an account: where its files lie here, and how its server offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.app.account import Sides
from jmapsync.app.state_paths import SPOOL
from jmapsync.config import CalendarsConfig, CollectionsConfig, ContactsConfig, MailConfig, SieveConfig
from jmapsync.errors import UnsupportedError
from jmapsync.formats.names import EVERYTHING, CollectionPatterns, Patterns
from jmapsync.kinds import KINDS, MAIL, SIEVE
from jmapsync.storage.port import MailPair, ObjectPair

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig, KindConfig, NotmuchConfig
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session
    from jmapsync.kinds import Kind
    from jmapsync.storage.maildir.tree import Tree
    from jmapsync.storage.notmuch.side import TagSide


def account_of(kind: str, account: AccountConfig, session: Session) -> Account:
    """Return the server's account for a kind. Raises UnsupportedError where the server does not offer it, AccountGoneError."""
    names = KINDS[kind].capabilities
    offered = next((name for name in names if name in session.capabilities), names[-1])
    return session.account_for(offered, account.account_id)


def require(kind: str, account: AccountConfig, session: Session) -> Account:
    """Return the server's account for a kind, in a dialect that is known. Raises UnsupportedError, in the same words for all."""
    try:
        theirs = account_of(kind, account, session)
        if kind not in {MAIL.name, SIEVE.name}:
            from jmapsync.storage.jmap.objects import dialect_for  # noqa: PLC0415  # mail alone needs none of it

            dialect_for(kind, session, theirs)
    except UnsupportedError as error:
        if error.advice:  # it is offered, in several accounts
            raise
        whom = f"in the account {account.account_id}" if account.account_id else f"to {session.username or 'this user'}"
        raise UnsupportedError(f"{urlsplit(session.url).netloc} offers no {kind} {whom}.") from error
    return theirs


def sides_of(
    config: KindConfig,
    account: AccountConfig,
    client: Client,
    session: Session,
    *,
    dry: bool,
    unmailed: frozenset[int] | None = None,
) -> Sides:
    """Return both sides of one kind. Raises UnsupportedError where the server does not offer it, AccountGoneError.

    `unmailed` are the keys of new events that nobody is invited to, None where nobody is to be mailed whatever is configured.
    """
    if isinstance(config, MailConfig):
        return _mail(config, account, client, session, dry=dry)
    if isinstance(config, SieveConfig):
        return _scripts(config, account, client, session, dry=dry)
    return _objects(config, account, client, session, dry=dry, unmailed=unmailed)


def _directed(kind: Kind, config: KindConfig) -> Kind:
    """Return the declaration of a kind, for syncing from the server only if the configuration says so."""
    return kind.pulled_only() if config.direction == "pull" else kind


def _mail(config: MailConfig, account: AccountConfig, client: Client, session: Session, *, dry: bool) -> Sides:
    from jmapsync.storage.jmap.mail.side import MailSide  # noqa: PLC0415
    from jmapsync.storage.maildir.side import MaildirSide  # noqa: PLC0415

    theirs = require(MAIL.name, account, session)
    spool = account.state_dir / SPOOL
    patterns = patterns_of(config)
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
        _directed(MAIL, config),
        theirs.id,
        MailPair(local, MailSide(client, theirs, spool, on_delete=config.on_delete, selective=not patterns.is_all)),
        patterns=patterns,
        tags=_tags(config.notmuch, account.name, local.tree, dry=dry) if config.notmuch is not None else None,
    )


def _tags(config: NotmuchConfig, name: str, tree: Tree, *, dry: bool) -> TagSide:
    from jmapsync.storage.notmuch.side import TagRules, TagSide  # noqa: PLC0415  # few use it

    return TagSide(tree, name, TagRules(config.config, config.mailboxes, tuple(config.tags.items()), config.ignore), dry=dry)


def _scripts(config: SieveConfig, account: AccountConfig, client: Client, session: Session, *, dry: bool) -> Sides:
    from jmapsync.storage.jmap.scripts.side import ScriptSide  # noqa: PLC0415  # few use it
    from jmapsync.storage.sieve.side import ScriptFiles  # noqa: PLC0415

    theirs = require(SIEVE.name, account, session)
    local = ScriptFiles(config.path, dry=dry)
    return Sides(_directed(SIEVE, config), theirs.id, MailPair(local, ScriptSide(client, theirs, local), by_content=False))


def _objects(
    config: KindConfig, account: AccountConfig, client: Client, session: Session, *, dry: bool, unmailed: frozenset[int] | None
) -> Sides:
    from jmapsync.formats.codec import codec_of  # noqa: PLC0415  # mail alone needs none of it
    from jmapsync.storage.jmap.objects import ObjectSide, dialect_for  # noqa: PLC0415
    from jmapsync.storage.vdir.side import VdirSide  # noqa: PLC0415

    kind = KINDS[config.kind]
    codec = codec_of(kind.name, vcard_version=config.vcard_version if isinstance(config, ContactsConfig) else "3.0")
    theirs = require(kind.name, account, session)
    patterns = patterns_of(config)
    dialect = dialect_for(kind.name, session, theirs)
    allowed = isinstance(config, CalendarsConfig) and config.send_invitations
    remote = ObjectSide(client, theirs, dialect, codec, unmailed if allowed else None)
    return Sides(
        _directed(kind, config),
        theirs.id,
        ObjectPair(VdirSide(config.path, kind.name, codec, dry=dry, patterns=patterns), remote, codec),
        patterns=patterns,
    )


def patterns_of(config: KindConfig) -> Patterns:
    """Return which mailboxes, address books, calendars or task lists of a kind are mirrored."""
    if isinstance(config, MailConfig):
        return Patterns(config.include, config.exclude)
    if isinstance(config, CollectionsConfig):
        return CollectionPatterns(config.include, config.exclude, config.hidden)
    return EVERYTHING
