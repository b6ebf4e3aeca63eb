"""Listings of cards and events whose total or state says what is not so; more collections than one answer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import ExitCode
from jmapsync.storage.jmap.objects import listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror

JsonObject = dict[str, Any]
QUERIES = {"ContactCard/query", "CalendarEvent/query"}


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LISTED", 7)


def reported(**values: object) -> Callable[[JsonObject], JsonObject]:
    return lambda result: {key: value for key, value in {**result, **values}.items() if value is not ...}


def fill(cards: Store, count: int) -> list[str]:
    return [cards.add({"uid": f"u{number}", "name": {"full": f"Name {number}"}}) for number in range(count)]


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"total": ...},
        {"total": None},
        {"total": 0},
        {"total": 3},
        {"total": 9999},
        {"queryState": ...},
        {"queryState": "always"},
    ],
)
def test_what_was_deleted_there_goes_here_whatever_a_page_says(
    desk: ObjectMirror, cards: Store, server: DemoServer, way: dict[str, object]
) -> None:
    ids = fill(cards, 25)
    server.faults.rewrite_result.arm(reported(**way), only=QUERIES)
    desk.sync()
    for ref in ids[3:6]:
        cards.delete(ref)
    report = desk.sync(full=True)["contacts"]
    assert (report.problems, report.to_disk.deleted, len(desk.files("contacts"))) == ([], 3, 23)
    server.faults.clear()
    desk.sync_until_quiet()


def test_what_goes_between_the_pages_takes_nothing_along(desk: ObjectMirror, cards: Store, server: DemoServer) -> None:
    ids = fill(cards, 30)

    def go() -> None:
        if len(ids) > 20:
            cards.delete(ids.pop(0))

    server.faults.before_call.arm(go, only={"ContactCard/query"}, skip=1)
    report = desk.sync()["contacts"]
    assert (report.exit_code, len(desk.files("contacts"))) == (ExitCode.IN_SYNC, len(cards.items))
    server.faults.clear()
    desk.sync_until_quiet()


@pytest.mark.parametrize("ids", [None, "c1", {}])
def test_a_page_without_a_list_of_ids_is_named_and_deletes_nothing(
    desk: ObjectMirror, cards: Store, server: DemoServer, ids: object
) -> None:
    fill(cards, 5)
    desk.sync_until_quiet()
    server.faults.rewrite_result.arm(reported(ids=ids), only=QUERIES)
    report = desk.sync(full=True)["contacts"]
    assert (report.exit_code, len(desk.files("contacts"))) == (ExitCode.QUARANTINED, 6)
    assert [one.item for one in report.problems] == ["the server's list"]
    server.faults.clear()
    desk.sync_until_quiet()


@pytest.mark.parametrize("homes", [None, {}, "Default", ["a"], {"a": 1}, ...])
def test_a_card_in_no_address_book_is_named_and_comes_when_it_is_in_one(
    desk: ObjectMirror, cards: Store, server: DemoServer, homes: object
) -> None:
    ids = fill(cards, 3)

    def spoil(result: JsonObject) -> JsonObject:
        change = reported(addressBookIds=homes)
        return {
            **result,
            "list": [change(one) if one["id"] == ids[1] and "addressBookIds" in one else one for one in result["list"]],
        }

    server.faults.rewrite_result.arm(spoil, only={"ContactCard/get"})
    for _ in range(2):
        report = desk.sync()["contacts"]
        assert (report.exit_code, len(report.problems), len(desk.files("contacts"))) == (ExitCode.QUARANTINED, 1, 3)
    server.faults.clear()
    desk.sync_until_quiet()
    assert len(desk.files("contacts")) == 4


def test_address_books_are_found_by_what_they_hold_where_there_are_too_many(
    desk: ObjectMirror, cards: Store, server: DemoServer
) -> None:
    server.limits.max_objects_in_get = 5
    for number in range(9):
        cards.create_collection(f"Book {number}")
        cards.add({"uid": f"b{number}", "name": {"full": f"Name {number}"}}, [f"Book {number}"])
    for full in (False, True):
        report = desk.sync(full=full)["contacts"]
        assert (report.to_disk.deleted, len(desk.files("contacts"))) == (0, 10)
        # One without a card may be missing, whether the server refuses to list them all or cuts the list without a word (Stalwart).
        assert report.exit_code is ExitCode.QUARANTINED
        assert [one.item for one in report.problems] == ["the list of each AddressBook"]
        assert "may be missing here" in report.problems[0].why
    server.limits.max_objects_in_get = 500
    assert desk.sync()["contacts"].exit_code is ExitCode.IN_SYNC
    cards.delete_collection("Book 3")
    assert desk.sync()["contacts"].to_disk.deleted == 1
    desk.sync_until_quiet()
