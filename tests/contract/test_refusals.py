"""What Cyrus refuses beyond the RFCs, on the real servers and on the profiles that stand in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.jmapraw import MAIL, JmapError

if TYPE_CHECKING:
    from tests.contract.peer import Peer

SUBMISSION = "urn:ietf:params:jmap:submission"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Subject : x\r\n\r\nbody\r\n", id="blank before the colon"),
        pytest.param(b"Subject\t: x\r\n\r\nbody\r\n", id="tab before the colon"),
        pytest.param(b"Subject: x", id="one line without an end"),
        pytest.param(b"Subject: x\r\nFrom: ada@example.org", id="last line without an end"),
    ],
)
def test_header_lines_that_only_cyrus_refuses(peer: Peer, content: bytes) -> None:
    if peer.is_cyrus:
        assert peer.refusal(content)["type"] == "invalidEmail"
    else:
        peer.deliver(content)


@pytest.mark.parametrize("content", [b">From x\r\nSubject: x\r\n\r\nbody", b": x\r\n\r\nbody", b"Su\x01b: x\r\n\r\nbody"])
def test_header_lines_that_all_refuse(peer: Peer, content: bytes) -> None:
    assert peer.refusal(content)["type"] == "invalidEmail"


@pytest.mark.parametrize("content", [b"a(b): x\r\n\r\nbody", b" x\r\nSubject: x\r\n\r\nbody", b"Subject: x\r\n \r\n\r\nbody"])
def test_header_lines_that_all_accept(peer: Peer, content: bytes) -> None:
    assert peer.download(peer.email(peer.deliver(content), "blobId")["blobId"]) == content


def test_an_empty_upload_is_an_internal_error_on_cyrus(peer: Peer) -> None:
    if peer.is_cyrus:
        with pytest.raises(JmapError, match="HTTP 500"):
            peer.upload(b"")
    else:
        assert peer.download(peer.upload(b"")) == b""


@pytest.mark.parametrize("name", ["text", "body", "subject", "from"])
def test_cyrus_without_a_search_engine_finds_no_words(peer: Peer, name: str) -> None:
    email_id = peer.deliver(b"From: ada@example.org\r\nSubject: ada\r\n\r\nada\r\n")
    if peer.is_cyrus:
        assert peer.error("Email/query", {"filter": {name: "ada"}}) == "serverFail"
    else:
        assert peer.one("Email/query", {"filter": {name: "ada"}})["ids"] == [email_id]


def test_sorts_are_those_that_the_capability_names(peer: Peer) -> None:
    capability = peer.session["accounts"][peer.account]["accountCapabilities"][MAIL]
    assert ("maxSizeMailboxName" in capability, "maxMailboxDepth" in capability) == (not peer.is_cyrus, not peer.is_cyrus)
    names = capability["emailsListSortOptions" if peer.is_cyrus else "emailQuerySortOptions"]
    peer.deliver()
    for name in ("receivedAt", "sentAt", "size", "from", "to", "subject", "hasKeyword", "someInThreadHaveKeyword"):
        assert name in names
        assert len(peer.one("Email/query", {"sort": [{"property": name, "keyword": "$seen"}]})["ids"]) == 1
    for name in ("id", "allInThreadHaveKeyword"):
        query = {"sort": [{"property": name, "keyword": "$seen"}]}
        if name in names:
            peer.one("Email/query", query)
        else:
            assert peer.error("Email/query", query) == "unsupportedSort"


def test_cyrus_has_no_methods_that_change_identities(peer: Peer) -> None:
    peer.using.append(SUBMISSION)
    for method, arguments in (("Identity/set", {}), ("Identity/changes", {"sinceState": "0"})):
        if peer.is_cyrus:
            assert peer.error(method, arguments) == "unknownMethod"
        else:
            peer.one(method, arguments)
