"""Read the body of a message as a tree of parts, and what RFC 8621, section 4.1.4, makes of it."""

from __future__ import annotations

import base64
import binascii
import email.message
import email.utils
import html
import itertools
import quopri
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jmapsync.demo.content import blob_id_of
from jmapsync.demo.message.headers import Fields, as_text, read_property, split_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo.problems import JsonObject

BODY_PROPERTIES = ("partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location")
"""What is given of a body part where nothing is said (section 4.2)."""

_DEEPEST = 50
_TAG = re.compile(r"<[^>]*>")
_STYLE = re.compile(r"<(style|script|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_PREVIEW = 256


@dataclass
class Part:
    """One body part; `raw` is its body as transferred."""

    fields: Fields
    raw: bytes
    part_id: str | None = None
    sub_parts: list[Part] | None = None
    content: bytes = field(init=False, default=b"")
    """Its body with the transfer encoding undone; of a multipart, nothing."""

    def __post_init__(self) -> None:
        """Read what the header says of the body."""
        kind = self._parameters("content-type")
        self.type = kind.get_content_type() if self._value("content-type") is not None else "text/plain"
        self.is_multipart = self.type.startswith("multipart/")
        charset = _parameter(kind, "content-type", "charset")
        self.charset = charset or ("us-ascii" if self.type.startswith("text/") else None)
        self.boundary = _parameter(kind, "content-type", "boundary")
        disposition = self._parameters("content-disposition")
        self.disposition = disposition.get_content_disposition()
        name = _parameter(disposition, "content-disposition", "filename") or _parameter(kind, "content-type", "name")
        self.name = as_text(name) if name else None
        cid = self._value("content-id")
        self.cid = cid.strip().strip("<>") if cid is not None else None
        language = self._value("content-language")
        self.language = [one.strip() for one in language.split(",")] if language is not None else None
        location = self._value("content-location")
        self.location = "".join(location.split()) if location is not None else None

    def decode(self) -> None:
        """Undo the transfer encoding of the body."""
        encoding = (self._value("content-transfer-encoding") or "").strip().lower()
        if encoding == "base64":
            try:
                self.content = base64.b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", self.raw) + b"==")
            except binascii.Error:
                self.content = self.raw
        else:
            self.content = quopri.decodestring(self.raw) if encoding == "quoted-printable" else self.raw

    def show(self, names: list[str]) -> JsonObject:
        """Return the part as the wire has it."""
        whole: dict[str, Any] = {
            "partId": self.part_id,
            "blobId": None if self.is_multipart else blob_id_of(self.content),
            "size": 0 if self.is_multipart else len(self.content),
            "name": self.name,
            "type": self.type,
            "charset": self.charset,
            "disposition": self.disposition,
            "cid": self.cid,
            "language": self.language,
            "location": self.location,
        }
        shown: JsonObject = {}
        for name in names:
            if name == "headers":
                shown[name] = [{"name": own, "value": value} for own, value in self.fields]
            elif name == "subParts":
                shown[name] = None if self.sub_parts is None else [part.show(names) for part in self.sub_parts]
            else:
                shown[name] = read_property(self.fields, name) if name.startswith("header:") else whole[name]
        return shown

    def text(self) -> tuple[str, bool]:
        """Return the body as text with plain line feeds, and whether it could not be decoded without loss."""
        charset = (self.charset or "us-ascii").lower()
        charset = "utf-8" if charset in {"us-ascii", "ascii"} and not self.content.isascii() else charset
        try:
            text, problem = self.content.decode(charset), False
        except (LookupError, UnicodeError):
            text, problem = self.content.decode("utf-8", "replace"), True
        return text.replace("\r\n", "\n"), problem

    def leaves(self) -> Iterator[Part]:
        """Yield the part itself, or, of a multipart, those within it at any depth."""
        if self.sub_parts is None:
            yield self
            return
        for part in self.sub_parts:
            yield from part.leaves()

    def _value(self, name: str) -> str | None:
        return next((value for own, value in reversed(self.fields) if own.lower() == name), None)

    def _parameters(self, name: str) -> email.message.Message:
        parsed = email.message.Message()
        if (value := self._value(name)) is not None:
            parsed[name] = " ".join(value.split())
        return parsed


def _parameter(header: email.message.Message, field: str, name: str) -> str | None:
    """Return a parameter of a field, decoded (RFC 2231); None without one, or where the parameters are invalid."""
    try:
        value = header.get_param(name, header=field)
        return None if value is None else email.utils.collapse_rfc2231_value(value)
    except (LookupError, TypeError, ValueError):  # TypeError: from continuations of which some have no number
        return None


@dataclass(frozen=True)
class Body:
    """A message's parts, in the three lists that clients show."""

    structure: Part
    text: list[Part]
    html: list[Part]
    attachments: list[Part]

    @property
    def has_attachment(self) -> bool:
        """Whether there is an attachment that is not shown inside of the text."""
        return any(part.disposition != "inline" or part.cid is None for part in self.attachments)

    def preview(self) -> str:
        """Return the start of the text, at most 256 characters."""
        for part in self.text:
            text, _ = part.text()
            if part.type == "text/html":
                text = html.unescape(_TAG.sub(" ", _STYLE.sub(" ", text)))
            if words := " ".join(text.split()):
                return words[:_PREVIEW]
        return ""

    def values(self, parts: list[Part], most: int) -> JsonObject:
        """Return the texts of parts by their ids, cut at `most` octets of UTF-8 (0: not at all)."""
        values = {}
        for part in parts:
            if not part.type.startswith("text/") or part.part_id is None:
                continue
            text, problem = part.text()
            cut = bool(most) and len(text.encode()) > most
            if cut:
                text = text.encode()[:most].decode("utf-8", "ignore")
            values[part.part_id] = {"value": text, "isEncodingProblem": problem, "isTruncated": cut}
        return values


@dataclass
class _Shown:
    """The lists that parts are added to at one place of the tree; None: not to that one."""

    text: list[Part] | None
    html: list[Part] | None


def read_message(data: bytes) -> Body:
    """Return the body of a message."""
    structure = _read_part(data, 0)
    for number, part in enumerate(structure.leaves(), 1):
        part.part_id = str(number)
    body = Body(structure, [], [], [])
    _sort_out([structure], "mixed", body, _Shown(body.text, body.html), in_alternative=False)
    return body


def split_message(data: bytes) -> tuple[bytes, bytes]:
    """Return the header and the body of a message or part."""
    if data.startswith(b"\r\n"):
        return b"", data[2:]
    header, _, body = data.partition(b"\r\n\r\n")
    return header, body


def _read_part(data: bytes, depth: int) -> Part:
    header, body = split_message(data)
    part = Part(split_fields(header), body)
    if part.is_multipart and part.boundary and depth < _DEEPEST:
        part.sub_parts = [_read_part(one, depth + 1) for one in _split_parts(body, part.boundary)]
    elif part.is_multipart:
        part.sub_parts = []
    else:
        part.decode()
    return part


def _split_parts(body: bytes, boundary: str) -> list[bytes]:
    """Return what stands between the lines of a boundary."""
    mark = re.escape(b"--" + boundary.encode("utf-8", "replace"))
    found = list(re.finditer(rb"(?:^|(?<=\n))" + mark + rb"(--)?[ \t]*(?:\r?\n|$)", body))
    pieces = []
    for here, there in itertools.zip_longest(found, found[1:]):
        if here[1]:
            break
        piece = body[here.end() : len(body) if there is None else there.start()]
        if there is not None:
            piece = piece[:-2] if piece.endswith(b"\r\n") else piece.removesuffix(b"\n")
        pieces.append(piece)
    return pieces


def _sort_out(parts: list[Part], kind: str, body: Body, shown: _Shown, *, in_alternative: bool) -> None:
    """Put parts on the lists, as the algorithm of section 4.1.4 says; `kind` is the subtype of the multipart they are in."""
    before = [None if one is None else len(one) for one in (shown.text, shown.html)]
    shown = replace(shown)
    for index, part in enumerate(parts):
        if part.sub_parts is not None:
            inner = part.type.partition("/")[2]
            _sort_out(part.sub_parts, inner, body, shown, in_alternative=in_alternative or inner == "alternative")
        elif not _is_shown(part, index, kind):
            body.attachments.append(part)
        elif kind == "alternative":
            own = {"text/plain": shown.text, "text/html": shown.html}.get(part.type, body.attachments)
            (body.attachments if own is None else own).append(part)
        else:
            _show(part, body, shown, in_alternative=in_alternative)
    if kind == "alternative" and shown.text is not None and shown.html is not None:
        if before[0] == len(shown.text):
            shown.text.extend(shown.html[before[1] :])
        elif before[1] == len(shown.html):
            shown.html.extend(shown.text[before[0] :])


def _is_shown(part: Part, index: int, kind: str) -> bool:
    """Return whether a part is displayed with the text: in multipart/related only the first, and no later text part with a name."""
    is_media = part.type.partition("/")[0] in {"image", "audio", "video"}
    if part.disposition == "attachment" or not (is_media or part.type in {"text/plain", "text/html"}):
        return False
    return index == 0 or (kind != "related" and (is_media or not part.name))


def _show(part: Part, body: Body, shown: _Shown, *, in_alternative: bool) -> None:
    """Add a part to the texts; among alternatives, plain text ends what belongs to the HTML, and HTML the plain text."""
    if in_alternative and part.type == "text/plain":
        shown.html = None
    elif in_alternative and part.type == "text/html":
        shown.text = None
    lists = [one for one in (shown.text, shown.html) if one is not None]
    for one in lists:
        one.append(part)
    if len(lists) < 2 and not part.type.startswith("text/"):  # noqa: PLR2004 - it is missing from one of the two
        body.attachments.append(part)
