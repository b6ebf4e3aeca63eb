from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contract.peer import Peer
    from tests.live.jmapraw import Json


def test_patches_leave_everything_else_alone(peer: Peer) -> None:
    inbox, archive = peer.mailbox_id("inbox"), peer.mailbox_id("archive")
    email_id = peer.deliver(keywords={"$seen": True, "work": True})
    assert peer.patch(email_id, {"keywords/$flagged": True, "keywords/work": None, f"mailboxIds/{archive}": True}) == {}
    assert peer.email(email_id) == {
        "id": email_id,
        "keywords": {"$seen": True, "$flagged": True},
        "mailboxIds": {inbox: True, archive: True},
    }


def test_keywords_are_lower_cased_and_removed_in_any_case(peer: Peer) -> None:
    email_id = peer.deliver()
    peer.patch(email_id, {"keywords/IMPORTANT": True})
    assert peer.email(email_id)["keywords"] == {"important": True}
    peer.patch(email_id, {"keywords/imPortant": None})
    assert peer.email(email_id)["keywords"] == {}


def test_whole_sets_replace(peer: Peer) -> None:
    archive = peer.mailbox_id("archive")
    email_id = peer.deliver(keywords={"$seen": True})
    assert peer.patch(email_id, {"keywords": {"$answered": True}, "mailboxIds": {archive: True}}) == {}
    assert peer.email(email_id) == {"id": email_id, "keywords": {"$answered": True}, "mailboxIds": {archive: True}}


def test_a_message_stays_in_a_mailbox(peer: Peer) -> None:
    inbox = peer.mailbox_id("inbox")
    email_id = peer.deliver()
    patches: list[Json] = [{f"mailboxIds/{inbox}": None}, {"mailboxIds": {}}]
    for patch in patches:
        error = peer.patch(email_id, patch)
        assert (error["type"], error["properties"]) == ("invalidProperties", ["mailboxIds"])
    assert peer.email(email_id)["mailboxIds"] == {inbox: True}


def test_a_move_is_one_patch(peer: Peer) -> None:
    inbox, trash = peer.mailbox_id("inbox"), peer.mailbox_id("trash")
    email_id = peer.deliver()
    before = peer.state()
    assert peer.patch(email_id, {f"mailboxIds/{inbox}": None, f"mailboxIds/{trash}": True}) == {}
    assert peer.email(email_id)["mailboxIds"] == {trash: True}
    assert peer.listed(before) == ([], [email_id], [])


def test_taking_out_of_a_mailbox_it_is_not_in_is_no_error(peer: Peer) -> None:
    email_id = peer.deliver()
    assert peer.patch(email_id, {f"mailboxIds/{peer.mailbox_id('archive')}": None}) == {}


def test_unknown_mailboxes_are_refused(peer: Peer) -> None:
    email_id = peer.deliver()
    error = peer.patch(email_id, {"mailboxIds/nowhere": True})
    assert (error["type"], error["properties"]) == ("invalidProperties", ["mailboxIds"])
    error = peer.patch(email_id, {"mailboxIds/nowhere": None})
    assert error.get("type") == ("invalidProperties" if peer.is_cyrus else None)


@pytest.mark.parametrize(
    ("path", "value"),
    [("keywords/$seen", False), ("keywords/a b", True), ("keywords/a(b", True), ("surprise", 1), ("surprise/x", True)],
)
def test_invalid_patches_name_their_path(peer: Peer, path: str, value: object) -> None:
    email_id = peer.deliver()
    error = peer.patch(email_id, {path: value})
    assert (error["type"], error["properties"]) == ("invalidProperties", [path])
    assert peer.email(email_id)["keywords"] == {}


def test_paths_are_json_pointers_but_not_on_cyrus(peer: Peer) -> None:
    email_id = peer.deliver()
    assert peer.patch(email_id, {"keywords/a~1b": True}) == {}
    assert peer.email(email_id)["keywords"] == ({"a~1b": True} if peer.is_cyrus else {"a/b": True})
    error = peer.patch(email_id, {"keywords/c/d": True})
    if peer.is_cyrus:
        assert peer.email(email_id)["keywords"] == {"a~1b": True, "c/d": True}
    else:
        assert error["type"] == "invalidPatch"


def test_a_path_inside_a_replaced_set_is_refused_but_passed_over_by_cyrus(peer: Peer) -> None:
    email_id = peer.deliver()
    error = peer.patch(email_id, {"keywords": {"$seen": True}, "keywords/work": True})
    assert error.get("type") == (None if peer.is_cyrus else "invalidPatch")
    assert peer.email(email_id)["keywords"] == ({"$seen": True} if peer.is_cyrus else {})


