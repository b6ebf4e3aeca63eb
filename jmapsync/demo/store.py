"""Keep the collections and items of one data model in an account: the acts of its methods, and those of another client."""

from __future__ import annotations

import copy
import itertools
import uuid
from typing import TYPE_CHECKING

from jmapsync.demo.attachments import store_data_uris
from jmapsync.demo.content import blob_id_of
from jmapsync.demo.cyrus_events import event_id, fold_instance, parse_instance
from jmapsync.demo.freedoms import form_id
from jmapsync.demo.models import CALENDAR_MODEL, Model, follows_cyrus
from jmapsync.demo.patch import apply_patch
from jmapsync.demo.stalwart_items import kept
from jmapsync.demo.stamps import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject

Backup = tuple[dict[str, "JsonObject"], dict[str, "JsonObject"]]


class Store:
    """Address books and cards, or calendars and events: JSON objects as the wire has them, each replaced, never changed.

    The acts of another client name collections by id or by name.
    """

    def __init__(self, account: Account, model: Model) -> None:
        """Make a store with the one collection that every account starts with."""
        self.account = account
        self.model = model
        self.collections: dict[str, JsonObject] = {}
        """By id, whole."""
        self.items: dict[str, JsonObject] = {}
        """By id, whole, `id` and the ids of collections among their properties."""
        self.may_create = True
        """Whether the user may make collections."""
        self.sent: list[tuple[str, str]] = []
        """The scheduling messages that went out: what was done (`create`, `update`, `destroy`) and the event's uid."""
        self.render: Callable[[list[JsonObject]], bytes] | None = None
        """How an item reads as a file; where it is given, a server like Cyrus offers the files of events as blobs."""
        self.doubled: list[JsonObject] = []
        """The former versions of instances that stayed in their files beside the new ones (Cyrus)."""
        self._ids: dict[str, dict[str | None, str]] = {}  # by uid, then by recurrence id
        self._withdrawn: dict[str, tuple[JsonObject, list[JsonObject]]] = {}
        self._serial = itertools.count(1)
        self._add_first()

    # Records, as the methods of the server change them.

    def add_collection(self, values: JsonObject) -> JsonObject:
        """Add a collection and return it; the first one is the default."""
        with self.account.transaction():
            defaults = {name: default for name, (default, _) in self.model.collection_properties.items()}
            fixed = {
                "id": self._new_collection_id(),
                "isDefault": not self.collections,
                "myRights": dict.fromkeys(self.model.rights, True),
            }
            return self.put_collection({**defaults, **values, **fixed})

    def put_collection(self, collection: JsonObject) -> JsonObject:
        """Keep a collection in its new form and return it."""
        with self.account.transaction():
            self.collections[collection["id"]] = collection
            self.account.record(self.model.collection, collection["id"])
            return collection

    def remove_collection(self, collection_id: str) -> None:
        """Destroy a collection and the items that are nowhere else; where it was the default, the next one becomes it."""
        with self.account.transaction():
            for item_id, item in list(self.items.items()):
                if collection_id in item[self.model.homes]:
                    if others := {name: True for name in item[self.model.homes] if name != collection_id}:
                        self.put({**item, self.model.homes: others})
                    else:
                        self.remove(item_id)
            gone = self.collections.pop(collection_id)
            modseq = self.account.record(self.model.collection, collection_id, dead=True)
            if self._is_of_cyrus:
                self.account.logs[self.model.item].floor = modseq
                if gone["isDefault"]:
                    self._add_first()
            elif gone["isDefault"] and self.collections:
                self.set_default(next(iter(self.collections)))

    def set_default(self, collection_id: str) -> None:
        """Make a collection the one that new items go to."""
        with self.account.transaction():
            for collection in list(self.collections.values()):
                if collection["isDefault"] != (collection["id"] == collection_id):
                    self.put_collection({**collection, "isDefault": not collection["isDefault"]})

    def twin(self, item: JsonObject) -> str | None:
        """Return the id of the item that has the uid (and, of events, the recurrence id) of this one."""
        return self._ids.get(item["uid"], {}).get(item.get("recurrenceId"))

    def create(self, item: JsonObject) -> JsonObject:
        """Add an item with all that the server sets, and return it; its uid must be new here."""
        with self.account.transaction():
            item = self._kept(stamp(self.model, self.account, item, None))
            if self._is_of_cyrus:
                return self._create_of_cyrus({**item, "id": event_id(item)})
            return self.put({**item, "id": self._new_id(self.model.prefixes[1])})

    def replace(self, before: JsonObject, after: JsonObject) -> JsonObject:
        """Give an item its new form, with all that the server sets, and return it."""
        with self.account.transaction():
            return self.put(self._kept(stamp(self.model, self.account, after, before)))

    def _kept(self, item: JsonObject) -> JsonObject:
        """Return an item as servers of the dialect keep it."""
        item = store_data_uris(self.account, self.model, item)
        return kept(copy.deepcopy(item)) if self.account.dialect.item_form == "stalwart" else item

    def put(self, item: JsonObject, *, anew: bool = False) -> JsonObject:
        """Keep an item as it is and return it; `anew`: `/changes` then lists it as created."""
        with self.account.transaction():
            if (former := self.items.get(item["id"])) is not None:
                self._forget(former)
            self.items[item["id"]] = item
            self._index(item)
            self.account.record(self.model.item, item["id"], anew=anew)
            return item

    def remove(self, item_id: str) -> None:
        """Destroy an item."""
        with self.account.transaction():
            item = self.items.pop(item_id)
            self._forget(item)
            self.account.record(self.model.item, item_id, dead=True)

    def _forget(self, item: JsonObject) -> None:
        """Take an item out of the index; where another one has its uid and recurrence id, that one stays or takes its place."""
        moment, same = item.get("recurrenceId"), self._ids[item["uid"]]
        if same.get(moment) != item["id"]:
            return
        del same[moment]
        for other in self.items.values():
            if other["id"] != item["id"] and (other["uid"], other.get("recurrenceId")) == (item["uid"], moment):
                same[moment] = other["id"]

    @property
    def _is_of_cyrus(self) -> bool:
        return follows_cyrus(self.model, self.account.dialect)

    def _create_of_cyrus(self, event: JsonObject) -> JsonObject:
        """Add an event; an instance becomes part of its base event, and a base event takes the place of its instances."""
        moment = event.get("recurrenceId")
        present = self._ids.get(event["uid"], {})
        if moment is not None and None in present:
            self.put(fold_instance(self.items[present[None]], moment, event), anew=True)
            return event
        if moment is None:
            for item_id in list(present.values()):
                self.remove(item_id)
        return self.put(event)

    def exclude(self, item_id: str) -> bool:
        """Exclude the occurrence of an event that an id stands for; return whether it stands for one (Cyrus)."""
        if (instance := parse_instance(item_id)) is None:
            return False
        uid, moment = instance
        base_id = self._ids.get(uid, {}).get(None)
        if base_id is None:
            return False
        base = self.items[base_id]
        self.put(base | {"recurrenceOverrides": (base.get("recurrenceOverrides") or {}) | {moment: {"excluded": True}}})
        return True

    def _add_first(self) -> None:
        """Add the collection that every account has from the start; Cyrus makes it again as soon as it is destroyed."""
        first = self.add_collection({"name": "personal" if self._is_of_cyrus else self.model.default_name})
        if not first["isDefault"]:
            self.set_default(first["id"])

    def _new_collection_id(self) -> str:
        if self._is_of_cyrus and "Default" not in self.collections:
            return "Default"
        return self._new_id(self.model.prefixes[0])

    def _new_id(self, prefix: str) -> str:
        return form_id(self.account.freedoms.id_form, prefix, next(self._serial))

    # The acts of another client.

    def collection(self, name: str) -> JsonObject:
        """Return a collection by id or by name; an empty name is the default one's. Raise KeyError without one."""
        if name in self.collections:
            return self.collections[name]
        for collection in self.collections.values():
            if collection["name"] == name or (not name and collection["isDefault"]):
                return collection
        raise KeyError(name)

    def create_collection(self, name: str, /, **properties: object) -> str:
        """Make an address book or calendar and return its id."""
        return str(self.add_collection({"name": name, **properties})["id"])

    def edit_collection(self, name: str, /, **properties: object) -> None:
        """Change properties of a collection, such as `name` or `color`."""
        with self.account.transaction():
            self.put_collection({**self.collection(name), **properties})

    def set_rights(self, name: str, /, **rights: bool) -> None:
        """Change what the user may do in a collection, such as `mayWrite=False`."""
        collection = self.collection(name)
        self.edit_collection(name, myRights=collection["myRights"] | rights)

    def delete_collection(self, name: str) -> None:
        """Destroy a collection and the items that are nowhere else."""
        with self.account.transaction():
            self.remove_collection(self.collection(name)["id"])

    def withdraw_collection(self, name: str) -> None:
        """Have the user no longer see a collection with what is in it, which is listed as destroyed."""
        with self.account.transaction():
            collection = self.collection(name)
            self._withdrawn[name] = collection, [item for item in self.items.values() if collection["id"] in item[self.model.homes]]
            self.remove_collection(collection["id"])

    def share_collection(self, name: str) -> None:
        """Have the user see a collection again."""
        with self.account.transaction():
            collection, items = self._withdrawn.pop(name)
            self.put_collection(collection)
            for item in items:
                self.put(item)

    def add(self, item: JsonObject, collections: Sequence[str] = ("",)) -> str:
        """Put an item into collections and return its id; a missing `@type`, `version` and `uid` are filled in."""
        with self.account.transaction():
            homes = {str(self.collection(name)["id"]): True for name in collections}
            whole = self.filled({**copy.deepcopy(item), self.model.homes: homes})
            return str(self.create(whole)["id"])

    def edit(self, item_id: str, patch: JsonObject) -> None:
        """Change an item by the paths of a PatchObject."""
        with self.account.transaction():
            self.replace(self.items[item_id], apply_patch(self.items[item_id], patch))

    def move(self, item_id: str, source: str, target: str) -> None:
        """Take an item out of one collection and put it into another; further ones it is in stay."""
        with self.account.transaction():
            homes = {name: True for name in self.items[item_id][self.model.homes] if name != self.collection(source)["id"]}
            homes[self.collection(target)["id"]] = True
            self.put({**self.items[item_id], self.model.homes: homes})

    def delete(self, item_id: str) -> None:
        """Destroy an item."""
        self.remove(item_id)

    def by_uid(self, uid: str) -> JsonObject:
        """Return the item of a uid; of events, the one without a recurrence id. Raise KeyError without one."""
        return self.items[self._ids[uid][None]]

    def inside(self, name: str = "") -> list[JsonObject]:
        """Return the items of one collection."""
        collection_id = self.collection(name)["id"]
        return [item for item in self.items.values() if collection_id in item[self.model.homes]]

    def filled(self, item: JsonObject) -> JsonObject:
        """Return an item with what a server fills in where a client leaves it out: `@type`, `version`, `uid`."""
        fixed: JsonObject = {"uid": f"urn:uuid:{uuid.uuid4()}", "@type": "Card", "version": "1.0"}
        if self.model is CALENDAR_MODEL:
            fixed = {"uid": str(uuid.uuid4()), "@type": "Event"}
            if self.account.dialect.calendars == "2.0":
                fixed["version"] = "2.0"
        return {**fixed, **item}

    def with_file(self, item: JsonObject) -> JsonObject:
        """Return an item with the blob of its file, where files can be had."""
        if self.render is None:
            return item
        same = self._ids.get(item["uid"], {}).values() or [item["id"]]
        former = [one for one in self.doubled if one["uid"] == item["uid"] and one["id"] in same]
        data = self.render([*(self.items.get(each, item) for each in same), *former])
        blob_id = f"I{item['id']}_{blob_id_of(data)}"
        self.account.blobs[blob_id] = data
        return {**item, "blobId": blob_id}

    # A backup that is restored.

    def backup(self) -> Backup:
        """Return all the store holds."""
        return self.collections.copy(), self.items.copy()

    def restore(self, backup: Backup) -> None:
        """Set everything back."""
        self.collections, self.items = backup[0].copy(), backup[1].copy()
        self._ids = {}
        for item in self.items.values():
            self._index(item)

    def _index(self, item: JsonObject) -> None:
        self._ids.setdefault(item["uid"], {})[item.get("recurrenceId")] = item["id"]
