"""Create an Email of a JSON object: `Email/set` with `create` (RFC 8621, section 4.6)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jmapsync.demo.content import read_content
from jmapsync.demo.email_checks import checked_keywords, checked_mailboxes, given_keywords, may_add, read_set
from jmapsync.demo.message.build import build_message
from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.quota_methods import check_room
from jmapsync.demo.records import parse_utc_date

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context

_METADATA = frozenset({"mailboxIds", "keywords", "receivedAt"})
_SET_BY_SERVER = frozenset({"id", "blobId", "threadId", "size", "hasAttachment", "preview", "headers"})


def create_email(context: Context, account: Account, wish: JsonObject) -> JsonObject:
    """Build and add a message, and return what the server set; raise SetError for what cannot be built."""
    if given := wish.keys() & _SET_BY_SERVER:
        raise invalid_properties(*sorted(given))
    homes = checked_mailboxes(context, account, read_set(wish.get("mailboxIds"), "mailboxIds"))
    keywords = checked_keywords(context, given_keywords(wish))
    moment = received_at(wish)
    may_add(account, homes)
    attached = 0

    def read_blob(name: str) -> bytes | None:
        nonlocal attached
        content = account.blobs.get(context.resolve_id(name) or "")
        data = None if content is None else read_content(content)
        attached += len(data or b"")
        return data

    message = build_message({name: value for name, value in wish.items() if name not in _METADATA}, read_blob)
    if attached > context.service.limits.max_size_upload:
        raise SetError("tooLarge")
    account.dialect.refusals.check_size(len(message))
    check_room(account, len(message))
    email = account.add_email(message, homes, keywords, moment)
    return {"id": email.id, "blobId": email.blob_id, "threadId": email.thread_id, "size": email.size}


def received_at(wish: JsonObject) -> int:
    """Return when a message is said to have come, by default now; raise SetError for what is no date."""
    try:
        return int(time.time()) if wish.get("receivedAt") is None else parse_utc_date(wish["receivedAt"])
    except ValueError:
        raise invalid_properties("receivedAt") from None
