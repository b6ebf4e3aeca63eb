"""Take typed values out of TOML tables; errors are collected, not raised."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from jmapsync.config.lines import Key

T = TypeVar("T")
Value = TypeVar("Value")
Default = TypeVar("Default")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|m|h|d|w)", re.ASCII)
_MULTIPLES = {"K": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([KMG])", re.ASCII)
_LEAST_RATE = 1_000
"""Octets a second: with fewer, what is sent at a time takes longer than a server waits."""
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_KINDS_OF_VALUE = {
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


class Mistakes:
    """Errors, each with the key it concerns."""

    def __init__(self) -> None:
        self.found: list[tuple[Key, str]] = []

    def note(self, key: Key, message: str) -> None:
        """Record an error."""
        self.found.append((key, message))


class Reader:
    """One table of the file. Every key that is read is known; `close` reports the others."""

    def __init__(self, table: dict[str, Any], at: Key, mistakes: Mistakes, folder: Path) -> None:
        """Read from a table that stands at a key; relative paths start in `folder`."""
        self.at = at
        self.mistakes = mistakes
        self._table = table
        self._folder = folder
        self._known: list[str] = []

    def key(self, name: str) -> Key:
        """Return the whole key of a name in this table."""
        return (*self.at, name)

    def wrong(self, name: str, message: str) -> None:
        """Record an error of a key of this table, or with an empty name of the table itself."""
        self.mistakes.note(self.key(name) if name else self.at, message)

    def has(self, name: str) -> bool:
        """Return whether a key is there and not an empty string."""
        return name in self._table and self._table[name] != ""

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        return self._take(name, bool, default)

    def text(self, name: str, default: str = "") -> str:
        """Return a string of one line."""
        value = self._take(name, str, default)
        if value.isprintable():
            return value
        self.wrong(name, f"{name} must be one line without control characters")
        return default

    def choice(self, name: str, choices: object, default: T) -> T:
        """Return one of the values of a Literal."""
        allowed: tuple[T, ...] = get_args(choices)
        value = self._take(name, str, default)
        for one in allowed:
            if value == one:
                return one
        self.wrong(
            name, f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r}{_meant(str(value), map(str, allowed))}"
        )
        return default

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self._take(name, list, default)
        if all(isinstance(one, str) and one for one in value):
            return tuple(value)
        self.wrong(name, f"{name} must be a list of strings that are not empty")
        return default

    def names_of(self, name: str) -> dict[str, str]:
        """Return a table of strings."""
        value = self._take(name, dict, {})
        if all(isinstance(one, str) and one for one in value.values()):
            return dict(value)
        self.wrong(name, f"{name} must be a table of strings that are not empty")
        return {}

    def whole(self, name: str, default: int) -> int:
        """Return a whole number that is not negative."""
        value = self._take(name, int, default)
        if value >= 0:
            return value
        self.wrong(name, f"{name} must not be negative")
        return default

    def percent(self, name: str, default: int) -> int:
        """Return a whole number from 0 to 100."""
        value = self._take(name, int, default)
        if 0 <= value <= 100:  # noqa: PLR2004
            return value
        self.wrong(name, f"{name} must be between 0 and 100")
        return default

    def duration(self, name: str, default: float) -> float:
        """Return the seconds of a string such as "10m"."""
        value = self._take(name, str, "")
        if not value and not isinstance(self._table.get(name), str):
            return default
        match = _DURATION.fullmatch(value)
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if seconds > 0:
            return seconds
        self.wrong(name, f'{name} must be a duration such as "30s", "10m", "2h" or "7d", not {value!r}')
        return default

    def rate(self, name: str, default: int) -> int:
        """Return the octets a second of a string such as "2M"; an empty one is no limit, 0."""
        value = self._take(name, str, "")
        if not value:
            return default
        match = _RATE.fullmatch(value)
        octets = int(float(match[1]) * _MULTIPLES[match[2]]) if match else 0
        if octets >= _LEAST_RATE:
            return octets
        self.wrong(name, f'{name} must be octets a second such as "500K" or "2M", at least "1K", not {value!r}')
        return default

    def path(self, name: str) -> Path | None:
        """Return an absolute path: `~` and `$VARIABLE` are expanded, a relative one starts where the configuration lies."""
        value = self._take(name, str, "")
        if not value.isprintable():
            self.wrong(name, f"{name} contains control characters")
            return None
        if not value:
            return None
        unset = [braced or plain for braced, plain in _VARIABLE.findall(value) if not os.environ.get(braced or plain)]
        if unset:
            self.wrong(name, f"{name} uses the environment variable {unset[0]}, which is not set")
            return None
        expanded = os.path.expanduser(_VARIABLE.sub(lambda match: os.environ[match[1] or match[2]], value))
        if expanded.startswith("~"):
            self.wrong(name, f"{name} starts with the home directory of an unknown user: {value}")
            return None
        return Path(os.path.normpath(self._folder / expanded))

    def table(self, name: str) -> Reader | None:
        """Return a reader of a table inside this one, or nothing."""
        self._known.append(name)
        if name not in self._table:
            return None
        value = self._table[name]
        if not isinstance(value, dict):
            self.wrong(name, f"{name} must be a table, [{'.'.join(self.key(name))}], not {_name_of(value)}")
            return None
        return Reader(value, self.key(name), self.mistakes, self._folder)

    def empty(self, name: str) -> Reader:
        """Return a reader of an empty table, which gives every default."""
        return Reader({}, self.key(name), self.mistakes, self._folder)

    def names(self) -> list[str]:
        """Return every name in this table and count it as known."""
        self._known += self._table
        return list(self._table)

    def close(self, reported: Collection[str] = ()) -> None:
        """Record an error for each key that was not read, unless another one was reported."""
        for name in self._table:
            if name not in self._known and name not in reported:
                where = f"[{'.'.join(self.at)}] has" if self.at else "there is"
                self.wrong(name, f"{where} no key {name!r}{_meant(name, self._known)}")

    def _take(self, name: str, wanted: type[Value], default: Default) -> Value | Default:
        self._known.append(name)
        if name not in self._table:
            return default
        value = self._table[name]
        if type(value) is wanted:
            return value
        self.wrong(name, f"{name} must be {_KINDS_OF_VALUE[wanted]}, not {_name_of(value)}")
        return default


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, or nothing."""
    import difflib  # noqa: PLC0415  # only an error needs it

    close = difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def _meant(word: str, known: Iterable[str]) -> str:
    guess = nearest(word, known)
    return f"; did you mean {guess!r}?" if guess else ""


def _name_of(value: object) -> str:
    return _KINDS_OF_VALUE.get(type(value), "a date or time")
