"""Read the quotas of an account (RFC 9425, and the form that Cyrus had before it), and say what they leave.

What a server leaves out or gets wrong is unknown, and nothing is kept from it for that: the server refuses what does not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

OCTETS, COUNT = "octets", "count"
_UNITS = ("octets", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_TENTHS_BELOW = 10
_MOST = 1 << 53
"""The largest integer that every JSON reader knows (RFC 8620, section 1.3)."""


class Quota(Struct, frozen=True, omit_defaults=True):
    """One limit of an account, a domain or a whole server; what the server does not say is None or empty."""

    id: str
    name: str = ""
    resource: str = OCTETS
    """`octets` or `count`, or what else a server calls it."""
    used: int | None = None
    limit: int | None = None
    """What is refused from (`hardLimit`); None for no limit."""
    soft: int | None = None
    """From which the server may refuse some things, whichever it chooses (`softLimit`): nothing is kept from it."""
    warn: int | None = None
    """From which the user is to be warned, while everything is still accepted (`warnLimit`)."""
    scope: str = ""
    """`account`, `domain` or `global`."""
    types: tuple[str, ...] = ()
    """The data types that it is for; none for all."""

    @property
    def room(self) -> int | None:
        """Return what is left: 0 where more is used than there may be, None where that is not known."""
        return None if self.used is None or self.limit is None else max(0, self.limit - self.used)

    @property
    def is_near(self) -> bool:
        """Return whether the user is to be warned: by the server's limits, or from nine tenths of the hard one."""
        limits = [one for one in (self.warn, self.soft) if one is not None]
        if self.used is None or (not limits and self.limit is None):
            return False
        return self.used >= min(limits) if limits else self.used * 10 >= (self.limit or 0) * 9

    @property
    def warning(self) -> str:
        """Return in words which limit is reached, the most severe one with its figure; nothing for none."""
        if self.room == 0:
            return "full"
        if self.used is None:
            return ""
        if self.soft is not None and self.used >= self.soft:
            return f"over its soft limit of {self.amount(self.soft)}: the server may refuse some things"
        if self.warn is not None and self.used >= self.warn:
            return f"over its warning limit of {self.amount(self.warn)}"
        return "nearly full" if self.is_near else ""

    def with_more(self, number: int) -> Quota:
        """Return it as it is once so much more is used."""
        return self if self.used is None else replace(self, used=self.used + number)

    def applies(self, types: Collection[str]) -> bool:
        """Return whether it is for any of some data types."""
        return not self.types or bool({one.casefold() for one in self.types} & {one.casefold() for one in types})

    def amount(self, number: int) -> str:
        """Return a number of its resource in words."""
        if self.resource == OCTETS:
            return octets(number)
        return f"{number:,} {self._things(number)}".rstrip()

    @property
    def figures(self) -> str:
        """Return what is used and what may be, in words."""
        if self.used is None:
            return f"at most {self.amount(self.limit)}" if self.limit is not None else "not known"
        if self.limit is None:
            return f"{self.amount(self.used)} used, no limit"
        used = octets(self.used) if self.resource == OCTETS else f"{self.used:,}"
        share = f" ({100 * self.used // self.limit}%)" if self.limit else ""
        return f"{used} of {self.amount(self.limit)} used{share}"

    @property
    def label(self) -> str:
        """Return what people know it by: its name, and whose it is where it is not the account's."""
        whose = f" of the {self.scope}" if self.scope in {"domain", "global"} else ""
        return f"{self.name or self.id}{whose.replace('global', 'server')}"

    def to_json(self) -> dict[str, Any]:
        """Return the object of `status --json`."""
        return {
            "id": self.id,
            "name": self.name or None,
            "resource": self.resource,
            "used": self.used,
            "limit": self.limit,
            "soft_limit": self.soft,
            "warn_limit": self.warn,
            "scope": self.scope or None,
            "types": list(self.types),
        }

    def _things(self, number: int) -> str:
        if self.resource != COUNT:
            return self.resource
        if self.applies({"Email", "Mail"}):
            return "message" if number == 1 else "messages"
        return ""


def quotas_in(answer: dict[str, Any]) -> list[Quota]:
    """Return the quotas of an answer to `Quota/get` of either form; what of them is malformed is left out."""
    found = answer.get("list")
    objects = found if isinstance(found, list) else []
    return [_quota(one) for one in objects if isinstance(one, dict) and isinstance(one.get("id"), str)]


def _quota(raw: dict[str, Any]) -> Quota:
    types = raw.get("types")
    vendor = "total" in raw and "hardLimit" not in raw
    return Quota(
        raw["id"],
        _text(raw.get("name")),
        OCTETS if vendor else _text(raw.get("resourceType")),
        _number(raw.get("used")),
        # Cyrus' own form has -1024 where there is no limit; RFC 9425's fields are unsigned.
        _number(raw.get("total") if vendor else raw.get("hardLimit")),
        _number(raw.get("softLimit")),
        _number(raw.get("warnLimit")),
        _text(raw.get("scope")),
        ("Email",) if vendor else tuple(_text(one) for one in types if _text(one)) if isinstance(types, list) else (),
    )


def octets(number: int) -> str:
    """Return a number of octets in words, such as `1.2 MB`."""
    value, unit = float(number), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    if unit == 0:
        return f"{number:,} {'octet' if number == 1 else 'octets'}"
    return f"{value:.1f} {_UNITS[unit]}" if value < _TENTHS_BELOW * _TENTHS_BELOW else f"{value:.0f} {_UNITS[unit]}"


def for_types(quotas: Iterable[Quota], types: Collection[str]) -> list[Quota]:
    """Return the quotas that are for any of some data types, and whose resource is known."""
    return [one for one in quotas if one.resource in {OCTETS, COUNT} and one.applies(types)]


def _text(value: object) -> str:
    return "".join(letter for letter in value[:200] if letter.isprintable()) if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return int(value)
