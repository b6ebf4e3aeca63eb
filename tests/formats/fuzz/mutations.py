"""Corrupt files and objects as programs, disks and transfers do, and worse."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

MOST = 200_000
"""Octets that a spoilt file has at most."""
TEXTS = [
    *[
        "",
        " ",
        "\x00",
        "\r",
        "\n",
        "\\",
        "\\\\",
        "\\n",
        '"',
        "^",
        "^n",
        ",",
        ";",
        ":",
        "/",
        "~",
        "~1",
        "*",
        "-",
        "é",
        "漢",
        "😀",
        "\u2028",
    ],
    *["\x85", "\ufeff", "\x1f", "a/b", "../../etc/passwd", "x" * 300, "9" * 30, "9" * 5000, "-1", "1e999", "nan", "true", "null"],
    *["P0D", "PT", "P99999999999D", "-P1W", "PT1.5S", "P1Y", "+PT99999999999999H", "2026-01-01T00:00:00", "0000-01-01T00:00:00"],
    *["9999-12-31T23:59:59", "2026-02-30T00:00:00", "2026-01-01T00:00:00Z", "99999-01-01T00:00:00", "00000101", "20261301T250000"],
    *[
        "00000101T000000Z",
        "99991231T235959Z",
        "20260229",
        "20260101T000000Z/PT1H",
        "20260101T000000,20260102",
        "Europe/Berlin",
        "/x/y",
    ],
    *[
        "Nowhere/Land",
        "Etc/GMT+99",
        "UTC",
        "data:;base64,AAAA",
        "data:image/png;base64,%%",
        "data:,",
        "urn:uuid:x",
        "mailto:",
        "geo:1,2",
    ],
    *[
        "geo:999999999999999999999,nan",
        "tel:",
        "FREQ=DAILY",
        "FREQ=SECONDLY;INTERVAL=1",
        "FREQ=YEARLY;BYMONTH=13;UNTIL=99991231T235959Z",
    ],
    *[
        "FREQ=DAILY;COUNT=99999999999999999999",
        "FREQ=WEEKLY;BYDAY=99MO,-0SU,XX",
        "FREQ=X;RSCALE=HEBREW;SKIP=OMIT",
        "1;2",
        "1.5;-2.5",
        "Z",
    ],
    *[
        "-00:00",
        "+2400",
        "-9999",
        "Event",
        "Task",
        "Card",
        "Alert",
        "Location",
        "vcalendar",
        "calendars",
        "/",
        "urn:jmapsync:sha-256:0",
    ],
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    -0.0,
    1e308,
    2**63,
    10**20,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": {}},
    {"a": None},
]
PARAMETERS = [
    *[
        b"TZID=Nowhere/Land",
        b"TZID=",
        b"VALUE=DATE",
        b"VALUE=PERIOD",
        b"VALUE=URI",
        b"VALUE=X",
        b'X="',
        b'X="a"b',
        b"X=^",
        b"X",
        b"=",
    ],
    *[
        b"ENCODING=BASE64",
        b"ENCODING=b",
        b"ENCODING=QUOTED-PRINTABLE",
        b"CHARSET=utf-16",
        b"CHARSET=rot13",
        b"CHARSET=idna",
        b"CHARSET=hex",
    ],
    *[
        b"RELATED=END",
        b"RANGE=THISANDFUTURE",
        b"ALTID=1",
        b"PREF=0",
        b"PREF=x",
        b"PROP-ID=a/b",
        b"JSPTR=a~2",
        b"DERIVED=TRUE",
        b"TYPE=",
    ],
    *[
        b"JSID=a",
        b"LANGUAGE=de",
        b"JSCOMPS=;0;9,9",
        b"PHONETIC=ipa",
        b"ORDER=1",
        b"LINKREL=icon",
        b"VALUE=TEXT",
        b"ALTREP=x",
        b"SIZE=x",
    ],
]
COMPONENTS = [
    b"VEVENT",
    b"VTODO",
    b"VALARM",
    b"VTIMEZONE",
    b"STANDARD",
    b"VCALENDAR",
    b"VCARD",
    b"PARTICIPANT",
    b"VLOCATION",
    b"X-OWN",
    b"",
]
_NUMBER = re.compile(rb"\d+")


def spoil(rng: Random, data: bytes, lines: list[bytes]) -> bytes:
    """Return a file with one to eight faults; `lines` are such as others of its kind have."""
    rows = re.split(rb"\r\n|\n", data)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        if not rows:
            break
        rng.choice(_OF_LINES)(rng, rows, lines)
    data = rng.choices((b"\r\n", b"\n", b"\r", b"\r\r\n"), (8, 3, 1, 1))[0].join(rows)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        data = rng.choice(_OF_OCTETS)(rng, data)
    return data[:MOST]


def _at(rng: Random, rows: list[bytes]) -> int:
    return rng.randrange(len(rows))


def _drop(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    at = _at(rng, rows)
    del rows[at : at + rng.choice((1, 1, 1, 2, 5))]


def _double(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    begin, length = _at(rng, rows), rng.choice((1, 1, 1, 3, 10))
    rows[begin:begin] = rows[begin : begin + length] * rng.choice((1, 1, 1, 2, 300))


def _swap(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    one, other = _at(rng, rows), _at(rng, rows)
    rows[one], rows[other] = rows[other], rows[one]


def _put(rng: Random, rows: list[bytes], lines: list[bytes]) -> None:
    at = _at(rng, rows)
    rows[at:at] = rng.choices(lines, k=rng.choice((1, 1, 2, 4)))


def _value(rng: Random, rows: list[bytes], lines: list[bytes]) -> None:
    at, other = _at(rng, rows), rng.choice(lines if rng.random() < 0.5 else rows)
    new = other.partition(b":")[2] if rng.random() < 0.5 else rng.choice(TEXTS).encode()
    rows[at] = rows[at].partition(b":")[0] + b":" + new


def _name(rng: Random, rows: list[bytes], lines: list[bytes]) -> None:
    at, other = _at(rng, rows), rng.choice(lines)
    rows[at] = re.split(rb"[:;]", other)[0] + rows[at][len(re.split(rb"[:;]", rows[at])[0]) :]


def _parameter(rng: Random, rows: list[bytes], lines: list[bytes]) -> None:
    at = _at(rng, rows)
    head, colon, value = rows[at].partition(b":")
    parts = head.split(b";")
    how = rng.random()
    if how < 0.5:
        parts.insert(rng.randint(1, len(parts)), rng.choice(PARAMETERS))
    elif how < 0.7:
        parts[1:] = rng.choice(lines).partition(b":")[0].split(b";")[1:]
    elif len(parts) > 1:
        chosen = rng.randrange(1, len(parts))
        parts[chosen] = rng.choice((b"", parts[chosen].partition(b"=")[0] + b"=" + rng.choice(TEXTS).encode(), parts[chosen] * 2))
    rows[at] = b";".join(parts) + colon + value


def _number(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    numbered = [at for at, row in enumerate(rows) if _NUMBER.search(row)]
    if not numbered:
        return
    at = rng.choice(numbered)
    match = rng.choice(list(_NUMBER.finditer(rows[at])))
    new = rng.choice((b"0", b"00000000", b"-1", b"9999", b"99991231", b"9" * 30, b"9" * 5000, b"", b"00010101", b"13", b"60"))
    rows[at] = rows[at][: match.start()] + new + rows[at][match.end() :]


def _text(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    at = _at(rng, rows)
    place = rng.randint(0, len(rows[at]))
    rows[at] = rows[at][:place] + rng.choice(TEXTS).encode() + rows[at][place:]


def _nest(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    name, depth, at = rng.choice(COMPONENTS), rng.choice((1, 1, 1, 2, 10, 500)), _at(rng, rows)
    end = rng.randint(at, min(len(rows), at + 10)) if rng.random() < 0.8 else at
    rows[at:end] = [*[b"BEGIN:" + name] * depth, *rows[at:end], *[b"END:" + name] * (depth if rng.random() < 0.7 else 0)]


def _cut(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    at = _at(rng, rows)
    rows[at] = rows[at][: rng.randint(0, len(rows[at]))]


def _fold(rng: Random, rows: list[bytes], _: list[bytes]) -> None:
    at = _at(rng, rows)
    place = rng.randint(0, len(rows[at]))
    rows[at : at + 1] = [rows[at][:place], rng.choice((b" ", b"\t", b"  ", b"\n ", b"=")) + rows[at][place:]]


def _halve(rng: Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _octet(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    new = rng.choice(
        (b"\x00", b"\r", b"\n", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8", b"\x85", b"\xe2\x80\xa8", bytes([rng.randrange(256)]))
    )
    return data[:place] + new * rng.choice((1, 1, 1, 40)) + data[place + rng.randint(0, 1) :]


def _encode(rng: Random, data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode(rng.choice(("latin-1", "utf-16", "utf-8-sig", "cp1252", "utf-7")), "replace")


def _grow(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return (
        data[:place]
        + rng.choice((b"a", b"1", b";", b",", b'"', b"\\", b"^", b"\r\n ", b"a,", b'";"', b"=", b" ")) * 20_000
        + data[place:]
    )


_OF_LINES: list[Callable[[Random, list[bytes], list[bytes]], None]] = [
    *[_drop, _double, _swap, _put, _put, _put, _value, _value, _name, _parameter, _parameter, _number, _text, _nest, _cut, _fold]
]
_OF_OCTETS: list[Callable[[Random, bytes], bytes]] = [_halve, _octet, _octet, _octet, _encode, _grow]


def spoil_object(rng: Random, item: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an object with one to eight faults; `others` are such as it may take properties of."""
    result: dict[str, Any] = copy.deepcopy(item)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        holder: Any = result
        while True:
            inside = [
                value for value in (holder.values() if isinstance(holder, dict) else holder) if isinstance(value, dict | list)
            ]
            if not inside or rng.random() < 0.3:
                break
            holder = rng.choice(inside)
        new = _json(rng, others)
        if isinstance(holder, list):
            _in_list(rng, holder, new)
        else:
            _in_object(rng, holder, new, others)
    return result


