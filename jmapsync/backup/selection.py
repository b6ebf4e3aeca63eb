"""Select the folders and files to restore, and describe a tree that is not the account's own mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class Selection(Struct, frozen=True):
    """Folders and files to restore; everything where none is named."""

    folders: frozenset[str] = frozenset()
    """Paths below the root, each with all below it; the empty one is the root itself."""
    files: frozenset[tuple[str, str]] = frozenset()
    """The path of the folder and the unique name of a file."""

    def is_whole(self) -> bool:
        """Return whether everything is selected."""
        return not (self.folders or self.files) or "" in self.folders

    def has_folder(self, path: str) -> bool:
        """Return whether a whole folder is selected."""
        return self.is_whole() or any(path == one or path.startswith(f"{one}/") for one in self.folders)

    def has(self, path: str, name: str) -> bool:
        """Return whether a file is selected, by its folder and its unique name."""
        return self.has_folder(path) or (path, name) in self.files


class ForeignTree(Struct, frozen=True):
    """A tree that is not the account's own mirror, with what its own ledger, if any, records of its folders."""

    has_ledger: bool = False
    """Whether the ledger knows the files, not only what they show."""
    tables: Mapping[str, str] = {}
    """The text of a folder's keyword table, by path; of folders that have none of their own."""
    roles: Mapping[str, str] = {}
    """The role of a folder, by path, or that it is the default collection: its items belong where the other account has that."""
