"""Ask for so many objects or blobs at a time as memory bears."""

from __future__ import annotations

BATCH = 400
"""Most objects a request: with what they hold, an answer takes one or two megabytes."""
FIRST = 100
"""Objects of the first request, when nothing is known of their size yet."""
OCTETS = 4 << 20
"""What the objects of one request are to have together, photos included, as far as those before them tell."""


class Pace:
    """How many objects or blobs to ask for at a time, by the size of those before: octets bound memory, not numbers."""

    def __init__(self, first: int = 0) -> None:
        """Begin carefully, with so many."""
        self._count = first or FIRST

    def count(self, limit: int) -> int:
        """Return how many objects or blobs the next request is to ask for, `limit` at most."""
        return max(1, min(self._count, limit, BATCH))

    def note(self, count: int, octets: int) -> None:
        """Take note of the octets that so many objects or blobs had."""
        if count:
            self._count = max(1, OCTETS * count // max(octets, 1))

    def halve(self, count: int) -> None:
        """Ask for half as many as were too many, Cyrus refusing the whole request for that."""
        self._count = max(1, count // 2)
