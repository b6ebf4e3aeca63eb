"""Give the properties of an Email that are read from its bytes (RFC 8621, sections 4.1.2 to 4.1.4), and answer `Email/parse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jmapsync.demo.content import read_content
from jmapsync.demo.message.headers import CONVENIENT, read_property, split_fields, split_property
from jmapsync.demo.message.parts import BODY_PROPERTIES, Body, read_message, split_message
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.standard import Unsigned, check_size
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from collections.abc import Collection

    from jmapsync.demo.account import Account
    from jmapsync.demo.message.parts import Part
    from jmapsync.demo.wire import Context

_OF_BODY = ("hasAttachment", "preview", "bodyValues", "textBody", "htmlBody", "attachments")
CONTENT = frozenset({*CONVENIENT, *_OF_BODY, "bodyStructure", "headers"})
"""The properties that have names of their own; beside them there are those that begin with `header:`."""
DEFAULTS = (*CONVENIENT, *_OF_BODY)
"""Those of them that are given where nothing is said (section 4.2)."""
_OF_PARTS = frozenset({*BODY_PROPERTIES, "headers", "subParts"})
_IN_PARSE = ("id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt")


class BodyArguments(Arguments):
    """What `Email/get` and `Email/parse` have in common."""

    properties: list[str] | None = None
    body_properties: list[str] | None = None
    fetch_text_body_values: bool = False
    fetch_html_body_values: bool = msgspec.field(name="fetchHTMLBodyValues", default=False)
    fetch_all_body_values: bool = False
    max_body_value_bytes: Unsigned = 0


class ParseArguments(BodyArguments):
    """The arguments of `Email/parse`."""

    blob_ids: list[str] = msgspec.field(default_factory=list)


def checked_names(arguments: BodyArguments, own: Collection[str], defaults: Collection[str]) -> list[str]:
    """Return the properties to give, `own` and those of the content; raise MethodError for unknown ones, of body parts too."""
    names = list(defaults) if arguments.properties is None else list(dict.fromkeys(arguments.properties))
    unknown = [name for name in names if name not in own and name not in CONTENT and not _is_header(name)]
    unknown += [name for name in arguments.body_properties or () if name not in _OF_PARTS and not _is_header(name)]
    if unknown:
        raise MethodError("invalidArguments", f"Unknown properties: {', '.join(unknown)}.", arguments=["properties"])
    return names


def _is_header(name: str) -> bool:
    """Return whether a property names a header field in a form that it has."""
    if not name.startswith("header:"):
        return False
    try:
        split_property(name)
    except ValueError:
        return False
    return True


def read_content_properties(account: Account, data: bytes, names: list[str], arguments: BodyArguments) -> JsonObject:
    """Return the properties that are read from a message's bytes; its parts can be downloaded from then on."""
    fields = split_fields(split_message(data)[0])
    body = read_message(data) if any(name in _OF_BODY or name == "bodyStructure" for name in names) else None
    record: JsonObject = {}
    for name in names:
        if name == "headers":
            record[name] = [{"name": own, "value": value} for own, value in fields]
        elif name in CONVENIENT or name.startswith("header:"):
            record[name] = read_property(fields, CONVENIENT.get(name, name))
        elif body is not None:
            record[name] = _of_body(account, body, name, arguments)
    return record


def _of_body(account: Account, body: Body, name: str, arguments: BodyArguments) -> object:
    if name == "hasAttachment":
        return body.has_attachment
    if name == "preview":
        return body.preview()
    if name == "bodyValues":
        wanted: list[Part] = list(body.structure.leaves()) if arguments.fetch_all_body_values else []
        wanted += body.text if arguments.fetch_text_body_values else []
        wanted += body.html if arguments.fetch_html_body_values else []
        return body.values(wanted, arguments.max_body_value_bytes)
    parts = {"textBody": body.text, "htmlBody": body.html, "attachments": body.attachments}
    shown = parts.get(name, [body.structure])
    for part in shown:
        for leaf in part.leaves():
            account.keep_blob(leaf.content)
    if name == "bodyStructure":
        return body.structure.show(list(arguments.body_properties or (*BODY_PROPERTIES, "subParts")))
    return [part.show(list(arguments.body_properties or BODY_PROPERTIES)) for part in shown]


def parse_emails(context: Context, arguments: ParseArguments) -> JsonObject:
    """Answer `Email/parse`; metadata that only a kept message has is null (section 4.9)."""
    account = context.account(arguments.account_id)
    names = checked_names(arguments, _IN_PARSE, DEFAULTS)
    check_size(context, len(arguments.blob_ids), "maxObjectsInGet")
    parsed: dict[str, JsonObject] = {}
    missing, unsound = [], []
    for blob_id in arguments.blob_ids:
        content = account.blobs.get(context.resolve_id(blob_id) or "")
        if content is None:
            missing.append(blob_id)
            continue
        data = read_content(content)
        if not split_fields(split_message(data)[0]):
            unsound.append(blob_id)
            continue
        metadata = {**dict.fromkeys(_IN_PARSE), "blobId": blob_id, "size": len(data)}
        read = read_content_properties(account, data, [name for name in names if name not in _IN_PARSE], arguments)
        parsed[blob_id] = {name: metadata[name] if name in metadata else read[name] for name in names}
    return {
        "accountId": account.id,
        "parsed": parsed or None,
        "notParsable": unsound or None,
        "notFound": missing or None,
    }
