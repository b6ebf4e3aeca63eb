"""Choose mailboxes by the shell patterns of their paths (`include` and `exclude`)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

INBOX = "INBOX"


class Patterns(Struct, frozen=True):
    """Which mailboxes are mirrored: those that `include` names, without those that `exclude` names.

    A pattern stands for the mailboxes whose paths it matches and for all below them. `*` matches `/` too, as in `fnmatch`; the
    case of letters counts, but for the inbox, whose name has none (RFC 3501, 5.1).
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        """Tell whether nothing is left out, whatever it is called."""
        return "*" in self.include and not self.exclude

    def covers(self, path: str) -> bool:
        """Tell whether a mailbox is mirrored; its path has the names that people see, joined by `/`, from the top or INBOX."""
        lineage = [path[:end] for end in _ends(path)]
        return _match(lineage, self.include) and not _match(lineage, self.exclude)

    def to_text(self) -> str:
        """Return it as text that differs where the patterns do."""
        return repr((self.include, self.exclude))


EVERYTHING = Patterns()


def above(paths: Iterable[str]) -> set[str]:
    """Return the paths of all that these lie in."""
    return {path[:end] for path in paths for end in _ends(path)[:-1]}


def _ends(path: str) -> list[int]:
    """Return where the paths of a mailbox's ancestors end in its own, and where that ends."""
    return [*(position for position, letter in enumerate(path) if letter == "/"), len(path)]


def _match(lineage: list[str], patterns: tuple[str, ...]) -> bool:
    if lineage[0].casefold() == INBOX.casefold():
        lineage, patterns = [_folded(path) for path in lineage], tuple(_folded(pattern) for pattern in patterns)
    return any(fnmatchcase(path, pattern) for path in lineage for pattern in patterns)


def _folded(path: str) -> str:
    """Return a path with its first name in lower case."""
    head, slash, rest = path.partition("/")
    return f"{head.casefold()}{slash}{rest}"
