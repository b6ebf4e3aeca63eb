"""What real servers refuse, each as a value of `Refusals` that a server can be given, and the profiles that have it."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.demo.dialect import DIALECTS
from jmapsync.demo.refusals import Refusals
from tests.contract.peer import Peer, message
from tests.live.jmapraw import JmapError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.jmapraw import Json


@contextmanager
def peer_of(**refused: Any) -> Iterator[tuple[DemoServer, Peer]]:  # noqa: ANN401 # passed on
    dialect = dataclasses.replace(RFC, refusals=Refusals(**refused))
    with DemoServer(dialect=dialect) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        yield server, peer


@contextmanager
def profile(name: str) -> Iterator[Peer]:
    dialect = dataclasses.replace(DIALECTS[name], version="")
    with DemoServer(dialect=dialect) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        peer.using = [one for one in peer.using if one in peer.session["capabilities"]]
        yield peer


def made(peer: Peer, **wish: object) -> Json:
    """Return the SetError that a new mailbox is refused with; nothing where it is made."""
    answer = peer.one("Mailbox/set", {"create": {"new": wish}})
    return dict((answer["notCreated"] or {}).get("new", {}))


def changed(peer: Peer, mailbox_id: str, **patch: object) -> Json:
    answer = peer.one("Mailbox/set", {"update": {mailbox_id: patch}})
    return dict((answer["notUpdated"] or {}).get(mailbox_id, {}))


def destroyed(peer: Peer, role: str) -> Json:
    answer = peer.one("Mailbox/set", {"destroy": [mailbox_id := peer.mailbox_id(role)]})
    return dict((answer["notDestroyed"] or {}).get(mailbox_id, {}))


@pytest.mark.parametrize("error", ["invalidProperties", "invalidArguments", "serverFail", "forbidden"])
def test_names_with_certain_characters(error: str) -> None:
    with peer_of(name_signs=".%", name_error=error) as (_, peer):
        first = peer.create_mailbox("Work")
        assert [made(peer, name=name).get("type") for name in ("a.b", "%", "ab")] == [error, error, None]
        assert changed(peer, first, name="..")["type"] == error
        assert changed(peer, first, name="other") == {}


def test_names_that_are_too_long_together() -> None:
    with peer_of(longest_path=12) as (_, peer):
        parent = peer.create_mailbox("x" * 8)
        assert made(peer, name="yyyy", parentId=parent)["properties"] == ["name"]
        assert made(peer, name="yyy", parentId=parent) == {}


@pytest.mark.parametrize("error", ["alreadyExists", "invalidProperties", "invalidArguments"])
def test_names_that_are_taken(error: str) -> None:
    with peer_of(taken_name=error, inbox_in_any_case=True) as (_, peer):
        work = peer.create_mailbox("Work")
        refused = made(peer, name="Work")
        assert refused["type"] == error
        assert refused.get("existingId") == (work if error == "alreadyExists" else None)
        assert made(peer, name="inBox")["type"] == ("invalidProperties" if error == "alreadyExists" else error)
        assert made(peer, name="inBox", parentId=work) == {}


@pytest.mark.parametrize("error", ["forbidden", "invalidArguments"])
def test_mailboxes_of_certain_roles_stay(error: str) -> None:
    with peer_of(guarded="inbox, junk, trash", guarded_error=error, guards_names=True) as (_, peer):
        trash = peer.mailbox_id("trash")
        assert [destroyed(peer, role).get("type") for role in ("inbox", "trash", "sent")] == [error, error, None]
        assert changed(peer, trash, name="Bin")["type"] == error
        assert changed(peer, trash, sortOrder=5, isSubscribed=False) == {}


def test_roles_that_only_the_server_gives() -> None:
    with peer_of(gives_roles=False) as (_, peer):
        assert made(peer, name="x", role="flagged")["properties"] == ["role"]
        assert changed(peer, peer.mailbox_id("trash"), role=None)["properties"] == ["role"]
        assert made(peer, name="x", role=None) == {}


def test_mailboxes_at_the_top_and_mailboxes_too_deep() -> None:
    with peer_of(top_level=False) as (server, peer):
        server.limits.max_mailbox_depth = 2
        with Peer(server.url, "demo", "demo", "rfc") as fresh:
            details = fresh.session["accounts"][fresh.account]["accountCapabilities"]["urn:ietf:params:jmap:mail"]
        assert (details["mayCreateTopLevelMailbox"], details["maxMailboxDepth"]) == (False, 2)
        assert made(peer, name="x")["type"] == "forbidden"
        inside = peer.create_mailbox("x", parentId=peer.mailbox_id("archive"))
        assert made(peer, name="y", parentId=inside)["properties"] == ["parentId"]


@pytest.mark.parametrize("order", [-1, True, 1.5, "1"])
def test_sort_orders_that_are_no_unsigned_number(peer: Peer, order: object) -> None:
    assert made(peer, name="x", sortOrder=order)["properties"] == ["sortOrder"]


@pytest.mark.parametrize("error", ["invalidProperties", "invalidPatch"])
def test_keywords_of_letters_digits_and_few_signs(error: str) -> None:
    with peer_of(plain_keywords=True, keyword_error=error) as (server, peer):
        email_id = server.account.deliver(message(), keywords=["old.one"])
        assert peer.patch(email_id, {"keywords/dotted.word": True})["type"] == error
        assert peer.patch(email_id, {"keywords/$a-b_C1": True}) == {}
        assert peer.email(email_id)["keywords"] == {"old.one": True, "$a-b_c1": True}
        assert peer.refusal(message(), keywords={"a+b": True})["type"] == error


def test_keywords_of_a_new_message_are_a_set(peer: Peer) -> None:
    assert peer.refusal(message(), keywords=[])["properties"] == ["keywords"]
    assert peer.email(peer.deliver(keywords=None))["keywords"] == {}


@pytest.mark.parametrize("content", [b"Subject : x\r\n\r\nbody\r\n", b"Subject: x\r\nTo: a@b", b"Subject: x"])
def test_header_lines_that_a_strict_server_refuses(content: bytes) -> None:
    with peer_of() as (_, peer):
        peer.deliver(content)
    with peer_of(strict_header=True) as (_, peer):
        assert peer.refusal(content)["type"] == "invalidEmail"
        peer.deliver(b"Subject: x\r\n")
        peer.deliver(b"\r\nbody")


def test_messages_without_a_header() -> None:
    with peer_of(needs_header=True) as (_, peer):
        assert peer.refusal(b"\r\nonly a body\r\n")["type"] == "invalidEmail"
        peer.deliver(b"Subject: x\r\n\r\n")


def test_messages_that_are_larger_than_is_details_anywhere() -> None:
    with peer_of(largest_email=100) as (_, peer):
        assert peer.refusal(b"Subject: x\r\n\r\n" + b"y" * 100)["type"] == "tooLarge"
        peer.deliver(b"Subject: x\r\n\r\nsmall")


def test_uploads_of_nothing() -> None:
    with peer_of() as (_, peer):
        peer.upload(b"")
    with peer_of(empty_uploads=False) as (_, peer), pytest.raises(JmapError, match="500"):
        peer.upload(b"")


def test_methods_that_a_server_lacks() -> None:
    with peer_of(lacking=("Thread/changes",)) as (_, peer):
        assert peer.error("Thread/changes", {"sinceState": "0"}) == "unknownMethod"
        peer.one("Thread/get", {"ids": []})


def test_searches_for_words_without_an_index() -> None:
    with peer_of(text_filters=False) as (_, peer):
        for name in ("text", "from", "to", "cc", "bcc", "subject", "body"):
            assert peer.error("Email/query", {"filter": {name: "x"}}) == "serverFail"
        peer.one("Email/query", {"filter": {"header": ["Message-ID", "x"]}})


def test_sorts_are_those_that_the_session_reports() -> None:
    dialect = dataclasses.replace(RFC, email_sorts=("receivedAt",))
    with DemoServer(dialect=dialect) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        assert peer.error("Email/query", {"sort": [{"property": "size"}]}) == "unsupportedSort"
        peer.one("Email/query", {"sort": [{"property": "receivedAt"}]})


def test_stalwart_keeps_its_folders_and_bounds_names_and_depth() -> None:
    with profile("stalwart") as peer:
        assert made(peer, name="Inbox")["type"] in ("alreadyExists", "invalidProperties")
        assert made(peer, name="x/y") == {}
        assert made(peer, name="n" * 256)["properties"] == ["name"]
        assert [destroyed(peer, role).get("type") for role in ("inbox", "junk", "trash", "sent")] == [*["forbidden"] * 3, None]
        inner = None
        for _ in range(10):
            inner = peer.create_mailbox("deep", parentId=inner)
        assert made(peer, name="deep", parentId=inner)["properties"] == ["parentId"]


def test_james_refuses_names_roles_and_keywords_by_errors_of_its_own() -> None:
    with profile("james") as peer:
        inbox = peer.mailbox_id("inbox")
        assert {made(peer, name=name)["type"] for name in ("INBOX", "x.y", "x%", "Trash")} == {"invalidArguments"}
        assert made(peer, name="x", role="flagged") | {"description": ""} == {
            "type": "invalidArguments",
            "description": "",
            "properties": ["role"],
        }
        assert [destroyed(peer, role)["type"] for role in ("inbox", "trash", "sent")] == ["invalidArguments"] * 3
        assert changed(peer, peer.mailbox_id("drafts"), name="x")["type"] == "invalidArguments"
        wish: Json = {"receivedAt": "2026-01-01T00:00:00Z", "keywords": {"$seen": True}}
        email_id = peer.deliver(**wish)
        assert peer.patch(email_id, {"keywords/dotted.word": True})["type"] == "invalidPatch"
        blob_id = peer.upload(message())
        emails = {"new": {"blobId": blob_id, "mailboxIds": {inbox: True}, **wish, "keywords": {"a.b": True}}}
        assert peer.error("Email/import", {"emails": emails}) == "invalidArguments"


def test_cyrus_refuses_unsound_header_lines_and_empty_uploads() -> None:
    for name in ("cyrus36", "cyrus312"):
        with profile(name) as peer:
            assert peer.refusal(b"Subject : x\r\n\r\nbody\r\n")["type"] == "invalidEmail"
            peer.deliver(b"\xff: x\r\n\r\nbody\r\n")
            with pytest.raises(JmapError, match="500"):
                peer.upload(b"")
            details = peer.session["accounts"][peer.account]["accountCapabilities"]["urn:ietf:params:jmap:mail"]
            assert ("maxSizeMailboxName" in details, "id" in details["emailsListSortOptions"]) == (False, True)
            peer.one("Email/query", {"sort": [{"property": "id"}]})
