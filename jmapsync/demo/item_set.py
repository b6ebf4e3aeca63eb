"""Carry out `ContactCard/set` and `CalendarEvent/set` (RFC 9610, section 3.5; draft-ietf-jmap-calendars, section 5.9)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from jmapsync.demo.attachments import check_blobs
from jmapsync.demo.cyrus_events import RETURNED, changed_event, created_event, is_doubled, made_event, refused_values
from jmapsync.demo.event_rights import check_event_rights
from jmapsync.demo.item_methods import offers_files, store_of
from jmapsync.demo.models import CALENDAR_MODEL, Model, follows_cyrus, wrong_properties
from jmapsync.demo.patch import apply_patch, split_path
from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.shaping import keep_item
from jmapsync.demo.stalwart_items import check_names, refused_patch
from jmapsync.demo.standard import SetArguments, SetRun

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context


class EventSetArguments(SetArguments):
    """The arguments of `CalendarEvent/set`."""

    send_scheduling_messages: bool = False


def set_items(context: Context, arguments: SetArguments, model: Model) -> JsonObject:
    """Answer `/set` of cards or events."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = _ItemRun(context, account, arguments, model)
        run.carry_out()
    return run.result()


class _ItemRun(SetRun):
    """One `/set`."""

    def __init__(self, context: Context, account: Account, arguments: SetArguments, model: Model) -> None:
        super().__init__(context, account, arguments, model.item)
        self.model = model
        self.store = store_of(account, model)
        self.of_cyrus = follows_cyrus(model, account.dialect)
        self.of_stalwart = account.dialect.item_form == "stalwart"
        self.sends = isinstance(arguments, EventSetArguments) and arguments.send_scheduling_messages

    def add(self, key: str, value: JsonObject) -> None:
        """Create one item."""
        value = {name: one for name, one in value.items() if one is not None}
        if self.of_cyrus:
            value = made_event({name: one for name, one in value.items() if name not in self.model.server_set})
        elif given := value.keys() & self.model.server_set:
            raise invalid_properties(*sorted(given))
        if self.of_stalwart:
            check_names(self.model, value)
        item = self.store.filled({name: one for name, one in value.items() if name not in self.dropped})
        item[self.model.homes] = self._resolve_homes(item.get(self.model.homes))
        item = self._rewritten(item)
        self._check(item, None)
        if self.store.twin(item) is not None:
            names = ["uid", "recurrenceId"] if self.of_cyrus and "recurrenceId" in item else ["uid"]
            raise invalid_properties(*names, description="The account has an object of this uid.")
        whole = self._with_file(self.store.create(item))
        self._send("create", whole)
        returned = {"id"} if self.of_stalwart else {name for name in whole if self._is_returned(name)}
        self.created[key] = {name: one for name, one in whole.items() if one != value.get(name) and name in returned}
        if self.of_cyrus:
            self.created[key] = created_event(self.created[key], whole)
        self.context.created_ids[key] = whole["id"]

    def change(self, key: str, patch: JsonObject) -> None:  # each check is one of the specification's, or a server's
        """Change one item."""
        before = self._find(key)
        if key in self.destroy:
            raise SetError("notFound" if self.of_cyrus else "willDestroy")
        if before is None:
            raise SetError("notFound")
        if any("/" in path.removeprefix("/") for path in patch) and self.context.service.faults.refuse_patches.shows(
            (self.model.item,)
        ):
            raise SetError("invalidPatch", "No paths are taken.")
        if self.of_cyrus and any(path.startswith("calendarIds/") for path in patch):
            raise SetError("invalidPatch")
        after = self._patched(before, patch)
        after = changed_event(after, patch) if self.of_cyrus else after
        fixed = self.model.server_set | {"uid", "@type"}
        if changed := [name for name in sorted(fixed) if after.get(name) != before.get(name)]:
            raise invalid_properties(*changed)
        after[self.model.homes] = self._resolve_homes(after.get(self.model.homes))
        wanted, after = after, self._rewritten(after)
        if after != before or self.of_cyrus or (patch and self.account.dialect.unchanged_moves_state):
            self._check(after, before)
            moved = after.get("recurrenceId") != before.get("recurrenceId")
            if moved and self.store.twin(after) not in (None, before["id"]):
                raise invalid_properties("recurrenceId", description="The account has an object of this recurrence id.")
            self.store.doubled += [before] if self.of_cyrus and is_doubled(before) else []
            if self.account.freedoms.sequence_bumped and after.get("@type") == "Event":
                after = {**after, "sequence": max(after.get("sequence", 0), before.get("sequence", 0) + 1)}
            after = self._with_file(self.store.replace(before, after))
            self._send("update", after)
        returned = {name: one for name, one in after.items() if one != wanted.get(name) and self._is_returned(name)}
        if self.of_cyrus and after["isOrigin"]:
            returned["updated"] = after["updated"]
        self.updated[key] = None if self.of_stalwart else returned or None

    def _patched(self, before: JsonObject, patch: JsonObject) -> JsonObject:
        """Return an item with a patch applied; raise SetError where it does not fit."""
        if self.of_stalwart:
            check_names(self.model, patch)
        try:
            left = {path: value for path, value in patch.items() if split_path(path)[0] not in self.dropped}
            return apply_patch(before, left, nested=self.of_cyrus)
        except SetError as error:
            raise (refused_patch(error, patch) if self.of_stalwart else error) from error

    def remove(self, key: str) -> None:
        """Destroy one item."""
        item = self._find(key)
        if item is None:
            if not (self.of_cyrus and self.store.exclude(key)):
                raise SetError("notFound")
            self.destroyed.append(key)
            return
        self._check_rights(None, item)
        self.store.remove(item["id"])
        self._send("destroy", item)
        self.destroyed.append(key)

    def _check(self, item: JsonObject, before: JsonObject | None) -> None:
        """Raise SetError for an item that is not one, or that the user has no right to make so."""
        wrong = wrong_properties(self.model, self.account.dialect, item)
        if self.of_cyrus:
            wrong += refused_values(item)
        if wrong:
            raise invalid_properties(*wrong)
        if before is not None and item.get("isDraft") and not before.get("isDraft"):
            raise invalid_properties("isDraft", description="What is no draft does not become one.")
        check_blobs(self.account, self.model, item)
        self._check_rights(item, before)

    def _check_rights(self, item: JsonObject | None, before: JsonObject | None) -> None:
        """Raise SetError `forbidden` unless the user may bring an item from one form to another; None is no item."""
        if self.model is CALENDAR_MODEL:
            check_event_rights(self.account, before, item)
            return
        homes = {*(item or {}).get("addressBookIds", ()), *(before or {}).get("addressBookIds", ())}
        if not all(self.store.collections[home]["myRights"]["mayWrite"] for home in homes):
            raise SetError("forbidden")

    def _resolve_homes(self, value: object) -> JsonObject:
        """Return the collections an item is in, creation ids resolved; raise SetError where there is none, or no such one."""
        if not isinstance(value, dict) or not value or any(marker is not True for marker in value.values()):
            raise invalid_properties(self.model.homes)
        homes = {self.context.resolve_id(name): True for name in value}
        limit = self.context.service.limits.max_collections_per_item
        if not homes.keys() <= self.store.collections.keys() or (limit is not None and len(homes) > limit):
            raise invalid_properties(self.model.homes, description="There is no such collection, or they are too many.")
        return homes  # type: ignore[return-value] # no None among the keys

    def _with_file(self, item: JsonObject) -> JsonObject:
        return self.store.with_file(item) if offers_files(self.context) else item

    def _rewritten(self, item: JsonObject) -> JsonObject:
        """Return what the server stores of an item: in a form of its own, or what a lying server makes of it."""
        item = keep_item(item, self.account.freedoms.items_kept)
        rewrite = self.context.service.faults.rewrite_items.take((self.model.item,))
        return item if rewrite is None else rewrite(copy.deepcopy(item))

    def _find(self, key: str) -> JsonObject | None:
        item_id = self.context.resolve_id(key) if self.account.dialect.creation_ids_as_keys else key
        return self.store.items.get(item_id or "")

    def _is_returned(self, name: str) -> bool:
        return name in RETURNED if self.of_cyrus else name not in self.account.dialect.named_only

    def _send(self, act: str, item: JsonObject) -> None:
        """Note the scheduling messages that an act sends to the participants of an event."""
        if self.sends and item.get("participants") and not item.get("isDraft"):
            self.store.sent.append((act, item["uid"]))
