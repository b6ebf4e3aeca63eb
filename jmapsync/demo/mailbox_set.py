"""Carry out `Mailbox/set` with the rules of the tree: names, parents, roles, rights (RFC 8621, section 2.5)."""

from __future__ import annotations

import dataclasses
import unicodedata
from typing import TYPE_CHECKING

from jmapsync.demo.cyrus_mailboxes import check_as_cyrus, check_role, created_properties, rights, sort_order
from jmapsync.demo.james import OTHER_ORDER, check_name
from jmapsync.demo.mailbox_methods import mailbox_object
from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.records import ROLES, Mailbox
from jmapsync.demo.standard import SetArguments, SetRun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from types import UnionType

    from jmapsync.demo.refusals import Refusals
    from jmapsync.demo.wire import Context

_FIELDS = {
    "name": "name",
    "parentId": "parent_id",
    "role": "role",
    "sortOrder": "sort_order",
    "isSubscribed": "is_subscribed",
}
_TYPES: dict[str, type | UnionType] = {
    "name": str,
    "parentId": str | None,
    "role": str | None,
    "sortOrder": int,
    "isSubscribed": bool,
}


class MailboxSetArguments(SetArguments):
    """The arguments of `Mailbox/set`."""

    on_destroy_remove_emails: bool = False


