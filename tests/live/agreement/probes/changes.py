"""/changes: windows, pages, states (RFC 8620, section 5.2; RFC 8621, sections 2.2 and 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account


@script()
def email_changes(a: Account) -> None:
    a.box("inbox")
    old, gone = a.deliver("old"), a.deliver("gone")
    start = a.state()
    a.ask("none", ("Email/changes", {"sinceState": start}))
    a.deliver("new")
    a.call("Email/set", update={old: {"keywords/a": True}}, destroy=[gone])
    brief = a.deliver("brief")
    a.call("Email/set", destroy=[brief])
    touched = a.deliver("touched")
    a.call("Email/set", update={touched: {"keywords/b": True}})
    a.call("Email/set", update={old: {"keywords/c": True}})
    a.ask("of each kind", ("Email/changes", {"sinceState": start}))
    a.ask("the state is that of get", ("Email/get", {"ids": []}))
    for limit in (1, 2, 3):
        since, pages = start, []
        for _ in range(9):
            page = a.call("Email/changes", sinceState=since, maxChanges=limit)
            pages.append({name: page[name] for name in ("created", "updated", "destroyed", "hasMoreChanges")})
            since = page["newState"]
            if not page["hasMoreChanges"]:
                break
        a.record(f"pages of {limit}", pages)
        a.record(f"the state after pages of {limit}", {"state": since})
    a.ask("maxChanges 0", ("Email/changes", {"sinceState": start, "maxChanges": 0}))
    a.ask("maxChanges below 0", ("Email/changes", {"sinceState": start, "maxChanges": -1}))
    a.ask("maxChanges null", ("Email/changes", {"sinceState": start, "maxChanges": None}))
    a.ask("maxChanges as text", ("Email/changes", {"sinceState": start, "maxChanges": "1"}))
    a.ask("since garbage", ("Email/changes", {"sinceState": "garbage"}))
    a.ask("since nothing", ("Email/changes", {"sinceState": ""}))
    a.ask("since missing", ("Email/changes", {}))
    a.ask("since 0", ("Email/changes", {"sinceState": "0"}))
    a.ask("since a number", ("Email/changes", {"sinceState": 1}))
    if start.isdecimal():
        a.ask("since a state of the future", ("Email/changes", {"sinceState": str(int(start) + 1_000_000)}))
    a.ask("an unknown argument", ("Email/changes", {"sinceState": start, "shoeSize": 44}))


@script()
def states(a: Account) -> None:
    inbox = a.box("inbox")

    def all_of(label: str) -> None:
        a.ask(label, ("Email/get", {"ids": []}), ("Mailbox/get", {"ids": []}), ("Thread/get", {"ids": []}))

    all_of("at first")
    all_of("at first, again")
    a.upload(a.message())
    all_of("after an upload")
    mail = a.deliver("mail")
    all_of("after an import")
    a.call("Email/set", update={mail: {"keywords/a": True}})
    all_of("after a keyword")
    a.call("Email/set", update={mail: {"keywords/a": True}})
    all_of("after a keyword that was there")
    a.call("Email/set", update={mail: {"keywords/$seen": None}})
    all_of("after a count of unread mail")
    a.call("Email/set", update={mail: {f"mailboxIds/{inbox}": True}})
    all_of("after a mailbox that it was in")
    box = a.create_box("Lists")
    all_of("after a mailbox was created")
    a.call("Mailbox/set", update={box: {"name": "Renamed"}})
    all_of("after a mailbox was renamed")
    a.call("Mailbox/set", update={box: {"sortOrder": 77}})
    all_of("after a sort order")
    a.call("Mailbox/set", update={box: {"isSubscribed": True}})
    all_of("after a subscription")
    a.call("Mailbox/set", update={box: {"name": "Renamed"}})
    all_of("after a name that it had")
    a.call("Email/set", update={mail: {"mailboxIds": {box: True}}})
    all_of("after a move")
    a.call("Email/set", destroy=[mail])
    all_of("after a destruction")
    a.call("Mailbox/set", destroy=[box])
    all_of("after a mailbox was destroyed")
    a.call("Email/set", destroy=["nobody"])
    a.call("Mailbox/set", create={"x": {"name": ""}})
    all_of("after refusals")


@script()
def mailbox_changes(a: Account) -> None:
    archive = a.box("archive")
    start = a.state("Mailbox")
    a.ask("none", ("Mailbox/changes", {"sinceState": start}))
    mail = a.deliver("mail")
    a.ask("after an import", ("Mailbox/changes", {"sinceState": start}))
    seen = a.state("Mailbox")
    a.call("Email/set", update={mail: {"keywords/$seen": None}})
    a.ask("after a count of unread mail", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    a.call("Email/set", update={mail: {"keywords/work": True}})
    a.ask("after another keyword", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    a.call("Email/set", update={mail: {"mailboxIds": {archive: True}}})
    a.ask("after a move", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    a.call("Email/set", destroy=[mail])
    a.ask("after a destruction", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    one, two = a.create_box("One"), a.create_box("Two")
    a.call("Mailbox/set", update={one: {"name": "Eins"}})
    a.call("Mailbox/set", destroy=[two])
    a.ask("after one was created and renamed, and another destroyed", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    a.call("Mailbox/set", update={one: {"sortOrder": 5}})
    a.ask("after a sort order", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    a.call("Mailbox/set", update={one: {"isSubscribed": True}})
    a.ask("after a subscription", ("Mailbox/changes", {"sinceState": seen}))
    seen = a.state("Mailbox")
    a.call("Mailbox/set", destroy=[one])
    a.ask("after it was destroyed", ("Mailbox/changes", {"sinceState": seen}))
    a.ask("from the start", ("Mailbox/changes", {"sinceState": start}))
    a.ask("from the start, a page of one", ("Mailbox/changes", {"sinceState": start, "maxChanges": 1}))
    a.ask("since garbage", ("Mailbox/changes", {"sinceState": "garbage"}))
    a.ask("maxChanges 0", ("Mailbox/changes", {"sinceState": start, "maxChanges": 0}))
    a.ask(
        "a page of the changed properties",
        ("Mailbox/changes", {"sinceState": seen}),
        (
            "Mailbox/get",
            {
                "#ids": {"resultOf": "0", "name": "Mailbox/changes", "path": "/updated"},
                "#properties": {"resultOf": "0", "name": "Mailbox/changes", "path": "/updatedProperties"},
            },
        ),
    )
    a.ask("threads", ("Thread/changes", {"sinceState": a.state()}))
