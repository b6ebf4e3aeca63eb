"""Types of arguments and options, each with what a shell may complete: account names, kinds, ids and paths.

Nothing here reaches a server: names come from the configuration, ids from the state of the accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from jmapsync.config import AccountConfig

KINDS = ("mail", "contacts", "calendars", "tasks", "sieve")
"""The kinds that this version can synchronize."""


class Completed(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    """A string that a shell can complete."""

    name = "text"


class _Accounts(Completed):
    """The name of an account."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of accounts that begin so and were not given yet."""
        given = ctx.params.get(param.name or "")
        taken = given if isinstance(given, tuple) else ()
        return _items((name, "") for name in names_in(ctx) if name.startswith(incomplete) and name not in taken)


class _AccountOrPath(_Accounts):
    """The name of an account, or a path of its files where there is one account only."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of accounts that begin so, or else files."""
        return super().shell_complete(ctx, param, incomplete) or FILE.shell_complete(ctx, param, incomplete)


class _AccountOrAction(_Accounts):
    """The name of an account, or what is to be done with it."""

    def __init__(self, *actions: str) -> None:
        """Complete these actions too."""
        self._actions = actions

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of accounts and the actions that begin so."""
        found = [] if ctx.params.get(param.name or "") else super().shell_complete(ctx, param, incomplete)
        return found + _items((action, "") for action in self._actions if action.startswith(incomplete))


class _Place(Completed):
    """A path, which the shell itself completes; unlike `click.Path` it is not checked here."""

    def __init__(self, what: Literal["file", "dir"]) -> None:
        """Complete files, or directories only."""
        self._what = what

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Have the shell complete it."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # only completion needs it

        return [CompletionItem(incomplete, type=self._what)]


class _Kinds(Completed):
    """Kinds with commas between them."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the lists that the last kind may become."""
        before, comma, last = incomplete.rpartition(",")
        left = [kind for kind in KINDS if kind not in before.split(",")]
        return _items((f"{before}{comma}{kind}", "") for kind in left if kind.startswith(last))


class _Ids(Completed):
    """The id of something that waits for a person."""

    def __init__(self, what: Literal["conflict", "outbox"]) -> None:
        """Complete ids of conflict copies, or of messages that wait to be sent."""
        self._what = what

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the ids that begin so, with what they stand for."""
        from jmapsync.app.waiting_ids import conflict_ids, outbox_ids  # noqa: PLC0415  # only completion needs them
        from jmapsync.config import load  # noqa: PLC0415
        from jmapsync.errors import ConfigError  # noqa: PLC0415

        try:
            accounts = list(load(_configuration(ctx)).accounts.values())
        except ConfigError:
            return []
        found = conflict_ids([*accounts, *_shared(accounts)]) if self._what == "conflict" else outbox_ids(accounts)
        return _items((identity, item) for identity, item in found if identity.startswith(incomplete))


ACCOUNT = _Accounts()
ACCOUNT_OR_PATH = _AccountOrPath()
ACCOUNT_OR_ACTION = _AccountOrAction("show", "on", "off")
FILE = _Place("file")
DIRECTORY = _Place("dir")
KIND_LIST = _Kinds()
CONFLICT_ID = _Ids("conflict")
OUTBOX_ID = _Ids("outbox")


def names_in(ctx: click.Context) -> list[str]:
    """Return the names of the accounts of the configuration that the command line names so far, shared ones last."""
    from jmapsync.config import load  # noqa: PLC0415  # only completion needs it
    from jmapsync.config.account_names import account_names  # noqa: PLC0415  # as above
    from jmapsync.errors import ConfigError  # noqa: PLC0415

    path = _configuration(ctx)
    names = account_names(path)
    try:
        shared = _shared(load(path).accounts.values()) if names else []
    except ConfigError:  # the names are there all the same
        return names
    return [*names, *(account.name for account in shared if account.name.isprintable())]


def _shared(accounts: Iterable[AccountConfig]) -> list[AccountConfig]:
    """Return the shared accounts that are known of some accounts."""
    logins = [account for account in accounts if account.shared]
    if not logins:
        return []
    from jmapsync.app.shared import shared_accounts  # noqa: PLC0415  # most accounts have none

    return [one for account in logins for one in shared_accounts(account)]


def _configuration(ctx: click.Context) -> Path:
    from pathlib import Path  # noqa: PLC0415  # only completion needs it

    from jmapsync.config import default_path  # noqa: PLC0415

    given = ctx.find_root().params.get("config")
    return Path(given).expanduser() if given else default_path()


def _items(found: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # only completion needs it

    from jmapsync.text import one_line  # noqa: PLC0415

    return [CompletionItem(value, help=one_line(text) or None) for value, text in found]
