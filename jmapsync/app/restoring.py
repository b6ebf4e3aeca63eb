"""Restore: find out what the paths of a command line mean, open both accounts, and put back one source after the other."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.app.places import LEDGER, SOCKET
from jmapsync.app.sides import sides_of
from jmapsync.app.wiring import open_account
from jmapsync.config import MailConfig
from jmapsync.engine.account import AccountRun
from jmapsync.engine.cycle import Options
from jmapsync.engine.holding import ROLES
from jmapsync.engine.report import worst
from jmapsync.engine.selection import Selection, Stranger
from jmapsync.errors import BusyError, ConfigError, ExitCode, JmapsyncError
from jmapsync.formats.flags import parse_name
from jmapsync.formats.names import KEPT
from jmapsync.kinds.mail import MAIL
from jmapsync.ledger import Ledger
from jmapsync.storage.maildir.tree import INBOX, PARTS
from jmapsync.storage.root import USUAL, read_marker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.app.wiring import OpenAccount
    from jmapsync.config import AccountConfig, KindConfig, SafetyConfig
    from jmapsync.engine.report import AccountReport, Progress
    from jmapsync.engine.restore import Restored


@dataclass(frozen=True, slots=True)
class Source:
    """A tree of files, and what of it is to be put back."""

    config: KindConfig
    """Of the kind, with the root that the files lie below."""
    selection: Selection = field(default_factory=Selection)
    is_mirror: bool = True
    """False for a tree beside the account's mirror: what the server deleted, or a copy of the root."""


@dataclass(slots=True)
class Restoration:
    """What came of one command."""

    into: str
    """The account that was written to."""
    sentences: list[str] = field(default_factory=list)
    """What cannot be restored yet."""
    results: list[tuple[str, AccountReport, Restored | None]] = field(default_factory=list)
    """By kind: how it went, and what was put back unless it failed."""

    @property
    def exit_code(self) -> ExitCode:
        """Return the code of the command."""
        codes = [report.worst for _, report, _ in self.results]
        return worst([ExitCode.USAGE if self.sentences else ExitCode.IN_SYNC, *codes])


async def restore(
    account: AccountConfig,
    target: AccountConfig,
    safety: SafetyConfig,
    sources: Sequence[Source],
    progress: Progress,
    *,
    dry: bool,
) -> list[tuple[str, AccountReport, Restored | None]]:
    """Put sources of an account back on the server of a target, and return what came of each, by kind.

    The target is locked, and its ledger kept up where the source is its mirror. Raise what opening an account raises.
    """
    kinds = [source.config for source in sources]
    found: list[tuple[str, AccountReport, Restored | None]] = []
    if not dry and await _is_kept(target):
        raise BusyError(
            f"The daemon holds account {target.name}, and cannot restore.",
            advice="Stop it first (systemctl --user stop jmapsync), and start it again afterwards.",
        )
    async with open_account(target, safety, kinds, progress, dry=dry) as opened:
        for source in sources:
            started = time.monotonic()
            report, restored = await _restore(account, opened, source, dry=dry)
            report.seconds = time.monotonic() - started
            found.append((source.config.kind, report, restored))
            if report.error:
                break
    return found


async def _is_kept(account: AccountConfig) -> bool:
    """Tell whether a daemon answers for an account."""
    if not (account.state_dir / SOCKET).exists():
        return False
    from jmapsync.app.control import ask_state  # noqa: PLC0415  # most runs meet no daemon

    return await ask_state(account.state_dir) is not None


async def _restore(
    account: AccountConfig, opened: OpenAccount, source: Source, *, dry: bool
) -> tuple[AccountReport, Restored | None]:
    """Put back one source."""
    target, client = opened.account, opened.client
    is_own = source.is_mirror and target.name == account.name
    ledger, stranger = (opened.ledger, None) if is_own else _strange(account, source, is_own=target.name == account.name)
    requests, octets = client.requests, client.received
    run = AccountRun(target.name, target.state_dir, ledger, opened.limits, Options(full=True, dry=dry), opened.progress)
    restored = None
    try:
        sides = sides_of(source.config, target, client, await client.session(), dry=dry or not is_own)
        if not is_own and (marker := read_marker(source.config.path)):
            sides = replace(sides, account_id=str(marker.get("account", "")))
        restored = await run.restore(sides, source.selection, stranger)
    except JmapsyncError as error:
        run.report.error, run.report.exit_code, run.report.remedy = str(error), error.exit_code, error.remedy
    finally:
        if not is_own:
            ledger.close()
    run.report.requests, run.report.bytes = client.requests - requests, client.received - octets
    return run.report, restored


