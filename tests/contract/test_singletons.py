"""What is one of a kind in an account: the vacation response, whom the user may send as, and quotas."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.peer import Peer, message
from tests.live.jmapraw import CORE, MAIL, Json

VACATION = "urn:ietf:params:jmap:vacationresponse"
SUBMISSION = "urn:ietf:params:jmap:submission"
SIEVE = "urn:ietf:params:jmap:sieve"
QUOTA, CYRUS_QUOTA = "urn:ietf:params:jmap:quota", "https://cyrusimap.org/ns/jmap/quota"


def get_vacation(peer: Peer) -> Json:
    [answer] = peer.call([("VacationResponse/get", {"ids": ["singleton"]})], [CORE, VACATION])
    [found] = answer["list"]
    names = ("fromDate", "toDate", "subject", "textBody", "htmlBody")
    return {**dict.fromkeys(names), **found}


def set_vacation(peer: Peer, **patch: object) -> Json:
    [answer] = peer.call([("VacationResponse/set", {"update": {"singleton": patch}})], [CORE, VACATION])
    return (answer["notUpdated"] or {}).get("singleton") or {}


@pytest.mark.parametrize("peer", ["demo-rfc", "demo-cyrus312", pytest.param("cyrus-3.12", marks=pytest.mark.live)], indirect=True)
def test_a_vacation_response_is_patched_and_cyrus_wants_to_be_given_whether_it_is_on(peer: Peer) -> None:
    assert set_vacation(peer, isEnabled=True, textBody="away", toDate="2030-01-01T00:00:00Z") == {}
    refused = set_vacation(peer, subject="Weg")
    assert refused.get("properties", []) == (["isEnabled"] if peer.is_cyrus else [])
    assert set_vacation(peer, isEnabled=False, subject="Weg", toDate=None) == {}
    found = get_vacation(peer)
    assert (found["isEnabled"], found["textBody"], found["toDate"], found["subject"]) == (False, "away", None, "Weg")


@pytest.mark.parametrize("peer", ["demo-cyrus36", pytest.param("cyrus-3.6", marks=pytest.mark.live)], indirect=True)
def test_debians_cyrus_36_dies_of_any_question_about_it(peer: Peer) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        get_vacation(peer)


@pytest.mark.parametrize("peer", ["demo-cyrus312", pytest.param("cyrus-3.12", marks=pytest.mark.live)], indirect=True)
def test_cyrus_switches_the_active_script_off_with_it_and_it_with_a_script(peer: Peer) -> None:
    def scripts() -> dict[str, bool]:
        [answer] = peer.call([("SieveScript/get", {"ids": None})], [CORE, SIEVE])
        return {one["name"]: one["isActive"] for one in answer["list"]}

    wish: Json = {"create": {"a": {"name": "mine", "blobId": peer.upload(b"keep;\r\n", "application/sieve")}}}
    [made] = peer.call([("SieveScript/set", wish | {"onSuccessActivateScript": "#a"})], [CORE, SIEVE])
    assert set_vacation(peer, isEnabled=True, textBody="away") == {}
    assert scripts() == {"mine": False, VACATION: True}
    assert set_vacation(peer, isEnabled=False) == {}
    assert scripts() == {"mine": False, VACATION: True}
    assert set_vacation(peer, isEnabled=True) == {}
    peer.call([("SieveScript/set", {"onSuccessActivateScript": made["created"]["a"]["id"]})], [CORE, SIEVE])
    assert scripts() == {"mine": True, VACATION: False}
    assert get_vacation(peer)["isEnabled"] is False


def test_there_is_one_identity_and_cyrus_does_not_state_its_address(peer: Peer) -> None:
    [answer] = peer.call([("Identity/get", {"ids": None})], [CORE, SUBMISSION])
    [found] = answer["list"]
    assert (found["email"] == "", found["mayDelete"]) == (peer.is_cyrus, False)


def test_without_a_limit_no_quota_is_for_mail_and_cyrus_36_has_a_negative_one(peer: Peer) -> None:
    capability = CYRUS_QUOTA if peer.flavour == "3.6" else QUOTA
    peer.upload(message())
    [answer] = peer.call([("Quota/get", {"ids": None})], [CORE, MAIL, capability])
    if peer.flavour == "3.6":
        assert [(one["id"], one["total"]) for one in answer["list"]] == [("mail", -1024)]
    else:
        assert [one for one in answer["list"] if "Email" in one["types"]] == []
