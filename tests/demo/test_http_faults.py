from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx
import pytest

from jmapsync.demo import Answer
from tests.contract.peer import message
from tests.live.jmapraw import BLOB, CORE, MAIL

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.contract.peer import Peer


def echo(peer: Peer, **what: object) -> httpx.Response:
    body = {"using": [CORE], "methodCalls": [["Core/echo", what, "0"]]}
    return peer.http.post(urljoin(peer.base, peer.session["apiUrl"]), json=body)


def get(peer: Peer, blob_id: str) -> httpx.Response:
    return peer.http.get(f"{peer.base.removesuffix('session')}download/{peer.account}/{blob_id}/name")


def session(peer: Peer) -> dict[str, object]:
    return dict(peer.http.get(peer.base).json())


@pytest.mark.parametrize("retry_after", ["3", "Wed, 25 Nov 2026 08:00:00 GMT"])
def test_too_many_requests_names_when_to_come_back_and_does_nothing(server: DemoServer, peer: Peer, retry_after: str) -> None:
    server.faults.answer.arm(Answer.too_many_requests(retry_after), times=1, only={"Email/set"})
    email_id = server.account.deliver(message())
    body = {"using": [CORE, MAIL], "methodCalls": [["Email/set", {"accountId": peer.account, "destroy": [email_id]}, "0"]]}
    answer = peer.http.post(peer.session["apiUrl"], json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, retry_after)
    assert email_id in server.account.emails
    assert peer.http.post(peer.session["apiUrl"], json=body).status_code == 200
    assert email_id not in server.account.emails


def test_a_fault_shows_so_many_times_after_so_many_passed(server: DemoServer, peer: Peer) -> None:
    server.faults.answer.arm(Answer.unavailable("1"), times=2, skip=1)
    assert [echo(peer).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert server.faults.answer.fired == 2
    server.faults.answer.arm(Answer.unavailable())
    assert [echo(peer).status_code for _ in range(3)] == [503, 503, 503]
    server.faults.clear()
    assert echo(peer).status_code == 200


def test_a_fault_keeps_to_its_scope(server: DemoServer, peer: Peer) -> None:
    blob_id = peer.upload(b"content")
    server.faults.answer.arm(Answer.html(), only={"download"})
    assert echo(peer).json()["methodResponses"][0][0] == "Core/echo"
    answer = get(peer, blob_id)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<html>" in answer.content


def test_a_cut_body_ends_before_its_length(server: DemoServer, peer: Peer) -> None:
    blob_id = peer.upload(b"x" * 5000)
    server.faults.cut_body.arm(100, times=1, only={"download"})
    with pytest.raises(httpx.RemoteProtocolError, match="received 100 bytes, expected 5000"):
        get(peer, blob_id)
    assert len(get(peer, blob_id).content) == 5000
    server.faults.cut_body.arm(10, times=1, only={"api"})
    with pytest.raises(httpx.RemoteProtocolError):
        echo(peer)


def test_a_short_body_seems_whole(server: DemoServer, peer: Peer) -> None:
    blob_id = peer.upload(b"x" * 5000)
    server.faults.short_body.arm(7, times=1)
    assert len(get(peer, blob_id).content) == 4993


def test_a_connection_dropped_before_leaves_nothing_done_and_after_leaves_it_done(server: DemoServer, peer: Peer) -> None:
    blob_id = peer.upload(message())
    inbox = peer.mailbox_id("inbox")
    server.faults.drop_before.arm(times=1, only={"Email/import"})
    with pytest.raises(httpx.TransportError):
        peer.import_blob(blob_id, inbox)
    assert not server.account.emails
    server.faults.drop_after.arm(times=1, only={"Email/import"})
    with pytest.raises(httpx.TransportError):
        peer.import_blob(blob_id, inbox)
    assert len(server.account.emails) == 1
    (email_id,) = server.account.emails
    server.faults.drop_after.arm(times=1, only={"Email/set"})
    with pytest.raises(httpx.TransportError):
        peer.patch(email_id, {"keywords/$seen": True})
    assert server.account.emails[email_id].keywords == {"$seen"}


def test_padding_makes_an_answer_large_but_sound(server: DemoServer, peer: Peer) -> None:
    server.faults.padding.arm(3_000_000, times=1)
    answer = echo(peer)
    assert len(answer.content) > 3_000_000
    assert answer.json()["methodResponses"][0][0] == "Core/echo"


def test_a_missing_blob_is_missing_by_either_way(server: DemoServer, peer: Peer) -> None:
    blob_id = peer.upload(b"x")
    server.faults.missing_blob.arm(times=1, only={"download"})
    assert [get(peer, blob_id).status_code for _ in range(2)] == [404, 200]
    server.faults.missing_blob.arm(times=1, only={"Blob/get"})
    assert [peer.one("Blob/get", {"ids": [blob_id]})["notFound"] for _ in range(2)] == [[blob_id], []]


def test_latency_delays(server: DemoServer, peer: Peer) -> None:
    server.faults.latency.arm(0.15, times=1)
    begin = time.monotonic()
    echo(peer)
    assert time.monotonic() - begin >= 0.15


def test_more_requests_at_a_time_than_allowed_are_refused(server: DemoServer, peer: Peer) -> None:
    server.limits.max_concurrent_requests = 2
    server.faults.latency.arm(0.3)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: echo(peer), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 400, 400, 400, 400]
    assert {answer.json().get("limit") for answer in answers} == {None, "maxConcurrentRequests"}
    assert server.endpoints.busiest["api"] == 2


