"""Sync safely: echoes, folders that hold mail, bodies that do not come, clocks, dry runs, secrets."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, Answer, DemoServer
from jmapsync.errors import ExitCode
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored, places_of

if TYPE_CHECKING:
    from pathlib import Path


def fill(server: DemoServer, count: int = 4) -> list[str]:
    return [server.account.deliver(f"Subject: {number}\r\n\r\nbody\r\n".encode()) for number in range(count)]


def fill_late(server: DemoServer) -> str:
    return server.account.deliver(b"Subject: late\r\n\r\nbody\r\n")


def writes(server: DemoServer) -> int:
    return sum(server.requests.count(name) for name in ("Email/set", "Email/import", "Mailbox/set", "upload"))


def picture(folder: Path) -> list[tuple[str, int, int, int]]:
    """Return what a change of anything below a folder would change."""
    found = []
    for place in sorted(folder.rglob("*")):
        state = place.lstat()
        found.append((str(place), state.st_ino, state.st_size, state.st_mtime_ns))
    return found


def test_our_own_writes_come_back_as_nothing(server: DemoServer, mirror: Mirror) -> None:
    refs = fill(server, 20)
    mirror.sync()
    for file in mirror.files("INBOX")[:5]:
        mirror.flag(file, "FS")
    mirror.drop("Archive", b"Subject: new\n\nbody\n")
    for ref in refs[10:15]:
        server.account.set_keyword(ref, "todo")
    mirror.sync()
    before = picture(mirror.root)
    server.requests.clear()
    for _ in range(3):
        mirror.sync()
    assert writes(server) == 0
    assert picture(mirror.root) == before


def test_a_mailbox_that_still_holds_mail_is_never_removed_by_force(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Work")
    mirror.sync()
    for sub in ("cur", "new", "tmp"):
        (mirror.root / "Work" / sub).rmdir()
    (mirror.root / "Work" / ".jmapsync").unlink()
    (mirror.root / "Work").rmdir()
    server.faults.before_call.arm(lambda: _deliver(server, "Work"), times=1, only={"Mailbox/set"})
    mirror.sync()
    calls = server.requests.calls("Mailbox/set")
    assert calls
    assert not any(call.arguments.get("onDestroyRemoveEmails") for call in calls)
    assert len(server.account.emails) == 1
    mirror.sync()
    assert len(mirror.files("Work")) == 1


def _deliver(server: DemoServer, folder: str) -> None:
    server.account.deliver(b"Subject: into it\r\n\r\nbody\r\n", [folder])


def test_local_mail_in_a_mailbox_that_the_server_removed_is_kept(server: DemoServer, mirror: Mirror) -> None:
    box = server.account.create_mailbox("Work")
    mirror.sync()
    mirror.drop("Work", b"Subject: mine\n\nbody\n")
    server.account.destroy_mailbox(box)
    mirror.sync()
    assert_converges(server.account, mirror)
    assert [file.read_bytes() for file in mirror.files("Work")] == [b"Subject: mine\n\nbody\n"]


def test_without_a_trash_mailbox_a_deleted_message_stays_and_is_named(tmp_path: Path) -> None:
    with DemoServer() as server:
        server.account.destroy_mailbox("Trash")
        fill(server, 2)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        mirror.files("INBOX")[0].unlink()
        mirror.flag(mirror.files("INBOX")[0], "F")
        report = mirror.sync()
        assert report.exit_code == ExitCode.QUARANTINED
        assert "no Trash mailbox" in report.problems[0].why
        assert len(server.account.emails) == 2
        assert sum("$flagged" in words for _, words in server.account.listing().values()) == 1
        mirror.on_delete = "destroy"
        assert mirror.sync().exit_code == ExitCode.IN_SYNC
        assert len(server.account.emails) == 1


def test_a_parent_that_is_a_mailbox_has_the_three_directories(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Lists")
    server.account.create_mailbox("Lists/python")
    mirror.sync()
    for path in ("Lists", "Lists/python"):
        assert {"cur", "new", "tmp"} <= set(os.listdir(mirror.root / path))


@pytest.mark.parametrize("batched", [True, False])
def test_a_body_that_does_not_come_is_quarantined_by_name_and_fetched_later(tmp_path: Path, batched: bool) -> None:
    dialect = RFC if batched else dataclasses.replace(RFC, blob_capability=None)
    with DemoServer(dialect=dialect) as server:
        refs = fill(server, 5)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", max_wait=0.5)
        mirror.sync()
        late = fill_late(server)
        server.account.set_keyword(refs[0], "$flagged")
        server.faults.missing_blob.arm()
        report = mirror.sync()
        assert report.exit_code == ExitCode.QUARANTINED
        assert places_of(report.problems) == [f"email {late}"]
        assert [file.name.rpartition(":2,")[2] for file in mirror.files("INBOX")].count("F") == 1
        server.faults.clear()
        assert_converges(server.account, mirror)


def test_a_page_of_a_captive_portal_is_never_stored_as_mail(tmp_path: Path) -> None:
    with DemoServer(dialect=dataclasses.replace(RFC, blob_capability=None)) as server:
        fill(server, 3)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", max_wait=0.5)
        server.faults.answer.arm(Answer.html(), only={"download"})
        mirror.run()
        assert not [file for file in mirror.files() if b"html" in file.read_bytes().lower()]
        server.faults.clear()
        assert_converges(server.account, mirror)


def test_the_same_and_opposite_changes_of_flags_merge(server: DemoServer, mirror: Mirror) -> None:
    same, opposite = fill(server, 2)
    server.account.set_keyword(opposite, "$flagged")
    mirror.sync()
    files = {server.account.raw(ref).replace(b"\r\n", b"\n"): ref for ref in (same, opposite)}
    for file in mirror.files("INBOX"):
        mirror.flag(file, "FS" if files[file.read_bytes()] == same else "S")
    server.account.set_keyword(same, "$seen")
    server.account.set_keyword(opposite, "$answered")
    report = mirror.sync()
    assert report.conflicts == 0
    assert set(server.account.listing()[same][1]) == {"$seen", "$flagged"}
    assert set(server.account.listing()[opposite][1]) == {"$seen", "$answered"}
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("shift", [-86_400 * 400, 86_400 * 400])
def test_a_clock_that_jumps_between_runs_changes_nothing(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    import time  # noqa: PLC0415 - patched for this test only

    fill(server)
    mirror.sync()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + shift)
    server.requests.clear()
    assert mirror.sync().to_disk.total == 0
    mirror.drop("INBOX", b"Subject: new\n\nbody\n")
    mirror.sync()
    assert_mirrored(server.account, mirror)


def test_marking_very_many_as_read_needs_no_word_but_emptying_the_trash_does(tmp_path: Path) -> None:
    with DemoServer() as server:
        server.account.populate(3000, mailboxes=("INBOX", "Trash"), size=200)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        for file in mirror.files("INBOX"):
            mirror.flag(file, "S")
        assert mirror.sync().exit_code == ExitCode.IN_SYNC
        trashed = mirror.files("Trash")
        for file in trashed:
            file.unlink()
        report = mirror.sync()
        assert report.exit_code == ExitCode.SUSPENDED
        assert f"{len(trashed):,} of" in report.messages[0]
        assert mirror.sync(allow_deletes=True).to_server.deleted == len(trashed)
        assert len(server.account.emails) == 3000 - len(trashed)


def test_a_dry_run_says_what_a_run_does_and_writes_nothing(server: DemoServer, mirror: Mirror) -> None:
    refs = fill(server, 6)
    mirror.sync()
    server.account.set_keyword(refs[0], "$flagged")
    server.account.destroy(refs[1])
    fill(server, 7)
    mirror.flag(mirror.files("INBOX")[3], "R")
    mirror.drop("INBOX", b"Subject: new\n\nbody\n")
    before = (picture(mirror.root), picture(mirror.state), server.account.listing())
    server.requests.clear()
    reported = mirror.sync(dry=True).messages
    assert (picture(mirror.root), picture(mirror.state), server.account.listing()) == before
    assert writes(server) == 0
    assert all(": " in line for line in reported)
    done = mirror.sync()
    verbs = [(line.split()[0], line.partition(":")[0].endswith("on disk")) for line in reported]
    for counts, here in ((done.to_disk, True), (done.to_server, False)):
        assert verbs.count(("create", here)) == counts.created
        assert verbs.count(("delete", here)) == counts.deleted
        assert verbs.count(("update", here)) == counts.updated


def test_a_first_dry_run_leaves_no_trace(server: DemoServer, mirror: Mirror) -> None:
    fill(server)
    reported = mirror.sync(dry=True).messages
    assert len(reported) >= 4
    assert not mirror.root.exists()


def test_no_secret_stands_in_the_ledger_or_in_the_folders(server: DemoServer, tmp_path: Path) -> None:
    server.credentials.password = "s3cr3t-p4ssw0rd"
    fill(server)
    mirror = Mirror(server.url, "demo", "s3cr3t-p4ssw0rd", tmp_path / "mail", tmp_path / "state")
    mirror.sync()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"s3cr3t-p4ssw0rd" not in content, file
            assert b"ZGVtbzpzM2NyM3QtcDRzc3cwcmQ" not in content, file
