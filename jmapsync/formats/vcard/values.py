"""Convert values between vCard and JSContact: text, lists, dates, time stamps, time zones (RFC 6350, 3.4 and 4)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from jmapsync.formats import contentline
from jmapsync.formats.contentline import escape, split

Json = Any
"""Any JSON value."""
_NUMBER = re.compile(r"\d{1,18}\Z", re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_DATE = re.compile(r"(?:(\d{4})(?:-?(\d\d)-?(\d\d)|-(\d\d))?|--(\d\d)-?(\d\d))\Z")
_STAMP = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)([.,]\d+)?)?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?)?\Z", re.ASCII
)
_UTC = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z\Z", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?\Z", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]*\Z")
_MONTHS, _DAYS = 12, 31


def unescape(value: str) -> str:
    """Return the text of a value."""
    return contentline.unescape(value, colon=True) if "\\" in value else value


def texts(value: str) -> list[str]:
    """Return the texts of a comma-separated value."""
    if "\\" not in value:
        return value.split(",")
    return [unescape(piece) for piece in split(value, ",")]


def fields(value: str) -> list[list[str]]:
    """Return the fields of a structured value, each a list of at least one text, which may be empty."""
    if "\\" not in value:
        return [field.split(",") for field in value.split(";")]
    return [[unescape(text) for text in split(field, ",")] for field in split(value, ";")]


def read_number(text: str) -> int | None:
    """Return a number without sign; None for other strings and for more than 18 digits."""
    return int(text) if _NUMBER.match(text) else None


def is_uri(text: str) -> bool:
    """Return whether a string has the form of a URI: a scheme, a colon, no white space."""
    return _URI.match(text) is not None


def uri_value(uri: str, *, bare: bool) -> str:
    """Return a URI as a value: unescaped in 4.0, else escaped, because vobject cuts values at commas."""
    return uri if bare and "\\" not in uri and "\n" not in uri and "\r" not in uri else escape(uri)


def read_date(value: str) -> dict[str, Any] | None:
    """Return the PartialDate of a DATE (RFC 6350, 4.3.1; ISO 8601 with dashes too); None for a day or a month alone."""
    match = _DATE.match(value)
    if match is None or not value.isascii():
        return None
    year, month, day, only_month, late_month, late_day = match.groups()
    found = {"year": year, "month": month or only_month or late_month, "day": day or late_day}
    date = {name: int(number) for name, number in found.items() if number}
    if not 1 <= date.get("month", 1) <= _MONTHS or not 1 <= date.get("day", 1) <= _DAYS:
        return None
    return date


def write_date(date: dict[str, Any], *, dashes: bool) -> str:
    """Return a DATE for a PartialDate, empty if there is none; full dates with dashes for vCard 3.0 (khal, khard)."""
    year, month, day = date.get("year"), date.get("month"), date.get("day")
    if not all(number is None or (type(number) is int and number >= 0) for number in (year, month, day)):
        return ""
    dash = "-" if dashes else ""
    if year is None:
        return "" if month is None or day is None else f"--{month:02d}{day:02d}"
    if day is None:
        return f"{year:04d}" if month is None else f"{year:04d}-{month:02d}"
    return "" if month is None else f"{year:04d}{dash}{month:02d}{dash}{day:02d}"


def read_stamp(value: str) -> str | None:
    """Return the UTCDateTime of a TIMESTAMP (RFC 6350, 4.3.5), of ISO 8601 with punctuation, or of a date; no zone means UTC."""
    match = _STAMP.match(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = dt.datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=dt.UTC)
        offset = _OFFSET.match(zone or "")
        if offset:
            shift = dt.timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
            moment = moment - shift if offset[1] == "+" else moment + shift
    except (ValueError, OverflowError):
        return None
    part = (fraction or "").replace(",", ".").rstrip("0").rstrip(".")
    return f"{moment.replace(tzinfo=None).isoformat()}{part}Z"


def write_stamp(utc: object, *, dashes: bool = False) -> str:
    """Return a TIMESTAMP for a UTCDateTime; empty for other values and for fractions of a second."""
    match = _UTC.match(utc) if isinstance(utc, str) else None
    if match is None:
        return ""
    return match[0] if dashes else "{}{}{}T{}{}{}Z".format(*match.groups())


def read_zone(value: str) -> str | None:
    """Return the name of a time zone for a TZ value; None if it has no name (RFC 9555, 2.8.2)."""
    match = _OFFSET.match(value)
    if match is None:
        return value if _ZONE.match(value) else None
    hours = int(match[1] + match[2])
    if int(match[3] or 0) or not -12 <= hours <= 14:  # noqa: PLR2004 (the limits are the RFC's)
        return None
    return "Etc/UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"
