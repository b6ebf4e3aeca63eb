"""Read a file of a collection as the normal form of its item, large data set aside; report it by name where that fails."""

from __future__ import annotations

import json
import logging
import os
import uuid
from typing import TYPE_CHECKING, NamedTuple

from jmapsync.formats.large_data import bring_back, set_aside
from jmapsync.formats.objects import MalformedError, encode
from jmapsync.formats.streams import zone_notes
from jmapsync.opening import open_regular
from jmapsync.storage.files.file_state import is_text, printable, state_of, wait_until_quiet
from jmapsync.storage.port import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object
    from jmapsync.storage.files.file_state import State
    from jmapsync.storage.files.scan import Entry
    from jmapsync.storage.vdir.tree import Tree

_log = logging.getLogger(__name__)
LARGEST = 64 << 20
"""Octets of a file that is read at all: a card with a photo has some hundred thousand."""
_NAMELESS = uuid.UUID("6f0f3c1e-5d5a-5b1a-9d8e-0d6a6f8f2c41")
"""The namespace of the uids of files that have none."""


class Reading(NamedTuple):
    """One file as it was read."""

    folder: int
    entry: Entry
    uid: str
    """As the file says, else nothing."""
    sense: str
    content: bytes
    """The normal form, large data set aside, not aligned to anything."""


class Reader:
    """Reads the files of one mirror; what was read once, in one scan or its repetition, is not read again."""

    def __init__(self, tree: Tree, codec: Codec, clock: Callable[[], float]) -> None:
        """Prepare; `clock` returns seconds since the epoch."""
        self._tree = tree
        self.codec = codec
        self._clock = clock
        self._read: dict[tuple[int, Entry], Reading | Trouble] = {}
        self.overtaken = False
        """Whether a file was changed or removed while it was to be read."""

    def read(self, folder: int, entry: Entry) -> Reading | Trouble | None:
        """Return what a file holds or why it is skipped; None when it is gone."""
        found = self._read.get((folder, entry))
        if found is not None:
            return found
        if folder not in self._tree.paths:
            self.overtaken = True
            return None
        label = printable(f"{self._tree.paths[folder]}/{entry.name}")
        result: Reading | Trouble
        try:
            wait_until_quiet(entry.mtime, self._clock)
            with self._tree.reach() as below:
                data, state = read_bytes(f"{below.at(self._tree.paths[folder])}/{entry.name}")
            if state != entry.state:
                self.overtaken = True
                return Trouble(label, "it is still being written; it is read once it is left alone")
            kept, _ = set_aside(convert(self.codec, data))
            for note in zone_notes(kept):
                _log.warning("%s: %s", label, note)
            result = Reading(folder, entry, uid_of(kept), self.codec.sense(kept), encode(kept))
        except FileNotFoundError:
            self.overtaken = True
            return None
        except OSError as error:
            return Trouble(label, f"it cannot be read: {error.strerror}")
        except MalformedError as error:
            result = Trouble(label, f"{str(error).rstrip('.')}; the file stays as it is")
        self._read[folder, entry] = result
        return result


def read_bytes(path: str) -> tuple[bytes, State]:
    """Return the bytes of a file and its state. Raises OSError, MalformedError when it is far too large."""
    with open_regular(path, follow=False) as file:
        data = file.read(LARGEST + 1)
        state = state_of(os.fstat(file.fileno()))
    if len(data) > LARGEST:
        raise MalformedError(f"it is larger than {LARGEST >> 20} MiB")
    return data, state


def convert(codec: Codec, data: bytes) -> Object:
    """Return the normal form of a file's bytes. Raises MalformedError, whatever the converter stumbled over."""
    try:
        return codec.read(data)
    except MalformedError:
        raise
    except Exception as error:  # a fault of ours in one file must not hold up the others
        raise MalformedError(f"a fault in jmapsync keeps it from being read ({type(error).__name__}: {error})") from error


def render(codec: Codec, item: Object) -> bytes:
    """Return the file of a normal form. Raises MalformedError, whatever the converter stumbled over."""
    try:
        return codec.write(item)
    except MalformedError:
        raise
    except Exception as error:  # a fault of ours in one object must not hold up the others
        raise MalformedError(f"a fault in jmapsync keeps it from being written ({type(error).__name__}: {error})") from error


def align(codec: Codec, item: Object, reference: bytes) -> Object:
    """Return an item, its data in place or set aside, with the keys of a reference whose data is set aside."""
    if not reference:
        return item
    kept, data = set_aside(item)
    aligned: Object = bring_back(codec.align(kept, json.loads(reference)), data.get)
    return aligned


def uid_of(item: Object) -> str:
    """Return the uid of an item, nothing where it has none or a blank one. Raises MalformedError for one that is not valid text."""
    uid = item.get("uid")
    if isinstance(uid, str) and not is_text(uid):
        raise MalformedError("its UID holds half a character")
    return uid if isinstance(uid, str) and uid.strip() else ""


def named(codec: Codec, reading: Reading, uid: str) -> Reading:
    """Return what a file without a uid holds as the item of a uid."""
    item: Object = json.loads(reading.content)
    item["uid"] = uid
    return reading._replace(uid=uid, sense=codec.sense(item), content=encode(item))


def derived_uid(kind: str, path: str, name: str) -> str:
    """Return the uid of a file without one: the same for the same place, so that a lost ledger finds its item again.

    A UUID of version 5 (RFC 9562, 5.5) of the kind, the directory's name and the file's. It gets into the file when that is next
    written; until then a file that is renamed or moved keeps it as long as the ledger knows the file.
    """
    return str(uuid.uuid5(_NAMELESS, f"{kind}\0{path}\0{name}"))
