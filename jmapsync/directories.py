"""Create directories that only their owner may enter, with those that are missing above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_private(path: Path) -> None:
    """Create a directory and all that are missing above it with mode 0700; one that is there keeps its mode. Raises OSError.

    `Path.mkdir` gives its mode to the last one only: by the umask, others could list the names of accounts and folders.
    """
    try:
        path.mkdir(mode=0o700)
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_private(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:  # a read-only or an automounted file system may refuse what is there with another error than EEXIST
        if not path.is_dir():
            raise
