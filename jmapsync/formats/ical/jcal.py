"""Convert lines and components to jCal and back (RFC 7265), for the parts of a file without a counterpart in JSCalendar.

A value that does not fit its type is kept unchanged with the type "unknown".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import Line, escape, unescape, write_params
from jmapsync.formats.ical.fields import MIDNIGHT, common_duration, is_local
from jmapsync.formats.ical.lines import UNPARSED, Component, parsed_line, split_text
from jmapsync.formats.jlines import DEFAULT_TYPES, LISTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.contentline import Params

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z?)", re.ASCII)
_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(Z?)", re.ASCII)
_OFFSET = re.compile(r"([+-]\d\d)(\d\d)(\d\d)?", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9-]+")
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_FLOAT = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_NUMBERS: Final = frozenset(
    {"interval", "count", "bysecond", "byminute", "byhour", "bymonthday", "byyearday", "byweekno", "bymonth", "bysetpos"}
)
_RULE_PARTS: Final = frozenset(
    {"FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "RSCALE", "SKIP", *(f"BY{unit}" for unit in ("SECOND", "MINUTE", "HOUR", "DAY"))}
    | {f"BY{unit}" for unit in ("MONTHDAY", "YEARDAY", "WEEKNO", "MONTH", "SETPOS")}
)
_FREQUENCIES: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_DECLARED: Final = frozenset({"REFRESH-INTERVAL"})
"""Properties whose type must be declared although they have only one (RFC 7986, 5.7)."""
_TIMES: Final = frozenset({"date", "date-time"})
_TYPES_OF: Final = {"RDATE": ("date-time", "date", "period"), "EXDATE": ("date-time", "date")}
"""The types of lines that khal refuses with any other (RFC 5545, 3.8.5.1 and 3.8.5.2)."""
_SEPARATORS = str.maketrans("", "", "-:")


def from_params(params: Params) -> dict[str, Any]:
    """Return parameters in jCal: lower-case names, one value or a list of several."""
    return {name.lower(): values[0] if len(values) == 1 else [*values] for name, values in params.items()}


def to_params(value: object) -> dict[str, list[str]]:
    """Return the parameters of a line for those of jCal; invalid ones are left out."""
    if not isinstance(value, dict):
        return {}
    return {
        name.upper(): [item for item in ([given] if isinstance(given, str) else given) if isinstance(item, str)]
        for name, given in value.items()
        if isinstance(given, str | list) and re.fullmatch(r"[A-Za-z0-9_.-]+", name)
    }


def from_line(line: Line) -> list[Any]:
    """Return the jCal of a line."""
    declared = line.params.get("VALUE")
    params = from_params({name: values for name, values in line.params.items() if name != "VALUE"} if declared else line.params)
    kind = declared[0].lower() if declared else DEFAULT_TYPES.get(line.name, "unknown")
    values = _decode(line.name, kind, line.value)
    if values is None:
        return [line.name.lower(), from_params(line.params), "unknown", line.value]
    return [line.name.lower(), params, kind, *values]


def to_line(value: object) -> str | None:
    """Return the unfolded line of jCal; None if it is invalid."""
    match value:
        case [str(name), dict(given), str(kind), *values] if values and re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            pass
        case _:
            return None
    try:
        text = _encode(name.upper(), kind, values)
    except (TypeError, ValueError, AttributeError):
        return None
    params: dict[str, Any] = to_params(given)
    if kind not in ("unknown", DEFAULT_TYPES.get(name.upper(), "unknown")) or (name.upper() in _DECLARED and kind != "unknown"):
        params["VALUE"] = kind.upper()
    return f"{name.upper()}{write_params(params)}:{text}"


def is_valid(line: str) -> bool:
    """Return whether the value of an unfolded line has the type that it declares, or that its property has by default.

    Icalendar refuses a file for one line with an unknown frequency or a duration of more than its calendar, and khal with it.
    A date must exist: icalendar has no year 0000.
    """
    read = parsed_line(line)
    kind = read.params["VALUE"][0].lower() if "VALUE" in read.params else DEFAULT_TYPES.get(read.name, "unknown")
    if kind == "recur" and not _is_rule(read.value):
        return False
    if kind == "duration":
        return common_duration(read.value.strip().removeprefix("+"), signed=True) is not None
    if kind not in _TYPES_OF.get(read.name, (kind,)):
        return False
    values = _decode(read.name, kind, read.value) if kind in _READERS else []
    return values is not None and all(kind not in _TIMES or is_local(f"{value[:10]}{value[10:19] or MIDNIGHT}") for value in values)


def _is_rule(text: str) -> bool:
    """Return whether a rule has a known frequency, and no unknown parts."""
    parts = dict(part.strip().upper().partition("=")[::2] for part in text.strip(" ;").split(";"))
    return parts.get("FREQ") in _FREQUENCIES and parts.keys() <= _RULE_PARTS


def from_component(component: Component) -> list[Any]:
    """Return the jCal of a component."""
    return [
        component.name.lower(),
        [from_line(parsed_line(unescape(line.value)) if line.name == UNPARSED else line) for line in component.lines],
        [from_component(inner) for inner in component.components],
    ]


def to_lines(value: object) -> Iterator[str]:
    """Yield the unfolded lines of a component in jCal; none if it is invalid."""
    match value:
        case [str(name), list(properties), list(components)] if re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            yield f"BEGIN:{name.upper()}"
            yield from (line for line in map(to_line, properties) if line is not None)
            for inner in components:
                yield from to_lines(inner)
            yield f"END:{name.upper()}"
        case _:
            return


def _decode(name: str, kind: str, raw: str) -> list[Any] | None:  # noqa: PLR0911  # a return a type
    """Return the values of a raw value in jCal; None if they would not give the same raw value."""
    if kind == "text":
        if name in LISTS:
            return split_text(raw) or None
        if name == "REQUEST-STATUS":
            return [[unescape(part) for part in re.findall(r"(?:[^\\;]|\\.)+", raw)]] if ";" in raw else [unescape(raw)]
        return [unescape(raw)]
    if kind in ("uri", "cal-address", "binary", "unknown") or kind not in _READERS:
        return [raw]
    if name == "GEO" and kind == "float":
        numbers = [_number(part) for part in raw.split(";")]
        if len(numbers) != 2:  # noqa: PLR2004  # RFC 5545, 3.8.1.6
            return None
        values: list[Any] = [numbers]
    else:
        values = [_READERS[kind](part) for part in (raw.split(",") if name in LISTS else [raw])]
    if any(value is None for value in values) or None in (values[0] if isinstance(values[0], list) else ()):
        return None
    written = _encode(name, kind, values)
    if kind == "recur":
        return values if sorted(written.split(";")) == sorted(raw.upper().split(";")) else None
    return values if written == raw else None


def _encode(name: str, kind: str, values: list[Any]) -> str:
    if len(values) == 1 and isinstance(values[0], list) and kind != "period":
        # A structured value (RFC 7265, 3.4.1.3), or the several values of a line in the one array that Stalwart has them in.
        write = escape if kind in ("text", "unknown") else _WRITERS.get(kind, _verbatim)
        return ("," if name in LISTS else ";").join(map(write, values[0]))
    if kind == "text":
        return ",".join(map(escape, values))
    write = _WRITERS.get(kind, _verbatim)
    return ",".join(map(write, values))


def _verbatim(value: object) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError(value)
    return str(value).replace("\r", "").replace("\n", "\\n")


def _read_date(raw: str) -> str | None:
    match = _DATE.fullmatch(raw)
    return f"{match[1]}-{match[2]}-{match[3]}" if match else None


def _read_date_time(raw: str) -> str | None:
    match = _DATE_TIME.fullmatch(raw)
    return "{}-{}-{}T{}:{}:{}{}".format(*match.groups()) if match else None


def _read_time(raw: str) -> str | None:
    match = _TIME.fullmatch(raw)
    return "{}:{}:{}{}".format(*match.groups()) if match else None


def _read_period(raw: str) -> list[str] | None:
    first, _, last = raw.partition("/")
    start = _read_date_time(first)
    end = last if last.startswith(("P", "+P", "-P")) else _read_date_time(last)
    return None if start is None or end is None else [start, end]


def _read_offset(raw: str) -> str | None:
    match = _OFFSET.fullmatch(raw)
    return f"{match[1]}:{match[2]}" + (f":{match[3]}" if match[3] else "") if match else None


def _number(raw: str) -> int | float | None:
    if _INTEGER.fullmatch(raw):
        return int(raw)
    return float(raw) if _FLOAT.fullmatch(raw) else None


def number_text(value: object) -> str:
    """Return a number as in a line; a string is unchanged. Raise TypeError for other values."""
    if isinstance(value, str):
        return _verbatim(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    text = repr(value)
    return f"{value:.15f}".rstrip("0") if "e" in text else text


def _read_recur(raw: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for part in raw.split(";"):
        key, mark, text = part.lower().partition("=")
        if not mark or key in found or not _TOKEN.fullmatch(key):
            return None
        if key == "until":
            found[key] = _read_date_time(text.upper()) or _read_date(text)
            continue
        values: list[Any] = part.partition("=")[2].split(",")
        if key in _NUMBERS:
            values = [int(value) if _INTEGER.fullmatch(value) else value for value in values]
        found[key] = values[0] if len(values) == 1 else values
    return None if None in found.values() else found


def recur_text(value: dict[str, Any] | str) -> str:
    """Return the RRULE value of a recurrence rule in jCal; a string (Stalwart) is unchanged."""
    if isinstance(value, str):
        return _verbatim(value)
    parts = []
    for key in sorted(value, key=lambda key: (key != "freq", key)):  # the same text in whatever order the JSON came
        if not _TOKEN.fullmatch(key):
            raise ValueError(key)
        given = value[key]
        items = given if isinstance(given, list) else [given]
        text = ",".join(map(_verbatim, items))
        parts.append(f"{key.upper()}={text.translate(_SEPARATORS) if key == 'until' else text}")
    return ";".join(parts)


def _write_basic(value: str) -> str:
    return _verbatim(value).translate(_SEPARATORS)


def _write_period(value: object) -> str:
    first, last = value if isinstance(value, list) else _verbatim(value).split("/")
    return f"{_write_basic(first)}/{_verbatim(last) if 'P' in last else _write_basic(last)}"


def _write_offset(value: str) -> str:
    return _verbatim(value).replace(":", "")


def _write_boolean(value: object) -> str:
    return {True: "TRUE", False: "FALSE"}[value] if isinstance(value, bool) else _verbatim(value)


_READERS: Final[dict[str, Any]] = {
    "date": _read_date,
    "date-time": _read_date_time,
    "time": _read_time,
    "period": _read_period,
    "duration": lambda raw: raw,
    "utc-offset": _read_offset,
    "integer": _number,
    "float": _number,
    "boolean": {"TRUE": True, "FALSE": False}.get,
    "recur": _read_recur,
}
_WRITERS: Final[dict[str, Any]] = {
    "date": _write_basic,
    "date-time": _write_basic,
    "time": _write_basic,
    "period": _write_period,
    "utc-offset": _write_offset,
    "integer": number_text,
    "float": number_text,
    "boolean": _write_boolean,
    "recur": recur_text,
}
