"""Filters, sorts, collapsed threads, `/queryChanges` and snippets (RFC 8621, sections 2.3, 4.4, 4.5 and 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import Freedoms
from tests.contract.peer import Peer

if TYPE_CHECKING:
    from tests.live.jmapraw import Json


def letter(number: int, sender: str, subject: str, text: str, *, kind: str = "text/plain", more: str = "") -> bytes:
    return (
        f"From: {sender}\r\nTo: Bob <bob@example.org>\r\n{more}Subject: {subject}\r\nMessage-ID: <{number}@x>\r\n"
        f"Date: Mon, {10 - number:02} Nov 2026 08:00:00 +0000\r\nContent-Type: {kind}\r\n\r\n{text}\r\n"
    ).encode()


@pytest.fixture
def ids(server: DemoServer) -> list[str]:
    """Three messages: the first and the last are of one thread."""
    account = server.account
    return [
        account.deliver(letter(1, "Zoë <zoe@example.org>", "Annual report", "the quick fox"), received_at=100, keywords=["$seen"]),
        account.deliver(
            letter(2, "ada@example.org", "Zebra", "PDF", kind="application/pdf", more="Cc: eve@example.org\r\n"), received_at=200
        ),
        account.deliver(
            letter(3, "Carl <carl@example.org>", "Re: Annual report", "a slow snail " * 50, more="References: <1@x>\r\n"),
            received_at=300,
        ),
    ]


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        ({"from": "zoe"}, {0}),
        ({"from": "Zoë"}, {0}),
        ({"to": "bob"}, {0, 1, 2}),
        ({"cc": "eve"}, {1}),
        ({"bcc": "eve"}, set()),
        ({"subject": "report annual"}, {0, 2}),
        ({"subject": '"report annual"'}, set()),
        ({"body": "FOX"}, {0}),
        ({"text": "report fox"}, {0}),
        ({"text": "nobody"}, set()),
        ({"hasAttachment": True}, {1}),
        ({"hasAttachment": False}, {0, 2}),
        ({"someInThreadHaveKeyword": "$Seen"}, {0, 2}),
        ({"allInThreadHaveKeyword": "$seen"}, set()),
        ({"noneInThreadHaveKeyword": "$seen"}, {1}),
        ({"operator": "NOT", "conditions": [{"text": "snail"}, {"from": "ada"}]}, {0}),
    ],
)
def test_filters(peer: Peer, ids: list[str], condition: Json, places: set[int]) -> None:
    assert set(peer.one("Email/query", {"filter": condition})["ids"]) == {ids[place] for place in places}


@pytest.mark.parametrize(
    ("comparator", "order"),
    [
        ({"property": "from"}, [1, 2, 0]),
        ({"property": "to"}, [0, 1, 2]),
        ({"property": "subject", "isAscending": False}, [1, 0, 2]),
        ({"property": "sentAt"}, [2, 1, 0]),
        ({"property": "size", "isAscending": False}, [2, 1, 0]),
        ({"property": "hasKeyword", "keyword": "$seen", "isAscending": False}, [0, 1, 2]),
        ({"property": "someInThreadHaveKeyword", "keyword": "$seen"}, [1, 0, 2]),
        ({"property": "allInThreadHaveKeyword", "keyword": "$seen"}, [0, 1, 2]),
    ],
)
def test_sorts(peer: Peer, ids: list[str], comparator: Json, order: list[int]) -> None:
    assert peer.one("Email/query", {"sort": [comparator]})["ids"] == [ids[place] for place in order]


@pytest.mark.parametrize(
    ("comparator", "error"),
    [
        ({"property": "id"}, "unsupportedSort"),
        ({"property": "size", "collation": "i;odd"}, "unsupportedSort"),
        ({"property": "hasKeyword"}, "invalidArguments"),
    ],
)
def test_sorts_that_are_none(peer: Peer, comparator: Json, error: str) -> None:
    assert peer.error("Email/query", {"sort": [comparator]}) == error


def test_the_session_reports_what_can_be_sorted_by(server: DemoServer) -> None:
    with DemoServer(dialect="james") as james:
        options = [
            one.service.session("")["accounts"]["a1"]["accountCapabilities"]["urn:ietf:params:jmap:mail"]["emailQuerySortOptions"]
            for one in (server, james)
        ]
    assert set(options[1]) == {"receivedAt", "sentAt", "size", "from", "to", "subject"} < set(options[0])


def test_of_a_collapsed_thread_the_first_message_is_listed(peer: Peer, ids: list[str]) -> None:
    newest = peer.one("Email/query", {"collapseThreads": True, "calculateTotal": True})
    assert (newest["ids"], newest["total"], newest["canCalculateChanges"]) == ([ids[2], ids[1]], 2, False)
    oldest = peer.one("Email/query", {"collapseThreads": True, "sort": [{"property": "receivedAt"}]})
    assert oldest["ids"] == ids[:2]
    assert len(peer.one("Email/query", {})["ids"]) == 3


def apply(listing: list[str], changes: Json) -> list[str]:
    """Return a listing after its changes, as RFC 8620, section 5.6, says."""
    left = [one for one in listing if one not in changes["removed"]]
    for one in sorted(changes["added"], key=lambda each: int(each["index"])):
        left.insert(one["index"], one["id"])
    return left


@pytest.mark.parametrize("query", [{}, {"filter": {"hasKeyword": "$seen"}}, {"sort": [{"property": "subject"}]}])
def test_changes_of_a_listing_lead_to_the_new_one(server: DemoServer, peer: Peer, ids: list[str], query: Json) -> None:
    before = peer.one("Email/query", query)
    assert before["canCalculateChanges"]
    server.account.destroy(ids[1])
    server.account.set_keyword(ids[2], "$seen")
    server.account.deliver(letter(4, "new@example.org", "Middle", "x"), received_at=250, keywords=["$seen"])
    changes = peer.one("Email/queryChanges", {**query, "sinceQueryState": before["queryState"], "calculateTotal": True})
    after = peer.one("Email/query", {**query, "calculateTotal": True})
    assert apply(before["ids"], changes) == after["ids"]
    assert (changes["newQueryState"], changes["total"]) == (after["queryState"], after["total"])
    assert peer.error("Email/queryChanges", {**query, "sinceQueryState": before["queryState"], "maxChanges": 1}) == "tooManyChanges"


def test_changes_of_a_listing_that_cannot_be_calculated(peer: Peer, ids: list[str]) -> None:
    state = peer.one("Email/query", {})["queryState"]
    assert ids
    assert peer.error("Email/queryChanges", {"sinceQueryState": state, "collapseThreads": True}) == "cannotCalculateChanges"
    assert peer.error("Email/queryChanges", {"sinceQueryState": "nonsense"}) == "cannotCalculateChanges"


@pytest.mark.parametrize("way", ["plain", "page", "answer"])
def test_changes_of_a_listing_start_from_every_form_of_its_state(way: str) -> None:
    freedoms = Freedoms(query_state=way, state_form="unicode", state_changes_alone=1.0)  # type: ignore[arg-type]
    with DemoServer(freedoms=freedoms) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        state = peer.one("Email/query", {})["queryState"]
        new = server.account.deliver(letter(1, "a@b", "x", "y"))
        changes = peer.one("Email/queryChanges", {"sinceQueryState": state})
    assert (changes["oldQueryState"], changes["added"]) == (state, [{"id": new, "index": 0}])


def test_changes_of_a_listing_of_mailboxes(server: DemoServer, peer: Peer) -> None:
    query: Json = {"filter": {"operator": "OR", "conditions": [{"name": "new"}, {"role": "inbox"}]}, "sort": [{"property": "name"}]}
    before = peer.one("Mailbox/query", query)
    server.account.create_mailbox("A new one")
    changes = peer.one("Mailbox/queryChanges", {**query, "sinceQueryState": before["queryState"]})
    assert apply(before["ids"], changes) == peer.one("Mailbox/query", query)["ids"]
    assert peer.error("Mailbox/query", {"filter": {"operator": "XOR", "conditions": []}}) == "invalidArguments"


def test_mailboxes_are_listed_as_a_tree(server: DemoServer, peer: Peer) -> None:
    account = server.account
    z, a = account.create_mailbox("z match"), account.create_mailbox("a")
    z_in_a, deep, in_z = (account.create_mailbox(path) for path in ("a/z match", "a/z match/b match", "z match/a match"))
    by_name: Json = {"filter": {"name": "match"}, "sort": [{"property": "name"}]}

    def listed(**more: object) -> list[str]:
        answer = peer.one("Mailbox/query", {**by_name, **more})
        assert answer["canCalculateChanges"] == (not more)
        return [str(one) for one in answer["ids"]]

    assert listed() == [in_z, deep, z, z_in_a]
    assert listed(sortAsTree=True) == [z_in_a, deep, z, in_z]
    assert listed(filterAsTree=True) == [in_z, z]
    assert listed(filterAsTree=True, sortAsTree=True) == [z, in_z]
    assert account.mailboxes[a].name == "a"


def test_snippets_mark_the_words(server: DemoServer, peer: Peer, ids: list[str]) -> None:
    html = server.account.deliver(letter(9, "a@b", "a < b", "one <two> three"))
    wish: dict[str, Any] = {"emailIds": [ids[0], ids[1], html, "Mno"]}
    answer = peer.one("SearchSnippet/get", {**wish, "filter": {"text": "annual QUICK two"}})
    assert answer["list"] == [
        {"emailId": ids[0], "subject": "<mark>Annual</mark> report", "preview": "the <mark>quick</mark> fox\n"},
        {"emailId": ids[1], "subject": None, "preview": None},
        {"emailId": html, "subject": None, "preview": "one &lt;<mark>two</mark>&gt; three\n"},
    ]
    assert answer["notFound"] == ["Mno"]
    only_subject = peer.one("SearchSnippet/get", {"emailIds": [ids[0]], "filter": {"subject": "quick"}})
    assert only_subject["list"] == [{"emailId": ids[0], "subject": None, "preview": None}]
