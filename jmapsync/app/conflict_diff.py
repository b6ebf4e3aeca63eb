"""Compare a conflict copy with the version that won, line by line."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import LEDGER
from jmapsync.config import MailConfig
from jmapsync.formats.contentline import unfold
from jmapsync.ledger import Ledger
from jmapsync.opening import open_regular
from jmapsync.storage.files.directories import Below
from jmapsync.storage.files.root import USUAL
from jmapsync.storage.maildir.file_names import SUBS
from jmapsync.storage.maildir.maildirpp import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.app.conflicts import ConflictCopies
    from jmapsync.config import KindConfig
    from jmapsync.ledger import Place

_MOST = 5_000
"""Lines of each version that are compared: with ten times as many it would take minutes."""
_LONGEST = 1 << 24
"""Octets that are read of the version that won."""


def difference(copies: ConflictCopies, number: int) -> Iterator[str]:
    """Yield a unified diff from the version that won to the conflict copy; of the copy alone where the other is not there any more.

    Raise `ConfigError` if there is no such copy, `LocalError` if it cannot be read.
    """
    copy = copies.find(number)
    kept = _lines(copies.body(number), copy.kind)
    won = _version_here(copies, copy.kind, copy.key)
    if won is None:
        yield "The version that won is not among the local files any more; this is the one that lost."
        yield ""
        yield from kept
        return
    now = _lines(won, copy.kind)
    yield from difflib.unified_diff(now[:_MOST], kept[:_MOST], "the version that won", f"conflict copy {number}", lineterm="")
    if now[:_MOST] == kept[:_MOST]:
        yield f"Both have the same {'text' if len(kept) <= _MOST else f'first {_MOST:,} lines'}."
    elif max(len(now), len(kept)) > _MOST:
        yield f"Only the first {_MOST:,} lines were compared."


def _lines(body: bytes, kind: str) -> list[str]:
    """Return the lines of a message, or those of a card or a calendar unfolded."""
    text = body if kind == "mail" else unfold(body)
    return text.decode("utf-8", "surrogateescape").replace("\r\n", "\n").removesuffix("\n").split("\n")


def _version_here(copies: ConflictCopies, kind: str, key: int) -> bytes | None:
    """Return the bytes of a local file of an item; None where there is none that can be read."""
    config = copies.kinds.get(kind)
    ledger = Ledger.open_readonly(copies.state_dir / LEDGER)
    if config is None or ledger is None:
        return None
    try:
        folders = ledger.folders()
        for place in ledger.places_of([key]).get(key, []):
            content = _read(config, folders[place.folder][0], place)
            if content is not None:
                return content
    finally:
        ledger.close()
    return None


def _read(config: KindConfig, folder: str, place: Place) -> bytes | None:
    where = folder if not isinstance(config, MailConfig) or config.layout == USUAL else place_of(folder)
    try:
        with Below(config.path) as below:
            if not isinstance(config, MailConfig):
                return _content(below.path(where) / place.name)
            for sub in SUBS:  # its flags, and so its name, may have changed since the last scan
                directory = below.at(f"{where}/{sub}" if where else sub)
                for name in os.listdir(directory):
                    if name == place.name or name.startswith(f"{place.name}{place.info[:1] or ':'}"):
                        return _content(f"{directory}/{name}")
    except OSError:
        return None
    return None


def _content(path: str | os.PathLike[str]) -> bytes:
    with open_regular(os.fspath(path), follow=False) as file:
        return file.read(_LONGEST)
