"""Answer `/get`, `/changes` and `/query` of cards and events (RFC 9610, section 3; draft-ietf-jmap-calendars, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.cyrus_events import shown_event, unknown_names
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.demo.item_filter import compile_filter, sort_key
from jmapsync.demo.models import CALENDAR_MODEL, Model, follows_cyrus
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.standard import (
    GetArguments,
    QueryArguments,
    checked_properties,
    get_result,
    query_window,
    requested_ids,
)

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.store import Store
    from jmapsync.demo.wire import Context

_COMPUTED = frozenset({"utcStart", "utcEnd"})


class EventQueryArguments(QueryArguments):
    """The arguments of `CalendarEvent/query`; occurrences are not expanded here."""

    expand_recurrences: bool = False
    time_zone: str = "Etc/UTC"


def store_of(account: Account, model: Model) -> Store:
    """Return where an account keeps the objects of a model."""
    return account.calendars if model is CALENDAR_MODEL else account.contacts


def offers_files(context: Context) -> bool:
    """Return whether a request wants to hear of the files behind events (Cyrus: if `using` names its own capability)."""
    return CYRUS_CALENDARS in context.using


def get_items(context: Context, arguments: GetArguments, model: Model) -> JsonObject:
    """Answer `/get`: what an item has of the properties asked for; of any name, as items may have any."""
    account = context.account(arguments.account_id)
    names = arguments.properties
    if names is not None and _COMPUTED.intersection(names):
        raise MethodError("invalidArguments", "utcStart and utcEnd are not computed here.", arguments=["properties"])
    of_cyrus = follows_cyrus(model, account.dialect)
    if of_cyrus and (unknown := unknown_names(names or (), files=offers_files(context))):
        raise MethodError("invalidArguments", arguments=unknown)
    wanted = None if names is None else {"id", *names}
    with account.lock:
        store = store_of(account, model)
        items = store.items
        ids, not_found = requested_ids(context, arguments.ids, model.item, items)
        if of_cyrus and arguments.ids is not None:
            ids = [one for name in arguments.ids if (one := context.resolve_id(name)) is not None]
        found = []
        for item_id in ids:
            if (item := items.get(item_id)) is None:
                not_found.append(item_id)
            elif of_cyrus:
                found.append(shown_event(store.with_file(item) if offers_files(context) else item, names))
            elif wanted is None:
                found.append({name: value for name, value in item.items() if name not in account.dialect.named_only})
            else:
                found.append({name: value for name, value in item.items() if name in wanted})
        return get_result(context, account, model.item, found, not_found)


def change_items(context: Context, arguments: ChangesArguments, model: Model) -> JsonObject:
    """Answer `/changes`."""
    return run_changes(context, arguments, model.item)


def query_items(context: Context, arguments: QueryArguments, model: Model) -> JsonObject:
    """Answer `/query`."""
    account = context.account(arguments.account_id)
    if isinstance(arguments, EventQueryArguments) and arguments.expand_recurrences:
        raise MethodError("cannotCalculateOccurrences", "Occurrences are not expanded here.")
    with account.lock:
        matches = compile_filter(model, account.dialect, arguments.filter or {})
        chosen: list[dict[str, Any]] = [item for item in store_of(account, model).items.values() if matches(item)]
        for comparator in reversed(arguments.sort or []):
            chosen.sort(key=sort_key(model, comparator), reverse=comparator.get("isAscending") is False)
        result = query_window(context, arguments, [item["id"] for item in chosen], model.item, account.state(model.item))
        if follows_cyrus(model, account.dialect):
            result |= {"position": 0, "total": len(chosen), "canCalculateChanges": False}
        return result


def get_identities(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `ParticipantIdentity/get`: the addresses that stand for the user (draft-ietf-jmap-calendars, section 3)."""
    account = context.account(arguments.account_id)
    of_cyrus = follows_cyrus(CALENDAR_MODEL, account.dialect)
    identities: dict[str, JsonObject] = {}
    for number, address in enumerate(account.calendar_addresses, start=1):
        address_of = {"sendTo": {"imip": address}} if of_cyrus else {"calendarAddress": address, "isDefault": number == 1}
        identities[f"i{number}"] = {"id": f"i{number}", "name": "", **address_of}
    names = checked_properties(arguments.properties, list(identities["i1"]))
    ids, not_found = requested_ids(context, arguments.ids, "ParticipantIdentity", identities)
    found = [{name: identities[one][name] for name in names} for one in ids if one in identities]
    not_found += [one for one in ids if one not in identities]
    return get_result(context, account, "ParticipantIdentity", found, not_found)
