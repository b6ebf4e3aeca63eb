"""Watch the directories below a root by inotify(7), through the part of watchdog that reads from the kernel.

watchdog's own recursive emitter is not used. It delays every rename by half a second to pair its two halves, and a rename is
what changes a message's flags; it creates an event for every file in a folder that is moved in; it does not report that a queue
overflowed or that a sub-folder could not be watched. Here an event costs a test of its bits, and only directories take memory.
"""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask, WatchDescriptor

from jmapsync.daemon.watch.directories import PARTS, folder_of, holds_messages, is_watched_file, is_worth_watching, subdirectories

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.observers.inotify_c import InotifyEvent

_APPEARED = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
_VANISHED = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
_WRITTEN = InotifyConstants.IN_MODIFY | InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_ATTRIB
_SELF = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF
_MASK = Mask(_APPEARED | _VANISHED | _WRITTEN | _SELF | InotifyConstants.IN_ONLYDIR | InotifyConstants.IN_EXCL_UNLINK)
"""The events to report: not IN_OPEN, IN_ACCESS or IN_CLOSE_NOWRITE."""
_MASK_BELOW = Mask(_MASK | InotifyConstants.IN_DONT_FOLLOW)
"""The root may be a symbolic link; links below it are not followed."""
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_PATIENCE = 2.0
"""Seconds."""


class WatchRefusedError(Exception):
    """The kernel refuses to watch a directory; the message says why."""


class Kernel(InotifyFD):
    """One inotify instance and the thread that reads from it."""

    def __init__(self, overflowed: Callable[[], None], failed: Callable[[str], None]) -> None:
        """Open the instance and start reading. Raises WatchRefusedError when the kernel refuses.

        `overflowed` is called when events were dropped, `failed` when the thread ends by an error; both in that thread.
        """
        self._overflowed = overflowed
        self._failed = failed
        try:
            super().__init__()
        except OSError as error:
            raise WatchRefusedError(_refusal(error)) from error
        self.start()

    def run(self) -> None:
        """Read until stopped; report an exception that ends it."""
        try:
            super().run()
        except Exception as error:  # noqa: BLE001  # a thread that ends unheard would leave us deaf
            self._failed(f"Watching by inotify ended: {error!r}.")

    def handle_event(self, event: InotifyEvent) -> None:
        """Dispatch an event to its directory; report an overflow of the queue to all."""
        if event.is_queue_overflow:
            self._overflowed()
        else:
            super().handle_event(event)

    def close_and_wait(self) -> None:
        """Remove all watches and end the thread."""
        self.stop()
        self.join(_PATIENCE)


class InotifyTree:
    """The watches on one root and the directories below it."""

    def __init__(self, root: str, kernel: Kernel, changed: Callable[[str], None], broken: Callable[[str], None]) -> None:
        """Prepare to call `changed` with a folder, and `broken` with a reason when the watches have to be created anew."""
        self.root = root
        self.changed = changed
        self.broken = broken
        self._kernel = kernel
        self._lock = threading.RLock()
        self._directories: dict[str, _Directory] = {}
        self._active = False

    def begin(self) -> None:
        """Watch the root and all below it. Raises WatchRefusedError, and OSError when the root cannot be listed."""
        os.scandir(self.root).close()  # watchdog does not report why a directory is not watched
        with self._lock:
            self._active = True
            try:
                self._add(self.root)
                if self.root not in self._directories:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.root)
            except (OSError, WatchRefusedError):
                self.end()
                raise

    def end(self) -> None:
        """Remove the watches."""
        with self._lock:
            self._active = False
            for path in list(self._directories):
                self._drop(path)

    def __contains__(self, path: str) -> bool:
        """Return whether a directory is watched."""
        return path in self._directories

    def add(self, top: str) -> set[str]:
        """Watch a new directory and all below it, and return the folders they belong to.

        Watch first, then list: what appears between the two is seen twice, never missed.
        """
        with self._lock:
            if not self._active:
                return set()
            try:
                return self._add(top)
            except WatchRefusedError as error:
                self.broken(str(error))
                return set()

    def forget(self, top: str) -> None:
        """Remove the watches on a directory that is gone, and on all that was below it."""
        with self._lock:
            for path in [path for path in self._directories if path == top or path.startswith(f"{top}/")]:
                self._drop(path)

    def lose(self, directory: _Directory) -> None:
        """Handle IN_IGNORED: the kernel removed the watch because the directory is gone or its file system was unmounted."""
        with self._lock:
            if self._directories.get(directory.path) is not directory:
                return
            del self._directories[directory.path]
            if self._active and not directory.gone:
                self.broken(f"The kernel removed its watch on {directory.path}.")

    def _add(self, top: str) -> set[str]:
        folders: set[str] = set()
        waiting = [top]
        while waiting:
            path = waiting.pop()
            if not self._watch(path):
                continue
            folders.add(folder_of(self.root, path))
            try:
                waiting += [entry.path for entry in subdirectories(self.root, path)]
            except OSError:  # gone already or unreadable: the next run reports it
                continue
        return folders

    def _watch(self, path: str) -> bool:
        directory = _Directory(self, path)
        mask = _MASK if path == self.root else _MASK_BELOW
        try:
            wd = self._kernel.add_callback(os.fsencode(path), mask, directory, CallbackId(id(directory)))
        except OSError as error:
            if error.errno in _GONE:
                return False
            raise WatchRefusedError(_refusal(error)) from error
        if wd == -1:  # how watchdog reports a directory without read permission
            self._kernel.remove_callbacks([(wd, CallbackId(id(directory)))])
            return False
        directory.wd = wd
        self._drop(path)
        self._directories[path] = directory
        return True

    def _drop(self, path: str) -> None:
        directory = self._directories.pop(path, None)
        if directory is not None:
            self._kernel.remove_callbacks([(directory.wd, CallbackId(id(directory)))])


