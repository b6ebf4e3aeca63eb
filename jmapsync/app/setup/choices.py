"""Turn answers into names of accounts, folders and mailbox patterns."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.errors import ConfigError
from jmapsync.formats.names import Patterns
from jmapsync.jmap.discovery import is_url

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from urllib.parse import SplitResult

_ROOTS = {"mail": "~/Mail", "contacts": "~/.contacts", "calendars": "~/.calendars", "tasks": "~/.tasks", "sieve": "~/.config/sieve"}
_SPECIAL = re.compile(r"[*?\[]")
FALLBACK = "home"
"""The name of an account where no better one can be derived."""


def default_name(address: str, url: SplitResult, taken: Collection[str]) -> str:
    """Return a short name for an account that no other one has: the longest label of its domain but the last one."""
    domain = (url.hostname or "") if not address or is_url(address) else address.rpartition("@")[2]
    labels = [label for label in domain.lower().split(".")[:-1] if re.fullmatch(r"[a-z][a-z0-9-]*", label)]
    name = max(labels, key=len, default=FALLBACK)
    number = 1
    found = name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def default_root(kind: str, name: str) -> str:
    """Return the default directory of a kind of an account."""
    return f"{_ROOTS[kind]}/{name}"


def roots(given: Sequence[str], kinds: Sequence[str], name: str) -> dict[str, str]:
    """Return the directory of each kind, as it stands in the configuration.

    `given` has `KIND=DIR` for one kind, or `DIR` for all: that one itself if there is one kind, else directories inside it.
    """
    found = {kind: default_root(kind, name) for kind in kinds}
    for one in given:
        kind, equals, place = one.partition("=")
        if equals and kind in _ROOTS:
            if kind not in found:
                raise ConfigError([f"--root {one}: the kind {kind} is not chosen."])
            found[kind] = written(place)
        elif len(kinds) == 1:
            found = {kinds[0]: written(one)}
        else:
            found = {kind: written(os.path.join(one, kind)) for kind in kinds}
    return found


def written(place: str) -> str:
    """Return a directory as it is written: absolute, below the home directory with a tilde."""
    path = Path(os.path.abspath(os.path.expanduser(place)))
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)


def patterns(chosen: Collection[str], every: Sequence[str]) -> Patterns:
    """Return the patterns that select just some mailboxes of a server, by as few patterns as possible.

    A pattern selects what is below its mailbox too, so that a chosen mailbox below one that is not has to be included by name.
    """
    dropped = [path for path in every if path not in chosen]
    if not dropped:
        return Patterns()
    excluding = Patterns(("*",), tuple(_pattern(path) for path in _tops(dropped)))
    if all(excluding.covers(path) is (path in chosen) for path in every) and len(excluding.exclude) <= len(chosen):
        return excluding
    wanted = [path for path in every if path in chosen]
    including = tuple(_pattern(path) for path in _tops(wanted))
    below = [path for path in dropped if Patterns(including).covers(path)]
    return Patterns(including, tuple(_pattern(path) for path in _tops(below)))


def unmatched(selected: Patterns, chosen: Collection[str], every: Sequence[str]) -> list[str]:
    """Return the mailboxes that patterns select otherwise than was chosen: those below one that is left out."""
    return [path for path in every if selected.covers(path) is not (path in chosen)]


def _tops(paths: Sequence[str]) -> list[str]:
    """Return the paths that are not below another one."""
    return [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]


def _pattern(path: str) -> str:
    """Return the pattern that matches a path literally."""
    return _SPECIAL.sub(lambda match: f"[{match[0]}]", path)
