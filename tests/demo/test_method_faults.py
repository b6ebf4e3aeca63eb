from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import MethodError, SetError
from tests.contract.peer import message

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.contract.peer import Peer


def test_changes_get_stuck(server: DemoServer, peer: Peer) -> None:
    before = server.account.state("Email")
    server.account.deliver(message())
    server.faults.stuck_changes.arm(only={"Email"})
    answer = peer.changes(before)
    assert (answer["newState"], answer["hasMoreChanges"]) == (before, True)
    assert not answer["created"] + answer["updated"] + answer["destroyed"]
    assert peer.changes(server.account.state("Mailbox"), "Mailbox")["hasMoreChanges"] is False


def test_changes_answer_for_another_state(server: DemoServer, peer: Peer) -> None:
    server.faults.foreign_old_state.arm("s99", times=1)
    before = server.account.state("Email")
    assert [peer.changes(before)["oldState"] for _ in range(2)] == ["s99", before]


def test_ids_are_created_and_destroyed_at_once(server: DemoServer, peer: Peer) -> None:
    email_id = server.account.deliver(message())
    before = server.account.state("Email")
    server.account.destroy(email_id)
    server.faults.created_and_destroyed.arm(times=1)
    answer = peer.changes(before)
    assert (answer["created"], answer["destroyed"]) == ([email_id], [email_id])
    server.faults.created_and_destroyed.arm(["e77"], times=1)
    answer = peer.changes(before)
    assert (answer["created"], sorted(answer["destroyed"])) == (["e77"], sorted([email_id, "e77"]))


def test_pages_of_changes_begin_with_the_newest(server: DemoServer, peer: Peer) -> None:
    server.account.deliver(message())
    before = server.account.state("Email")
    ids = [server.account.deliver(message()) for _ in range(5)]
    server.faults.newest_first.arm(times=1)
    pages, state = [], before
    while True:
        page = peer.changes(state, maxChanges=2)
        pages.append(page["created"])
        state = page["newState"]
        if not page["hasMoreChanges"]:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert state == server.account.state("Email")


def test_the_server_pages_changes_on_its_own(server: DemoServer, peer: Peer) -> None:
    before = server.account.state("Email")
    for _ in range(3):
        server.account.deliver(message())
    server.limits.max_changes = 2
    page = peer.changes(before, maxChanges=100)
    assert (len(page["created"]), page["hasMoreChanges"]) == (2, True)


def test_destroyed_ids_are_left_out(server: DemoServer, peer: Peer) -> None:
    email_id = server.account.deliver(message())
    before = server.account.state("Email")
    server.account.destroy(email_id)
    server.faults.omit_destroyed.arm()
    assert peer.listed(before) == ([], [], [])
    assert peer.changes(before)["newState"] == server.account.state("Email")


def test_states_that_were_forgotten_cannot_be_calculated_from(server: DemoServer, peer: Peer) -> None:
    server.account.deliver(message())
    before = server.account.state("Email")
    server.account.deliver(message())
    server.account.logs["Email"].forget()
    assert peer.error("Email/changes", {"sinceState": before}) == "cannotCalculateChanges"
    assert peer.listed(server.account.state("Email")) == ([], [], [])


def test_any_method_error_can_be_had(server: DemoServer, peer: Peer) -> None:
    server.faults.method_error.arm(MethodError("cannotCalculateChanges"), times=1, only={"Mailbox/changes"})
    state = server.account.state("Mailbox")
    peer.changes(server.account.state("Email"))
    assert peer.error("Mailbox/changes", {"sinceState": state}) == "cannotCalculateChanges"
    peer.changes(state, "Mailbox")


def test_listings_are_cut_short_though_more_follows(server: DemoServer, peer: Peer) -> None:
    server.account.populate(25)
    server.faults.truncated_query.arm(10)
    server.faults.missing_total.arm()
    seen: list[str] = []
    while True:
        page = peer.one("Email/query", {"position": len(seen), "limit": 1000, "calculateTotal": True})
        assert "total" not in page
        assert "limit" not in page
        assert len(page["ids"]) <= 10
        if not page["ids"]:
            break
        seen += page["ids"]
    assert sorted(seen) == sorted(server.account.emails)


def test_a_clamped_limit_is_reported(server: DemoServer, peer: Peer) -> None:
    server.account.populate(5)
    server.limits.max_query_limit = 3
    page = peer.one("Email/query", {"limit": 1000})
    assert (len(page["ids"]), page["limit"]) == (3, 3)
    assert "limit" not in peer.one("Email/query", {"limit": 2})


def test_objects_are_repeated_or_missing(server: DemoServer, peer: Peer) -> None:
    ids = [server.account.deliver(message()) for _ in range(3)]
    server.faults.repeated_in_get.arm(1, times=1, only={"Email"})
    answer = peer.one("Email/get", {"ids": ids, "properties": ["id"]})
    assert [email["id"] for email in answer["list"]] == [*ids, ids[0]]
    server.faults.missing_in_get.arm(2, times=1)
    answer = peer.one("Email/get", {"ids": ids, "properties": ["id"]})
    assert ([email["id"] for email in answer["list"]], answer["notFound"]) == (ids[:1], [])


def test_another_client_slips_in_between_two_calls(server: DemoServer, peer: Peer) -> None:
    before = server.account.state("Email")
    email_id = server.account.deliver(message())
    server.faults.before_call.arm(lambda: server.account.destroy(email_id), times=1, only={"Email/get"})
    reference = {"resultOf": "0", "name": "Email/changes", "path": "/created"}
    changes, got = peer.call([("Email/changes", {"sinceState": before}), ("Email/get", {"#ids": reference})])
    assert (changes["created"], got["notFound"]) == ([email_id], [email_id])


