"""Restore: open the account that is written to, or ask the daemon that holds it, and put back one source after the other."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.account import AccountRun
from jmapsync.app.sides import sides_of
from jmapsync.app.sources import absolute
from jmapsync.app.state_paths import LEDGER, may_have_daemon
from jmapsync.app.wiring import open_account
from jmapsync.backup.selection import ForeignTree
from jmapsync.errors import BusyError, ExitCode, JmapsyncError
from jmapsync.kinds import KINDS, MAIL
from jmapsync.ledger import Ledger
from jmapsync.storage.files.root import read_marker
from jmapsync.sync.options import Options
from jmapsync.sync.quarantine import DEFAULT, ROLES, note_of
from jmapsync.sync.report import worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.app.sources import Source
    from jmapsync.app.wiring import OpenAccount
    from jmapsync.backup.restore import Restored
    from jmapsync.config import AccountConfig, KindConfig, SafetyConfig
    from jmapsync.kinds import Kind
    from jmapsync.sync.report import AccountReport, Progress

Results = list[tuple[str, "AccountReport", "Restored | None"]]
"""By kind: how it went, and what was put back unless it failed."""


class Restoration(Struct):
    """The result of one command."""

    into: str
    """The account that was written to."""
    results: Results = []

    @property
    def exit_code(self) -> ExitCode:
        """Return the code of the command."""
        return worst([ExitCode.IN_SYNC, *(report.worst for _, report, _ in self.results)])


async def restore(
    account: AccountConfig,
    target: AccountConfig,
    safety: SafetyConfig,
    sources: Sequence[Source],
    progress: Progress,
    *,
    dry: bool,
) -> Results:
    """Put sources of an account back on the server of a target, and return what came of each, by kind.

    The target is locked, and its ledger kept up where the source is its mirror. Raise what opening an account raises.
    """
    kinds = [source.config for source in sources]
    async with open_account(target, safety, kinds, progress, dry=dry) as opened:
        return await restore_opened(account, sources, opened, dry=dry)


async def restore_opened(account: AccountConfig, sources: Sequence[Source], opened: OpenAccount, *, dry: bool = False) -> Results:
    """Put sources of an account back on the server of the account at hand, and return what came of each, by kind."""
    found: Results = []
    for source in sources:
        started = time.monotonic()
        report, restored = await _restore(account, opened, source, dry=dry)
        report.seconds = time.monotonic() - started
        found.append((source.config.kind, report, restored))
        if report.error:
            break
    return found


async def hand_over(
    account: AccountConfig, target: AccountConfig, kinds: Sequence[KindConfig], paths: Sequence[str]
) -> Results | None:
    """Let the daemon do it if one holds the target, and return what came of it."""
    if not may_have_daemon(target.state_dir):
        return None
    from jmapsync.app.control import Ask, ask  # noqa: PLC0415  # most runs meet no daemon

    whole = tuple(str(absolute(path, kinds)) for path in paths)
    question = Ask("restore", account=account.name, kinds=tuple(config.kind for config in kinds), paths=whole)
    answer = await ask(target.state_dir, question)
    if answer is None:
        return None
    if answer.restored is None:
        raise BusyError(answer.error or "The daemon gave no report.", advice="Try again, or restart it.")
    return answer.restored


async def _restore(
    account: AccountConfig, opened: OpenAccount, source: Source, *, dry: bool
) -> tuple[AccountReport, Restored | None]:
    """Put back one source."""
    target, client = opened.account, opened.client
    is_own = source.is_mirror and target.name == account.name
    ledger, foreign = (opened.ledger, None) if is_own else _foreign_tree(account, source, is_own=target.name == account.name)
    requests, octets = client.requests, client.received
    run = AccountRun(target.name, target.state_dir, ledger, opened.limits, Options(full=True, dry=dry), opened.progress)
    restored = None
    try:
        session = await opened.session()
        sides = sides_of(source.config, opened.account, client, session, dry=dry or not is_own)
        if not is_own:
            marker = read_marker(source.config.path) or {"account": sides.account_id}
            sides = replace(sides, account_id=str(marker.get("account", "")), tags=None)  # a notmuch database is the mirror's
        restored = await run.restore(sides, source.selection, foreign)
    except JmapsyncError as error:
        run.report.error, run.report.exit_code, run.report.remedy = str(error), error.exit_code, error.remedy
    finally:
        if not is_own:
            ledger.close()
    run.report.requests, run.report.bytes = client.requests - requests, client.received - octets
    return run.report, restored


def _foreign_tree(account: AccountConfig, source: Source, *, is_own: bool) -> tuple[Ledger, ForeignTree]:
    """Return a ledger in memory for a tree that is not the target's mirror, and what the account's own ledger knows of it."""
    with ExitStack() as opened:
        known = Ledger.copy_of(account.state_dir / LEDGER)
        opened.callback(known.close)
        kind = KINDS[source.config.kind]
        folders = known.folders(kind.containers.kind)
        roles: dict[str, str] = {}
        for role, ref in _roles(known, kind) if not is_own else ():
            record = known.by_ref(kind.containers.kind, [ref]).get(ref)
            if record is not None and record.key in folders:
                roles[folders[record.key][0]] = role
        tables = dict(folders.values()) if kind is MAIL else {}
        foreign = ForeignTree(source.is_mirror, tables, roles)
        if source.is_mirror:
            known.forget_server()
            opened.pop_all()
            return known, foreign
    return Ledger.copy_of(None), foreign


def _roles(known: Ledger, kind: Kind) -> list[tuple[str, str]]:
    """Return the roles that an account's ledger knows of, and the ids of the containers that have them."""
    default = known.note(note_of(DEFAULT, kind.name))
    roles: dict[str, str] = json.loads(known.note(note_of(ROLES, kind.name)) or "{}")
    return [*roles.items(), *([(DEFAULT, default)] if default else [])]
