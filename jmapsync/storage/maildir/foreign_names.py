"""Decode the folder names that mbsync and offlineimap write in IMAP's modified UTF-7 (RFC 3501, 5.1.3)."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from jmapsync.formats.message import is_offlineimap
from jmapsync.formats.names import from_utf7
from jmapsync.opening import open_directory
from jmapsync.storage.maildir.file_names import SUBS

if TYPE_CHECKING:
    from collections.abc import Iterable


def decoded_name(name: str, folder: str, others: Iterable[str]) -> str:
    """Return the mailbox name that a program meant by a folder's name; `others` are all folders below the same root.

    mbsync leaves files of its own in each folder; offlineimap shows by the names of messages in any of them.
    """
    meant = from_utf7(name)
    if meant == name or is_mbsync(folder):
        return meant
    return meant if is_filled_by_offlineimap(others) else name


def is_mbsync(folder: str) -> bool:
    """Return whether mbsync keeps its own files in a folder."""
    return os.path.lexists(f"{folder}/.uidvalidity") or os.path.lexists(f"{folder}/.mbsyncstate")


def is_filled_by_offlineimap(folders: Iterable[str]) -> bool:
    """Return whether offlineimap named a file in any of some folders."""
    for folder in folders:
        for sub in SUBS:
            with contextlib.suppress(OSError):
                handle = open_directory(f"{folder}/{sub}")
                try:
                    if any(is_offlineimap(name) for name in os.listdir(handle)):
                        return True
                finally:
                    os.close(handle)
    return False
