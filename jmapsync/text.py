"""Escape and shorten foreign text for a terminal, a log line or a status line.

Text of servers, files and the configuration is escaped on output, not on input: what is stored and compared stays unchanged.
"""

from __future__ import annotations

import shlex
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_LINE = 2000
"""Characters of a line for people. Both ends are kept: advice comes last."""
LONGEST_VALUE = 4000
"""Characters of a string in JSON."""
_ENDING = 600
_NOTE = 60
"""Upper limit of the note of a cut, in characters."""
_HIDDEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Letters and marks that have no width and are none of the categories that are escaped."""
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters (bidirectional overrides, zero width), lone surrogates, separators of lines."""


def local_time(stamp: float) -> str:
    """Return seconds since 1970 as date and time in the local zone."""
    from datetime import datetime  # noqa: PLC0415  # `--help` must be fast

    return f"{datetime.fromtimestamp(stamp).astimezone():%Y-%m-%d %H:%M:%S}"


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return a text as one line for people: control and invisible characters escaped, and shortened."""
    text = shortened(text, longest)
    if text.isascii() and text.isprintable():
        return text
    return shortened("".join(_escaped(letter) for letter in text), longest)


def lines(text: str) -> list[str]:
    """Return the lines of a text, each as `one_line` makes it."""
    return [one_line(line) for line in text.split("\n")]


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters, with a note of how many were left out of its middle."""
    if len(text) <= longest:
        return text
    ending = min(_ENDING, longest // 3)
    beginning = longest - ending - _NOTE
    return f"{text[:beginning]} … [{len(text) - beginning - ending:,} characters left out] … {text[-ending:]}"


def bounded(value: Any, longest: int = LONGEST_VALUE) -> Any:  # noqa: ANN401 # any JSON value
    """Return a JSON value whose strings are not longer than that."""
    if isinstance(value, str):
        return shortened(value, longest)
    if isinstance(value, dict):
        return {shortened(str(name), longest): bounded(part, longest) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(part, longest) for part in value]
    return value


def some_of(names: Iterable[str], most: int) -> str:
    """Return the first of some names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


_OPTIONS: list[str] = []
"""Options that come before the command in what `command` returns."""


def name_commands_with(*options: str) -> None:
    """Have all commands that messages name begin with options, such as the configuration that was given by `-c`."""
    _OPTIONS[:] = options


def command(what: str, *arguments: str) -> str:
    """Return a command of this program with its arguments, such as an account, to be typed into a shell."""
    return " ".join(["jmapsync", *map(shlex.quote, _OPTIONS), what, *map(shlex.quote, arguments)])


def _escaped(letter: str) -> str:
    if unicodedata.category(letter) not in _UNSAFE and letter not in _HIDDEN:
        return letter
    if "\udc80" <= letter <= "\udcff":  # an octet of a file name that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter) or letter.encode("unicode_escape", "surrogatepass").decode()


def percent_decoded(text: str) -> str:
    """Return a text with its percent-encoded octets decoded.

    >>> percent_decoded("two%20words")
    'two words'
    """
    from urllib.parse import unquote  # noqa: PLC0415  # few texts need it

    return unquote(text)
