"""Group recurrences that have no master event into one item, by UID: on the server each is an object of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import MalformedError, encode, gathered, instances
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.objects.answer import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.objects import Object
    from jmapsync.storage.jmap.objects.get import Reader

_INSTANCES = "instances/"
NO_FILTER = frozenset({"unsupportedFilter", "invalidArguments", "invalidResultReference", "resultReference"})
"""What a server answers that cannot search for a uid."""


def instances_of(uid: str) -> str:
    """Return the id here of the item that stands for the instances of one uid, which are objects of their own on the server."""
    return _INSTANCES + uid


def is_instances(ref: str | None) -> bool:
    """Return whether an id here is of such an item."""
    return ref is not None and ref.startswith(_INSTANCES)


def uid_of(ref: str) -> str:
    """Return the uid that an id here of instances is made of."""
    return ref.removeprefix(_INSTANCES)


def uid_query(reader: Reader, uids: Sequence[str]) -> Call:
    """Return the call that searches for all objects of some uids."""
    conditions: list[dict[str, Any]] = [{"uid": uid} for uid in uids]
    filter_ = {"operator": "OR", "conditions": conditions} if len(conditions) > 1 else conditions[0]
    return Call(f"{reader.dialect.type}/query", {"accountId": reader.account, "filter": filter_, "calculateTotal": True}, "uids")


async def read_instances(reader: Reader, refs: list[str], found: Found) -> None:
    """Ask for all instances of some uids; where the answer is not whole, or cannot be had, it is left out."""
    query = uid_query(reader, [uid_of(ref) for ref in refs])
    try:
        response = await reader.call([query, *await reader.gets(query.ref("/ids"), "parts")])
        answer = response.get(query)
        parts = Found()
        await reader.take(response, "parts", parts)
    except MethodError as error:
        if error.type not in NO_FILTER:
            raise
        return
    ids = answer["ids"]
    if answer.get("total", len(ids)) != len(ids) or len(set(ids)) != len(parts.items):
        return
    found.state = found.state or parts.state
    for ref in refs:
        same = {id_: item for id_, item in parts.items.items() if item.get("uid") == uid_of(ref)}
        mine = {id_: item for id_, item in same.items() if item.get("recurrenceId") is not None}
        if mine:
            found.parts[ref] = mine
            found.items[ref] = dict(next(iter(mine.values())))
            found.files |= {id_: parts.files[id_] for id_ in mine if id_ in parts.files}
        else:
            found.lost.add(ref)


def joined(reader: Reader, parts: dict[str, Object], found: Found) -> Object:
    """Return the item of the instances of one uid. Raises MalformedError."""
    first, *others = (reader.boxes(part) for part in parts.values())
    if any(boxes != first for boxes in others):
        raise MalformedError("Its instances are in different calendars.")
    forms = {encode(form): form for form in (reader.form_of(id_, part, found) for id_, part in parts.items())}
    if not reader.dialect.raw:
        return gathered(forms.values())
    if len(forms) > 1:  # each is the file of all
        raise MalformedError("The server gives its instances different files.")
    (form,) = forms.values()
    if len(instances(form)) != len(parts):
        raise MalformedError("The server lists other instances than its file has.")
    return form
