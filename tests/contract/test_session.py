from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.contract.peer import message
from tests.live.jmapraw import CORE, MAIL

if TYPE_CHECKING:
    from tests.contract.peer import Peer


def post(peer: Peer, **what: object) -> httpx.Response:
    return peer.http.post(urljoin(peer.base, peer.session["apiUrl"]), **what)  # type: ignore[arg-type]


def download(peer: Peer, blob_id: str, account: str | None = None) -> httpx.Response:
    url = peer.session["downloadUrl"].replace("{accountId}", account or peer.account).replace("{blobId}", blob_id)
    url = url.replace("{name}", "a%20b.eml").replace("{type}", "message%2Frfc822")
    # Cyrus would compress the answer, and Content-Length with it.
    return peer.http.get(urljoin(peer.base, url), headers={"Accept-Encoding": "identity"})


def test_session_offers_mail_and_blobs_in_the_primary_account(peer: Peer) -> None:
    session = peer.session
    account = session["accounts"][session["primaryAccounts"][MAIL]]
    assert {CORE, MAIL, peer.blob} <= session["capabilities"].keys()
    assert {MAIL, peer.blob} <= account["accountCapabilities"].keys()
    assert account["isPersonal"] is True
    assert account["isReadOnly"] is False
    core = session["capabilities"][CORE]
    assert core["maxObjectsInGet"] >= 500
    assert core["maxCallsInRequest"] >= 16


def test_the_blob_capability_reports_its_limits_except_on_cyrus_36_and_cyrus_misspells_one(peer: Peer) -> None:
    blob = peer.session["accounts"][peer.account]["accountCapabilities"][peer.blob]
    if peer.flavour == "3.6":
        assert blob == {}
    else:
        assert blob["maxSizeBlobSet"] >= 4096
        assert ("maxdataSources" in blob, "maxDataSources" in blob) == (peer.is_cyrus, not peer.is_cyrus)
        assert {"sha", "sha-256"} <= set(blob["supportedDigestAlgorithms"])


def test_the_session_state_of_cyrus_says_nothing(peer: Peer) -> None:
    assert (peer.session["state"] == "0") is peer.is_cyrus


def test_urls_of_the_session_are_relative_on_cyrus_and_templates_everywhere(peer: Peer) -> None:
    assert bool(urlsplit(peer.session["apiUrl"]).netloc) is not peer.is_cyrus
    for variable in ("{accountId}", "{blobId}", "{name}", "{type}"):
        assert variable in peer.session["downloadUrl"]
    assert "{accountId}" in peer.session["uploadUrl"]
    assert {"{types}", "{closeafter}", "{ping}"} <= {
        f"{{{part.partition('}')[0]}}}" for part in peer.session["eventSourceUrl"].split("{")[1:]
    }


def test_well_known_redirects_to_the_session(peer: Peer) -> None:
    answer = peer.http.get(urljoin(peer.base, "/.well-known/jmap"))
    assert [hop.status_code for hop in answer.history][:1] == [301]
    assert answer.json()["username"] == peer.session["username"]


@pytest.mark.parametrize("auth", [None, ("nobody", "wrong")])
def test_unknown_users_are_asked_for_a_credential(peer: Peer, auth: tuple[str, str] | None) -> None:
    answer = httpx.get(peer.base, auth=auth)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.headers["content-type"].startswith("text/html")


def test_unsound_requests_are_problems(peer: Peer) -> None:
    json = {"Content-Type": "application/json"}
    for body, kind in ((b"{", "notJSON"), (b'{"using":1}', "notRequest"), (b'{"using":[],"methodCalls":[["x"]]}', "notRequest")):
        answer = post(peer, content=body, headers=json)
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["type"] == f"urn:ietf:params:jmap:error:{kind}"


def test_unknown_capability_refuses_the_request(peer: Peer) -> None:
    answer = post(peer, json={"using": [CORE, "urn:nobody:knows"], "methodCalls": []})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:ietf:params:jmap:error:unknownCapability"


