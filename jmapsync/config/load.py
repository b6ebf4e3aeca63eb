"""Read the configuration file, and check what concerns several keys."""

from __future__ import annotations

import os
import re
import tomllib
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jmapsync.config.account import read_account
from jmapsync.config.reader import Mistakes, Reader
from jmapsync.config.values import TIMEOUT, AccountConfig, Config, DaemonConfig, HooksConfig, SafetyConfig
from jmapsync.errors import ConfigError
from jmapsync.opening import open_given

if TYPE_CHECKING:
    from jmapsync.config.lines import Key

LONGEST = 1 << 24
"""Octets of a configuration that are read."""
_SYNTAX = re.compile(r"(.*?) ?\(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)


def default_path() -> Path:
    """Return the default path of the configuration file."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "jmapsync" / "config.toml"


def default_state_dir() -> Path:
    """Return the default state directory; it is not created."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "jmapsync"


def _xdg(variable: str, default: str) -> Path:
    """Return a base directory; a relative one is to be ignored (XDG Base Directory Specification)."""
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else Path.home() / default


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raise `ConfigError` with all errors, each as `file:line: message`; a syntax error hides those after it.
    """
    try:
        with open_given(path) as file:
            private = not os.fstat(file.fileno()).st_mode & 0o077
            content = file.read(LONGEST)
    except OSError as error:
        advice = "; create it, or name another one with -c" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError([f"{path}: the configuration cannot be read: {error.strerror}{advice}"]) from error
    return parse(content, path, private=private)


def parse(content: bytes, path: Path, *, private: bool) -> Config:
    """Check the content of a configuration file as `load` does; `private` says that nobody else can read it."""
    path = path.absolute()
    try:
        text = content.decode("utf-8-sig")
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([_syntax_error(path, content, error)]) from error
    mistakes = Mistakes()
    config = _read(document, path, mistakes, private=private)
    if mistakes.found:
        raise ConfigError(_placed(path, text, mistakes))
    return config


def _syntax_error(path: Path, content: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = content.count(b"\n", 0, error.start) + 1
        return f"{path}:{line}: not UTF-8, and so not TOML"
    match = _SYNTAX.fullmatch(str(error))
    if match is None:
        return f"{path}:1: this TOML cannot be read: a number is too long or tables are nested too deep"
    what = match[1][:1].lower() + match[1][1:]
    line = int(match[2]) if match[2] else content.count(b"\n") + 1
    return f"{path}:{line}: not TOML: {what}{f', column {match[3]}' if match[3] else ' at the end of the file'}"


def _placed(path: Path, text: str, mistakes: Mistakes) -> list[str]:
    from jmapsync.config.lines import find_lines  # noqa: PLC0415  # only an error needs them

    lines = find_lines(text)

    def line_of(key: Key) -> int:
        return next((lines[key[:depth]] for depth in range(len(key), 0, -1) if key[:depth] in lines), 1)

    placed = [(line_of(key), message) for key, message in dict.fromkeys(mistakes.found)]
    placed.sort(key=lambda one: one[0])
    return [f"{path}:{line}: {message}" for line, message in placed]


def _read(document: dict[str, Any], path: Path, mistakes: Mistakes, *, private: bool) -> Config:
    top = Reader(document, (), mistakes, path.parent)
    state = top.path("state_dir") or default_state_dir()
    network = top.table("network") or top.empty("network")
    timeout = network.duration("timeout", TIMEOUT)
    rate = network.rate("limit_rate", 0)
    read = _read_accounts(top, state, private=private)
    accounts = {name: replace(one, timeout=timeout, limit_rate=rate) for name, one in read.items()}
    daemon = top.table("daemon") or top.empty("daemon")
    safety = top.table("safety") or top.empty("safety")
    hooks = top.table("hooks") or top.empty("hooks")
    default = Config(path=path, accounts=accounts)
    config = Config(
        path=path,
        accounts=accounts,
        daemon=DaemonConfig(
            push=daemon.flag("push", default=default.daemon.push),
            poll=daemon.duration("poll", default.daemon.poll),
            settle=daemon.duration("settle", default.daemon.settle),
            full=daemon.duration("full", default.daemon.full),
        ),
        safety=SafetyConfig(
            max_deletes=safety.whole("max_deletes", default.safety.max_deletes),
            max_delete_percent=safety.percent("max_delete_percent", default.safety.max_delete_percent),
        ),
        hooks=HooksConfig(
            after_sync=hooks.text("after_sync"),
            on_trouble=hooks.text("on_trouble"),
            timeout=hooks.duration("timeout", default.hooks.timeout),
        ),
    )
    for reader in (top, daemon, safety, hooks, network):
        reader.close()
    _check_roots(accounts, state, mistakes)
    return config


def _read_accounts(top: Reader, state: Path, *, private: bool) -> dict[str, AccountConfig]:
    accounts: dict[str, AccountConfig] = {}
    table = top.table("accounts") or top.empty("accounts")
    names = table.names()
    for name in names:
        reader = table.table(name)
        if reader is not None:
            accounts[name] = read_account(reader, name, state / name, private=private)
    if not names:
        top.wrong("accounts", "there is no account; add a table [accounts.NAME]")
    return accounts


def _check_roots(accounts: dict[str, AccountConfig], state: Path, mistakes: Mistakes) -> None:
    """Record an error for each root that overlaps another one, the home directory or the state."""
    roots = [
        (("accounts", account.name, kind, "path"), Path(os.path.realpath(config.path)))
        for account in accounts.values()
        for kind, config in account.kinds.items()
        if config.path.is_absolute()
    ]
    home, state = Path(os.path.realpath(Path.home())), Path(os.path.realpath(state))
    for key, root in roots:
        if home.is_relative_to(root):
            mistakes.note(key, f"path {root} is or contains your home directory; choose another directory")
        elif state.is_relative_to(root) or root.is_relative_to(state):
            mistakes.note(key, f"path {root} and the state directory {state} overlap")
    for (one, mine), (other, theirs) in combinations(roots, 2):
        if mine == theirs:
            mistakes.note(other, f"path {theirs} is already the path of [{'.'.join(one[:3])}]")
        elif mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
            mistakes.note(other, f"path {theirs} overlaps the path of [{'.'.join(one[:3])}]")
