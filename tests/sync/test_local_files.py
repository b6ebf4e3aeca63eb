"""Sync files as they are found on disk: files that move, half files, odd files, copies, links."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode
from jmapsync.storage.files import scan
from jmapsync.storage.maildir import observe as observed
from tests.kit.letters import fill, keywords, letter, wire
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.ledger import Place
    from jmapsync.storage.files.file_state import State
    from jmapsync.storage.port import Job


def folders(server: DemoServer, ref: str) -> set[str]:
    return set(server.account.listing()[ref][0])


def test_a_file_renamed_just_before_our_rename_keeps_both_changes(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ref] = fill(server, 1)
    mirror.sync()
    server.account.set_keyword(ref, "$flagged")
    from jmapsync.storage.maildir.write import Writer  # noqa: PLC0415 - patched for this test only

    write = Writer.write

    def meddle(self: Writer, jobs: list[Job]) -> object:
        monkeypatch.setattr(Writer, "write", write)
        mirror.flag(mirror.files("INBOX")[0], "S")
        return write(self, jobs)

    monkeypatch.setattr(Writer, "write", meddle)
    mirror.sync()
    assert_converges(server.account, mirror)
    assert keywords(server, ref) == {"$flagged", "$seen"}


def test_a_file_that_readdir_skips_once_is_not_deleted(server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = fill(server)
    mirror.sync()
    read = scan._read
    skipped: list[str] = []

    def skip_once(directory: str, is_item: Callable[[str], bool]) -> dict[str, State]:
        found = read(directory, is_item)
        if found and not skipped:
            skipped.append(min(found))
            del found[skipped[0]]
        return found

    monkeypatch.setattr(scan, "_read", skip_once)
    report = mirror.sync()
    assert skipped
    assert report.to_server.total == 0
    assert set(server.account.emails) == set(refs)


def test_a_directory_that_never_rests_proves_no_deletion(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(server)
    mirror.sync()
    moments = iter(range(10**6))
    monkeypatch.setattr(scan, "_mtimes", lambda *_: (next(moments),))
    mirror.files("INBOX")[0].unlink()
    assert mirror.sync().to_server.deleted == 0
    monkeypatch.undo()
    assert mirror.sync().to_server.deleted == 1


def test_a_change_in_the_instant_after_a_scan_is_seen_by_the_next(server: DemoServer, mirror: Mirror) -> None:
    fill(server, 1)
    mirror.sync()
    for number in range(100, 110):
        mirror.drop("INBOX", letter(number))
        mirror.flag(mirror.files("INBOX")[0], "F" if number % 2 else "")
        mirror.sync()
    assert_converges(server.account, mirror)
    assert len(server.account.emails) == 11


def test_a_message_that_moves_from_new_to_cur_during_the_listing_is_one(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(server, 1)
    mirror.sync()
    file = mirror.files("INBOX")[0]
    read = scan._read

    def move_between(directory: str, is_item: Callable[[str], bool]) -> dict[str, State]:
        found = read(directory, is_item)
        if os.path.realpath(directory).endswith("INBOX/new") and file.exists():
            mirror.flag(file, "S")
        return found

    monkeypatch.setattr(scan, "_read", move_between)
    mirror.sync()
    assert_converges(server.account, mirror)
    assert len(server.account.emails) == 1
    assert keywords(server, next(iter(server.account.emails))) == {"$seen"}


@pytest.mark.parametrize(
    ("name", "sub", "expected"),
    [
        ("1.a.h:2,FS", "new", {"$flagged", "$seen"}),
        ("1.b.h:2", "cur", set()),
        ("1.c.h:2,SF", "cur", {"$flagged", "$seen"}),
        ("1.d.h:2,SXQ", "cur", {"$seen"}),
        ("no info at all", "cur", set()),
        ("1.e.h,U=7:2,R", "cur", {"$answered"}),
    ],
)
def test_odd_infos_are_read_and_unknown_letters_kept(
    server: DemoServer, mirror: Mirror, name: str, sub: str, expected: set[str]
) -> None:
    mirror.sync()
    (mirror.root / "INBOX" / sub / name).write_bytes(letter(1))
    mirror.sync()
    [ref] = server.account.emails
    assert keywords(server, ref) == expected
    server.account.set_keyword(ref, "$draft")
    mirror.sync()
    [file] = mirror.files("INBOX")
    assert "D" in file.name.rpartition(":2,")[2]
    assert {"X", "Q"} & set(file.name.rpartition(":2,")[2]) == {"X", "Q"} & set(name)
    assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)


def test_a_copied_file_is_a_membership_not_a_new_message(server: DemoServer, mirror: Mirror) -> None:
    [ref] = fill(server, 1)
    mirror.sync()
    [file] = mirror.files("INBOX")
    shutil.copy(file, mirror.root / "Archive" / "cur" / f"{file.name}:2,")
    shutil.copy2(file, mirror.root / "INBOX" / "cur" / "copy-in-the-same-folder:2,S")
    mirror.sync()
    assert list(server.account.emails) == [ref]
    assert folders(server, ref) == {"INBOX", "Archive"}
    assert keywords(server, ref) == {"$seen"}
    assert (mirror.sync().to_server.total, mirror.requests) == (0, 1)


def test_what_is_no_message_is_named_and_left_alone(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    cur = mirror.root / "INBOX" / "cur"
    (cur / "folder").mkdir()
    (cur / ".dotfile").write_bytes(letter(1))
    (cur / "empty").touch()
    os.mkfifo(cur / "pipe")
    (cur / "link").symlink_to("/etc/hostname")
    (cur / os.fsdecode(b"bad\xff")).write_bytes(letter(2))
    (cur / "arbitrary name ünicode").write_bytes(letter(3))
    before = sorted(os.listdir(os.fsencode(cur)))
    report = mirror.sync()
    assert report.exit_code == ExitCode.QUARANTINED
    assert {one.item.rpartition("/")[2] for one in report.problems} == {"folder", "empty", "pipe", "link", r"bad\xff"}
    assert len(server.account.emails) == 1
    assert sorted(os.listdir(os.fsencode(cur))) == before
    (cur / "empty").write_bytes(letter(4))
    (cur / "pipe").unlink()
    assert {one.item.rpartition("/")[2] for one in mirror.sync().problems} == {"folder", "link", r"bad\xff"}
    assert len(server.account.emails) == 2


def test_a_message_that_was_emptied_is_not_deleted(server: DemoServer, mirror: Mirror) -> None:
    [ref] = fill(server, 1)
    mirror.sync()
    mirror.files("INBOX")[0].write_bytes(b"")
    assert mirror.sync().exit_code == ExitCode.QUARANTINED
    assert list(server.account.emails) == [ref]


def test_a_file_still_being_written_waits(server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.sync()
    file = mirror.root / "INBOX" / "cur" / "slow"
    file.write_bytes(b"X-Line: 0\n")

    def write_more(*_: object) -> None:
        with file.open("ab") as output:
            output.write(b"X-Line: 1\n")

    with monkeypatch.context() as patch:
        patch.setattr("jmapsync.storage.maildir.identify.wait_until_quiet", write_more)
        report = mirror.sync()
    assert [one.why for one in report.problems] == ["it is still being written; it is read once it is left alone"]
    assert len(server.account.emails) == 0
    with file.open("ab") as output:
        output.write(b"\nbody\n")
    mirror.sync()
    [ref] = server.account.emails
    assert server.account.raw(ref).replace(b"\r\n", b"\n") == file.read_bytes()


def test_files_of_others_in_tmp_stay(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    stale = mirror.root / "INBOX" / "tmp" / "somebody's"
    stale.write_bytes(b"half")
    fill(server, 1)
    mirror.sync()
    assert stale.read_bytes() == b"half"
    assert os.listdir(mirror.root / "INBOX" / "tmp") == ["somebody's"]


def test_names_that_differ_by_case_or_normalisation_only_get_folders_of_their_own(server: DemoServer, mirror: Mirror) -> None:
    names = ["Work", "work", "WORK", "stra\N{LATIN SMALL LETTER SHARP S}e", "STRASSE"]
    for number, name in enumerate(names):
        server.account.create_mailbox(name)
        server.account.deliver(letter(number), [name])
    mirror.sync()
    made = {folder.name.casefold() for folder in mirror.root.iterdir() if folder.is_dir()}
    assert len(mirror.files()) == len(names)
    assert len(made) == len([folder for folder in mirror.root.iterdir() if folder.is_dir()])
    assert mirror.sync(full=True).folders.total == 0


def test_hard_links_cut_by_a_backup_tool_change_nothing(server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
    [ref] = fill(server, 1)
    server.account.copy(ref, "Archive")
    mirror.sync()
    assert len({file.stat().st_ino for file in mirror.files()}) == 1
    shutil.copytree(mirror.root, tmp_path / "copy", symlinks=True)
    shutil.rmtree(mirror.root)
    (tmp_path / "copy").rename(mirror.root)
    report = mirror.sync()
    assert (report.to_server.total, report.to_disk.total) == (0, 0)
    assert_mirrored(server.account, mirror)
    mirror.files("Archive")[0].unlink()
    mirror.sync()
    assert folders(server, ref) == {"INBOX"}


def test_without_hard_links_copies_are_made(server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    [ref] = fill(server, 1)
    server.account.copy(ref, "Archive")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    mirror.sync()
    assert_mirrored(server.account, mirror)
    assert len({file.stat().st_ino for file in mirror.files()}) == 2


def test_a_mailbox_called_inbox_beside_the_inbox(server: DemoServer, mirror: Mirror) -> None:
    server.account.rename_mailbox("INBOX", "Posteingang")
    server.account.create_mailbox("inbox")
    server.account.deliver(letter(1), ["Posteingang"])
    server.account.deliver(letter(2), ["inbox"])
    mirror.sync()
    assert [file.read_bytes() for file in mirror.files("INBOX")] == [letter(1)]
    assert len(mirror.files()) == 2
    assert mirror.sync(full=True).folders.total == 0


def test_the_flag_t_deletes_that_copy_only(server: DemoServer, mirror: Mirror) -> None:
    [ref] = fill(server, 1)
    server.account.copy(ref, "Archive")
    mirror.sync()
    mirror.flag(mirror.files("INBOX")[0], "ST")
    mirror.sync()
    assert folders(server, ref) == {"Archive"}
    assert mirror.files("INBOX") == []
    mirror.flag(mirror.files("Archive")[0], "T")
    mirror.sync()
    assert folders(server, ref) == {"Trash"}
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("on_delete", ["trash", "destroy"])
def test_a_message_moved_into_a_folder_that_was_listed_already_is_not_deleted(
    server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_delete: str
) -> None:
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", on_delete=on_delete)
    ref = server.account.deliver(wire(letter(1)), ["Archive"])
    server.account.deliver(wire(letter(2)))
    mirror.sync()
    (file,) = mirror.files("Archive")

    def scan_and_move(folder: str, known: Iterable[Place], rules: scan.Rules) -> scan.Changes:
        found = scan.scan(folder, known, rules)
        if os.path.realpath(folder).endswith("INBOX") and file.exists():
            file.rename(mirror.root / "INBOX" / "cur" / file.name)
        return found

    monkeypatch.setattr(observed, "scan", scan_and_move)
    assert_converges(server.account, mirror)
    assert set(server.account.listing()[ref][0]) == {"INBOX"}
