"""Convert lines without a counterpart to vCardProps in jCard's form and back, and vCardParams (RFC 9555, 2.15; RFC 7095)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.contentline import Line, Params, escape, split
from jmapsync.formats.vcard.values import fields, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\Z")
_GROUP = re.compile(r"[A-Za-z0-9_.-]+\Z")
_TYPE = re.compile(r"[A-Za-z0-9-]+\Z")
_FRAMING = frozenset({"begin", "end", "version"})
_TRANSFER = frozenset({"encoding", "charset"})
"""Parameters of transfer encodings; only base64 is not decoded (see vcard.lines)."""
_PLAIN = "unknown"
"""The type of an unparsed value: it is as in the file, with backslashes."""
_RECOGNISED = frozenset({"text", "uri", "date", "date-time", "date-and-or-time", "timestamp", "time", "integer", "utc-offset"})
_DEFAULT_TYPES = {"gender": "text", "xml": "text", "fn": "text", "clientpidmap": "text"}
"""Types of properties that RFC 6350 defines and RFC 9555 does not convert; others are unknown without VALUE."""


def read_property(line: Line) -> list[Any]:
    """Return a line as a jCard property: name, parameters, type, values."""
    name = line.name.lower()
    params = read_params(line.params)
    kind = _DEFAULT_TYPES.get(name, _PLAIN)
    declared = line.params.get("value", ())
    if len(declared) == 1 and _TYPE.match(declared[0]):
        kind = declared[0].lower()
        del params["value"]
    if line.group:
        params["group"] = line.group
    if kind not in _RECOGNISED:
        value = "".join(line.value.split()) if params.get("encoding") == "b" else line.value  # vCard 2.1 is folded at white space
        return [name, params, kind, value]
    if kind == "uri":
        return [name, params, kind, unescape(line.value)]
    return [name, params, kind, *_texts(line.value)]


def _texts(value: str) -> list[Any]:
    """Return the values of a text: a list for a structured one (RFC 7095, 3.3.1.3)."""
    if ";" not in value and "," not in value:
        return [unescape(value)]
    if len(split(value, ";")) > 1:
        return [[field[0] if len(field) == 1 else field for field in fields(value)]]
    return [unescape(piece) for piece in split(value, ",")]


def read_params(params: Params) -> dict[str, Any]:
    """Return parameters as in jCard: a string for one value, a list for more."""
    return {name: values[0] if len(values) == 1 else list(values) for name, values in params.items()}


def write_property(entry: object) -> Line | None:
    """Return the line of a jCard property; None if it is invalid, or would begin or end the card."""
    if not isinstance(entry, list) or len(entry) < 4:  # noqa: PLR2004 (RFC 7095, 3.3)
        return None
    name, params, kind, *values = entry
    if not isinstance(name, str) or not _TOKEN.match(name) or name.lower() in _FRAMING:
        return None
    if not isinstance(params, dict) or not isinstance(kind, str) or not _TYPE.match(kind):
        return None
    written: Params = {} if kind in {_PLAIN, _DEFAULT_TYPES.get(name.lower())} else {"value": [kind]}
    group = params.get("group", "")
    grouped = isinstance(group, str) and (not group or _GROUP.match(group))
    value = _value(kind, values)
    if not grouped or value is None or not write_params(written, {key: params[key] for key in params if key != "group"}):
        return None
    return Line(name.upper(), value, written, group)


def _value(kind: str, values: list[Any]) -> str | None:
    """Return values as in a line; one of an unparsed type is unchanged."""
    first = values[0]
    single = len(values) == 1 and isinstance(first, str) and "\n" not in first and "\r" not in first
    if kind not in _RECOGNISED:
        return first if single else None
    if kind == "uri" and single and "\\" not in first:
        return str(first)
    return ",".join([_joined(item) for item in values])


def _joined(item: object) -> str:
    if isinstance(item, list):
        return ";".join([",".join(map(_text, field)) if isinstance(field, list) else _text(field) for field in item])
    return _text(item)


def _text(item: object) -> str:
    if isinstance(item, bool):
        return "TRUE" if item else "FALSE"
    return escape(str(item))


def write_params(params: Params, kept: Mapping[str, object], skipped: Iterable[str] = ()) -> bool:
    """Add kept parameters to those of a line, which win; return whether all could be written."""
    whole = True
    for name, value in kept.items():
        values = value if isinstance(value, list) else [value]
        key = name.lower()
        fits = _TOKEN.match(key) and values and all(type(text) in {str, int} and "\r" not in str(text) for text in values)
        if not fits or key in skipped or (key in params and key != "type") or (key in _TRANSFER and values != ["b"]):
            whole = False
        elif key in params:
            params[key] = params[key] + [str(text) for text in values]
        else:
            params[key] = [str(text) for text in values]
    return whole
