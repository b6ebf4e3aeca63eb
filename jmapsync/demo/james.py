"""Answer as Apache James where it leaves RFC 8620 and RFC 8621; all of it was seen on 3.8.1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jmapsync.demo.problems import MethodError, SetError

if TYPE_CHECKING:
    from collections.abc import Collection

    from jmapsync.demo.problems import JsonObject

FOLDERS = (
    ("Archive", "archive", 20),
    ("Drafts", "drafts", 30),
    ("Outbox", "outbox", 40),
    ("Sent", "sent", 50),
    ("Trash", "trash", 60),
    ("Spam", "spam", 70),
)
"""The mailboxes beside the inbox: name, role, sort order."""
INBOX_ORDER = 10
OTHER_ORDER = 1000
_FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]*[ \t]*:")
_OWN_ID = re.compile(r"[em]\d+")
_REFUSED_KEYWORDS = frozenset({"$recent", "$deleted"})
_LONGEST_KEYWORD = 255
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def stored(message: bytes) -> bytes:
    """Return what is kept of a message: malformed lines of its header are lost, without an error; the header gets an end.

    So of a message without a header nothing is left, as all of it counts as header.
    """
    header, blank, body = _parted(message)
    kept: list[bytes] = []
    for line in re.split(rb"\r?\n", header):
        if _FIELD.match(line) or (kept and line.startswith((b" ", b"\t"))):
            kept.append(line)
    return b"".join(line + b"\r\n" for line in kept) + b"\r\n" + (body if blank else b"")


def _parted(message: bytes) -> tuple[bytes, bytes, bytes]:
    if (found := re.match(rb"\r?\n", message)) is not None:
        return b"", found[0], message[found.end() :]
    found = re.search(rb"(\r?\n)\r?\n", message)
    if found is None:
        return message, b"", b""
    return message[: found.start()], found[0], message[found.end() :]


def set_error(type_name: str, act: str, key: str, body: JsonObject) -> JsonObject:
    """Return the SetError that a refusal of the RFCs is; an id that this server could not have made is no id to it."""
    kind = body["type"]
    if kind == "willDestroy" or (kind == "notFound" and _OWN_ID.fullmatch(key) is not None):
        return {"type": "notFound"}
    if type_name == "Email" and act == "update" and kind in ("invalidProperties", "notFound"):
        return {"type": "invalidPatch"}
    if type_name == "Email" and act == "destroy" and kind == "notFound":
        return {"type": "invalidArguments"}
    if type_name == "Mailbox" and kind in ("invalidProperties", "forbidden", "notFound"):
        is_lost = act == "create" and body.get("properties") == ["parentId"]
        return {"type": "serverFail"} if is_lost else {**body, "type": "invalidArguments"}
    return body


def check_patch(patch: JsonObject, keywords: Collection[str], mailboxes: Collection[str]) -> None:
    """Raise SetError for a patch that leaves no keyword, or names a mailbox, a property or a path that does not exist."""
    homes = [name.removeprefix("mailboxIds/") for name in patch if name.startswith("mailboxIds/")]
    heads = {name.partition("/")[0] for name in patch}
    emptied = "keywords" in patch and not keywords
    if emptied or _REFUSED_KEYWORDS & set(keywords) or heads - {"keywords", "mailboxIds"} or set(homes) - set(mailboxes):
        raise SetError("invalidPatch")


def check_name(name: str) -> None:
    """Raise SetError for a name that is blank, or begins with the sign of a namespace."""
    if not name.strip() or name.startswith("#"):
        raise SetError("invalidArguments", properties=["name"])


def check_import(emails: dict[str, JsonObject], mailboxes: Collection[str]) -> None:
    """Raise MethodError where the whole call is refused for one of its messages."""
    for key, wish in emails.items():
        keywords, homes, moment = wish.get("keywords"), wish.get("mailboxIds"), wish.get("receivedAt")
        if not isinstance(wish.get("blobId"), str):
            raise MethodError("invalidArguments", f"obj.emails.{key}.blobId: error.path.missing")
        if not isinstance(homes, dict) or any(one not in mailboxes or marker is not True for one, marker in homes.items()):
            raise MethodError("invalidArguments", f"obj.emails.{key}.mailboxIds: is no mailbox id")
        if not isinstance(keywords, dict) or any(marker is not True for marker in keywords.values()):
            raise MethodError("invalidArguments", f"obj.emails.{key}.keywords: error.path.missing")
        if not isinstance(moment, str) or _DATE.fullmatch(moment) is None:
            raise MethodError("invalidArguments", f"obj.emails.{key}.receivedAt: error.path.missing")
        if not keywords or _REFUSED_KEYWORDS & keywords.keys() or any(len(one) > _LONGEST_KEYWORD for one in keywords):
            raise MethodError("invalidArguments", "Does not allow to update 'Deleted' or 'Recent' flag")
