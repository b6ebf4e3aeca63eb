"""Build a message from the properties of an Email or of its parts (RFC 8621, section 4.6)."""

from __future__ import annotations

import base64
import datetime as dt
import email.header
import email.message
import email.utils
import itertools
import quopri
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.demo.message.headers import CONVENIENT, split_property
from jmapsync.demo.problems import JsonObject, SetError, invalid_properties

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 998  # octets of a line (RFC 5322, section 2.1.1)
_BODY = frozenset({"bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments"})
_PART = frozenset({"partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location", "subParts"})
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class _Sources:
    """What the parts of one message take their bytes from."""

    values: dict[str, JsonObject]
    blob: Callable[[str], bytes | None]


def build_message(wish: JsonObject, blob: Callable[[str], bytes | None]) -> bytes:
    """Return a message with the header fields and the body that an Email asks for; `blob` reads a blob.

    Raise SetError: `invalidProperties` that names what is at fault, or `blobNotFound`.
    """
    fields = _read_fields(wish, {name for name in wish if name not in _BODY}, "")
    if contents := [name for name in fields if name.startswith("content-")]:
        raise invalid_properties(*contents, description="A Content- field belongs to a part.")
    values = wish.get("bodyValues") or {}
    if not isinstance(values, dict) or any(not _is_value(value) for value in values.values()):
        raise invalid_properties("bodyValues")
    structure = _structure(wish)
    part = _build_part(structure, "bodyStructure", _Sources(values, blob), frozenset(fields))
    fields.setdefault("message-id", [("Message-ID", f"<{uuid.uuid4()}@demo.example.com>")])
    fields.setdefault("date", [("Date", email.utils.formatdate(time.time()))])
    fields.setdefault("mime-version", [("MIME-Version", "1.0")])
    lines = [f"{name}: {value}\r\n" for several in fields.values() for name, value in several]
    return "".join(lines).encode() + part


