"""Poll the directories below a root for changes, where the kernel does not report them.

Only directories are polled: a file that appears, goes or is renamed changes the mtime of its directory. Writes to a file in place
are found by the daemon's periodic run, as is everything where directories have no reliable mtime.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from watchdog.events import DirDeletedEvent, FileSystemEvent
from watchdog.observers.api import EventQueue, ObservedWatch
from watchdog.observers.polling import PollingEmitter

from jmapsync.daemon.watch.directories import folder_of, subdirectories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_YOUNG = 2.0
"""Seconds after which no further change can have the same mtime; file systems have timestamps of this resolution or better."""
_PATIENCE = 1.0
"""Seconds to wait for a running poll at the end; on a network file system it may hang for ever."""


class DirectoryPoller(PollingEmitter):
    """watchdog's polling of one root, with hints instead of a queue of events."""

    def __init__(self, root: str, changed: Callable[[str], None], broken: Callable[[str], None], seconds: float) -> None:
        """`seconds`: the interval between two polls."""
        self._root = root
        self._changed = changed
        self._broken = broken
        watch = ObservedWatch(root, recursive=True)
        super().__init__(EventQueue(), watch, timeout=seconds, stat=_stat, listdir=self._directories)

    def begin(self) -> None:
        """Poll once, then continue in a thread. Raises OSError when the root cannot be read."""
        self.start()

    def end(self) -> None:
        """Stop polling."""
        self.stop()
        if self.is_alive():
            self.join(_PATIENCE)

    def queue_event(self, event: FileSystemEvent) -> None:
        """Report the folders that watchdog found changed."""
        for path in filter(None, (os.fsdecode(event.src_path), os.fsdecode(event.dest_path))):
            self._changed(folder_of(self._root, path))
        if isinstance(event, DirDeletedEvent) and event.src_path == self._root:
            self._broken(f"The folder {self._root} was removed.")

    def _directories(self, path: str | None) -> Iterator[os.DirEntry[str]]:
        return subdirectories(self._root, path or self._root)


def _stat(path: str) -> os.stat_result:
    """Return the state of a directory; a young mtime turned negative, so that the same one counts as new when it is old.

    Otherwise a change within the timestamp's resolution of a poll would never be seen.
    """
    found = os.stat(path)
    if abs(time.time() - found.st_mtime) < _YOUNG:
        return os.stat_result(tuple(found)[:10], {"st_mtime": -found.st_mtime})
    return found
