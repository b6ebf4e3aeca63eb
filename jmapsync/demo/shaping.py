"""Give the answers of the embedded server another legal form, as a server's `Freedoms` say."""

from __future__ import annotations

import random
import re
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jmapsync.demo.problems import JsonObject, MethodError, RequestProblem, SetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.demo.faults import Switch
    from jmapsync.demo.freedoms import Freedoms, ItemForm

_STATES = ("state", "oldState", "newState", "queryState", "newQueryState")
_STATE_ARGUMENTS = ("sinceState", "ifInState", "sinceQueryState", "ifFromInState", "destroyFromIfInState")
_MARK = {"number": "", "opaque": "J", "unicode": "状態é-", "long": "0" * 990 + "_", "odd": "\" '\\\n%2F&#;\u2028{}-"}
_APART = re.compile(r"^(upload[0-9]+|email)-")
_MOST_PARTS = 4
_TURN = "~"
"""Separates a state from a suffix that makes it another one."""
_SET_RESULTS = ("created", "updated", "destroyed", "notCreated", "notUpdated", "notDestroyed")
_MEMBERS = frozenset({
    *("phones", "emails", "addresses", "notes", "nicknames", "organizations", "titles", "links", "media", "anniversaries"),
    *("onlineServices", "personalInfo", "locations", "virtualLocations", "alerts"),
})  # fmt: skip
"""Properties that are maps under keys of the creator's choice, which nothing else refers to here."""
_CARD_DEFAULTS: JsonObject = {"kind": "individual"}
_EVENT_DEFAULTS: JsonObject = {"priority": 0, "showWithoutTime": False, "descriptionContentType": "text/plain", "privacy": "public"}
_ITEMS = frozenset({"ContactCard/get", "CalendarEvent/get"})
_DEFAULTS: dict[str, JsonObject] = {
    "Mailbox/get": {"parentId": None, "role": None, "sortOrder": 0, "isSubscribed": False},
    "AddressBook/get": {"description": None, "sortOrder": 0, "isSubscribed": False, "shareWith": None},
    "Calendar/get": {"description": None, "color": None, "sortOrder": 0, "isVisible": True, "shareWith": None, "timeZone": None},
}
"""What an object has where nothing is said of it (RFC 8621, 2; RFC 9610, 2; draft-ietf-jmap-calendars, 4)."""
_RETRY_AFTER = {"zero": "0", "second": "1", "date": "Fri, 01 Jan 2021 00:00:00 GMT", "none": None}
_MOST_SORT_ORDERS = 1 << 31
_STAMPS = ("created", "updated")
_WHOLE_SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_HOURS = re.compile("PT([0-9]+)H")
_PRESERVED = frozenset({"vCardProps", "vCardParams", "iCalendar"})
"""What carries lines that have no property of their own."""


