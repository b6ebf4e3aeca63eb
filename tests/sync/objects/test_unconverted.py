"""Files of a server that lie on the disk as they are: a first run converts none of them, and every later one acts as if it had."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from jmapsync.demo import DemoServer
from jmapsync.formats.objects import MalformedError
from jmapsync.ledger import Ledger
from jmapsync.ledger.inspection import find_corruption
from jmapsync.ledger.unconverted import has_unconverted
from tests.kit.object_mirror import ObjectMirror, change, writes
from tests.storage.jmap.objects.conftest import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store
    from jmapsync.ledger import Record

UIDS = ("one", "two", "three")


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="cyrus312") as server:
        server.account.calendars.render = render
        for uid in UIDS:
            server.account.calendars.add(_event(uid))
        yield server


@pytest.fixture
def store(server: DemoServer) -> Store:
    return server.account.calendars


@pytest.fixture
def fresh(server: DemoServer, tmp_path: Path) -> ObjectMirror:
    return ObjectMirror(server.url, tmp_path, ("calendars",))


@pytest.fixture
def desk(fresh: ObjectMirror) -> ObjectMirror:
    with converting_nothing():
        fresh.sync_until_quiet()
    return fresh


def _event(uid: str) -> dict[str, Any]:
    start = {"start": "2026-12-07T10:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}
    return {"uid": uid, "title": f"{uid}-title", "description": f"{uid}-note", **start}


@contextmanager
def converting_nothing() -> Iterator[None]:
    with mock.patch("jmapsync.formats.ical.read_calendar", side_effect=AssertionError("a file is converted")):
        yield


def records(desk: ObjectMirror) -> list[Record]:
    ledger = Ledger.open_readonly(desk.base / "state" / "ledger.sqlite")
    assert ledger is not None
    try:
        return ledger.all("calendars")
    finally:
        ledger.close()


def ref_of(store: Store, uid: str) -> str:
    return next(ref for ref, item in store.items.items() if item["uid"] == uid)


def test_a_first_run_stores_the_files_and_converts_none(desk: ObjectMirror) -> None:
    assert len(desk.files("calendars")) == len(UIDS)
    assert all(map(has_unconverted, records(desk)))
    assert find_corruption(desk.base / "state" / "ledger.sqlite") == ""


def test_a_listing_of_the_same_files_converts_none(desk: ObjectMirror) -> None:
    with converting_nothing():
        assert writes(desk.sync(full=True)) == 0


def test_edits_of_both_sides_are_merged(desk: ObjectMirror, store: Store) -> None:
    change(desk.file("calendars", "one"), "SUMMARY:one-title", "SUMMARY:here")
    store.edit(ref_of(store, "one"), {"description": "there"})
    desk.sync_until_quiet()
    content = desk.file("calendars", "one").read_text()
    assert "SUMMARY:here" in content
    assert "DESCRIPTION:there" in content
    held = store.items[ref_of(store, "one")]
    assert (held["title"], held["description"]) == ("here", "there")
    assert [has_unconverted(one) for one in records(desk) if one.digest == "one"] == [False]


def test_an_edit_there_reaches_the_file_unconverted(desk: ObjectMirror, store: Store) -> None:
    store.edit(ref_of(store, "two"), {"title": "there"})
    with converting_nothing():
        desk.sync_until_quiet()
    assert all(map(has_unconverted, records(desk)))
    assert "SUMMARY:there" in desk.file("calendars", "two").read_text()


def test_a_file_that_says_the_same_in_another_way_is_no_edit(desk: ObjectMirror) -> None:
    change(desk.file("calendars", "one"), "VERSION:2.0\r\n", "VERSION:2.0\r\nCALSCALE:GREGORIAN\r\n")
    report = desk.sync()
    desk.assert_well(report)
    assert writes(report) == 0


def test_edits_of_both_sides_are_merged_after_one_there_came_unconverted(desk: ObjectMirror, store: Store) -> None:
    store.edit(ref_of(store, "one"), {"description": "there"})
    desk.sync_until_quiet()
    change(desk.file("calendars", "one"), "SUMMARY:one-title", "SUMMARY:here")
    store.edit(ref_of(store, "one"), {"description": "there again"})
    desk.sync_until_quiet()
    held = store.items[ref_of(store, "one")]
    assert (held["title"], held["description"]) == ("here", "there again")


def test_removals_of_both_sides_are_followed(desk: ObjectMirror, store: Store) -> None:
    desk.file("calendars", "one").unlink()
    store.delete(ref_of(store, "two"))
    desk.sync_until_quiet()
    assert [item["uid"] for item in store.items.values()] == ["three"]
    assert [file.read_text().count("UID:three\n") for file in desk.files("calendars")] == [1]


def test_a_lost_ledger_finds_the_same_events(desk: ObjectMirror) -> None:
    shutil.rmtree(desk.base / "state")
    report = desk.sync()
    desk.assert_well(report)
    assert report["calendars"].to_disk.total + report["calendars"].to_server.total == 0


def test_an_edit_of_an_event_whose_first_form_cannot_be_converted_after_all_is_named_and_kept(
    desk: ObjectMirror, store: Store
) -> None:
    change(desk.file("calendars", "one"), "SUMMARY:one-title", "SUMMARY:here")
    fault = MalformedError("a fault")
    with (
        mock.patch("jmapsync.formats.unconverted.convert", side_effect=fault),
        mock.patch("jmapsync.storage.port.convert", side_effect=fault),
    ):
        report = desk.sync()["calendars"]
    assert {one.item for one in report.problems} >= {"calendars one"}
    assert "SUMMARY:here" in desk.file("calendars", "one").read_text()
    assert {item["title"] for item in store.items.values()} == {f"{uid}-title" for uid in UIDS}
    desk.sync(full=True)
    assert store.items[ref_of(store, "one")]["title"] == "here"
