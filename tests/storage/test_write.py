"""Writing into a Maildir where the disk, other programs or the names get in the way."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.flags import PLACES
from jmapsync.storage.files import batch
from jmapsync.storage.files.atomic import sync_directories
from jmapsync.storage.files.swap import check
from jmapsync.storage.maildir.identify import CHUNK
from jmapsync.storage.port import Body, Filed, Refused, Stale, Success
from tests.kit.maildir_driver import STAMP, MaildirDriver
from tests.storage.contract import assert_silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from jmapsync.storage.files.file_state import State

BODY = b"Subject: x\r\n\r\nbody\r\n"
STORED = BODY.replace(b"\r\n", b"\n")


@contextmanager
def other_disk(place: Path, size: str = "4m") -> Iterator[None]:
    """Put another file system at a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def refuse_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(number, os.strerror(number), source, None, target)

    monkeypatch.setattr(os, "link", refuse)


def meddle_after_check(monkeypatch: pytest.MonkeyPatch, file: Path, content: bytes) -> None:
    """Save other content over a file right after it was examined for the last time before it is to go."""

    def checked(path: str, state: State) -> None:
        check(path, state)
        file.write_bytes(content)

    monkeypatch.setattr("jmapsync.storage.maildir.write.check", checked)


def left_in_tmp(room: MaildirDriver) -> list[Path]:
    return [file for temporary in room.root.rglob("tmp") for file in temporary.iterdir()]


