from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contract.peer import Peer
    from tests.live.jmapraw import Json


def create(peer: Peer, **mailbox: object) -> Json:
    """Create a mailbox that is refused and return the SetError."""
    answer = peer.one("Mailbox/set", {"create": {"new": mailbox}})
    assert not answer["created"]
    return dict(answer["notCreated"]["new"])


def update(peer: Peer, mailbox_id: str, **patch: object) -> Json:
    """Update a mailbox and return the SetError, an empty one if it was done."""
    answer = peer.one("Mailbox/set", {"update": {mailbox_id: patch}})
    return dict((answer["notUpdated"] or {}).get(mailbox_id, {}))


def test_a_new_account_has_the_usual_roles_and_an_inbox_that_stays(peer: Peer) -> None:
    by_role = {box["role"]: box for box in peer.mailboxes().values()}
    assert {"inbox", "drafts", "sent", "trash", "junk", "archive"} <= by_role.keys()
    assert by_role["inbox"]["name"] == ("Inbox" if peer.is_cyrus else "INBOX")
    rights = by_role["inbox"]["myRights"]
    assert (rights["mayRename"], rights["mayDelete"]) == (False, False)
    assert all(rights[right] for right in ("mayReadItems", "mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords"))
    answer = peer.one("Mailbox/set", {"destroy": [by_role["inbox"]["id"]]})
    assert answer["notDestroyed"][by_role["inbox"]["id"]]["type"] == "forbidden"


def test_renaming_the_inbox(peer: Peer) -> None:
    inbox = peer.mailbox_id("inbox")
    error = update(peer, inbox, name="Post")
    assert error.get("type") == (None if peer.is_cyrus else "forbidden")
    expected = {"3.6": "Post", "3.12": "Inbox", "rfc": "INBOX"}[peer.flavour]
    assert peer.one("Mailbox/get", {"ids": [inbox]})["list"][0]["name"] == expected


def test_parent_and_child_are_created_in_one_call_in_either_order(peer: Peer) -> None:
    peer.one(
        "Mailbox/set", {"create": {"child": {"name": "Sub", "parentId": "#parent"}, "parent": {"name": "Work", "parentId": None}}}
    )
    assert {"Work", "Work/Sub"} <= peer.mailboxes().keys()


@pytest.mark.parametrize("name", ["a.b", "..", "📬" * 60, "x" * 300, "archive", "con", "tab\u00a0"])
def test_names_are_free(peer: Peer, name: str) -> None:
    peer.create_mailbox(name)
    assert name in peer.mailboxes()


def test_names_in_decomposed_form_are_composed_or_refused(peer: Peer) -> None:
    if peer.is_cyrus:
        peer.create_mailbox("e\u0301")
        assert "\u00e9" in peer.mailboxes()
    else:
        assert create(peer, name="e\u0301")["properties"] == ["name"]


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_names_that_are_none(peer: Peer, name: str) -> None:
    error = create(peer, name=name)
    assert (error["type"], error["properties"]) == ("invalidProperties", ["name"])


def test_a_name_is_needed(peer: Peer) -> None:
    assert create(peer, parentId=None)["properties"] == ["name"]


def test_a_slash_in_a_name(peer: Peer) -> None:
    if peer.is_cyrus:
        assert create(peer, name="a/b")["type"] == "serverFail"
    else:
        mailbox_id = peer.create_mailbox("a/b")
        assert peer.one("Mailbox/get", {"ids": [mailbox_id]})["list"][0]["name"] == "a/b"


def test_siblings_have_different_names(peer: Peer) -> None:
    mailbox_id = peer.create_mailbox("Work")
    errors = [create(peer, name="Work"), update(peer, mailbox_id, name="Archive")]
    for error in errors:
        assert error["type"] == ("invalidProperties" if peer.is_cyrus else "alreadyExists")
    peer.create_mailbox("Work", parentId=mailbox_id)


def test_cyrus_keeps_the_name_of_the_inbox_to_itself(peer: Peer) -> None:
    if peer.is_cyrus:
        assert create(peer, name="inbox")["properties"] == ["name"]
    else:
        peer.create_mailbox("inbox")


def test_unknown_parents_roles_and_properties_are_named(peer: Peer) -> None:
    assert create(peer, name="x", parentId="nowhere")["properties"] == ["parentId"]
    assert create(peer, name="x", role="surprise")["properties"] == ["role"]
    assert create(peer, name="x", surprise=1)["properties"] == ["surprise"]


@pytest.mark.parametrize("name", ["A second", "Zweiter"])
def test_a_role_is_one_mailbox_s_and_on_cyrus_the_first_by_name_shows_it(peer: Peer, name: str) -> None:
    if peer.is_cyrus:
        peer.create_mailbox(name, role="trash")
    else:
        assert create(peer, name=name, role="trash")["properties"] == ["role"]
    shown = min(name, "Trash") if peer.is_cyrus else "Trash"
    assert [path for path, box in peer.mailboxes().items() if box["role"] == "trash"] == [shown]


