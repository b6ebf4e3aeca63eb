"""What goes into the ledger comes out of it: items with their trees, files, problems, intents."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from jmapsync.ledger import Intent, Ledger, Place, Quarantined, Record
from jmapsync.planner.model import Base, Side, Version

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Version("file", "digest", frozenset({"$seen"}), frozenset({7}))
THERE = Version("blob", "digest", frozenset(), frozenset({7, 8}))
PLACE = Place(7, "1.a.host", ":2,S", "cur", 1, 4711, 100, 1_700_000_000_123_456_789, "lf")


def keys(records: Iterable[Record]) -> list[int]:
    return [record.key for record in records]


def shapes() -> list[Record]:
    """Return an item in every state of its three trees that there is anything to remember of."""
    sides = [None, HERE, replace(HERE, tags=frozenset())]
    others = [None, THERE, replace(THERE, homes=frozenset({8}))]
    bases = [None, Base(HERE, THERE)]
    found = [
        Record(0, "mail", f"E{number}", f"name {number}", 5, 6, "digest", local, remote, base)
        for number, (local, remote, base) in enumerate(itertools.product(sides, others, bases))
    ]
    return [record for record in found if (record.local, record.remote, record.base) != (None, None, None)]


class TestItems:
    @pytest.mark.parametrize("record", shapes(), ids=lambda record: str(record.ref))
    def test_come_back_as_they_were(self, ledger: Ledger, record: Record) -> None:
        key = ledger.add(record)
        assert ledger.records([key]) == {key: replace(record, key=key)}
        ledger.save([replace(record, key=key, name="other")])
        assert ledger.by_ref("mail", [str(record.ref)]) == {str(record.ref): replace(record, key=key, name="other")}

    def test_that_nobody_holds_are_forgotten_with_all_that_hung_on_them(self, ledger: Ledger) -> None:
        key = ledger.add(Record(0, "mail", "E1", local=HERE))
        ledger.intend([Intent(key, "mail", "{}", 1)])
        ledger.quarantine(Quarantined("mail", f"item {key}", "name", key, "why", "later", "", 1, 1))
        ledger.save([replace(ledger.records([key])[key], local=None)])
        assert (ledger.records([key]), ledger.intents("mail"), ledger.problems()) == ({}, {}, [])

    def test_never_get_the_key_of_one_forgotten(self, ledger: Ledger) -> None:
        key = ledger.add(Record(0, "mail", local=HERE))
        ledger.save([Record(key, "mail")])
        assert ledger.add(Record(0, "mail", local=HERE)) > key

    def test_are_found_by_their_content_and_their_side(self, ledger: Ledger) -> None:
        ledger.add_many(shapes())
        every = ledger.all("mail")
        assert keys(ledger.by_digest("mail", ["digest"])["digest"]) == keys(every)
        for side in Side:
            alone = [one for one in every if one.base is None and one.of(side) is not None and one.of(side.other) is None]
            assert keys(ledger.unmatched("mail", side)) == keys(alone)
            assert keys(ledger.unmatched("mail", side, [5])) == keys(alone)
            assert keys(ledger.unmatched("mail", side, [4])) == []
        assert ledger.refs("mail") == {one.ref for one in every if one.remote is not None}

    def test_are_open_until_both_sides_are_as_they_agreed(self, ledger: Ledger) -> None:
        ledger.add_many(shapes())
        every = ledger.all("mail")
        unsettled = [one for one in every if one.base is None or (one.local, one.remote) != (one.base.local, one.base.remote)]
        assert keys(ledger.open_items("mail")) == keys(unsettled)
        assert ledger.counts("mail")[2] == len(unsettled) == len(every) - 1
        losable = [one for one in unsettled if one.base is not None or one.remote is None]
        assert keys(ledger.open_items("mail", losable=True)) == keys(losable)

    def test_are_read_page_by_page(self, ledger: Ledger) -> None:
        ledger.add_many(shapes())
        every = keys(ledger.all("mail"))
        pages, after = [], 0
        while page := keys(ledger.open_items("mail", after=after, limit=3)):
            pages += page
            after = page[-1]
        assert len(every) == len(pages) + 1
        assert sorted(set(pages)) == pages

    def test_are_found_by_more_keys_than_a_statement_takes(self, ledger: Ledger) -> None:
        ledger.add_many(Record(0, "mail", f"E{number}", local=HERE) for number in range(1301))
        assert len(ledger.by_ref("mail", [f"E{number}" for number in range(1301)])) == 1301

    def test_fill_the_containers_that_the_base_says(self, ledger: Ledger) -> None:
        synced = Record(0, "mail", "E1", local=HERE, remote=THERE, base=Base(HERE, THERE))
        moved = replace(synced, ref="E2", local=replace(HERE, homes=frozenset({9})))
        ledger.add_many([synced, moved, replace(synced, ref="E3", base=None)])
        assert ledger.population("mail", Side.LOCAL) == {7: 2}
        assert ledger.population("mail", Side.REMOTE) == {7: 2, 8: 2}

    def test_of_one_kind_may_have_an_id_only_once(self, ledger: Ledger) -> None:
        import sqlite3  # noqa: PLC0415 - what must not happen, not what is used

        ledger.add(Record(0, "mail", "E1", local=HERE))
        ledger.add(Record(0, "mailbox", "E1", local=HERE))
        with pytest.raises(sqlite3.IntegrityError):
            ledger.add(Record(0, "mail", "E1", local=HERE))


class TestFiles:
    def test_come_back_as_they_were(self, ledger: Ledger) -> None:
        other = PLACE._replace(folder=8, name="ünïcode \N{PILE OF POO}", mtime=(1 << 63) - 1, ino=(1 << 63) - 1)
        ledger.put_places([PLACE, other])
        assert list(ledger.places_in(7)) == [PLACE]
        assert ledger.places_of([1]) == {1: [PLACE, other]}
        assert ledger.taken_names(7, [PLACE.name, "other"]) == {PLACE.name}

    def test_are_known_by_folder_and_unique_part_so_that_new_flags_replace_the_old(self, ledger: Ledger) -> None:
        ledger.put_places([PLACE, PLACE._replace(info=":2,FS")])
        assert [place.info for place in ledger.places_in(7)] == [":2,FS"]
        ledger.drop_places([(7, PLACE.name)])
        assert list(ledger.places_in(7)) == []

    def test_are_forgotten_with_their_folder(self, ledger: Ledger) -> None:
        ledger.put_folder(7, "INBOX", "0 work\n")
        ledger.put_places([PLACE])
        assert (ledger.folders(), list(ledger.places_in(7))) == ({7: ("INBOX", "0 work\n")}, [PLACE])
        ledger.drop_folder(7)
        assert (ledger.folders(), list(ledger.places_in(7))) == ({}, [])


class TestProblems:
    def test_keep_the_time_they_were_first_seen(self, ledger: Ledger) -> None:
        ledger.quarantine(Quarantined("mail", "item 1", "before", 1, "old", "later", "a", 100, 100))
        ledger.quarantine(Quarantined("mail", "item 1", "after", 1, "new", "never", "b", 200, 200))
        assert ledger.problems("mail") == [Quarantined("mail", "item 1", "after", 1, "new", "never", "b", 100, 200)]

    def test_of_two_things_with_one_name_are_two(self, ledger: Ledger) -> None:
        for key in (2, 1):
            ledger.quarantine(Quarantined("mail", f"item {key}", "drafts", key, f"why {key}", "later", "", 1, 1))
        assert [(one.item, one.why) for one in ledger.problems("mail")] == [("drafts", "why 1"), ("drafts", "why 2")]

    def test_are_let_go_by_kind_and_subject(self, ledger: Ledger) -> None:
        for kind, subject in (("mail", "ref E1"), ("mail", "ref E2"), ("contacts", "ref E1")):
            ledger.quarantine(Quarantined(kind, subject, "name", None, "why", "later", "", 1, 1))
        ledger.release([("mail", "ref E1")])
        assert [(one.kind, one.subject) for one in ledger.problems()] == [("contacts", "ref E1"), ("mail", "ref E2")]
        assert [one.subject for one in ledger.problems("mail")] == ["ref E2"]


def test_notes_and_cursors_are_nothing_until_they_are_kept(ledger: Ledger) -> None:
    assert (ledger.note("x"), ledger.cursor("mail", Side.REMOTE)) == ("", "")
    ledger.set_note("x", "1")
    ledger.set_cursor("mail", Side.REMOTE, "s1")
    assert (ledger.note("x"), ledger.cursor("mail", Side.REMOTE), ledger.cursor("mail", Side.LOCAL)) == ("1", "s1", "")
