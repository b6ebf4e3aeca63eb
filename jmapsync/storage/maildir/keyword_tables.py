"""Read and write the keyword tables of Maildir folders (`dovecot-keywords`): which letter of a file name is which keyword."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from jmapsync.formats.flags import KeywordTable
from jmapsync.formats.names import KEYWORDS
from jmapsync.opening import read_regular
from jmapsync.storage.files.atomic import replace_text

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 1 << 20
"""Octets of a keyword table: Dovecot writes 26 keywords at most."""


class KeywordTables(dict[int, KeywordTable]):
    """Keyword tables by container; a folder that is not known any more has none, and its letters stand for nothing."""

    def __init__(self) -> None:
        """Start without folders."""
        super().__init__()
        self.cut: set[int] = set()
        """Containers whose table on disk lacks its end, or everything: letters stand for nothing there."""
        self.unread: list[tuple[str, str]] = []
        """Folders whose table cannot be read, by path, and why."""

    def __missing__(self, key: int) -> KeywordTable:
        """Return an empty table."""
        return KeywordTable()

    def load(self, key: int, path: str, folder: Path | None, kept: KeywordTable) -> None:
        """Read the table that lies in a folder, None where that cannot be reached; `kept` is the ledger's.

        A folder's own table wins where it continues the ledger's (another program added a keyword); a missing or contradicting one
        would turn letters into other keywords, so there the ledger's stands.
        """
        shown = self._shown(path, folder) if folder is not None else KeywordTable()
        self[key] = shown if shown.keywords[: len(kept.keywords)] == kept.keywords else kept
        if kept != shown == KeywordTable(kept.keywords[: len(shown.keywords)]):
            self.cut.add(key)

    def _shown(self, path: str, folder: Path) -> KeywordTable:
        """Return the table that lies in a folder, an empty one where there is none that can be read."""
        try:
            return KeywordTable.parse(_text(folder))
        except FileNotFoundError:
            return KeywordTable()
        except OSError as error:
            self.unread.append((path, f"its {KEYWORDS} cannot be read: {error.strerror}"))
            return KeywordTable()

    def write(self, key: int, folder: Path, table: KeywordTable) -> None:
        """Write a folder's table before any file name uses it. Raises OSError."""
        there = ""
        with contextlib.suppress(FileNotFoundError):
            there = _text(folder)
        replace_text(folder / KEYWORDS, table.added_to(there))
        self[key] = table


def _text(folder: Path) -> str:
    return read_regular(folder / KEYWORDS, _LONGEST, follow=False).decode("utf-8", "replace")
