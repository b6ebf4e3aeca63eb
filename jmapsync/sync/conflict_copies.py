"""Save the version that loses a conflict as a conflict copy, durably and once, before anything overwrites it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import LocalError
from jmapsync.formats.labels import HEAD, label_of_head, label_of_object
from jmapsync.formats.message import Form, digest_of
from jmapsync.ledger import ConflictCopy
from jmapsync.storage.files.atomic import replace_bytes, sync_directories, sync_files
from jmapsync.storage.files.disk_errors import reason
from jmapsync.storage.port import ObjectPair
from jmapsync.sync.item_names import fallback, named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.ledger import Ledger
    from jmapsync.storage.port import Body, MailPair
    from jmapsync.sync.commit import Work


class ConflictCopyWriter(Struct, frozen=True):
    """Writes conflict copies of one kind: a row in the ledger, and a file that is named after the row's number."""

    ledger: Ledger
    folder: Path
    kind: str
    pair: MailPair | ObjectPair
    clock: Callable[[], float]

    def write(self, work: Work) -> bool:
        """Keep the local version of an item and return True, or False where it is not there to be kept.

        Raises LocalError when the disk refuses, so that nothing is written over it.
        """
        try:
            return self._write(work)
        except OSError as error:
            raise LocalError(
                f"The version of {work.record.name} that is to be overwritten could not be kept in {self.folder}: {reason(error)}.",
                advice="Nothing was lost; free some space or fix the disk, then run again.",
            ) from error

    def _write(self, work: Work) -> bool:
        key, version = work.change.key, work.record.local
        # A run that died may have given some copies the server's bytes; it is the others that are to be kept.
        places = sorted(self.ledger.places_of([key]).get(key, ()), key=lambda place: place.form != Form.OFFLINEIMAP)
        body = self.pair.local.read(key, places)
        if body.data is None and body.path is None:
            return False
        copy = ConflictCopy(
            0,
            self.kind,
            key,
            self._name(work, body),
            "local",
            work.change.reason,
            int(self.clock()),
            " ".join(map(str, sorted(version.homes))) if version else "",
            " ".join(sorted(version.tags)) if version else "",
        )
        self.folder.mkdir(mode=0o700, exist_ok=True)
        data = (
            self.pair.codec.write(json.loads(body.data))
            if isinstance(self.pair, ObjectPair) and body.data is not None
            else body.data
        )
        # A run that died before it overwrote the version has written the copy already, or was about to.
        before = [self.folder / str(one.id) for one in self.ledger.conflict_copies(self.kind) if one.key == key]
        if any(file.exists() and digest_of(file.read_bytes()) == _digest(body, data) for file in before):
            if body.path is not None:
                body.path.unlink()
            return True
        file = next((file for file in before if not file.exists()), None) or self.folder / str(self.ledger.add_conflict_copy(copy))
        if data is not None:
            replace_bytes(file, data)
        elif body.path is not None:
            import shutil  # noqa: PLC0415  # it imports the compressors; conflicts are rare

            shutil.move(body.path, file)
            sync_files(self.folder, [os.fspath(file)])
            sync_directories([os.fspath(self.folder)])
        return True

    def _name(self, work: Work, body: Body) -> str:
        """Return the name of the version for people."""
        plain = fallback(self.kind, work.record)
        if isinstance(self.pair, ObjectPair):
            return named(label_of_object(json.loads(body.data or b"{}")), plain)
        if not self.pair.by_content:
            return plain
        if body.data is not None:
            return named(label_of_head(body.data[:HEAD]), plain)
        if body.path is None:
            return plain
        with body.path.open("rb") as file:
            return named(label_of_head(file.read(HEAD)), plain)


def _digest(body: Body, data: bytes | None) -> str:
    return body.digest if data is None else digest_of(data)
