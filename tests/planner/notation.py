"""Write versions, pairs and plans the short way, so that a table of tests reads like the table it specifies.

Homes are letters (`AB` is in A and in B), tags are words, and a plan is a list of lines: `remote create text in AB +$seen`.
"""

from __future__ import annotations

from msgspec.structs import replace

from jmapsync.planner.model import Base, Order, Pair, Plan, Present, Rules, Side, Version
from jmapsync.planner.plan import plan

MAIL = Rules("mail")
CARDS = Rules("card")
OBJECTS = Rules("contacts", mergeable=True)
FOLDERS = Rules("mailbox", homeless=True, keeps_loser=False)
PULL = frozenset({Side.LOCAL})
EVERYWHERE = Present(frozenset(range(26)), frozenset(range(26)))


def homes(letters: str) -> frozenset[int]:
    """Return the keys of containers named by letters."""
    return frozenset(ord(letter) - ord("A") for letter in letters)


def v(
    text: str = "text", where: str = "A", tags: str = "", leaving: str = "", sense: str | None = None, *, untidy: bool = False
) -> Version:
    """Return a version; its sense is its text unless one is given."""
    known = text if sense is None else sense
    return Version(text, known, frozenset(tags.split()), homes(where), homes(leaving), untidy)


def both(version: Version) -> Base:
    """Return a base that both sides hold alike."""
    return Base(version, version)


def pair(local: Version | None, remote: Version | None, base: Base | Version | None = None, key: int = 7) -> Pair:
    """Return a pair; a lone version as base means that both held it."""
    return Pair(key, local, remote, both(base) if isinstance(base, Version) else base)


def line(order: Order) -> str:
    """Return an order as a line."""
    words = [order.side.value, order.verb.value]
    if order.source is not None:
        words.append(order.source.body)
    where = "".join(chr(ord("A") + home) for home in sorted(order.homes))
    words += [f"in {where}"] if where else []
    words += [f"+{tag}" for tag in sorted(order.tags)]
    return " ".join(words)


def lines(made: Plan) -> list[str]:
    """Return a whole plan as lines."""
    found = [line(order) for change in made.changes for order in change.orders]
    found += ["settle" for _ in made.agreed] + ["forget" for _ in made.forgotten]
    found += [f"hidden: {hidden.reason}" for hidden in made.hidden]
    return found + [f"wait: {blocked.reason}" for blocked in made.blocked]


def outcome(one: Pair, rules: Rules = MAIL, *, needed: bool = False, present: Present = EVERYWHERE) -> list[str]:
    """Return the plan for one pair as lines."""
    return lines(plan([one], rules, present, needed=frozenset({one.key}) if needed else frozenset()))


def why(one: Pair, rules: Rules = MAIL) -> str:
    """Return the reason that goes with the plan for one pair."""
    (change,) = plan([one], rules, EVERYWHERE).changes
    assert {order.reason for order in change.orders} == {change.reason}
    return change.reason


def kept_copies(one: Pair, rules: Rules = MAIL) -> Side | None:
    """Return the side whose body becomes a conflict copy."""
    (change,) = plan([one], rules, EVERYWHERE).changes
    return change.loser


def pulled(rules: Rules) -> Rules:
    """Return the rules with only the disk writable."""
    return replace(rules, writable=PULL)
