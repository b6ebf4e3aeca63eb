"""Carry out `Email/set`: patches of keywords and mailboxes, and destruction (RFC 8621, section 4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.records import format_utc_date, is_keyword
from jmapsync.demo.standard import SetArguments, SetRun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Email
    from jmapsync.demo.wire import Context


def set_emails(context: Context, arguments: SetArguments) -> JsonObject:
    """Answer `Email/set`; building a message from parts is refused, importing one is the way here."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = _EmailRun(context, account, arguments, "Email")
        for key in run.create:
            run.attempt("create", key, _refuse_creation)
        for key, patch in run.update.items():
            run.attempt("update", key, lambda key=key, patch=patch: run.change(key, patch))  # type: ignore[misc]
        for key in run.destroy:
            run.attempt("destroy", key, lambda key=key: run.remove(key))  # type: ignore[misc]
    return run.result()


class _EmailRun(SetRun):
    """One `Email/set`."""

    def change(self, key: str, patch: JsonObject) -> None:
        """Change one message."""
        dialect = self.account.dialect
        message = self._find(key)
        if key in self.destroy and dialect.strict_updates:
            raise SetError("willDestroy")
        if message is None:
            raise SetError("notFound")
        faults = self.context.service.faults
        patch = {name.removeprefix("/"): value for name, value in patch.items()}
        if any("/" in name for name in patch) and faults.refuse_patches.shows(("Email",)):
            raise SetError("invalidPatch", "No paths are taken.")
        _check_patch(message, patch, strict=dialect.strict_updates)
        if not dialect.strict_updates and (unknown := _mailboxes_named(patch) - self.account.mailboxes.keys()):
            raise invalid_properties("mailboxIds", description=f"There is no mailbox {min(unknown)!r}.")
        keywords = _patched(message.keywords, patch, "keywords", unescape=dialect.strict_updates)
        homes = _patched(message.mailbox_ids, patch, "mailboxIds", unescape=dialect.strict_updates)
        keywords = checked_keywords(self.context, keywords)
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


def checked_keywords(context: Context, keywords: Iterable[str]) -> frozenset[str]:
    """Return keywords in lower case; raise SetError for one that is none, or for too many."""
    keywords = list(keywords)
    if wrong := [keyword for keyword in keywords if not is_keyword(keyword)]:
        raise invalid_properties(*(f"keywords/{keyword}" for keyword in wrong))
    lowered = frozenset(keyword.lower() for keyword in keywords)
    limit = context.service.limits.max_keywords_per_email
    if limit is not None and len(lowered) > limit:
        raise SetError("tooManyKeywords", maxKeywords=limit)
    return lowered


def checked_mailboxes(
    context: Context, account: Account, names: Iterable[str], present: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return mailbox ids with creation ids resolved; raise SetError if none is left, one is unknown or they are many."""
    homes = set()
    for name in names:
        mailbox_id = context.resolve_id(name)
        if mailbox_id is None or (mailbox_id not in account.mailboxes and mailbox_id not in present):
            raise invalid_properties("mailboxIds", description=f"There is no mailbox {name!r}.")
        homes.add(mailbox_id)
    if not homes:
        raise invalid_properties("mailboxIds", description="A message is in at least one mailbox.")
    limit = context.service.limits.max_mailboxes_per_email
    if limit is not None and len(homes) > limit:
        raise SetError("tooManyMailboxes")
    return frozenset(homes)


def check_rights(account: Account, message: Email, homes: frozenset[str], keywords: frozenset[str]) -> None:
    """Raise SetError `forbidden` where a change needs a right that some mailbox does not give."""
    needed = {(home, "mayAddItems") for home in homes - message.mailbox_ids}
    needed |= {(home, "mayRemoveItems") for home in message.mailbox_ids - homes}
    changed = keywords ^ message.keywords
    for home in message.mailbox_ids:
        if "$seen" in changed:
            needed.add((home, "maySetSeen"))
        if changed - {"$seen"}:
            needed.add((home, "maySetKeywords"))
    if not all(account.mailboxes[home].rights[right] for home, right in needed):
        raise SetError("forbidden")


def _refuse_creation() -> None:
    raise SetError("forbidden", "Messages are imported here, not built.")


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
        elif name not in fixed or (strict and fixed[name] != value):
            raise invalid_properties(name)


def _mailboxes_named(patch: JsonObject) -> set[str]:
    """Return the mailboxes that a patch names in its paths."""
    return {name.removeprefix("mailboxIds/") for name in patch if name.startswith("mailboxIds/")}


def _patched(present: frozenset[str], patch: JsonObject, name: str, *, unescape: bool) -> frozenset[str]:
    """Return a set (an object whose values are all true) after a patch of it; paths are unescaped as RFC 6901 says."""
    if name in patch:
        return read_set(patch[name], name)
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


def read_set(value: object, name: str) -> frozenset[str]:
    """Return the members of a JSON set; raise SetError for a value other than true."""
    if not isinstance(value, dict) or any(marker is not True for marker in value.values()):
        raise invalid_properties(name)
    return frozenset(value)
