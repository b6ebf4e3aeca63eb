"""Answer `Blob/get` and `Blob/upload` (RFC 9404), and Cyrus' vendor form of the first."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from jmapsync.demo.content import read_content
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.records import format_utc_date
from jmapsync.demo.standard import check_size, checked_properties, requested_ids
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context

_HASHES = {"digest:md5": "md5", "digest:sha": "sha1", "digest:sha-256": "sha256"}
_PROPERTIES = ("id", "data", "data:asText", "data:asBase64", "size")
UPLOADS_LAST = 86_400
"""Seconds for which Cyrus says that it keeps an upload."""
_UPLOADABLE = frozenset({"data", "type"})


class BlobGetArguments(Arguments):
    """The arguments of `Blob/get`; `offset` and `length` in octets, and for all ids."""

    ids: list[str] | None
    properties: list[str] | None = None
    offset: Annotated[int, Meta(ge=0)] | None = None
    length: Annotated[int, Meta(ge=0)] | None = None


class BlobUploadArguments(Arguments):
    """The arguments of `Blob/upload`."""

    create: dict[str, JsonObject]


def get_blobs(context: Context, arguments: BlobGetArguments) -> JsonObject:
    """Answer `Blob/get`; digests are those of the range asked for."""
    account = context.account(arguments.account_id)
    digests = [f"digest:{name}" for name in account.dialect.blob_details.get("supportedDigestAlgorithms", [])]
    wanted = ["data", "size"] if arguments.properties is None else arguments.properties
    if arguments.ids is None:
        raise MethodError("requestTooLarge" if account.dialect.repeats_objects else "invalidArguments", "ids must be specified")
    known = [name for name in _PROPERTIES if name != "id" or not account.dialect.repeats_objects]
    names = checked_properties(wanted, [*known, *digests])
    ids, not_found = requested_ids(context, arguments.ids)
    if account.dialect.repeats_objects:
        ids = [one for name in arguments.ids if (one := context.resolve_id(name)) is not None]
    found = []
    for blob_id in ids:
        content = account.blobs.get(blob_id)
        if content is None or context.service.faults.missing_blob.shows(("Blob/get",)):
            not_found.append(blob_id)
        else:
            found.append({"id": blob_id} | _describe(read_content(content), names, arguments.offset or 0, arguments.length))
    return {"accountId": account.id, "list": found, "notFound": not_found}


def _describe(data: bytes, names: list[str], offset: int, length: int | None) -> JsonObject:
    end = len(data) if length is None else offset + length
    part = data[offset:end] if (offset, end) != (0, len(data)) else data
    described: JsonObject = {}
    if offset > len(data) or end > len(data):
        described["isTruncated"] = True
    as_base64 = "data:asBase64" in names
    if "data" in names or "data:asText" in names:
        try:
            described["data:asText"] = part.decode("utf-8")
        except UnicodeDecodeError:
            described["isEncodingProblem"] = True
            if "data" in names:
                as_base64 = True
    if as_base64:
        described["data:asBase64"] = base64.b64encode(part).decode("ascii")
    if "size" in names:
        described["size"] = len(data)
    for name in names:
        if name in _HASHES:
            digest = hashlib.new(_HASHES[name], part, usedforsecurity=False).digest()
            described[name] = base64.b64encode(digest).decode("ascii")
    return described


def upload_blobs(context: Context, arguments: BlobUploadArguments) -> JsonObject:
    """Answer `Blob/upload`."""
    account = context.writable_account(arguments.account_id)
    created: dict[str, JsonObject] = {}
    refused: dict[str, JsonObject] = {}
    check_size(context, len(arguments.create), "maxObjectsInSet")
    for key, wish in arguments.create.items():
        try:
            data = _assemble(context, account, wish)
        except SetError as error:
            refused[key] = error.body
            continue
        blob_id = account.add_blob(data)
        context.created_ids[key] = blob_id
        created[key] = {"id": blob_id, "type": wish.get("type") or "application/octet-stream", "size": len(data)}
        if account.dialect.upload_rules == "cyrus":
            created[key] |= {"blobId": blob_id, "expires": format_utc_date(int(time.time()) + UPLOADS_LAST)}
    if account.dialect.upload_rules == "cyrus":
        return {"accountId": account.id, "created": created or None, "notCreated": refused or None}
    return {"accountId": account.id, "created": created, "notCreated": refused}


def _assemble_as_cyrus(context: Context, account: Account, wish: JsonObject) -> bytes:
    """Join parts as Cyrus does: what is no Base64 is nothing, as are missing data, and no limit is kept."""
    if unknown := sorted(wish.keys() - _UPLOADABLE):
        raise invalid_properties(*unknown)
    parts = []
    for source in wish.get("data") or []:
        match source:
            case {"data:asText": str() as text}:
                parts.append(text.encode())
            case {"data:asBase64": str() as text}:
                with contextlib.suppress(binascii.Error):
                    parts.append(base64.b64decode(text, validate=True))
            case {"blobId": str() as name}:
                content = account.blobs.get(context.resolve_id(name) or "")
                start, length = source.get("offset") or 0, source.get("length")
                data = b"" if content is None else read_content(content)
                if content is None or start + (length or 0) > len(data):
                    raise SetError("blobNotFound")
                parts.append(data[start:] if length is None else data[start : start + length])
    return b"".join(parts)


def _assemble(context: Context, account: Account, wish: JsonObject) -> bytes:
    if account.dialect.upload_rules == "cyrus":
        return _assemble_as_cyrus(context, account, wish)
    sources = wish.get("data")
    if wish.keys() - _UPLOADABLE or not isinstance(sources, list):
        raise SetError("invalidProperties", properties=["data"])
    parts = []
    for source in sources:
        match source:
            case {"data:asText": str() as text}:
                parts.append(text.encode())
            case {"data:asBase64": str() as text}:
                try:
                    parts.append(base64.b64decode(text, validate=True))
                except binascii.Error:
                    raise SetError("invalidProperties", properties=["data"]) from None
            case {"blobId": str() as name}:
                content = account.blobs.get(context.resolve_id(name) or "")
                if content is None:
                    raise SetError("blobNotFound", notFound=[name])
                start = source.get("offset") or 0
                length = source.get("length")
                data = read_content(content)
                parts.append(data[start : len(data) if length is None else start + length])
            case _:
                raise SetError("invalidProperties", properties=["data"])
    whole = b"".join(parts)
    if len(whole) > account.dialect.blob_details["maxSizeBlobSet"]:
        raise SetError("tooLarge")
    return whole
