"""Read one account: its server, its password source and its kinds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from jmapsync.config.values import (
    AccountConfig,
    Auth,
    CalendarsConfig,
    ContactsConfig,
    Direction,
    Layout,
    LineEndings,
    MailConfig,
    NotmuchConfig,
    OnDelete,
    SieveConfig,
    TasksConfig,
    VcardVersion,
)
from jmapsync.text import command

if TYPE_CHECKING:
    from jmapsync.config.reader import Reader

OfCollections = TypeVar("OfCollections", ContactsConfig, CalendarsConfig, TasksConfig)

_SECRETS = ("password_command", "password_file", "credential", "keyring", "password")
_LONGEST_NAME = 100
"""Octets; it names a folder."""


def read_account(reader: Reader, name: str, state_dir: Path, *, private: bool) -> AccountConfig:
    """Return the account of a table; `private` says that nobody else can read the file it stands in."""
    if not name or name[0] in ".-" or "/" in name or not name.isprintable() or len(name.encode()) > _LONGEST_NAME:
        reader.wrong("", f"{name!r} cannot be the name of an account: its state directory has that name")
    address = reader.text("address")
    user = reader.text("user")
    direction: Direction = reader.choice("direction", Direction, "both")
    account = AccountConfig(
        name=name,
        state_dir=state_dir,
        address=address,
        url=_url(reader),
        user=user or address,
        auth=reader.choice("auth", Auth, "bearer"),
        client_id=reader.text("client_id"),
        client_secret=reader.text("client_secret"),
        scopes=reader.texts("scopes", ()),
        password_command=reader.text("password_command"),
        password_file=reader.path("password_file"),
        credential=reader.text("credential"),
        keyring=reader.flag("keyring", default=False),
        password=reader.text("password"),
        account_id=reader.text("account_id"),
        shared=reader.flag("shared", default=False),
        shared_exclude=reader.texts("shared_exclude", ()),
        trusted_hosts=_hosts(reader),
        direction=direction,
        mail=_read_mail(reader.table("mail"), direction),
        contacts=_read_contacts(reader.table("contacts"), direction),
        calendars=_read_calendars(reader.table("calendars"), direction),
        tasks=_read_tasks(reader.table("tasks"), direction),
        sieve=_read_sieve(reader.table("sieve"), direction),
    )
    reader.close()
    _check_sign_in(reader, account, private=private)
    if account.shared_exclude and not account.shared:
        reader.wrong("shared_exclude", "shared_exclude is used with shared = true only")
    return account


def _check_sign_in(reader: Reader, account: AccountConfig, *, private: bool) -> None:
    name = account.name
    if not reader.has("address") and not reader.has("url"):
        reader.wrong("", f'account "{name}": no server; set address or url')
    if account.address and not _is_address(account.address):
        reader.wrong("address", f"address {account.address!r} is not a mail address")
    if account.auth == "basic" and not account.user:
        reader.wrong("", f'account "{name}": auth = "basic" needs a user or an address')
    given = [source for source in _SECRETS if reader.has(source) and (source != "keyring" or account.keyring)]
    if len(given) > 1:
        reader.wrong(given[1], f'account "{name}": more than one password source: {", ".join(given)}')
    if not given and account.auth != "oauth":
        reader.wrong("", f'account "{name}": no password source; set one of password_command, password_file, credential, keyring')
    _check_oauth(reader, account, given, private=private)
    if reader.has("password") and not private:
        reader.wrong(
            "password",
            "password is accepted only in a file that nobody else can read; run chmod 600 on it, or use password_command",
        )


def _check_oauth(reader: Reader, account: AccountConfig, given: list[str], *, private: bool) -> None:
    name = account.name
    if given and account.auth == "oauth":
        reader.wrong(given[0], f'account "{name}": auth = "oauth" takes no {given[0]}; sign in with: {command("login", name)}')
    for key in ("client_id", "client_secret", "scopes"):
        if reader.has(key) and account.auth != "oauth":
            reader.wrong(key, f'{key} is used with auth = "oauth" only')
    if account.client_secret and not account.client_id:
        reader.wrong("client_secret", "client_secret needs a client_id")
    if reader.has("client_secret") and not private:
        reader.wrong("client_secret", "client_secret is accepted only in a file that nobody else can read; run chmod 600 on it")


def _is_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and " " not in text


def _url(reader: Reader) -> str:
    url = reader.text("url")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        reader.wrong("url", "url is not a URL")
        return ""
    if parts.username is not None or parts.password is not None:
        reader.wrong("url", "url must not contain a user name or password; use user and password_command")
    elif parts.scheme not in {"https", "http"} or not host:
        reader.wrong("url", "url must start with https:// and a host name")
    elif parts.scheme == "http" and not _is_loopback(host):
        reader.wrong(
            "url", f"url would send the password to {host} unencrypted; use https:// (http:// is accepted for this machine only)"
        )
    else:
        return url
    return ""


def _is_loopback(host: str) -> bool:
    import ipaddress  # noqa: PLC0415  # only a plain http URL needs it

    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(reader: Reader) -> tuple[str, ...]:
    hosts = reader.texts("trusted_hosts", ())
    for host in hosts:
        if "/" in host or "@" in host or "*" in host or " " in host:
            reader.wrong("trusted_hosts", f'trusted_hosts takes host names such as "files.example.com", not {host!r}')
    return hosts


def _root(reader: Reader) -> Path:
    path = reader.path("path")
    if not reader.has("path"):
        reader.wrong("", f"[{'.'.join(reader.at)}] needs a path")
    return path or Path()


def _read_mail(reader: Reader | None, direction: Direction) -> MailConfig | None:
    if reader is None:
        return None
    default = MailConfig(path=_root(reader))
    mail = MailConfig(
        path=default.path,
        layout=reader.choice("layout", Layout, default.layout),
        include=reader.texts("include", default.include),
        exclude=reader.texts("exclude", default.exclude),
        direction=reader.choice("direction", Direction, direction),
        on_delete=reader.choice("on_delete", OnDelete, default.on_delete),
        line_endings=reader.choice("line_endings", LineEndings, default.line_endings),
        keep_deleted=reader.flag("keep_deleted", default=default.keep_deleted),
        notmuch=_read_notmuch(reader.table("notmuch")),
    )
    if not mail.include:
        reader.wrong("include", "include must not be empty: no mailbox would be mirrored")
    reader.close()
    return mail


def _read_notmuch(reader: Reader | None) -> NotmuchConfig | None:
    if reader is None:
        return None
    notmuch = NotmuchConfig(
        config=reader.path("config"),
        mailboxes=reader.texts("mailboxes", ()),
        tags=reader.names_of("tags"),
        ignore=reader.texts("ignore", ()),
    )
    for tag in {one for one in notmuch.tags.values() if list(notmuch.tags.values()).count(one) > 1}:
        reader.wrong("tags", f"tags uses {tag!r} for more than one mailbox or keyword")
    reader.close()
    return notmuch


def _read_contacts(reader: Reader | None, direction: Direction) -> ContactsConfig | None:
    if reader is None:
        return None
    default = ContactsConfig(path=_root(reader))
    contacts = ContactsConfig(
        path=default.path,
        direction=reader.choice("direction", Direction, direction),
        vcard_version=reader.choice("vcard_version", VcardVersion, default.vcard_version),
    )
    return _closed(reader, contacts)


def _read_calendars(reader: Reader | None, direction: Direction) -> CalendarsConfig | None:
    if reader is None:
        return None
    calendars = CalendarsConfig(
        path=_root(reader),
        direction=reader.choice("direction", Direction, direction),
        send_invitations=reader.flag("send_invitations", default=False),
    )
    return _closed(reader, calendars)


def _read_tasks(reader: Reader | None, direction: Direction) -> TasksConfig | None:
    if reader is None:
        return None
    return _closed(reader, TasksConfig(path=_root(reader), direction=reader.choice("direction", Direction, direction)))


def _read_sieve(reader: Reader | None, direction: Direction) -> SieveConfig | None:
    if reader is None:
        return None
    config = SieveConfig(path=_root(reader), direction=reader.choice("direction", Direction, direction))
    reader.close()
    return config


def _closed(reader: Reader, config: OfCollections) -> OfCollections:
    """Return a kind with what of it is mirrored, which ends its table."""
    config = replace(
        config,
        include=reader.texts("include", config.include),
        exclude=reader.texts("exclude", config.exclude),
        hidden=reader.flag("hidden", default=config.hidden),
    )
    if not config.include:
        reader.wrong("include", "include must not be empty: nothing would be mirrored")
    reader.close()
    return config
