"""Say what of a tree is to be put back, and what is known of a tree that is no mirror of the account it is put back to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be put back; everything where nothing is named."""

    folders: frozenset[str] = frozenset()
    """Paths below the root, each with all below it; the empty one is the root itself."""
    files: frozenset[tuple[str, str]] = frozenset()
    """The path of the folder and the unique name of a file."""

    def is_whole(self) -> bool:
        """Return whether everything is meant."""
        return not (self.folders or self.files) or "" in self.folders

    def has_folder(self, path: str) -> bool:
        """Return whether a whole folder is meant."""
        return self.is_whole() or any(path == one or path.startswith(f"{one}/") for one in self.folders)

    def has(self, path: str, name: str) -> bool:
        """Return whether a file is meant, by its folder and its unique name."""
        return self.has_folder(path) or (path, name) in self.files


@dataclass(frozen=True, slots=True)
class Stranger:
    """A tree that is no mirror of the account it is put back to: what its own ledger, if it has one, knows of its folders."""

    has_ledger: bool = False
    """Whether the ledger knows the files, not only what they show."""
    tables: Mapping[str, str] = field(default_factory=dict)
    """The text of a folder's keyword table, by path; of folders that have none of their own."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """The role of a folder, by path, or that it is the default collection: its items belong where the other account has that."""
