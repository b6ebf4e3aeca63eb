"""Each freedom of the RFCs that a server can be given, seen by a raw client: legal, and different from what is usual."""

from __future__ import annotations

import dataclasses
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import CYRUS_312, DemoServer
from jmapsync.demo.dialect import RFC
from jmapsync.demo.freedoms import Freedoms, form_id
from jmapsync.demo.shaping import keep_item
from tests.contract.peer import Peer, message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo.freedoms import IdForm, StateForm

ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


@contextmanager
def peer_of(**choices: Any) -> Iterator[tuple[DemoServer, Peer]]:  # noqa: ANN401 # passed on
    with DemoServer(freedoms=Freedoms(**choices)) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        yield server, peer


@pytest.mark.parametrize("form", ["opaque", "unicode", "long", "odd"])
def test_states_are_opaque_and_can_be_asked_from(form: StateForm) -> None:
    with peer_of(state_form=form) as (server, peer):
        before = peer.state()
        assert not before.isdecimal()
        new = server.account.deliver(message())
        assert peer.listed(before) == ([new], [], [])


def test_a_state_may_seem_new_though_nothing_changed() -> None:
    with peer_of(state_changes_alone=1.0) as (_, peer):
        one, other = peer.state(), peer.state()
        assert one != other
        assert peer.listed(one)[0] == peer.listed(other)[0] == []


@pytest.mark.parametrize("form", ["dashes", "case", "long", "digits"])
def test_ids_have_every_legal_form(form: IdForm) -> None:
    ids = [form_id(form, "e", serial) for serial in range(1, 3000)]
    assert len(set(ids)) == len(ids)
    assert all(ID.fullmatch(one) for one in ids)
    if form == "case":
        assert len({one.lower() for one in ids}) == 1


def test_changes_list_ids_in_every_legal_way() -> None:
    with peer_of(created_also_updated=True, destroyed_also_updated=True, brief_lives="both", changes_order="shuffled") as (
        server,
        peer,
    ):
        old = server.account.deliver(message())
        before = peer.state()
        new, brief = server.account.deliver(message()), server.account.deliver(message())
        server.account.destroy(old)
        server.account.destroy(brief)
        created, updated, destroyed = peer.listed(before)
        assert (set(created), set(updated), set(destroyed)) == ({new, brief}, {new, brief, old}, {old, brief})


def test_james_lists_a_known_message_that_was_copied_and_destroyed_as_created_and_as_destroyed() -> None:
    dialect = dataclasses.replace(RFC, moved_is_created=True)
    with DemoServer(dialect=dialect) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        ref = server.account.deliver(message())
        box = next(box.id for box in server.account.mailboxes.values() if box.role == "archive")
        before = peer.state()
        peer.one("Email/set", {"update": {ref: {f"mailboxIds/{box}": True}}})
        server.account.destroy(ref)
        created, _, destroyed = peer.listed(before)
        assert (created, destroyed) == ([ref], [ref])


def test_a_page_of_changes_is_as_small_as_the_server_likes() -> None:
    with peer_of(changes_page=2) as (server, peer):
        before = peer.state()
        for _ in range(5):
            server.account.deliver(message())
        page = peer.changes(before, maxChanges=500)
        assert (len(page["created"]), page["hasMoreChanges"]) == (2, True)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_page_of_changes_is_larger_than_the_client_allows(most: int) -> None:
    freedoms = {"created_also_updated": True, "destroyed_also_updated": True, "brief_lives": "both", "changes_unchanged": 1.0}
    with peer_of(**freedoms) as (server, peer):
        state = peer.state()
        ids = [server.account.deliver(message()) for _ in range(4)]
        server.account.destroy(ids[0])
        seen: set[str] = set()
        for _ in range(20):
            page = peer.changes(state, maxChanges=most)
            assert len(page["created"]) + len(page["updated"]) + len(page["destroyed"]) <= most
            seen.update(page["created"])
            state = page["newState"]
            if not page["hasMoreChanges"]:
                break
        assert set(ids[1:]) <= seen


