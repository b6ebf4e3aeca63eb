"""Write figures for people: octets, durations, and a line of progress that fits the columns there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHORTEST_BAR, _LONGEST_BAR = 8, 40
_LEAST_LABEL = 12
"""Columns that the label keeps when room is short."""
_NARROW = 60
"""Columns below which figures have one space between them."""
_BARS = {False: ("━", "─"), True: ("#", "-")}
_UNITS = (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000))


def octets(number: int) -> str:
    """Return octets with a decimal unit: `4.1 GB`."""
    for unit, size in _UNITS:
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number} B"


def duration(seconds: float) -> str:
    """Return a duration as a clock shows it: `0:07`, `12:03`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(done: float, of: float, columns: int, *, ascii_only: bool = False) -> str:
    """Return a bar of so many columns; what is more than the whole fills it."""
    full, empty = _BARS[ascii_only]
    filled = min(columns, int(columns * done / of)) if of > 0 else 0
    return full * filled + empty * (columns - filled)


def cells(text: str) -> int:
    """Return the number of columns of a text in a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  # only wide letters need it

    return cell_len(text)


def cut(text: str, columns: int) -> str:
    """Return a text of at most so many columns; what is cut off its end shows as an ellipsis."""
    if cells(text) <= columns:
        return text
    if text.isascii():
        return text[: max(0, columns - 1)] + "…"
    from rich.cells import set_cell_size  # noqa: PLC0415  # as above

    return set_cell_size(text, max(0, columns - 1)).rstrip() + "…"


def progress_line(name: str, one: Mapping[str, Any], columns: int, *, ascii_only: bool = False) -> str:
    """Return what is under way in one line: its name and count, and as many of the other figures as there is room for.

    `one` has the figures of `Meter.to_json`.
    """
    name, what, done, total = one_line(name), one_line(one["what"]), one["done"], one["of"]
    label, gap = f"{name}: {what}" if name else what, " " if columns < _NARROW else "  "
    parts = {"count": f"{done:,}/{total:,}" if total else f"{done:,}" if done else ""}
    wanted: dict[str, str] = {}
    if total:
        left = one["seconds_left"]
        wanted["left"] = f"{duration(left)} left" if left is not None else ""
        wanted["bar"] = "-" * _SHORTEST_BAR
    if done:
        wanted["rate"] = f"{one['per_second']:,.0f}/s"
    if one["bytes"]:
        of_all = f"/{one['of_bytes'] / 1e6:,.1f}" if one["of_bytes"] else ""
        wanted["size"] = f"{one['bytes'] / 1e6:,.1f}{of_all} MB"
        wanted["speed"] = f"{one['bytes_per_second'] / 1e6:,.1f} MB/s"
    if not done:
        wanted["since"] = duration(one.get("seconds", 0))
    room = columns - max(_LEAST_LABEL, min(cells(label), columns // 2)) - _width(parts, gap)
    for figure, text in wanted.items():
        shorter = text.removesuffix(" left")
        if text and len(gap + shorter) <= room:
            parts[figure] = text if len(gap + text) <= room else shorter
            room -= len(gap + parts[figure])
    rest = columns - _width(parts, gap)
    if name and cells(label) > rest:
        what = one["kind"] or what
        label = f"{cut(name, max(4, rest - cells(what) - 2))}: {what}"
    label = cut(label, rest)
    if "bar" in parts:
        spare = columns - cells(label) - _width(parts, gap)
        parts["bar"] = bar(done, total, min(_LONGEST_BAR, _SHORTEST_BAR + spare), ascii_only=ascii_only)
    order = ("bar", "count", "size", "rate", "speed", "left", "since")
    return cut(gap.join([label, *(parts[figure] for figure in order if parts.get(figure))]), columns)


def _width(parts: Mapping[str, str], gap: str) -> int:
    """Return the columns of parts with the gap before each."""
    return sum(len(gap + text) for text in parts.values() if text)
