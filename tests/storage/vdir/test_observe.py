"""Scanning a vdir: what people and programs do to the files is seen once, and nothing uncertain is a deletion."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.planner.model import Version
from jmapsync.storage.files import scan
from jmapsync.storage.vdir import observe as observed
from jmapsync.storage.vdir.read import Reader
from tests.kit.vdir_driver import VdirDriver, assert_silent, item, rest

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.storage.port import DiskItems


def titles(room: VdirDriver, seen: DiskItems) -> dict[int, str]:
    return {one.key: str(room.content(one.key)["title"]) for one in seen.items if one.key is not None}


class TestWhatPeopleDo:
    def test_is_seen_once(self, room: VdirDriver, work: int, home: int) -> None:
        edited, moved, removed, copied, renamed = (room.create(item(f"u{number}"), work) for number in range(5))
        room.save(room.paths(edited)[0], item("u0", "edited"))
        room.paths(moved)[0].rename(room.directory(home) / "any name.ics")
        room.paths(removed)[0].unlink()
        shutil.copy2(room.paths(copied)[0], room.directory(home))
        room.paths(renamed)[0].rename(room.directory(work) / "renamed.ics")
        room.save(room.directory(home) / "new.ics", item("new", "New"))
        seen = room.observe()
        assert seen.gone == [removed]
        assert {one.key: (one.version.homes, one.version.untidy) for one in seen.items if one.key} == {
            edited: (frozenset({work}), False),
            moved: (frozenset({home}), False),
            copied: (frozenset({work, home}), False),
            renamed: (frozenset({work}), False),
        }
        assert titles(room, seen)[edited] == "edited"
        assert [(one.key, one.digest, one.ref) for one in seen.items if one.key is None] == [(None, "new", "Home/new.ics")]
        assert [path.name for path in room.paths(renamed)] == ["renamed.ics"]
        assert len(room.items()) == 5
        assert_silent(room)

    def test_a_file_rewritten_with_the_same_meaning_is_no_change(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one", emails={"mine": "a@example.com"}), work)
        before = room.version(key)
        room.save(room.paths(key)[0], item("one", emails={"theirs": "a@example.com"}, updated="2026-11-23T00:00:00Z"))
        assert [(one.key, one.version) for one in room.observe().items] == [(key, before)]
        assert room.content(key)["emails"] == {"mine": "a@example.com"}

    def test_an_edit_keeps_the_keys_that_entries_had(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one", emails={"a": "a@example.com", "b": "b@example.com"}), work)
        room.save(room.paths(key)[0], item("one", emails={"x": "b@example.com", "y": "c@example.com"}))
        room.observe()
        assert room.content(key)["emails"] == {"b": "b@example.com", "k1": "c@example.com"}
        assert room.read(key) == room.content(key)

    def test_a_file_ingested_beside_an_unmirrored_server_item_gets_that_ones_keys(self, room: VdirDriver, work: int) -> None:
        key = room.to_create(item("one"), [work]).order.key
        room.ledger.contents.put("remote", {key: b'{"uid":"one","title":"One","emails":{"theirs":"a@example.com"}}'})
        room.save(room.directory(work) / "one.ics", item("one", emails={"a": "a@example.com"}))
        assert [(one.key, one.digest) for one in room.observe().items] == [(key, "one")]
        assert room.content(key)["emails"] == {"theirs": "a@example.com"}
        assert_silent(room)

    def test_files_that_are_no_items_are_left_alone(self, room: VdirDriver, work: int) -> None:
        for name in ("notes.txt", "one.ics.tmp", ".one.ics", "one.ics~", "one.icsXy12", "noending", ".ics", ".ICS"):
            (room.directory(work) / name).write_bytes(b"x")
        (room.root / "loose.ics").write_bytes(b"x")
        assert_silent(room)

    def test_a_file_whose_uid_changed_is_another_item(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        room.save(room.paths(key)[0], item("two"))
        seen = room.observe()
        assert seen.gone == [key]
        assert [(one.key, one.digest) for one in seen.items] == [(None, "two")]
        assert [path.name for path in room.paths(room.items()[0].key)] == ["one.ics"]
        assert_silent(room)

    def test_two_files_that_swap_names_are_what_their_uids_say(self, room: VdirDriver, work: int) -> None:
        keys = [room.create(item(uid), work) for uid in ("a", "b")]
        paths = [room.paths(key)[0] for key in keys]
        paths[0].rename(paths[0].with_name("x"))
        paths[1].rename(paths[0])
        paths[0].with_name("x").rename(paths[1])
        seen = room.observe()
        assert seen.gone == []
        assert [room.paths(key)[0].name for key in keys] == ["b.ics", "a.ics"]
        assert_silent(room)

    def test_of_copies_that_differ_the_one_changed_last_counts(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        first, second = room.paths(key)
        room.save(second, item("one", "edited"))
        rest(first)
        os.utime(second, ns=(first.stat().st_mtime_ns + 10**9,) * 2)
        [seen] = room.observe().items
        sense = room.codec.sense(item("one", "edited"))
        assert seen.version == Version(sense, sense, homes=frozenset({work, home}), untidy=True)
        assert room.read(key) == item("one", "edited")

    def test_of_copies_edited_in_different_ways_all_are_named_and_none_counts(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        for number, path in enumerate(room.paths(key)):
            room.save(path, item("one", f"edited {number}"))
        for _ in range(2):
            seen = room.observe()
            assert sorted(problem.item for problem in seen.problems) == ["Home/one.ics", "Work/one.ics"]
            assert (seen.items, seen.gone) == ([], [])
        room.paths(key)[1].unlink()
        [one] = room.observe().items
        assert one.version.homes == {work}

    def test_of_new_copies_that_differ_all_are_named_and_none_is_ingested(self, room: VdirDriver, work: int, home: int) -> None:
        for number, folder in enumerate((work, home)):
            room.save(room.directory(folder) / "new.ics", item("new", f"written {number}"))
        seen = room.observe()
        assert sorted(problem.item for problem in seen.problems) == ["Home/new.ics", "Work/new.ics"]
        assert seen.items == []

    @pytest.mark.parametrize("age", [-(10**9), -1])
    def test_a_copy_that_is_older_than_the_item_is_no_edit_of_it(self, room: VdirDriver, work: int, home: int, age: int) -> None:
        """Such as one that lay beside the item in a collection that the item then left."""
        key = room.create(item("one", "the latest"), work)
        old = room.directory(home) / "twin.ics"
        room.save(old, item("one", "long ago"))
        os.utime(old, ns=(room.paths(key)[0].stat().st_mtime_ns + age,) * 2)
        seen = room.observe()
        assert (seen.items, seen.gone) == ([], [])
        assert sorted(problem.item for problem in seen.problems) == ["Home/twin.ics", f"Work/{room.paths(key)[0].name}"]
        old.unlink()
        assert_silent(room)

    def test_of_copies_one_in_a_collection_that_went_meanwhile_does_not_count(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        shutil.rmtree(room.directory(home))
        del room.side.tree.paths[home]
        room.save(room.directory(work) / "one.ics", item("one", "edited"))
        [seen] = room.observe().items
        assert (seen.key, seen.version.homes) == (key, frozenset({work}))
        assert titles(room, room.observe()) == {}

    def test_of_copies_the_edited_one_counts_though_another_was_touched_later(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        first, second = room.paths(key)
        room.save(first, item("one", "edited"))
        os.utime(second, ns=(first.stat().st_mtime_ns + 10**9,) * 2)
        room.observe()
        assert (room.content(key)["title"], room.read(key)) == ("edited", item("one", "edited"))

    def test_when_the_differing_copy_is_removed_the_other_one_counts_again(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        room.save(room.paths(key)[1], item("one", "edited"))
        os.utime(room.paths(key)[1], ns=(2 * 10**18,) * 2)
        room.observe()
        room.paths(key)[1].unlink()
        [seen] = room.observe().items
        sense = room.codec.sense(item("one"))
        assert seen.version == Version(sense, sense, homes=frozenset({work}))
        assert room.content(key)["title"] == "One"

    def test_only_changed_files_are_read(self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(5):
            room.create(item(f"u{number}"), work)
        room.save(room.directory(work) / "u3.ics", item("u3", "edited"))
        asked: list[str] = []
        read = Reader.read

        def reading(self: Reader, folder: int, entry: scan.Entry) -> object:
            asked.append(entry.name)
            return read(self, folder, entry)

        monkeypatch.setattr(Reader, "read", reading)
        room.observe()
        assert asked == ["u3.ics"]


class TestFilesWithoutUid:
    def test_have_one_that_their_place_gives_them(self, room: VdirDriver, work: int) -> None:
        room.save(room.directory(work) / "a.ics", b'{"title": "A"}')
        room.save(room.directory(work) / "b.ics", b'{"title": "A"}')
        room.observe()
        uids = {record.digest for record in room.items()}
        assert len(uids) == 2
        assert "" not in uids
        assert {str(room.content(record.key)["uid"]) for record in room.items()} == uids
        assert_silent(room)
        room.lose_ledger()
        room.observe()
        assert {record.digest for record in room.items()} == uids

    def test_keep_it_when_they_are_edited_renamed_or_moved(self, room: VdirDriver, work: int, home: int) -> None:
        path = room.save(room.directory(work) / "a.ics", b'{"title": "A"}')
        room.observe()
        [before] = room.items()
        room.save(path, b'{"title": "B"}')
        room.observe()
        path = path.rename(path.with_name("z.ics"))
        room.observe()
        path.rename(room.directory(home) / "z.ics")
        seen = room.observe()
        assert seen.gone == []
        [after] = room.items()
        assert (after.key, after.digest) == (before.key, before.digest)
        assert room.content(after.key) == {"uid": before.digest, "title": "B"}

    def test_mean_the_same_once_they_are_written_with_it(self, room: VdirDriver, work: int) -> None:
        room.save(room.directory(work) / "a.ics", b'{"title": "A"}')
        room.observe()
        [record] = room.items()
        content = room.read(record.key)
        assert content is not None
        [receipt] = room.write(room.to_replace(record.key, content))
        assert receipt.version == record.local
        assert b"uid" in (room.directory(work) / "a.ics").read_bytes()
        assert_silent(room)


class TestSomeCollections:
    """A scan of the collections that the watcher reported."""

    def test_edits_and_new_items_are_seen_without_scanning_the_others(
        self, room: VdirDriver, work: int, home: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key, other = room.create(item("one"), work), room.create(item("two"), home)
        for path, content in ((room.paths(key)[0], "one"), (room.paths(other)[0], "two"), (room.directory(work) / "n.ics", "new")):
            room.save(path, item(content, "edited"))
        listed: list[str] = []
        scanned = scan.scan

        def note(directory: str, *arguments: Any) -> object:  # noqa: ANN401 # whatever they are
            listed.append(os.path.basename(os.path.realpath(directory)))
            return scanned(directory, *arguments)

        monkeypatch.setattr(observed, "scan", note)
        seen = room.side.observe_items(room.ledger, {"Work"})
        assert listed == ["Work"]
        assert [(one.key, one.digest) for one in seen.items] == [(key, "one"), (None, "new")]
        assert not seen.withheld

    @pytest.mark.parametrize("reported", ["Work", "Home"])
    def test_what_moved_is_found_wherever_it_went(self, room: VdirDriver, work: int, home: int, reported: str) -> None:
        key = room.create(item("one"), work)
        room.paths(key)[0].rename(room.directory(home) / "one.ics")
        seen = room.side.observe_items(room.ledger, {reported})
        assert (seen.gone, seen.withheld) == ([], False)
        assert [(one.key, one.version.homes) for one in seen.items] == [(key, frozenset({home}))]

    def test_what_is_removed_is_gone(self, room: VdirDriver, work: int, home: int) -> None:
        room.create(item("two"), home)
        key = room.create(item("one"), work)
        room.paths(key)[0].unlink()
        assert room.side.observe_items(room.ledger, {"Work"}).gone == [key]

    def test_a_copy_edited_elsewhere_too_is_scanned_as_well(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        first, second = room.paths(key)
        room.save(first, item("one", "older"))
        room.save(second, item("one", "newer"))
        seen = room.side.observe_items(room.ledger, {"Work"})
        assert (sorted(problem.item for problem in seen.problems), seen.items) == (["Home/one.ics", "Work/one.ics"], [])
        room.save(second, item("one", "older"))
        seen = room.side.observe_items(room.ledger, {"Work"})
        assert (seen.problems, [(one.key, one.version.untidy) for one in seen.items]) == ([], [(key, False)])


class TestManyFiles:
    def test_are_ingested_in_several_scans_and_nothing_is_gone_before_the_last(self, tmp_path: Path) -> None:
        room = VdirDriver(tmp_path, limit=3)
        work, home = room.folder("Work"), room.folder("Home")
        moved, removed = room.create(item("moved"), work), room.create(item("removed"), work)
        for number in range(7):
            room.save(room.directory(home) / f"{number}.ics", item(f"u{number}"))
        room.save(room.directory(home) / "5again.ics", item("u5"))
        room.save(room.directory(home) / "bad.ics", b"no")
        room.paths(moved)[0].rename(room.directory(home) / "zzz.ics")
        room.paths(removed)[0].unlink()
        observations = [room.observe()]
        while observations[-1].more:
            observations.append(room.observe())
        assert len(observations) == 3
        assert [seen.gone for seen in observations] == [[], [], [removed]]
        assert sorted(record.digest for record in room.items()) == ["moved", "u0", "u1", "u2", "u3", "u4", "u5", "u6"]
        assert room.version(moved).homes == {home}
        assert sorted(trouble.item for trouble in observations[-1].problems) == ["Home/5.ics", "Home/5again.ics", "Home/bad.ics"]
        room.ledger.close()

    def test_files_that_are_quarantined_hold_nothing_up(self, tmp_path: Path) -> None:
        room = VdirDriver(tmp_path, limit=2)
        work = room.folder("Work")
        for number in range(20):
            room.save(room.directory(work) / f"{number:03}.ics", b"no" if number < 15 else item("same"))
        room.save(room.directory(work) / "zzz.ics", item("good"))
        seen = room.observe()
        assert (seen.more, [one.digest for one in seen.items]) == (False, ["good"])
        room.ledger.close()