def test_a_server_that_keeps_no_changes_says_so() -> None:
    with peer_of(cannot_calculate=1.0) as (_, peer):
        assert peer.error("Email/changes", {"accountId": peer.account, "sinceState": peer.state()}) == "cannotCalculateChanges"


@pytest.mark.parametrize(
    ("total", "first", "second"), [("given", True, True), ("first page", True, False), ("never", False, False)]
)
def test_a_listing_may_lack_its_total(total: str, first: bool, second: bool) -> None:
    with peer_of(total=total) as (server, peer):
        for _ in range(3):
            server.account.deliver(message())
        pages = [peer.one("Email/query", {"position": at, "limit": 2, "calculateTotal": True}) for at in (0, 2)]
        assert ["total" in page for page in pages] == [first, second]


@pytest.mark.parametrize(("past", "position"), [("clamped", 1), ("as asked", 7), ("zero", 0)])
def test_an_empty_page_past_the_end_names_a_position_of_the_server_s_choice(past: str, position: int) -> None:
    with peer_of(past_the_end=past) as (server, peer):
        server.account.deliver(message())
        page = peer.one("Email/query", {"position": 7})
        assert (page["ids"], page["position"]) == ([], position)


@pytest.mark.parametrize("kind", ["page", "answer"])
def test_a_query_state_may_differ_by_page(kind: str) -> None:
    with peer_of(query_state=kind) as (server, peer):
        for _ in range(3):
            server.account.deliver(message())
        assert len({peer.one("Email/query", {"position": at, "limit": 1})["queryState"] for at in (0, 1, 2)}) == 3


def test_objects_come_in_another_order_with_more_than_was_asked_for() -> None:
    with peer_of(get_order="reversed", extra_properties=True, fractional_dates=True) as (server, peer):
        ids = [server.account.deliver(message(), received_at=1_700_000_000) for _ in range(3)]
        found = peer.one("Email/get", {"ids": ids, "properties": ["receivedAt"]})["list"]
        assert [one["id"] for one in found] == ids[::-1]
        assert all(one["receivedAt"] == "2023-11-14T22:13:20.25Z" and "example.com:more" in one for one in found)


def test_an_upload_and_its_email_have_different_blob_ids_of_the_same_bytes() -> None:
    with peer_of(blob_ids="apart") as (_, peer):
        content = message()
        upload = peer.upload(content)
        made = peer.import_blob(upload, peer.mailbox_id("inbox"))["created"]["new"]
        blob = peer.email(made["id"], "blobId")["blobId"]
        assert blob == made["blobId"] != upload
        assert peer.download(blob) == peer.download(upload) == content


def test_results_of_a_write_are_null_empty_or_objects() -> None:
    with peer_of(updated_as="object", empty_results="empty", old_state="null") as (server, peer):
        email = server.account.deliver(message())
        answer = peer.one("Email/set", {"update": {email: {"keywords/$seen": True}}})
        assert answer["updated"] == {email: {}}
        assert (answer["oldState"], answer["destroyed"], answer["notUpdated"], answer["created"]) == (None, [], {}, {})


def test_empty_results_of_a_write_may_be_left_out() -> None:
    with peer_of(empty_results="absent") as (server, peer):
        email = server.account.deliver(message())
        request = {"accountId": peer.account, "update": {email: {"keywords/$seen": True}}}
        answer = peer.http.post(
            f"{server.origin}/jmap/api/", json={"using": peer.using, "methodCalls": [["Email/set", request, "s"]]}
        ).json()["methodResponses"][0][1]
        assert answer.keys() & {"created", "updated", "destroyed", "notUpdated"} == {"updated"}


