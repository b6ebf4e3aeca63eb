"""Read and write the components and lines of an iCalendar file (RFC 5545, 3.1 to 3.6), losing nothing.

A line that is not a content line becomes the value of a line named UNPARSED.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jmapsync.formats.contentline import BOM, Line, Params, cut, escape, fold, read_params, split, unescape, unfold
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

UNPARSED = "X-JMAPSYNC-UNPARSED"
"""The name for a line that is not a content line: the file written stays well-formed and keeps the text."""
DEPTH = 16
"""How deep components may be nested. The deepest that a specification knows is four."""
_PLAIN = re.compile(r"([A-Za-z0-9_.-]+):(.*)", re.DOTALL)
_AFTER_ZONE = re.compile(
    r"([^;\"]*):((?:\d{8}(?:T\d{4,6}Z?)?)(?:/[\dTZPHMSDW+-]+)?(?:,\d{8}(?:T\d{4,6}Z?)?(?:/[\dTZPHMSDW+-]+)?)*)", re.ASCII
)
"""The rest of a TZID with an unquoted colon, and the times after it."""
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


class Component:
    """One component: its name in upper case, its lines and inner components in the order of the file."""

    __slots__ = ("components", "lines", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[Line] = []
        self.components: list[Component] = []

    def first(self, name: str) -> Line | None:
        """Return the first line with a name."""
        for line in self.lines:  # a generator takes twice as long, and this is asked a dozen times for each event
            if line.name == name:
                return line
        return None


def split_text(value: str) -> list[str]:
    """Return the texts of a comma-separated TEXT value without empty ones."""
    return [unescape(part) for part in split(value, ",") if part]


def parse(data: bytes) -> list[Component]:
    """Return the outermost components of a stream. Raise MalformedError if it is not UTF-8 or its components do not nest."""
    data = data.removeprefix(BOM).replace(b"\r\n", b"\n")
    data = data.replace(b"\r", b"") if b"\n" in data else data.replace(b"\r", b"\n")
    try:
        text = unfold(data).decode()
    except UnicodeDecodeError:
        raise MalformedError("The file is not encoded in UTF-8.") from None
    found: list[Component] = []
    stack: list[Component] = []
    for raw in text.split("\n"):
        match = _PLAIN.match(raw)
        if match is not None:
            line = Line(match[1].upper(), match[2], {})
        elif not raw.strip():
            continue
        else:
            line = parsed_line(raw)
        if line.name == "BEGIN":
            _begin(Component(line.value.strip().upper()), stack, found)
        elif line.name == "END":
            if not stack or stack[-1].name != line.value.strip().upper():
                raise MalformedError(f"The file ends a component that is not open: {line.value.strip()[:40]}.")
            stack.pop()
        elif stack:
            stack[-1].lines.append(line)
        else:
            raise MalformedError("The file does not begin with BEGIN:VCALENDAR.")
    if stack:
        raise MalformedError(f"The file is cut off: {stack[-1].name} does not end.")
    return found


def _begin(component: Component, stack: list[Component], found: list[Component]) -> None:
    if not _TOKEN.fullmatch(component.name):
        raise MalformedError("The file begins a component that has no name.")
    if len(stack) >= DEPTH:
        raise MalformedError("The components of the file are nested too deep.")
    (stack[-1].components if stack else found).append(component)
    stack.append(component)


def parsed_line(raw: str) -> Line:
    """Return the line of an unfolded text; one of the name UNPARSED for a text that is not a content line."""
    try:
        name, listed, value = cut(raw)
    except ValueError:
        return Line(UNPARSED, escape(raw), {})
    if ":" in value and "TZID=" in listed.upper() and (match := _AFTER_ZONE.fullmatch(value)) is not None:
        listed, value = f"{listed}:{match[1]}", match[2]
    params: Params = {}
    for key, values in read_params(listed) if listed else ():
        if not _TOKEN.fullmatch(key.strip()):
            return Line(UNPARSED, escape(raw), {})
        params.setdefault(key.strip().upper(), []).extend([""] if values is None else values)
    if len(params.get("TZID", ())) > 1:
        params["TZID"] = [",".join(params["TZID"])]  # Exchange does not quote "(UTC+01:00) Amsterdam, Berlin"
    return Line(name.upper(), value, params) if _TOKEN.fullmatch(name) else Line(UNPARSED, escape(raw), {})


def join(lines: Iterable[str]) -> bytes:
    """Return unfolded lines as the bytes of a file."""
    return "".join([f"{fold(line)}\r\n" for line in lines]).encode("utf-8", "replace")
