"""Carry out `Email/set`: creation, patches of keywords and mailboxes, and destruction (RFC 8621, section 4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.email_checks import check_rights, checked_keywords, checked_mailboxes, read_set
from jmapsync.demo.email_create import create_email
from jmapsync.demo.james import check_patch
from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.records import format_utc_date
from jmapsync.demo.standard import SetArguments, SetRun

if TYPE_CHECKING:
    from jmapsync.demo.records import Email
    from jmapsync.demo.wire import Context


def set_emails(context: Context, arguments: SetArguments) -> JsonObject:
    """Answer `Email/set`."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = _EmailRun(context, account, arguments, "Email")
        run.carry_out()
    return run.result()


class _EmailRun(SetRun):
    """One `Email/set`."""

    def add(self, key: str, value: JsonObject) -> None:
        """Create one message."""
        self.created[key] = create_email(self.context, self.account, value)
        self.context.created_ids[key] = self.created[key]["id"]

    def change(self, key: str, patch: JsonObject) -> None:
        """Change one message."""
        dialect = self.account.dialect
        message = self._find(key)
        if key in self.destroy and dialect.strict_updates:
            raise SetError("willDestroy")
        if message is None:
            raise SetError("notFound")
        faults = self.context.service.faults
        if dialect.strict_updates and dialect.set_errors == "rfc":
            patch = {name.removeprefix("/"): value for name, value in patch.items()}
        elif not dialect.strict_updates and patch.get("keywords", ...) is None:
            patch = {**patch, "keywords": {}}
        if any("/" in name for name in patch) and faults.refuse_patches.shows(("Email",)):
            raise SetError("invalidPatch", "No paths are taken.")
        _check_patch(message, patch, strict=dialect.strict_updates)
        if not dialect.strict_updates and (unknown := _mailboxes_named(patch) - self.account.mailboxes.keys()):
            raise invalid_properties("mailboxIds", description=f"There is no mailbox {min(unknown)!r}.")
        keywords = _patched(message.keywords, patch, "keywords", unescape=dialect.strict_updates)
        homes = _patched(message.mailbox_ids, patch, "mailboxIds", unescape=dialect.strict_updates)
        if dialect.set_errors == "james":
            check_patch(patch, keywords, self.account.mailboxes)
        if not homes and dialect.last_mailbox == "destroy":
            self.account.remove_email(message.id)
            self.updated[key] = None
            return
        keywords = checked_keywords(self.context, keywords, message.keywords)
        homes = checked_mailboxes(self.context, self.account, homes, message.mailbox_ids)
        check_rights(self.account, message, homes, keywords)
        if keywords != message.keywords and faults.drop_keyword_writes.shows():
            keywords = message.keywords
        touched = dialect.unchanged_moves_state and any(name.startswith("keywords") for name in patch)
        self.account.update_email(message, mailbox_ids=homes, keywords=keywords, touched=touched)
        self.updated[key] = None

    def remove(self, key: str) -> None:
        """Destroy one message."""
        message = self._find(key)
        if message is None:
            if self.account.dialect.unknown_destroy == "destroyed":
                self.destroyed.append(key)
                return
            raise SetError("notFound")
        if not all(self.account.mailboxes[home].rights["mayRemoveItems"] for home in message.mailbox_ids):
            raise SetError("forbidden")
        self.account.remove_email(message.id)
        self.destroyed.append(key)

    def _find(self, key: str) -> Email | None:
        email_id = self.context.resolve_id(key) if self.account.dialect.creation_ids_as_keys else key
        return self.account.emails.get(email_id or "")


_OF_CONTENT = frozenset(
    {"messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt"}
    | {"bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments", "hasAttachment", "preview"}
)
"""Properties that follow from a message's content; an update that names one is passed over where updates are not strict."""


def _immutable(message: Email) -> JsonObject:
    """Return the properties that an update may name only with the values they have (RFC 8620, section 5.3)."""
    return {
        "id": message.id,
        "blobId": message.blob_id,
        "threadId": message.thread_id,
        "size": message.size,
        "receivedAt": format_utc_date(message.received_at),
    }


def _check_patch(message: Email, patch: JsonObject, *, strict: bool) -> None:
    """Raise SetError for a patch of anything but keywords and mailboxes, and, if `strict`, for paths without sense."""
    fixed = _immutable(message)
    for name, value in patch.items():
        head, _, rest = name.partition("/")
        if head in ("keywords", "mailboxIds"):
            if strict and ("/" in rest or (rest and head in patch)):
                raise SetError("invalidPatch", f"The path {name!r} leads nowhere.")
        elif not strict and (name in _OF_CONTENT or (name in fixed and name != "id")):
            continue
        elif name not in fixed or fixed[name] != value:
            raise invalid_properties(name)


def _mailboxes_named(patch: JsonObject) -> set[str]:
    """Return the mailboxes that a patch names in its paths."""
    return {name.removeprefix("mailboxIds/") for name in patch if name.startswith("mailboxIds/")}


def _patched(present: frozenset[str], patch: JsonObject, name: str, *, unescape: bool) -> frozenset[str]:
    """Return a set (an object whose values are all true) after a patch of it; paths are unescaped as RFC 6901 says."""
    if name in patch:
        return read_set(patch[name], name, members=not unescape)
    members = set(present)
    for path, value in patch.items():
        head, separator, rest = path.partition("/")
        if head != name or not separator:
            continue
        member = rest.replace("~1", "/").replace("~0", "~") if unescape else rest
        if value is True:
            members.add(member)
        elif value is None:
            members.discard(member.lower() if name == "keywords" else member)
        else:
            raise invalid_properties(path)
    return frozenset(members)
