"""Freedoms of HTTP, of the session and of refusals for now: each takes effect, and is legal."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.dialect import SUBMISSION
from jmapsync.demo.freedoms import Freedoms
from tests.contract.peer import Peer, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.jmapraw import Json


@contextmanager
def peer_of(**choices: Any) -> Iterator[tuple[DemoServer, Peer]]:  # noqa: ANN401 # passed on
    with DemoServer(freedoms=Freedoms(**choices)) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        yield server, peer


def _session(peer: Peer) -> Json:
    return dict(peer.http.get(peer.base).json())


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_are_compressed_and_come_in_chunks(coding: Any, *, chunked: bool) -> None:  # noqa: ANN401 # a literal
    with peer_of(content_coding=coding, chunked=chunked) as (server, peer):
        content = message("x" * 5000)
        email = server.account.deliver(content)
        answer = peer.http.get(peer.base)
        assert answer.headers["content-encoding"] == coding
        assert ("content-length" in answer.headers) is not chunked
        assert answer.json()["username"] == "demo"
        assert peer.download(peer.email(email, "blobId")["blobId"]) == content


def test_uploads_downloads_and_events_are_on_hosts_of_their_own() -> None:
    with peer_of(hosts="apart") as (server, peer):
        session = _session(peer)
        hosts = {name: urlsplit(session[name]).hostname for name in session if name.endswith("Url")}
        assert len(set(hosts.values())) == 4
        content = message()
        blob = peer.http.post(session["uploadUrl"].replace("{accountId}", peer.account), content=content).json()["blobId"]
        url = session["downloadUrl"].replace("{accountId}", peer.account).replace("{blobId}", blob).replace("{name}", "m")
        assert peer.http.get(url.replace("{type}", "message/rfc822")).content == content
        assert server.requests.counts["download"] == 1


def test_an_event_source_url_may_lack_its_variables() -> None:
    with peer_of(event_variables=False) as (_, peer):
        assert "{" not in _session(peer)["eventSourceUrl"]


def test_a_session_may_offer_what_nobody_knows() -> None:
    with peer_of(more_capabilities=True) as (_, peer):
        session = _session(peer)
        assert (
            "https://example.com/jmap/more"
            in session["capabilities"].keys() & session["accounts"][peer.account]["accountCapabilities"]
        )


@pytest.mark.parametrize(("retry_after", "header"), [("zero", "0"), ("second", "1"), ("none", None)])
def test_a_request_that_comes_too_fast_is_refused_with_or_without_a_time(retry_after: Any, header: str | None) -> None:  # noqa: ANN401
    with peer_of() as (server, peer), DemoServer(freedoms=Freedoms(throttled=1.0, retry_after=retry_after)) as other:
        del server
        request = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "e"]]}
        answer = peer.http.post(f"{other.origin}/jmap/api/", json=request)
        assert answer.status_code in {400, 429, 503}
        assert answer.json()["type"] == "urn:ietf:params:jmap:error:limit"
        assert answer.headers.get("retry-after") == header


@pytest.mark.parametrize("form", ["untyped", "bare"])
def test_a_proxy_refuses_without_a_word_of_jmap(form: Any) -> None:  # noqa: ANN401 # a literal
    with DemoServer(freedoms=Freedoms(throttled=1.0, problem_form=form)) as server, peer_of() as (_, peer):
        request = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "e"]]}
        answer = peer.http.post(f"{server.origin}/jmap/api/", json=request)
        assert answer.status_code in {429, 503}
        assert b'"type"' not in answer.content
        assert ("json" in answer.headers["content-type"]) is (form == "untyped")


@pytest.mark.parametrize("form", ["spaced", "escaped"])
def test_json_has_other_octets_and_the_same_meaning(form: Any) -> None:  # noqa: ANN401 # a literal
    with DemoServer(freedoms=Freedoms(json_form=form, primary="none")) as server, peer_of() as (_, peer):
        server.account.name = "Zoë"
        answer = peer.http.get(server.url)
        assert answer.json()["accounts"][server.account.id]["name"] == "Zoë"
        assert (b"\\u00eb" in answer.content, b"\n" in answer.content) == (form == "escaped", form == "spaced")
        assert answer.json()["primaryAccounts"] == {}


@pytest.mark.parametrize("refusal", ["rateLimit", "overQuota"])
def test_an_object_may_be_refused_for_now(refusal: Any) -> None:  # noqa: ANN401 # a literal
    with peer_of(refused_objects=1.0, refusal=refusal) as (server, peer):
        assert peer.refusal(message())["type"] == refusal
        answer = peer.one("Mailbox/set", {"create": {"new": {"name": "New"}}})
        assert answer["notCreated"]["new"]["type"] == refusal
        assert server.service.shape is not None
        server.service.shape.quiet = True
        assert peer.deliver()


@pytest.mark.parametrize("old_urls", ["kept", "gone"])
def test_the_session_changes_while_a_client_uses_it_and_says_so(old_urls: Any) -> None:  # noqa: ANN401 # a literal
    with peer_of(session_turns=1.0, old_urls=old_urls) as (server, peer):
        seen, states, status = set(), set(), set()
        request = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "e"]]}
        for _ in range(40):
            before = _session(peer)
            answer = peer.http.post(before["apiUrl"], json=request)
            after = _session(peer)
            seen |= {name for name in ("apiUrl", "capabilities", "accounts") if before[name] != after[name]}
            assert (before["state"] == after["state"]) == (before == after)
            states.add(answer.json()["sessionState"] == after["state"])
            status.add(peer.http.post(before["apiUrl"], json=request).status_code)
            assert peer.http.get(peer.base).status_code == 200
        assert seen == {"apiUrl", "capabilities", "accounts"}
        assert states == {True}
        assert status == {200} if old_urls == "kept" else {200, 404}
        server.service.withdrawn.add(SUBMISSION)
        assert SUBMISSION not in _session(peer)["capabilities"]


def test_the_changes_of_a_type_may_not_be_kept() -> None:
    with peer_of(changes_lacking="Mailbox") as (_, peer):
        arguments = {"accountId": peer.account, "sinceState": peer.state("Mailbox")}
        assert peer.error("Mailbox/changes", arguments) == "cannotCalculateChanges"
        assert peer.listed(peer.state("Email")) == ([], [], [])


def test_a_page_of_changes_may_list_nothing_and_not_be_the_last() -> None:
    with peer_of(empty_pages=0.5, seed=1) as (server, peer):
        state, found, pages = peer.state(), [], 0
        new = server.account.deliver(message())
        while True:
            page = peer.changes(state)
            pages += not page["created"]
            found += page["created"]
            assert page["newState"] != state or not page["hasMoreChanges"]
            state = page["newState"]
            if not page["hasMoreChanges"]:
                break
        assert found == [new]
        assert pages > 0


def test_properties_that_changed_may_be_named_or_not() -> None:
    for named in (True, False):
        with peer_of(counts_named=named) as (server, peer):
            before = peer.state("Mailbox")
            server.account.deliver(message())
            assert (peer.changes(before, "Mailbox")["updatedProperties"] is not None) is named


def test_defaults_may_be_left_out_and_an_order_may_move() -> None:
    with peer_of(defaults="omitted") as (server, peer):
        server.account.create_mailbox("Plain")
        box = next(box for box in peer.one("Mailbox/get", {"ids": None})["list"] if box["name"] == "Plain")
        assert not {"role", "parentId", "sortOrder"} & box.keys()
        assert {"id", "name", "myRights", "totalEmails"} <= box.keys()
    with peer_of(sort_orders="moving") as (_, peer):
        orders = [{box["id"]: box["sortOrder"] for box in peer.one("Mailbox/get", {"ids": None})["list"]} for _ in range(2)]
        assert orders[0] != orders[1]


def test_the_sequence_of_an_event_may_grow_with_each_update() -> None:
    with peer_of(sequence_bumped=True) as (server, peer):
        server.account.calendars.add(
            {"@type": "Event", "uid": "u", "start": "2026-12-07T10:00:00", "duration": "PT1H", "timeZone": "Etc/UTC"}
        )
        [event] = peer.one("CalendarEvent/get", {"ids": None})["list"]
        answer = peer.one("CalendarEvent/set", {"update": {event["id"]: {"title": "t"}}})
        assert answer["updated"][event["id"]]["sequence"] == event.get("sequence", 0) + 1


def _events(peer: Peer, count: int, act: Callable[[], object], ping: str = "0", **headers: str) -> list[list[str]]:
    """Open the event stream, do something, and return the lines of so many events."""
    url = _session(peer)["eventSourceUrl"].replace("{types}", "*").replace("{closeafter}", "no").replace("{ping}", ping)
    found: list[list[str]] = []
    event: list[str] = []
    with peer.http.stream("GET", url, headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        act()
        for line in lines:
            if line:
                event.append(line)
                continue
            found += [event] if event else []
            event = []
            if len(found) == count:
                return found
    return found


def _nothing() -> None:
    """Do nothing."""


def test_events_name_more_types_come_twice_and_have_no_ids() -> None:
    with peer_of(push_types="more", push_repeats=True, push_ids=False) as (server, peer):
        one, other = _events(peer, 2, lambda: server.account.deliver(message()))
        assert one == other
        assert not any(line.startswith("id:") for line in one)
        [data] = [line for line in one if line.startswith("data: ")]
        assert {"Email", "Thread", "example.com:Thing"} <= json.loads(data[6:])["changed"][peer.account].keys()


def test_a_stream_may_begin_with_all_states() -> None:
    with peer_of(push_begins="states", push_types="all") as (_, peer):
        [event] = _events(peer, 1, _nothing)
        assert peer.state() in event[-1]


@pytest.mark.parametrize("resumes", [True, False])
def test_what_a_client_missed_is_reported_again_or_not(*, resumes: bool) -> None:
    with peer_of(push_resumes=resumes) as (server, peer):
        [first] = _events(peer, 1, lambda: server.account.deliver(message()))
        [last_id] = [line[4:] for line in first if line.startswith("id: ")]
        server.account.deliver(message())
        missed = peer.state()
        act = _nothing if resumes else lambda: server.account.deliver(message())
        [event] = _events(peer, 1, act, **{"Last-Event-ID": last_id})
        assert (missed in event[-1]) is resumes


def test_changes_are_gathered_into_one_event_or_come_late() -> None:
    with peer_of(push_gathers=0.05) as (server, peer):
        [event] = _events(peer, 1, lambda: [server.account.deliver(message()) for _ in range(3)])
        assert peer.state() in event[-1]
    with peer_of(push_late=0.05) as (server, peer):
        [event] = _events(peer, 1, lambda: server.account.deliver(message()))
        assert peer.state() in event[-1]


def test_an_event_may_be_lost() -> None:
    with peer_of(push_loses=1.0) as (server, peer):
        before = peer.state()
        [event] = _events(peer, 1, lambda: server.account.deliver(message()), ping="0.05")
        assert event[0] == "event: ping"
        assert peer.state() != before
