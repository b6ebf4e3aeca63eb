"""Convert kept lines between jCal or jCard and the form of Stalwart (0.16.19, calcard 0.3).

There a line has one value, which is an array if the line has several values or components; texts have no escapes; a property of its
default type has the type "unknown". Dates are written to files unchanged, so they must be in basic form
(`COMPLETED:2026-11-30T04:04:22Z` is invalid).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import Line, escape, split, unescape
from jmapsync.formats.ical import jcal
from jmapsync.formats.jlines import DEFAULT_TYPES, LISTS, TIMES, basic
from jmapsync.formats.vcard import preserved

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXTS: Final = frozenset({"text", "unknown"})
_NUMBERS: Final = frozenset({"integer", "float", "boolean"})
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")


def _is_line(line: Any) -> bool:  # noqa: ANN401 # any JSON value
    return (
        isinstance(line, list)
        and len(line) > len(("name", "parameters", "type"))
        and isinstance(line[0], str)
        and _NAME.fullmatch(line[0]) is not None
        and isinstance(line[1], dict)
        and isinstance(line[2], str)
    )


def ical_up(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the jCal of a line of Stalwart; other values are unchanged."""
    if not _is_line(line):
        return line
    name, given, kind, values = line[0].upper(), line[1], line[2].lower(), line[3:]
    meant = DEFAULT_TYPES.get(name, "unknown") if kind == "unknown" else kind
    parts = _flat(values)
    if meant in _TEXTS:
        raw = ("," if name in LISTS else ";").join(escape(_shown(part)) for part in parts)
    elif meant in TIMES:
        raw = ",".join(basic(_shown(part)) for part in parts)
    else:
        raw = (";" if name == "GEO" else ",").join(_shown(part) for part in parts)
    params = jcal.to_params(given)
    return jcal.from_line(Line(name, raw, params if kind == "unknown" else {**params, "VALUE": [kind.upper()]}))


def ical_down(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return a line of Stalwart for a line of jCal; other values are unchanged."""
    if not _is_line(line):
        return line
    name, kind, values = line[0].upper(), line[2].lower(), line[3:]
    default = DEFAULT_TYPES.get(name, "unknown")
    parts: list[Any]
    if kind == "unknown" and default in _TEXTS and all(isinstance(value, str) for value in values):
        parts = [unescape(part) for value in values for part in _raw_parts(name, default, value)]
    elif kind == "recur":
        parts = [jcal.recur_text(value) if isinstance(value, dict) else value for value in values]
    elif kind == "period":
        parts = ["/".join(map(basic, value)) if _are_texts(value) else value for value in values]
    else:
        parts = _flat(values)
    if (default if kind == "unknown" else kind) in TIMES:
        parts = [basic(part) if isinstance(part, str) else part for part in parts]
    return [line[0], line[1], "unknown" if kind == default else line[2], parts[0] if len(parts) == 1 else parts]


def vcard_up(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the jCard of a line of Stalwart; other values are unchanged."""
    if not _is_line(line):
        return line
    kind, parts = line[2].lower(), _flat(line[3:])
    if kind in TIMES:
        raw = ",".join(basic(_shown(part)) for part in parts)
    elif kind in _TEXTS:
        raw = ";".join(escape(_shown(part)) for part in parts)
    else:
        raw = ",".join(_shown(part) for part in parts)
    params = {name.lower(): _texts(value) for name, value in line[1].items() if name.lower() != "group"}
    group = line[1].get("group")
    read = Line(
        line[0].upper(),
        raw,
        params if kind == "unknown" else {**params, "value": [kind]},
        group if isinstance(group, str) else "",
    )
    return preserved.read_property(read)


def vcard_down(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return a line of Stalwart for a line of jCard; other values are unchanged."""
    written = preserved.write_property(line) if _is_line(line) else None
    if written is None:
        return line
    declared = written.params.get("value", [])
    kind = declared[0].lower() if len(declared) == 1 else "unknown"
    parts: list[Any]
    if kind in _TEXTS:
        parts = [unescape(part) for part in split(written.value, ";")]
    elif kind in TIMES:
        parts = [basic(part) for part in written.value.split(",")]
    elif kind in _NUMBERS:
        parts = _flat(line[3:])
    else:
        parts = [written.value]
    return [line[0], line[1], kind, parts[0] if len(parts) == 1 else parts]


def components(value: Any, turn: Callable[[Any], Any]) -> Any:  # noqa: ANN401 # any JSON value
    """Return jCal components with their lines converted by `ical_up` or `ical_down`; other values are unchanged."""
    match value:
        case [str(name), list(lines), list(inner)]:
            return [name, [turn(line) for line in lines], [components(one, turn) for one in inner]]
        case _:
            return value


def _raw_parts(name: str, default: str, raw: str) -> list[str]:
    """Return the values of a raw value."""
    if name in LISTS:
        return split(raw, ",")
    return split(raw, ";") if default == "unknown" else [raw]


def _flat(values: list[Any]) -> list[Any]:
    """Return values with nested arrays flattened."""
    return [part for value in values for part in (_flat(value) if isinstance(value, list) else [value])]


def _shown(value: Any) -> str:  # noqa: ANN401 # any JSON value
    if isinstance(value, bool):
        return str(value).upper()
    return value if isinstance(value, str) else jcal.number_text(value) if isinstance(value, int | float) else ""


def _texts(value: Any) -> list[str]:  # noqa: ANN401 # any JSON value
    return [_shown(part) for part in (value if isinstance(value, list) else [value])]


def _are_texts(value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(value, list) and all(isinstance(part, str) for part in value)
