"""Answer the methods of address books and calendars (RFC 9610, section 2; draft-ietf-jmap-calendars, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.item_methods import store_of
from jmapsync.demo.models import follows_cyrus
from jmapsync.demo.patch import apply_patch, split_path
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.standard import (
    GetArguments,
    SetArguments,
    SetRun,
    checked_properties,
    get_result,
    requested_ids,
)

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.models import Model
    from jmapsync.demo.wire import Context

_FIXED = ("id", "isDefault", "myRights")


class CollectionSetArguments(SetArguments):
    """What `AddressBook/set` and `Calendar/set` have in common."""

    on_success_set_is_default: str | None = None


class AddressBookSetArguments(CollectionSetArguments):
    """The arguments of `AddressBook/set`."""

    on_destroy_remove_contents: bool = False


class CalendarSetArguments(CollectionSetArguments):
    """The arguments of `Calendar/set`."""

    on_destroy_remove_events: bool = False


def get_collections(context: Context, arguments: GetArguments, model: Model) -> JsonObject:
    """Answer `/get`."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, (*_FIXED, *model.collection_properties))
    with account.lock:
        collections = store_of(account, model).collections
        ids, not_found = requested_ids(context, arguments.ids, model.collection, collections)
        wholes = {one: collection_object(account, model, collections[one]) for one in ids if one in collections}
        found = [{name: whole[name] for name in names if name in whole} for whole in wholes.values()]
        not_found += [one for one in ids if one not in collections]
        return get_result(context, account, model.collection, found, not_found)


def collection_object(account: Account, model: Model, collection: JsonObject) -> JsonObject:
    """Return a collection as the wire has it; Cyrus knows no default calendar, and gives some properties only once set."""
    if not follows_cyrus(model, account.dialect):
        return collection
    shown = {name: value for name, value in collection.items() if name != "isDefault"}
    for name in ("color", "defaultAlertsWithTime", "defaultAlertsWithoutTime"):
        if shown[name] is None:
            del shown[name]
    shown["myRights"] = {"mayAdmin" if name == "mayShare" else name: value for name, value in shown["myRights"].items()}
    return shown


def change_collections(context: Context, arguments: ChangesArguments, model: Model) -> JsonObject:
    """Answer `/changes`."""
    return run_changes(context, arguments, model.collection)


def set_collections(context: Context, arguments: AddressBookSetArguments | CalendarSetArguments, model: Model) -> JsonObject:
    """Answer `/set`: creations, then updates, then destructions, then the choice of a default."""
    account = context.writable_account(arguments.account_id)
    if isinstance(arguments, CalendarSetArguments):
        empties = arguments.on_destroy_remove_events
    else:
        empties = arguments.on_destroy_remove_contents
    if follows_cyrus(model, account.dialect) and arguments.on_success_set_is_default is not None:
        raise MethodError("invalidArguments", arguments=["onSuccessSetIsDefault"])
    with account.transaction():
        run = _CollectionRun(context, account, arguments, model, empties=empties)
        run.carry_out()
        run.choose_default(arguments.on_success_set_is_default)
    return run.result()


class _CollectionRun(SetRun):
    """One `/set`."""

    def __init__(self, context: Context, account: Account, arguments: SetArguments, model: Model, *, empties: bool) -> None:
        super().__init__(context, account, arguments, model.collection)
        self.empties = empties
        self.model = model
        self.store = store_of(account, model)
        self.of_cyrus = follows_cyrus(model, account.dialect)

    def add(self, key: str, value: JsonObject) -> None:
        """Create one collection."""
        if not self.store.may_create:
            raise SetError("forbidden")
        values = {name: one for name, one in value.items() if name not in self.dropped}
        if self.of_cyrus and values.get("isSubscribed") is False:
            raise invalid_properties("isSubscribed")
        self._check({"name": None, **values})
        whole = self.store.add_collection(values)
        shown = collection_object(self.account, self.model, whole)
        names = ("id", "myRights") if self.of_cyrus else [name for name in shown if name not in value]
        self.created[key] = {name: shown[name] for name in names}
        self.context.created_ids[key] = whole["id"]

    def change(self, key: str, patch: JsonObject) -> None:
        """Change one collection."""
        before = self.store.collections.get(self.context.resolve_id(key) or "")
        if key in self.destroy:
            raise SetError("notFound" if self.of_cyrus else "willDestroy")
        if before is None:
            raise SetError("notFound")
        if self.of_cyrus:
            patch = {path: value for path, value in patch.items() if not self._is_passed_over(path, value)}
            patch = {path: value or before["id"] if path == "name" else value for path, value in patch.items()}
        after = apply_patch(before, {path: value for path, value in patch.items() if split_path(path)[0] not in self.dropped})
        for name, (default, _) in self.model.collection_properties.items():
            after.setdefault(name, default)
        if changed := [name for name in _FIXED if after.get(name) != before[name]]:
            raise invalid_properties(*changed)
        self._check({name: value for name, value in after.items() if name not in _FIXED})
        if after["shareWith"] != before["shareWith"] and not before["myRights"]["mayShare"]:
            raise SetError("forbidden")
        if after != before:
            self.store.put_collection(after)
        self.updated[key] = None

    def _is_passed_over(self, path: str, value: object) -> bool:
        """Return whether Cyrus takes a change of a calendar without a word and makes none."""
        return path in ("name", "color") and value is None

    def remove(self, key: str) -> None:
        """Destroy one collection."""
        collection = self.store.collections.get(self.context.resolve_id(key) or "")
        if collection is None:
            raise SetError("notFound")
        if not collection["myRights"]["mayDelete"]:
            raise SetError("forbidden")
        if not self.empties and self.store.inside(collection["id"]):
            raise SetError("calendarHasEvents" if self.of_cyrus else self.model.contents_error)
        self.store.remove_collection(collection["id"])
        self.destroyed.append(key)

    def choose_default(self, key: str | None) -> None:
        """Make a collection the default if all went well; an unknown one is ignored, as RFC 9610 wants it."""
        chosen = self.store.collections.get(self.context.resolve_id(key) or "") if key else None
        if chosen is None or chosen["isDefault"] or any(self.refused.values()):
            return
        created = {whole["id"]: whole for whole in self.created.values()}
        former = [one["id"] for one in self.store.collections.values() if one["isDefault"]]
        self.store.set_default(chosen["id"])
        for collection_id in [chosen["id"], *former]:
            change = {"isDefault": collection_id == chosen["id"]}
            if collection_id in created:
                created[collection_id].update(change)
            else:
                self.updated[collection_id] = (self.updated.get(collection_id) or {}) | change

    def _check(self, values: JsonObject) -> None:
        """Raise SetError that names the properties which clients cannot set, or not so."""
        table = self.model.collection_properties
        wrong = {name for name, value in values.items() if name not in table or not table[name][1](value)}
        if self.of_cyrus and values["name"] == "":
            wrong.discard("name")
        if wrong:
            raise invalid_properties(*sorted(wrong))
