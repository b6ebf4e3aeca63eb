"""What every local side has to do, whatever it stores: the port's promises as tests."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from jmapsync.planner.model import Verb
from jmapsync.storage.port import Filed, Stale, Success

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kit.maildir_driver import MaildirDriver

ONE = b"Subject: one\r\n\r\nbody\r\n"
TWO = b"Subject: two\r\n\r\nbody \xff\0\r\nbare\nends\r"


def assert_silent(room: MaildirDriver) -> None:
    """Fail if an observation takes anything for a change."""
    seen = room.observe()
    assert (seen.items, seen.gone, seen.moved, seen.places, seen.problems, seen.suspicious) == ([], [], [], [], [], "")


class LocalContract:
    """Promises of `storage.port.Local`."""

    @pytest.mark.parametrize("content", [ONE, TWO, b"\r\n", b"x" * 5_000_000, b"line\r\n" * 1_000_000, b"line\n\r\n" * 900_000])
    def test_what_is_written_is_read_back_byte_for_byte(self, room: MaildirDriver, inbox: int, content: bytes) -> None:
        assert room.read(room.create(content, [inbox])) == content

    def test_what_is_written_is_no_news(self, room: MaildirDriver, inbox: int, archive: int) -> None:
        key = room.create(ONE, [inbox], ["$seen", "work"])
        other = room.create(TWO, [inbox, archive])
        assert_silent(room)
        room.write(room.to_update(key, [archive], ["$flagged"]), room.to_delete(other))
        assert_silent(room)
        assert room.version(key).homes == {archive}
        assert room.version(key).tags == {"$flagged"}
        assert room.paths(other) == []

    def test_a_full_sync_finds_what_the_ledger_was_given(self, room: MaildirDriver, inbox: int, archive: int) -> None:
        key = room.create(ONE, [inbox, archive], ["$seen"])
        before = room.version(key)
        room.ledger.drop_places([(place.folder, place.name) for place in room.places(key)])
        seen = room.observe()
        assert [(one.key, one.version) for one in seen.items] == [(key, before)]

    def test_receipts_come_in_order_and_one_failure_is_nobody_elses(self, room: MaildirDriver, inbox: int) -> None:
        keys = [room.create(ONE + bytes([number]), [inbox]) for number in range(5)]
        room.paths(keys[2])[0].unlink()
        receipts = room.write(*(room.to_update(key, tags=["$seen"]) for key in keys))
        assert [type(receipt) for receipt in receipts] == [Filed] * 2 + [Stale] + [Filed] * 2
        assert receipts[2].why

    @pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.DELETE, Verb.CREATE])
    @pytest.mark.parametrize("meddle", ["edit", "rename", "remove", "replace"])
    def test_an_order_that_expects_something_else_does_nothing(
        self, room: MaildirDriver, inbox: int, meddle: str, verb: Verb
    ) -> None:
        key = room.create(ONE, [inbox])
        [path] = room.paths(key)
        job = {Verb.UPDATE: room.to_update(key, tags=["$seen"]), Verb.DELETE: room.to_delete(key)}.get(verb)
        acts: dict[str, Callable[[], object]] = {
            "edit": lambda: path.write_bytes(b"Subject: edited\n\n"),
            "rename": lambda: path.rename(path.with_name(f"{path.name.partition(':')[0]}:2,F")),
            "remove": path.unlink,
            "replace": lambda: path.with_name("other").rename(path),
        }
        path.with_name("other").write_bytes(b"Subject: another\n\n")
        acts[meddle]()
        before = {file: file.read_bytes() for file in path.parent.iterdir()}
        if job is None:
            [receipt] = room.write(room.to_create(TWO, [inbox]))
            assert isinstance(receipt, Success)
        else:
            [receipt] = room.write(job)
            assert isinstance(receipt, Stale)
            assert receipt == Stale(key, receipt.why)
        after = {file: file.read_bytes() for file in path.parent.iterdir()}
        assert before.items() <= after.items()

    def test_what_the_user_did_is_seen_once(self, room: MaildirDriver, inbox: int, archive: int) -> None:
        keys = [room.create(ONE + bytes([number]) + b"\r\n", [inbox]) for number in range(3)]
        flagged, moved, removed = (room.paths(key)[0] for key in keys)
        flagged.rename(flagged.parent.parent / "cur" / f"{flagged.name}:2,F")
        moved.rename(room.side.tree.folder(archive) / "cur" / f"{moved.name}:2,S")
        removed.unlink()
        seen = room.observe()
        assert seen.gone == [keys[2]]
        assert {one.key: (one.version.tags, one.version.homes) for one in seen.items} == {
            keys[0]: (frozenset({"$flagged"}), frozenset({inbox})),
            keys[1]: (frozenset({"$seen"}), frozenset({archive})),
        }
        assert_silent(room)

    def test_readers_see_a_whole_message_or_none(self, room: MaildirDriver, inbox: int) -> None:
        content = b"line\r\n" * 300_000
        stored = content.replace(b"\r\n", b"\n")
        folder = room.side.tree.folder(inbox)
        torn: list[str] = []
        met = 0
        over = threading.Event()

        def read() -> None:
            nonlocal met
            while not over.is_set():
                for sub in ("new", "cur"):
                    for file in (folder / sub).iterdir():
                        try:
                            found = file.read_bytes()
                        except FileNotFoundError:
                            continue
                        met += 1
                        if found != stored:
                            torn.append(file.name)

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(6):
            key = room.create(content, [inbox])
            room.write(room.to_update(key, tags=["$seen"] if number % 2 else ["$flagged"]))
            room.write(room.to_delete(key))
        key = room.create(content, [inbox])
        while not met:
            over.wait(0.01)
        over.set()
        reader.join()
        assert torn == []

    def test_a_body_that_changed_since_the_scan_is_not_sent(self, room: MaildirDriver, inbox: int) -> None:
        key = room.create(ONE, [inbox])
        room.paths(key)[0].write_bytes(b"Subject: edited\n\n")
        assert room.read(key) is None

    def test_nothing_is_left_behind(self, room: MaildirDriver, inbox: int, archive: int) -> None:
        key = room.create(b"x" * 5_000_000, [inbox, archive])
        assert room.read(key) is not None
        for path in room.root.parent.joinpath("spool").iterdir():
            path.unlink()  # the reader's to remove
        room.write(room.to_delete(key))
        assert [path.name for path in room.root.rglob("*") if path.is_file() and path.name != ".jmapsync"] == []