def _strange(account: AccountConfig, source: Source, *, is_own: bool) -> tuple[Ledger, Stranger]:
    """Return a ledger in memory for a tree that is not the target's mirror, and what the account's own ledger knows of it."""
    known = Ledger.copy_of(account.state_dir / LEDGER)
    folders = known.folders(MAIL.containers.kind)
    tables = dict(folders.values())
    roles: dict[str, str] = {}
    for role, ref in json.loads(known.note(ROLES) or "{}").items() if not is_own else ():
        record = known.by_ref(MAIL.containers.kind, [ref]).get(ref)
        if record is not None and record.key in folders:
            roles[folders[record.key][0]] = role
    is_mail = source.config.kind == MAIL.name
    stranger = Stranger(source.is_mirror, tables if is_mail else {}, roles if is_mail else {})
    if source.is_mirror:
        known.forget_server()
        return known, stranger
    known.close()
    return Ledger.copy_of(None), stranger


def sources_of(account: AccountConfig, kinds: Sequence[KindConfig], paths: Sequence[str]) -> list[Source]:
    """Return what paths mean; everything that is mirrored, without what the server deleted, where there are none.

    Raise `ConfigError` that names every path that means nothing.
    """
    if not paths:
        return [Source(config) for config in kinds]
    found: dict[tuple[str, Path], Source] = {}
    wrong = []
    for path in paths:
        source = _located(_absolute(path, kinds), account, kinds)
        if isinstance(source, str):
            wrong.append(f"{path}: {source}")
            continue
        same = found.get((source.config.kind, source.config.path))
        if same is not None:
            mine, other = same.selection, source.selection
            selection = Selection(mine.folders | other.folders, mine.files | other.files)
            source = replace(same, selection=selection)
        found[source.config.kind, source.config.path] = source
    if wrong:
        raise ConfigError(wrong)
    return list(found.values())


def _absolute(path: str, kinds: Sequence[KindConfig]) -> Path:
    """Return where a path leads: from here, else from a root."""
    given = Path(path).expanduser()
    places = [Path.cwd() / given, *(config.path / given for config in kinds)]
    return Path(os.path.abspath(next((place for place in places if os.path.lexists(place)), places[0])))


def _located(path: Path, account: AccountConfig, kinds: Sequence[KindConfig]) -> Source | str:
    """Return the source that a path lies in, or why there is none."""
    if not os.path.lexists(path):
        return "there is no such file or folder, neither here nor in a root of the account"
    for way in dict.fromkeys((path, path.resolve())):
        for config in kinds:
            for root in dict.fromkeys((config.path, config.path.resolve())):
                if way.is_relative_to(root):
                    return _within(config, way, way.relative_to(root).parts, is_mirror=True)
        for above in (way, *way.parents):
            marker = read_marker(above) or {}
            if "kind" not in marker:
                continue
            copied = next((config for config in kinds if config.kind == marker["kind"]), None)
            if copied is None:
                return f"it is of a mirror of {marker['kind']}, which is not to be restored to account {account.name}"
            copied = replace(copied, path=above)
            if isinstance(copied, MailConfig):
                copied = replace(copied, layout="maildir++" if marker.get("layout", USUAL) != USUAL else "nested")
            return _within(copied, way, way.relative_to(above).parts, is_mirror=False)
    return f"it is neither in a root of account {account.name} nor in a copy of one, which holds its marker file .jmapsync"


def _within(config: KindConfig, path: Path, parts: tuple[str, ...], *, is_mirror: bool) -> Source | str:
    """Return the source for a path below a root."""
    if isinstance(config, MailConfig) and parts and parts[0] == KEPT:
        config = replace(config, path=config.path / KEPT, layout="nested")
        parts, is_mirror = parts[1:], False
    if not isinstance(config, MailConfig):
        if len(parts) > 1:
            return Source(config, Selection(files=frozenset({("/".join(parts[:-1]), parts[-1])})), is_mirror)
        return Source(config, Selection(folders=frozenset({"/".join(parts)})), is_mirror)
    is_file = not path.is_dir()
    name = parts[-1] if is_file else ""
    folder = parts[:-1] if is_file else parts
    if is_file and (not folder or folder[-1] not in {"cur", "new"}):
        return "it is no message: those lie in cur and new"
    if folder and folder[-1] in PARTS:
        folder = folder[:-1]
        if not is_file and config.layout != "nested" and not folder:
            return Source(config, Selection(folders=frozenset({INBOX})), is_mirror)
    where = "/".join(folder)
    if config.layout != "nested":
        where = where.removeprefix(".").replace(".", "/") or (INBOX if is_file else "")
    if is_file:
        return Source(config, Selection(files=frozenset({(where, parse_name(name).name)})), is_mirror)
    return Source(config, Selection(folders=frozenset({where})), is_mirror)
