"""Define what a side may look up of the ledger. It is read only: what a side learnt comes back in observations and receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import Listed, Place, Tagged


class KnownContents(Protocol):
    """The normal forms of objects."""

    def of(self, keys: Sequence[int], tree: Literal["local", "remote"]) -> dict[int, bytes]:
        """Return what is kept of some items in one tree; an item of which nothing is kept is left out."""


class KnownTags(Protocol):
    """The tags that messages had in notmuch."""

    def of(self, messages: Sequence[str]) -> dict[str, list[Tagged]]:
        """Return the rows of messages, each list by key."""

    def due(self) -> list[str]:
        """Return the messages of items that changed since their tags were written."""


class Known(Protocol):
    """What is known from earlier runs, and from this one as far as it was ingested."""

    @property
    def contents(self) -> KnownContents:
        """Return the normal forms of objects."""

    @property
    def tagged(self) -> KnownTags:
        """Return the tags that messages had in notmuch."""

    @property
    def writes(self) -> int:
        """Return a number that differs once anything else is known."""

    def note(self, name: str) -> str:
        """Return a named note, or nothing."""

    # items

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """Return some items by key."""

    def by_ref(self, kind: str, refs: Sequence[str]) -> dict[str, Record]:
        """Return the items of a kind that have some ids on the server."""

    def by_digest(self, kind: str, digests: Sequence[str]) -> dict[str, list[Record]]:
        """Return the items of a kind that have some digests."""

    def converted(self, records: Iterable[Record]) -> list[Record]:
        """Return items with the digests of what their versions mean, to compare them with what is seen now."""

    # files

    def places_in(self, folder: int) -> Iterator[Place]:
        """Yield the files of a folder."""

    def places_of(self, keys: Sequence[int]) -> dict[int, list[Place]]:
        """Return the files of some items, each list by folder and name."""

    def taken_names(self, folder: int, names: Sequence[str]) -> set[str]:
        """Return those of some names that files of a folder are known under."""

    def keys_at(self, folder: int, names: Sequence[str]) -> dict[str, int]:
        """Return whose files of a folder those of some names are, by name; one that is not known is left out."""

    def files_by_folder(self) -> dict[int, int]:
        """Return how many files are known in each folder that has any."""

    # folders

    def folders(self, kind: str = "") -> dict[int, tuple[str, str]]:
        """Return the path below the root and the keyword table's text of each container, of one kind if given, by key."""

    def folder_tables(self, keys: Sequence[int]) -> dict[int, str]:
        """Return the texts of the keyword tables of some containers."""

    def listed(self, kind: str) -> dict[str, Listed]:
        """Return what is kept of the listings of a kind's folders, by place."""