class Shape:
    """The form that one server gives its answers; the same for the same seed and the same requests."""

    def __init__(self, freedoms: Freedoms) -> None:
        """Begin the choices anew."""
        self.freedoms = freedoms
        self.chance = random.Random(freedoms.seed)  # noqa: S311 - nothing here is secret
        self._count = 0
        self._known: dict[str, dict[str, None]] = {}
        """Ids that `/changes` listed and that are still there, by method."""
        self.quiet = False
        """Whether the server has none of the troubles that pass by."""

    def _happens(self, often: float) -> bool:
        return often > 0 and not self.quiet and self.chance.random() < often

    # requests

    def check_request(self) -> None:
        """Raise RequestProblem where a request is refused for coming too fast."""
        if self._happens(self.freedoms.throttled):
            status, wait = self.chance.choice((400, 429, 503)), _RETRY_AFTER[self.freedoms.retry_after]
            if self.freedoms.problem_form != "jmap":
                status = max(status, HTTPStatus.TOO_MANY_REQUESTS)
            raise RequestProblem("limit", "Too many requests.", limit="maxConcurrentRequests", status=status, retry_after=wait)

    def is_turning(self) -> bool:
        """Decide whether the session changes now."""
        return self._happens(self.freedoms.session_turns)

    def loses_event(self) -> bool:
        """Decide whether an event of push does not arrive."""
        return self._happens(self.freedoms.push_loses)

    def check_creation(self) -> None:
        """Raise SetError where the server takes no further object for now."""
        if self._happens(self.freedoms.refused_objects):
            raise SetError(self.freedoms.refusal)

    @contextmanager
    def failing_partly(self, name: str, partial_fail: Switch[int]) -> Iterator[None]:
        """Let a call that writes do only some of its parts, and fail then."""
        fails = name.partition("/")[2] in {"set", "import"} and self._happens(self.freedoms.partial_fails)
        if fails:
            partial_fail.arm(self.chance.randrange(_MOST_PARTS), times=1, only={name})
        try:
            yield
        finally:
            if fails:
                partial_fail.disarm()

    def loses_blob(self) -> bool:
        """Decide whether a blob that was uploaded is gone."""
        return self._happens(self.freedoms.loses_uploads)

    def session_state(self, state: str) -> str:
        """Return the state that a response shows."""
        return f"{state}-{self._next()}" if self._happens(self.freedoms.session_moves) else state

    # methods

    def read_arguments(self, name: str, arguments: JsonObject) -> JsonObject:
        """Return arguments with states and blob ids as the server itself has them. Raises MethodError."""
        if self._happens(self.freedoms.unavailable):
            raise MethodError(self.freedoms.unavailable_as)
        kind = name.partition("/")[2]
        if kind == "changes" and (
            self._happens(self.freedoms.cannot_calculate) or name.partition("/")[0] == self.freedoms.changes_lacking
        ):
            raise MethodError("cannotCalculateChanges")
        read: JsonObject = {key: self._read_state(value) if key in _STATE_ARGUMENTS else value for key, value in arguments.items()}
        if kind == "import" and isinstance(read.get("emails"), dict):
            read["emails"] = {key: _with_own_blob(wish) for key, wish in read["emails"].items()}
        elif name.startswith("SieveScript/"):
            read = _with_own_blob(read)
            for part in ("create", "update"):
                if isinstance(read.get(part), dict):
                    read[part] = {key: _with_own_blob(wish) for key, wish in read[part].items()}
        elif name == "Blob/get" and isinstance(read.get("ids"), list):
            read["ids"] = [own_blob_id(str(one)) for one in read["ids"]]
        elif kind == "queryChanges" and isinstance(read.get("sinceQueryState"), str):
            read["sinceQueryState"] = read["sinceQueryState"].partition("/")[0]
        elif kind == "changes" and self.freedoms.changes_page is not None:
            read["maxChanges"] = min(self.freedoms.changes_page, read.get("maxChanges") or self.freedoms.changes_page)
        return read

    def write_result(self, name: str, arguments: JsonObject, result: JsonObject) -> JsonObject:
        """Return a method's result in this server's form; `arguments` are those that the client gave."""
        kind = name.partition("/")[2]
        write: dict[str, Callable[[str, JsonObject, JsonObject], None]] = {
            "get": self._write_get,
            "changes": self._write_changes,
            "query": self._write_query,
            "set": self._write_set,
            "import": self._write_set,
        }
        result = dict(result)
        if kind in write:
            write[kind](name, arguments, result)
        for key in _STATES:
            if isinstance(result.get(key), str):
                result[key] = self._write_state(result[key])
        if self.freedoms.extra_properties and kind in write:
            result["example.com:more"] = [None]
        if kind == "changes":
            result["oldState"] = arguments["sinceState"]  # echoed (RFC 8620, 5.2)
        elif kind == "queryChanges":
            result["oldQueryState"] = arguments["sinceQueryState"]
        return result

    def upload_blob_id(self, blob_id: str) -> str:
        """Return the blob id that an upload is given."""
        return f"upload{self._next()}-{blob_id}" if self.freedoms.blob_ids == "apart" else blob_id

    # states

    def _write_state(self, state: str) -> str:
        form = self.freedoms.state_form
        if form == "number" and not self.freedoms.state_changes_alone:
            return state
        turn = f"{_TURN}{self._next()}" if self._happens(self.freedoms.state_changes_alone) else ""
        return f"{_MARK[form]}{state}{turn}"

    def _read_state(self, state: object) -> object:
        if not isinstance(state, str):
            return state
        return state.removeprefix(_MARK[self.freedoms.state_form]).partition(_TURN)[0]

    def _next(self) -> int:
        self._count += 1
        return self._count

    # answers

    def _write_get(self, name: str, arguments: JsonObject, result: JsonObject) -> None:
        found: list[JsonObject] = list(result.get("list") or [])
        if name == "Blob/get":
            asked = {own_blob_id(str(one)): one for one in arguments.get("ids") or []}
            found = [one | {"id": asked.get(one["id"], one["id"])} for one in found]
            result["notFound"] = [asked.get(one, one) for one in result.get("notFound") or []]
        elif name == "Email/get":
            found = [self._write_email(one) for one in found]
        elif name == "Mailbox/get":
            found = [self._write_mailbox(one) for one in found]
        elif name in _ITEMS:
            found = [self._write_item(one, whole=arguments.get("properties") is None) for one in found]
        if self.freedoms.defaults == "omitted" and name in _DEFAULTS:
            usual = _DEFAULTS[name]
            found = [{key: one[key] for key in one if key not in usual or one[key] != usual[key]} for one in found]
        if self.freedoms.get_order == "reversed":
            found.reverse()
        elif self.freedoms.get_order == "shuffled":
            self.chance.shuffle(found)
        if self.freedoms.extra_properties:
            found = [one | {"example.com:more": {"n": [None, 1.5, "x"]}} for one in found]
        result["list"] = found

    def _write_email(self, email: JsonObject) -> JsonObject:
        email = dict(email)
        if self.freedoms.fractional_dates and isinstance(email.get("receivedAt"), str):
            email["receivedAt"] = email["receivedAt"].removesuffix("Z") + ".25Z"
        if self.freedoms.blob_ids == "apart" and "blobId" in email:
            email["blobId"] = f"email-{email['blobId']}"
        return email

    def _write_mailbox(self, mailbox: JsonObject) -> JsonObject:
        mailbox = dict(mailbox)
        if not self.freedoms.roles and mailbox.get("role") != "inbox" and "role" in mailbox:
            mailbox["role"] = None
        if not self.freedoms.subscribed and "isSubscribed" in mailbox:
            mailbox["isSubscribed"] = False
        if self.freedoms.sort_orders == "moving" and "sortOrder" in mailbox:
            mailbox["sortOrder"] = self.chance.randrange(_MOST_SORT_ORDERS)
        return mailbox

    def _write_item(self, item: JsonObject, *, whole: bool) -> JsonObject:
        if self.freedoms.utc_times and whole and item.get("timeZone") == "Etc/UTC" and "start" in item:
            hours = _HOURS.fullmatch(str(item.get("duration") or "PT0H"))
            end = datetime.fromisoformat(str(item["start"])) + timedelta(hours=int(hours[1]) if hours else 0)
            item = {**item, "utcStart": f"{item['start']}Z", "utcEnd": f"{end.isoformat()}Z"}
        if self.freedoms.fractional_dates:
            stamps = {name: f"{item[name][:-1]}.25Z" for name in _STAMPS if re.fullmatch(_WHOLE_SECONDS, str(item.get(name)))}
            item = {**item, **stamps}
        return item if self.freedoms.member_order == "as kept" else self._reordered(item)

    def _reordered(self, value: Any) -> Any:  # noqa: ANN401 # any JSON value
        if isinstance(value, list):
            return [self._reordered(one) for one in value]
        if not isinstance(value, dict):
            return value
        names = list(value)
        if self.freedoms.member_order == "reversed":
            names.reverse()
        else:
            self.chance.shuffle(names)
        return {name: self._reordered(value[name]) for name in names}

    def _write_changes(self, name: str, arguments: JsonObject, result: JsonObject) -> None:
        if self._happens(self.freedoms.empty_pages):
            state = f"{self._read_state(arguments['sinceState'])}{_TURN}{self._next()}"
            result |= {"created": [], "updated": [], "destroyed": [], "newState": state, "hasMoreChanges": True}
            return
        if not self.freedoms.counts_named and "updatedProperties" in result:
            result["updatedProperties"] = None
        self._list_changes(name, arguments, result)

    def _list_changes(self, name: str, arguments: JsonObject, result: JsonObject) -> None:
        freedoms = self.freedoms
        created, updated, destroyed = (list(result[key]) for key in ("created", "updated", "destroyed"))
        if freedoms.created_also_updated:
            updated += [one for one in created if one not in updated]
        if freedoms.destroyed_also_updated:
            updated += [one for one in destroyed if one not in updated]
        known = self._known.setdefault(name, {})
        for one in created + updated:
            known[one] = None
        for one in destroyed:
            known.pop(one, None)
        if known and self._happens(freedoms.changes_unchanged):
            one = self.chance.choice(list(known))
            updated += [] if one in created or one in updated else [one]
        most = arguments.get("maxChanges")
        if most is not None:  # what is listed twice is left out again where the page has no room for it
            room = max(0, most - len(created) - len(destroyed))
            surplus = [one for one in updated if one not in result["updated"]]
            updated = [one for one in updated if one in result["updated"]]
            updated += surplus[: max(0, room - len(updated))]
        if freedoms.changes_order == "shuffled":
            for ids in (created, updated, destroyed):
                self.chance.shuffle(ids)
        result |= {"created": created, "updated": updated, "destroyed": destroyed}

    def _write_query(self, _name: str, arguments: JsonObject, result: JsonObject) -> None:
        freedoms = self.freedoms
        position = int(arguments.get("position") or 0)
        if freedoms.total == "never" or (freedoms.total == "first page" and position):
            result.pop("total", None)
        if freedoms.query_state == "page":
            result["queryState"] = f"{result['queryState']}/{result['position']}"
        elif freedoms.query_state == "answer":
            result["queryState"] = f"{result['queryState']}/{self._next()}"
        if not result["ids"]:
            result["position"] = {"clamped": result["position"], "as asked": max(0, position), "zero": 0}[freedoms.past_the_end]
        result["canCalculateChanges"] = freedoms.can_calculate_query

    def _write_set(self, name: str, _arguments: JsonObject, result: JsonObject) -> None:
        freedoms = self.freedoms
        if freedoms.updated_as == "object" and result.get("updated"):
            result["updated"] = {key: value or {} for key, value in result["updated"].items()}
        if freedoms.empty_results == "empty":
            for key in _SET_RESULTS:
                if key in result and result[key] is None:
                    result[key] = [] if key == "destroyed" else {}
        if freedoms.empty_results == "absent":
            for key in _SET_RESULTS:
                if not result.get(key, ()):
                    result.pop(key, None)
        if freedoms.old_state == "null" and "oldState" in result:
            result["oldState"] = None
        if freedoms.blob_ids == "apart" and name == "Email/import" and result.get("created"):
            result["created"] = {key: one | {"blobId": f"email-{one['blobId']}"} for key, one in result["created"].items()}


