"""Arrange lines for the width of a terminal; for anything else, lines stay whole."""

from __future__ import annotations

import shutil
import sys
import textwrap

from jmapsync.text import one_line

_NARROW = 60


def width() -> int:
    """Return the columns of the terminal, or 0 where standard output is not one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def entry(name: str, text: str, column: int = 20) -> list[str]:
    """Return a name and its text as lines: side by side, or below each other on a narrow terminal."""
    name, text = one_line(name), one_line(text)
    columns = width()
    line = f"  {name:{column}}{text}"
    if not columns or len(line) <= columns:
        return [line]
    if columns < _NARROW:
        return [*_wrapped(name, columns, "  "), *_wrapped(text, columns, "    ")]
    return textwrap.wrap(
        text, columns, initial_indent=f"  {name:{column}}", subsequent_indent=" " * (column + 2), break_on_hyphens=False
    ) or [f"  {name}"]


def message(text: str) -> list[str]:
    """Return a text as lines that fit."""
    return _wrapped(one_line(text), width(), "") if width() else [one_line(text)]


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def indented(text: str, depth: int) -> list[str]:
    """Return a text as lines that fit, further lines two columns deeper."""
    text, columns = one_line(text), width()
    if not columns:
        return [f"{' ' * depth}{text}"]
    return textwrap.wrap(
        text, columns, initial_indent=" " * depth, subsequent_indent=" " * (depth + 2), break_on_hyphens=False
    ) or [text]


def fitting(text: str) -> list[str]:
    """Return an indented text as lines that fit, further lines two columns deeper."""
    depth = len(text) - len(text.lstrip())
    return indented(text.lstrip(), depth)
