"""The acts of the contract tests on objects in collections: cards in address books, events in calendars."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contract.peer import Peer
    from tests.live.jmapraw import Json

_numbers = itertools.count(1)


@dataclass
class Objects:
    """The objects of one data type of an account; a refusal is returned as its SetError, success as an empty one."""

    peer: Peer
    type_name: str

    def set(self, **arguments: object) -> Json:
        return self.peer.one(f"{self.type_name}/set", arguments)

    def create(self, **item: object) -> Json:
        """Create one object and return what the server answers for it."""
        answer = self.set(create={"new": item})
        assert answer["created"], answer["notCreated"]
        assert not answer["notCreated"]
        return dict(answer["created"]["new"])

    def refuse(self, **item: object) -> Json:
        answer = self.set(create={"new": item})
        assert not answer["created"]
        assert answer["oldState"] == answer["newState"]
        return dict(answer["notCreated"]["new"])

    def patch(self, object_id: str, patch: Json) -> Json:
        answer = self.set(update={object_id: patch})
        assert (object_id in (answer["updated"] or {})) is not (object_id in (answer["notUpdated"] or {}))
        return dict((answer["notUpdated"] or {}).get(object_id, {}))

    def destroy(self, object_id: str, **more: object) -> Json:
        answer = self.set(destroy=[object_id], **more)
        assert (answer["destroyed"] == [object_id]) is not bool(answer["notDestroyed"])
        return dict((answer["notDestroyed"] or {}).get(object_id, {}))

    def get(self, object_id: str, *properties: str) -> Json:
        """Return one object, with the properties named or, without a name, those the server gives unasked."""
        wish = {"ids": [object_id]} | ({"properties": list(properties)} if properties else {})
        (found,) = self.peer.one(f"{self.type_name}/get", wish)["list"]
        return dict(found)

    def exists(self, object_id: str) -> bool:
        return not self.peer.one(f"{self.type_name}/get", {"ids": [object_id]})["notFound"]

    def all(self) -> list[Json]:
        return list(self.peer.one(f"{self.type_name}/get", {"ids": None})["list"])

    def state(self) -> str:
        return self.peer.state(self.type_name)

    def listed(self, since: str) -> tuple[list[str], list[str], list[str]]:
        return self.peer.listed(since, self.type_name)


def unique(prefix: str) -> str:
    """Return a uid that no other test uses; later ones sort later."""
    return f"{prefix}-{next(_numbers):06d}"
