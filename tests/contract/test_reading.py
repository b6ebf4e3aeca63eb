from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.contract.peer import message

if TYPE_CHECKING:
    from tests.contract.peer import Peer


def sha(data: bytes, name: str) -> str:
    return base64.b64encode(hashlib.new(name, data).digest()).decode()


def test_get_gives_id_and_what_was_asked_for(peer: Peer) -> None:
    email_id = peer.deliver()
    answer = peer.one("Email/get", {"ids": [email_id, "Mnobody"], "properties": ["size"]})
    assert [email.keys() for email in answer["list"]] == [{"id", "size"}]
    assert answer["notFound"] == ["Mnobody"]
    assert answer["state"] == peer.state()
    assert peer.one("Email/get", {"ids": [email_id], "properties": []})["list"] == [{"id": email_id}]


def test_ids_asked_for_twice_are_answered_once_but_twice_by_cyrus(peer: Peer) -> None:
    email_id = peer.deliver()
    answer = peer.one("Email/get", {"ids": [email_id, email_id], "properties": ["id"]})
    assert answer["list"] == [{"id": email_id}] * (2 if peer.is_cyrus else 1)


def test_no_ids_is_no_listing_on_cyrus(peer: Peer) -> None:
    email_id = peer.deliver()
    if peer.is_cyrus:
        assert peer.error("Email/get", {"ids": None, "properties": ["id"]}) == "requestTooLarge"
    else:
        assert peer.one("Email/get", {"ids": None, "properties": ["id"]})["list"] == [{"id": email_id}]


def test_listings_are_sorted_paged_and_counted(peer: Peer) -> None:
    ids = [peer.deliver(receivedAt=f"2026-01-0{day}T00:00:00Z") for day in range(1, 6)]
    by_date = {"sort": [{"property": "receivedAt", "isAscending": True}]}
    page = peer.one("Email/query", {**by_date, "position": 1, "limit": 2, "calculateTotal": True})
    assert (page["ids"], page["position"], page["total"]) == (ids[1:3], 1, 5)
    assert peer.one("Email/query", {"sort": [{"property": "receivedAt", "isAscending": False}]})["ids"] == ids[::-1]
    assert peer.one("Email/query", {**by_date, "anchor": ids[2], "anchorOffset": 1, "limit": 1})["ids"] == [ids[3]]
    assert peer.one("Email/query", {**by_date, "position": -2})["ids"] == ids[3:]


def test_a_page_past_the_end_is_empty(peer: Peer) -> None:
    peer.deliver()
    page = peer.one("Email/query", {"position": 99})
    assert (page["ids"], page["position"]) == ([], 1)
    assert peer.one("Email/query", {"limit": 0})["ids"] == []


def test_the_query_state_moves_with_the_mail(peer: Peer) -> None:
    before = peer.one("Email/query", {})["queryState"]
    assert peer.one("Email/query", {})["queryState"] == before
    peer.deliver()
    assert peer.one("Email/query", {})["queryState"] != before


def test_filters(peer: Peer) -> None:
    content = message()
    here, there = peer.deliver(content, keywords={"$seen": True}), peer.deliver(role="archive")
    message_id = content.partition(b"Message-ID: <")[2].partition(b">")[0].decode()
    for condition, expected in (
        ({"inMailbox": peer.mailbox_id("archive")}, {there}),
        ({"hasKeyword": "$seen"}, {here}),
        ({"notKeyword": "$seen"}, {there}),
        ({"header": ["Message-ID", message_id]}, {here}),
        ({"operator": "OR", "conditions": [{"hasKeyword": "$seen"}, {"inMailbox": peer.mailbox_id("archive")}]}, {here, there}),
        ({"inMailbox": peer.mailbox_id("archive"), "hasKeyword": "$seen"}, set()),
        ({"inMailboxOtherThan": [peer.mailbox_id("inbox")]}, {there}),
    ):
        assert set(peer.one("Email/query", {"filter": condition})["ids"]) == expected, condition


