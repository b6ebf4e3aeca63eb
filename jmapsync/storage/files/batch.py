"""Carry out a batch of orders on files: each order fails by itself, and what all of them write is made durable as a group."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from jmapsync.errors import Remedy
from jmapsync.storage.files.atomic import sync_directories, sync_files
from jmapsync.storage.files.disk_errors import DISK, FULL, RefusedError, StaleError, failure_of, refused
from jmapsync.storage.files.filesystem import refuses_name
from jmapsync.storage.port import Receipt, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jmapsync.errors import LocalError
    from jmapsync.storage.files.directories import Below

T = TypeVar("T")


class BatchWriter:
    """What the writers of messages and of items share; one batch at a time."""

    def __init__(self, root: Path, below: Below) -> None:
        """Prepare; `below` opens the directories below the root for the time of one batch."""
        self._root = root
        self._below = below
        self._dirty: set[str] = set()
        """Directories whose entries changed, as paths below the root."""
        self.fatal: LocalError | None = None
        """Set when the disk itself failed: what is left of the batch was refused."""
        self._full: OSError | None = None
        """Set when there was no room for something; what is smaller may still fit."""

    def _each(self, items: Mapping[int, T], receipts: dict[int, Receipt], act: Callable[[T], None]) -> None:
        """Do the same for every order that has no receipt yet."""
        for key, item in items.items():
            if key not in receipts:
                self._attempt(key, receipts, lambda item=item: act(item))  # type: ignore[misc]

    def _attempt(self, key: int, receipts: dict[int, Receipt], act: Callable[[], None]) -> None:
        """Do one thing for an order, and note its receipt where that fails."""
        if self.fatal is not None:
            receipts[key] = Refused(key, self.fatal.message, Remedy.LATER)
            return
        try:
            act()
        except StaleError as stale:
            receipts[key] = Stale(key, str(stale))
        except RefusedError as error:
            receipts[key] = Refused(key, str(error), error.remedy)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not refuses_name(error):
                receipts[key] = Stale(key, "a file or folder was renamed or removed during the run")
                return
            if error.errno in FULL:
                self._full = error
            elif error.errno in DISK:
                self._fail(error)
            receipts[key] = refused(key, error, Remedy.LATER)

    def _fail(self, error: OSError) -> None:
        if self.fatal is None:
            self.fatal = failure_of(error)

    def _sync_staged(self, staged: Mapping[int, Sequence[T]], path: Callable[[T], str], receipts: dict[int, Receipt]) -> None:
        """Make every file that orders staged durable before any of them gets a name that readers see."""
        paths: list[str] = []
        for one in (one for files in staged.values() for one in files):
            with contextlib.suppress(OSError):  # it cannot get its name then, and that says why
                paths.append(path(one))
        try:
            sync_files(self._root, paths)
        except OSError as error:
            self._fail(error)
            for key in staged:
                receipts[key] = refused(key, error, Remedy.LATER)

    def _sync(self) -> None:
        """Make every change of a directory durable."""
        for path in sorted(self._dirty):
            with contextlib.suppress(FileNotFoundError):  # gone by now, and with it what was to be durable
                sync_directories([self._below.at(path)])
        self._dirty.clear()
