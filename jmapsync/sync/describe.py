"""Describe a plan for people: each step with its reason, where it happens, and what it changes of a message, a card or an event."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.formats.align import keys_between, with_keys
from jmapsync.formats.canonical import changes
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.pointer import describe as words_of
from jmapsync.formats.pointer import follow, split
from jmapsync.ledger.contents import BASE, NOW
from jmapsync.ledger.plan_table import Step
from jmapsync.planner.model import Side, Verb
from jmapsync.storage.port import MailPair
from jmapsync.sync.plan_round import PAGE, describe
from jmapsync.sync.report import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.ledger import Record
    from jmapsync.planner.model import Order
    from jmapsync.sync.channel import Channel
    from jmapsync.sync.plan_round import RoundPlan

MAILED = "its participants are mailed"
_MOST = 20
"""Properties that are shown of one object."""
_DEEPEST = 6
"""Objects within objects whose properties are shown one by one."""
_LONGEST = 80
"""Characters that are shown of a value."""


async def describe_plan(channel: Channel, planned: RoundPlan) -> None:
    """Put what a run would do into the report, one line a step with its reason: what deletes comes last."""
    planned.name_hidden()
    report = channel.report
    report.messages += channel.containers.describe(planned.containers)
    places = Places({record.key: record.name for record in channel.ledger.all(channel.kind.containers.kind)})
    for step in (Step.WRITE, Step.DELETE):
        works = planned.works(step, {})
        while page := list(islice(works, PAGE)):
            names = await channel.names.all_of([work.record for work in page])
            followed: list[Planned] = []
            for work in page:
                for orders, steps in ((work.change.orders, report.planned), (work.change.then, followed)):
                    for order in orders:
                        changed = [*places.changes(order), *_changes_of_object(channel, work.record, order)]
                        changed += [MAILED] if await _mails(channel, work.record, order) else []
                        steps.append(Planned(describe(names[order.key], order), places.of(order), changed))
                        report.foretold.of(order.side).add(order.verb)
            report.planned += followed
    report.messages += [step.message for step in report.planned]


class Places(Struct, frozen=True):
    """The containers of items by name."""

    names: dict[int, str]

    def of(self, order: Order) -> str:
        """Return the containers in which an item is, or is to be."""
        held = order.expect.homes if order.verb is Verb.DELETE and order.expect is not None else order.homes
        return ", ".join(self._named(held))

    def changes(self, order: Order) -> list[str]:
        """Return which containers an item that is there gains and loses; keywords are part of the reason."""
        if order.verb not in {Verb.UPDATE, Verb.REPLACE} or order.expect is None:
            return []
        changed = [f"+{name}" for name in self._named(order.added_homes)] + [
            f"-{name}" for name in self._named(order.removed_homes)
        ]
        return [f"folders: {', '.join(changed)}"] if changed else []

    def _named(self, homes: frozenset[int]) -> list[str]:
        return sorted(self.names.get(home, "a new folder") for home in homes)


def _changes_of_object(channel: Channel, record: Record, order: Order) -> list[str]:
    """Return what a new version of a card or an event changes, property by property."""
    if channel.codec is None or order.verb is not Verb.REPLACE:
        return []
    source = order.side.other
    before, after = _version(channel, record, source, of_base=True), _version(channel, record, source, of_base=False)
    if before is None or after is None:
        return []
    try:
        return list(property_changes(with_keys(before, after, keys_between(before, after)), after))
    except MalformedError:  # the run itself quarantines it by name
        return []


async def _mails(channel: Channel, record: Record, order: Order) -> bool:
    """Return whether the server would mail the participants of an event about an order."""
    if isinstance(channel.pair, MailPair) or order.side is not Side.REMOTE or order.verb is Verb.UPDATE:
        return False
    here = BASE[Side.LOCAL], NOW[Side.LOCAL]  # what an edit changes: the server's form of an event may differ from the file's
    there = NOW[Side.REMOTE]
    trees = {Verb.CREATE: (None, NOW[Side.LOCAL]), Verb.DELETE: (there, None)}.get(order.verb, here)
    before, after = (channel.ledger.contents.of([record.key], tree).get(record.key) if tree else None for tree in trees)
    return await channel.pair.remote.mails(order, before, after)


def _version(channel: Channel, record: Record, side: Side, *, of_base: bool) -> dict[str, Any] | None:
    content = channel.ledger.contents.of([record.key], (BASE if of_base else NOW)[side]).get(record.key)
    found: dict[str, Any] | None = json.loads(content) if content else None
    return found


def property_changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield each property that differs, with its old and its new value."""
    patch = changes(before, after)
    leaves = [leaf for path in sorted(patch) for leaf in _leaves(words_of(path), follow(before, split(path)), patch[path])]
    for name, old, new in leaves[:_MOST]:
        yield f"{name}: {_value(old)} -> {_value(new)}"
    if len(leaves) > _MOST:
        yield f"and {len(leaves) - _MOST:,} more"


def _leaves(name: str, old: Any, new: Any, depth: int = 0) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 # any JSON value
    """Yield the properties of a value, one by one, that is an object on one side or on both."""
    parts = [one for one in (old, new) if isinstance(one, dict) and one]
    if depth == _DEEPEST or not parts or not all(one is None or isinstance(one, dict) for one in (old, new)):
        yield name, old, new
        return
    for inner in dict.fromkeys(key for part in parts for key in part if key != "@type"):
        before, after = ((one or {}).get(inner) for one in (old, new))
        if before != after:
            yield from _leaves(f"{name} {inner}", before, after, depth + 1)


def _value(value: Any) -> str:  # noqa: ANN401 # any JSON value
    if value is None:
        return "none"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
