"""Answer `Email/copy` and `Blob/copy`, from one account to another (RFC 8620, sections 5.4 and 6.3; RFC 8621, section 4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.content import read_content
from jmapsync.demo.email_checks import checked_keywords, checked_mailboxes, given_keywords, may_add, read_set
from jmapsync.demo.email_create import received_at
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.quota_methods import check_room
from jmapsync.demo.standard import check_size
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context

_GIVEN = frozenset({"id", "mailboxIds", "keywords", "receivedAt"})


class CopyArguments(Arguments):
    """The arguments of `Email/copy`."""

    from_account_id: str
    create: dict[str, JsonObject]
    if_from_in_state: str | None = None
    if_in_state: str | None = None
    on_success_destroy_original: bool = False
    destroy_from_if_in_state: str | None = None


class BlobCopyArguments(Arguments):
    """The arguments of `Blob/copy`."""

    from_account_id: str
    blob_ids: list[str]


def copy_emails(context: Context, arguments: CopyArguments) -> JsonObject:
    """Answer `Email/copy`; the originals are destroyed by a call of their own that follows."""
    source, target = _accounts(context, arguments.from_account_id, arguments.account_id)
    check_size(context, len(arguments.create), "maxObjectsInSet")
    created: dict[str, JsonObject] = {}
    refused: dict[str, JsonObject] = {}
    with source.transaction(), target.transaction():
        old_state = target.state("Email")
        if arguments.if_in_state not in (None, old_state) or arguments.if_from_in_state not in (None, source.state("Email")):
            raise MethodError("stateMismatch")
        for key, wish in arguments.create.items():
            try:
                created[key] = _copy_one(context, source, target, wish)
                context.created_ids[key] = created[key]["id"]
            except SetError as error:
                refused[key] = error.body
    if arguments.on_success_destroy_original and created:
        destroy = [arguments.create[key]["id"] for key in created]
        guard = {} if arguments.destroy_from_if_in_state is None else {"ifInState": arguments.destroy_from_if_in_state}
        context.implied.append(("Email/set", {"accountId": source.id, "destroy": destroy, **guard}))
    return {
        "fromAccountId": source.id,
        "accountId": target.id,
        "oldState": old_state,
        "newState": target.state("Email"),
        "created": created or None,
        "notCreated": refused or None,
    }


def copy_blobs(context: Context, arguments: BlobCopyArguments) -> JsonObject:
    """Answer `Blob/copy`."""
    source, target = _accounts(context, arguments.from_account_id, arguments.account_id)
    copied: dict[str, str] = {}
    refused: dict[str, JsonObject] = {}
    for blob_id in dict.fromkeys(arguments.blob_ids):
        content = source.blobs.get(blob_id)
        if content is None:
            refused[blob_id] = SetError("blobNotFound").body
        else:
            copied[blob_id] = target.add_blob(read_content(content))
    return {"fromAccountId": source.id, "accountId": target.id, "copied": copied or None, "notCopied": refused or None}


def _accounts(context: Context, source_id: str, target_id: str) -> tuple[Account, Account]:
    """Return the accounts of a copy; raise MethodError where one is not to be had, or both are the same."""
    try:
        source = context.account(source_id)
    except MethodError:
        raise MethodError("fromAccountNotFound") from None
    target = context.writable_account(target_id)
    if source is target:
        raise MethodError("invalidArguments", "A copy goes to another account.", arguments=["fromAccountId"])
    return source, target


def _copy_one(context: Context, source: Account, target: Account, wish: JsonObject) -> JsonObject:
    original = source.emails.get(context.resolve_id(str(wish.get("id"))) or "")
    if unknown := wish.keys() - _GIVEN:
        raise invalid_properties(*sorted(unknown))
    if original is None:
        raise SetError("notFound")
    homes = checked_mailboxes(context, target, read_set(wish.get("mailboxIds"), "mailboxIds"))
    keywords = checked_keywords(context, given_keywords(wish, original.keywords))
    moment = original.received_at if wish.get("receivedAt") is None else received_at(wish)
    may_add(target, homes)
    if target.dialect.duplicates == "alreadyExists" and (present := target.emails_of_blob(original.blob_id)):
        raise SetError("alreadyExists", existingId=present[0])
    check_room(target, original.size)
    email = target.add_email(source.blobs[original.blob_id], homes, keywords, moment)
    return {"id": email.id, "blobId": email.blob_id, "threadId": email.thread_id, "size": email.size}
