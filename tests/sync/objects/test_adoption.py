"""What becomes of files that lie there when cards and events are met for the first time, or when the ledger is lost."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode
from tests.kit.object_mirror import change, writes

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror


def lose_the_ledger(desk: ObjectMirror) -> None:
    shutil.rmtree(desk.base / "state")
    for kind in desk.kinds:
        (desk.base / kind / ".jmapsync").unlink(missing_ok=True)


def sets(server: DemoServer) -> int:
    return len(server.requests.calls("ContactCard/set")) + len(server.requests.calls("CalendarEvent/set"))


def test_files_that_say_the_same_are_adopted_without_a_write(server: DemoServer, desk: ObjectMirror, cards: Store) -> None:
    """vCard 3.0 has no place for `speakToAs` nor for another vendor's property: they are no difference."""
    before = {file: (file.read_bytes(), file.stat().st_ino) for kind in desk.kinds for file in desk.files(kind)}
    lose_the_ledger(desk)
    found = desk.sync()
    desk.assert_well(found)
    assert writes(found) == 0
    assert {file: (file.read_bytes(), file.stat().st_ino) for file in before} == before
    assert sets(server) == 0
    assert cards.by_uid("ada")["speakToAs"] == {"grammaticalGender": "feminine"}


def test_files_that_say_something_else_become_conflict_copies_and_the_servers_is_in_place(
    desk: ObjectMirror, cards: Store, events: Store
) -> None:
    lose_the_ledger(desk)
    change(desk.file("contacts", "ada"), "NOTE:first", "NOTE:here")
    change(desk.file("calendars", "weekly"), "SUMMARY:Weekly\r", "SUMMARY:Here\r")
    found = desk.sync()
    assert (found["contacts"].exit_code, found["calendars"].exit_code) == (ExitCode.QUARANTINED, ExitCode.QUARANTINED)
    assert (cards.by_uid("ada")["notes"]["n1"]["note"], events.by_uid("weekly")["title"]) == ("first", "Weekly")
    assert b"NOTE:first\r\n" in desk.file("contacts", "ada").read_bytes()
    assert b"SUMMARY:Weekly\r\n" in desk.file("calendars", "weekly").read_bytes()
    kept = {one.kind: content for one, content in desk.conflict_copies()}
    assert b"NOTE:here\r\n" in kept["contacts"]
    assert b"SUMMARY:Here\r\n" in kept["calendars"]
    assert writes(desk.sync()) == 0


def test_files_alone_and_cards_alone_are_brought_to_the_other_side(desk: ObjectMirror, cards: Store) -> None:
    lose_the_ledger(desk)
    file = desk.file("contacts", "ada")
    file.with_name("grace.vcf").write_bytes(file.read_bytes().replace(b"UID:ada", b"UID:grace"))
    cards.add({"uid": "mary", "name": {"full": "Mary"}})
    found = desk.sync()["contacts"]
    assert (found.to_server.to_json(), found.to_disk.to_json()) == (
        {"created": 1, "updated": 0, "deleted": 0},
        {"created": 1, "updated": 0, "deleted": 0},
    )
    assert sorted(item["uid"] for item in cards.items.values()) == ["ada", "grace", "mary"]
    desk.sync_until_quiet()


def test_an_edit_after_the_adoption_is_a_patch_of_one_path(server: DemoServer, desk: ObjectMirror) -> None:
    lose_the_ledger(desk)
    desk.sync_until_quiet()
    server.requests.clear()
    change(desk.file("contacts", "ada"), "+44 2", "+44 3")
    desk.sync()
    [call] = server.requests.calls("ContactCard/set")
    assert list(call.arguments["update"].values()) == [{"phones/p2/number": "+44 3"}]
