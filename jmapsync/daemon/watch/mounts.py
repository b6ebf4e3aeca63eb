"""Find the file system type of a folder in the kernel's mount table (proc(5), `/proc/self/mountinfo`)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "/proc/self/mountinfo"
_SHARED = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2"),
        *("orangefs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
    }
)
"""File systems that other machines can change, for which inotify(7) reports nothing."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of the table."""

    number: str
    point: str
    kind: str

    @property
    def is_shared(self) -> bool:
        """Whether other machines may change what is on it."""
        return self.kind in _SHARED or self.kind.startswith("fuse.")


def mounts_of(folder: str) -> list[Mount]:
    """Return the mount that contains a folder, followed by the mounts below it; empty without a table."""
    real = os.path.realpath(folder)
    here: list[Mount] = []
    below: list[Mount] = []
    for mount in _table():
        if mount.point == real or real.startswith(mount.point.rstrip("/") + "/"):
            if not here or len(mount.point) >= len(here[0].point):
                here = [mount]
        elif mount.point.startswith(real.rstrip("/") + "/"):
            below.append(mount)
    return here + below


def shared_file_system(folder: str) -> str:
    """Return the type of the file system on which a folder, or one below it, lies when other machines change it too, else "".

    FUSE counts: `sshfs` cannot be distinguished from one that keeps its files locally. `fuseblk` is a local disk.
    """
    return next((mount.kind for mount in mounts_of(folder) if mount.is_shared), "")


def _table() -> Iterator[Mount]:
    """Yield mounts in the order they were made."""
    try:
        with open(TABLE, encoding="utf-8", errors="surrogateescape") as lines:
            fields = [line.split() for line in lines]
    except OSError:
        return
    for one in fields:
        yield Mount(one[0], _ESCAPED.sub(lambda found: chr(int(found[1], 8)), one[4]), one[one.index("-", 6) + 1])