def test_new_mailboxes_are_subscribed_but_not_on_cyrus(peer: Peer) -> None:
    peer.create_mailbox("Work")
    assert peer.mailboxes()["Work"]["isSubscribed"] is not peer.is_cyrus
    peer.create_mailbox("Play", isSubscribed=True)
    assert peer.mailboxes()["Play"]["isSubscribed"] is True


def test_rename_and_move(peer: Peer) -> None:
    parent, child = peer.create_mailbox("Work"), peer.create_mailbox("Sub")
    assert update(peer, child, name="Other", parentId=parent) == {}
    assert {"Work", "Work/Other"} <= peer.mailboxes().keys()
    assert update(peer, child, parentId=None) == {}
    assert "Other" in peer.mailboxes()


def test_renaming_to_the_same_name_changes_nothing(peer: Peer) -> None:
    mailbox_id = peer.create_mailbox("Work")
    before = peer.state("Mailbox")
    assert update(peer, mailbox_id, name="Work") == {}
    assert peer.state("Mailbox") == before


def test_two_mailboxes_exchange_their_names_in_one_call(peer: Peer) -> None:
    first, second = peer.create_mailbox("First"), peer.create_mailbox("Second")
    answer = peer.one("Mailbox/set", {"update": {first: {"name": "Second"}, second: {"name": "First"}}})
    assert answer["updated"] == {first: None, second: None}
    boxes = peer.mailboxes()
    assert (boxes["First"]["id"], boxes["Second"]["id"]) == (second, first)


def test_a_mailbox_cannot_move_into_its_child(peer: Peer) -> None:
    parent = peer.create_mailbox("Work")
    child = peer.create_mailbox("Sub", parentId=parent)
    assert update(peer, parent, parentId=child)["properties"] == ["parentId"]


def test_destruction_spares_children_and_mail(peer: Peer) -> None:
    parent = peer.create_mailbox("Work")
    child = peer.create_mailbox("Sub", parentId=parent)
    email_id = peer.deliver()
    peer.patch(email_id, {"mailboxIds": {child: True}})
    answer = peer.one("Mailbox/set", {"destroy": [parent]})
    assert answer["notDestroyed"][parent]["type"] == "mailboxHasChild"
    answer = peer.one("Mailbox/set", {"destroy": [child]})
    assert answer["notDestroyed"][child]["type"] == "mailboxHasEmail"
    assert peer.exists(email_id)


def test_destruction_with_mail_destroys_what_is_nowhere_else(peer: Peer) -> None:
    mailbox_id, inbox = peer.create_mailbox("Work"), peer.mailbox_id("inbox")
    here, both = peer.deliver(), peer.deliver()
    peer.patch(here, {"mailboxIds": {mailbox_id: True}})
    peer.patch(both, {f"mailboxIds/{mailbox_id}": True})
    answer = peer.one("Mailbox/set", {"destroy": [mailbox_id], "onDestroyRemoveEmails": True})
    assert answer["destroyed"] == [mailbox_id]
    assert not peer.exists(here)
    assert peer.email(both)["mailboxIds"] == {inbox: True}


def test_parent_and_child_are_destroyed_in_one_call(peer: Peer) -> None:
    parent = peer.create_mailbox("Work")
    child = peer.create_mailbox("Sub", parentId=parent)
    answer = peer.one("Mailbox/set", {"destroy": [parent, child]})
    assert set(answer["destroyed"]) == {parent, child}


def test_update_and_destroy_of_one_mailbox(peer: Peer) -> None:
    mailbox_id = peer.create_mailbox("Work")
    answer = peer.one("Mailbox/set", {"update": {mailbox_id: {"name": "Play"}}, "destroy": [mailbox_id]})
    assert answer["notUpdated"][mailbox_id]["type"] == "willDestroy"
    assert answer["destroyed"] == [mailbox_id]


def test_unknown_mailboxes(peer: Peer) -> None:
    answer = peer.one("Mailbox/set", {"update": {"nowhere": {"name": "x"}}, "destroy": ["nothing"]})
    assert answer["notUpdated"]["nowhere"]["type"] == "notFound"
    assert answer["notDestroyed"]["nothing"]["type"] == "notFound"
    assert peer.one("Mailbox/get", {"ids": ["nowhere"]})["notFound"] == ["nowhere"]


def test_mailboxes_are_found_by_role(peer: Peer) -> None:
    assert peer.one("Mailbox/query", {"filter": {"role": "trash"}})["ids"] == [peer.mailbox_id("trash")]
    assert set(peer.one("Mailbox/query", {})["ids"]) == {box["id"] for box in peer.mailboxes().values()}


def test_server_set_properties_cannot_be_changed(peer: Peer) -> None:
    mailbox_id = peer.create_mailbox("Work")
    assert update(peer, mailbox_id, totalEmails=7)["properties"] == ["totalEmails"]
    assert update(peer, mailbox_id, isSubscribed=1)["properties"] == ["isSubscribed"]
    assert update(peer, mailbox_id, isSubscribed=True, sortOrder=3) == {}
    box = peer.mailboxes()["Work"]
    assert (box["isSubscribed"], box["sortOrder"]) == (True, 3)
