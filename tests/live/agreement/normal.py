"""Replace in answers what differs from run to run: ids, states, dates and host names, so that two servers can be compared."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

Json = Any
"""Any JSON value."""

_ID_KEYS = frozenset({"id", "blobId", "threadId", "parentId", "existingId", "accountId", "baseEventId"})
_ID_LISTS = frozenset({"ids", "destroyed", "notFound", "emailIds", "removed", "created", "updated"})
_ID_MAPS = frozenset(
    {"updated", "notUpdated", "notDestroyed", "mailboxIds", "addressBookIds", "calendarIds", "accounts", "changed"}
)
_STATE_KEYS = frozenset({"state", "oldState", "newState", "queryState", "oldQueryState", "newQueryState", "sessionState"})
_NAMING = frozenset({"properties"})
"""Lists of an error that name properties, in which ids may stand as steps of a path."""
_HUMAN = frozenset({"description", "detail", "title", "arguments", "sort"})
"""Texts for people in errors (RFC 8620, 3.6), and what Cyrus adds to them: the names of wrong arguments."""
_UTC = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
_PATHS_OF_CYRUS = re.compile(r"(/dav/calendars/).+")
_RECENT = dt.timedelta(days=2)


class Names:
    """Names given to opaque strings of one server, the same ones on each server where they play the same part."""

    def __init__(self, *, shared_states: bool = True) -> None:
        """Make names; without `shared_states` it means nothing that states of two types are equal."""
        self.shared_states = shared_states
        self._ids: dict[str, str] = {}
        self._unnamed: dict[str, str] = {}
        self._seen: set[str] = set()
        self._queries: set[str] = set()
        """The queryStates that were seen, which have nothing to do with the states of objects."""
        self._latest: dict[str, str] = {}
        """The state that was seen last, by data type."""

    def name(self, value: object, name: str) -> None:
        """Name an id; one that has a name keeps it."""
        if isinstance(value, str):
            self._ids.setdefault(value, f"<{name}>")

    def name_created(self, answer: Json) -> None:
        """Name the ids of objects that an answer reports as created, after their creation ids."""
        created = answer.get("created") if isinstance(answer, dict) else None
        if not isinstance(created, dict):
            return
        for key, one in created.items():
            if isinstance(one, dict):
                self.name(one.get("id"), key)
                self.name(one.get("blobId"), f"{key}.blob")
                self.name(one.get("threadId"), f"{key}.thread")

    def begin(self) -> None:
        """Begin a step: an id without a name is called by a number that is valid within the step."""
        self._unnamed = {}

    def normal(self, value: Json, type_name: str = "") -> Json:
        """Return an answer of a data type with names in it.

        A state is the one that was seen last of this type, or of another, or an older one, or new: so a difference in one step
        makes no others.
        """
        fresh: dict[str, str] = {}
        reported = self._value(value, "", type_name, fresh)
        (self._queries if isinstance(value, dict) and "queryState" in value else self._seen).update(fresh)
        if isinstance(value, dict):
            for key in ("queryState", "newQueryState", "state", "newState"):
                if isinstance(value.get(key), str):
                    self._latest[f"{type_name} query" if "uery" in key else type_name] = value[key]
        return reported

    def _value(self, value: Json, key: str, type_name: str, fresh: dict[str, str]) -> Json:
        if isinstance(value, dict):
            return {
                (self._id(name) if key in _ID_MAPS else name): self._value(one, name, type_name, fresh)
                for name, one in value.items()
                if name not in _HUMAN or "type" not in value or isinstance(one, dict)
            }
        if isinstance(value, list):
            if key in _ID_LISTS:
                return [self._id(one) if isinstance(one, str) else self._value(one, "", type_name, fresh) for one in value]
            if key in _NAMING:
                return [self._path(one) if isinstance(one, str) else one for one in value]
            return [self._value(one, "", type_name, fresh) for one in value]
        if isinstance(value, str):
            return self._state(value, key, type_name, fresh) if key in _STATE_KEYS else self._text(value, key)
        return value

    def _state(self, value: str, key: str, type_name: str, fresh: dict[str, str]) -> str:
        if not value:
            return value
        own = f"{type_name} query" if "uery" in key else type_name
        if value == self._latest.get(own):
            return "<as it was>"
        if not self.shared_states and value in self._latest.values():
            return fresh.setdefault(value, f"<new {len(fresh) + 1}>")
        if value not in (self._queries if own.endswith("query") else self._seen):
            return fresh.setdefault(value, f"<new {len(fresh) + 1}>")
        others = sorted(other for other, latest in self._latest.items() if latest == value)
        return f"<that of {others[0]}>" if others else "<an older one>"

    def _text(self, value: str, key: str) -> str:
        if key in _ID_KEYS:
            return self._id(value)
        if (match := _UTC.fullmatch(value)) is not None:
            moment = dt.datetime.fromisoformat(match[1]).replace(tzinfo=dt.UTC)
            if abs(moment - dt.datetime.now(dt.UTC)) < _RECENT:
                return f"<now{' with a fraction' if match[2] else ''}>"
        value = _PATHS_OF_CYRUS.sub(r"\1<path>", value)
        return self._ids.get(value, value) if len(value) > 1 else value

    def _id(self, value: str) -> str:
        found = self._ids.get(value) or self._unnamed.get(value)
        if found is None:
            found = value if value.startswith(("#", "nobody")) else f"<id {len(self._unnamed) + 1}>"
            self._unnamed[value] = found
        return found

    def _path(self, path: str) -> str:
        return "/".join(self._ids.get(part, part) for part in path.split("/"))
