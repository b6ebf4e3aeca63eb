"""Convert ATTACH, IMAGE, LINK and URL to Link objects and back (draft-ietf-calext-jscalendar-icalendar, Link)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.ical.fields import write_uri
from jmapsync.formats.ical.kept import chosen, extra, hashed, is_id, leave_unknown, whole
from jmapsync.formats.pointer import join

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.objects import Object

NAMES: Final = frozenset({"ATTACH", "IMAGE", "LINK", "URL"})
_TITLES: Final = {"ATTACH": "FILENAME", "IMAGE": "FILENAME", "LINK": "LABEL", "URL": "LABEL"}
"""The parameter with the title."""
_KNOWN: Final = {
    "ATTACH": ("FMTTYPE", "FILENAME", "SIZE", "ENCODING"),
    "IMAGE": ("FMTTYPE", "FILENAME", "SIZE", "DISPLAY", "ENCODING"),
    "LINK": ("FMTTYPE", "LABEL", "LINKREL"),
    "URL": ("FMTTYPE", "LABEL"),
}
"""Converted parameters."""
_RELS: Final = {"enclosure": "ATTACH", "icon": "IMAGE", "describedby": "URL"}
_DATA = re.compile(r"data:([^;,]*);base64,([A-Za-z0-9+/]*={0,2})", re.ASCII)
_TYPES: Final = ("URI", "BINARY")
_INLINE: Final = ("ATTACH", "IMAGE")
"""Lines that can hold data."""


def read_link(reading: Reading, line: Line) -> None:
    """Convert a line to a Link object, or keep it: a LINK that is not a URI, data that are not base64."""
    params = line.params
    kind = params["VALUE"][0].upper() if "VALUE" in params else "URI"
    if not line.value.strip() and not params.keys() - {"VALUE"}:
        return  # an empty line says nothing
    href = _binary(line) if kind == "BINARY" else write_uri(line.value)
    size = params.get("SIZE", ["0"])[0]
    if (
        href is None
        or kind not in _TYPES
        or (kind == "BINARY" and line.name not in ("ATTACH", "IMAGE"))
        or not size.isdecimal()
        or len(size) > 15  # noqa: PLR2004  # more digits than any file has octets
    ):
        reading.keep(line)
        return
    link: Object = {"@type": "Link", "href": href}
    rel = {"IMAGE": "icon", "URL": "describedby"}.get(line.name)
    if line.name == "LINK" and "LINKREL" in params:
        rel = params["LINKREL"][0]
    if rel is not None:
        link["rel"] = rel
    if "FMTTYPE" in params:
        link["contentType"] = params["FMTTYPE"][0]
    if _TITLES[line.name] in params:
        link["title"] = whole(params[_TITLES[line.name]])
    if "SIZE" in params and "SIZE" in _KNOWN[line.name]:
        link["size"] = int(size)
    if line.name == "IMAGE" and "DISPLAY" in params:
        link["display"] = {value.lower(): True for value in params["DISPLAY"] if value}
    links = reading.item.setdefault("links", {})
    key = chosen(params, line.value, links)
    # Of several descriptions one is the URL: which one must not depend on the order of the keys.
    unclear = rel == "describedby" and (line.name == "LINK" or any(other.get("rel") == "describedby" for other in links.values()))
    links[key] = link
    more = extra(line, _KNOWN[line.name])
    if more or unclear or _RELS.get(rel or "enclosure", "LINK") != line.name:
        reading.note(join("links", key, "href"), line.name, more)


def _binary(line: Line) -> str | None:
    try:
        base64.b64decode(line.value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return f"data:{line.params.get('FMTTYPE', [''])[0]};base64,{line.value}"


def write_links(item: Mapping[str, Any], writing: Writing) -> None:
    """Write the Link objects of an object as lines of its component."""
    links = item.get("links")
    if not isinstance(links, dict):
        if links is not None:
            writing.leave("links", links)
        return
    left: Object = {}
    for key in sorted(links):
        link = links[key]
        href = write_uri(link.get("href")) if isinstance(link, dict) and is_id(key) else None
        if href is None:
            left[key] = link
        else:
            _write_link(key, link, href, writing)
    writing.leave_entries("links", left, len(links))


def _write_link(key: str, link: Object, href: str, writing: Writing) -> None:
    path, rel = join("links", key, "href"), link.get("rel")
    name = _line_name(rel, path, writing)
    known = {"@type", "href"} if rel is not None and not isinstance(rel, str) else {"@type", "href", "rel"}
    params: dict[str, str | list[str]] = {"VALUE": "URI"} if name in ("LINK", "IMAGE") else {}
    if name == "LINK" and isinstance(rel, str):
        params["LINKREL"] = rel
    value = href
    for attribute, parameters, convert in _WRITTEN:
        found = convert(link.get(attribute)) if name in parameters else None
        if found is not None:
            params[parameters[name]] = found
            known.add(attribute)
        if attribute == "contentType" and (data := _inline(name, href, params)) is not None:
            params |= {"ENCODING": "BASE64", "VALUE": "BINARY"}
            value = data
    leave_unknown(writing, link, known, "links", key)
    if key != hashed(value) or writing.is_pointed(key):
        params["JSID"] = key
    writing.add(name, value, params, path)


def _line_name(rel: object, path: str, writing: Writing) -> str:
    """Return the name of the line for a link: that of the line it came from if it still fits the `rel`, else that of the `rel`."""
    noted = str(writing.noted(path, *(name.lower() for name in NAMES)).get("name", "")).upper()
    fits = rel in (None, "enclosure") if noted == "ATTACH" else rel == {"IMAGE": "icon", "URL": "describedby"}.get(noted, rel)
    if noted and fits:
        return noted
    name = _RELS.get("enclosure" if rel is None else str(rel), "LINK")
    return "LINK" if name == "URL" and "URL" in writing.written else name  # of several descriptions one is the URL


def _inline(name: str, href: str, params: Mapping[str, str | list[str]]) -> str | None:
    """Return the base64 of a `data:` URI that an ATTACH or IMAGE line with these parameters can hold."""
    data = _DATA.fullmatch(href) if name in _INLINE else None
    return data[2] if data and data[1] == params.get("FMTTYPE", "") and len(data[2]) % 4 == 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _size(value: object) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15 else None


def _display(value: object) -> list[str] | None:
    return [name.upper() for name in names_of(value)] or None


_WRITTEN: Final[tuple[tuple[str, Mapping[str, str], Callable[[object], str | list[str] | None]], ...]] = (
    ("contentType", dict.fromkeys(NAMES, "FMTTYPE"), _text),
    ("title", _TITLES, _text),
    ("size", dict.fromkeys(_INLINE, "SIZE"), _size),
    ("display", {"IMAGE": "DISPLAY"}, _display),
)
"""Properties of a Link, with the parameter of each line that expresses them, and their conversion."""


def names_of(value: object) -> list[str]:
    """Return the sorted members of a set (an object whose values are true); empty for other values."""
    if isinstance(value, dict) and all(name and name == name.lower() and held is True for name, held in value.items()):
        return sorted(value)
    return []