def _in_list(rng: Random, holder: list[Any], new: Any) -> None:  # noqa: ANN401 # any JSON value
    if not holder or rng.random() < 0.3:
        holder.insert(rng.randint(0, len(holder)), new)
    elif rng.random() < 0.3:
        holder *= 2
    else:
        holder[rng.randrange(len(holder))] = new


def _in_object(rng: Random, holder: dict[str, Any], new: Any, others: list[dict[str, Any]]) -> None:  # noqa: ANN401 # any JSON value
    names = list(holder)
    how = rng.random()
    if not names or how < 0.2:
        holder[rng.choice(TEXTS)] = new
    elif how < 0.4:
        holder.update(copy.deepcopy(dict(rng.choices(list(rng.choice(others).items()), k=2))))
    elif how < 0.55:
        del holder[rng.choice(names)]
    elif how < 0.65:
        holder[rng.choice(TEXTS)] = holder.pop(rng.choice(names))
    elif how < 0.75:
        holder[rng.choice(names)] = copy.deepcopy(holder[rng.choice(names)])
    else:
        holder[rng.choice(names)] = new


def _json(rng: Random, others: list[dict[str, Any]]) -> Any:  # noqa: ANN401 # any JSON value
    how = rng.random()
    if how < 0.35:
        return rng.choice(TEXTS)
    if how < 0.6:
        return copy.deepcopy(rng.choice(VALUES))
    if how < 0.65:
        return json.loads("[" * 90 + "]" * 90 if rng.random() < 0.5 else '{"a":' * 90 + "1" + "}" * 90)
    if how < 0.75:
        return [_json(rng, others) for _ in range(3)]
    found = rng.choice(others)
    return copy.deepcopy(found if how < 0.85 else rng.choice(list(found.values())))