def test_a_write_may_fail_after_some_of_its_parts_or_all() -> None:
    done = set()
    for seed in range(20):
        with peer_of(partial_fails=1.0, seed=seed) as (server, peer):
            emails = [server.account.deliver(message()) for _ in range(2)]
            assert peer.error("Email/set", {"accountId": peer.account, "destroy": emails}) == "serverPartialFail"
            done.add(2 - len(server.account.emails))
    assert done == {0, 1, 2}


def test_what_is_imported_may_get_a_keyword_of_the_server_s_own() -> None:
    with peer_of(marks_new=True) as (_, peer):
        assert peer.email(peer.deliver())["keywords"] == {"$hasnoattachment": True}


def test_an_upload_may_be_gone_before_it_is_imported() -> None:
    with peer_of(loses_uploads=1.0) as (_, peer):
        assert peer.refusal(message()) == {"type": "invalidProperties", "properties": ["blobId"]}


def test_a_method_may_fail_in_another_way_and_change_nothing() -> None:
    with peer_of(unavailable=1.0, unavailable_as="serverFail") as (_, peer):
        assert peer.error("Mailbox/get", {"accountId": peer.account}) == "serverFail"


@pytest.mark.parametrize("form", ["members renamed", "defaults dropped", "defaults written", "unknown dropped"])
def test_an_object_is_kept_in_a_form_that_stays_as_it_is(form: Any) -> None:  # noqa: ANN401 # a literal
    card = {"addressBookIds": {"b": True}, "phones": {"p": {"number": "1"}}, "vCardProps": [["x-a", {}, "text", "b"]]}
    event = {"calendarIds": {"c": True}, "priority": 0, "alerts": {"a": {}}, "example.com:x": 1, "title": "t"}
    for item in (card, event):
        once = keep_item(item, form)
        assert once != item or (form == "defaults dropped" and item is card)
        assert keep_item(once, form) == once


@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_the_members_of_an_object_come_in_any_order_and_are_the_same(order: Any) -> None:  # noqa: ANN401 # a literal
    with peer_of(member_order=order, seed=3) as (server, peer):
        server.account.contacts.add({"uid": "u", "name": {"full": "N"}, "notes": {"a": {"note": "1"}, "b": {"note": "2"}}})
        [kept] = server.account.contacts.items.values()
        [shown] = peer.one("ContactCard/get", {"ids": None})["list"]
        assert shown == kept
        assert list(shown) != list(kept)


def test_the_utc_times_of_an_event_come_where_no_properties_are_named() -> None:
    event = {"uid": "u", "start": "2026-12-07T10:00:00", "duration": "PT15H", "timeZone": "Etc/UTC"}
    with peer_of(utc_times=True) as (server, peer):
        server.account.calendars.add(event)
        [shown] = peer.one("CalendarEvent/get", {"ids": None})["list"]
        assert (shown["utcStart"], shown["utcEnd"]) == ("2026-12-07T10:00:00Z", "2026-12-08T01:00:00Z")
        [named] = peer.one("CalendarEvent/get", {"ids": None, "properties": ["start"]})["list"]
        assert set(named) == {"id", "start"}


def test_the_stamps_of_an_object_may_have_fractions() -> None:
    with peer_of(fractional_dates=True) as (server, peer):
        server.account.contacts.add({"uid": "u", "updated": "2026-12-07T10:00:00Z"})
        [shown] = peer.one("ContactCard/get", {"ids": None})["list"]
        assert shown["updated"].endswith(":00.25Z")


def test_what_goes_silently_with_its_mailbox_may_be_imported_again() -> None:
    account = DemoServer(dialect=dataclasses.replace(CYRUS_312, mailbox_destruction="silent")).account
    account.create_mailbox("Lists")
    account.deliver(b"Subject: one\r\n\r\n", ["Lists"])
    blob = next(iter(account.emails.values())).blob_id
    state = account.state("Email")
    account.destroy_mailbox("Lists")
    assert (account.emails, account.emails_of_blob(blob)) == ({}, [])
    assert account.logs["Email"].page(int(state)).destroyed == []
