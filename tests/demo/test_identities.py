"""Identities, the vacation response, and submissions without an envelope (RFC 8621, sections 6, 7 and 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo.dialect import SUBMISSION, VACATION

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.contract.peer import Peer as AnyPeer
    from tests.live.jmapraw import Json


@pytest.fixture
def peer(peer: AnyPeer) -> AnyPeer:
    peer.using += [SUBMISSION, VACATION]
    return peer


def test_an_identity_can_be_changed_but_for_its_address(peer: AnyPeer) -> None:
    (whole,) = peer.one("Identity/get", {"ids": None})["list"]
    assert whole == {
        "id": "i1",
        "name": "",
        "email": "demo@example.com",
        "replyTo": None,
        "bcc": None,
        "mayDelete": False,
        "textSignature": "",
        "htmlSignature": "",
    }
    before = peer.state("Identity")
    patch = {"name": "Demo", "replyTo": [{"name": None, "email": "a@b"}], "textSignature": "-- \nx"}
    assert peer.one("Identity/set", {"update": {"i1": patch}})["updated"] == {"i1": None}
    assert peer.one("Identity/get", {"ids": ["i1"]})["list"] == [{**whole, **patch}]
    assert peer.listed(before, "Identity") == ([], ["i1"], [])
    for wrong in ({"email": "x@y"}, {"mayDelete": True}, {"replyTo": "a@b"}, {"name": 5}, {"surprise": 1}):
        answer = peer.one("Identity/set", {"update": {"i1": wrong}})
        assert answer["notUpdated"]["i1"] == {"type": "invalidProperties", "properties": list(wrong)}
    assert peer.one("Identity/set", {"destroy": ["i1"]})["notDestroyed"]["i1"]["type"] == "forbidden"


def test_identities_are_made_for_addresses_of_the_user_s_only(peer: AnyPeer) -> None:
    before = peer.state("Identity")
    wishes: Json = {"own": {"email": "Demo@example.com", "name": "Second"}, "foreign": {"email": "a@b"}, "none": {"name": "x"}}
    answer = peer.one("Identity/set", {"create": wishes})
    assert answer["created"] == {"own": {"id": "i2", "mayDelete": True}}
    assert {key: error["type"] for key, error in answer["notCreated"].items()} == {
        "foreign": "forbiddenFrom",
        "none": "invalidProperties",
    }
    assert peer.listed(before, "Identity") == (["i2"], [], [])
    both = peer.one("Identity/set", {"update": {"i2": {"name": "x"}, "ino": {}}, "destroy": ["i2", "ino"]})
    assert (both["notUpdated"]["i2"]["type"], both["notUpdated"]["ino"]["type"]) == ("willDestroy", "notFound")
    assert (both["destroyed"], both["notDestroyed"]["ino"]["type"]) == (["i2"], "notFound")


def test_there_is_one_vacation_response(peer: AnyPeer) -> None:
    (whole,) = peer.one("VacationResponse/get", {"ids": None})["list"]
    assert whole == {
        "id": "singleton",
        "isEnabled": False,
        **dict.fromkeys(("fromDate", "toDate", "subject", "textBody", "htmlBody")),
    }
    before = peer.state("VacationResponse")
    patch = {"isEnabled": True, "fromDate": "2026-01-01T00:00:00Z", "subject": "away", "textBody": "back soon"}
    answer = peer.one("VacationResponse/set", {"update": {"singleton": patch}})
    assert (answer["updated"], answer["oldState"]) == ({"singleton": None}, before)
    assert answer["newState"] == peer.state("VacationResponse") != before
    assert peer.one("VacationResponse/get", {"ids": ["singleton", "other"]}) | {"state": ""} == {
        "accountId": peer.account,
        "state": "",
        "list": [{**whole, **patch}],
        "notFound": ["other"],
    }
    assert peer.one("VacationResponse/set", {"update": {"singleton": {"subject": None}}})["updated"]
    assert peer.one("VacationResponse/get", {"ids": None, "properties": ["subject"]})["list"] == [
        {"id": "singleton", "subject": None}
    ]


@pytest.mark.parametrize("wrong", [{"isEnabled": "yes"}, {"toDate": "2026-01-01"}, {"subject": 1}, {"surprise": 1}, {"id": "two"}])
def test_wrong_properties_of_a_vacation_response_are_named(peer: AnyPeer, wrong: Json) -> None:
    answer = peer.one("VacationResponse/set", {"update": {"singleton": wrong}, "create": {"x": {}}, "destroy": ["singleton"]})
    assert answer["notUpdated"]["singleton"] == {"type": "invalidProperties", "properties": list(wrong)}
    assert (answer["notCreated"]["x"]["type"], answer["notDestroyed"]["singleton"]["type"]) == ("singleton", "singleton")


def test_without_an_envelope_the_header_names_who_gets_a_message(server: DemoServer, peer: AnyPeer) -> None:
    before = peer.one("EmailSubmission/get", {"ids": []})["state"]
    content = b"From: Demo <demo@example.com>\r\nTo: a@b, c@d\r\nBcc: a@b, e@f\r\nSubject: x\r\n\r\ny\r\n"
    email_id = server.account.deliver(content)
    wish = {"identityId": "i1", "emailId": email_id}
    made = peer.one("EmailSubmission/set", {"create": {"one": wish}})["created"]["one"]
    (sent,) = server.account.sent
    assert (sent.sender, sent.recipients, sent.content) == ("demo@example.com", ("a@b", "c@d", "e@f"), content)
    assert peer.listed(before, "EmailSubmission") == ([made["id"]], [], [])


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"From: demo@example.com\r\n\r\n", "noRecipients"), (b"To: a@b\r\n\r\n", "invalidEmail")],
)
def test_without_an_envelope_a_message_needs_sender_and_recipients(
    server: DemoServer, peer: AnyPeer, content: bytes, error: str
) -> None:
    wish = {"identityId": "i1", "emailId": server.account.deliver(content)}
    assert peer.one("EmailSubmission/set", {"create": {"one": wish}})["notCreated"]["one"]["type"] == error
