"""Read the configuration, and check what concerns several keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.config.account import read_account
from jmapsync.config.files import SourceFile, included, parsed, read_given
from jmapsync.config.values import TIMEOUT, AccountConfig, Config, DaemonConfig, HooksConfig, SafetyConfig
from jmapsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.config.lines import Key
    from jmapsync.config.reader import Reader

_MAIN_ONLY = frozenset({"include", "state_dir", "daemon", "safety", "hooks", "network"})
"""What stands in the configuration file itself, not in one that it includes."""

_MOST_ABOVE = 20
"""Roots that contain another one, of which errors are reported for that one."""


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
    """Read and check a configuration file, and those that it includes.

    Raise `ConfigError` with all errors, each as `file:line: message`; a syntax error hides those after it.
    """
    content, private = read_given(path)
    return parse(content, path, private=private)


def parse(content: bytes, path: Path, *, private: bool, may_be_empty: bool = False) -> Config:
    """Check the content of a configuration file as `load` does; `private` says that nobody else can read it.

    `may_be_empty`: that there is no account is no error.
    """
    main = parsed(content, path.absolute(), private=private)
    top = main.top()
    sources = [main, *included(main, top.texts("include", ()))]
    config = _read(top, sources, may_be_empty=may_be_empty)
    if problems := [problem for source in sources for problem in source.problems()]:
        raise ConfigError(problems)
    return config


def _read(top: Reader, sources: list[SourceFile], *, may_be_empty: bool) -> Config:
    path = sources[0].path
    state = top.path("state_dir") or default_state_dir()
    network = top.table("network") or top.empty("network")
    timeout = network.duration("timeout", TIMEOUT)
    rate = network.rate("limit_rate", 0)
    homes: dict[str, SourceFile] = {}
    read: dict[str, AccountConfig] = {}
    _read_accounts(top, sources[0], state, homes, read)
    for source in sources[1:]:
        other = source.top()
        _read_accounts(other, source, state, homes, read)
        for name in sorted(_MAIN_ONLY.intersection(source.document)):
            other.wrong(name, f"{name} belongs in {path}; an included file has accounts only")
        other.close(_MAIN_ONLY)
    if not homes and not may_be_empty and not any(source.mistakes.found for source in sources):
        top.wrong("accounts", "there is no account; add a table [accounts.NAME]")
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
            on_success=hooks.text("on_success"),
            timeout=hooks.duration("timeout", default.hooks.timeout),
        ),
    )
    for reader in (top, daemon, safety, hooks, network):
        reader.close()
    _check_roots(accounts, state, homes)
    return config


def _read_accounts(
    top: Reader, source: SourceFile, state: Path, homes: dict[str, SourceFile], accounts: dict[str, AccountConfig]
) -> None:
    """Read the accounts of one file; `homes` says which file has which name already."""
    table = top.table("accounts") or top.empty("accounts")
    for name in table.names():
        if name in homes:
            table.wrong(name, f"there is an account {name!r} in {homes[name].path} already")
            continue
        homes[name] = source
        reader = table.table(name)
        if reader is not None:
            accounts[name] = read_account(reader, name, state / name, private=source.private)


def _check_roots(accounts: dict[str, AccountConfig], state: Path, homes: dict[str, SourceFile]) -> None:
    """Record an error for each root that overlaps another one, the home directory or the state."""
    roots = [
        (("accounts", account.name, kind, "path"), Path(os.path.realpath(path)))
        for account in accounts.values()
        for kind, config in account.kinds.items()
        if config.path.is_absolute()
        for path in (config.path, *([config.shared_path] if account.shared else []))
    ]

    def note(key: Key, message: str) -> None:
        homes[key[1]].mistakes.note(key, message)

    home, state = Path(os.path.realpath(Path.home())), Path(os.path.realpath(state))
    for key, root in roots:
        if home.is_relative_to(root):
            note(key, f"path {root} is or contains your home directory; choose another directory")
        elif state.is_relative_to(root) or root.is_relative_to(state):
            note(key, f"path {root} and the state directory {state} overlap")
    for (one, mine), (other, theirs) in _overlapping(roots):
        if mine == theirs:
            note(other, f"path {theirs} is already the path of [{'.'.join(one[:3])}]{_elsewhere(one, other, homes)}")
        else:
            note(other, f"path {theirs} overlaps the path of [{'.'.join(one[:3])}]{_elsewhere(one, other, homes)}")


def _overlapping(roots: Sequence[tuple[Key, Path]]) -> list[tuple[tuple[Key, Path], tuple[Key, Path]]]:
    """Return the pairs of roots of which one contains the other, in the order of the configuration.

    Sorted by their parts, all paths below another one follow it directly: a configuration may have thousands of roots.
    """
    pairs: list[tuple[int, int]] = []
    above: list[int] = []
    for number in sorted(range(len(roots)), key=lambda one: (roots[one][1].parts, one)):
        parts = roots[number][1].parts
        while above and parts[: len(roots[above[-1]][1].parts)] != roots[above[-1]][1].parts:
            above.pop()
        pairs += [(min(one, number), max(one, number)) for one in above[-_MOST_ABOVE:]]
        above.append(number)
    return [(roots[one], roots[other]) for one, other in sorted(pairs)]


def _elsewhere(one: Key, other: Key, homes: dict[str, SourceFile]) -> str:
    """Return the file of a key where it is not that of another key."""
    return f" in {homes[one[1]].path}" if homes[one[1]] is not homes[other[1]] else ""
