"""Read and write the components and lines of an iCalendar file (RFC 5545, 3.1 to 3.6), losing nothing.

A line that is not a content line becomes the value of a line named UNPARSED.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from jmapsync.formats.contentline import BOM, WIDTH, Line, Params, cut, escape, fold, read_params, split, unescape, unfold
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

UNPARSED = "X-JMAPSYNC-UNPARSED"
"""The name for a line that is not a content line: the file written stays well-formed and keeps the text."""
DEPTH = 16
"""How deep components may be nested. The deepest that a specification knows is four."""
_AFTER_ZONE = re.compile(
    r"([^;\"]*):((?:\d{8}(?:T\d{4,6}Z?)?)(?:/[\dTZPHMSDW+-]+)?(?:,\d{8}(?:T\d{4,6}Z?)?(?:/[\dTZPHMSDW+-]+)?)*)", re.ASCII
)
"""The rest of a TZID with an unquoted colon, and the times after it."""
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
_ZONE_BEGINS: Final = "\nBEGIN:VTIMEZONE\n"
_ZONE_ENDS: Final = "\nEND:VTIMEZONE\n"
_LONGEST_ZONE: Final = 4096
"""Characters of a VTIMEZONE whose component is remembered: the files of a calendar repeat the same few."""
_LONGEST_HEAD: Final = 64
"""Characters before the colon of a line that are remembered: files repeat the same few names and parameters."""
_PARTS: Final = frozenset({"BEGIN", "END"})


class Component:
    """One component: its name in upper case, its lines and inner components in the order of the file."""

    __slots__ = ("components", "lines", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[Line] = []
        self.components: list[Component] = []
        self.text = ""
        """Of a VTIMEZONE, its unfolded lines once something asked for them."""

    def is_like(self, other: Component) -> bool:
        """Return whether another component has the same lines and inner components."""
        return (
            (self.name, self.lines) == (other.name, other.lines)
            and len(self.components) == len(other.components)
            and all(one.is_like(two) for one, two in zip(self.components, other.components, strict=True))
        )

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
    place = 0
    while (begin := text.find(_ZONE_BEGINS, place)) >= 0 and (end := text.find(_ZONE_ENDS, begin)) >= 0:
        _parse_lines(text[place:begin], stack, found)
        end += len(_ZONE_ENDS) - 1
        block = text[begin + 1 : end]
        zone = _zone(block) if len(stack) == 1 and len(block) <= _LONGEST_ZONE else None
        if zone is not None:
            stack[0].components.append(zone)
        else:
            _parse_lines(block, stack, found)
        place = end + 1
    _parse_lines(text[place:], stack, found)
    if stack:
        raise MalformedError(f"The file is cut off: {stack[-1].name} does not end.")
    return found


@lru_cache(maxsize=128)
def _zone(text: str) -> Component | None:
    """Return the component of a VTIMEZONE, which nothing may change; None if it is not well-formed."""
    outer = Component("VCALENDAR")
    stack = [outer]
    try:
        _parse_lines(text, stack, [])
    except MalformedError:
        return None
    return outer.components[0] if stack == [outer] and len(outer.components) == 1 and not outer.lines else None


def _parse_lines(text: str, stack: list[Component], found: list[Component]) -> None:
    """Add unfolded lines to the components that are open, and those that begin outside of one to `found`."""
    for raw in text.split("\n"):
        line = parsed_line(raw)
        if line.name not in _PARTS:
            if line.name == UNPARSED and not raw.strip():
                continue
            if not stack:
                raise MalformedError("The file does not begin with BEGIN:VCALENDAR.")
            stack[-1].lines.append(line)
        elif line.name == "BEGIN":
            _begin(Component(line.value.strip().upper()), stack, found)
        elif stack and stack[-1].name == line.value.strip().upper():
            stack.pop()
        else:
            raise MalformedError(f"The file ends a component that is not open: {line.value.strip()[:40]}.")


def _begin(component: Component, stack: list[Component], found: list[Component]) -> None:
    if not _TOKEN.fullmatch(component.name):
        raise MalformedError("The file begins a component that has no name.")
    if len(stack) >= DEPTH:
        raise MalformedError("The components of the file are nested too deep.")
    (stack[-1].components if stack else found).append(component)
    stack.append(component)


def parsed_line(raw: str) -> Line:
    """Return the line of an unfolded text; one of the name UNPARSED for a text that is not a content line."""
    head, colon, value = raw.partition(":")
    found = _head(head) if colon and len(head) <= _LONGEST_HEAD and '"' not in head else None
    if found is None or (":" in value and found[1] and "TZID=" in head.upper()):
        return _uncommon_line(raw)
    return Line(found[0], value, found[1])


@lru_cache(maxsize=1024)
def _head(head: str) -> tuple[str, Params] | None:
    """Return the name and the parameters, which nothing may change, of what stands before the colon; None if it is invalid."""
    name, _, listed = head.partition(";")
    params = _params(listed)
    return None if params is None or not _TOKEN.fullmatch(name) else (name.upper(), params)


def _uncommon_line(raw: str) -> Line:
    try:
        name, listed, value = cut(raw)
    except ValueError:
        return Line(UNPARSED, escape(raw), {})
    if ":" in value and "TZID=" in listed.upper() and (match := _AFTER_ZONE.fullmatch(value)) is not None:
        listed, value = f"{listed}:{match[1]}", match[2]
    params = _params(listed)
    return Line(UNPARSED, escape(raw), {}) if params is None or not _TOKEN.fullmatch(name) else Line(name.upper(), value, params)


def _params(listed: str) -> Params | None:
    """Return the parameters of a line; None if one of them has no name."""
    params: Params = {}
    for key, values in read_params(listed) if listed else ():
        if not _TOKEN.fullmatch(key.strip()):
            return None
        params.setdefault(key.strip().upper(), []).extend([""] if values is None else values)
    if len(params.get("TZID", ())) > 1:
        params["TZID"] = [",".join(params["TZID"])]  # Exchange does not quote "(UTC+01:00) Amsterdam, Berlin"
    return params


def join(lines: Iterable[str]) -> bytes:
    """Return unfolded lines as the bytes of a file."""
    found = [*lines, ""]
    text = "\r\n".join(found)
    if not text.isascii() or max(map(len, found)) > WIDTH:
        text = "\r\n".join([line if len(line) <= WIDTH and line.isascii() else fold(line) for line in found])
    return text.encode("utf-8", "replace")
