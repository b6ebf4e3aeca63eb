"""Mailboxes: reading, roles, the tree, rights (RFC 8621, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.live.agreement.probes import key_of, script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_SHORT = ["name", "parentId", "role", "sortOrder", "isSubscribed"]


@script()
def mailboxes_read(a: Account) -> None:
    inbox = a.box("inbox")
    a.deliver("one")
    a.deliver("two", keywords=("work",))
    a.deliver("draft", "drafts", keywords=("$draft",))
    a.ask("all of the inbox", ("Mailbox/get", {"ids": [inbox]}))
    whole = a.call("Mailbox/get", ids=None)["list"]
    a.record("names and roles", sorted((one["name"], one.get("role") or "") for one in whole))
    a.record("subscribed and sort order", [[one.get("role"), one["isSubscribed"], one["sortOrder"]] for one in whole])
    a.record("members", sorted(whole[0]))
    a.record("rights of the drafts", next(one["myRights"] for one in whole if one.get("role") == "drafts"))
    a.record(
        "counts of the drafts", next([one["totalEmails"], one["unreadEmails"]] for one in whole if one.get("role") == "drafts")
    )
    a.ask("an unknown id", ("Mailbox/get", {"ids": [inbox, "nobody"], "properties": ["name"]}))
    a.ask("an id twice", ("Mailbox/get", {"ids": [inbox, inbox], "properties": ["name"]}))
    a.ask("no ids", ("Mailbox/get", {"ids": []}))
    a.ask("no properties", ("Mailbox/get", {"ids": [inbox], "properties": []}))
    a.ask("an unknown property", ("Mailbox/get", {"ids": [inbox], "properties": ["name", "shoeSize"]}))
    a.ask("a property twice", ("Mailbox/get", {"ids": [inbox], "properties": ["name", "name", "id"]}))


@script()
def mailbox_creation(a: Account) -> None:
    a.box("inbox")
    before = a.state("Mailbox")
    a.ask("state before", ("Mailbox/get", {"ids": []}))
    a.ask("create", ("Mailbox/set", {"create": {"plain": {"name": "Plain"}}}), ("Mailbox/get", {"ids": ["#plain"]}))
    a.ask("changes of it", ("Mailbox/changes", {"sinceState": before}), ("Email/get", {"ids": []}))
    a.ask("create one of this name again", ("Mailbox/set", {"create": {"x": {"name": "Plain"}}}))
    a.ask("create one of this name in other case", ("Mailbox/set", {"create": {"lower": {"name": "plain"}}}))
    a.ask("create two of one name", ("Mailbox/set", {"create": {"t1": {"name": "Twin"}, "t2": {"name": "Twin"}}}))
    a.ask("create without a name", ("Mailbox/set", {"create": {"x": {"sortOrder": 3}}}))
    a.ask("create with name null", ("Mailbox/set", {"create": {"x": {"name": None}}}))
    a.ask("create with a number as name", ("Mailbox/set", {"create": {"x": {"name": 7}}}))
    a.ask("create in nothing", ("Mailbox/set", {"create": {"x": {"name": "Lost", "parentId": "nobody"}}}))
    full = {"name": "Full", "parentId": None, "role": None, "sortOrder": 7, "isSubscribed": True}
    a.ask("create with all", ("Mailbox/set", {"create": {"full": full}}), ("Mailbox/get", {"ids": ["#full"], "properties": _SHORT}))
    a.ask("create with a sort order below 0", ("Mailbox/set", {"create": {"x": {"name": "Below", "sortOrder": -1}}}))
    a.ask("create with a sort order of text", ("Mailbox/set", {"create": {"x": {"name": "Text", "sortOrder": "1"}}}))
    a.ask("create with an unknown property", ("Mailbox/set", {"create": {"x": {"name": "Shoe", "shoeSize": 44}}}))
    for name, value in {"id": "nobody", "totalEmails": 0, "unreadThreads": 3, "myRights": {}}.items():
        a.ask(f"create with {name}", ("Mailbox/set", {"create": {f"with-{name}": {"name": f"With {name}", name: value}}}))
    a.ask("ifInState that is not", ("Mailbox/set", {"ifInState": before, "create": {"x": {"name": "Never"}}}))
    now = a.state("Mailbox")
    a.ask("ifInState that is", ("Mailbox/set", {"ifInState": now, "create": {"y": {"name": "Now"}}}))
    a.ask("nothing to set", ("Mailbox/set", {}))
    a.ask("create is a list", ("Mailbox/set", {"create": [1]}))
    a.ask("create of a string", ("Mailbox/set", {"create": {"x": "y"}}))


@script()
def mailbox_roles(a: Account) -> None:
    a.box("inbox")
    for role in ("important", "all", "flagged", "subscribed", "memos", "scheduled", "snoozed", "nothing", "INBOX", "", "inbox"):
        a.ask(
            f"create with role {role!r}",
            ("Mailbox/set", {"create": {key_of(f"role-{role}"): {"name": f"Role {role}", "role": role}}}),
        )
    a.ask("a role that another has", ("Mailbox/set", {"create": {"trash2": {"name": "Bin", "role": "trash"}}}))
    a.ask("who has it", ("Mailbox/query", {"filter": {"role": "trash"}, "sort": [{"property": "name"}]}))
    plain = a.create_box("Plain")
    a.ask("give a role", ("Mailbox/set", {"update": {plain: {"role": "important"}}}))
    a.ask("give another role", ("Mailbox/set", {"update": {plain: {"role": "junk"}}}))
    a.ask(
        "take the role away",
        ("Mailbox/set", {"update": {plain: {"role": None}}}),
        ("Mailbox/get", {"ids": [plain], "properties": _SHORT}),
    )
    a.ask("take the inbox's role away", ("Mailbox/set", {"update": {a.box("inbox"): {"role": None}}}))
    a.ask("give an unknown role", ("Mailbox/set", {"update": {plain: {"role": "nothing"}}}))
    a.ask("take the drafts' role away", ("Mailbox/set", {"update": {a.box("drafts"): {"role": None}}}))
    roles = [[one["name"], one.get("role")] for one in a.call("Mailbox/get", ids=None)["list"]]
    a.record("roles in the end", sorted(roles, key=str))


@script()
def mailbox_tree(a: Account) -> None:
    inbox = a.box("inbox")
    outer = a.create_box("Outer")
    inner = a.create_box("Inner", parentId=outer)
    a.ask("create inside the inbox", ("Mailbox/set", {"create": {"under": {"name": "Under", "parentId": inbox}}}))
    a.ask("create a name of a sibling's child", ("Mailbox/set", {"create": {"Inner2": {"name": "Inner"}}}))
    above = inner
    for depth in range(3, 14):
        answer = a.call("Mailbox/set", create={f"depth{depth}": {"name": f"d{depth}", "parentId": above}})
        if not answer.get("created"):
            a.record("depth that is refused", [depth, answer["notCreated"][f"depth{depth}"]])
            break
        above = answer["created"][f"depth{depth}"]["id"]
    else:
        a.record("depth that is refused", None)
    a.ask("move into nothing", ("Mailbox/set", {"update": {inner: {"parentId": "nobody"}}}))
    state = a.state("Mailbox")
    a.ask("move to the top where the name is taken", ("Mailbox/set", {"update": {inner: {"parentId": None}}}))
    a.ask("move to the top under another name", ("Mailbox/set", {"update": {inner: {"parentId": None, "name": "Top"}}}))
    a.ask("changes of a move", ("Mailbox/changes", {"sinceState": state}))
    a.ask(
        "move back",
        ("Mailbox/set", {"update": {inner: {"parentId": outer}}}),
        ("Mailbox/get", {"ids": [inner], "properties": _SHORT}),
    )
    a.ask("destroy with a child", ("Mailbox/set", {"destroy": [outer]}))
    a.ask("destroy an unknown one", ("Mailbox/set", {"destroy": ["nobody"]}))
    a.ask("destroy the inbox", ("Mailbox/set", {"destroy": [inbox]}))
    a.ask("destroy one of a role", ("Mailbox/set", {"destroy": [a.box("junk")]}))
    one, two = a.create_box("Parent"), ""
    two = a.create_box("Child", parentId=one)
    a.ask("destroy a parent before its child", ("Mailbox/set", {"destroy": [one, two]}))
    gone = a.create_box("Gone")
    a.ask("destroy and update at once", ("Mailbox/set", {"update": {gone: {"name": "Elsewhere"}}, "destroy": [gone]}))
    again = a.create_box("Again")
    a.ask("destroy an id twice", ("Mailbox/set", {"destroy": [again, again]}))
    a.ask("destroy what is destroyed", ("Mailbox/set", {"destroy": [again]}))
    a.ask("get what is destroyed", ("Mailbox/get", {"ids": [again], "properties": ["name"]}))
    a.ask("its name is free again", ("Mailbox/set", {"create": {"Again2": {"name": "Again"}}}))


@script()
def mailbox_loops(a: Account) -> None:
    outer = a.create_box("Outer")
    a.ask("move into itself", ("Mailbox/set", {"update": {outer: {"parentId": outer}}}))


@script()
def mailbox_loop_of_two(a: Account) -> None:
    outer = a.create_box("Outer")
    inner = a.create_box("Inner", parentId=outer)
    a.ask("move into its child", ("Mailbox/set", {"update": {outer: {"parentId": inner}}}))


@script()
def mailbox_renames(a: Account) -> None:
    inbox = a.box("inbox")
    one, two = a.create_box("One"), a.create_box("Two")
    mail = a.deliver("mail")
    a.call("Email/set", update={mail: {"mailboxIds": {one: True}}})
    state, emails = a.state("Mailbox"), a.state()
    a.ask("rename", ("Mailbox/set", {"update": {one: {"name": "Eins"}}}))
    a.ask("changes of a rename", ("Mailbox/changes", {"sinceState": state}), ("Email/changes", {"sinceState": emails}))
    a.ask("rename to what it is called", ("Mailbox/set", {"update": {one: {"name": "Eins"}}}))
    a.ask("rename to other case", ("Mailbox/set", {"update": {one: {"name": "EINS"}}}))
    a.ask("rename to a name that is taken", ("Mailbox/set", {"update": {one: {"name": "Two"}}}))
    a.ask("rename to nothing", ("Mailbox/set", {"update": {one: {"name": ""}}}))
    a.ask("rename to null", ("Mailbox/set", {"update": {one: {"name": None}}}))
    a.ask("exchange two names", ("Mailbox/set", {"update": {one: {"name": "Two"}, two: {"name": "EINS"}}}))
    a.ask("names after it", ("Mailbox/get", {"ids": [one, two], "properties": ["name"]}))
    a.ask(
        "rename the inbox",
        ("Mailbox/set", {"update": {inbox: {"name": "Eingang"}}}),
        ("Mailbox/get", {"ids": [inbox], "properties": ["name"]}),
    )
    a.ask("move the inbox", ("Mailbox/set", {"update": {inbox: {"parentId": one}}}))
    a.ask("rename an unknown one", ("Mailbox/set", {"update": {"nobody": {"name": "X"}}}))
    a.ask("an unknown property", ("Mailbox/set", {"update": {two: {"shoeSize": 44}}}))
    a.ask("a property of the server with its value", ("Mailbox/set", {"update": {two: {"totalEmails": 0}}}))
    a.ask("a property of the server with another value", ("Mailbox/set", {"update": {two: {"totalEmails": 9}}}))
    a.ask("the id", ("Mailbox/set", {"update": {two: {"id": two}}}))
    a.ask("another id", ("Mailbox/set", {"update": {two: {"id": "nobody"}}}))
    a.ask("a path", ("Mailbox/set", {"update": {two: {"myRights/mayDelete": False}}}))
    a.ask("nothing", ("Mailbox/set", {"update": {two: {}}}))
    a.ask(
        "subscribe",
        ("Mailbox/set", {"update": {two: {"isSubscribed": True}}}),
        ("Mailbox/get", {"ids": [two], "properties": _SHORT}),
    )
    a.ask(
        "unsubscribe",
        ("Mailbox/set", {"update": {two: {"isSubscribed": False}}}),
        ("Mailbox/get", {"ids": [two], "properties": _SHORT}),
    )
    a.ask("subscribe to a string", ("Mailbox/set", {"update": {two: {"isSubscribed": "yes"}}}))
    a.ask(
        "a sort order", ("Mailbox/set", {"update": {two: {"sortOrder": 99}}}), ("Mailbox/get", {"ids": [two], "properties": _SHORT})
    )
    a.ask("a sort order below 0", ("Mailbox/set", {"update": {two: {"sortOrder": -5}}}))
    a.ask("one good and one bad", ("Mailbox/set", {"update": {one: {"name": "Good"}, two: {"name": ""}}}))
    a.ask(
        "a good and a bad property",
        ("Mailbox/set", {"update": {two: {"sortOrder": 3, "shoeSize": 1}}}),
        ("Mailbox/get", {"ids": [two], "properties": _SHORT}),
    )


@script()
def mailbox_destruction(a: Account) -> None:
    inbox = a.box("inbox")
    box = a.create_box("Full")
    only = a.deliver("only")
    both = a.deliver("both")
    a.call("Email/set", update={only: {"mailboxIds": {box: True}}, both: {f"mailboxIds/{box}": True}})
    emails, boxes = a.state(), a.state("Mailbox")
    a.ask("with mail in it", ("Mailbox/set", {"destroy": [box]}))
    a.ask("with its mail", ("Mailbox/set", {"destroy": [box], "onDestroyRemoveEmails": True}))
    a.ask("what is left", ("Email/get", {"ids": [only, both], "properties": ["mailboxIds"]}))
    a.ask("changes of emails", ("Email/changes", {"sinceState": emails}))
    a.ask("changes of mailboxes", ("Mailbox/changes", {"sinceState": boxes}))
    later = a.state()
    a.deliver("later")
    a.ask("changes from after it", ("Email/changes", {"sinceState": later}))
    a.ask("counts of the inbox", ("Mailbox/get", {"ids": [inbox], "properties": ["totalEmails", "unreadEmails"]}))


@script()
def mailbox_queries(a: Account) -> None:
    a.box("inbox")
    outer = a.create_box("Zebra")
    a.create_box("Yak", parentId=outer)
    a.ask("by role", ("Mailbox/query", {"filter": {"role": "inbox"}}))
    a.ask("by no role", ("Mailbox/query", {"filter": {"role": None}, "sort": [{"property": "name"}]}))
    a.ask("by parent", ("Mailbox/query", {"filter": {"parentId": outer}}))
    a.ask("by an unknown parent", ("Mailbox/query", {"filter": {"parentId": "nobody"}}))
    a.ask("by name", ("Mailbox/query", {"filter": {"name": "yak"}}))
    a.ask("by whether there is a role", ("Mailbox/query", {"filter": {"hasAnyRole": False}, "sort": [{"property": "name"}]}))
    a.ask("by subscription", ("Mailbox/query", {"filter": {"isSubscribed": False, "name": "yak"}}))
    a.ask("by something unknown", ("Mailbox/query", {"filter": {"shoeSize": 44}}))
    a.ask("sorted by something unknown", ("Mailbox/query", {"sort": [{"property": "shoeSize"}]}))
    a.ask("all by name with a total", ("Mailbox/query", {"sort": [{"property": "name"}], "calculateTotal": True, "limit": 2}))
    a.ask("the second page", ("Mailbox/query", {"sort": [{"property": "name"}], "position": 2, "limit": 2}))
    a.ask(
        "by two conditions",
        (
            "Mailbox/query",
            {"filter": {"operator": "OR", "conditions": [{"role": "inbox"}, {"role": "archive"}]}, "sort": [{"property": "name"}]},
        ),
    )
    a.ask("past the end", ("Mailbox/query", {"position": 100}))
    a.ask("changes of a query", ("Mailbox/queryChanges", {"sinceQueryState": "0"}))
