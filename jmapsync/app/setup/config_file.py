"""Add an account to the configuration file; what is there already keeps every octet."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import SETUP_LOCK
from jmapsync.config.files import LONGEST
from jmapsync.config.load import parse
from jmapsync.directories import make_private
from jmapsync.errors import ConfigError, LocalError
from jmapsync.ledger import AccountLock
from jmapsync.opening import read_regular
from jmapsync.storage.files.atomic import replace_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tomlkit.items import Table

    from jmapsync.config import AccountConfig

_BEGINNING = """\
# Configuration of jmapsync. docs/configuration.md explains every key; "jmapsync check" checks this file.

"""
Value = str | bool | list[str]


@dataclass(frozen=True, kw_only=True)
class NewKind:
    """One kind of the account."""

    kind: str
    path: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    """Further keys of its table."""


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """What is written about an account. It has no secret."""

    name: str
    settings: Mapping[str, Value]
    """Keys of its table, in order."""
    kinds: tuple[NewKind, ...] = ()


_COMMENTS = {
    "url": "the JMAP session",
    "trusted_hosts": "further hosts that may be sent the secret",
    "include": "mailboxes that are mirrored, with those below them",
    "exclude": "mailboxes that are not, with those below them",
    "direction": "the server is never written",
    "keep_deleted": "what the server deletes stays here, below DELETED",
}


def render(account: NewAccount) -> str:
    """Return the tables of an account as TOML with comments."""
    import tomlkit  # noqa: PLC0415  # only a new account needs it

    tables = tomlkit.table(is_super_table=True)
    own = _table(account.settings)
    for kind in account.kinds:
        own.add(tomlkit.nl())
        own.add(kind.kind, _table({"path": kind.path, **kind.settings}))
    tables.add(account.name, own)
    document = tomlkit.document()
    document.add("accounts", tables)
    return tomlkit.dumps(document)


def _table(values: Mapping[str, Value]) -> Table:
    import tomlkit  # noqa: PLC0415

    table = tomlkit.table()
    for name, value in values.items():
        item = tomlkit.item(value)
        if name in _COMMENTS:
            item.comment(_COMMENTS[name])
        table.add(name, item)
    return table


def account_names(path: Path) -> list[str]:
    """Return the names of the accounts of a file and of those that it includes, none where there is no file.

    A file without an account is invalid only until it has one. Raise `ConfigError` if it is invalid otherwise.
    """
    return list(parse(_read(path), path, private=True, may_be_empty=True).accounts)


def extended(path: Path, account: NewAccount) -> tuple[bytes, AccountConfig]:
    """Return the content of a configuration file with an account added, and the account as it is then read.

    Raise `ConfigError` if the file is invalid, has such an account, or cannot be extended; nothing is written.
    """
    before = _read(path)
    if account.name in account_names(path):
        raise ConfigError([f"{path} has an account {account.name} already; choose another name."])
    try:
        addition = render(account).encode()
    except UnicodeEncodeError as error:
        what = error.object[max(0, error.start - 20) : error.end].encode("utf-8", "replace").decode()
        raise ConfigError([f"{path} cannot hold what is not UTF-8: {what!r}"]) from None
    if before and not before.endswith(b"\n"):
        addition = b"\n" + addition
    addition = (b"\n" if before else _BEGINNING.encode()) + addition
    if b"\r\n" in before:
        addition = addition.replace(b"\n", b"\r\n")
    try:
        config = parse(before + addition, path, private=True)
    except ConfigError as error:
        first = before.count(b"\n") + 1
        raise ConfigError(
            [f"{path} cannot be extended by this account: {' '.join(error.problems)} It would begin at line {first}."]
        ) from error
    return before + addition, config.accounts[account.name]


def write(path: Path, content: bytes) -> None:
    """Put a configuration file in place in one step: a new one readable by its owner only, an old one with the mode it had.

    A symbolic link stays, and the file that it names is written. Raise `LocalError`.
    """
    target = Path(os.path.realpath(path))
    try:
        make_private(target.parent)
        mode = None
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(target.stat().st_mode)
        replace_bytes(target, content)
        if mode is not None:
            target.chmod(mode)
    except OSError as error:
        raise LocalError(f"The configuration {path} cannot be written: {error.strerror}.") from error


def _read(path: Path) -> bytes:
    """Return the content of a file; nothing if there is none."""
    try:
        return read_regular(path, LONGEST, follow=True)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError([f"{path}: the configuration cannot be read: {error.strerror}"]) from error


@contextlib.contextmanager
def setting_up(path: Path, account: AccountConfig) -> Iterator[None]:
    """Set an account up alone: another process would sign it in too, and whoever stops last revokes the sign-in of the other.

    Raise `BusyError` while another process sets up an account of the name, also for another configuration, `ConfigError` where
    there is one by now.
    """
    state = account.state_dir
    try:
        make_private(state)
    except OSError as error:
        raise LocalError(f"The state folder {state} cannot be made: {error.strerror}.") from error
    with AccountLock(state / SETUP_LOCK, account.name):
        if account.name in account_names(path):
            raise ConfigError([f"there is an account {account.name} in {path} by now"])
        yield


def state_dir_for(path: Path, name: str) -> Path:
    """Return the state directory that an account of a configuration file has; raise `ConfigError` if the file is invalid."""
    minimal = NewAccount(name=name, settings={"url": "https://localhost/", "password_command": "true"})
    return extended(path, minimal)[1].state_dir
