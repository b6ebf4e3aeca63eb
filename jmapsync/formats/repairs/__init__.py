"""Undo known faults of programs that rewrite files, and keep the edits made with them.

Each rule is a function of the normal forms before and after, with equal keys (formats.align), and returns the second without one
fault. Its docstring names the program and the version in which the fault was observed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.objects import INSTANCES, instances
from jmapsync.formats.repairs.cards import CARD_RULES, REWRITER_RULES
from jmapsync.formats.repairs.schedules import SCHEDULE_RULES
from jmapsync.formats.shapes import type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object


def take_back(before: Object, after: Object) -> Object:
    """Return an edited object without known faults; it has the keys of the object before.

    A program that rewrites a file sets a new time stamp. If the time stamp is unchanged or still missing, the file was edited by
    hand: deletions are then intended, and only changes that nobody makes by hand are undone.
    """
    if parts := instances(after):
        old = instances(before)
        return {**after, INSTANCES: {key: take_back(old[key], part) if key in old else part for key, part in parts.items()}}
    rules: tuple[Callable[[Object, Object], Object], ...]
    if type_of(after) != "Card":
        rules = SCHEDULE_RULES
    elif before.get("updated") == after.get("updated"):
        rules = CARD_RULES
    else:
        rules = (*CARD_RULES, *REWRITER_RULES)
    for rule in rules:
        after = rule(before, after)
    return after
