"""Convert DESCRIPTION, STYLED-DESCRIPTION, CATEGORIES and CONCEPT (draft-ietf-calext-jscalendar-icalendar, of these names)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.contentline import escape, unescape, write_params
from jmapsync.formats.ical.fields import write_uri
from jmapsync.formats.ical.kept import extra
from jmapsync.formats.ical.lines import split_text
from jmapsync.formats.ical.places import is_derived
from jmapsync.formats.pointer import join

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.objects import Object

_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h[1-6]|/tr)\b[^>]*>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_PLAIN = "text/plain"


def read_descriptions(reading: Reading, plain: list[Line], styled: list[Line]) -> None:
    """Convert the description: the plain one unless it is derived from a styled one; a further one is kept."""
    rich = next((line for line in styled if _is_rich(line)), None)
    own = [line for line in plain if not is_derived(line) or rich is None]
    for line in own:
        declared = line.params.get("VALUE", ["TEXT"])[0].upper()
        if is_derived(line) or declared != "TEXT":
            reading.keep(line)
        else:
            reading.set("description", unescape(line.value), line)
    for line in styled:
        if line is rich and "description" not in reading.item:
            reading.set("description", unescape(line.value), line, ("FMTTYPE",))
            if "FMTTYPE" in line.params:
                reading.item["descriptionContentType"] = line.params["FMTTYPE"][0]
            elif "description" in reading.item:
                reading.note("description", line.name, extra(line))
        else:
            reading.keep(line)


def _is_rich(line: Line) -> bool:
    kind = line.params.get("FMTTYPE", ["text/html"])[0].lower()
    return line.params.get("VALUE", ["TEXT"])[0].upper() == "TEXT" and kind.startswith("text/") and not is_derived(line)


def write_descriptions(item: Mapping[str, Any], writing: Writing) -> None:
    """Write the description; with a styled one also a plain text, for programs without STYLED-DESCRIPTION."""
    text, kind = item.get("description"), item.get("descriptionContentType")
    if text is None or not isinstance(text, str):
        writing.leave("description", text)
        writing.leave("descriptionContentType", kind)
        return
    if kind is None and writing.noted("description", "styled-description"):
        writing.add("STYLED-DESCRIPTION", escape(text), {"VALUE": "TEXT"}, "description")
    elif kind is None or kind == _PLAIN or not isinstance(kind, str) or not kind.lower().startswith("text/"):
        writing.add("DESCRIPTION", escape(text), None, "description")
        writing.leave("descriptionContentType", kind)
        return
    else:
        writing.add("STYLED-DESCRIPTION", escape(text), {"VALUE": "TEXT", "FMTTYPE": kind}, "description")
    if not writing.noted_kept("description"):
        writing.add("DESCRIPTION", escape(to_plain(text)), {"DERIVED": "TRUE"})


def to_plain(text: str) -> str:
    """Return the text of HTML, with line breaks and without tags."""
    bare = _TAG.sub("", _BREAK.sub("\n", _HIDDEN.sub("", text)))
    return html.unescape(bare).strip()


def read_words(reading: Reading, line: Line) -> None:
    """Convert CATEGORIES to keywords; the parameters are recorded for each of them."""
    words = split_text(line.value)
    if not words:
        return
    reading.item.setdefault("keywords", {}).update(dict.fromkeys(words, True))
    if line.params and (params := extra(line)):
        for word in words:
            reading.note(join("keywords", word), line.name, params)


def read_concept(reading: Reading, line: Line) -> None:
    """Convert CONCEPT to categories."""
    uri = write_uri(line.value)
    if uri is None:
        reading.keep(line)
        return
    reading.item.setdefault("categories", {})[uri] = True
    reading.note_extra(join("categories", uri), line)


def write_words(item: Object, writing: Writing, *, one_line: bool) -> None:
    """Write keywords and categories; with `one_line`, all keywords without parameters on one line.

    With a repeated CATEGORIES todoman 4.7 fails and khal 0.14 shows none, so files have one line. The draft's examples repeat it.
    """
    for name, path in (("CATEGORIES", "keywords"), ("CONCEPT", "categories")):
        found = item.get(path)
        if not found:
            continue
        words = sorted(found) if isinstance(found, dict) and all(word and held is True for word, held in found.items()) else []
        if not words or (name == "CONCEPT" and any(write_uri(word) is None for word in words)):
            writing.leave(path, found)
            continue
        if name == "CONCEPT":
            for word in words:
                writing.add(name, word, None, join(path, word))
            continue
        groups: dict[str, list[str]] = {}
        for word in words:
            params = write_params(writing.noted_params(join(path, word), name))
            groups.setdefault(params if one_line else f"{params}:{word}", []).append(word)
        for values in groups.values():
            writing.add(name, ",".join(map(escape, values)), None, join(path, values[0]))
