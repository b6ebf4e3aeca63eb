"""Maildir++: where folders are, which directories are not folders, and names that come back as they were."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode, LayoutError
from jmapsync.ledger import Ledger
from jmapsync.storage.maildir.maildirpp import MOVING, PlusPlusTree
from jmapsync.storage.maildir.side import MaildirSide
from tests.kit.maildir_driver import MaildirDriver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def room(tmp_path: Path) -> MaildirDriver:
    return MaildirDriver(tmp_path, layout="maildir++")


def maildirs(room: MaildirDriver) -> set[str]:
    """Return the directories that hold mail, as they are called on the disk."""
    return {str(cur.parent.relative_to(room.root)) for cur in room.root.rglob("cur")}


def seen(room: MaildirDriver) -> dict[str, str]:
    """Return the folders of a scan: their paths with the names they stand for."""
    return {folder.ref: folder.name for folder in room.observe_folders()}


class TestPlaces:
    def test_folders_lie_side_by_side_and_the_root_is_the_inbox(self, room: MaildirDriver) -> None:
        inbox = room.folder("INBOX")
        lists = room.folder("Lists")
        room.folder("python", parent=lists)
        room.folder("below", parent=inbox)
        assert maildirs(room) == {".", ".Lists", ".Lists.python", ".INBOX.below"}
        assert seen(room) == {"INBOX": "INBOX", "INBOX/below": "below", "Lists": "Lists", "Lists/python": "python"}

    def test_the_marker_of_the_root_stays_when_the_inbox_is_marked(self, room: MaildirDriver) -> None:
        before = (room.root / ".jmapsync").read_bytes()
        inbox = room.folder("INBOX")
        room.adopt(inbox, "INBOX", "M1")
        assert (room.root / ".jmapsync").read_bytes() == before
        assert json.loads(before)["layout"] == "maildir++"

    @pytest.mark.parametrize(
        ("name", "place"),
        [
            ("a.b", ".a%2Eb"),
            ("..", ".%2E%2E"),
            (".hidden.", ".%2Ehidden%2E"),
            ("~root", ".~root"),
            ("a/b", ".a%2Fb"),
            ("100%2E", ".100%252E"),
            ("Grüße", ".Grüße"),
            ("inbox", ".%69nbox"),
            ("cur", ".%63ur"),
        ],
    )
    def test_a_name_comes_back_as_it_was(self, name: str, place: str, room: MaildirDriver) -> None:
        key = room.folder(name)
        assert maildirs(room) == {place}
        room.ledger.drop_folder(key)  # a lost ledger knows names by their folders only
        assert list(seen(room).values()) == [name]

    def test_names_that_differ_by_case_or_normalisation_only(self, room: MaildirDriver) -> None:
        for name in ("Caf\u00e9", "CAFE\u0301", "caf\u00e9"):
            room.folder(name)
        assert len({place.casefold() for place in maildirs(room)}) == 3

    def test_a_path_fits_into_one_file_name_or_is_refused(self, room: MaildirDriver) -> None:
        first = room.folder("a" * 300)
        second = room.folder("b" * 300, parent=first)
        assert all(len(place.encode()) <= 255 for place in maildirs(room))
        assert len(seen(room)) == 2
        with pytest.raises(AssertionError, match="File name too long"):
            room.folder("c", parent=room.folder("b" * 30, parent=second))


class TestWhatIsAFolder:
    def test_other_programs_directories_are_none(self, room: MaildirDriver) -> None:
        for name in (".git", ".notmuch", "plain/cur", ".Trash-1000/files", "lost+found"):
            (room.root / name).mkdir(parents=True)
        (room.root / ".new").mkdir()
        assert set(seen(room)) == {"new"}
        assert room.side.tree.odd == []

    def test_the_root_is_no_inbox_before_it_is_a_maildir(self, room: MaildirDriver) -> None:
        assert seen(room) == {}
        (room.root / "cur").mkdir()
        assert set(seen(room)) == {"INBOX"}

    def test_a_parent_that_is_not_there_is_made(self, room: MaildirDriver) -> None:
        (room.root / ".Lists.python" / "cur").mkdir(parents=True)
        assert set(seen(room)) == {"Lists", "Lists/python"}
        assert maildirs(room) == {".Lists", ".Lists.python"}

    @pytest.mark.parametrize("name", [".a..b", ".a.", "..a", ".INBOX", ".Inbox.a", os.fsdecode(b".\xff")])
    def test_a_name_that_stands_for_no_path_is_reported(self, name: str, room: MaildirDriver) -> None:
        (room.root / name / "cur").mkdir(parents=True)
        assert seen(room) == {}
        assert [path for path, _ in room.side.tree.odd] == [name]

    def test_a_symbolic_link_is_reported_and_so_is_what_lies_below(self, room: MaildirDriver, tmp_path: Path) -> None:
        (tmp_path / "elsewhere" / "cur").mkdir(parents=True)
        (room.root / ".a").symlink_to(tmp_path / "elsewhere")
        (room.root / ".a.b" / "cur").mkdir(parents=True)
        assert seen(room) == {}
        assert [path for path, _ in room.side.tree.odd] == [".a", ".a.b"]


class TestChanges:
    def test_a_rename_takes_along_all_that_lies_below_known_or_not(self, room: MaildirDriver) -> None:
        lists = room.folder("Lists")
        python = room.folder("python", parent=lists)
        room.folder("Listserver")
        (room.root / ".Lists.new" / "cur").mkdir(parents=True)
        room.side.tree.move(lists, "Old")
        assert maildirs(room) == {".Old", ".Old.python", ".Old.new", ".Listserver"}
        assert room.side.tree.paths[python] == "Old/python"
        assert not (room.root / MOVING).exists()

    def test_a_rename_that_was_killed_is_finished(self, room: MaildirDriver) -> None:
        lists = room.folder("Lists")
        python = room.folder("python", parent=lists)
        (room.root / MOVING).write_text('["Lists", "Old"]\n')
        (room.root / ".Lists").rename(room.root / ".Old")
        room.open()
        assert maildirs(room) == {".Old", ".Old.python"}
        found = {folder.ref: folder.key for folder in room.observe_folders()}
        assert found == {"Old": lists, "Old/python": python}

    def test_a_rename_that_fails_halfway_is_taken_back(self, room: MaildirDriver, monkeypatch: pytest.MonkeyPatch) -> None:
        lists = room.folder("Lists")
        room.folder("python", parent=lists)
        (room.root / ".Lists.taken").mkdir()
        monkeypatch.setattr(PlusPlusTree, "_renames", lambda *_: [(".Lists", ".Old"), (".missing", ".Old.missing")])
        with pytest.raises(FileNotFoundError):
            room.side.tree.move(lists, "Old")
        assert {".Lists", ".Lists.python"} <= maildirs(room)
        assert not (room.root / MOVING).exists()

    def test_a_rename_lays_no_folder_over_another(self, room: MaildirDriver) -> None:
        lists = room.folder("Lists")
        room.folder("python", parent=lists)
        (room.root / ".Old.python").mkdir()
        with pytest.raises(FileExistsError):
            room.side.tree.move(lists, "Old")
        assert maildirs(room) == {".Lists", ".Lists.python"}

    def test_a_folder_with_folders_below_it_is_not_removed(self, room: MaildirDriver) -> None:
        lists = room.folder("Lists")
        (room.root / ".Lists.new").mkdir()
        with pytest.raises(OSError, match="not empty"):
            room.side.tree.remove(lists)
        (room.root / ".Lists.new").rmdir()
        room.side.tree.remove(lists)
        assert maildirs(room) == set()

    def test_the_inbox_is_never_removed(self, room: MaildirDriver) -> None:
        inbox = room.folder("INBOX")
        with pytest.raises(OSError, match="not empty"):
            room.side.tree.remove(inbox)
        assert maildirs(room) == {"."}

    def test_mv_of_one_folder_leaves_those_below_where_they_are(self, room: MaildirDriver) -> None:
        lists = room.folder("Lists")
        python = room.folder("python", parent=lists)
        (room.root / ".Lists").rename(room.root / ".Old")
        found = {folder.ref: folder.key for folder in room.observe_folders()}
        assert found == {"Old": lists, "Lists": None, "Lists/python": python}


@pytest.mark.parametrize(("before", "after"), [("nested", "maildir++"), ("maildir++", "nested")])
def test_another_layout_over_a_root_is_refused_before_anything_is_touched(before: str, after: str, tmp_path: Path) -> None:
    room = MaildirDriver(tmp_path, layout=before)
    room.folder("INBOX")
    there = sorted(room.root.rglob("*"))
    with contextlib.closing(Ledger.open(tmp_path / "other.sqlite")) as ledger:
        for one in (room.ledger, ledger):
            with pytest.raises(LayoutError, match=r"in the layout .* not ") as refusal:
                MaildirSide(room.root, tmp_path / "spool", layout=after).open(one, "a1")
            assert refusal.value.exit_code is ExitCode.USAGE
    assert sorted(room.root.rglob("*")) == there


@pytest.mark.parametrize(("folder", "layout"), [("", "nested"), ("INBOX", "maildir++"), ("Lists", "maildir++")])
def test_another_programs_tree_in_the_other_layout_is_refused(folder: str, layout: str, tmp_path: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (tmp_path / "mail" / folder / part).mkdir(parents=True)
    with pytest.raises(LayoutError, match="another layout"):
        MaildirDriver(tmp_path, layout=layout)
    assert not (tmp_path / "mail" / ".jmapsync").exists()


@pytest.mark.parametrize(("folder", "layout"), [("", "maildir++"), (".Lists", "maildir++"), ("INBOX", "nested"), ("a/b", "nested")])
def test_another_programs_tree_in_the_same_layout_is_taken_over(folder: str, layout: str, tmp_path: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (tmp_path / "mail" / folder / part).mkdir(parents=True)
    assert (folder.removeprefix(".") or "INBOX") in seen(MaildirDriver(tmp_path, layout=layout))
