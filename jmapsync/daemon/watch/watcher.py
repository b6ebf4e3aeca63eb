"""Watch the root folders of an account and report folders that may have changed; recover when a root is replaced or unmounted.

A hint proves nothing, and no hint proves nothing either: only a scan does. Whenever changes may have been missed, the watches are
created anew first, and then a full scan is requested.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.daemon.watch.burst import Burst
from jmapsync.daemon.watch.inotify import InotifyTree, Kernel, WatchRefusedError
from jmapsync.daemon.watch.mounts import TABLE, mounts_of, shared_file_system
from jmapsync.daemon.watch.polling import DirectoryPoller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

POLL_SECONDS = 15.0
"""Interval of polling where the kernel does not report changes."""
_CHECK_SECONDS = 10.0
"""Interval of checking that the watched roots are still the ones at their paths."""
_WAIT_SECONDS = 1.0
"""The same while a root is missing."""
_PATIENCE = 2.0
"""Seconds to wait for a running check at the end."""

_Identity = tuple[int, int, tuple[str, ...]]
"""Device and inode of a folder, and the numbers of the mounts at and below it."""


class WatchMode(StrEnum):
    """How changes are detected, the best first."""

    INOTIFY = "inotify"
    POLLING = "polling"
    OFF = "off"


class WatchState(Struct, frozen=True):
    """How the roots are watched: the mode of the one that is watched worst."""

    mode: WatchMode
    why: str
    """Why it is not inotify, in sentences; empty when it is."""


class Watcher:
    """Watches of some roots. To be created in the event loop that receives the hints."""

    def __init__(
        self,
        roots: Sequence[Path],
        changed: Callable[[Path], None],
        lost: Callable[[str], None],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Register the roots and the callbacks, which are called in the loop's thread.

        `changed` is called with a folder in which something may have changed: a Maildir, or a directory of items. `lost` is called
        with the reason, a sentence, why a full scan is needed. Raises RuntimeError outside of a running loop.
        """
        self._burst = Burst(changed, lost)
        self._roots = [_Root(os.path.abspath(root)) for root in roots]
        self._poll_seconds = poll_seconds
        self._kernel: Kernel | None = None
        self._refusal = ""
        self._state = WatchState(WatchMode.OFF, "Watching has not begun.")
        self._stopping = False
        self._kick_reader, self._kick_writer = -1, -1
        self._checker = threading.Thread(target=self._check_roots, name="watch checks", daemon=True)

    @property
    def state(self) -> WatchState:
        """How the roots are watched now. Thread-safe."""
        return self._state

    def start(self) -> None:
        """Start watching; every change after the return is detected.

        Reads directories, which takes time on a network file system: call it in a worker thread. A missing root is watched once it
        appears. A refusal by the file system or the kernel is not raised but shown in `state`.
        """
        self._kick_reader, self._kick_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._kernel = Kernel(self._on_overflow, self._on_failure)
        except WatchRefusedError as error:
            self._refusal = str(error)
        for root in self._roots:
            self._begin(root)
        self._publish()
        self._checker.start()

    def include(self, roots: Sequence[Path]) -> None:
        """Watch further roots; as their earlier changes are unknown, `lost` is called."""
        known = {root.path for root in self._roots}
        new = [path for path in map(os.path.abspath, roots) if path not in known]
        self._roots += [_Root(path) for path in new]
        if new and self._kick_writer != -1:
            self._kick()

    def stop(self) -> None:
        """Stop watching; no callback follows. To be called in the loop's thread."""
        self._burst.close()
        if self._kick_writer == -1:
            return
        self._stopping = True
        self._kick()
        self._checker.join(_PATIENCE)
        for root in self._roots:
            root.end()
        if self._kernel is not None:
            self._kernel.close_and_wait()
        if not self._checker.is_alive():
            os.close(self._kick_reader)
            os.close(self._kick_writer)
        self._kick_reader, self._kick_writer = -1, -1
        self._state = WatchState(WatchMode.OFF, "Watching has ended.")

    def _check_roots(self) -> None:
        """Check the roots after a failure, after a change of the mount table, and periodically."""
        poller = select.poll()
        poller.register(self._kick_reader, select.POLLIN)
        try:
            mounts = os.open(TABLE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            mounts = -1
        else:
            poller.register(mounts, select.POLLPRI)
        while not self._stopping:
            missing = any(root.watch is None for root in self._roots)
            if any(handle == self._kick_reader for handle, _ in poller.poll((_WAIT_SECONDS if missing else _CHECK_SECONDS) * 1000)):
                os.read(self._kick_reader, 4096)
            for root in self._roots:
                if not self._stopping:
                    self._check_safely(root)
        if mounts != -1:
            os.close(mounts)

    def _check_safely(self, root: _Root) -> None:
        """Check a root; show an unexpected exception in `state`, and try again at the next check."""
        try:
            self._check(root)
        except Exception as error:  # noqa: BLE001  # a thread that ends unheard would leave us deaf
            root.refuse(f"an unexpected error occurred ({type(error).__name__})")
            self._publish()

    def _check(self, root: _Root) -> None:
        """Watch a root anew and request a full scan if it is no longer the one that is watched."""
        trouble = next(iter(root.troubles), "")
        if _identity(root.path) == root.identity and not trouble:
            return
        before = root.mode
        root.end()
        self._begin(root)
        self._publish()
        if root.mode is before is WatchMode.OFF:
            return
        if not trouble and root.mode is not WatchMode.OFF:
            what = f"The folder {root.path} is there now." if before is WatchMode.OFF else ""
            trouble = what or f"Another folder lies at {root.path} now, or below it."
        if root.mode is not before:  # why is often the trouble itself, and what is done about it
            trouble = root.why if root.why.startswith(trouble) else f"{trouble} {root.why}".rstrip()
        self._burst.lose(trouble)

    def _begin(self, root: _Root) -> None:
        """Watch a root by inotify or, where that is not possible, by polling."""
        root.identity = _identity(root.path)
        root.troubles = []
        if root.identity is None:
            root.mode, root.why = WatchMode.OFF, f"The folder {root.path} is not there."
            return
        shared = shared_file_system(root.path)
        why = (
            f"{root.path} is on {shared}, which other machines may change without this kernel's noticing."
            if shared
            else self._refusal
        )
        if not why and self._kernel is not None:
            tree = InotifyTree(root.path, self._kernel, self._burst.hint, root.break_by(self._kick))
            try:
                tree.begin()
            except WatchRefusedError as error:
                why = str(error)
            except OSError as error:
                root.refuse(error.strerror)
                return
            else:
                root.watch, root.mode, root.why = tree, WatchMode.INOTIFY, ""
                return
        poller = DirectoryPoller(root.path, self._burst.hint, root.break_by(self._kick), self._poll_seconds)
        try:
            poller.begin()
        except OSError as error:
            root.refuse(error.strerror)
            return
        root.watch, root.mode = poller, WatchMode.POLLING
        root.why = f"{why} So the directories are polled every {self._poll_seconds:g} s."

    def _on_overflow(self) -> None:
        for root in self._roots:
            if root.mode is WatchMode.INOTIFY:
                root.troubles.append("The inotify queue overflowed.")
        self._kick()

    def _on_failure(self, why: str) -> None:
        self._refusal = why
        for root in self._roots:
            if root.mode is WatchMode.INOTIFY:
                root.troubles.append(why)
        self._kick()

    def _kick(self) -> None:
        try:
            os.write(self._kick_writer, b"!")
        except BlockingIOError:  # the pipe is full, so the thread will wake anyway
            return

    def _publish(self) -> None:
        order = list(WatchMode)
        mode = max((root.mode for root in self._roots), key=order.index, default=WatchMode.OFF)
        self._state = WatchState(mode, " ".join(dict.fromkeys(root.why for root in self._roots if root.why)))


class _Root:
    """One root and its watch."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.identity: _Identity | None = None
        self.watch: InotifyTree | DirectoryPoller | None = None
        self.mode = WatchMode.OFF
        self.why = ""
        self.troubles: list[str] = []
        """Why the watch has to be restarted; each watch has its own list, so that an old one has no effect."""

    def break_by(self, kick: Callable[[], None]) -> Callable[[str], None]:
        """Return the callback for a new watch that breaks."""
        troubles: list[str] = []

        def broken(why: str) -> None:
            troubles.append(why)
            kick()

        self.troubles = troubles
        return broken

    def refuse(self, why: str | None) -> None:
        """Record that the root cannot be watched at all."""
        self.identity = None
        self.mode, self.why = WatchMode.OFF, f"The folder {self.path} cannot be watched: {why}."

    def end(self) -> None:
        """End the watch."""
        watch, self.watch = self.watch, None
        if watch is not None:
            watch.end()


def _identity(path: str) -> _Identity | None:
    """Return the identity of the folder at a path, to detect that it was replaced; None when there is no folder."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    return found.st_dev, found.st_ino, tuple(mount.number for mount in mounts_of(path))
