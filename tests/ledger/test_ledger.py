"""The ledger keeps what was seen, all of it or nothing of it, and others can read it during a write."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jmapsync.errors import BusyError
from jmapsync.ledger import AccountLock, Intent, Ledger, Place, Quarantined, Record, Suspended
from jmapsync.ledger.codec import decode, encode
from jmapsync.ledger.migrations import VERSION
from jmapsync.planner.model import Base, Side, Version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOMES = st.frozensets(st.integers(1, 99), max_size=4)
TAGS = st.frozensets(st.from_regex(r"[!-~]{1,6}", fullmatch=True).filter(lambda word: " " not in word), max_size=4)
VERSIONS = st.builds(Version, st.text(max_size=12), st.text(st.characters(exclude_characters="\t"), max_size=5), TAGS, HOMES)
A = Version("digest", "digest", frozenset({"$seen"}), frozenset({1}))
B = Version("blob", "digest", frozenset({"$seen"}), frozenset({1}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    found = Ledger.open(path)
    yield found
    found.close()


@given(VERSIONS)
def test_a_version_is_read_as_it_was_written(version: Version) -> None:
    if version.sense != "=":
        assert decode(encode(version)) == version


def test_a_version_says_where_it_is_leaving_and_that_it_is_untidy() -> None:
    version = replace(A, leaving=frozenset({1}), untidy=True)
    assert decode(encode(version)) == version


class TestItems:
    def test_come_back_with_their_three_trees(self, ledger: Ledger) -> None:
        for base in (None, Base(A, B), Base(B, A)):
            key = ledger.add(Record(0, "mail", f"M{base}", "name", 5, 6, "digest", A, B, base))
            assert ledger.records([key])[key] == Record(key, "mail", f"M{base}", "name", 5, 6, "digest", A, B, base)

    def test_of_equal_content_that_only_the_disk_holds_are_found_where_there_are_several(self, ledger: Ledger) -> None:
        twins = [ledger.add(Record(0, "mail", digest="same", local=A)) for _ in range(2)]
        ledger.add(Record(0, "mail", digest="alone", local=A))
        ledger.add(Record(0, "mail", "M1", digest="same", local=A, remote=B, base=Base(A, B)))
        ledger.add(Record(0, "mail", digest="same", local=A, base=Base(A, B)))
        assert [[one.key for one in alike] for alike in ledger.alike("mail")] == [twins]

    def test_keep_what_lies_here_and_nothing_else_when_the_server_is_forgotten(self, ledger: Ledger) -> None:
        here = ledger.add(Record(0, "mail", "M1", "name", 5, 6, "digest", A, B, Base(A, B)))
        gone = ledger.add(Record(0, "mail", "M2", remote=B))
        box, lost = ledger.add(Record(0, "mailbox", "P1", local=A, remote=B)), ledger.add(Record(0, "mailbox", "P2", remote=B))
        place = Place(box, "one", ":2,S", "cur", here, 1, 2, 3, "lf")
        ledger.put_places([place])
        for key in (box, lost):
            ledger.put_folder(key, f"folder {key}", "0 work\n")
        ledger.contents.put("local", {here: b"mine"})
        ledger.contents.put("remote", {here: b"theirs"})
        ledger.set_cursor("mail", Side.REMOTE, "state")
        ledger.set_note("root:mail", "marker")
        ledger.set_note("account", "a1")
        ledger.intend([Intent(here, "mail", "{}", 1)])
        ledger.forget_server()
        assert ledger.records([here, gone, box, lost]) == {
            here: Record(here, "mail", None, "name", 5, 6, "digest", A),
            box: Record(box, "mailbox", local=A),
        }
        assert (ledger.places_of([here]), ledger.folders()) == ({here: [place]}, {box: (f"folder {box}", "0 work\n")})
        assert (ledger.contents.of([here], "local"), ledger.contents.of([here], "remote")) == ({here: b"mine"}, {})
        assert (ledger.cursor("mail", Side.REMOTE), ledger.note("account"), ledger.note("root:mail")) == ("", "", "marker")
        assert ledger.intents("mail") == {}

    def test_are_open_until_both_sides_are_what_the_base_says(self, ledger: Ledger) -> None:
        key = ledger.add(Record(0, "mail", "M1", local=A, remote=B))
        assert [one.key for one in ledger.open_items("mail")] == [key]
        ledger.save([replace(ledger.records([key])[key], base=Base(A, B))])
        assert ledger.open_items("mail") == []
        ledger.save([replace(ledger.records([key])[key], remote=replace(B, tags=frozenset()))])
        assert ledger.records([key])[key].base == Base(A, B)
        assert [one.key for one in ledger.open_items("mail")] == [key]

    def test_that_nobody_holds_any_longer_are_forgotten_with_all_that_was_said_of_them(self, ledger: Ledger) -> None:
        key = ledger.add(Record(0, "mail", "M1", local=A))
        ledger.intend([Intent(key, "mail", "{}", 1)])
        ledger.quarantine(Quarantined("mail", f"item {key}", "name", key, "why", "later", "", 1, 1))
        ledger.save([replace(ledger.records([key])[key], local=None)])
        assert (ledger.records([key]), ledger.intents("mail"), ledger.problems()) == ({}, {}, [])

    def test_have_keys_that_are_never_given_again(self, ledger: Ledger) -> None:
        key = ledger.add(Record(0, "mail", "M1", local=A))
        ledger.save([replace(ledger.records([key])[key], local=None)])
        assert ledger.add(Record(0, "mail", "M2", local=A)) > key

    def test_are_counted_by_the_containers_of_the_base(self, ledger: Ledger) -> None:
        ledger.add(Record(0, "mail", "M1", local=A, remote=B, base=Base(A, B)))
        ledger.add(Record(0, "mail", "M2", local=None, remote=B, base=Base(A, replace(B, homes=frozenset({1, 2})))))
        ledger.add(Record(0, "mail", "M3", remote=B))
        assert ledger.population("mail", Side.LOCAL) == {1: 2}
        assert ledger.population("mail", Side.REMOTE) == {1: 2, 2: 1}

    def test_that_only_the_server_has_are_not_among_what_can_be_lost(self, ledger: Ledger) -> None:
        ledger.add(Record(0, "mail", "M1", remote=B))
        here = ledger.add(Record(0, "mail", local=A))
        based = ledger.add(Record(0, "mail", "M2", remote=B, base=Base(A, B)))
        assert [one.key for one in ledger.open_items("mail", losable=True)] == [here, based]


class TestPlaces:
    def test_are_found_by_folder_and_item(self, ledger: Ledger) -> None:
        place = Place(1, "name", ":2,S", "cur", 7, 99, 10, 11, "lf")
        ledger.put_places([place, place._replace(folder=2)])
        assert list(ledger.places_in(1)) == [place]
        assert ledger.places_of([7]) == {7: [place, place._replace(folder=2)]}
        ledger.drop_places([(1, "name")])
        assert list(ledger.places_in(1)) == []


class TestTransactions:
    def test_keep_all_or_nothing(self, ledger: Ledger) -> None:
        with pytest.raises(KeyError), ledger.transaction():  # noqa: PT012 - what was before the error must be undone
            ledger.set_cursor("mail", Side.REMOTE, "1")
            with ledger.transaction():
                ledger.add(Record(0, "mail", "M1", local=A))
            raise KeyError
        assert ledger.cursor("mail", Side.REMOTE) == ""
        assert ledger.counts("mail") == (0, 0, 0)

    def test_let_a_reader_see_the_state_before(self, path: Path, ledger: Ledger) -> None:
        ledger.set_note("n", "old")
        with ledger.transaction():
            ledger.set_note("n", "new")
            reader = Ledger.open_readonly(path)
            assert reader is not None
            assert reader.note("n") == "old"
            reader.close()
        assert ledger.note("n") == "new"


class TestFiles:
    def test_that_are_not_there_are_not_made_by_a_reader(self, path: Path) -> None:
        assert Ledger.open_readonly(path) is None
        assert not path.exists()

    def test_are_not_touched_by_a_dry_run(self, path: Path, ledger: Ledger) -> None:
        ledger.suspend(Suspended("mail", "plan", "sentence", 1))
        before = sorted((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in path.parent.iterdir())
        copy = Ledger.copy_of(path)
        copy.lift("mail")
        copy.add(Record(0, "mail", "M1", local=A))
        copy.close()
        assert sorted((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in path.parent.iterdir()) == before
        assert ledger.suspension("mail") is not None

    def test_are_for_their_owner_only_and_say_their_version(self, path: Path, ledger: Ledger) -> None:
        assert path.stat().st_mode & 0o777 == 0o600
        assert ledger.note("anything") == ""
        assert ledger._db.execute("PRAGMA user_version").fetchone()[0] == VERSION


class TestTheLock:
    def test_goes_with_the_process_that_held_it(self, tmp_path: Path) -> None:
        held = subprocess.Popen(
            [
                sys.executable,
                "-c",
                (
                    "import sys, time; from pathlib import Path; from jmapsync.ledger import AccountLock\n"
                    "with AccountLock(Path(sys.argv[1]), 'a'): print('held', flush=True); time.sleep(60)"
                ),
                str(tmp_path / "lock"),
            ],
            stdout=subprocess.PIPE,
        )
        assert held.stdout is not None
        with held:
            assert held.stdout.readline() == b"held\n"
            with pytest.raises(BusyError, match=f"process {held.pid}"), AccountLock(tmp_path / "lock", "a"):
                pass
            held.kill()
        with AccountLock(tmp_path / "lock", "a"):
            pass
