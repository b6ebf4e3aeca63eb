"""Read and write the content lines of a vCard file, losing nothing (RFC 6350, 3.2 to 3.4; RFC 2425, 5.8; RFC 6868).

A file is cut into lines by octets, so that a fold inside a code point does no harm; each line becomes a group, a name, parameters
and a value. What vCard 2.1 writes its own way (bare types, QUOTED-PRINTABLE, CHARSET, commas that separate nothing) is turned into
the form of 3.0 while reading, so that nobody above needs to know. Tolerated: a byte order mark, LF or CR alone, blank lines,
a missing last line end, spaces around names. Not done with vobject's tokenizer: it reads text only after the octets were decoded,
turns `_` in names into `-` and mistakes a quoted parameter value for two.
"""

from __future__ import annotations

import binascii
import quopri
import re
from typing import TYPE_CHECKING, NamedTuple

from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

Params = dict[str, list[str]]
"""Parameters by lower-case name; each value is unquoted and decoded."""


class Line(NamedTuple):
    """One content line."""

    name: str
    """In upper case."""
    value: str
    """As in the file: with its backslashes, without folds."""
    params: Params
    group: str = ""


LONGEST = 75
"""Octets of a line before it is folded, without its line end."""
LONGEST_MARK = 15
"""Characters of a line that may begin or end a card, with room for spaces."""
_LEADING, _CONTINUATION = 0xC0, 0x80
"""The bits that tell the octets of a UTF-8 code point that do not begin it."""
BOM = b"\xef\xbb\xbf"
_VERSION_21 = re.compile(rb"^VERSION[ \t]*:[ \t]*2\.1[ \t]*$", re.IGNORECASE | re.MULTILINE)
_BLANKS = re.compile(rb"\n+(?=[ \t]+[^ \t\n])")
"""Blank lines in the middle of a folded value, as some programs leave with CR CR LF."""
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_GROUP = re.compile(r"[A-Za-z0-9_.-]+\Z")
_HEAD = re.compile(r'((?:[^":]|"[^"]*")*):')
_PARAM = re.compile(r'((?:[^";]|"[^"]*")*)(?:;|\Z)')
_VALUE = re.compile(r'\s*"([^"]*)"[^,]*(?:,|\Z)|([^,]*)(?:,|\Z)')
_CARET = re.compile(r"\^[n^']")
_ENCODE = re.compile(r"[\^\"\n]|\r\n?")
_QUOTED = re.compile(r"[:;,]|\A\s|\s\Z")
_CHARSET = re.compile(rb"[^:]*;CHARSET=([^;:]+)", re.IGNORECASE)
_ESCAPED_TEXT = re.compile(r"[\\,;\n]")
_BARE_21 = re.compile(r"\\(?!;)|,|\r\n?|\n")
_DECODED = {"^n": "\n", "^^": "^", "^'": '"'}
_ENCODED = {"\n": "^n", "\r": "^n", "\r\n": "^n", "^": "^^", '"': "^'"}
_ESCAPED_21 = {"\\": "\\\\", ",": "\\,", "\r\n": "\\n", "\r": "\\n", "\n": "\\n"}
_ENCODINGS = frozenset({"7BIT", "8BIT", "QUOTED-PRINTABLE", "BASE64", "B"})
_KINDS = frozenset({"INLINE", "CONTENT-ID", "CID", "URL"})
_ALWAYS_QUOTED = frozenset({"jscomps", "jsptr"})


