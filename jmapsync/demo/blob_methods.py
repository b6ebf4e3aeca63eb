"""Answer `Blob/get` and `Blob/upload` (RFC 9404), and Cyrus' vendor form of the first."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from jmapsync.demo.content import read_content
from jmapsync.demo.problems import JsonObject, SetError
from jmapsync.demo.standard import check_size, checked_properties, requested_ids
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context

_HASHES = {"digest:md5": "md5", "digest:sha": "sha1", "digest:sha-256": "sha256"}
_PROPERTIES = ("id", "data", "data:asText", "data:asBase64", "size")
_UPLOADABLE = frozenset({"data", "type"})


class BlobGetArguments(Arguments):
    """The arguments of `Blob/get`; `offset` and `length` in octets, and for all ids."""

    ids: list[str]
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
    names = checked_properties(wanted, [*_PROPERTIES, *digests])
    ids, not_found = requested_ids(context, arguments.ids)
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
    return {"accountId": account.id, "created": created, "notCreated": refused}


def _assemble(context: Context, account: Account, wish: JsonObject) -> bytes:
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
