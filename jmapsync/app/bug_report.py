"""Write a bug report: versions, settings, what the servers offer and the last errors, without anything that is somebody's.

Accounts are numbered. Of settings, switches and numbers are shown; of texts and paths, only that they are set. Messages are
reduced to the program's own words; see `redaction`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

from jmapsync import __version__
from jmapsync.app.health import read_health
from jmapsync.app.redaction import redacted
from jmapsync.app.server_offer import OFFER
from jmapsync.app.shared import shared_accounts
from jmapsync.app.state_paths import LEDGER
from jmapsync.config.declared import NAME, Key, tables, toml
from jmapsync.daemon.account_state import AccountState
from jmapsync.errors import JmapsyncError
from jmapsync.ledger import Summary
from jmapsync.opening import read_regular
from jmapsync.sync.report import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from jmapsync.app.health import AccountHealth, KindHealth
    from jmapsync.config import AccountConfig, Config

_PACKAGES = ("click", "httpx", "msgspec", "pycurl", "websockets", "watchdog", "apscheduler", "keyring", "notmuch2")
_SHOWN = {"flag", "choice", "duration", "rate", "whole", "percent"}
"""The shapes of keys whose values are nobody's."""
_VARIABLES = ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "INVOCATION_ID")
_CRASHES = 3
_LONGEST = 1 << 18
"""Octets of a crash report that are read."""
_PLACE = re.compile(r"  (.*):(\d+) in (\w+|<\w+>)")
_ERROR = re.compile(r"((?:one of which: |caused by: |while handling: )?[\w.]+)(?:: (.*))?")


def bug_report(config: Config | None, problems: Iterable[str], folder: Path) -> Iterator[str]:
    """Yield the lines of the report. Without a configuration, `problems` are its errors; crash reports are below `folder`."""
    yield "# jmapsync bug report"
    yield ""
    yield from _versions()
    if config is None:
        yield from ("", "## Configuration", "")
        yield from (f"- error: {redacted(_without_place(problem))}" for problem in problems)
    else:
        yield from ("", "## Settings", "")
        yield from _settings(config)
        accounts = list(config.accounts.values())
        for number, (account, health) in enumerate(zip(accounts, read_health(accounts), strict=True), start=1):
            yield from ("", f"## Account {number}", "")
            yield from _account(account, health)
            yield from _shared(account, number)
    logins = list(config.accounts.values()) if config else []
    folders = [folder, *(one.state_dir for login in logins for one in (login, *shared_accounts(login)))]
    yield from _crashes(folders)


def _shared(login: AccountConfig, number: int) -> Iterator[str]:
    """Yield the shared accounts of a login, whose settings are the login's."""
    accounts = shared_accounts(login)
    for place, health in enumerate(read_health(accounts), start=1):
        yield from ("", f"## Account {number}, shared account {place}", "")
        yield from _health(health)


