"""Take back what known programs do to a file that they rewrite, beside what they were asked to change.

Each rule is a function of the normal form of the file before, and of the one after with the keys of the one before (formats.align);
it returns the one after without its damage. Its docstring names the program and the version in which it was seen.
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
    """Return an edited object, with the keys of the one before, without the known damage.

    A program that rewrites a whole file gives it a new time stamp. Where there was one and it is still the same, a hand edited the
    file: what is missing then was meant to go, and only what no hand would write is taken back.
    """
    if parts := instances(after):
        old = instances(before)
        return {**after, INSTANCES: {key: take_back(old[key], part) if key in old else part for key, part in parts.items()}}
    rules: tuple[Callable[[Object, Object], Object], ...]
    if type_of(after) != "Card":
        rules = SCHEDULE_RULES
    elif "updated" in before and before["updated"] == after.get("updated"):
        rules = CARD_RULES
    else:
        rules = (*CARD_RULES, *REWRITER_RULES)
    for rule in rules:
        after = rule(before, after)
    return after
