"""Find the line of each key of a valid TOML file; used only when there is an error to report."""

from __future__ import annotations

import tomllib
from typing import Any

Key = tuple[str, ...]


def find_lines(text: str) -> dict[Key, int]:
    """Return the line of the first mention of every table and key, counted from 1.

    A statement of valid TOML that is cut off inside a string or an array is not valid. So the fewest lines that the parser accepts
    are a whole statement, and no grammar but the parser's own is needed.
    """
    found: dict[Key, int] = {}
    header: Key = ()
    waiting: list[str] = []
    start = 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        waiting = [*waiting, line] if waiting else [line]
        if len(waiting) == 1:
            start = number
        try:
            statement = tomllib.loads("\n".join(waiting))
        except (ValueError, RecursionError):
            continue
        opens_table = waiting[0].lstrip().startswith("[")
        waiting = []
        if opens_table:
            header = _deepest(statement)
        for key in [header] if opens_table else _keys(statement, header):
            for depth in range(1, len(key) + 1):
                found.setdefault(key[:depth], start)
    return found


def _deepest(statement: dict[str, Any]) -> Key:
    path: list[str] = []
    inner: Any = statement
    while isinstance(inner, dict) and inner:
        (name,) = inner
        path.append(name)
        inner = inner[name]
    return tuple(path)


def _keys(table: dict[str, Any], above: Key) -> list[Key]:
    found = []
    for name, value in table.items():
        found.append((*above, name))
        if isinstance(value, dict):
            found += _keys(value, (*above, name))
    return found