def test_wrong_content_type_is_refused(peer: Peer) -> None:
    answer = post(peer, content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == (415 if peer.is_cyrus else 400)


def test_too_many_calls_and_too_large_a_request_name_the_limit(peer: Peer) -> None:
    core = peer.session["capabilities"][CORE]
    calls = [["Core/echo", {}, str(number)] for number in range(core["maxCallsInRequest"] + 1)]
    answer = post(peer, json={"using": [CORE], "methodCalls": calls})
    assert (answer.status_code, answer.json()["limit"]) == (400, "maxCallsInRequest")
    answer = post(peer, json={"using": [CORE], "methodCalls": [["Core/echo", {"x": "y" * core["maxSizeRequest"]}, "0"]]})
    assert (answer.status_code, answer.json()["limit"]) == (413 if peer.is_cyrus else 400, "maxSizeRequest")


def test_created_ids_come_back_only_if_they_were_sent(peer: Peer) -> None:
    answer = post(peer, json={"using": [CORE], "methodCalls": [], "createdIds": {"a": "b"}}).json()
    assert answer["createdIds"] == {"a": "b"}
    assert answer["sessionState"] == peer.session["state"]
    assert "createdIds" not in post(peer, json={"using": [CORE], "methodCalls": []}).json()


def test_methods_need_their_capability_in_using(peer: Peer) -> None:
    for method, using in (("Email/get", [CORE]), ("Blob/get", [CORE, MAIL])):
        ((name, answer, _),) = peer.call_raw([(method, {"ids": []})], using)
        assert (name, answer["type"]) == ("error", "unknownMethod")
    answer = post(peer, json={"using": [], "methodCalls": [["Core/echo", {}, "0"]]}).json()
    assert answer["methodResponses"][0][1]["type"] == "unknownMethod"


def test_wrong_calls_are_errors_of_their_method_alone(peer: Peer) -> None:
    answers = peer.call_raw(
        [
            ("Core/echo", {"a": 1}),
            ("Email/nope", {}),
            ("Email/get", {"accountId": "nobody", "ids": []}),
            ("Email/get", {"ids": "x"}),
            ("Email/get", {"ids": [], "surprise": 1}),
            ("Email/get", {"ids": [], "properties": ["surprise"]}),
            ("Email/get", {"ids": []}),
        ]
    )
    kinds = [arguments.get("type", name) for name, arguments, _ in answers]
    assert kinds == [
        *("Core/echo", "unknownMethod", "accountNotFound", "invalidArguments", "invalidArguments", "invalidArguments"),
        "Email/get",
    ]


def test_results_can_be_referred_to(peer: Peer) -> None:
    ids = {peer.deliver(), peer.deliver()}
    query = {"resultOf": "0", "name": "Email/query", "path": "/ids"}
    answers = peer.call_raw(
        [
            ("Email/query", {}),
            ("Email/get", {"#ids": query, "properties": ["blobId"]}),
            ("Email/get", {"#ids": {"resultOf": "1", "name": "Email/get", "path": "/list/*/id"}, "properties": ["id"]}),
            ("Email/get", {"#ids": query | {"resultOf": "9"}}),
            ("Email/get", {"#ids": query | {"name": "Email/get"}}),
            ("Email/get", {"#ids": query | {"path": "/nothing"}}),
            ("Email/get", {"#ids": query, "ids": []}),
        ]
    )
    assert {email["id"] for email in answers[1][1]["list"]} == ids
    assert {email["id"] for email in answers[2][1]["list"]} == ids
    wrong = "resultReference" if peer.flavour == "3.6" else "invalidResultReference"
    assert [arguments["type"] for _, arguments, _ in answers[3:]] == [wrong, wrong, wrong, "invalidArguments"]


def test_too_many_objects_refuse_the_call_or_on_cyrus_the_request(peer: Peer) -> None:
    core = peer.session["capabilities"][CORE]
    for method, arguments, limit in (
        ("Email/get", {"ids": [f"M{number:024x}" for number in range(core["maxObjectsInGet"] + 1)]}, "maxObjectsInGet"),
        ("Email/set", {"destroy": [f"M{number:024x}" for number in range(core["maxObjectsInSet"] + 1)]}, "maxObjectsInSet"),
    ):
        calls = [[method, {"accountId": peer.account} | arguments, "0"]]
        answer = post(peer, json={"using": [CORE, MAIL], "methodCalls": calls})
        if peer.is_cyrus:
            assert (answer.status_code, answer.json()["limit"]) == (400, limit)
        else:
            assert answer.json()["methodResponses"][0][1]["type"] == "requestTooLarge"


def test_uploads_are_downloaded_as_they_were(peer: Peer) -> None:
    content = bytes(range(256)) * 300
    blob_id = peer.upload(content, "application/octet-stream")
    answer = download(peer, blob_id)
    assert answer.content == content
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-disposition"].startswith("attachment")


def test_upload_reports_size_and_type(peer: Peer) -> None:
    url = peer.session["uploadUrl"].replace("{accountId}", peer.account)
    answer = peer.http.post(urljoin(peer.base, url), content=b"xyz", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 201
    assert answer.json()["accountId"] == peer.account
    assert (answer.json()["size"], answer.json()["type"]) == (3, "text/plain")


def test_what_is_not_there_is_404(peer: Peer) -> None:
    blob_id = peer.upload(message())
    assert download(peer, "G" + "0" * 40).status_code == 404
    assert download(peer, blob_id, "nobody").status_code == 404
    url = peer.session["uploadUrl"].replace("{accountId}", "nobody")
    assert peer.http.post(urljoin(peer.base, url), content=b"xyz").status_code == 404


def test_event_stream_reports_new_states(peer: Peer) -> None:
    url = peer.session["eventSourceUrl"].replace("{types}", "*").replace("{closeafter}", "state").replace("{ping}", "30")
    with peer.http.stream("GET", urljoin(peer.base, url)) as stream:
        if peer.flavour == "3.6":
            assert stream.status_code == 204
            return
        assert stream.headers["content-type"].startswith("text/event-stream")
        email_id = peer.deliver()
        lines = [line for line in stream.iter_lines() if line]
    assert "event: state" in lines
    assert any(line.startswith("data:") and '"StateChange"' in line and peer.account in line for line in lines)
    assert peer.exists(email_id)