def read_lines(data: bytes) -> list[Line]:
    """Return the lines between BEGIN:VCARD and END:VCARD; parameters say nothing of encodings any more but for base64.

    Raises MalformedError, with the number of the line, for what is no file of one vCard.
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
        mark = text.strip().upper() if len(text) <= LONGEST_MARK else ""
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
    unfolded = octets.replace(b"\n ", b" " if old else b"").replace(b"\n\t", b"\t" if old else b"")
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
    """Return how many lines there are up to BEGIN:VCARD, with that."""
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
    """Put a card inside a card (AGENT of vCard 2.1) into its line as one text value, as vCard 3.0 has it; return where it ends."""
    if not lines or lines[-1].name != "AGENT" or lines[-1].value.strip():
        raise _malformed(octets, start, "begins another vCard: a file holds one vCard only")
    depth = 0
    for number in range(start - 1, len(texts)):
        mark = texts[number].strip().upper()
        depth += (mark == "BEGIN:VCARD") - (mark == "END:VCARD")
        if depth == 0:
            inner = "".join([f"{line}\n" for line in texts[start - 1 : number + 1]])
            lines[-1] = lines[-1]._replace(value=_ESCAPED_TEXT.sub(_escape_text, inner))
            return number + 1
    raise MalformedError("The file ends before END:VCARD: it is cut short.")


def write_lines(lines: Iterable[Line]) -> bytes:
    """Return lines as UTF-8, folded at 75 octets, each ended by CRLF. Raises MalformedError for text that UTF-8 cannot hold."""
    texts = []
    for name, value, params, group in lines:
        head = f"{group}.{name}" if group else name
        if params:
            head += "".join([f";{key.upper()}={_listed(key, values)}" for key, values in params.items()])
        text = f"{head}:{value}"
        if "\n" in text or "\r" in text:
            raise MalformedError(f"The property {name[:40]!r} holds a line end where none can be.")
        texts.append(text if len(text) <= LONGEST and text.isascii() else _folded(text))
    texts.append("")
    try:
        return "\r\n".join(texts).encode()
    except UnicodeEncodeError:
        raise MalformedError("The card holds half a character (a lone surrogate), which no file can hold.") from None


def _line(text: str, *, old: bool) -> Line:
    """Cut one unfolded line. Raises ValueError with the end of a sentence about the line."""
    head, colon, value = text.partition(":")
    if not colon:
        raise ValueError("has no colon")
    if '"' in head:
        match = _HEAD.match(text)
        if match is None:
            raise ValueError("has a quotation mark that is not closed")
        head, value = match[1], text[match.end() :]
    name, semicolon, rest = head.partition(";")
    params: Params = {}
    if semicolon:
        _read_params(rest, params, decode=not old)
    group, _, name = name.rpartition(".")
    name, group = name.strip().upper(), group.strip()
    if not _NAME.match(name) or (group and not _GROUP.match(group)):
        raise ValueError("has a name that no property can have")
    if "encoding" in params or "charset" in params:
        value = _transferred(value, params)
    if old and name != "CATEGORIES" and "encoding" not in params:
        value = _BARE_21.sub(_escape_21, value)
    elif "\n" in value:
        value = value.replace("\n", "\\n")
    return Line(name, value, params, group)


def _read_params(text: str, params: Params, *, decode: bool) -> None:
    quoted = '"' in text
    for item in _PARAM.findall(text) if quoted else text.split(";"):
        key, equals, listed = item.partition("=")
        key = key.strip().lower()
        if not key:
            continue
        if not equals:
            bare = key.upper()
            listed, key = item.strip(), "encoding" if bare in _ENCODINGS else "value" if bare in _KINDS else "type"
        if '"' in listed:
            values = [match[1] if match[1] is not None else match[2] for match in _VALUE.finditer(listed) if match[0]]
        else:
            values = listed.split(",")
        if decode and "^" in listed:
            values = [_CARET.sub(_decode, value) for value in values]
        if key in params:
            params[key] += values
        else:
            params[key] = values


def _decode(match: re.Match[str]) -> str:
    return _DECODED[match[0]]


def _encode(match: re.Match[str]) -> str:
    return _ENCODED[match[0]]


def _escape_text(match: re.Match[str]) -> str:
    return "\\n" if match[0] == "\n" else f"\\{match[0]}"


def _escape_21(match: re.Match[str]) -> str:
    return _ESCAPED_21[match[0]]


def _transferred(value: str, params: Params) -> str:
    """Undo QUOTED-PRINTABLE and CHARSET, and drop the parameters that say so; base64 stays, named `encoding=b`."""
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


def _listed(key: str, values: list[str]) -> str:
    if len(values) == 1:
        value = values[0]
        if value.isalnum() and key not in _ALWAYS_QUOTED:
            return value
    texts = [_ENCODE.sub(_encode, value) for value in values]
    alone = "" if len(values) == 1 else '""'
    return ",".join([f'"{text}"' if key in _ALWAYS_QUOTED or _QUOTED.search(text) else text or alone for text in texts])


def _folded(text: str) -> str:
    """Fold at 75 octets; the space that begins a continuation counts as one of them."""
    if text.isascii():
        return "\r\n ".join([text[:LONGEST], *[text[at : at + LONGEST - 1] for at in range(LONGEST, len(text), LONGEST - 1)]])
    octets = text.encode("utf-8", "surrogatepass")
    if len(octets) <= LONGEST:
        return text
    pieces = []
    start, room = 0, LONGEST
    while len(octets) - start > room:
        end = start + room
        while octets[end] & _LEADING == _CONTINUATION:
            end -= 1
        pieces.append(octets[start:end])
        start, room = end, LONGEST - 1
    pieces.append(octets[start:])
    return b"\r\n ".join(pieces).decode("utf-8", "surrogatepass")


def _malformed(octets: bytes, logical: int, complaint: str) -> MalformedError:
    """Return the error for a line, counted from 1 after unfolding, with the number that an editor shows."""
    seen = 0
    for number, line in enumerate(octets.split(b"\n"), 1):
        seen += number == 1 or line[:1] not in {b" ", b"\t"}
        if seen == logical:
            return MalformedError(f"Line {number} {complaint}.")
    return MalformedError(f"The last line {complaint}.")
