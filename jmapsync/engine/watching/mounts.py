"""Tell on what kind of file system a folder lies, by the kernel's table of mounts (proc(5), `/proc/self/mountinfo`)."""

from __future__ import annotations

import os
import re

TABLE = "/proc/self/mountinfo"
_SHARED = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2"),
        *("orangefs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
    }
)
"""File systems that others change too, of which inotify(7) tells nothing."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def shared_file_system(folder: str) -> str:
    """Return the type of the file system on which a folder, or one below it, lies when other machines change it too, else "".

    FUSE counts: `sshfs` and its like cannot be told from those that keep their files here. `fuseblk` is a local disk.
    """
    real = os.path.realpath(folder)
    nearest, here = "", ""
    for point, kind in _mounts():
        if point == real or real.startswith(point.rstrip("/") + "/"):
            if len(point) >= len(nearest):
                nearest, here = point, kind
        elif point.startswith(real + "/") and _is_shared(kind):
            return kind
    return here if _is_shared(here) else ""


def _is_shared(kind: str) -> bool:
    return kind in _SHARED or kind.startswith("fuse.")


def _mounts() -> list[tuple[str, str]]:
    """Return mount points and types, in the order they were mounted."""
    try:
        with open(TABLE, encoding="utf-8", errors="surrogateescape") as lines:
            fields = [line.split() for line in lines]
    except OSError:
        return []
    return [(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), one[4]), one[one.index("-", 6) + 1]) for one in fields]
