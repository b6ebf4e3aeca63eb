"""Split and build content lines: folding, parameters, text values (RFC 6350, 3.2 to 3.4; RFC 5545, 3.1 to 3.3; RFC 6868).

The lines of vCard and iCalendar have one grammar; the files around them are read by vcard.lines and ical.lines. The tokenizers of
vobject and icalendar are not used: vobject unfolds text only after the octets were decoded, turns `_` in names into `-` and splits
quoted parameter values; icalendar takes twenty times as long for a usual event (7.3: 930 us to 49) and drops malformed lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Params = dict[str, list[str]]
"""Decoded parameter values by name: the names are in lower case for vCard, in upper case for iCalendar."""
WIDTH = 75
"""Octets of a line before it is folded, its line break not counted."""
BOM = b"\xef\xbb\xbf"
_LEADING, _CONTINUATION = 0xC0, 0x80
"""Mask and value of the octets of a UTF-8 character after the first."""
_HEAD = re.compile(r'((?:[^":]|"[^"]*")*):')
_PARAM = re.compile(r'(?:^|;)((?:[^";]|"[^"]*")*)')
_VALUE = re.compile(r'\s*"([^"]*)"[^,]*(?:,|\Z)|([^,]*)(?:,|\Z)')
_CARET = re.compile(r"\^[n^']")
_DECODED = {"^n": "\n", "^^": "^", "^'": '"'}
_ENCODE = re.compile(r"[\^\"\n]|\r\n?")
_ENCODED = {"\n": "^n", "\r": "^n", "\r\n": "^n", "^": "^^", '"': "^'"}
_QUOTED = re.compile(r"[:;,]|\A\s|\s\Z")
_PLAIN = re.compile(r"[A-Za-z0-9/_.+-]+")
"""A value of a parameter without quotes."""
_ALWAYS_QUOTED = frozenset({"JSCOMPS", "JSPTR"})
"""Parameters that RFC 9555 defines with a quoted value."""
_ESCAPE = re.compile(r"[\\,;\n]|\r\n?")
_ESCAPED = {"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n", "\r": "\\n", "\r\n": "\\n"}
_UNESCAPE = re.compile(r"\\([\\,;nN])")
_UNESCAPE_COLON = re.compile(r"\\([\\,;:nN])")


class Line(NamedTuple):
    """One unfolded content line."""

    name: str
    """In upper case."""
    value: str
    """As in the file, escapes included."""
    params: Params
    group: str = ""
    """vCard only (RFC 6350, 3.3)."""


def unfold(octets: bytes) -> bytes:
    r"""Return a file whose line breaks are `\n` without its folds. A fold may lie within a character: decode afterwards."""
    return octets.replace(b"\n ", b"").replace(b"\n\t", b"")


def fold(line: str) -> str:
    """Return a line folded at 75 octets, never within a character; the space that begins a continuation is one of them."""
    if line.isascii():
        if len(line) <= WIDTH:
            return line
        return "\r\n ".join([line[:WIDTH], *[line[at : at + WIDTH - 1] for at in range(WIDTH, len(line), WIDTH - 1)]])
    octets = line.encode("utf-8", "surrogatepass")
    if len(octets) <= WIDTH:
        return line
    pieces = []
    start, room = 0, WIDTH
    while len(octets) - start > room:
        end = start + room
        while octets[end] & _LEADING == _CONTINUATION:
            end -= 1
        pieces.append(octets[start:end])
        start, room = end, WIDTH - 1
    pieces.append(octets[start:])
    return b"\r\n ".join(pieces).decode("utf-8", "surrogatepass")


def cut(line: str) -> tuple[str, str, str]:
    """Return the name, the parameters and the value of an unfolded line, uninterpreted. Raise ValueError, saying what it lacks.

    >>> cut('item1.TEL;TYPE="a:b",c:+1 2')
    ('item1.TEL', 'TYPE="a:b",c', '+1 2')
    """
    head, colon, value = line.partition(":")
    if not colon:
        raise ValueError("has no colon")
    if '"' in head:
        match = _HEAD.match(line)
        if match is None:
            raise ValueError("has a quotation mark that is not closed")
        head, value = match[1], line[match.end() :]
    name, _, params = head.partition(";")
    return name, params, value


def read_params(text: str, *, decode: bool = True) -> Iterator[tuple[str, list[str] | None]]:
    """Yield names and values of the parameters that `cut` returned; without an equals sign, the values are None.

    `decode` undoes the caret encoding of RFC 6868.

    >>> list(read_params("TYPE=home,work;PREF"))
    [('TYPE', ['home', 'work']), ('PREF', None)]
    """
    for item in _PARAM.findall(text) if '"' in text else text.split(";"):
        name, equals, listed = item.partition("=")
        if not equals:
            yield name, None
        elif '"' in listed or "^" in listed:
            yield name, read_values(listed, decode=decode)
        else:
            yield name, listed.split(",")


def read_values(listed: str, *, decode: bool = True) -> list[str]:
    """Return the values of one parameter."""
    if '"' in listed:
        values = [match[1] if match[1] is not None else match[2] for match in _VALUE.finditer(listed) if match[0]]
    else:
        values = listed.split(",")
    return [_CARET.sub(_decoded, value) for value in values] if decode and "^" in listed else values


def write_params(params: Mapping[str, str | list[str]]) -> str:
    """Return parameters as they follow the name of a line, quoted where needed.

    >>> write_params({"TYPE": ["home", "work"], "ALTID": "a:b"})
    ';TYPE=home,work;ALTID="a:b"'
    """
    return "".join([f";{(name := key.upper())}={_listed(name, values)}" for key, values in params.items()])


def _listed(name: str, values: str | list[str]) -> str:
    if isinstance(values, str):
        values = [values]
    if len(values) == 1 and _PLAIN.fullmatch(values[0]) and name not in _ALWAYS_QUOTED:
        return values[0]
    texts = [_ENCODE.sub(_encoded, value) for value in values]
    empty = "" if len(values) == 1 else '""'
    return ",".join([f'"{text}"' if name in _ALWAYS_QUOTED or _QUOTED.search(text) else text or empty for text in texts])


def escape(text: str) -> str:
    """Return a text as a TEXT value; a line break of any kind becomes an escaped LF."""
    return text if text.isalnum() else _ESCAPE.sub(_escaped, text)


def unescape(value: str, *, colon: bool = False) -> str:
    r"""Return the text of a TEXT value; unknown escapes are kept. With `colon`, `\:` is a colon: Apple writes it in vCards."""
    return (_UNESCAPE_COLON if colon else _UNESCAPE).sub(_unescaped, value) if "\\" in value else value


def split(value: str, separator: str) -> list[str]:
    r"""Return the parts of a value between separators that are not escaped; the parts are still escaped, and may be empty.

    >>> split(r"a\,b,c", ",")
    ['a\\,b', 'c']
    """
    if "\\" not in value:
        return value.split(separator)
    parts, start, at = [], 0, 0
    while at < len(value):
        character = value[at]
        if character == "\\":
            at += 2
            continue
        if character == separator:
            parts.append(value[start:at])
            start = at + 1
        at += 1
    parts.append(value[start:])
    return parts


def _decoded(match: re.Match[str]) -> str:
    return _DECODED[match[0]]


def _encoded(match: re.Match[str]) -> str:
    return _ENCODED[match[0]]


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPED[match[0]]


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]
