"""Know by the acts alone in which mailboxes every message has to be: the sets on paper that both sides are counted against."""

from __future__ import annotations

from collections import Counter

Memberships = Counter[tuple[str, str]]
"""How many files, or emails, a folder holds of a message."""


class Oracle:
    """Knows by the acts alone where every message has to be; boxes are known by numbers, because they are renamed."""

    def __init__(self) -> None:
        self.paths: dict[int, str] = {}
        self.agreed: dict[str, frozenset[int]] = {}
        """Where each message was after the last run."""
        self.sides: dict[str, dict[str, set[int]]] = {"here": {}, "there": {}}
        """Where each side has it now."""

    def begin(self) -> None:
        """Begin a round: both sides hold the same."""
        self.sides = {side: {word: set(boxes) for word, boxes in self.agreed.items()} for side in self.sides}

    def end(self) -> None:
        """Merge what both sides did: what either added is added, what either took away is taken away."""
        words = {word for side in self.sides.values() for word in side}
        self.agreed = {word: boxes for word in words if (boxes := self.merged(word))}

    def merged(self, word: str) -> frozenset[int]:
        """Return where a message is once both sides are the same again."""
        before = self.agreed.get(word, frozenset())
        sides = [side.get(word, set(before) if word in self.agreed else set()) for side in self.sides.values()]
        added = {box for side in sides for box in side - before}
        return frozenset({box for box in before if all(box in side for side in sides)} | added)

    def touched(self, word: str) -> bool:
        """Return whether a message was acted on since the last run."""
        return any(side.get(word) != set(self.agreed.get(word, ())) for side in self.sides.values())

    def count(self) -> Memberships:
        """Return what both sides have to hold."""
        return Counter({(word, self.paths[box]): 1 for word, boxes in self.agreed.items() for box in boxes})