def _is_value(value: object) -> bool:
    """Return whether an EmailBodyValue can be written."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), str):
        return False
    marks = value.keys() - {"value"}
    return marks <= {"isEncodingProblem", "isTruncated"} and not any(value[name] for name in marks)


def _structure(wish: JsonObject) -> JsonObject:
    """Return the tree of parts, made of the lists of texts and attachments where it is not given."""
    lists = [name for name in ("textBody", "htmlBody", "attachments") if wish.get(name) is not None]
    if (given := wish.get("bodyStructure")) is not None:
        if lists or not isinstance(given, dict):
            raise invalid_properties("bodyStructure", *lists)
        return given
    texts: list[JsonObject] = []
    for name, kind in (("textBody", "text/plain"), ("htmlBody", "text/html")):
        if name in lists:
            parts = wish[name]
            if not isinstance(parts, list) or len(parts) != 1 or parts[0].get("type", "text/plain") != kind:
                raise invalid_properties(name, description=f"It is one part of the type {kind}.")
            texts.append({"type": kind, **parts[0]})
    attached = wish.get("attachments") or []
    if not isinstance(attached, list):
        raise invalid_properties("attachments")
    text = texts[0] if len(texts) == 1 else {"type": "multipart/alternative", "subParts": texts}
    attached = [{"disposition": "attachment", **one} for one in attached]
    if not texts and not attached:
        return {"type": "text/plain"}
    return {"type": "multipart/mixed", "subParts": ([text] if texts else []) + attached} if attached else text


def _read_fields(values: JsonObject, names: set[str], place: str) -> dict[str, list[tuple[str, str]]]:
    """Return header fields by their names in lower case; raise SetError for an invalid or repeated one."""
    fields: dict[str, list[tuple[str, str]]] = {}
    for name in values:
        if name not in names:
            continue
        try:
            field, form, every = split_property(CONVENIENT.get(name, name if name.startswith("header:") else "?:"))
        except ValueError:
            raise invalid_properties(place + name) from None
        if field.lower() in fields:
            raise invalid_properties(place + name, description="The field is given twice.")
        if values[name] is None:
            continue
        several = values[name] if every else [values[name]]
        try:
            fields[field.lower()] = [(field, _WRITERS[form](value)) for value in several]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise invalid_properties(place + name) from None
    return fields


def _build_part(part: JsonObject, place: str, sources: _Sources, taken: frozenset[str]) -> bytes:
    """Return one part, its header first, without `MIME-Version`."""
    named = {name for name in part if name.startswith("header:")}
    if not isinstance(part.get("type", "text/plain"), str) or (unknown := part.keys() - _PART - named):
        raise invalid_properties(*(f"{place}/{name}" for name in sorted(unknown)))
    fields = _read_fields(part, named, f"{place}/")
    if "content-transfer-encoding" in fields or fields.keys() & taken:
        raise invalid_properties(place, description="A field is given that must not be given here.")
    kind = part.get("type") or "text/plain"
    if kind.startswith("multipart/"):
        boundary = f"=_part{next(_NUMBERS)}_{uuid.uuid4().hex}"
        return _part_header(part, {"boundary": boundary}, fields) + _build_multipart(part, place, sources, boundary.encode())
    data, encoding = _content(part, place, sources)
    fields["content-transfer-encoding"] = [("Content-Transfer-Encoding", encoding)]
    charset = part.get("charset") if "partId" not in part else "us-ascii" if data.isascii() else "utf-8"
    if encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        data = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return _part_header(part, {"charset": charset} if charset else {}, fields) + data


def _build_multipart(part: JsonObject, place: str, sources: _Sources, boundary: bytes) -> bytes:
    parts = part.get("subParts")
    sound = isinstance(parts, list) and parts and all(isinstance(one, dict) for one in parts)
    if not sound or part.keys() & {"partId", "blobId"}:
        raise invalid_properties(f"{place}/subParts")
    body = b""
    for number, one in enumerate(parts or ()):
        body += b"--%b\r\n%b\r\n" % (boundary, _build_part(one, f"{place}/subParts/{number}", sources, frozenset()))
    return body + b"--%b--\r\n" % boundary


def _content(part: JsonObject, place: str, sources: _Sources) -> tuple[bytes, str]:
    """Return the bytes of a part that is no multipart, and the transfer encoding for them."""
    if "partId" in part and ("blobId" in part or "charset" in part or "size" in part):
        raise invalid_properties(f"{place}/partId", description="With a partId there is no blobId, charset or size.")
    if "blobId" in part:
        data = sources.blob(str(part["blobId"]))
        if data is None:
            raise SetError("blobNotFound", notFound=[part["blobId"]])
        return data, "8bit" if part.get("type") == "message/rfc822" else "base64"
    if "partId" not in part:
        return b"", "7bit"
    value = sources.values.get(part["partId"]) if isinstance(part["partId"], str) else None
    if value is None:
        raise invalid_properties(f"{place}/partId", description="There is no such body value.")
    data = "\r\n".join(value["value"].replace("\r\n", "\n").split("\n")).encode()
    is_plain = data.isascii() and b"\0" not in data and all(len(line) < _LONGEST for line in data.split(b"\r\n"))
    return data, "7bit" if is_plain else "quoted-printable"


def _part_header(part: JsonObject, parameters: dict[str, str], fields: dict[str, list[tuple[str, str]]]) -> bytes:
    """Return the header of a part: what its properties say of it, then the fields that are given by name."""
    kind = part.get("type") or "text/plain"
    header = email.message.Message()
    name = part.get("name")
    header.add_header("Content-Type", kind, **parameters)
    if part.get("disposition") or name:
        header.add_header("Content-Disposition", str(part.get("disposition") or "attachment"))
    if name:
        for field, parameter in (("Content-Type", "name"), ("Content-Disposition", "filename")):
            header.set_param(parameter, str(name), header=field, charset="" if str(name).isascii() else "utf-8")
    if part.get("cid"):
        header["Content-ID"] = f"<{part['cid']}>"
    if part.get("language"):
        header["Content-Language"] = ", ".join(part["language"])
    if part.get("location"):
        header["Content-Location"] = str(part["location"])
    own = {field.lower() for field in header} & fields.keys()
    if own:
        raise invalid_properties(*sorted(own), description="The field is given twice.")
    pairs = [*header.items(), *(pair for several in fields.values() for pair in several)]
    text = "".join(f"{field}: {value}\r\n" for field, value in pairs) + "\r\n"
    return text.encode()


def _write_raw(value: str) -> str:
    if any(sign in value.replace("\r\n ", "").replace("\r\n\t", "") for sign in "\r\n\0"):
        raise ValueError("a line end inside of a field")
    return value.lstrip(" ")


def _write_text(value: str) -> str:
    if value.isascii() and not any(sign in value for sign in "\r\n\0"):
        return value
    return email.header.Header(value, "utf-8").encode(linesep="\r\n")


def _write_addresses(value: list[JsonObject]) -> str:
    written = [email.utils.formataddr((_one_line(one.get("name") or ""), _one_line(one["email"]))) for one in value]
    return ",\r\n ".join(written)


def _write_groups(value: list[JsonObject]) -> str:
    groups = []
    for group in value:
        addresses = _write_addresses(group["addresses"])
        groups.append(addresses if group.get("name") is None else f"{_write_text(group['name'])}: {addresses};")
    return ", ".join(groups)


def _one_line(value: str) -> str:
    if any(sign in value for sign in "\r\n\0"):
        raise ValueError("a line end inside of a field")
    return value


_WRITERS: dict[str, Callable[..., str]] = {
    "asRaw": _write_raw,
    "asText": _write_text,
    "asAddresses": _write_addresses,
    "asGroupedAddresses": _write_groups,
    "asMessageIds": lambda value: "\r\n ".join(f"<{_one_line(one)}>" for one in value),
    "asDate": lambda value: email.utils.format_datetime(dt.datetime.fromisoformat(value)),
    "asURLs": lambda value: ",\r\n ".join(f"<{_one_line(one)}>" for one in value),
}
"""What writes a value of each form; they raise AttributeError, KeyError, TypeError or ValueError for one of another form."""
