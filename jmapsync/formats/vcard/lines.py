"""Read and write the lines of a vCard file (RFC 6350, 3.2; RFC 2426; vCard 2.1), losing nothing.

The syntax of vCard 2.1 (bare types, QUOTED-PRINTABLE, CHARSET, commas that do not separate) becomes that of 3.0 while reading.
Tolerated: a byte order mark, LF or CR alone, blank lines, a missing last line break, spaces around names.
"""

from __future__ import annotations

import binascii
import quopri
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from jmapsync.formats.contentline import BOM, WIDTH, Line, Params, cut, escape, fold, read_params, read_values, unfold, write_params
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_MARK = 15
"""Characters of a line that may begin or end a card, with room for spaces."""
_VERSION_21 = re.compile(rb"^VERSION[ \t]*:[ \t]*2\.1[ \t]*$", re.IGNORECASE | re.MULTILINE)
_BLANKS = re.compile(rb"\n+(?=[ \t]+[^ \t\n])")
"""Blank lines within a folded value, as some programs leave with CR CR LF."""
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_GROUP = re.compile(r"[A-Za-z0-9_.-]+\Z")
_CHARSET = re.compile(rb"[^:]*;CHARSET=([^;:]+)", re.IGNORECASE)
_BARE_21 = re.compile(r"\\(?!;)|,|\r\n?|\n")
_ESCAPED_21 = {"\\": "\\\\", ",": "\\,", "\r\n": "\\n", "\r": "\\n", "\n": "\\n"}
_LONGEST_CACHED = 50
"""Characters of a name, its group included, that is worth remembering."""
_ENCODINGS = frozenset({"7BIT", "8BIT", "QUOTED-PRINTABLE", "BASE64", "B"})
_TYPES = frozenset(
    {
        *("home", "work", "pref", "voice", "fax", "msg", "cell"),
        *("pager", "bbs", "modem", "car", "isdn", "video", "internet"),
    }
)
"""Values of TYPE that vCard 2.1 has without its name."""
_KINDS = frozenset({"INLINE", "CONTENT-ID", "CID", "URL"})


def read_lines(data: bytes) -> list[Line]:
    """Return the lines between BEGIN:VCARD and END:VCARD, decoded; of encodings, only base64 keeps its parameter.

    Raise MalformedError, with the number of the line, for a file that is not exactly one vCard.
    """
    octets = data.removeprefix(BOM)
    if b"\r" in octets:
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n\n" in octets:
        octets = _BLANKS.sub(b"\n", octets)
    old = b"2.1" in octets and _VERSION_21.search(octets) is not None
    texts = _unfolded(octets, old=old)
    lines: list[Line] = []
    number = _begin(texts, octets)
    while number < len(texts):
        text = texts[number]
        number += 1
        if not text or text.isspace():
            continue
        mark = text.strip().upper() if len(text) <= _LONGEST_MARK else ""
        if mark == "END:VCARD":
            _end(texts, number, octets)
            return lines
        if mark == "BEGIN:VCARD":
            number = _embed(texts, number, lines, octets)
            continue
        if text[-1] == "=" and "QUOTED-PRINTABLE" in text.partition(":")[0].upper():
            while text[-1:] == "=" and number < len(texts) and texts[number].strip().upper() != "END:VCARD":
                text = text[:-1] + texts[number]
                number += 1
        try:
            lines.append(_line(text, old=old))
        except ValueError as fault:
            raise _malformed(octets, number, str(fault)) from None
    raise MalformedError("The file ends before END:VCARD: it is cut short.")


def _unfolded(octets: bytes, *, old: bool) -> list[str]:
    """Return the lines without folds. A line of vCard 2.1 keeps the white space that it is folded at."""
    unfolded = octets.replace(b"\n ", b" ").replace(b"\n\t", b"\t") if old else unfold(octets)
    try:
        return unfolded.decode().split("\n")
    except UnicodeDecodeError:
        return [_decoded(raw, number, octets) for number, raw in enumerate(unfolded.split(b"\n"), 1)]


def _decoded(raw: bytes, number: int, octets: bytes) -> str:
    """Return the text of a line in a file that is not UTF-8 as a whole: a line of vCard 2.1 may name its own character set."""
    named = _CHARSET.match(raw)
    for charset in ("utf-8", named[1].decode("ascii", "replace") if named else ""):
        try:
            return raw.decode(charset or "utf-8")
        except (LookupError, ValueError):
            continue
    raise _malformed(octets, number, "is not UTF-8 text")


def _begin(texts: list[str], octets: bytes) -> int:
    """Return the number of lines up to and including BEGIN:VCARD."""
    for number, text in enumerate(texts, 1):
        if text and not text.isspace():
            if text.strip().upper() != "BEGIN:VCARD":
                raise _malformed(octets, number, "should be BEGIN:VCARD: this is no vCard")
            return number
    raise MalformedError("The file is empty: it has no BEGIN:VCARD.")


def _end(texts: list[str], start: int, octets: bytes) -> None:
    for number, text in enumerate(texts[start:], start + 1):
        if text and not text.isspace():
            raise _malformed(octets, number, "comes after the end of the vCard: a file holds one vCard only")


