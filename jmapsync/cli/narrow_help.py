"""Arrange the text of `--help` for a narrow terminal: click itself writes at least 50 columns, and texts beside the options."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

_BELOW = 6
"""Columns by which the text of an option is indented below it."""


class NarrowHelpFormatter(click.HelpFormatter):
    """Writes texts below the options, and breaks what has to stay on one line elsewhere."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:  # noqa: ARG002
        """Write options or commands."""
        for name, text in rows:
            self._write(name.replace("|", "| ") if len(name) + self.current_indent > self.width else name, self.current_indent)
            self._write(text, self.current_indent + _BELOW - 2)

    def write_text(self, text: str) -> None:
        """Write paragraphs; the lines of one that keeps them are wrapped one by one."""
        for number, part in enumerate(text.split("\n\n")):
            if number:
                self.write_paragraph()
            lines = part.removeprefix("\b").strip("\n").split("\n") if part.startswith("\b") else [" ".join(part.split())]
            for line in lines:
                depth = len(line) - len(line.lstrip())
                self._write(line, self.current_indent + depth, hanging=3 if depth else 0)

    def _write(self, text: str, indent: int, hanging: int = 0) -> None:
        begin, more = " " * indent, " " * (indent + hanging)
        for line in textwrap.wrap(text.strip(), self.width, initial_indent=begin, subsequent_indent=more, break_on_hyphens=False):
            self.write(f"{line}\n")