def test_a_partial_failure_leaves_some_done(server: DemoServer, peer: Peer) -> None:
    ids = [server.account.deliver(message()) for _ in range(3)]
    server.faults.partial_fail.arm(2, times=1, only={"Email/set"})
    assert peer.error("Email/set", {"destroy": ids}) == "serverPartialFail"
    assert list(server.account.emails) == ids[2:]
    blobs = [peer.upload(message()) for _ in range(2)]
    emails = {blob: {"blobId": blob, "mailboxIds": {peer.mailbox_id("inbox"): True}} for blob in blobs}
    server.faults.partial_fail.arm(1, times=1)
    assert peer.error("Email/import", {"emails": emails}) == "serverPartialFail"
    assert [email.blob_id for email in server.account.emails.values()][1:] == blobs[:1]


@pytest.mark.parametrize("kind", ["overQuota", "tooLarge", "tooManyKeywords", "blobNotFound", "forbidden", "rateLimit"])
def test_one_object_is_refused_as_arranged(server: DemoServer, peer: Peer, kind: str) -> None:
    server.faults.set_error.arm(SetError(kind), times=1, only={"Email/import"})
    content = message()
    assert peer.refusal(content) == {"type": kind}
    assert not server.account.emails
    assert peer.deliver(content) in server.account.emails


def test_set_errors_keep_to_an_act(server: DemoServer, peer: Peer) -> None:
    email_id = server.account.deliver(message())
    server.faults.set_error.arm(SetError("overQuota"), only={"update"})
    assert peer.patch(email_id, {"keywords/$seen": True}) == {"type": "overQuota"}
    assert peer.one("Email/set", {"destroy": [email_id]})["destroyed"] == [email_id]


def test_patches_are_refused_but_whole_sets_taken(server: DemoServer, peer: Peer) -> None:
    email_id = server.account.deliver(message())
    server.faults.refuse_patches.arm()
    assert peer.patch(email_id, {"keywords/$seen": True})["type"] == "invalidPatch"
    assert peer.patch(email_id, {"keywords": {"$seen": True}}) == {}
    assert server.account.emails[email_id].keywords == {"$seen"}


def test_a_keyword_write_is_said_to_be_done_and_is_not(server: DemoServer, peer: Peer) -> None:
    email_id = server.account.deliver(message())
    server.faults.drop_keyword_writes.arm(times=1)
    assert peer.patch(email_id, {"keywords/$seen": True}) == {}
    assert server.account.emails[email_id].keywords == set()
    assert peer.patch(email_id, {"keywords/$seen": True}) == {}
    assert server.account.emails[email_id].keywords == {"$seen"}


def test_an_import_is_rewritten(server: DemoServer, peer: Peer) -> None:
    content = message()
    blob_id = peer.upload(content)
    server.faults.rewrite_imports.arm(times=1)
    created = peer.import_blob(blob_id, peer.mailbox_id("inbox"))["created"]["new"]
    assert created["blobId"] != blob_id
    assert peer.download(created["blobId"]) == b"X-Repaired: yes\r\n" + content
    assert created["size"] == len(content) + 17


def test_no_mailbox_has_a_role(server: DemoServer, peer: Peer) -> None:
    server.faults.no_roles.arm()
    assert {box["role"] for box in peer.mailboxes().values()} == {None}


@pytest.mark.parametrize(
    ("right", "patch"),
    [
        ("maySetSeen", {"keywords/$seen": True}),
        ("maySetKeywords", {"keywords/work": True}),
        ("mayRemoveItems", {"mailboxIds/{inbox}": None, "mailboxIds/{trash}": True}),
    ],
)
def test_rights_that_are_lacking_forbid(server: DemoServer, peer: Peer, right: str, patch: dict[str, object]) -> None:
    account = server.account
    email_id = account.deliver(message())
    inbox, trash = account.mailbox("INBOX").id, account.mailbox("Trash").id
    account.set_rights("INBOX", **{right: False})
    patch = {name.format(inbox=inbox, trash=trash): value for name, value in patch.items()}
    assert peer.patch(email_id, patch) == {"type": "forbidden"}
    assert peer.mailboxes()["INBOX"]["myRights"][right] is False
    account.set_rights("INBOX", **{right: True})
    assert peer.patch(email_id, patch) == {}


def test_rights_forbid_adding_and_destroying(server: DemoServer, peer: Peer) -> None:
    email_id = server.account.deliver(message(), ["Archive"])
    server.account.set_rights("INBOX", mayAddItems=False)
    server.account.set_rights("Archive", mayRemoveItems=False, mayDelete=False, mayRename=False)
    archive = server.account.mailbox("Archive").id
    assert peer.refusal(message())["type"] == "forbidden"
    assert peer.one("Email/set", {"destroy": [email_id]})["notDestroyed"][email_id]["type"] == "forbidden"
    answer = peer.one("Mailbox/set", {"update": {archive: {"name": "x"}}})
    assert answer["notUpdated"][archive]["type"] == "forbidden"


def test_a_read_only_account_takes_no_writes(server: DemoServer, peer: Peer) -> None:
    server.account.is_read_only = True
    assert peer.error("Email/set", {"destroy": ["e1"]}) == "accountReadOnly"
    assert peer.error("Mailbox/set", {"destroy": ["m1"]}) == "accountReadOnly"
    assert peer.error("Email/import", {"emails": {}}) == "accountReadOnly"
