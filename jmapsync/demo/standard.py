"""Do what is the same for every data type in `/get`, `/query` and `/set` (RFC 8620, section 5)."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from jmapsync.demo.james import set_error
from jmapsync.demo.problems import JsonObject, MethodError, RequestProblem, SetError
from jmapsync.demo.wire import Arguments, Context

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from jmapsync.demo.account import Account

Unsigned = Annotated[int, Meta(ge=0)]


class GetArguments(Arguments):
    """The arguments of `/get`."""

    ids: list[str] | None = None
    properties: list[str] | None = None


class QueryArguments(Arguments):
    """The arguments of `/query`."""

    filter: dict[str, Any] | None = None
    sort: list[dict[str, Any]] | None = None
    position: int = 0
    anchor: str | None = None
    anchor_offset: int = 0
    limit: Unsigned | None = None
    calculate_total: bool = False


class SetArguments(Arguments):
    """The arguments of `/set`."""

    if_in_state: str | None = None
    create: dict[str, JsonObject] | None = None
    update: dict[str, JsonObject] | None = None
    destroy: list[str] | None = None


def check_size(context: Context, count: int, limit: Literal["maxObjectsInGet", "maxObjectsInSet"]) -> None:
    """Raise when a call names more objects than a limit allows: MethodError, on some servers RequestProblem."""
    limits = context.service.limits
    if not context.service.dialect.limits_requests:
        return
    if count > (limits.max_objects_in_get if limit == "maxObjectsInGet" else limits.max_objects_in_set):
        if context.service.dialect.object_limits == "request":
            raise RequestProblem("limit", f"More objects than {limit}.", limit=limit)
        raise MethodError("requestTooLarge", f"More objects than {limit}.")


def requested_ids(
    context: Context, ids: Sequence[str] | None, type_name: str = "", everything: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Return the ids to look up, each once (`everything` for None), and the creation ids nothing is known of."""
    if ids is None:
        if context.service.dialect.cuts_null_ids:
            everything = list(everything)[: context.service.limits.max_objects_in_get]
        check_size(context, len(everything), "maxObjectsInGet")
        return list(everything)[: context.service.faults.truncated_get.take((type_name,))], []
    check_size(context, len(ids), "maxObjectsInGet")
    wanted: dict[str, None] = {}
    unknown = []
    for name in ids:
        record_id = context.resolve_id(name)
        if record_id is None:
            unknown.append(name)
        else:
            wanted[record_id] = None
    return list(wanted), unknown


def checked_properties(properties: list[str] | None, known: Collection[str]) -> list[str]:
    """Return the properties to give, `id` always among them; raise MethodError for unknown ones."""
    if properties is None:
        return list(known)
    if unknown := [name for name in properties if name not in known]:
        raise MethodError("invalidArguments", f"Unknown properties: {', '.join(unknown)}.", arguments=["properties"])
    return ["id", *(name for name in dict.fromkeys(properties) if name != "id")]


def get_result(context: Context, account: Account, type_name: str, found: list[JsonObject], not_found: list[str]) -> JsonObject:
    """Return the answer to `/get`, with the faults that concern it."""
    faults = context.service.faults
    if (count := faults.missing_in_get.take((type_name,))) is not None:
        found = found[:-count]
    if (count := faults.repeated_in_get.take((type_name,))) is not None:
        found = found + found[:count]
    return {"accountId": account.id, "state": account.state(type_name), "list": found, "notFound": not_found}


def _start_of_window(context: Context, arguments: QueryArguments, ids: Sequence[str]) -> int:
    """Return the position of the first id of a page; raise MethodError for one that is not to be had."""
    if context.service.dialect.query_rules == "james":
        if arguments.position < 0 or arguments.limit == 0:
            raise MethodError("invalidArguments", "The position must not be negative, nor the limit 0.")
        if arguments.anchor is not None:
            raise MethodError("invalidArguments", "The following parameter anchor is syntactically valid, but is not supported.")
    if arguments.anchor is not None:
        anchor = context.resolve_id(arguments.anchor)
        if anchor not in ids:
            raise MethodError("anchorNotFound")
        position = max(0, ids.index(anchor) + arguments.anchor_offset)
    else:
        position = arguments.position if arguments.position >= 0 else max(0, len(ids) + arguments.position)
    return min(position, len(ids))