def _versions() -> Iterator[str]:
    yield f"- jmapsync {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    yield f"- {platform.system()} {platform.release()}, {platform.machine()}, {' '.join(platform.libc_ver()).strip() or 'no glibc'}"
    found = []
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    yield f"- {', '.join(found)}"
    given = [name for name in _VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
    yield f"- set in the environment: {', '.join(given) or 'no proxy, no certificates'}"


def _settings(config: Config) -> Iterator[str]:
    yield f"- {counted(len(config.accounts), 'account')}"
    for table in tables():
        if len(table.path) == 1:
            held = next(iter(config.accounts.values()), None) if table.path == ("network",) else getattr(config, table.path[0])
            yield from (f"- {'.'.join(table.path)}.{line}" for line in _differing(table.keys, held))


def _differing(keys: list[Key], held: object) -> Iterator[str]:
    """Yield the keys that differ from their default; the values of those that identify nobody."""
    for key in keys:
        value = getattr(held, key.name, key.default)
        if value == key.default or value in ("", None):
            continue
        yield f"{key.name} = {toml(value)}" if key.shape in _SHOWN and key.shape != "rate" else f"{key.name} is set"


def _account(account: AccountConfig, health: AccountHealth) -> Iterator[str]:
    for table in tables():
        if table.path[:2] == ("accounts", NAME):
            held: object = account
            for part in table.path[2:]:
                held = getattr(held, part, None)
            if held is not None:
                where = ".".join(table.path[2:])
                yield from (f"- {where + '.' if where else ''}{line}" for line in _differing(table.keys, held))
    yield from _health(health)
    yield from _offer(account)


def _health(health: AccountHealth) -> Iterator[str]:
    if health.live is not None:
        known = str(health.live.get("standing"))
        yield f"- daemon: {known if known in set(AccountState) else 'in an unknown state'}"
    for kind, found in health.kinds.items():
        yield from _kind(kind, found)
    if health.outbox:
        yield f"- outbox: {counted(len(health.outbox), 'message')}"
        yield from _reasons(one.why for one in health.outbox)
    if health.error:
        yield f"- error: {redacted(health.error)}"


def _kind(kind: str, found: KindHealth) -> Iterator[str]:
    yield f"- {kind}: {found.last_state or 'never run'}, exit code {int(found.exit_code)}"
    yield f"  - last attempt {found.last_attempt or 'never'}, last success {found.last_success or 'never'}"
    copies, problems = counted(found.conflicts, "conflict copy", "conflict copies"), counted(len(found.problems), "item")
    yield f"  - {found.here:,} here, {found.on_server:,} on the server, {found.waiting:,} waiting, {copies}, {problems} quarantined"
    if found.withdrawn:
        yield f"  - {counted(len(found.withdrawn), 'folder')} withdrawn"
    if reason := found.suspended or found.why:
        yield f"  - {redacted(reason)}"
    yield from _reasons(one.why for one in found.problems)


def _reasons(texts: Iterable[str]) -> Iterator[str]:
    """Yield the reasons, each once and with how often it occurs."""
    for reason, number in Counter(map(redacted, texts)).most_common():
        yield f"  - {number:,} x {reason}"


def _offer(account: AccountConfig) -> Iterator[str]:
    """Yield what the server offered when it was last asked."""
    note = ""
    with suppress(JmapsyncError):  # what is wrong with the ledger is above
        ledger = Summary.open_readonly(account.state_dir / LEDGER)
        if ledger is not None:
            note = ledger.note(OFFER)
            ledger.close()
    if not note:
        yield "- server: what it offers is not known yet"
        return
    try:
        offer: dict[str, Any] = json.loads(note)
    except ValueError:  # changed by hand; the next run writes it anew
        yield "- server: what it offers cannot be read"
        return
    yield f"- server: {counted(offer['accounts'], 'account')}, {'with' if offer['push'] else 'without'} push"
    for name, figures in offer["capabilities"].items():
        shown = ", ".join(f"{key} {json.dumps(value)}" for key, value in figures.items())
        yield f"  - {name}{f': {shown}' if shown else ''}"
    if offer["others"]:
        yield f"  - {counted(offer['others'], 'capability', 'capabilities')} of others"


def _crashes(folders: Iterable[Path]) -> Iterator[str]:
    found = sorted((file for folder in folders for file in folder.glob("crash-*.txt")), key=lambda file: file.name)[-_CRASHES:]
    for file in reversed(found):
        with suppress(OSError):
            text = read_regular(file, _LONGEST, follow=False).decode("utf-8", "replace")
            yield from ("", f"## Unexpected error of {time.strftime('%Y-%m-%d %H:%M', time.gmtime(file.stat().st_mtime))} UTC", "")
            yield from filter(None, map(_crash_line, text.split("\n")[3:]))


def _crash_line(line: str) -> str:
    """Return a line of a crash report: the type of an error with the program's own words, or a place without its directory."""
    if place := _PLACE.fullmatch(line):
        path = place[1].replace("\\", "/")
        inner = re.search(r".*(?:/site-packages/|/(?=jmapsync/)|/lib/python[\d.]+/)(.*)", path)
        return f"    {inner[1] if inner else path.rpartition('/')[2]}:{place[2]} in {place[3]}"
    error = _ERROR.fullmatch(line)
    return f"- {error[1]}{f': {redacted(error[2])}' if error[2] else ''}" if error else ""


def _without_place(problem: str) -> str:
    """Return an error of the configuration without the file and the line that it begins with."""
    return re.sub(r"^.*?:\d+: ", "", problem)