def set_mailboxes(context: Context, arguments: MailboxSetArguments) -> JsonObject:
    """Answer `Mailbox/set`: creations, then updates, then destructions, each in an order that lets it succeed."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = _MailboxRun(context, account, arguments, "Mailbox")
        run.run_creations()
        run.run_updates()
        run.run_destructions(remove_emails=arguments.on_destroy_remove_emails)
    return run.result()


class _MailboxRun(SetRun):
    """One `Mailbox/set`."""

    def run_creations(self) -> None:
        """Create parents before children, whatever the order they are given in."""
        waiting = dict(self.create)
        while waiting and self._of_james:
            key, value = next(iter(waiting.items()))
            del waiting[key]
            self.attempt("create", key, lambda key=key, value=value: self._create(key, value))  # type: ignore[misc]
        while waiting:
            ready = [key for key, value in waiting.items() if str(value.get("parentId") or "").removeprefix("#") not in waiting]
            for key in ready or list(waiting):
                value = waiting.pop(key)
                self.attempt("create", key, lambda key=key, value=value: self._create(key, value))  # type: ignore[misc]

    def run_updates(self) -> None:
        """Update in any order that works; what is left is tried together, so that two names can be exchanged."""
        waiting: dict[str, JsonObject] = {}
        for key, patch in self.update.items():
            self.attempt("update", key, lambda key=key, patch=patch: self._plan(waiting, key, patch))  # type: ignore[misc]
        while waiting:
            done = [mailbox_id for mailbox_id, patch in waiting.items() if self._apply({mailbox_id: patch}) is None]
            for mailbox_id in done:
                del waiting[mailbox_id]
            if not done:
                break
        if waiting and (self._of_james or self._apply(waiting) is not None):
            for mailbox_id, patch in waiting.items():
                if (error := self._apply({mailbox_id: patch})) is not None:
                    self.refuse("update", mailbox_id, error)

    def run_destructions(self, *, remove_emails: bool) -> None:
        """Destroy children before parents, whatever the order they are given in."""
        if self._of_james:
            for name in self.destroy:
                self.attempt("destroy", name, lambda name=name: self._destroy(name, remove_emails=remove_emails))  # type: ignore[misc]
            return
        known = [name for name in self.destroy if name in self.account.mailboxes]
        depth = {name: self.account.path(self.account.mailboxes[name]).count("/") for name in known}
        for name in sorted(self.destroy, key=lambda name: -depth.get(name, 0)):
            self.attempt("destroy", name, lambda name=name: self._destroy(name, remove_emails=remove_emails))  # type: ignore[misc]

    def _create(self, key: str, value: JsonObject) -> None:
        if unknown := value.keys() - _FIELDS.keys():
            raise invalid_properties(*sorted(unknown))
        draft = Mailbox("", "", is_subscribed=False) if self._of_cyrus else Mailbox("", "")
        self._assign(draft, value)
        if self._of_cyrus:
            draft.role = draft.role or None
            check_role(self.account.dialect.mailbox_roles, draft.role, None)
            draft.sort_order = value.get("sortOrder", sort_order(draft.role))
        if self._of_james:
            if "sortOrder" in value:
                raise invalid_properties("sortOrder")
            draft.sort_order = OTHER_ORDER
        if draft.role is not None:
            self._refusals.check_guard(None, {"role"})
        parent = self.account.mailboxes.get(draft.parent_id or "")
        if not (self._refusals.top_level if parent is None else parent.rights["mayCreateChild"]):
            raise SetError("forbidden")
        self._check([draft])
        mailbox = self.account.add_mailbox(draft.name, draft.parent_id, draft.role, draft.sort_order)
        mailbox.is_subscribed = draft.is_subscribed
        if self._of_cyrus:
            mailbox.rights = rights(draft.role)
        whole = mailbox_object(self.account, mailbox)
        returned = {name: whole[name] for name in whole if name not in value}
        self.created[key] = created_properties(self.account, whole, value) if self.account.dialect.created_mailbox else returned
        self.context.created_ids[key] = mailbox.id

    def _plan(self, waiting: dict[str, JsonObject], key: str, patch: JsonObject) -> None:
        """Check what can be checked of an update on its own, and put it off until all are known."""
        mailbox_id = self._resolve(key)
        mailbox = self.account.mailboxes.get(mailbox_id or "")
        if key in self.destroy:
            raise SetError("willDestroy")
        if mailbox is None or mailbox_id is None:
            raise SetError("notFound")
        current = mailbox_object(self.account, mailbox)
        patch = {name.removeprefix("/"): value for name, value in patch.items()}
        known = _FIELDS.keys() - ({"sortOrder"} if self._of_james else set())
        if self._of_james and (fixed := [name for name in patch if name not in known]):
            raise invalid_properties(*fixed)
        if unknown := [name for name in patch if name not in _FIELDS and patch[name] != current.get(name, ...)]:
            raise invalid_properties(*(name.partition("/")[0] if self._of_cyrus else name for name in unknown))
        if self._of_cyrus:
            current["role"] = mailbox.role
            patch = {name: value for name, value in patch.items() if name != "name" or value is not None}
            check_role(self.account.dialect.mailbox_roles, patch.get("role", mailbox.role), mailbox.role)
        patch = {name: value for name, value in patch.items() if name in _FIELDS and not _same(value, current.get(name))}
        if mailbox.role == "inbox" and self.account.dialect.inbox_renaming == "ignore":
            patch.pop("name", None)
        free = mailbox.role == "inbox" and self.account.dialect.inbox_renaming != "refuse"
        if patch.keys() & {"name", "parentId", "role"} and not (mailbox.rights["mayRename"] or free):
            raise SetError("forbidden")
        if patch:
            self._refusals.check_guard(mailbox.role, patch.keys())
        self._assign(dataclasses.replace(mailbox), patch)
        waiting[mailbox_id] = patch

    def _apply(self, patches: dict[str, JsonObject]) -> SetError | None:
        """Make some updates together if the tree stays sound; else return what is wrong and change nothing."""
        drafts = []
        for mailbox_id, patch in patches.items():
            draft = dataclasses.replace(self.account.mailboxes[mailbox_id])
            self._assign(draft, patch)
            drafts.append(draft)
        try:
            self._check(drafts)
        except SetError as error:
            return error
        for draft in drafts:
            mailbox = self.account.mailboxes[draft.id]
            for attribute in _FIELDS.values():
                setattr(mailbox, attribute, getattr(draft, attribute))
            self._note(mailbox, patches[draft.id])
            self.updated[draft.id] = {} if self._of_james else None
        return None

    def _note(self, mailbox: Mailbox, patch: JsonObject) -> None:
        """Record that a mailbox was changed, on some servers those inside it too."""
        account = self.account
        if not patch or (patch.keys() == {"isSubscribed"} and not account.dialect.subscribing_moves_state):
            return
        inside: list[Mailbox] = []
        if account.dialect.renamed_children != "unchanged" and patch.keys() & {"name", "parentId"}:
            inside = account.inside(mailbox)
        order = [*inside, mailbox] if account.dialect.renamed_children == "before" else [mailbox, *inside]
        for one in order:
            account.note_mailbox(one)

    def _destroy(self, name: str, *, remove_emails: bool) -> None:
        mailbox = self.account.mailboxes.get(self._resolve(name) or "")
        if mailbox is None:
            raise SetError("notFound")
        self._refusals.check_guard(mailbox.role, ())
        if not mailbox.rights["mayDelete"]:
            raise SetError("forbidden")
        if any(other.parent_id == mailbox.id for other in self.account.mailboxes.values()):
            raise SetError("mailboxHasChild")
        if mailbox.total and not remove_emails:
            raise SetError("mailboxHasEmail")
        self.account.remove_mailbox(mailbox.id)
        self.destroyed.append(name)

    def _resolve(self, key: str) -> str | None:
        return self.context.resolve_id(key) if self.account.dialect.creation_ids_as_keys else key

    def _assign(self, draft: Mailbox, values: JsonObject) -> None:
        """Give a draft its new values; raise SetError for one of the wrong type."""
        for name, value in values.items():
            if not isinstance(value, _TYPES[name]) or (name == "sortOrder" and isinstance(value, bool)):
                raise invalid_properties(name)
            if name == "parentId" and value is not None:
                value = self.context.resolve_id(str(value))  # noqa: PLW2901
                if value not in self.account.mailboxes:
                    raise invalid_properties(name)
            setattr(draft, _FIELDS[name], value)
        if self._of_cyrus:
            signs = self.account.dialect.changed_signs
            table = str.maketrans(signs[::2], signs[1::2])
            draft.name = unicodedata.normalize("NFC", draft.name).translate(table)

    @property
    def _of_james(self) -> bool:
        return self.account.dialect.mailbox_rules == "james"

    @property
    def _of_cyrus(self) -> bool:
        return self.account.dialect.mailbox_rules == "cyrus"

    @property
    def _refusals(self) -> Refusals:
        return self.account.dialect.refusals

    def _check(self, drafts: Collection[Mailbox]) -> None:
        """Raise SetError if the tree would be unsound with these mailboxes in it."""
        tree = self.account.mailboxes | {draft.id: draft for draft in drafts}
        for draft in drafts:
            if self._of_cyrus:
                check_as_cyrus(draft, tree)
            else:
                if self._of_james:
                    check_name(draft.name)
                else:
                    _check_name(draft.name, self.context.service.limits.max_size_mailbox_name)
                if draft.sort_order < 0:
                    raise invalid_properties("sortOrder")
            if draft.role is not None and draft.role not in ROLES:
                raise invalid_properties("role")
            path = self._path(draft, tree)
            if not self._of_cyrus:
                self._refusals.check_name(draft, "/".join(path))
                _check_others(draft, [other for other in tree.values() if other is not draft], self._refusals)

    def _path(self, draft: Mailbox, tree: dict[str, Mailbox]) -> list[str]:
        """Return the names of the mailboxes that one is in, its own at the end; raise SetError if it is in itself, or too deep."""
        names, above, seen = [draft.name], draft.parent_id, {draft.id}
        while above is not None:
            if above == draft.parent_id == draft.id and self._of_cyrus:
                raise SetError("serverFail")
            if above in seen:
                raise invalid_properties("parentId", description="A mailbox cannot be inside itself.")
            seen.add(above)
            names.insert(0, tree[above].name)
            above = tree[above].parent_id
        deepest = self.context.service.limits.max_mailbox_depth
        if deepest is not None and len(names) > deepest:
            raise invalid_properties("parentId", description=f"No mailbox is deeper than {deepest}.")
        return names


def _same(value: object, present: object) -> bool:
    """Return whether two JSON values are equal; 1 and true are not, though Python thinks so."""
    return type(value) is type(present) and value == present


def _check_name(name: str, limit: int) -> None:
    """Raise SetError for a name that is empty, longer than `limit` octets, or not Net-Unicode."""
    if not name or len(name.encode()) > limit:
        raise invalid_properties("name", description="The name is empty or too long.")
    if unicodedata.normalize("NFC", name) != name or any(unicodedata.category(sign) == "Cc" for sign in name):
        raise invalid_properties("name", description="The name is not Net-Unicode.")


def _check_others(draft: Mailbox, others: Iterable[Mailbox], refusals: Refusals) -> None:
    """Raise SetError if another mailbox has the same place and name, or the same role."""
    for other in others:
        if (other.parent_id, other.name) == (draft.parent_id, draft.name):
            raise refusals.name_is_taken(other.id)
        if draft.role is not None and other.role == draft.role:
            raise invalid_properties("role", description="Another mailbox has this role.")