def test_unsupported_listings(peer: Peer) -> None:
    peer.deliver()
    assert peer.error("Email/query", {"sort": [{"property": "surprise"}]}) == "unsupportedSort"
    assert peer.error("Email/query", {"filter": {"surprise": 1}}) == ("invalidArguments" if peer.is_cyrus else "unsupportedFilter")
    assert peer.error("Email/query", {"anchor": "nobody"}) == "anchorNotFound"
    assert peer.error("Email/query", {"limit": -1}) == "invalidArguments"
    if peer.is_cyrus:
        assert peer.error("Email/query", {"filter": {"inMailbox": "nowhere"}}) == "invalidArguments"
    else:
        assert peer.one("Email/query", {"filter": {"inMailbox": "nowhere"}})["ids"] == []


def test_blobs_are_had_in_batches(peer: Peer) -> None:
    contents = [message(), message()]
    ids = [peer.email(peer.deliver(content), "blobId")["blobId"] for content in contents]
    answer = peer.one("Blob/get", {"ids": [*ids, "Gnothing"], "properties": ["data:asBase64", "size"]})
    assert answer["notFound"] == ["Gnothing"]
    assert {blob["id"]: base64.b64decode(blob["data:asBase64"]) for blob in answer["list"]} == dict(zip(ids, contents, strict=True))
    assert [blob["size"] for blob in answer["list"]] == [len(content) for content in contents]


def test_blob_data_is_text_where_it_can_be(peer: Peer) -> None:
    text, octets = peer.upload("grün\r\n".encode(), "text/plain"), peer.upload(b"\xff\xfe", "application/octet-stream")
    answer = peer.one("Blob/get", {"ids": [text, octets]})
    assert answer["list"] == [
        {"id": text, "data:asText": "grün\r\n", "size": 7},
        {"id": octets, "isEncodingProblem": True, "data:asBase64": "//4=", "size": 2},
    ]
    answer = peer.one("Blob/get", {"ids": [octets], "properties": ["data:asText"]})
    assert answer["list"] == [{"id": octets, "isEncodingProblem": True}]


@pytest.mark.parametrize(
    ("offset", "length", "data", "truncated"),
    [(2, 3, "cde", False), (0, 4, "abcd", False), (8, 5, "ij", True), (50, 5, "", True)],
)
def test_blob_ranges(peer: Peer, offset: int, length: int, data: str, *, truncated: bool) -> None:
    blob_id = peer.upload(b"abcdefghij", "text/plain")
    answer = peer.one("Blob/get", {"ids": [blob_id], "offset": offset, "length": length})
    (blob,) = answer["list"]
    assert (blob["data:asText"], blob["size"], blob.get("isTruncated", False)) == (data, 10, truncated)


def test_blob_digests_where_they_are_offered(peer: Peer) -> None:
    content = message()
    blob_id = peer.email(peer.deliver(content), "blobId")["blobId"]
    wanted = {"ids": [blob_id], "properties": ["digest:sha", "digest:sha-256"]}
    if peer.flavour == "3.6":
        assert peer.error("Blob/get", wanted) == "invalidArguments"
    else:
        offered = peer.session["accounts"][peer.account]["accountCapabilities"][peer.blob]["supportedDigestAlgorithms"]
        assert {"sha", "sha-256"} <= set(offered)
        (blob,) = peer.one("Blob/get", wanted)["list"]
        assert (blob["digest:sha"], blob["digest:sha-256"]) == (sha(content, "sha1"), sha(content, "sha256"))


def test_unknown_blob_properties_are_refused(peer: Peer) -> None:
    blob_id = peer.upload(b"x", "text/plain")
    for name in ("surprise", "digest:surprise"):
        assert peer.error("Blob/get", {"ids": [blob_id], "properties": [name]}) == "invalidArguments"
