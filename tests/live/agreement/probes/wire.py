"""Requests, references, limits and errors of the protocol itself (RFC 8620, sections 2, 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.live.agreement.account import BLOB, CALENDARS, CONTACTS, CORE, CYRUS_BLOB, MAIL, SUBMISSION
from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_COMPARED = (CORE, MAIL, SUBMISSION, BLOB, CYRUS_BLOB, CONTACTS, CALENDARS)


@script()
def session(a: Account) -> None:
    whole = a.session
    a.record("members", sorted(whole))
    for name in ("maxSizeUpload", "maxConcurrentUpload", "maxSizeRequest", "maxConcurrentRequests"):
        a.record(name, whole["capabilities"][CORE].get(name))
    for name in ("maxCallsInRequest", "maxObjectsInGet", "maxObjectsInSet"):
        a.record(name, whole["capabilities"][CORE].get(name))
    a.record("members of the core capability", sorted(whole["capabilities"][CORE]))
    account = whole["accounts"][a.id]
    a.record("members of an account", sorted(account))
    a.record("rights of the account", [account["isPersonal"], account["isReadOnly"], len(whole["accounts"])])
    for name in _COMPARED:
        a.record(f"{name} is offered", [name in whole["capabilities"], name in account["accountCapabilities"]])
        a.record(f"{name} of an account", account["accountCapabilities"].get(name) if name != SUBMISSION else None)
        a.record(f"{name} has a primary account", whole["primaryAccounts"].get(name) == a.id)
    for name in ("apiUrl", "uploadUrl", "downloadUrl", "eventSourceUrl"):
        url = whole.get(name, "")
        a.record(name, {"relative": url.startswith("/"), "variables": sorted(_variables(url))})


def _variables(url: str) -> list[str]:
    return [part.partition("}")[0] for part in url.split("{")[1:]]


@script()
def requests(a: Account) -> None:
    a.ask("echo", ("Core/echo", {"hello": [1, {"a": None}]}))
    a.ask("no calls")
    a.ask("an unknown method", ("Nothing/get", {}))
    a.ask("an unknown method of a known type", ("Email/frobnicate", {}))
    a.ask("a method in other case", ("email/get", {"ids": []}))
    a.ask("a method without its capability", ("Email/get", {"ids": []}), using=[CORE])
    a.ask("nothing in using", ("Core/echo", {}), using=[])
    a.ask("an unknown capability", ("Core/echo", {}), using=[CORE, "urn:example:nothing"])
    a.ask("no account", ("Email/get", {"accountId": None, "ids": []}))
    a.ask("an unknown account", ("Email/get", {"accountId": "nobody", "ids": []}))
    a.ask("an account that is a number", ("Email/get", {"accountId": 7, "ids": []}))
    a.ask("an unknown argument", ("Email/get", {"ids": [], "shoeSize": 44}))
    a.ask("an argument of the wrong type", ("Email/get", {"ids": "x"}))
    a.ask("ids with a number", ("Email/get", {"ids": [1]}))
    a.ask("properties with a number", ("Email/get", {"ids": [], "properties": [1]}))
    a.ask("two calls of which the first fails", ("Email/get", {"ids": "x"}), ("Core/echo", {"second": True}))
    a.ask("an unknown member of a request", ("Core/echo", {}), extra=1)
    a.ask("created ids", ("Core/echo", {}), createdIds={"k": "nobody-1"})
    limit = a.session["capabilities"][CORE]["maxCallsInRequest"]
    if limit < 1000:
        a.ask("too many calls", *[("Core/echo", {})] * (limit + 1))
    a.record("the response's members", sorted(a.send([("Core/echo", {})]).json()))
    response = a.send([("Core/echo", {})], createdIds={"k": "x"})
    a.record("the response to created ids", response.json().get("createdIds"))
    a.record("the same call id twice", a.reported(a.post(_twice(a))))


def _twice(a: Account) -> object:
    return {"using": a.using, "methodCalls": [["Core/echo", {"n": 1}, "x"], ["Core/echo", {"n": 2}, "x"]]}


@script()
def malformed_requests(a: Account) -> None:
    bodies: dict[str, bytes] = {
        "no JSON": b"{",
        "nothing": b"",
        "a list": b"[]",
        "no method calls": b'{"using": []}',
        "no using": b'{"methodCalls": []}',
        "a call of two": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}]]}',
        "a call of four": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "0", 1]]}',
        "a call without arguments": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", null, "0"]]}',
        "a call id that is a number": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, 0]]}',
        "using a number": b'{"using": [1], "methodCalls": []}',
        "using a string": b'{"using": "urn:ietf:params:jmap:core", "methodCalls": []}',
        "a key twice": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": 1, "a": 2}, "0"]]}',
        "no UTF-8": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": "\xff"}, "0"]]}',
        "a lone surrogate": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": "\\ud800"}, "0"]]}',
        "NUL in a string": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": "x\\u0000y"}, "0"]]}',
        "a great number": b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": 1e300}, "0"]]}',
    }
    for label, body in bodies.items():
        a.record(label, a.reported(a.post_body(body)))
    limit = a.session["capabilities"][CORE]["maxSizeRequest"]
    if limit <= 20_000_000:
        head = b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": "'
        response = a.post_body(head + b"x" * limit + b'"}, "0"]]}')
        a.record("too large a request", a.reported(response))


@script()
def references(a: Account) -> None:
    a.box("inbox")
    a.deliver("one")
    query = ("Email/query", {"sort": [{"property": "receivedAt"}]})
    properties = ["id", "mailboxIds"]

    def refer(path: str, name: str = "Email/query", of: str = "0") -> dict[str, object]:
        return {"#ids": {"resultOf": of, "name": name, "path": path}, "properties": properties}

    a.ask("ids of a query", query, ("Email/get", refer("/ids")))
    a.ask("each of the ids", query, ("Email/get", refer("/ids/*")))
    a.ask("the first of the ids in a list", query, ("Email/get", refer("/ids/0")))
    a.ask(
        "ids of a list of objects",
        ("Email/get", {"ids": [], "properties": ["id"]}),
        ("Email/get", refer("/list/*/id", "Email/get")),
    )
    a.ask("another name", query, ("Email/get", refer("/ids", "Email/get")))
    a.ask("an unknown call", query, ("Email/get", refer("/ids", of="9")))
    a.ask("nothing at the path", query, ("Email/get", refer("/nothing")))
    a.ask("an index past the end", query, ("Email/get", refer("/ids/7")))
    a.ask("a path without a slash", query, ("Email/get", refer("ids")))
    a.ask("a path of nothing", query, ("Email/get", refer("")))
    a.ask("both plainly and by reference", query, ("Email/get", {"ids": [], **refer("/ids")}))
    a.ask("a reference that is none", query, ("Email/get", {"#ids": "x"}))
    a.ask("a reference to an error", ("Email/query", {"limit": -1}), ("Email/get", refer("/ids", "error")))
    a.ask(
        "nested lists",
        ("Mailbox/get", {"ids": None, "properties": ["name"]}),
        ("Core/echo", {"#x": {"resultOf": "0", "name": "Mailbox/get", "path": "/list/0/name"}}),
    )


@script()
def creation_ids(a: Account) -> None:
    inbox = a.box("inbox")
    blob = a.upload(a.message())
    wish = {"blobId": blob, "mailboxIds": {"#box": True}, "keywords": {"$seen": True}, "receivedAt": "2026-01-01T00:00:00Z"}
    properties = ["keywords", "mailboxIds"]
    a.ask(
        "a mailbox, a message in it, and a look at it",
        ("Mailbox/set", {"create": {"box": {"name": "Fresh"}}}),
        ("Email/import", {"emails": {"mail": wish}}),
        ("Email/get", {"ids": ["#mail"], "properties": properties}),
    )
    a.ask("a creation id of another request", ("Email/get", {"ids": ["#mail"], "properties": properties}))
    a.ask("an unknown creation id of a mailbox", ("Email/import", {"emails": {"x": {**wish, "mailboxIds": {"#none": True}}}}))
    a.ask("update by an unknown creation id", ("Email/set", {"update": {"#none": {"keywords/a": True}}}))
    a.ask("destroy by an unknown creation id", ("Email/set", {"destroy": ["#none"]}))
    a.ask(
        "a mailbox inside one that is created after it",
        ("Mailbox/set", {"create": {"in": {"name": "Inner", "parentId": "#out"}, "out": {"name": "Outer"}}}),
        ("Mailbox/get", {"ids": ["#in"], "properties": ["name", "parentId"]}),
    )
    a.ask(
        "update and destroy of what was created",
        ("Mailbox/set", {"create": {"u": {"name": "Updated"}}}),
        ("Mailbox/set", {"update": {"#u": {"name": "Renamed"}}}),
        ("Mailbox/set", {"destroy": ["#u"]}),
    )
    a.ask("an unknown parent by creation id", ("Mailbox/set", {"create": {"x": {"name": "Lost", "parentId": "#none"}}}))
    other = a.upload(a.message())
    a.ask(
        "update of a message that was imported",
        ("Email/import", {"emails": {"n": {**wish, "blobId": other, "mailboxIds": {inbox: True}}}}),
        ("Email/set", {"update": {"#n": {"keywords/$flagged": True}}}),
    )
