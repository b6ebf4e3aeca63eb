"""Write a message from the server into `tmp`, which no reader opens, in the form that it is to have on the disk."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.formats.message import Form, digest_of, measure, to_disk
from jmapsync.storage.files.atomic import write_new
from jmapsync.storage.maildir.identify import iterate_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.storage.port import Body, Job


class Staged(Struct):
    """A message on its way: written to `tmp`, or about to be, and not yet delivered."""

    job: Job
    folder: int
    """In whose `tmp` it lies."""
    name: str
    digest: str = ""
    """Of the server's bytes."""
    size: int = 0
    """Octets on the wire."""
    form: Form = Form.RAW


def fill(staged: Staged, path: str, body: Body, *, keep_crlf: bool) -> None:
    """Write the body of the staged message to a path and note what it is. Raises OSError; the file may then be there in part."""
    if body.data is not None:
        data, staged.form = to_disk(body.data, keep_crlf=keep_crlf)
        staged.digest, staged.size = digest_of(body.data), len(body.data)
        write_new(path, data, lambda handle: set_mtime(handle, staged.job.stamp))
    elif body.path is not None:
        _copy_large(staged, path, body.path, keep_crlf=keep_crlf)


def _copy_large(staged: Staged, path: str, source: Path, *, keep_crlf: bool) -> None:
    """Write a large body from a file of its own in bounded memory, with LF where that is reversible."""
    measured = measure(iterate_chunks(os.fspath(source)))
    staged.digest, staged.size = measured.raw, measured.raw_size
    shorten = not keep_crlf and measured.form is Form.RAW and _only_crlf(source)
    staged.form = Form.LF if shorten else Form.RAW
    with open(path, "xb") as file:
        os.fchmod(file.fileno(), 0o600)
        chunks = iterate_chunks(os.fspath(source))
        file.writelines((chunk.translate(None, b"\r") for chunk in chunks) if shorten else chunks)
        file.flush()
        set_mtime(file.fileno(), staged.job.stamp)


def set_mtime(path: str | int, stamp: int) -> None:
    """Show receivedAt as the mtime of a file, not of what a link leads to; a time no file system holds is left as it is."""
    with contextlib.suppress(OverflowError, OSError):
        os.utime(path, (stamp, stamp), follow_symlinks=isinstance(path, int))


def _only_crlf(path: Path) -> bool:
    """Return whether every CR of a file is followed by LF."""
    pending = False
    for chunk in iterate_chunks(os.fspath(path)):
        if pending and not chunk.startswith(b"\n"):
            return False
        if chunk.count(b"\r") - chunk.endswith(b"\r") != chunk.count(b"\r\n"):
            return False
        pending = chunk.endswith(b"\r")
    return not pending