def _embed(texts: list[str], start: int, lines: list[Line], octets: bytes) -> int:
    """Put a nested card (AGENT of vCard 2.1) into its line as one text value, as in vCard 3.0; return where it ends."""
    if not lines or lines[-1].name != "AGENT" or lines[-1].value.strip():
        raise _malformed(octets, start, "begins another vCard: a file holds one vCard only")
    depth = 0
    for number in range(start - 1, len(texts)):
        mark = texts[number].strip().upper()
        depth += (mark == "BEGIN:VCARD") - (mark == "END:VCARD")
        if depth == 0:
            inner = "".join([f"{line}\n" for line in texts[start - 1 : number + 1]])
            lines[-1] = lines[-1]._replace(value=escape(inner))
            return number + 1
    raise MalformedError("The file ends before END:VCARD: it is cut short.")


def write_lines(lines: Iterable[Line]) -> bytes:
    """Return lines as UTF-8, folded at 75 octets, each ended by CRLF. Raise MalformedError for text that UTF-8 cannot encode."""
    texts = []
    for name, value, params, group in lines:
        head = f"{group}.{name}" if group else name
        text = f"{head}{write_params(params)}:{value}" if params else f"{head}:{value}"
        if "\n" in text or "\r" in text:
            raise MalformedError(f"The property {name[:40]!r} holds a line end where none can be.")
        texts.append(text if len(text) <= WIDTH and text.isascii() else fold(text))
    texts.append("")
    try:
        return "\r\n".join(texts).encode()
    except UnicodeEncodeError:
        raise MalformedError("The card holds half a character (a lone surrogate), which no file can hold.") from None


def is_line(text: str) -> bool:
    """Return whether an unfolded text is a content line."""
    try:
        _line(text, old=False)
    except ValueError:
        return False
    return True


def _line(text: str, *, old: bool) -> Line:
    """Read one unfolded line. Raise ValueError, saying what is wrong with it."""
    head, colon, value = text.partition(":")
    if colon and '"' not in head and len(head) <= _LONGEST_CACHED:
        name, group, found = _head(head, old)
        params = {**found}
    else:
        name, listed, value = cut(text)
        params = _params(listed, old)
        name, group = _name_of(name) if len(name) <= _LONGEST_CACHED else _name_of.__wrapped__(name)
    if params and ("encoding" in params or "charset" in params):
        value = _transferred(value, params)
    if old and name != "CATEGORIES" and "encoding" not in params:
        value = _BARE_21.sub(_escape_21, value)
    elif "\n" in value:
        value = value.replace("\n", "\\n")
    return Line(name, value, params, group)


@lru_cache(maxsize=1024)  # all cards have the same few
def _head(text: str, old: bool) -> tuple[str, str, Params]:
    """Return name, group and parameters of what stands before the colon of a line. Raise ValueError for an invalid name."""
    name, _, listed = text.partition(";")
    return (*_name_of(name), _params(listed, old))


@lru_cache(maxsize=1024)
def _name_of(text: str) -> tuple[str, str]:
    """Return the name of a line in upper case, and its group. Raise ValueError for one that no property can have."""
    group, _, name = text.rpartition(".")
    name, group = name.strip().upper(), group.strip()
    if not _NAME.match(name) or (group and not _GROUP.match(group)):
        raise ValueError("has a name that no property can have")
    return name, group


def _params(listed: str, old: bool) -> Params:
    params: Params = {}
    if listed:
        _read_params(listed, params, decode=not old)
    return params


def _read_params(text: str, params: Params, *, decode: bool) -> None:
    for name, values in read_params(text, decode=decode):
        key = name.strip().lower()
        if not key:
            continue
        if values is None:
            bare = key.upper()
            values = read_values(name.strip(), decode=decode)  # noqa: PLW2901 # vCard 2.1 has values without a name
            key = "encoding" if bare in _ENCODINGS else "value" if bare in _KINDS else "type"
        if values == [""] and key in _TYPES:
            values, key = [key], "type"  # noqa: PLW2901 # TEL;CELL=:1 of Nextcloud
        if key in params:
            params[key] += values
        else:
            params[key] = values


def _escape_21(match: re.Match[str]) -> str:
    return _ESCAPED_21[match[0]]


def _transferred(value: str, params: Params) -> str:
    """Decode QUOTED-PRINTABLE and CHARSET, and remove their parameters; base64 stays, as `encoding=b`."""
    encoding = params.pop("encoding", [""])[-1].strip().upper()
    charset = params.pop("charset", ["utf-8"])[-1].strip() or "utf-8"
    if encoding in {"BASE64", "B"}:
        params["encoding"] = ["b"]
    elif encoding == "QUOTED-PRINTABLE":
        octets = quopri.decodestring(value.encode())
        try:
            value = octets.decode(charset)
        except (LookupError, ValueError, binascii.Error):
            raise ValueError(f"is not text in {charset}") from None
    elif encoding not in {"", "7BIT", "8BIT"}:
        params["encoding"] = [encoding]
    return value


def _malformed(octets: bytes, logical: int, complaint: str) -> MalformedError:
    """Return the error for a line, counted from 1 after unfolding, with its number in the file."""
    seen = 0
    for number, line in enumerate(octets.split(b"\n"), 1):
        seen += number == 1 or line[:1] not in {b" ", b"\t"}
        if seen == logical:
            return MalformedError(f"Line {number} {complaint}.")
    return MalformedError(f"The last line {complaint}.")