class TestOtherFileSystems:
    def test_copies_in_a_folder_on_another_disk_are_files_of_their_own(self, room: MaildirDriver, inbox: int) -> None:
        (room.root / "Archive").mkdir()
        with other_disk(room.root / "Archive"):
            archive = room.folder("Archive")
            both = room.create(BODY, [inbox, archive], ["$seen"])
            moved = room.create(BODY + b"2\r\n", [inbox])
            [receipt] = room.write(room.to_update(moved, [archive]))
            assert isinstance(receipt, Success)
            assert [path.read_bytes() for path in room.paths(both)] == [STORED, STORED]
            assert len({path.stat().st_dev for path in room.paths(both)}) == 2
            assert [place.folder for place in room.places(moved)] == [archive]
            assert {int(path.stat().st_mtime) for key in (both, moved) for path in room.paths(key)} == {STAMP}
            assert left_in_tmp(room) == []
            assert_silent(room)

    @pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP])
    def test_without_hard_links_copies_are_made(
        self, room: MaildirDriver, inbox: int, archive: int, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        refuse_links(monkeypatch, number)
        key = room.create(BODY, [inbox, archive])
        assert [path.read_bytes() for path in room.paths(key)] == [STORED, STORED]
        assert len({path.stat().st_ino for path in room.paths(key)}) == 2
        room.write(room.to_update(key, [inbox], ["$flagged"]))
        assert [path.name.partition(":")[2] for path in room.paths(key)] == ["2,F"]
        assert left_in_tmp(room) == []
        assert_silent(room)

    def test_on_a_full_disk_what_fits_is_whole_and_the_rest_is_refused(self, room: MaildirDriver, inbox: int) -> None:
        with other_disk(room.side.tree.folder(inbox), "400k"):
            room.side.tree.complete("INBOX", {"cur", "new", "tmp"})
            receipts = room.write(*(room.to_create(b"x" * 30_000 + b"%d\r\n" % number, [inbox]) for number in range(40)))
            assert room.side.failure() is None  # something fitted, so the disk is not to blame for everything
            reasons = {receipt.why for receipt in receipts if isinstance(receipt, Refused)}
            assert reasons
            assert all("No space left" in why for why in reasons), reasons
            outcomes = [type(receipt) for receipt in receipts]
            assert set(outcomes) <= {Filed, Refused}
            assert outcomes.count(Refused) > 10
            files = [file for sub in ("new", "cur") for file in (room.side.tree.folder(inbox) / sub).iterdir()]
            assert len(files) == outcomes.count(Filed)
            assert all(file.read_bytes().startswith(b"x" * 30_000) for file in files)
            assert left_in_tmp(room) == []

    def test_a_failure_of_the_disk_is_not_remembered_into_the_next_batch(self, room: MaildirDriver, inbox: int) -> None:
        with other_disk(room.side.tree.folder(inbox), "100k"):
            room.side.tree.complete("INBOX", {"cur", "new", "tmp"})
            room.write(room.to_create(b"x" * 200_000, [inbox]))
            assert room.side.failure() is not None
        assert isinstance(room.write(room.to_create(BODY, [inbox]))[0], Success)
        assert room.side.failure() is None


class TestOtherPrograms:
    @pytest.mark.parametrize("links", [True, False])
    def test_what_is_saved_over_a_file_in_the_moment_it_is_to_go_survives(
        self, room: MaildirDriver, inbox: int, monkeypatch: pytest.MonkeyPatch, links: bool
    ) -> None:
        key = room.create(BODY, [inbox])
        [path] = room.paths(key)
        meddle_after_check(monkeypatch, path, b"Subject: saved by its user\n\n")
        if not links:
            refuse_links(monkeypatch, errno.EPERM)
        [receipt] = room.write(room.to_delete(key))
        assert isinstance(receipt, Stale)
        room.open()
        assert [file.read_bytes() for file in path.parent.iterdir()] == [b"Subject: saved by its user\n\n"]
        assert left_in_tmp(room) == []

    def test_the_old_name_of_a_moved_message_goes_only_when_the_new_one_is_durable(
        self, room: MaildirDriver, inbox: int, archive: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = room.create(BODY, [inbox])
        [old] = room.paths(key)
        there: list[bool] = []

        def note(folders: Iterable[str]) -> None:
            if folders:
                there.append(old.exists())
            sync_directories(folders)

        monkeypatch.setattr(batch, "sync_directories", note)
        [receipt] = room.write(room.to_update(key, homes=[archive]))
        assert isinstance(receipt, Success)
        assert there == [True, False]

    def test_what_is_saved_twice_in_that_moment_survives_twice(
        self, room: MaildirDriver, inbox: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = room.create(BODY, [inbox])
        [path] = room.paths(key)
        meddle_after_check(monkeypatch, path, b"Subject: first\n\n")
        link = os.link

        def save_again(source: str, target: str) -> None:
            path.write_bytes(b"Subject: second\n\n")
            link(source, target)

        monkeypatch.setattr(os, "link", save_again)
        [receipt] = room.write(room.to_delete(key))
        assert isinstance(receipt, Stale)
        room.open()
        assert {file.read_bytes() for file in path.parent.iterdir()} == {b"Subject: first\n\n", b"Subject: second\n\n"}

    def test_a_name_that_another_file_has_is_not_taken_from_it(self, room: MaildirDriver, inbox: int) -> None:
        key = room.create(BODY, [inbox], ["$seen"])
        [path] = room.paths(key)
        other = path.with_name(f"{path.name.partition(':')[0]}:2,FS")
        other.write_bytes(b"Subject: other\n\n")
        [receipt] = room.write(room.to_update(key, tags=["$seen", "$flagged"]))
        assert isinstance(receipt, Stale)
        assert (path.read_bytes(), other.read_bytes()) == (STORED, b"Subject: other\n\n")

    def test_letters_that_nobody_here_knows_are_kept(self, room: MaildirDriver, inbox: int) -> None:
        key = room.create(BODY, [inbox], ["$seen"])
        [path] = room.paths(key)
        path.rename(path.with_name(f"{path.name.partition(':')[0]}:2,SXz"))
        room.observe()
        room.write(room.to_update(key, tags=["$flagged"]))
        assert room.paths(key)[0].name.partition(":")[2] == "2,FXz"

    def test_only_our_own_unfinished_files_are_removed(self, room: MaildirDriver, inbox: int) -> None:
        temporary = room.side.tree.folder(inbox) / "tmp"
        (temporary / "1700000000.J7R0123abcd.host").write_bytes(b"half")
        (temporary / "1700000000.M1P2.host").write_bytes(b"somebody's, being delivered")
        room.open()
        assert [file.name for file in temporary.iterdir()] == ["1700000000.M1P2.host"]

    def test_a_folder_with_anything_of_the_users_in_it_is_not_removed(self, room: MaildirDriver, inbox: int, archive: int) -> None:
        folder = room.side.tree.folder(archive)
        for left in (folder / "notes.txt", folder / "cur" / "message", folder / "tmp" / "half"):
            left.write_bytes(b"mine")
            with pytest.raises(OSError, match="not empty"):
                room.side.tree.remove(archive)
            assert left.read_bytes() == b"mine"
            left.unlink()
        room.side.tree.remove(archive)
        assert not folder.exists()


class TestKeywords:
    def test_all_keywords_are_kept_though_only_26_have_letters(self, room: MaildirDriver, inbox: int) -> None:
        words = {f"word{number:02}" for number in range(PLACES + 10)}
        key = room.create(BODY, [inbox], words)
        assert room.version(key).tags == words
        assert_silent(room)
        [path] = room.paths(key)
        assert len(path.name.partition(":2,")[2]) == PLACES
        path.rename(path.with_name(path.name.replace("a", "", 1) if "a" not in path.name.partition(":")[0] else path.name[:-1]))
        room.observe()
        assert len(room.version(key).tags) == len(words) - 1

    def test_the_letters_of_a_folder_never_move(self, room: MaildirDriver, inbox: int) -> None:
        first = room.create(BODY, [inbox], ["zebra"])
        room.create(BODY + b"2\r\n", [inbox], ["apple"])
        assert room.paths(first)[0].name.endswith(":2,a")
        table = (room.side.tree.folder(inbox) / "dovecot-keywords").read_text()
        assert table == "0 zebra\n1 apple\n"

    def test_a_table_that_another_program_continued_is_continued_from_there(self, room: MaildirDriver, inbox: int) -> None:
        key = room.create(BODY, [inbox], ["ours"])
        with (room.side.tree.folder(inbox) / "dovecot-keywords").open("a") as table:
            table.write("1 theirs\n")
        [path] = room.paths(key)
        path.rename(path.with_name(f"{path.name.partition(':')[0]}:2,ab"))
        room.observe()
        assert room.version(key).tags == {"ours", "theirs"}
        room.write(room.to_update(key, tags=["ours", "theirs", "more"]))
        assert (room.side.tree.folder(inbox) / "dovecot-keywords").read_text() == "0 ours\n1 theirs\n2 more\n"
        assert_silent(room)

    @pytest.mark.parametrize("text", ["", "0 wrong\n", "nonsense", "\0\xff"])
    def test_a_table_that_was_lost_or_spoilt_changes_no_keyword(self, room: MaildirDriver, inbox: int, text: str) -> None:
        key = room.create(BODY, [inbox], ["one", "two"])
        table = room.side.tree.folder(inbox) / "dovecot-keywords"
        table.write_text(text)
        assert_silent(room)
        room.write(room.to_update(key, tags=["one", "two", "three"]))
        assert room.version(key).tags == {"one", "two", "three"}
        assert table.read_text() == "0 one\n1 two\n2 three\n"


class TestDates:
    @pytest.mark.parametrize("stamp", [1, STAMP, 2**31 - 1, 2**32, 253_402_300_799])
    def test_a_file_shows_when_its_message_was_received(self, room: MaildirDriver, inbox: int, archive: int, stamp: int) -> None:
        key = room.create(BODY, [inbox, archive], stamp=stamp)
        shown = {int(path.stat().st_mtime) for path in room.paths(key)}
        probe = room.root / "probe"
        probe.touch()
        os.utime(probe, (stamp, stamp))
        assert shown == {int(probe.stat().st_mtime)}  # what this file system can hold
        probe.unlink()
        assert_silent(room)

    @pytest.mark.parametrize("stamp", [-1, -(2**40), 2**62, 2**70])
    def test_a_date_that_no_file_can_show_is_no_obstacle(self, room: MaildirDriver, inbox: int, stamp: int) -> None:
        job = room.to_create(BODY, [inbox])
        job = type(job)(job.order, job.ref, stamp, job.body)
        [receipt] = room.write(job)
        assert isinstance(receipt, Success)
        [path] = room.paths(receipt.key)
        assert path.read_bytes() == STORED
        assert_silent(room)


class TestLargeMessages:
    @pytest.mark.parametrize(
        ("start", "shortened"), [(b"a\r\n", True), (b"a\n", False), (b"a\r", False), (b"x" * (CHUNK - 1) + b"\r\n", True)]
    )
    def test_a_message_in_a_file_of_its_own_is_stored_as_a_small_one(
        self, room: MaildirDriver, inbox: int, tmp_path: Path, start: bytes, shortened: bool
    ) -> None:
        content = start + b"line\r\n" * 400_000
        spooled = tmp_path / "spooled"
        spooled.write_bytes(content)
        job = room.to_create(content, [inbox])
        job = type(job)(job.order, job.ref, job.stamp, Body("E", path=spooled))
        [receipt] = room.write(job)
        [path] = room.paths(receipt.key)
        assert path.read_bytes() == (content.replace(b"\r\n", b"\n") if shortened else content)
        assert room.read(receipt.key) == content
        assert path.stat().st_mode & 0o777 == 0o600
        assert_silent(room)

    def test_crlf_is_kept_where_it_is_wanted(self, tmp_path: Path) -> None:
        room = MaildirDriver(tmp_path, keep_crlf=True)
        inbox = room.folder("INBOX")
        key = room.create(BODY, [inbox])
        assert room.paths(key)[0].read_bytes() == BODY
        assert room.read(key) == BODY
        assert_silent(room)
        room.ledger.close()
