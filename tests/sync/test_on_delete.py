"""What a deletion on the disk does on the server: `on_delete`."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.errors import ExitCode
from tests.kit.letters import fill, wire
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path


LETTER = b"Subject: a\n\nbody\n"
OTHER = b"Subject: b\n\nbody\n"


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
