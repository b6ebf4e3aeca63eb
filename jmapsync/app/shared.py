"""Know the shared accounts of a login: the other accounts of its session, each with a root, a name and a ledger of its own.

They are listed in a note of the ledger of the account that signs in. An account stays listed after the server withdrew it, and
keeps its root when the server renames it: the root, and with it the name `LOGIN/ROOT`, is fixed when the account is first seen.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.state_paths import LEDGER, SHARED
from jmapsync.errors import JmapsyncError
from jmapsync.formats.names import escape, fold, unique
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.ledger import Summary
from jmapsync.storage.files.root import read_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from jmapsync.config import AccountConfig
    from jmapsync.jmap.session import Session
    from jmapsync.ledger import Ledger

Stored = TypeVar("Stored")
NOTE = "shared"
"""The ledger's note of the shared accounts."""
_LONGEST = 100
"""Octets of a root's name; the name of the account that signs in is put before it."""


class SharedAccount(Struct, frozen=True):
    """One shared account."""

    id: str
    root: str
    """The name of its directories, and the last part of its own."""
    name: str
    """As the server names it at present."""
    kinds: tuple[str, ...] = ()
    """What it ever offered of the kinds that are mirrored."""


def listed(ledger: Summary) -> list[SharedAccount]:
    """Return the shared accounts that a ledger lists."""
    try:
        found: list[SharedAccount] = decode_json(ledger.note(NOTE).encode() or b"[]", list[SharedAccount])
    except DecodeError:  # whoever changed it by hand: the next run lists them again
        return []
    return found


def shared_accounts(account: AccountConfig) -> list[AccountConfig]:
    """Return the shared accounts of a login as accounts of their own; none where its ledger cannot be read."""
    return accounts_of(account, _listed_by(account)) if account.shared else []


def title_of(account: AccountConfig) -> str:
    """Return how the server names a shared account."""
    return next((one.name for one in _listed_by(account.login) if one.id == account.account_id), account.account_id)


def withdrawn_in(account: AccountConfig, kind: str) -> list[str]:
    """Return the paths of the folders of a kind that vanished from an account; none where its ledger cannot be read."""
    return from_ledger(account, lambda ledger: ledger.withdrawn(kind))


def _listed_by(account: AccountConfig) -> list[SharedAccount]:
    return from_ledger(account, listed)


def from_ledger(account: AccountConfig, read: Callable[[Summary], list[Stored]]) -> list[Stored]:
    """Return what is read from a ledger; nothing where it cannot be: the account's own run and `status` report that."""
    try:
        ledger = Summary.open_readonly(account.state_dir / LEDGER)
    except JmapsyncError:
        return []
    if ledger is None:
        return []
    with closing(ledger):
        return read(ledger)


def accounts_of(account: AccountConfig, shared: Iterable[SharedAccount]) -> list[AccountConfig]:
    """Return shared accounts as accounts of their own, without those that the configuration excludes."""
    return [_account(account, one) for one in shared if not _is_excluded(account, one)]


def _is_excluded(account: AccountConfig, shared: SharedAccount) -> bool:
    names = (shared.id, shared.name, shared.root)
    return any(fnmatchcase(name, pattern) for pattern in account.shared_exclude for name in names)


def _account(login: AccountConfig, shared: SharedAccount) -> AccountConfig:
    kinds = {
        kind: replace(config, path=config.shared_path / shared.root) for kind, config in login.kinds.items() if kind in shared.kinds
    }
    every = dict.fromkeys(login.kinds) | kinds
    if login.mail is not None and "mail" in kinds:
        every["mail"] = replace(login.mail, path=kinds["mail"].path, notmuch=None)  # its database is of the login's own mail
    changes = {
        "name": f"{login.name}/{shared.root}",
        "state_dir": login.state_dir / SHARED / shared.root,
        "account_id": shared.id,
        "shared": False,
        "shared_exclude": (),
        "login_of": login,
        **every,
    }
    return replace(login, **changes)


def register(account: AccountConfig, ledger: Ledger, session: Session, *, dry: bool) -> list[SharedAccount]:
    """Return the shared accounts of a login, with those that its session lists for the first time, and record them unless `dry`."""
    known = {one.id: one for one in listed(ledger)}
    before = list(known.values())
    for found_id, name, kinds in _offered(account, ledger, session):
        seen = known.get(found_id)
        if seen is None:
            root = _new_root(account, found_id, name, {fold(one.root) for one in known.values()})
            seen = SharedAccount(found_id, root, name)
        every = tuple(kind for kind in account.kinds if kind in {*seen.kinds, *kinds})
        others = tuple(kind for kind in seen.kinds if kind not in account.kinds)
        known[found_id] = replace(seen, name=name, kinds=every + others)
    found = list(known.values())
    if not dry and found != before:
        ledger.set_note(NOTE, json.dumps(msgspec.to_builtins(found)))
    return found


def _offered(account: AccountConfig, ledger: Ledger, session: Session) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the other accounts of a session by id and name, with the kinds that each offers."""
    own = {kind: _own_ids(account, kind, ledger, session) for kind in account.kinds}
    for theirs in session.accounts.values():
        kinds = [kind for kind in account.kinds if theirs.id not in own[kind] and _offers(account, kind, theirs.id, session)]
        if kinds:
            yield theirs.id, theirs.name or theirs.id, kinds


def _own_ids(account: AccountConfig, kind: str, ledger: Ledger, session: Session) -> set[str]:
    """Return the ids of the accounts that the login itself mirrors, or has mirrored, for a kind."""
    from jmapsync.app.identity import pin_of  # noqa: PLC0415  # only a run needs the JMAP client
    from jmapsync.app.sides import account_of  # noqa: PLC0415  # as above
    from jmapsync.errors import UnsupportedError  # noqa: PLC0415

    pinned = pin_of(ledger, kind)
    try:
        return {pinned, account_of(kind, account, session).id}
    except UnsupportedError:
        return {pinned}


def _offers(account: AccountConfig, kind: str, account_id: str, session: Session) -> bool:
    from jmapsync.app.sides import require  # noqa: PLC0415  # only a run needs the JMAP client
    from jmapsync.errors import UnsupportedError  # noqa: PLC0415

    try:
        require(kind, replace(account, account_id=account_id), session)
    except UnsupportedError:
        return False
    return True


def _new_root(account: AccountConfig, account_id: str, name: str, taken: set[str]) -> str:
    """Return the name of the directories of an account: the one whose marker names it already, else a new one after its name."""
    places = [config.shared_path for config in account.kinds.values()]
    for place in places:
        for folder in _folders(place):
            marker = read_marker(place / folder) or {}
            if marker.get("account") == account_id and fold(folder) not in taken:
                return folder
    there = {fold(folder) for place in places for folder in _folders(place)}
    return unique(escape(name), account_id, taken | there, longest=_LONGEST)


def _folders(place: Path) -> list[str]:
    try:
        return sorted(os.listdir(place))
    except OSError:
        return []
