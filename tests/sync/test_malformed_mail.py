"""Answers about emails and mailboxes of which one object is malformed: it is named and asked for again, and spoils no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import ExitCode
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, places_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo import DemoServer

JsonObject = dict[str, Any]
GONE = object()
EMAILS = [
    ("blobId", None),
    ("blobId", 7),
    ("blobId", GONE),
    ("keywords", None),
    ("keywords", ["$seen"]),
    ("keywords", {"$seen": "yes"}),
    ("keywords", GONE),
    ("mailboxIds", None),
    ("mailboxIds", {}),
    ("mailboxIds", "m1"),
    ("mailboxIds", {"m1": 1}),
    ("mailboxIds", GONE),
    ("receivedAt", None),
    ("receivedAt", 1_700_000_000),
    ("size", None),
    ("size", "12"),
    ("size", -1),
    ("size", 1 << 63),
    ("size", 1 << 70),
    ("size", 1.5),
]
MAILBOXES = [("name", None), ("name", 5), ("name", GONE), ("parentId", 3), ("parentId", [])]


def spoil(ref: str, name: str, value: object) -> Callable[[JsonObject], JsonObject]:
    """Return what gives the object of an id another value of one property."""

    def change(one: JsonObject) -> JsonObject:
        if one["id"] != ref or name not in one:
            return one
        rest = {key: held for key, held in one.items() if key != name}
        return rest if value is GONE else {**rest, name: value}

    return lambda result: {**result, "list": [change(one) for one in result["list"]]}


def spoil_octets(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(old, new)


@pytest.mark.parametrize(("name", "value"), EMAILS)
def test_a_malformed_email_is_named_and_comes_as_soon_as_it_is_well(
    server: DemoServer, mirror: Mirror, name: str, value: object
) -> None:
    server.account.populate(5)
    ref = sorted(server.account.emails)[2]
    server.faults.rewrite_result.arm(spoil(ref, name, value), only={"Email/get"})
    for _ in range(2):
        report = mirror.sync()
        assert places_of(report.problems) == [f"email {ref}"]
        assert report.exit_code is ExitCode.QUARANTINED
        assert len(mirror.files()) == 4
    server.faults.clear()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize(("name", "value"), EMAILS[::3])
def test_an_email_that_becomes_malformed_keeps_its_file(server: DemoServer, mirror: Mirror, name: str, value: object) -> None:
    server.account.populate(5)
    assert_converges(server.account, mirror)
    before = mirror.tree()
    ref = sorted(server.account.emails)[2]
    server.faults.rewrite_result.arm(spoil(ref, name, value), only={"Email/get"})
    server.account.set_keyword(ref, "$answered", present=True)
    for full in (False, True):
        report = mirror.sync(full=full)
        assert set(places_of(report.problems)) == {f"email {ref}"}
        assert (report.to_disk.deleted, report.to_server.total) == (0, 0)
    assert sum(map(len, mirror.tree().values())) == sum(map(len, before.values()))
    server.faults.clear()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize(("name", "value"), MAILBOXES)
@pytest.mark.parametrize("known", [False, True])
def test_a_malformed_mailbox_is_named_and_the_others_are_mirrored(
    server: DemoServer, mirror: Mirror, name: str, value: object, known: bool
) -> None:
    box = server.account.create_mailbox("Lists")
    server.account.create_mailbox("Lists/below")
    inside = server.account.deliver(message(), ["Lists"])
    below = server.account.deliver(message(), ["Lists/below"])
    server.account.deliver(message())
    if known:
        assert_converges(server.account, mirror)
        server.account.set_rights("Lists", maySubmit=True)
    server.faults.rewrite_result.arm(spoil(box, name, value), only={"Mailbox/get"})
    for _ in range(2):
        report = mirror.sync()
        assert report.exit_code is ExitCode.QUARANTINED
        assert f"mailbox {box}" in set(places_of(report.problems))
        assert {f"email {inside}", f"email {below}"} <= set(places_of(report.problems)) or known
        assert len(mirror.files("INBOX")) == 1
        assert len(mirror.files()) == (3 if known else 1)
        assert report.to_server.total == 0
    server.faults.clear()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize(
    ("name", "value"), [("myRights", None), ("myRights", 7), ("myRights", {"mayReadItems": "no"}), ("role", 3)]
)
def test_a_mailbox_with_malformed_rights_or_role_is_mirrored_and_named(
    server: DemoServer, mirror: Mirror, name: str, value: object
) -> None:
    server.account.deliver(message(), ["Archive"])
    box = server.account.mailbox("Archive").id
    server.faults.rewrite_result.arm(spoil(box, name, value), only={"Mailbox/get"})
    report = mirror.sync()
    assert places_of(report.problems) == [f"mailbox {box}"]
    assert len(mirror.files("Archive")) == 1
    server.faults.clear()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("new", [b'"Spo\xffilt"', rb'"Spo\ud800ilt"', rb'"Spo\udfff"', rb'"\udc00\ud800"', b'"\xc3"'])
def test_a_name_that_is_no_text_spoils_no_other_mailbox(server: DemoServer, mirror: Mirror, new: bytes) -> None:
    box = server.account.create_mailbox("Spoilt")
    server.account.deliver(message(), ["Spoilt"])
    server.account.deliver(message())
    server.faults.rewrite_body.arm(spoil_octets(b'"Spoilt"', new))
    for _ in range(2):
        report = mirror.sync()
        assert f"mailbox {box}" in set(places_of(report.problems))
        assert len(mirror.files("INBOX")) == 1
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_a_keyword_that_is_no_text_spoils_no_other_email(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(4)
    ref = min(server.account.emails)
    server.account.set_keyword(ref, "spoilt")
    server.faults.rewrite_body.arm(spoil_octets(b'"spoilt"', rb'"spo\\\ud834ilt"'))
    report = mirror.sync()
    assert places_of(report.problems) == [f"email {ref}"]
    assert len(mirror.files()) == 3
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_a_pair_of_surrogates_and_an_escaped_backslash_stay_as_they_are(server: DemoServer, mirror: Mirror) -> None:
    name = "\U0001f600 \\ud800"
    server.account.create_mailbox(name)
    server.account.create_mailbox("Spoilt")
    escaped = rb'"\ud83d\ude00 \\ud800"'
    server.faults.rewrite_body.arm(
        lambda body: body.replace('"\U0001f600 \\\\ud800"'.encode(), escaped).replace(b'"Spoilt"', rb'"\ud800"')
    )
    mirror.sync()
    assert mirror.folder(name).is_dir()


@pytest.mark.parametrize("value", [None, {}, "e1", 5])
def test_a_page_without_a_list_of_ids_is_named_and_nothing_is_taken_for_deleted(
    server: DemoServer, mirror: Mirror, value: object
) -> None:
    server.account.populate(3)
    server.faults.rewrite_result.arm(lambda result: {**result, "ids": value}, only={"Email/query"})
    report = mirror.sync()
    assert report.exit_code is ExitCode.QUARANTINED
    assert [one.item for one in report.problems] == ["the server's list"]
    server.faults.clear()
    assert_converges(server.account, mirror)
    server.faults.rewrite_result.arm(lambda result: {**result, "ids": value}, only={"Email/query"})
    report = mirror.sync(full=True)
    assert (report.exit_code, report.to_disk.total, len(mirror.files())) == (ExitCode.QUARANTINED, 0, 3)
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_ids_that_are_no_strings_are_passed_over_and_named(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(3)
    server.faults.rewrite_result.arm(lambda result: {**result, "ids": [None, *result["ids"], 7, ""]}, only={"Email/query"})
    report = mirror.sync()
    assert len(mirror.files()) == 3
    assert [one.item for one in report.problems] == ["the server's list"]
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_a_deletion_of_an_email_whose_answer_is_malformed_waits(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(3)
    assert_converges(server.account, mirror)
    file = mirror.files("INBOX")[0]
    ref = next(one for one in server.account.emails if server.account.raw(one).replace(b"\r\n", b"\n") == file.read_bytes())
    file.unlink()
    server.faults.rewrite_result.arm(spoil(ref, "mailboxIds", None), only={"Email/get"})
    report = mirror.sync()
    assert report.exit_code is ExitCode.QUARANTINED
    assert server.account.listing()[ref][0] == {"INBOX"}
    server.faults.clear()
    assert_converges(server.account, mirror)
    assert server.account.listing()[ref][0] == {"Trash"}


def test_a_malformed_list_of_changes_leads_to_a_listing(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(3)
    assert_converges(server.account, mirror)
    server.account.populate(1, first_seed=9)
    server.account.destroy(min(server.account.emails))
    server.faults.rewrite_result.arm(lambda result: {**result, "created": None}, only={"Email/changes"}, times=1)
    assert_converges(server.account, mirror)


def test_what_is_filed_in_a_mailbox_whose_rights_are_malformed_is_sent_and_not_undone(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    box = server.account.mailbox("Archive").id
    rights = {"mayReadItems": True, "mayAddItems": "yes", "maySetSeen": True, "maySetKeywords": True}
    server.faults.rewrite_result.arm(spoil(box, "myRights", rights), only={"Mailbox/get"})
    mirror.drop("Archive", b"Subject: filed\n\nhere\n", sub="cur", info=":2,S")
    report = mirror.sync(full=True)
    assert (report.to_server.created, report.conflicts) == (1, 0)
    assert places_of(report.problems) == [f"mailbox {box}"]
    server.faults.clear()
    assert_converges(server.account, mirror)