def test_immutable_properties_may_be_named_with_the_value_they_have(peer: Peer) -> None:
    email_id = peer.deliver()
    size = peer.email(email_id, "size")["size"]
    assert peer.patch(email_id, {"size": size, "keywords/$seen": True}) == {}
    assert peer.email(email_id)["keywords"] == {"$seen": True}
    error = peer.patch(email_id, {"size": size + 1})
    assert error.get("type") == (None if peer.is_cyrus else "invalidProperties")
    assert peer.email(email_id, "size")["size"] == size


def test_unknown_ids(peer: Peer) -> None:
    answer = peer.one("Email/set", {"update": {"Mnobody": {"keywords/$seen": True}}, "destroy": ["Mnothing"]})
    assert answer["notUpdated"] == {"Mnobody": {"type": "notFound"}}
    if peer.flavour == "3.6":
        assert answer["destroyed"] == ["Mnothing"]
    else:
        assert answer["notDestroyed"] == {"Mnothing": {"type": "notFound"}}
        assert not answer["destroyed"]


def test_destroyed_messages_are_gone_but_their_blobs_stay_a_while(peer: Peer) -> None:
    email_id = peer.deliver()
    blob_id = peer.email(email_id, "blobId")["blobId"]
    before = peer.state()
    answer = peer.one("Email/set", {"destroy": [email_id]})
    assert answer["destroyed"] == [email_id]
    assert answer["oldState"] == before
    assert not peer.exists(email_id)
    assert peer.listed(before) == ([], [], [email_id])
    assert peer.one("Blob/get", {"ids": [blob_id], "properties": ["size"]})["notFound"] == []


def test_update_and_destroy_of_one_message(peer: Peer) -> None:
    email_id = peer.deliver()
    answer = peer.one("Email/set", {"update": {email_id: {"keywords/$seen": True}}, "destroy": [email_id]})
    assert answer["destroyed"] == [email_id]
    if peer.is_cyrus:
        assert answer["updated"] == {email_id: None}
    else:
        assert answer["notUpdated"] == {email_id: {"type": "willDestroy"}}


def test_states_chain_and_guard(peer: Peer) -> None:
    email_id = peer.deliver()
    before = peer.state()
    first = peer.one("Email/set", {"ifInState": before, "update": {email_id: {"keywords/$seen": True}}})
    second = peer.one("Email/set", {"update": {email_id: {"keywords/$flagged": True}}})
    assert (first["oldState"], first["newState"]) == (before, second["oldState"])
    assert second["newState"] == peer.state()
    assert peer.error("Email/set", {"ifInState": before, "update": {email_id: {"keywords/$seen": None}}}) == "stateMismatch"
    assert "$seen" in peer.email(email_id)["keywords"]


def test_each_object_has_its_own_result(peer: Peer) -> None:
    good, bad = peer.deliver(), peer.deliver()
    answer = peer.one("Email/set", {"update": {good: {"keywords/$seen": True}, bad: {"keywords/$seen": False}}})
    assert answer["updated"] == {good: None}
    assert answer["notUpdated"].keys() == {bad}
    assert not answer["created"]
    assert not answer["notDestroyed"]


def test_a_patch_without_effect_is_still_a_change_on_cyrus(peer: Peer) -> None:
    email_id = peer.deliver(keywords={"$seen": True})
    before = peer.state()
    assert peer.patch(email_id, {"keywords/$seen": True}) == {}
    assert peer.listed(before) == ([], [email_id] if peer.is_cyrus else [], [])


def test_more_mailboxes_than_cyrus_takes(peer: Peer) -> None:
    email_id = peer.deliver()
    boxes = [peer.create_mailbox(f"Box {number}") for number in range(25)]
    error = peer.patch(email_id, {f"mailboxIds/{mailbox}": True for mailbox in boxes})
    assert error.get("type") == ("tooManyMailboxes" if peer.is_cyrus else None)


def test_more_keywords_than_cyrus_takes(peer: Peer) -> None:
    email_id = peer.deliver()
    error = peer.patch(email_id, {f"keywords/k{number}": True for number in range(150)})
    assert error.get("type") == ("tooManyKeywords" if peer.is_cyrus else None)


def test_creation_ids_name_messages_but_not_on_cyrus(peer: Peer) -> None:
    emails = {"new": {"blobId": peer.upload(b"Subject: ref\r\n\r\nx\r\n"), "mailboxIds": {peer.mailbox_id("inbox"): True}}}
    imported, updated = peer.call(
        [("Email/import", {"emails": emails}), ("Email/set", {"update": {"#new": {"keywords/$seen": True}}})]
    )
    if peer.is_cyrus:
        assert updated["notUpdated"] == {"#new": {"type": "notFound"}}
    else:
        assert peer.email(imported["created"]["new"]["id"])["keywords"] == {"$seen": True}