def test_limits_may_change_while_it_runs_and_the_session_says_so(server: DemoServer, peer: Peer) -> None:
    before = session(peer)["state"]
    server.limits.max_objects_in_get = 100
    assert session(peer)["state"] != before
    assert echo(peer).json()["sessionState"] == session(peer)["state"]
    assert peer.error("Email/get", {"ids": [f"e{number}" for number in range(101)]}) == "requestTooLarge"


def test_an_upload_past_the_limit_is_refused(server: DemoServer, peer: Peer) -> None:
    server.limits.max_size_upload = 100
    answer = peer.http.post(peer.session["uploadUrl"].replace("{accountId}", peer.account), content=b"x" * 101)
    assert (answer.status_code, answer.json()["limit"]) == (413, "maxSizeUpload")
    assert not server.account.blobs


@pytest.mark.parametrize(
    ("style", "begin"), [("relative", "/jmap/"), ("absolute", "http://127.0.0.1:"), ("foreign", "http://elsewhere.invalid/")]
)
def test_the_session_names_its_urls_in_any_style(server: DemoServer, peer: Peer, style: str, begin: str) -> None:
    server.faults.foreign_origin = "http://elsewhere.invalid"
    server.faults.session_urls.arm(style)  # type: ignore[arg-type]
    urls = [value for name, value in session(peer).items() if name.endswith("Url")]
    assert len(urls) == 4
    assert all(str(url).startswith(begin) for url in urls)


def test_a_flapping_session_state_is_never_twice_the_same(server: DemoServer, peer: Peer) -> None:
    server.faults.flapping_session_state.arm()
    states = [session(peer)["state"], *(echo(peer).json()["sessionState"] for _ in range(3))]
    assert len(set(states)) == 4


def test_an_account_vanishes_from_everywhere(server: DemoServer, peer: Peer) -> None:
    server.add_account("shared", name="Team", personal=False)
    blob_id = peer.upload(b"x")
    server.faults.vanished_account.arm(peer.account)
    assert list(session(peer)["accounts"]) == ["shared"]  # type: ignore[call-overload]
    assert peer.error("Email/get", {"ids": []}) == "accountNotFound"
    assert get(peer, blob_id).status_code == 404
    server.faults.vanished_account.arm("")
    assert session(peer)["accounts"] == {}


def test_hidden_capabilities_are_neither_offered_nor_known(server: DemoServer, peer: Peer) -> None:
    server.faults.hidden_capabilities.arm({BLOB["3.12"]})
    assert BLOB["3.12"] not in str(session(peer))
    answer = peer.http.post(peer.session["apiUrl"], json={"using": [BLOB["3.12"]], "methodCalls": []})
    assert answer.json()["type"].endswith("unknownCapability")


def test_redirects_lead_elsewhere(server: DemoServer, peer: Peer) -> None:
    server.faults.answer.arm(Answer.redirect("http://other.invalid/"), only={"session"})
    answer = httpx.get(server.url, auth=("demo", "demo"))
    assert (answer.status_code, answer.headers["location"]) == (302, "http://other.invalid/")


def test_basic_and_bearer_are_let_in_and_may_be_changed(server: DemoServer, peer: Peer) -> None:
    bearer = {"Authorization": "Bearer demo-token"}
    assert httpx.get(server.url, headers=bearer).status_code == 200
    assert session(peer)["username"] == "demo"
    server.credentials.token = "another"
    assert httpx.get(server.url, headers=bearer).status_code == 401
    server.credentials.token = ""
    assert httpx.get(server.url, headers={"Authorization": "Bearer"}).status_code == 401
    assert httpx.get(server.url, headers={"Authorization": "Basic !!!"}).status_code == 401
    assert [request.authorization for request in server.requests.http[-3:]] == ["bearer", "bearer", "basic"]


def test_requests_and_calls_are_counted_and_kept(server: DemoServer, peer: Peer) -> None:
    server.requests.clear()
    echo(peer, a=1)
    peer.one("Email/get", {"ids": []})
    blob_id = peer.upload(b"12345")
    get(peer, blob_id)
    assert server.requests.counts == {"http": 4, "api": 2, "upload": 1, "download": 1, "Core/echo": 1, "Email/get": 1}
    assert server.requests.count("Email/set") == 0
    assert [(call.name, call.arguments) for call in server.requests.calls("Core/echo")] == [("Core/echo", {"a": 1})]
    kept = [(note.endpoint, note.status) for note in server.requests.http]
    assert kept == [("api", 200), ("api", 200), ("upload", 201), ("download", 200)]
    assert [note.received for note in server.requests.http][2] == 5
    assert [note.sent for note in server.requests.http][3] == 5
