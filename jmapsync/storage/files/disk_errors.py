"""Classify errors of the disk: try the order again, plan again, or stop the batch."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from jmapsync.errors import LocalError
from jmapsync.storage.files.directories import shown
from jmapsync.storage.files.file_state import printable
from jmapsync.storage.files.filesystem import refuses_name
from jmapsync.storage.port import Receipt, Refused

if TYPE_CHECKING:
    from jmapsync.errors import Remedy

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that a smaller item may not meet."""
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})
"""Errors that the whole disk has, not one item."""


_NAMES = frozenset({errno.EILSEQ, errno.EINVAL})
"""Errors by which a file system refuses a name."""


class StaleError(Exception):
    """The disk does not hold what the order expects."""


class RefusedError(Exception):
    """An order cannot be carried out; the text says why."""

    def __init__(self, why: str, remedy: Remedy) -> None:
        """Keep the reason, and what may help."""
        super().__init__(why)
        self.remedy = remedy


def failure_of(error: OSError) -> LocalError:
    """Return the failure of a whole batch."""
    if error.errno in FULL:
        advice = "What fitted was written, and nothing was lost; free some space, then run again."
        return LocalError(f"The disk is full: {reason(error)}.", advice=advice)
    return LocalError(f"The disk refused to write: {reason(error)}.", advice="Nothing was lost; fix the disk, then run again.")


def reason(error: OSError) -> str:
    """Return what an error of the disk says, and of which file if it names one."""
    why = error.strerror or type(error).__name__
    refuses = error.errno in _NAMES and why == os.strerror(error.errno or 0)
    if refuses or (isinstance(error, FileNotFoundError) and refuses_name(error)):
        why, new = "the file system cannot hold this name", error.filename if error.filename2 is None else error.filename2
        error = OSError(error.errno, why, new)
    return why if error.filename is None else f"{why} ({printable(shown(error.filename))})"


def refused(key: int, error: OSError, remedy: Remedy) -> Receipt:
    """Return the receipt of an order that the disk refused."""
    return Refused(key, f"the disk refused: {reason(error)}", remedy)