def keep_item(item: JsonObject, form: ItemForm) -> JsonObject:
    """Return a card, event or task as a server keeps it that brings objects into a form of its own."""
    defaults = _CARD_DEFAULTS if "addressBookIds" in item else _EVENT_DEFAULTS
    if form == "members renamed":
        return {name: _renamed(value) if name in _MEMBERS else value for name, value in item.items()}
    if form == "defaults dropped":
        return {name: value for name, value in item.items() if name not in defaults or value != defaults[name]}
    if form == "defaults written":
        return {**defaults, **item}
    if form == "unknown dropped":
        return {name: value for name, value in item.items() if ":" not in name and name not in _PRESERVED}
    return item


def _renamed(members: object) -> object:
    """Return the members of a map under keys that follow from their place; the same ones for what is kept already."""
    if not isinstance(members, dict):
        return members
    return {key if key.startswith("srv") else f"srv{number}-{key}"[:255]: one for number, (key, one) in enumerate(members.items())}


def own_blob_id(blob_id: str) -> str:
    """Return the server's own name of a blob, which only `blob_ids` "apart" hides."""
    return _APART.sub("", blob_id)


def _with_own_blob(wish: Any) -> Any:  # noqa: ANN401 # any JSON value, which the method checks
    if not isinstance(wish, dict) or not isinstance(wish.get("blobId"), str):
        return wish
    return wish | {"blobId": own_blob_id(wish["blobId"])}