def query_window(
    context: Context, arguments: QueryArguments, ids: Sequence[str], type_name: str, state: str, *, calculates: bool = False
) -> JsonObject:
    """Return the page of a listing that `/query` was asked for (RFC 8620, section 5.5); `calculates`: `/queryChanges` is there."""
    faults, scopes = context.service.faults, (type_name,)
    position = _start_of_window(context, arguments, ids)
    cap = context.service.limits.max_query_limit
    limit = arguments.limit
    clamped = cap is not None and (limit is None or limit > cap)
    if clamped:
        limit = cap
    shown = limit
    if (truncated := faults.truncated_query.take(scopes)) is not None:
        shown = truncated if limit is None else min(limit, truncated)
    page = list(ids[position:] if shown is None else ids[position : position + shown])
    dialect = context.service.dialect
    result: JsonObject = {
        "accountId": arguments.account_id,
        "queryState": state,
        "canCalculateChanges": calculates,
        "position": 0 if dialect.position_past_end == "zero" and position >= len(ids) else position,
        "ids": page,
    }
    complete = not shown or position + shown > len(ids) or arguments.position != 0 or arguments.anchor is not None
    has_total = arguments.calculate_total and (dialect.totals != "first" or position == 0)
    has_total = has_total or (dialect.totals == "known" and complete)
    if has_total and not faults.missing_total.shows(scopes):
        result["total"] = len(ids)
    if dialect.query_rules == "james":
        result["queryState"] = digest_of(page)  # so each page has its own, which no change of a keyword alters
    if clamped or (dialect.repeats_limit and limit is not None):
        result["limit"] = limit
    if dialect.echoes_queries:
        asked = {"filter": arguments.filter, "sort": arguments.sort}
        result |= {name: value for name, value in asked.items() if value is not None and value != []}
    return result


def digest_of(ids: Sequence[str]) -> str:
    """Return a state string that differs whenever the listing does."""
    return hashlib.blake2b("\n".join(ids).encode(), digest_size=8).hexdigest()


class SetRun:
    """One `/set`: its results as they come, and the answer made of them."""

    def __init__(self, context: Context, account: Account, arguments: SetArguments, type_name: str) -> None:
        """Check the size and the state the client expects; raise MethodError where either does not hold."""
        self.context, self.account, self.type_name = context, account, type_name
        self.create = arguments.create or {}
        self.update = arguments.update or {}
        self.destroy = list(arguments.destroy or [])
        if type_name != "Email" or account.dialect.unknown_destroy == "notFound":
            self.destroy = list(dict.fromkeys(self.destroy))
        check_size(context, len(self.create) + len(self.update) + len(self.destroy), "maxObjectsInSet")
        self.old_state = account.state(type_name)
        if account.dialect.checks_states and arguments.if_in_state not in (None, self.old_state):
            raise MethodError("stateMismatch")
        self.created: dict[str, JsonObject] = {}
        self.updated: dict[str, JsonObject | None] = {}
        self.destroyed: list[str] = []
        self.refused: dict[str, dict[str, JsonObject]] = {"create": {}, "update": {}, "destroy": {}}
        self.dropped = frozenset(context.service.faults.drop_properties.take((type_name,)) or ())
        self._left = context.service.faults.partial_fail.take((f"{type_name}/set",))

    def attempt(self, act: str, key: str, work: Callable[[], None]) -> None:
        """Do one object's part; a SetError, or the fault of that name, is kept as its refusal.

        Raise MethodError `serverPartialFail` when that fault is armed and its count is reached.
        """
        if self._left is not None:
            if self._left == 0:
                raise MethodError("serverPartialFail")
            self._left -= 1
        try:
            if (error := self.context.service.faults.set_error.take((f"{self.type_name}/set", act))) is not None:
                raise error
            if act == "create" and self.context.service.shape is not None:
                self.context.service.shape.check_creation()
            work()
        except SetError as error:
            self.refuse(act, key, error)

    def carry_out(self) -> None:
        """Do every part with `add`, `change` and `remove`: creations, then updates, then destructions (RFC 8620, section 5.3)."""
        for key, value in self.create.items():
            self.attempt("create", key, partial(self.add, key, value))
        for key, patch in self.update.items():
            self.attempt("update", key, partial(self.change, key, patch))
        for key in self.destroy:
            self.attempt("destroy", key, partial(self.remove, key))

    def add(self, key: str, value: JsonObject) -> None:
        """Create one object; raise SetError."""
        raise NotImplementedError

    def change(self, key: str, patch: JsonObject) -> None:
        """Update one object; raise SetError."""
        raise NotImplementedError

    def remove(self, key: str) -> None:
        """Destroy one object; raise SetError."""
        raise NotImplementedError

    def refuse(self, act: str, key: str, error: SetError) -> None:
        """Keep a refusal, in the words of the server."""
        of_james = self.account.dialect.set_errors == "james"
        self.refused[act][key] = set_error(self.type_name, act, key, error.body) if of_james else error.body

    def result(self) -> JsonObject:
        """Return the answer to `/set`; raise MethodError `serverPartialFail` where that fault is armed."""
        if self._left is not None:
            raise MethodError("serverPartialFail")
        if self.context.service.dialect.results_by_id:
            self.updated = {self.context.resolve_id(key) or key: one for key, one in self.updated.items()}
            self.destroyed = [self.context.resolve_id(key) or key for key in self.destroyed]
        answer = {
            "accountId": self.account.id,
            "oldState": self.old_state,
            "newState": self.account.state(self.type_name),
            "created": self.created or None,
            "updated": self.updated or None,
            "destroyed": self.destroyed or None,
            "notCreated": self.refused["create"] or None,
            "notUpdated": self.refused["update"] or None,
            "notDestroyed": self.refused["destroy"] or None,
        }
        if self.context.service.dialect.item_form == "stalwart":
            return {name: value for name, value in answer.items() if value is not None}
        return answer
