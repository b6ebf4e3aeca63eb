"""Email/set: patches, immutable properties, several at once, destruction (RFC 8620, section 5.3; RFC 8621, section 4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.live.agreement.account import CORE
from tests.live.agreement.probes import key_of, script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_SHOWN = {"properties": ["mailboxIds", "keywords"]}


@script()
def updates(a: Account) -> None:
    inbox, archive, trash = a.box("inbox"), a.box("archive"), a.box("trash")
    mail = a.deliver("mail", keywords=("$seen", "work"))
    after = ("Email/get", {"ids": [mail], **_SHOWN})

    def attempt(label: str, patch: dict[str, object]) -> None:
        state = a.state()
        a.ask(label, ("Email/set", {"update": {mail: patch}}), after)
        a.ask(f"changes of: {label}", ("Email/changes", {"sinceState": state}))

    attempt("add a keyword", {"keywords/$flagged": True})
    attempt("add a keyword that is there", {"keywords/$flagged": True})
    attempt("remove a keyword", {"keywords/$flagged": None})
    attempt("remove a keyword that is not there", {"keywords/$flagged": None})
    attempt("remove a keyword in other case", {"keywords/WORK": None})
    attempt("remove a keyword by false", {"keywords/$seen": False})
    attempt("a keyword of 1", {"keywords/one": 1})
    attempt("all keywords", {"keywords": {"a": True, "B": True}})
    attempt("no keywords", {"keywords": {}})
    attempt("keywords null", {"keywords": None})
    attempt("keywords of false", {"keywords": {"a": False}})
    attempt("a slash in front", {"/keywords/slash": True})
    attempt("move", {"mailboxIds": {archive: True}})
    attempt("move by a patch", {f"mailboxIds/{archive}": None, f"mailboxIds/{inbox}": True})
    attempt("add a mailbox", {f"mailboxIds/{archive}": True})
    attempt("add a mailbox that it is in", {f"mailboxIds/{archive}": True})
    attempt("remove a mailbox that it is not in", {f"mailboxIds/{trash}": None})
    attempt("remove an unknown mailbox", {"mailboxIds/nobody": None})
    attempt("add an unknown mailbox", {"mailboxIds/nobody": True})
    attempt("a mailbox by false", {f"mailboxIds/{archive}": False})
    attempt("remove a mailbox", {f"mailboxIds/{archive}": None})
    attempt("an unknown mailbox among all", {"mailboxIds": {inbox: True, "nobody": True}})
    attempt("keywords and mailboxes", {"keywords/both": True, f"mailboxIds/{archive}": True})
    attempt("a path and its parent", {"keywords": {"x": True}, "keywords/y": True})
    attempt("a path too deep", {"keywords/a/b": True})
    attempt("a wrong escape", {"keywords/a~2b": True})
    attempt("a keyword that is none", {"keywords/a b": True})
    attempt("an unknown property", {"shoeSize": 44})
    attempt("an unknown path", {"shoe/size": 44})
    attempt("a good and a bad property", {"keywords/good": True, "shoeSize": 44})
    attempt("nothing", {})


@script()
def the_last_mailbox(a: Account) -> None:
    inbox = a.box("inbox")
    for name, patch in {
        "removed by a path": {f"mailboxIds/{inbox}": None},
        "no mailboxes": {"mailboxIds": {}},
        "mailboxes null": {"mailboxIds": None},
        "false by a path": {f"mailboxIds/{inbox}": False},
        "false": {"mailboxIds": {inbox: False}},
    }.items():
        mail = a.deliver(key_of(name))
        state = a.state()
        a.ask(name, ("Email/set", {"update": {mail: patch}}), ("Email/get", {"ids": [mail], **_SHOWN}))
        a.ask(f"changes of: {name}", ("Email/changes", {"sinceState": state}))


@script()
def immutable_properties(a: Account) -> None:
    a.box("inbox")
    mail = a.deliver("mail", day=3)
    (now,) = a.call("Email/get", ids=[mail], properties=["blobId", "threadId", "size", "receivedAt"])["list"]
    for name in ("id", "blobId", "threadId", "size", "receivedAt"):
        a.ask(f"{name} as it is", ("Email/set", {"update": {mail: {name: now[name]}}}))
    for name, value in {
        "id": "nobody",
        "blobId": "nobody",
        "threadId": "nobody",
        "size": 1,
        "receivedAt": "2020-01-01T00:00:00Z",
        "subject": "x",
        "preview": "y",
    }.items():
        a.ask(f"another {name}", ("Email/set", {"update": {mail: {name: value}}}))
    a.ask("the message after it", ("Email/get", {"ids": [mail], "properties": ["receivedAt", "size"]}))


@script()
def several_at_once(a: Account) -> None:
    a.box("inbox")
    one, two, three = a.deliver("one"), a.deliver("two"), a.deliver("three")
    before = a.state()
    a.ask(
        "two updates and a destruction",
        ("Email/set", {"update": {one: {"keywords/a": True}, two: {"keywords/a b": True}}, "destroy": [three]}),
    )
    a.ask("changes of them", ("Email/changes", {"sinceState": before}))
    a.ask("ifInState that is not", ("Email/set", {"ifInState": before, "update": {one: {"keywords/b": True}}}))
    a.ask("ifInState that is", ("Email/set", {"ifInState": a.state(), "update": {one: {"keywords/b": True}}}))
    a.ask("ifInState that is none", ("Email/set", {"ifInState": "garbage", "update": {}}))
    a.ask("update and destroy of one", ("Email/set", {"update": {one: {"keywords/c": True}}, "destroy": [one]}))
    a.ask("what is left of it", ("Email/get", {"ids": [one], **_SHOWN}))
    a.ask("destroy twice in one call", ("Email/set", {"destroy": [two, two]}))
    a.ask("destroy again", ("Email/set", {"destroy": [two]}))
    a.ask("destroy an unknown one", ("Email/set", {"destroy": ["nobody"]}))
    a.ask("update an unknown one", ("Email/set", {"update": {"nobody": {"keywords/a": True}}}))
    a.ask("update what is destroyed", ("Email/set", {"update": {two: {"keywords/a": True}}}))
    a.ask("get what is destroyed", ("Email/get", {"ids": [two], **_SHOWN}))
    a.ask("nothing", ("Email/set", {}))
    a.ask("nulls", ("Email/set", {"create": None, "update": None, "destroy": None}))
    a.ask("empty ones", ("Email/set", {"create": {}, "update": {}, "destroy": []}))
    a.ask("update of a list", ("Email/set", {"update": [1]}))
    a.ask("update of a string", ("Email/set", {"update": {three: "x"}}))
    a.ask("destroy of a string", ("Email/set", {"destroy": "x"}))
    limit = a.session["capabilities"][CORE]["maxObjectsInSet"]
    if limit <= 10_000:
        a.ask("too many", ("Email/set", {"destroy": [f"nobody{number}" for number in range(limit + 1)]}))