class _Directory:
    """Handler of one watched directory's events, called in the thread that reads them."""

    __slots__ = ("_messages", "_tree", "folder", "gone", "path", "wd")

    def __init__(self, tree: InotifyTree, path: str) -> None:
        self._tree = tree
        self._messages = holds_messages(tree.root, path)
        self.path = path
        self.folder = folder_of(tree.root, path)
        self.gone = False
        self.wd = WatchDescriptor(-1)

    def on_event(self, event: InotifyEvent) -> None:
        """Hint at the folder if the event may be a change."""
        if event.mask & _SELF:
            self._end(event.mask)
        elif self._messages:
            if not event.name.startswith(b"."):
                self._tree.changed(self.folder)
        elif event.mask & InotifyConstants.IN_ISDIR and event.name:
            self._follow(event.mask, os.fsdecode(event.name))
        else:
            self._read(event.mask, os.fsdecode(event.name))

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:  # noqa: ARG002  # watchdog's signature
        """Report the end of the watch to the tree."""
        self._tree.lose(self)

    def on_queue_overflow(self) -> None:
        """Do nothing: `Kernel` reports it once for all directories."""

    def _end(self, mask: int) -> None:
        """Handle the removal of the directory itself. Below the root, the parent's events report the rest."""
        self.gone = self.gone or not mask & InotifyConstants.IN_MOVE_SELF
        if self.path == self._tree.root:
            what = "moved away" if mask & InotifyConstants.IN_MOVE_SELF else "removed"
            self._tree.broken(f"The folder {self.path} was {what}.")

    def _follow(self, mask: int, name: str) -> None:
        """Update the watches after an event of a subdirectory."""
        path = f"{self.path}/{name}"
        if name in PARTS and self.path == self._tree.root and mask & (_APPEARED | _VANISHED):
            self._tree.broken(f"The directories of {self.path} changed.")  # whether it is a Maildir decides what all others are
            return
        if mask & _VANISHED:
            self._tree.forget(path)
        if not is_worth_watching(self._tree.root, self.path, name):
            return
        if mask & _APPEARED or path not in self._tree:
            for folder in self._tree.add(path):
                self._tree.changed(folder)
        self._tree.changed(self.folder)

    def _read(self, mask: int, name: str) -> None:
        """Report a change of a file or a symbolic link."""
        path = f"{self.path}/{name}"
        if name and mask & _VANISHED and path in self._tree:
            self._tree.forget(path)
        elif not is_watched_file(name, in_maildir=f"{self.path}/cur" in self._tree) and not (
            name and mask & _APPEARED and os.path.islink(path)  # a link that replaces a folder is reported
        ):
            return
        self._tree.changed(self.folder)


def _refusal(error: OSError) -> str:
    """Return why the kernel refused, and which setting to raise."""
    if error.errno == errno.ENOSPC:
        return (
            f"The kernel watches no more than {_limit('max_user_watches')} directories for one user. "
            "Raise fs.inotify.max_user_watches by sysctl and restart."
        )
    if error.errno == errno.EMFILE:
        return (
            f"The kernel gives no more than {_limit('max_user_instances')} inotify instances to one user, or this process "
            "may open no more files. Raise fs.inotify.max_user_instances by sysctl and restart."
        )
    return f"The kernel refuses to watch directories: {error.strerror}."


def _limit(name: str) -> str:
    try:
        with open(f"/proc/sys/fs/inotify/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "its limit of"
