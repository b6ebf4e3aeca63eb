"""Keep the paths of containers below a Maildir root, with indexes of the names that are used in each folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.names import fold, is_marked
from jmapsync.storage.files.tree import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Paths(Whereabouts):
    """Paths by container; its indexes are built when they are first asked for, and then kept."""

    def __init__(self, paths: Mapping[int, str] | None = None) -> None:
        """Start with some paths."""
        super().__init__(paths or {})
        self._names: Names | None = None
        self._marked: set[int] | None = None

    def __setitem__(self, key: int, path: str) -> None:
        """Note where a container lies."""
        self._forget(key)
        super().__setitem__(key, path)
        if self._names is not None:
            self._names.add(path)
        if self._marked is not None and is_marked(path):
            self._marked.add(key)

    def __delitem__(self, key: int) -> None:
        """Forget a container."""
        self._forget(key)
        super().__delitem__(key)

    def put(self, paths: Mapping[int, str]) -> None:
        """Note where several containers lie."""
        for key, path in paths.items():
            self[key] = path

    def _forget(self, key: int) -> None:
        old = self.get(key)
        if old is None:
            return
        if self._names is not None:
            self._names.remove(old)
        if self._marked is not None:
            self._marked.discard(key)

    def has_name(self, parent: str, folded: str, but: int) -> bool:
        """Return whether a container other than `but` lies in a folder under a name that folds to this one."""
        if self._names is None:
            self._names = Names(self.values())
        return self._names.has(parent, folded, but=self.get(but))

    def marked(self) -> Iterator[int]:
        """Yield the containers whose names had to be distinguished from others' by a mark, as they are now."""
        if self._marked is None:
            self._marked = {key for key, path in self.items() if is_marked(path)}
        return iter(sorted(self._marked))


class Names:
    """The folded names in each folder, and how many paths have each."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Count the names of some paths."""
        self._counts: dict[str, dict[str, int]] = {}
        for path in paths:
            self.add(path)

    def add(self, path: str) -> None:
        """Count one more path."""
        parent, _, name = path.rpartition("/")
        counts = self._counts.setdefault(parent, {})
        counts[fold(name)] = counts.get(fold(name), 0) + 1

    def remove(self, path: str) -> None:
        """Count one path less."""
        parent, _, name = path.rpartition("/")
        counts = self._counts[parent]
        counts[fold(name)] -= 1
        if not counts[fold(name)]:
            del counts[fold(name)]

    def has(self, parent: str, folded: str, *, but: str | None = None) -> bool:
        """Return whether a folder has a name, apart from one of the path `but`."""
        count = self._counts.get(parent, {}).get(folded, 0)
        above, _, name = (but or "").rpartition("/")
        return count > (but is not None and above == parent and fold(name) == folded)
