"""Mail and mailboxes are found where they are, whatever the order in which a server lists them, and are recognised."""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.storage.files.scan import Changes, Rules, scan
from jmapsync.storage.maildir import observe as observed
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jmapsync.ledger import Place

LETTER = b"Subject: a\n\nbody\n"
OTHER = b"Subject: b\n\nbody\n"


def wire(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("call", ["Mailbox/changes", "Email/changes"])
def test_mail_in_a_mailbox_made_at_the_end_of_the_first_listing_is_not_missed(
    server: DemoServer, mirror: Mirror, call: str
) -> None:
    server.account.deliver(wire(LETTER))

    def slip_in(*_: object) -> None:
        server.account.create_mailbox("Late")
        server.account.deliver(wire(OTHER), ["Late"])

    server.faults.before_call.arm(slip_in, times=1, only={call})
    mirror.sync()
    assert_converges(server.account, mirror)


def test_a_mailbox_reported_before_its_parent_lies_in_its_parent(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    server.limits.max_changes = 1
    server.faults.newest_first.arm()
    for path in ("P", "P/c", "P/c/d"):
        server.account.create_mailbox(path)
    server.account.deliver(wire(LETTER), ["P/c/d"])
    mirror.sync()
    assert_mirrored(server.account, mirror)


class TestALostLedger:
    def test_knows_a_folder_again_whose_name_is_too_long_for_the_disk(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("L" * 240)
        server.account.deliver(wire(LETTER), ["L" * 240])
        mirror.sync()
        before, there = mirror.tree(), server.account.listing()
        shutil.rmtree(mirror.state)
        for _ in range(2):
            assert mirror.sync().problems == []
            assert (mirror.tree(), server.account.listing()) == (before, there)
        assert len(server.account.mailboxes) == 7

    def test_gives_no_two_mailboxes_one_folder(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("L" * 240)
        server.account.deliver(wire(LETTER), ["L" * 240])
        mirror.sync()
        for marker in mirror.root.glob("*/.jmapsync"):
            marker.unlink()
        shutil.rmtree(mirror.state)
        for _ in range(2):
            assert mirror.sync().problems == []
        assert_mirrored_folders(server, mirror)

    def test_takes_a_copied_folder_for_a_new_one(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("Foo")
        server.account.deliver(wire(LETTER), ["Foo"])
        mirror.sync()
        shutil.copytree(mirror.root / "Foo", mirror.root / "Copy")
        shutil.rmtree(mirror.state)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert sorted(box.name for box in server.account.mailboxes.values() if box.role is None) == ["Copy", "Foo"]


def assert_mirrored_folders(server: DemoServer, mirror: Mirror) -> None:
    """Fail unless each mailbox has a folder of its own."""
    folders = [one for one in mirror.root.rglob("cur") if one.is_dir()]
    assert len(folders) == len(server.account.mailboxes)


class TestOnDeleteKeep:
    @pytest.fixture
    def keeping(self, server: DemoServer, tmp_path: Path) -> Mirror:
        found = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", on_delete="keep")
        server.account.deliver(wire(LETTER))
        found.sync()
        return found

    def test_a_file_marked_deleted_goes_from_the_disk(self, server: DemoServer, keeping: Mirror) -> None:
        keeping.flag(keeping.files()[0], "ST")
        keeping.sync()
        assert keeping.files() == []
        assert len(server.account.emails) == 1

    def test_the_old_version_of_an_edited_message_does_not_come_back(self, server: DemoServer, keeping: Mirror) -> None:
        file = keeping.files()[0]
        file.write_bytes(OTHER)
        os.utime(file, (1, 1))
        keeping.sync()
        assert sorted(server.account.raw(ref) for ref in server.account.emails) == sorted([wire(LETTER), wire(OTHER)])
        keeping.sync(full=True)
        assert [one.read_bytes() for one in keeping.files()] == [OTHER]

    def test_a_file_put_back_is_the_email_that_stayed(self, tmp_path: Path) -> None:
        with DemoServer(dialect=dataclasses.replace(RFC, duplicates="copy")) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", on_delete="keep")
            server.account.deliver(wire(LETTER))
            mirror.sync()
            file = mirror.files()[0].rename(tmp_path / "aside")
            assert mirror.sync().to_server.deleted == 1
            file.rename(mirror.root / "Archive" / "cur" / "back:2,S")
            mirror.sync()
            assert_converges(server.account, mirror)
            assert [set(paths) for paths, _ in server.account.listing().values()] == [{"INBOX", "Archive"}]


@pytest.mark.parametrize("on_delete", ["trash", "destroy"])
def test_a_message_moved_into_a_folder_that_was_listed_already_is_not_deleted(
    server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_delete: str
) -> None:
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", on_delete=on_delete)
    ref = server.account.deliver(wire(LETTER), ["Archive"])
    server.account.deliver(wire(OTHER))
    mirror.sync()
    (file,) = mirror.files("Archive")

    def scan_and_move(folder: str, known: Iterable[Place], rules: Rules) -> Changes:
        found = scan(folder, known, rules)
        if os.path.realpath(folder).endswith("INBOX") and file.exists():
            file.rename(mirror.root / "INBOX" / "cur" / file.name)
        return found

    monkeypatch.setattr(observed, "scan", scan_and_move)
    assert_converges(server.account, mirror)
    assert set(server.account.listing()[ref][0]) == {"INBOX"}


class TestASymbolicLink:
    def test_in_place_of_a_folder_is_named_and_not_followed(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        server.account.create_mailbox("Foo")
        mirror.sync()
        (mirror.root / "Foo").rename(tmp_path / "elsewhere")
        (mirror.root / "Foo").symlink_to(tmp_path / "elsewhere")
        server.account.deliver(wire(LETTER), ["Foo"])
        report = mirror.sync()
        assert "Foo" in {problem.item for problem in report.problems}
        assert list((tmp_path / "elsewhere").rglob("cur/*")) == []
        assert "Foo" in {box.name for box in server.account.mailboxes.values()}
        (mirror.root / "Foo").unlink()
        (tmp_path / "elsewhere").rename(mirror.root / "Foo")
        mirror.sync()
        assert [file.read_bytes() for file in mirror.files("Foo")] == [LETTER]

    def test_that_is_new_is_named_and_not_followed(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        mirror.sync()
        (mirror.root / "up").symlink_to(tmp_path)
        assert [problem.item for problem in mirror.sync().problems] == ["up"]
        assert len(server.account.mailboxes) == 6


@pytest.mark.parametrize("copied", [False, True])
def test_letters_of_a_file_from_another_folder_mean_what_they_meant_there(
    server: DemoServer, mirror: Mirror, *, copied: bool
) -> None:
    ref = server.account.deliver(wire(LETTER), ["INBOX"], ["$work"])
    other = server.account.deliver(wire(OTHER), ["Archive"], ["$home"])
    mirror.sync()
    (file,) = mirror.files("INBOX")
    target = mirror.root / "Archive" / "cur" / file.name
    if copied:
        shutil.copy2(file, target)
    else:
        file.rename(target)
    assert_converges(server.account, mirror)
    assert server.account.listing()[ref][1] == {"$work"}
    assert server.account.listing()[other][1] == {"$home"}
