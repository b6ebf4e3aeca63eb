"""Put a staged file in the place of another one, or take a file away, so that what somebody saves in that moment survives.

Both are done by setting the old file aside under a name of ours and looking at it once more: if it is not the one that was to go,
it gets its name back. What a run killed in between leaves is sorted out by `recover`.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from jmapsync.opening import open_regular
from jmapsync.storage.files.atomic import exchange, give_name, put_back
from jmapsync.storage.files.disk_errors import StaleError
from jmapsync.storage.files.file_state import State, state_of
from jmapsync.storage.vdir.names import digest_in, short_digest

if TYPE_CHECKING:
    from collections.abc import Callable

_CHANGED = "its file was changed meanwhile"


def check(path: str, state: State) -> None:
    """Raise StaleError unless a file is the one that is expected. Raises OSError."""
    try:
        found = state_of(os.lstat(path))
    except FileNotFoundError:
        raise StaleError("its file was renamed or removed meanwhile") from None
    if found != state:
        raise StaleError(_CHANGED)


def displace(staged: str, path: str, expected: State, aside: str, beside: str) -> bool:
    """Give a staged file the name of the one that is expected there, and return whether that lies `aside` now, not gone yet.

    Raises StaleError with the file that is there untouched when it is another one; `beside` is for one that has lost its name.
    Where the file system cannot exchange two names, what is saved in the moment between the last look and the rename is lost.
    """
    check(path, expected)
    ours = state_of(os.lstat(staged))
    os.rename(staged, aside)
    try:
        swapped = exchange(aside, path)
        if not swapped:
            check(path, expected)
            os.rename(aside, path)
    except (OSError, StaleError):
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    if not swapped or state_of(os.lstat(aside)) == expected:
        return swapped
    exchange(aside, path)
    if state_of(os.lstat(aside)) == ours:
        os.unlink(aside)
    else:  # saved once more while it was away
        os.rename(aside, beside)
    raise StaleError(_CHANGED)


def take_away(path: str, expected: State, aside: str, beside: str) -> None:
    """Remove the file that is expected. Raises StaleError with the file that is there untouched when it is another one."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if state_of(os.lstat(aside)) != expected:
            put_back(aside, path, beside)
            raise StaleError(_CHANGED)
        os.unlink(aside)


def recover(directory: str, suffix: str, is_known: Callable[[State], bool], token: Callable[[], str]) -> None:
    """Clear a collection of what a killed run left on its way to another name, as far as that is possible.

    What it wrote is removed, and so is what it had set aside, if that `is_known` to the ledger: an order is to be carried out
    again then. Anything else was saved by somebody in that moment and gets a name that is seen.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            digest = digest_in(name)
            if digest is None:
                continue
            path = f"{directory}/{name}"
            with contextlib.suppress(OSError):
                if not digest or is_known(state_of(os.lstat(path))) or _has_digest(path, digest):
                    os.unlink(path)
                else:
                    give_name(path, f"{directory}/recovered-{token()}{suffix}")


def _has_digest(path: str, digest: str) -> bool:
    with open_regular(path, follow=False) as file:
        return short_digest(file.read()) == digest
