"""Files of a vdir that cannot be identified, and what is missing: named, left alone, and never a deletion."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import Remedy
from jmapsync.storage.files import scan
from jmapsync.storage.port import Refused, Success
from jmapsync.storage.vdir import observe as observed
from jmapsync.storage.vdir.read import LARGEST
from tests.kit.vdir_driver import VdirDriver, assert_silent, item, rest
from tests.storage.vdir.test_observe import titles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def saved(content: bytes) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        path.write_bytes(content)
        rest(path)

    return save


def huge(path: Path) -> None:
    os.truncate(path, LARGEST + 1)
    rest(path)


SPOILT: dict[str, Callable[[Path], None]] = {
    "half": saved(b'{"uid": "one", "ti'),
    "empty": saved(b""),
    "a fault of the converter": saved(b'"boom"'),
    "half a character in its uid": saved(b'{"uid": "\\ud800"}'),
    "huge": huge,
    "a link": link,
    "a directory": directory,
    "a pipe": pipe,
}


class TestQuarantine:
    @pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
    def test_a_known_file_that_cannot_be_read_leaves_its_item_as_it_was(
        self, room: VdirDriver, work: int, spoil: Callable[[Path], None]
    ) -> None:
        key, other = room.create(item("one"), work), room.create(item("two"), work)
        before = room.record(key), room.places(key), room.content(key)
        [path] = room.paths(key)
        spoil(path)
        room.save(room.paths(other)[0], item("two", "edited"))
        seen = room.observe()
        assert [trouble.item for trouble in seen.problems] == ["Work/one.ics"]
        assert seen.problems[0].why
        assert (seen.gone, [one.key for one in seen.items]) == ([], [other])
        assert (room.record(key), room.places(key), room.content(key)) == before
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        room.save(path, item("one", "mended"))
        seen = room.observe()
        assert (seen.problems, titles(room, seen)) == ([], {key: "mended"})

    def test_a_new_file_that_cannot_be_read_is_named_and_left_alone(self, room: VdirDriver, work: int) -> None:
        path = room.save(room.directory(work) / "bad.ics", b"BEGIN:VCAL")
        room.save(room.directory(work) / "good.ics", item("good"))
        seen = room.observe()
        assert [(trouble.item, trouble.why) for trouble in seen.problems] == [
            ("Work/bad.ics", "it is no JSON; the file stays as it is")
        ]
        assert [one.digest for one in seen.items] == ["good"]
        assert path.read_bytes() == b"BEGIN:VCAL"

    def test_a_name_that_is_no_text_is_named(self, room: VdirDriver, work: int) -> None:
        name = os.fsdecode(b"caf\xe9.ics")
        room.save(room.directory(work) / name, item("one"))
        seen = room.observe()
        assert [(trouble.item, trouble.why) for trouble in seen.problems] == [
            ("Work/caf\\xe9.ics", "its name is not valid UTF-8; rename it")
        ]
        assert seen.items == []

    def test_a_file_still_being_written_waits(self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch) -> None:
        gone, kept = room.create(item("gone"), work), room.create(item("kept"), work)
        room.paths(gone)[0].unlink()
        path = room.paths(kept)[0]
        path.write_bytes(b"half")
        monkeypatch.setattr("time.sleep", lambda _: path.write_bytes(path.read_bytes() + b"!"))
        seen = room.observe()
        assert [(trouble.item, trouble.why[:24]) for trouble in seen.problems] == [("Work/kept.ics", "it is still being writte")]
        assert (seen.items, seen.gone, seen.moved) == ([], [], [])
        monkeypatch.undo()
        room.save(path, item("kept", "whole"))
        seen = room.observe()
        assert (seen.gone, titles(room, seen)) == ([gone], {kept: "whole"})

    def test_two_new_files_of_one_uid_are_both_named_and_neither_ingested(self, room: VdirDriver, work: int) -> None:
        for name in ("a", "b"):
            room.save(room.directory(work) / f"{name}.ics", item("same", name))
        room.save(room.directory(work) / "c.ics", item("other"))
        seen = room.observe()
        assert [(trouble.item, trouble.why) for trouble in seen.problems] == [
            ("Work/a.ics", "it has the same UID as b.ics; remove or change one of them"),
            ("Work/b.ics", "it has the same UID as a.ics; remove or change one of them"),
        ]
        assert [one.digest for one in seen.items] == ["other"]
        (room.directory(work) / "a.ics").unlink()
        assert [one.digest for one in room.observe().items] == ["same"]

    def test_the_servers_item_of_that_uid_waits_too(self, room: VdirDriver, work: int, home: int) -> None:
        """A lost ledger meets the files of one uid again, and must not add a third one."""
        for name in ("a", "b"):
            room.save(room.directory(work) / f"{name}.ics", item("same", name))
        room.observe()
        job = room.to_create(item("same"), [work])
        [receipt] = room.write(job)
        assert (type(receipt), receipt.remedy) == (Refused, Remedy.HUMAN)
        assert receipt.why == "several files of its UID lie in Work; remove or change all but one"
        assert {path.name for path in room.directory(work).glob("*.ics")} == {"a.ics", "b.ics"}
        assert isinstance(room.write(room.to_create(item("same"), [home]))[0], Success)
        (room.directory(work) / "b.ics").unlink()
        [seen] = [one for one in room.observe().items if one.digest == "same"]
        assert seen.version.homes == {work}

    def test_a_known_item_with_a_second_file_stays_as_it_was(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        shutil.copy(path, path.with_name("backup.ics"))
        rest(path.with_name("backup.ics"))
        room.save(path, item("one", "edited"))
        before = room.record(key), room.places(key)
        seen = room.observe()
        assert [trouble.item for trouble in seen.problems] == ["Work/backup.ics", "Work/one.ics"]
        assert (seen.items, seen.gone, room.record(key), room.places(key)) == ([], [], *before)
        path.with_name("backup.ics").unlink()
        seen = room.observe()
        assert (seen.problems, titles(room, seen)) == ([], {key: "edited"})

    def test_when_the_known_file_of_two_goes_the_other_one_is_the_item(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        shutil.copy(path, path.with_name("backup.ics"))
        room.observe()
        path.unlink()
        seen = room.observe()
        assert (seen.gone, [one.key for one in seen.items]) == ([], [key])
        assert [one.name for one in room.paths(key)] == ["backup.ics"]

    def test_a_known_item_whose_files_are_two_new_ones_is_not_gone(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        for name in ("a.ics", "b.ics"):
            room.save(path.with_name(name), item("one"))
        path.unlink()
        seen = room.observe()
        assert (seen.gone, seen.items, len(seen.problems)) == ([], [], 2)
        assert room.version(key).homes == {work}

    def test_a_file_renamed_and_spoilt_is_not_gone(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        path = room.paths(key)[0].rename(room.directory(work) / "renamed.ics")
        path.write_bytes(b"half")
        rest(path)
        seen = room.observe()
        assert (seen.gone, [trouble.item for trouble in seen.problems]) == ([], ["Work/renamed.ics"])

    def test_an_item_that_lost_its_place_to_a_quarantined_one_is_kept(self, room: VdirDriver, work: int, home: int) -> None:
        """The file of one copy is another item by now; the other copy cannot be read: nothing of both is reported."""
        key = room.create(item("one"), work, home)
        first, second = room.paths(key)
        room.save(first, item("new"))
        room.save(second, b"half")
        before = room.record(key), room.places(key)
        seen = room.observe()
        assert (seen.items, seen.gone, seen.moved, seen.places) == ([], [], [], [])
        assert (room.record(key), room.places(key)) == before
        second.unlink()
        seen = room.observe()
        assert (seen.gone, [one.digest for one in seen.items]) == ([key], ["new"])
        assert_silent(room)


class TestWhatIsMissing:
    def test_a_collection_that_vanished_with_its_items_is_suspicious(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work)
        room.create(item("two"), home)
        shutil.rmtree(room.directory(work))
        seen = room.observe()
        assert seen.suspicious == "the collection Work disappeared with what was in it"
        assert seen.gone == [key]

    def test_everything_gone_at_once_is_suspicious(self, room: VdirDriver, work: int) -> None:
        keys = [room.create(item(f"u{number}"), work) for number in range(observed.FEW + 1)]
        for key in keys:
            room.paths(key)[0].unlink()
        seen = room.observe()
        assert seen.suspicious == "every item disappeared at once"
        assert seen.gone == keys

    def test_the_last_few_may_go_without_a_question(self, room: VdirDriver, work: int) -> None:
        for number in range(observed.FEW):
            room.paths(room.create(item(f"u{number}"), work))[0].unlink()
        seen = room.observe()
        assert (len(seen.gone), seen.suspicious) == (observed.FEW, "")

    def test_a_collection_that_cannot_be_listed_loses_nothing(
        self, room: VdirDriver, work: int, home: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = [room.create(item("one"), work), room.create(item("two"), home)]
        listed = scan._read

        def fail(directory: str, is_item: Callable[[str], bool]) -> object:
            if os.path.realpath(directory).endswith("Work"):
                raise PermissionError(13, "Permission denied", directory)
            return listed(directory, is_item)

        monkeypatch.setattr(scan, "_read", fail)
        room.paths(keys[1])[0].unlink()
        seen = room.observe()
        assert (seen.gone, seen.suspicious) == ([keys[1]], "")
        assert [trouble.item for trouble in seen.problems] == ["Work"]

    def test_absence_counts_only_when_a_second_listing_confirms_it(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A directory that changes while it is read may skip an entry."""
        room.create(item("one"), work)
        listed = scan._read
        skips = iter([True])

        def skip(directory: str, is_item: Callable[[str], bool]) -> dict[str, tuple[int, int, int]]:
            found = listed(directory, is_item)
            return {} if next(skips, False) else found

        monkeypatch.setattr(scan, "_read", skip)
        seen = room.observe()
        assert (seen.gone, seen.items, seen.moved) == ([], [], [])

    def test_in_a_directory_that_never_rests_nothing_is_gone(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone, edited = room.create(item("gone"), work), room.create(item("edited"), work)
        room.paths(gone)[0].unlink()
        room.save(room.paths(edited)[0], item("edited", "edited"))
        monkeypatch.setattr(observed, "has_changed", lambda *_: True)
        seen = room.observe()
        assert (seen.gone, seen.moved, titles(room, seen)) == ([], [], {edited: "edited"})
        monkeypatch.undo()
        assert room.observe().gone == [gone]

    @pytest.mark.parametrize("towards", ["Work", "Home"])
    def test_what_moves_while_the_run_goes_on_is_neither_lost_nor_doubled(
        self, room: VdirDriver, work: int, home: int, monkeypatch: pytest.MonkeyPatch, towards: str
    ) -> None:
        start, end = (home, work) if towards == "Work" else (work, home)
        key = room.create(item("one"), start)
        [path] = room.paths(key)
        scanned = scan.scan
        seen_first: list[str] = []

        def move_between(directory: str, suffix: str, known: object) -> object:
            found = scanned(directory, suffix, known)  # type: ignore[arg-type]
            if not seen_first:
                path.rename(room.directory(end) / path.name)
            seen_first.append(directory)
            return found

        monkeypatch.setattr(observed, "scan", move_between)
        seen = room.observe()
        assert seen.gone == []
        assert [(one.key, one.version.homes) for one in seen.items] == [(key, frozenset({end}))]
        assert len(seen_first) == 4
        assert_silent(room)

    def test_while_a_new_file_moves_it_is_one_item_in_one_place(
        self, room: VdirDriver, work: int, home: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = room.save(room.directory(work) / "new.ics", item("new"))
        scanned = scan.scan
        calls: list[str] = []

        def move_between(directory: str, suffix: str, known: object) -> object:
            found = scanned(directory, suffix, known)  # type: ignore[arg-type]
            if not calls:
                path.rename(room.directory(home) / path.name)
            calls.append(directory)
            return found

        monkeypatch.setattr(observed, "scan", move_between)
        [seen] = room.observe().items
        assert (seen.key, seen.version.homes) == (None, frozenset({home}))
        assert_silent(room)
