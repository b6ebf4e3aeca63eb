"""Find out which observation is which known item, by proof of content and never by a hint alone.

A Message-ID may be missing, repeated or forged, and a file name may be copied along with the file; only an equal digest
proves that two are the same. Where the same content exists several times (the same message delivered twice), items are
paired one to one: first those in the same containers, then those with the same hint, then in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from jmapsync.planner.model import NOTHING, Homes

NO_HINTS: Final[frozenset[str]] = frozenset()


class Candidate(Struct, frozen=True):
    """Something seen on one side, or known from before, that may be the same as something else."""

    ref: str
    """How its side names it: a path, a server id; unique on its side."""
    key: int | None
    """The ledger's key; None while unknown."""
    digests: frozenset[str]
    """Digests of the content in every form it is known in (as sent, with other line ends); empty while unread."""
    size: int = 0
    """Octets; 0 while unknown."""
    hints: frozenset[str] = NO_HINTS
    """What makes a likeness probable (a Message-ID) without proving it."""
    homes: Homes = NOTHING


Trait = Callable[[Candidate], Iterable[Hashable]]

# From the closest likeness to the bare proof. Each is compared together with one digest at a time.
TRAITS: Final[tuple[Trait, ...]] = (
    lambda item: [(item.homes, item.hints)],
    lambda item: [item.homes],
    lambda item: sorted(item.homes),
    lambda item: sorted(item.hints),
    lambda item: [item.size],
    lambda _: [None],
)


def match(unknown: Sequence[Candidate], known: Sequence[Candidate]) -> tuple[tuple[Candidate, Candidate], ...]:
    """Return pairs (unknown, known) proven by an equal digest, one to one, sorted by the unknown's ref.

    The result does not depend on the order of either sequence. What is not in it has to be taken as new.
    """
    pairs: dict[str, tuple[Candidate, Candidate]] = {}
    taken: set[str] = set()
    for trait in TRAITS:
        groups = _arrange((item for item in known if item.ref not in taken), trait)
        for item in sorted(unknown, key=_by_ref):
            if item.ref in pairs:
                continue
            partner = _first(item, trait, groups, taken)
            if partner is not None:
                pairs[item.ref] = (item, partner)
                taken.add(partner.ref)
    return tuple(pairs[ref] for ref in sorted(pairs))


def _by_ref(item: Candidate) -> str:
    """Sort candidates by name."""
    return item.ref


def _arrange(items: Iterable[Candidate], trait: Trait) -> dict[Hashable, list[Candidate]]:
    """Return candidates by digest and trait, each list from the last ref to the first."""
    groups: dict[Hashable, list[Candidate]] = {}
    for item in sorted(items, key=_by_ref, reverse=True):
        for digest in item.digests:
            for value in trait(item):
                groups.setdefault((digest, value), []).append(item)
    return groups


def _first(item: Candidate, trait: Trait, groups: dict[Hashable, list[Candidate]], taken: set[str]) -> Candidate | None:
    """Return the first candidate still free that shares a digest and a trait."""
    for digest in sorted(item.digests):
        for value in trait(item):
            group = groups.get((digest, value), [])
            while group and group[-1].ref in taken:
                group.pop()
            if group:
                return group[-1]
    return None
