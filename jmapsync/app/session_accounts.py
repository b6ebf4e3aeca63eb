"""List the accounts of a session with what may be done in each: whose it is, its kinds, and the rights in its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.mailbox_list import incomplete, paths_of, read_mailboxes
from jmapsync.app.sides import require
from jmapsync.errors import JmapsyncError, Scope, UnsupportedError
from jmapsync.jmap.failures import MethodError
from jmapsync.kinds import KINDS, MAIL, SIEVE
from jmapsync.storage.jmap.objects import collections, dialect_for, stated_rights

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session
    from jmapsync.kinds import RightNames

_ACTS = {
    "add": "add",
    "remove": "remove",
    "edit": "edit",
    "seen": "mark as read",
    "keywords": "flag",
    "child": "create mailboxes below",
    "rename": "rename",
    "delete": "delete",
}
"""What a right allows, by the operation that needs it."""
_OF_CONTAINERS = ("child", "rename", "delete")
"""The operations on a container itself; without them, its items can still be written."""


class Access(Struct, frozen=True):
    """What the user may do in one container."""

    name: str
    rights: str
    """In words."""
    is_restricted: bool
    """Whether items cannot be written as in a container of the user's own."""


class SessionAccount(Struct):
    """One account of a session."""

    id: str
    name: str
    is_personal: bool
    is_read_only: bool
    kinds: dict[str, list[Access]] = {}
    """By kind that it offers: its containers."""
    problems: list[str] = []


async def accounts_of_session(account: AccountConfig, client: Client, session: Session) -> list[SessionAccount]:
    """Return every account of the session, the user's own ones first; what one of them refuses is a problem of it."""
    found = [await _account(account, theirs, client, session) for theirs in session.accounts.values()]
    return sorted(found, key=lambda one: (not one.is_personal, one.name.casefold(), one.id))


async def _account(account: AccountConfig, theirs: Account, client: Client, session: Session) -> SessionAccount:
    found = SessionAccount(theirs.id, theirs.name, theirs.is_personal, theirs.is_read_only)
    for kind in KINDS.values():
        try:
            require(kind.name, replace(account, account_id=theirs.id), session)
            found.kinds[kind.name], cut = await _access(kind.name, theirs, client, session)
            if cut:
                found.problems.append(incomplete(kind, cut))
        except UnsupportedError:
            continue
        except JmapsyncError as error:
            if error.scope is Scope.ACCOUNT and not isinstance(error, MethodError):
                raise
            found.problems.append(f"{kind.name}: {error}")
    return found


async def _access(kind: str, theirs: Account, client: Client, session: Session) -> tuple[list[Access], str]:
    """Return what may be done in each container of a kind, and why some may be missing, or nothing."""
    names = KINDS[kind].rights
    if kind == MAIL.name:
        listed = await read_mailboxes(client, theirs)
        held = [(path, stated_rights(one)) for path, one in zip(paths_of(listed.raw), listed.raw, strict=True)]
        cut = listed.cut
    elif kind == SIEVE.name:
        return [], ""  # scripts have no containers, and no rights but those of the account
    else:
        found = await collections(client, theirs, dialect_for(kind, session, theirs))
        held = [(one.label(), one.rights) for one in found.items]
        cut = found.cut
    return [_described(name, rights, names, theirs) for name, rights in sorted(held, key=lambda one: one[0].casefold())], cut


def _described(name: str, held: frozenset[str] | None, names: RightNames, theirs: Account) -> Access:
    """Return the rights in a container in words; `held` is None where the server does not state them."""
    if theirs.is_read_only:
        return Access(name, "read-only account", is_restricted=True)
    if held is None:
        return Access(name, "rights not stated", is_restricted=False)
    if names.read not in held:
        return Access(name, "may not be read", is_restricted=True)
    barred = [act for act in _ACTS if not all(each & held for each in getattr(names, act))]
    inside = [act for act in barred if act not in _OF_CONTAINERS]
    words = ", ".join(_ACTS[act] for act in barred)
    if not barred:
        return Access(name, "read and write", is_restricted=False)
    if len(barred) == sum(bool(getattr(names, act)) for act in _ACTS):
        return Access(name, "read only", is_restricted=True)
    return Access(name, f"read{'' if inside else ' and write'}; may not: {words}", is_restricted=bool(inside))
