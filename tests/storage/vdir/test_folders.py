"""Collections of a vdir: made, shown, moved, renamed and removed on either side (vdirsyncer docs/vdir.rst)."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import LocalError, Remedy, RootError
from jmapsync.ledger import Record
from jmapsync.planner.model import Verb, Version
from jmapsync.storage.files.tree import LINK
from jmapsync.storage.maildir.side import MaildirSide
from jmapsync.storage.port import DiskFolders, Placed, Refused, Success
from jmapsync.storage.vdir.side import VdirSide
from tests.kit.vdir_driver import VdirDriver, assert_silent, item
from tests.storage.vdir.tiny import Tiny

if TYPE_CHECKING:
    from pathlib import Path


NAMES = [
    *("..", ".", "../../up", "/etc", "a/b", ".hidden", "-rf", "", " ", "x" * 300, "lost+found", "line\nbreak", "\0", "%2F"),
    *(" padded ", "con", "name.", "new", "tmp", ".jmapsync", "displayname", "\u202eevil"),
]


def version(name: str, *colors: str) -> Version:
    return Version(name, name, tags=frozenset(colors))


def shown(room: VdirDriver) -> dict[str, tuple[str, str]]:
    return {folder.ref: (folder.name, folder.color) for folder in room.observe_folders()}


class TestMade:
    def test_a_collection_shows_its_name_and_colour(self, room: VdirDriver) -> None:
        key = room.folder("Arbeit & Übung", "#12ABEF")
        folder = room.directory(key)
        assert folder == room.root / "Arbeit & Übung"
        assert (folder / "displayname").read_bytes() == "Arbeit & Übung".encode()
        assert (folder / "color").read_bytes() == b"#12ABEF"
        assert {path.name for path in folder.iterdir()} == {"displayname", "color", ".jmapsync"}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert shown(room) == {"Arbeit & Übung": ("Arbeit & Übung", "#12ABEF")}
        assert_silent(room)

    @pytest.mark.parametrize(
        "name",
        ["..", ".", "../../up", "/etc", "a/b", ".hidden", "-rf", "", " ", "x" * 300, "lost+found", "line\nbreak", "\0", "%2F"],
    )
    def test_no_name_leaves_the_root_or_is_another_one_afterwards(self, room: VdirDriver, name: str) -> None:
        key = room.folder(name)
        path = room.side.tree.paths[key]
        assert room.directory(key).parent == room.root
        assert (room.root / path).is_dir()
        assert not path.startswith(".")
        assert shown(room) == {path: (name, "")}
        assert room.record(key).local == version(name)
        assert_silent(room)

    def test_names_that_some_file_systems_take_for_one_get_directories_of_their_own(self, room: VdirDriver) -> None:
        names = ["Café", "CAFÉ", "Cafe\u0301", "café"]
        keys = [room.folder(name) for name in names]
        paths = [room.side.tree.paths[key] for key in keys]
        assert len({path.casefold() for path in paths}) == 4
        assert [room.record(key).local for key in keys] == [version(name) for name in names]
        assert sorted(name for name, _ in shown(room).values()) == sorted(names)
        assert_silent(room)

    def test_what_is_there_already_is_not_taken_over(self, room: VdirDriver) -> None:
        (room.root / "work").mkdir()
        (room.root / "work" / "notes.txt").write_text("mine")
        (room.root / "HOME").write_text("a file")
        assert room.side.tree.paths[room.folder("Work")].startswith("Work%~")
        assert room.side.tree.paths[room.folder("Home")].startswith("Home%~")

    def test_the_disk_may_refuse(self, room: VdirDriver, monkeypatch: pytest.MonkeyPatch) -> None:
        key = room.ledger.add(Record(0, "calendar", "C9", "Work", remote=version("Work")))

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied", "Work")

        monkeypatch.setattr(os, "rename", refuse)
        receipt = room.write_folder(key, Verb.CREATE, version("Work"))
        assert (type(receipt), receipt.remedy) == (Refused, Remedy.HUMAN)
        assert "Permission denied" in receipt.why
        assert [path.name for path in room.root.iterdir()] == [".jmapsync"]


class TestChangedOnTheServer:
    def test_a_new_name_is_shown_and_the_directory_keeps_its_own(self, room: VdirDriver, work: int) -> None:
        room.create(item("one"), work)
        receipt = room.write_folder(work, Verb.REPLACE, version("Büro"))
        assert (type(receipt), receipt.version) == (Placed, version("Büro"))
        assert shown(room) == {"Work": ("Büro", "")}
        assert_silent(room)

    def test_a_colour_comes_changes_and_goes(self, room: VdirDriver, work: int) -> None:
        for color in ("#FF0000", "#00FF00", ""):
            room.write_folder(work, Verb.UPDATE, version("Work", *([color] if color else [])))
            assert shown(room) == {"Work": ("Work", color)}
            assert_silent(room)
        assert not (room.directory(work) / "color").exists()

    def test_a_rename_leaves_a_colour_alone_that_nobody_mirrors(self, room: VdirDriver, work: int) -> None:
        (room.directory(work) / "color").write_text("#123456")
        room.write_folder(work, Verb.REPLACE, version("Büro"))
        assert (room.directory(work) / "color").read_text() == "#123456"

    def test_of_two_colours_one_is_shown_the_same_everywhere(self, room: VdirDriver, work: int) -> None:
        room.write_folder(work, Verb.UPDATE, version("Work", "#FF0000", "#00FF00"))
        assert (room.directory(work) / "color").read_text() == "#00FF00"

    def test_an_empty_collection_is_removed(self, room: VdirDriver, work: int) -> None:
        room.write_folder(work, Verb.UPDATE, version("Work", "#FF0000"))
        assert isinstance(room.write_folder(work, Verb.DELETE, None), Success)
        assert [path.name for path in room.root.iterdir()] == [".jmapsync"]
        assert room.ledger.folders() == {}

    @pytest.mark.parametrize("left", ["notes.txt", "one.ics", ".git", "description"])
    def test_a_collection_with_anything_in_it_is_not_removed(self, room: VdirDriver, work: int, left: str) -> None:
        (room.directory(work) / left).write_text("mine")
        receipt = room.write_folder(work, Verb.DELETE, None)
        assert (type(receipt), receipt.remedy) == (Refused, Remedy.HUMAN)
        assert receipt.why == f"the directory {room.directory(work)} is not removed, because it still holds {left}"
        assert {path.name for path in room.directory(work).iterdir()} == {left, "displayname", ".jmapsync"}

    def test_one_that_gets_a_file_in_that_moment_is_as_it_was(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = room.directory(work)
        rmdir = os.rmdir

        def late(path: str) -> None:
            (folder / "late.ics").write_text("mine")
            rmdir(path)

        monkeypatch.setattr(os, "rmdir", late)
        assert isinstance(room.write_folder(work, Verb.DELETE, None), Refused)
        assert {path.name for path in folder.iterdir()} == {"late.ics", "displayname", ".jmapsync"}
        assert json.loads((folder / ".jmapsync").read_text()) == {"container": room.record(work).ref}


class TestChangedHere:
    def test_displayname_and_color_are_what_it_is_called_and_coloured(self, room: VdirDriver, work: int) -> None:
        (room.directory(work) / "displayname").write_text("  Büro\n")
        (room.directory(work) / "color").write_text("#abcdef\n")
        assert shown(room) == {"Work": ("Büro", "#ABCDEF")}
        assert room.record(work).local == version("Büro", "#ABCDEF")
        assert_silent(room)

    @pytest.mark.parametrize(("text", "color"), [("#12abef80", "#12ABEF"), ("#12ABEF", "#12ABEF"), ("", ""), (" \n", "")])
    def test_a_colour_may_be_written_in_several_ways(self, room: VdirDriver, work: int, text: str, color: str) -> None:
        (room.directory(work) / "color").write_text(text)
        assert shown(room) == {"Work": ("Work", color)}

    @pytest.mark.parametrize("content", [b"red", b"#FFF", b"#12ABEG", b"\xff\xfe", b"#1234567"])
    def test_what_is_no_colour_changes_none(self, room: VdirDriver, work: int, content: bytes) -> None:
        room.write_folder(work, Verb.UPDATE, version("Work", "#FF0000"))
        (room.directory(work) / "color").write_bytes(content)
        assert shown(room) == {"Work": ("Work", "#FF0000")}
        assert_silent(room)

    def test_a_colour_that_the_server_writes_in_small_letters_is_no_change(self, room: VdirDriver, work: int) -> None:
        room.write_folder(work, Verb.UPDATE, version("Work", "#ff0000"))
        assert shown(room) == {"Work": ("Work", "#ff0000")}
        assert (room.directory(work) / "color").read_text() == "#FF0000"
        assert_silent(room)

    @pytest.mark.parametrize("spoil", ["removed", "empty", "no text"])
    def test_a_lost_displayname_renames_nothing(self, room: VdirDriver, work: int, spoil: str) -> None:
        room.write_folder(work, Verb.REPLACE, version("Büro"))
        file = room.directory(work) / "displayname"
        file.unlink() if spoil == "removed" else file.write_bytes(b"" if spoil == "empty" else b"\xff")
        assert shown(room) == {"Work": ("Büro", "")}
        assert_silent(room)

    def test_mkdir_makes_one_called_as_the_directory(self, room: VdirDriver) -> None:
        (room.root / "New %2F Year").mkdir()
        room.save(room.root / "New %2F Year" / "one.ics", item("one"))
        seen = room.observe()
        assert shown(room) == {"New %2F Year": ("New / Year", "")}
        assert [one.digest for one in seen.items] == ["one"]
        assert {path.name for path in (room.root / "New %2F Year").iterdir()} == {"one.ics"}
        assert_silent(room)

    def test_mv_is_no_deletion(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        room.directory(work).rename(room.root / "Office")
        assert shown(room) == {"Office": ("Work", "")}
        seen = room.observe()
        assert (seen.items, seen.gone, seen.suspicious) == ([], [], "")
        assert [path.parent.name for path in room.paths(key)] == ["Office"]
        assert_silent(room)

    def test_mv_of_one_without_displayname_is_a_rename(self, room: VdirDriver, work: int) -> None:
        (room.directory(work) / "displayname").unlink()
        room.directory(work).rename(room.root / "Office")
        assert shown(room) == {"Office": ("Office", "")}
        assert room.record(work).local == version("Office")

    def test_a_copied_collection_is_another_one(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        shutil.copytree(room.directory(work), room.root / "Copy")
        (room.root / "Copy" / "displayname").unlink()
        seen = room.observe()
        assert {folder.ref: folder.key == work for folder in room.observe_folders()} == {"Work": True, "Copy": False}
        assert [(one.key, len(one.version.homes)) for one in seen.items] == [(key, 2)]
        assert_silent(room)

    def test_what_is_no_collection_is_left_alone(self, room: VdirDriver, tmp_path: Path) -> None:
        for name in (".git", ".todoman", "lost+found"):
            (room.root / name).mkdir()
        (room.root / "file").write_text("x")
        (tmp_path / "elsewhere").mkdir()
        (room.root / "link").symlink_to(tmp_path / "elsewhere")
        (room.root / os.fsdecode(b"caf\xe9")).mkdir()
        assert shown(room) == {}
        problems = room.observe().problems
        assert [(one.item, one.why) for one in problems] == [
            ("caf\\xe9", "its name is not valid UTF-8; rename it"),
            ("link", LINK),
        ]

    def test_a_link_instead_of_a_known_collection_is_named_and_nothing_is_gone(
        self, room: VdirDriver, work: int, tmp_path: Path
    ) -> None:
        room.create(item("one"), work)
        folder = room.directory(work)
        shutil.copytree(folder, tmp_path / "disk")
        shutil.rmtree(folder)
        folder.symlink_to(tmp_path / "disk")
        assert shown(room) == {"Work": ("Work", "")}
        seen = room.observe()
        assert (seen.gone, seen.moved, seen.suspicious) == ([], [], "")
        assert [one.item for one in seen.problems] == ["Work"]
        assert "symbolic link" in seen.problems[0].why

    @pytest.mark.parametrize("kind", ["file", "pipe", "broken link"])
    @pytest.mark.parametrize("filled", [True, False])
    def test_no_directory_instead_of_a_known_collection_means_that_it_is_gone(
        self, room: VdirDriver, work: int, tmp_path: Path, kind: str, filled: bool
    ) -> None:
        if filled:
            room.create(item("one"), work)
        folder = room.directory(work)
        moved = folder.rename(tmp_path / "elsewhere")
        if kind == "file":
            folder.write_text("no folder")
        elif kind == "pipe":
            os.mkfifo(folder)
        else:
            folder.symlink_to(tmp_path / "nothing")
        assert shown(room) == {"Work": ("Work", "")}
        seen = room.observe()
        assert (seen.gone, seen.moved, seen.suspicious) == ([], [], "")
        assert [one.item for one in seen.problems] == ["Work"]
        assert "nothing" in seen.problems[0].why
        folder.unlink()
        moved.rename(folder)
        assert shown(room) == {"Work": ("Work", "")}
        assert_silent(room)


class TestLostLedger:
    def test_collections_and_items_are_found_again(self, room: VdirDriver, work: int) -> None:
        room.write_folder(work, Verb.REPLACE, version("Büro", "#FF0000"))
        room.create(item("one"), work)
        ref = room.record(work).ref
        room.lose_ledger()
        seen = room.observe()
        [folder] = room.ledger.all("calendar")
        assert (folder.ref, folder.local) == (ref, version("Büro", "#FF0000"))
        assert [(one.key, one.digest) for one in seen.items] == [(None, "one")]
        assert seen.problems == []

    def test_one_made_before_the_ledger_knew_is_the_one_that_was_to_be_made(self, room: VdirDriver) -> None:
        key = room.ledger.add(Record(0, "calendar", "C9", "Work", remote=version("Work")))
        room.side.tree.make(key, "Work%~12345678", "C9", version("Work", "#FF0000").body, "#FF0000")
        room.enter()
        assert [(folder.key, folder.name) for folder in room.observe_folders()] == [(key, "Work")]
        assert room.side.tree.paths == {key: "Work%~12345678"}


class TestRoot:
    def test_is_claimed_for_one_kind_of_one_account(self, room: VdirDriver) -> None:
        with pytest.raises(RootError, match="is the mirror of calendars of another account"):
            VdirSide(room.root, "tasks", Tiny()).open(room.ledger, "a1")
        room.ledger.set_note("root:calendars", "")
        with pytest.raises(RootError, match="of another account"):
            VdirSide(room.root, "calendars", Tiny()).open(room.ledger, "a2")

    def test_when_it_is_gone_nothing_is_deleted(self, room: VdirDriver, work: int) -> None:
        room.create(item("one"), work)
        shutil.rmtree(room.root)
        with pytest.raises(RootError, match="is not there"):
            room.enter()
        with pytest.raises(LocalError, match="cannot be listed"):
            room.side.observe_folders(room.ledger)

    def test_a_dry_run_touches_nothing(self, room: VdirDriver, work: int, tmp_path: Path) -> None:
        (room.directory(work) / ".jmapsync-0123.tmp").write_text("half")
        side = VdirSide(room.root, "calendars", Tiny(), dry=True)
        side.open(room.ledger, "a1")
        side.observe_folders(room.ledger)
        side.adopt_folder(work, "Work", "C7")
        assert (room.directory(work) / ".jmapsync-0123.tmp").exists()
        assert "C7" not in (room.directory(work) / ".jmapsync").read_text()
        other = VdirSide(tmp_path / "other", "tasks", Tiny(), dry=True)
        other.open(room.ledger, "a1")
        assert other.observe_folders(room.ledger).folders == []
        assert not (tmp_path / "other").exists()

    def test_only_our_own_unfinished_files_are_removed(self, room: VdirDriver, work: int) -> None:
        folder = room.directory(work)
        (folder / ".jmapsync-0123456789abcdef.tmp").write_bytes(b"half")
        for name in ("khard.tmp", ".tmpabc", ".jmapsync-theirs.tmp"):
            (folder / name).write_bytes(b"somebody's")
        room.enter()
        assert {path.name for path in folder.glob("*tmp*")} == {"khard.tmp", ".tmpabc", ".jmapsync-theirs.tmp"}

    def test_kinds_of_one_account_share_a_ledger_and_nothing_else(self, room: VdirDriver, work: int, tmp_path: Path) -> None:
        """Each kind sees its own containers only."""
        room.create(item("one"), work)
        tasks = VdirSide(tmp_path / "tasks", "tasks", Tiny())
        tasks.open(room.ledger, "a1")
        assert tasks.observe_folders(room.ledger).folders == []
        seen = tasks.observe_items(room.ledger)
        assert (seen.gone, seen.suspicious) == ([], "")
        assert_silent(room)

    def test_mail_of_the_same_account_takes_none_of_it_for_its_own(self, room: VdirDriver, work: int, tmp_path: Path) -> None:
        room.create(item("one"), work)
        mail = MaildirSide(tmp_path / "mail", tmp_path / "spool")
        mail.open(room.ledger, "a1")
        observed = mail.observe_folders(room.ledger)
        assert isinstance(observed, DiskFolders)
        assert observed.folders == []
        seen = mail.observe_items(room.ledger)
        assert (seen.gone, seen.suspicious, seen.problems) == ([], "", [])
