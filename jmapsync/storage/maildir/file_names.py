"""Name the directories and files of a Maildir folder (https://cr.yp.to/proto/maildir.html), and recognise files named here."""

from __future__ import annotations

import re
import socket

from jmapsync.formats.flags import parse_name
from jmapsync.storage.files.file_state import may_be_directory
from jmapsync.storage.files.scan import Rules

INBOX = "INBOX"
PARTS = ("cur", "new", "tmp")
"""The directories of a folder."""
SUBS = ("new", "cur")
"""Those that messages lie in: in this order one that moves from `new` to `cur` while they are listed is listed at least once."""
MESSAGES = Rules(SUBS, lambda name: name[0] != ".", parse_name, "a message")
HOST = re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())
"""The host in a file name, in characters that every file system holds; the Maildir specification wants no slash and no colon."""
_OWN_NAME = re.compile(r"[0-9]+\.J([0-9]+)R[0-9a-f]{8}\.")


def own_name(stamp: int, key: int, token: str) -> str:
    """Return the unique part of the name of a new file: receivedAt in seconds, the message's key and random characters."""
    return f"{max(stamp, 0)}.J{key}R{token}.{HOST}"


def key_in(name: str) -> int:
    """Return the key in a name of `own_name`; 0 for any other name.

    A hint only: a copy keeps the name, and a lost ledger gave out other keys.
    """
    match = _OWN_NAME.match(name)
    return int(match[1]) if match else 0


def is_complete(folder: str) -> bool:
    """Return whether a folder may have the directories that messages lie in; what cannot be examined counts as there."""
    return all(may_be_directory(f"{folder}/{sub}") for sub in SUBS)
