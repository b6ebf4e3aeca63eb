"""Decode JSON of a server: UTF-8 with or without a byte order mark, of bounded size and depth."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from jmapsync.jmap.bounds import VALUES

__all__ = ["DEPTH", "DecodeError", "TooManyValuesError", "check_json", "decode_json", "decode_unchecked"]

T = TypeVar("T")

DecodeError = msgspec.DecodeError


class TooManyValuesError(DecodeError):
    """It has more values than any valid response: decoding it would exhaust memory, and repairing it would take minutes."""


DEPTH = 100
"""Levels of arrays within arrays, or objects within objects. JMAP objects have far fewer; a recursive parser fails at about 900."""
_MARKS = b'[]{},"'
_OTHER_OCTETS = bytes(octet for octet in range(256) if octet not in _MARKS)
_STEPS = [{"[": 1, "{": 1, "]": -1, "}": -1}.get(chr(octet), 0) for octet in range(256)]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_STRINGS = re.compile(rb'"[^"]*"')


def decode_json(body: bytes, type_: type[T] | Any = Any) -> T:  # noqa: ANN401  # as msgspec's own
    """Return decoded JSON as a type; raise `DecodeError` for another shape, and for what is nested too deep.

    RFC 8259, section 8.1, lets a reader ignore a byte order mark.
    """
    check_json(body)
    decoded: T = decode_unchecked(body, type_)
    return decoded


def decode_unchecked(body: bytes, type_: type[T] | Any = Any) -> T:  # noqa: ANN401  # as msgspec's own
    """Return decoded JSON that `check_json` has passed, or that has only values of known types; raise `DecodeError`."""
    try:
        decoded: T = msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK), type=type_)
    except RecursionError as error:
        raise DecodeError("nested too deep") from error
    return decoded


def check_json(body: bytes) -> None:
    """Raise `DecodeError` for JSON with too many values or too many levels."""
    opening = body.count(b"[") + body.count(b"{")
    if opening > DEPTH or opening + body.count(b",") > VALUES:
        _check(_without_strings(body))


def _check(marks: bytes) -> None:
    """Raise `DecodeError` for too many values or too many levels, without recursion."""
    if sum(marks.count(mark) for mark in (b",", b"[", b"{")) > VALUES:
        raise TooManyValuesError(f"more than {VALUES:,} values")
    if max(accumulate(map(_STEPS.__getitem__, marks.replace(b",", b""))), default=0) > DEPTH:
        raise DecodeError(f"nested deeper than {DEPTH} levels")


def _without_strings(body: bytes) -> bytes:
    """Return the brackets and commas that are outside strings: messages that come as text have many."""
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER_OCTETS)
    return _STRINGS.sub(b"", bare.replace(b'""', b""))
