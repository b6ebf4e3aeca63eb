"""Email/get and Email/query: ids, properties, windows, sorts, filters, states (RFC 8620, sections 5.1, 5.5 and 5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.live.agreement.account import CORE
from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_UP: dict[str, Any] = {"sort": [{"property": "receivedAt", "isAscending": True}]}
_DOWN: dict[str, Any] = {"sort": [{"property": "receivedAt", "isAscending": False}]}


@script()
def emails_read(a: Account) -> None:
    a.box("inbox")
    one, two = a.deliver("one"), a.deliver("two", day=2, keywords=("$flagged", "work"))
    short = {"properties": ["keywords"]}
    a.ask(
        "metadata",
        (
            "Email/get",
            {"ids": [one, two], "properties": ["id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt"]},
        ),
    )
    a.ask(
        "headers",
        (
            "Email/get",
            {
                "ids": [one],
                "properties": ["messageId", "inReplyTo", "references", "subject", "from", "to", "cc", "sender", "sentAt"],
            },
        ),
    )
    a.ask("other order", ("Email/get", {"ids": [two, one], **short}))
    a.ask("an unknown id", ("Email/get", {"ids": [one, "nobody"], **short}))
    a.ask("an unknown id twice", ("Email/get", {"ids": ["nobody", "nobody"], **short}))
    a.ask("an id twice", ("Email/get", {"ids": [one, one], **short}))
    a.ask("no ids", ("Email/get", {"ids": []}))
    a.ask("ids null", ("Email/get", {"ids": None, **short}))
    a.ask("ids missing", ("Email/get", short))
    a.ask("no properties", ("Email/get", {"ids": [one], "properties": []}))
    a.ask("an unknown property", ("Email/get", {"ids": [one], "properties": ["shoeSize"]}))
    a.ask("an id that is none", ("Email/get", {"ids": ["no id / at all"], **short}))
    a.ask("an empty id", ("Email/get", {"ids": [""], **short}))
    a.record("members without properties", sorted(a.call("Email/get", ids=[one])["list"][0]))
    limit = a.session["capabilities"][CORE]["maxObjectsInGet"]
    if limit <= 10_000:
        a.ask("too many ids", ("Email/get", {"ids": [f"nobody{number}" for number in range(limit + 1)], **short}))
    thread = a.call("Email/get", ids=[one], properties=["threadId"])["list"][0]["threadId"]
    a.ask("a thread", ("Thread/get", {"ids": [thread, "nobody"]}))


@script()
def query_windows(a: Account) -> None:
    a.box("inbox")
    ids = [a.deliver(f"m{number}", day=number) for number in range(1, 8)]

    def attempt(label: str, **more: object) -> dict[str, Any]:
        return a.ask(label, ("Email/query", {**_UP, **more}))[0]

    attempt("all")
    attempt("all with a total", calculateTotal=True)
    attempt("a page", limit=3)
    attempt("a page with a total", limit=3, calculateTotal=True)
    attempt("the second page with a total", position=3, limit=3, calculateTotal=True)
    attempt("the last page", position=6, limit=3)
    attempt("at the end", position=7, limit=3)
    attempt("past the end", position=50, limit=3, calculateTotal=True)
    attempt("from behind", position=-2)
    attempt("from behind the start", position=-50, limit=2)
    attempt("limit 0", limit=0)
    attempt("limit 0 with a total", limit=0, calculateTotal=True)
    attempt("limit below 0", limit=-1)
    attempt("limit null", limit=None)
    attempt("a great limit", limit=100_000)
    attempt("anchor", anchor=ids[3], limit=2)
    attempt("anchor and offset", anchor=ids[3], anchorOffset=1, limit=2)
    attempt("anchor and offset before it", anchor=ids[3], anchorOffset=-2, limit=2)
    attempt("anchor and offset before the start", anchor=ids[1], anchorOffset=-9, limit=2)
    attempt("anchor and offset past the end", anchor=ids[5], anchorOffset=9, limit=2)
    attempt("anchor and position", anchor=ids[3], position=1, limit=2)
    attempt("an unknown anchor", anchor="nobody")
    attempt("position as text", position="1")
    attempt("calculateTotal as text", calculateTotal="yes")
    attempt("collapsed threads", collapseThreads=True)
    attempt("an unknown argument", shoeSize=44)


@script()
def queries(a: Account) -> None:
    inbox, archive = a.box("inbox"), a.box("archive")
    a.deliver("small", content=b"Subject: small\r\n\r\nx\r\n", day=5)
    a.deliver("big", content=b"Subject: big\r\n\r\n" + b"x" * 3_000 + b"\r\n", day=2, keywords=("$flagged", "work"))
    a.deliver("old", "archive", content=b"Subject: old\r\nX-List: python\r\n\r\nxx\r\n", day=1)
    both = a.deliver("both", content=b"Subject: both\r\n\r\nxxx\r\n", day=9)
    a.call("Email/set", update={both: {f"mailboxIds/{archive}": True}})

    def by(label: str, condition: object, **more: object) -> None:
        a.ask(f"by {label}", ("Email/query", {**_UP, "filter": condition, **more}))

    by("nothing", None)
    by("an empty condition", {})
    by("mailbox", {"inMailbox": inbox})
    by("an unknown mailbox", {"inMailbox": "nobody"})
    by("mailbox null", {"inMailbox": None})
    by("other mailboxes", {"inMailboxOtherThan": [inbox]})
    by("keyword", {"hasKeyword": "work"})
    by("keyword in other case", {"hasKeyword": "WORK"})
    by("no keyword", {"notKeyword": "$seen"})
    by("size from", {"minSize": 1_000})
    by("size up to", {"maxSize": 100})
    by("before", {"before": "2026-01-02T00:00:00Z"})
    by("after", {"after": "2026-01-02T00:00:00Z"})
    by("before something that is no date", {"before": "yesterday"})
    by("header", {"header": ["X-List"]})
    by("header and value", {"header": ["X-List", "pyth"]})
    by("something unknown", {"shoeSize": 44})
    by("a value of the wrong type", {"minSize": "x"})
    by("two conditions in one", {"inMailbox": archive, "hasKeyword": "$seen"})
    by("and", {"operator": "AND", "conditions": [{"inMailbox": inbox}, {"inMailbox": archive}]})
    by("or", {"operator": "OR", "conditions": [{"hasKeyword": "work"}, {"maxSize": 28}]})
    by("not", {"operator": "NOT", "conditions": [{"hasKeyword": "$seen"}]})
    by("nor", {"operator": "NOR", "conditions": []})
    by("an operator without conditions", {"operator": "AND"})
    a.ask("newest first", ("Email/query", _DOWN))
    a.ask("no sort", ("Email/query", {}))
    a.ask("sorted by size", ("Email/query", {"sort": [{"property": "size"}]}))
    a.ask("sorted by size, the largest first", ("Email/query", {"sort": [{"property": "size", "isAscending": False}]}))
    a.ask("sorted by something unknown", ("Email/query", {"sort": [{"property": "shoeSize"}]}))
    a.ask("sorted by nothing", ("Email/query", {"sort": []}))
    a.ask("sorted by two", ("Email/query", {"sort": [{"property": "receivedAt"}, {"property": "size"}]}))


@script()
def query_states(a: Account) -> None:
    inbox = a.box("inbox")
    mail = a.deliver("one")
    a.deliver("two", day=2)
    first = a.ask("a query", ("Email/query", _UP))[0]
    a.ask("the same query", ("Email/query", _UP))
    a.ask("another page of it", ("Email/query", {**_UP, "position": 1, "limit": 1}))
    a.ask("another sort", ("Email/query", _DOWN))
    a.ask("another filter", ("Email/query", {**_UP, "filter": {"inMailbox": inbox}}))
    a.call("Email/set", update={mail: {"keywords/a": True}})
    a.ask("after a keyword", ("Email/query", _UP))
    a.deliver("three", day=3)
    a.ask("after a delivery", ("Email/query", _UP))
    a.ask("query changes", ("Email/queryChanges", {**_UP, "sinceQueryState": first.get("queryState", "")}))
    a.ask(
        "query changes with a total",
        ("Email/queryChanges", {**_UP, "sinceQueryState": first.get("queryState", ""), "calculateTotal": True}),
    )
    a.ask("query changes from garbage", ("Email/queryChanges", {**_UP, "sinceQueryState": "garbage"}))
