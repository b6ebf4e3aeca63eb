from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.peer import message

if TYPE_CHECKING:
    from tests.contract.peer import Peer


def test_nothing_new(peer: Peer) -> None:
    for type_name in ("Email", "Mailbox"):
        before = peer.state(type_name)
        assert peer.listed(before, type_name) == ([], [], [])
        assert peer.changes(before, type_name)["newState"] == before


def test_each_act_is_reported_as_what_it_is(peer: Peer) -> None:
    flagged, moved, destroyed = peer.deliver(), peer.deliver(), peer.deliver()
    before = peer.state()
    created = peer.deliver()
    peer.patch(flagged, {"keywords/$flagged": True})
    peer.patch(moved, {"mailboxIds": {peer.mailbox_id("archive"): True}})
    peer.one("Email/set", {"destroy": [destroyed]})
    listed = peer.listed(before)
    assert (listed[0], set(listed[1]), listed[2]) == ([created], {flagged, moved}, [destroyed])
    assert peer.changes(before)["newState"] == peer.state()


def test_a_message_that_came_and_went_is_not_reported(peer: Peer) -> None:
    before = peer.state()
    email_id = peer.deliver()
    peer.patch(email_id, {"keywords/$seen": True})
    peer.one("Email/set", {"destroy": [email_id]})
    assert peer.listed(before) == ([], [], [])


def test_created_and_then_updated_is_created(peer: Peer) -> None:
    before = peer.state()
    email_id = peer.deliver()
    peer.patch(email_id, {"keywords/$seen": True})
    assert peer.listed(before) == ([email_id], [], [])


def test_content_that_comes_back_has_its_old_id_on_cyrus_and_counts_as_updated(peer: Peer) -> None:
    content = message()
    email_id = peer.deliver(content)
    alive = peer.state()
    peer.one("Email/set", {"destroy": [email_id]})
    dead = peer.state()
    again = peer.deliver(content)
    if peer.is_cyrus:
        assert again == email_id
        assert peer.listed(alive) == ([], [email_id], [])
        assert peer.listed(dead) == ([], [email_id], [])
    else:
        assert again != email_id
        assert peer.listed(alive) == ([again], [], [email_id])


def test_a_message_that_imap_marks_deleted_vanishes_and_may_come_back(peer: Peer) -> None:
    email_id = peer.deliver(keywords={"work": True})
    before = peer.state()
    peer.mark_deleted(True)
    hidden = peer.state()
    assert not peer.exists(email_id)
    assert peer.one("Email/query", {})["ids"] == []
    assert peer.listed(before) == ([], [], [email_id])
    peer.mark_deleted(False)
    assert peer.email(email_id)["keywords"] == {"work": True}
    assert peer.listed(before) == ([], [email_id], [])
    assert peer.listed(hidden) == ([], [email_id], [])


def test_pages_end_after_max_changes_and_lead_to_the_same_end(peer: Peer) -> None:
    before = peer.state()
    ids = [peer.deliver() for _ in range(5)]
    state, seen = before, []
    for _ in range(10):
        page = peer.changes(state, maxChanges=2)
        assert page["oldState"] == state
        assert len(page["created"]) <= 2
        seen += page["created"]
        state = page["newState"]
        if not page["hasMoreChanges"]:
            break
    assert sorted(seen) == sorted(ids)
    assert state == peer.changes(before)["newState"]


def test_a_created_message_can_reach_a_later_page_as_an_update(peer: Peer) -> None:
    before = peer.state()
    first, second = peer.deliver(), peer.deliver()
    peer.patch(first, {"keywords/$seen": True})
    page = peer.changes(before, maxChanges=1)
    assert (page["created"], page["hasMoreChanges"]) == ([second], True)
    assert peer.listed(page["newState"]) == ([], [first], [])


@pytest.mark.parametrize("limit", [0, -1, "2"])
def test_max_changes_is_a_positive_number(peer: Peer, limit: object) -> None:
    assert peer.error("Email/changes", {"sinceState": peer.state(), "maxChanges": limit}) == "invalidArguments"


@pytest.mark.parametrize("type_name", ["Email", "Mailbox"])
def test_a_state_that_is_none(peer: Peer, type_name: str) -> None:
    expected = "invalidArguments" if peer.flavour == "3.6" else "cannotCalculateChanges"
    assert peer.error(f"{type_name}/changes", {"sinceState": "surprise"}) == expected


def test_a_state_of_the_future_is_taken_by_cyrus_and_answered_with_an_earlier_one(peer: Peer) -> None:
    peer.deliver()
    if peer.is_cyrus:
        assert peer.listed("999999") == ([], [], [])
        assert peer.changes("999999")["newState"] == peer.state()
    else:
        assert peer.error("Email/changes", {"sinceState": "999999"}) == "cannotCalculateChanges"


def test_mailbox_counts_alone_are_reported_by_updated_properties(peer: Peer) -> None:
    inbox = peer.mailbox_id("inbox")
    before = peer.state("Mailbox")
    email_id = peer.deliver()
    answer = peer.changes(before, "Mailbox")
    assert answer["updated"] == [inbox]
    assert set(answer["updatedProperties"]) == {"totalEmails", "unreadEmails", "totalThreads", "unreadThreads"}
    before = peer.state("Mailbox")
    peer.patch(email_id, {"keywords/$seen": True})
    assert peer.listed(before, "Mailbox") == ([], [inbox], [])
    box = peer.mailboxes()
    assert next((box["totalEmails"], box["unreadEmails"]) for box in box.values() if box["id"] == inbox) == (1, 0)


def test_changed_mailboxes_are_reported_without_updated_properties(peer: Peer) -> None:
    mailbox_id = peer.create_mailbox("Work")
    before = peer.state("Mailbox")
    peer.one("Mailbox/set", {"update": {mailbox_id: {"name": "Play"}}})
    answer = peer.changes(before, "Mailbox")
    assert (answer["updated"], answer["updatedProperties"]) == ([mailbox_id], None)


def test_an_upload_moves_the_states_of_cyrus(peer: Peer) -> None:
    before = peer.state()
    peer.upload(message())
    assert (peer.state() != before) is peer.is_cyrus
    assert peer.listed(before) == ([], [], [])


def test_a_new_mailbox_moves_the_email_state_of_cyrus(peer: Peer) -> None:
    before = peer.state()
    peer.create_mailbox("Work")
    assert (peer.state() != before) is peer.is_cyrus
    assert (peer.state() == peer.state("Mailbox")) is peer.is_cyrus
    assert peer.listed(before) == ([], [], [])


def test_a_destroyed_mailbox_ends_the_email_states_of_cyrus(peer: Peer) -> None:
    mailbox_id = peer.create_mailbox("Work")
    before, boxes_before = peer.state(), peer.state("Mailbox")
    peer.one("Mailbox/set", {"destroy": [mailbox_id]})
    assert peer.listed(boxes_before, "Mailbox") == ([], [], [mailbox_id])
    if peer.is_cyrus:
        assert peer.error("Email/changes", {"sinceState": before}) == "cannotCalculateChanges"
    else:
        assert peer.listed(before) == ([], [], [])
    assert peer.listed(peer.state()) == ([], [], [])
