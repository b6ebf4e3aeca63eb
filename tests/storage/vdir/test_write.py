"""Writing items into a vdir (vdirsyncer docs/vdir.rst)."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import Remedy
from jmapsync.planner.model import Verb, Version
from jmapsync.storage.files import atomic, swap
from jmapsync.storage.port import Filed, Refused, Stale, Success
from jmapsync.storage.vdir import write
from tests.kit.vdir_driver import VdirDriver, assert_silent, item

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PHOTO = "data:image/jpeg;base64," + "QUJD" * 200


class TestWhatIsWritten:
    def test_is_read_back_with_its_data_and_is_no_news(self, room: VdirDriver, work: int, home: int) -> None:
        first = room.create(item("one", emails={"a": "a@example.com", "b": "b@example.com"}, photo={"uri": PHOTO}), work)
        both = room.create(item("two"), work, home)
        assert_silent(room)
        assert room.read(first) == item(
            "one", emails={"a": "a@example.com", "b": "b@example.com"}, photo={"uri": PHOTO, "mediaType": "image/jpeg"}
        )
        assert PHOTO not in room.ledger.contents.of([first], "local")[first].decode()
        room.write(room.to_update(first, [home]), room.to_delete(both))
        assert_silent(room)
        assert room.version(first).homes == {home}
        assert room.paths(both) == []

    def test_is_found_by_a_full_sync(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one", emails={"mine": "a@example.com"}), work, home)
        before = room.version(key)
        room.ledger.drop_places([(place.folder, place.name) for place in room.places(key)])
        seen = room.observe()
        assert [(one.key, one.version, one.digest) for one in seen.items] == [(key, before, "one")]
        assert room.content(key) == item("one", emails={"mine": "a@example.com"})

    def test_is_reported_as_the_file_reads_now(self, room: VdirDriver, work: int) -> None:
        job = room.to_create(item("one", emails={"z": "z@example.com"}, lost="what no file holds"), [work])
        [receipt] = room.write(job)
        assert receipt.version is not None
        assert room.content(receipt.key) == item("one", emails={"z": "z@example.com"})
        assert receipt.version.sense == receipt.version.body == room.codec.sense(item("one", emails={"other": "z@example.com"}))
        assert receipt.digest == "one"

    def test_only_its_owner_may_read(self, room: VdirDriver, work: int) -> None:
        [path] = room.paths(room.create(item(), work))
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    def test_the_same_bytes_are_not_written_again(self, room: VdirDriver, work: int) -> None:
        key = room.create(item(), work)
        [path] = room.paths(key)
        before = path.stat()
        [receipt] = room.write(room.to_replace(key, item(lost="nothing of the file")))
        assert isinstance(receipt, Success)
        assert path.stat() == before
        assert_silent(room)

    def test_a_file_is_later_than_the_one_it_replaces(self, room: VdirDriver, work: int) -> None:
        key = room.create(item(), work)
        [path] = room.paths(key)
        for distance in (0, 3600, 10**9):
            moment = path.stat().st_mtime_ns + distance * 10**9
            os.utime(path, ns=(moment, moment))
            room.observe()
            room.write(room.to_replace(key, item(title=f"after {distance}")))
            assert path.stat().st_mtime_ns > moment
            assert_silent(room)

    @pytest.mark.parametrize("grain", [1_000_000, 1_000_000_000, 2_000_000_000])
    def test_it_is_later_where_a_file_system_counts_time_in_larger_steps(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch, grain: int
    ) -> None:
        utime, fstat = os.utime, os.fstat
        given: dict[int, int] = {}

        def coarse(path: str | int, ns: tuple[int, int]) -> None:
            utime(path, ns=(ns[0] // grain * grain, ns[1] // grain * grain))
            given[fstat(path).st_ino if isinstance(path, int) else os.stat(path).st_ino] = 1

        def just_written(handle: int) -> os.stat_result:
            """Give a file that was just written the time that it has on such a file system."""
            state = fstat(handle)
            if state.st_ino not in given:
                coarse(handle, (state.st_mtime_ns, state.st_mtime_ns))
            return fstat(handle)

        key = room.create(item(), work)
        [path] = room.paths(key)
        moment = (path.stat().st_mtime_ns // grain + 1) * grain
        utime(path, ns=(moment, moment))
        room.observe()
        monkeypatch.setattr(os, "utime", coarse)
        monkeypatch.setattr(os, "fstat", just_written)
        room.write(room.to_replace(key, item(title="later")))
        monkeypatch.undo()
        assert path.stat().st_mtime_ns > moment
        assert path.stat().st_mtime_ns % grain == 0

    def test_the_name_of_a_file_is_kept_for_life(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        path.rename(path.with_name("dentist.ics"))
        room.observe()
        room.write(room.to_replace(key, item("one", "moved"), [work, home]))
        assert [path.name for path in room.paths(key)] == ["dentist.ics", "dentist.ics"]
        room.write(room.to_update(key, [home]))
        assert [(path.parent.name, path.name) for path in room.paths(key)] == [("Home", "dentist.ics")]
        assert room.read(key) == item("one", "moved")

    @pytest.mark.parametrize("uid", ["0F-a_b.c+d@example.com", "x" * 200, "-", "a.tmp"])
    def test_a_new_name_is_the_uid_where_that_is_safe(self, room: VdirDriver, work: int, uid: str) -> None:
        assert [path.name for path in room.paths(room.create(item(uid), work))] == [f"{uid}.ics"]

    def test_a_new_name_is_without_the_prefix_of_a_uuid(self, room: VdirDriver, work: int) -> None:
        uid = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
        [path] = room.paths(room.create(item(uid), work))
        assert path.name == f"{uid[9:]}.ics"
        assert room.record(room.items()[0].key).digest == uid

    @pytest.mark.parametrize("uid", ["x" * 201, ".hidden", "..", "../../etc/passwd", "urn:uuid:../1", "urn:x:1", "ünï", "a\0b\nc"])
    def test_a_new_name_is_the_sha1_of_any_other_uid(self, room: VdirDriver, work: int, uid: str) -> None:
        [path] = room.paths(room.create(item(uid), work))
        assert path == room.directory(work) / f"{hashlib.sha1(uid.encode()).hexdigest()}.ics"
        assert room.record(room.items()[0].key).digest == uid

    def test_names_that_some_file_systems_take_for_one_differ(self, room: VdirDriver, work: int) -> None:
        keys = [room.create(item(uid), work) for uid in ("Meeting", "meeting", "MEETING")]
        names = [path.name for key in keys for path in room.paths(key)]
        assert len({name.casefold() for name in names}) == 3
        assert names[0] == "Meeting.ics"
        assert [room.read(key) for key in keys] == [item(uid) for uid in ("Meeting", "meeting", "MEETING")]

    def test_a_file_of_somebody_elses_is_never_written_over(self, room: VdirDriver, work: int) -> None:
        theirs = room.directory(work) / "one.ics"
        theirs.write_bytes(b"half of someth")
        [path] = room.paths(room.create(item("one"), work))
        assert path != theirs
        assert theirs.read_bytes() == b"half of someth"

    @pytest.mark.parametrize("call", ["displace", "give_name"])
    def test_what_is_saved_over_it_as_soon_as_it_has_its_name_is_news(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        key = room.create(item("one"), work) if call == "displace" else 0
        path = room.directory(work) / "one.ics"
        real = getattr(write, call)

        def and_saved(*arguments: Any) -> Any:  # noqa: ANN401 # as either has them
            done = real(*arguments)
            room.save(path, item("one", "saved right after"))
            return done

        monkeypatch.setattr(write, call, and_saved)
        room.write(room.to_replace(key, item("one", "theirs")) if key else room.to_create(item("one"), [work]))
        monkeypatch.undo()
        [seen] = room.observe().items
        assert json.loads(seen.content)["title"] == "saved right after"

    def test_a_name_that_the_ledger_knows_of_another_item_is_not_taken(self, room: VdirDriver, work: int) -> None:
        """Its file went after the scan; were the name taken, nobody would miss the other item any more."""
        other = room.create(item("other"), work)
        [theirs] = room.paths(other)
        theirs = theirs.rename(theirs.with_name("one.ics"))
        room.observe()
        theirs.unlink()
        [path] = room.paths(room.create(item("one"), work))
        assert path != theirs
        room.observe()
        assert room.record(other).local is None

    @pytest.mark.parametrize("title", ["unwritable", "boom"])
    def test_what_cannot_be_a_file_is_refused_alone(self, room: VdirDriver, work: int, title: str) -> None:
        receipts = room.write(room.to_create(item("a", title), [work]), room.to_create(item("b"), [work]))
        assert (type(receipts[0]), receipts[0].remedy) == (Refused, Remedy.NEVER)
        assert isinstance(receipts[1], Success)
        assert [path.name for path in room.directory(work).glob("*.ics")] == ["b.ics"]

    def test_a_large_body_may_come_in_a_file(self, room: VdirDriver, work: int, tmp_path: Path) -> None:
        job = room.to_create(item("one"), [work])
        spooled = tmp_path / "spooled"
        assert job.body is not None
        spooled.write_bytes(job.body.data or b"")
        job.body.data, job.body.path = None, spooled
        assert isinstance(room.write(job)[0], Success)
        assert_silent(room)

    def test_readers_see_a_whole_item_or_none(self, room: VdirDriver, work: int) -> None:
        folder = room.directory(work)
        torn: list[str] = []
        missing: list[str] = []
        over, met = threading.Event(), threading.Event()
        key = room.create(item("one", "x" * 200_000), work)

        def read() -> None:
            while not over.is_set():
                try:
                    found = (folder / "one.ics").read_bytes()
                except FileNotFoundError:
                    missing.append("one.ics")
                    continue
                met.set()
                if not found.endswith(b"}\r\n"):
                    torn.append("one.ics")

        reader = threading.Thread(target=read)
        reader.start()
        met.wait(90)
        for number in range(30):
            room.write(room.to_replace(key, item("one", f"{number}" * 200_000)))
        over.set()
        reader.join()
        assert (torn, missing) == ([], [])


class TestWhatIsExpected:
    def test_receipts_come_in_order_and_one_failure_is_nobody_elses(self, room: VdirDriver, work: int) -> None:
        keys = [room.create(item(f"u{number}"), work) for number in range(5)]
        room.paths(keys[2])[0].unlink()
        receipts = room.write(*(room.to_replace(key, item(f"u{number}", "new")) for number, key in enumerate(keys)))
        assert [type(receipt) for receipt in receipts] == [Filed] * 2 + [Stale] + [Filed] * 2
        assert receipts[2].why

    @pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.DELETE, Verb.REPLACE])
    @pytest.mark.parametrize("meddle", ["edit", "rename", "remove", "replace"])
    def test_an_order_that_expects_something_else_does_nothing(
        self, room: VdirDriver, work: int, home: int, meddle: str, verb: Verb
    ) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        job = {
            Verb.UPDATE: room.to_update(key, [home]),
            Verb.DELETE: room.to_delete(key),
            Verb.REPLACE: room.to_replace(key, item("one", "from the server")),
        }[verb]
        path.with_name("other").write_bytes(room.codec.write(item("one", "saved by renaming")))
        acts: dict[str, Callable[[], object]] = {
            "edit": lambda: path.write_bytes(room.codec.write(item("one", "edited in place"))),
            "rename": lambda: path.rename(path.with_name("renamed.ics")),
            "remove": path.unlink,
            "replace": lambda: path.with_name("other").rename(path),
        }
        acts[meddle]()
        before = {file: file.read_bytes() for file in path.parent.iterdir()}
        [receipt] = room.write(job)
        assert isinstance(receipt, Stale)
        assert receipt == Stale(key, receipt.why)
        assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
        assert list(room.directory(home).glob("*.ics")) == []

    @pytest.mark.parametrize("verb", [Verb.DELETE, Verb.REPLACE])
    def test_what_is_saved_over_a_file_in_the_moment_it_is_to_go_survives(
        self, room: VdirDriver, work: int, verb: Verb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        saved = room.codec.write(item("one", "saved by its user"))
        rename = os.rename

        def meddle(old: str, new: str) -> None:
            """Save over the file right before it is set aside, after it was examined for the last time."""
            if os.fspath(new).endswith(".tmp") and path.read_bytes() != saved:
                path.with_name("editing").write_bytes(saved)
                rename(path.with_name("editing"), path)
            rename(old, new)

        monkeypatch.setattr(os, "rename", meddle)
        job = room.to_delete(key) if verb is Verb.DELETE else room.to_replace(key, item("one", "from the server"))
        [receipt] = room.write(job)
        assert isinstance(receipt, Stale)
        assert {file.name: file.read_bytes() for file in path.parent.glob("*") if file.suffix != ""} == {path.name: saved}
        assert temporary(room) == []

    def test_what_is_saved_twice_in_that_moment_survives_twice(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = room.create(item("one"), work)
        [path] = room.paths(key)
        swapped = atomic.exchange
        number = iter(range(10))

        def meddle(one: str, other: str) -> bool:
            path.with_name("editing").write_bytes(room.codec.write(item("one", f"saved {next(number)}")))
            path.with_name("editing").rename(path)
            return swapped(one, other)

        monkeypatch.setattr(swap, "exchange", meddle)
        [receipt] = room.write(room.to_replace(key, item("one", "from the server")))
        assert isinstance(receipt, Stale)
        titles = {room.codec.read(file.read_bytes())["title"] for file in path.parent.glob("*.ics")}
        assert titles == {"saved 0", "saved 1"}

    def test_where_names_cannot_be_exchanged_files_are_replaced_all_the_same(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = room.create(item("one"), work)
        monkeypatch.setattr(atomic, "_RENAMEAT2", None)
        [receipt] = room.write(room.to_replace(key, item("one", "new")))
        assert isinstance(receipt, Success)
        assert room.read(key) == item("one", "new")
        assert_silent(room)

    @pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
    def test_where_there_are_no_hard_links_nobodys_name_is_taken_either(
        self, room: VdirDriver, work: int, home: int, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def refuse(source: str, target: str) -> None:
            raise OSError(number, os.strerror(number), source, None, target)

        monkeypatch.setattr(os, "link", refuse)
        (room.directory(work) / "one.ics").write_bytes(b"mine")
        key = room.create(item("one"), work, home)
        assert (room.directory(work) / "one.ics").read_bytes() == b"mine"
        assert [path.name == "one.ics" for path in room.paths(key)] == [False, True]
        assert temporary(room) == []

    def test_an_item_for_a_collection_that_is_gone_waits(self, room: VdirDriver, work: int) -> None:
        job = room.to_create(item("one"), [work + 1000])
        assert isinstance(room.write(job)[0], Stale)

    def test_a_body_that_changed_since_the_scan_is_not_sent(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        room.paths(key)[0].write_bytes(room.codec.write(item("one", "edited")))
        assert room.read(key) is None

    def test_a_copy_in_a_collection_that_went_meanwhile_hinders_nothing(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        shutil.rmtree(room.directory(home))
        del room.side.tree.paths[home]
        [receipt] = room.write(room.to_replace(key, item("one", "edited there"), [work]))
        assert (type(receipt), receipt.moved) == (Filed, ((home, "one.ics"),))
        assert room.read(key) == item("one", "edited there")

    def test_a_body_in_a_collection_that_went_meanwhile_is_not_read(self, room: VdirDriver, work: int) -> None:
        key = room.create(item("one"), work)
        del room.side.tree.paths[work]
        assert room.read(key) is None

    def test_copies_that_differ_are_made_alike(self, room: VdirDriver, work: int, home: int) -> None:
        key = room.create(item("one"), work, home)
        first, second = room.paths(key)
        room.save(second, item("one", "newer edit"))
        [seen] = room.observe().items
        assert seen.version == Version(seen.version.body, seen.version.body, homes=frozenset({work, home}), untidy=True)
        assert room.content(key)["title"] == "newer edit"
        [receipt] = room.write(room.to_update(key, [work, home]))
        assert isinstance(receipt, Success)
        assert receipt.version is not None
        assert not receipt.version.untidy
        assert first.read_bytes() == second.read_bytes() == room.codec.write(item("one", "newer edit"))
        assert_silent(room)

    def test_the_disk_being_full_is_reported_and_leaves_nothing_half(
        self, room: VdirDriver, work: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = room.create(item("one"), work)
        monkeypatch.setattr("jmapsync.storage.vdir.write.write_staged", _full)
        receipts = room.write(room.to_replace(key, item("one", "new")), room.to_create(item("two"), [work]))
        assert [type(receipt) for receipt in receipts] == [Refused, Refused]
        failure = room.side.failure()
        assert failure is not None
        assert "No space left" in failure.message
        assert room.read(key) == item("one")
        assert temporary(room) == []
        monkeypatch.undo()
        assert isinstance(room.write(room.to_replace(key, item("one", "new")))[0], Success)
        assert room.side.failure() is None


def _full(path: str, data: bytes, replaces: object) -> None:
    with open(path, "wb") as file:
        file.write(data[:3])
    raise OSError(28, "No space left on device", path)


def temporary(room: VdirDriver) -> list[str]:
    return [path.name for path in room.root.rglob("*.tmp")]
