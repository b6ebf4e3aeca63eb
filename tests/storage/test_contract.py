"""What every side has to do, whatever it stores and wherever: the port's promises, one class for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.storage.port import Stale, Success
from tests.storage.sides import SILENCE, DrivenMail, DrivenMaildir, DrivenObjects, DrivenSide, DrivenVdir, News
from tests.storage.sides_of_scripts import DrivenScriptFiles, DrivenScripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIDES: dict[str, Callable[[Any], DrivenSide]] = {
    "maildir": DrivenMaildir,
    "vdir": DrivenVdir,
    "mail": lambda base: DrivenMail(base, "rfc"),
    "mail of cyrus": lambda base: DrivenMail(base, "cyrus312"),
    "contacts": lambda _: DrivenObjects("contacts", "rfc"),
    "events": lambda _: DrivenObjects("calendars", "rfc"),
    "events of stalwart": lambda _: DrivenObjects("calendars", "stalwart"),
    "script files": DrivenScriptFiles,
    "scripts": lambda _: DrivenScripts("rfc"),
    "scripts of cyrus": lambda _: DrivenScripts("cyrus312"),
}


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DrivenSide]:
    driven = SIDES[request.param](tmp_path)
    yield driven
    driven.close()


class TestEverySide:
    """Promises of `storage.port.Local` and `storage.port.Remote`."""

    def test_what_is_written_is_read_back(self, side: DrivenSide) -> None:
        made = {text: side.create(text) for text in ("one", "two", "three")}
        assert {text: side.text(one) for text, one in made.items()} == {text: text for text in made}

    def test_what_is_written_is_no_news(self, side: DrivenSide) -> None:
        one, two = side.create("one"), side.create("two")
        assert side.observe() == SILENCE
        assert isinstance(side.delete(one)[0], Success)
        assert side.observe() == SILENCE
        assert side.text(two) == "two"

    def test_observed_as_a_whole_it_holds_what_it_was_known_to_hold(self, side: DrivenSide) -> None:
        for text in ("one", "two", "three"):
            side.create(text)
        assert side.observe(whole=True) == SILENCE

    def test_what_others_delete_is_reported_once(self, side: DrivenSide) -> None:
        one, two = side.create("one"), side.create("two")
        side.observe()
        side.delete_elsewhere(one)
        assert side.observe() == News(set(), {one}, [])
        assert side.observe() == SILENCE
        assert side.text(two) == "two"

    def test_what_others_change_is_reported_once(self, side: DrivenSide) -> None:
        one, _ = side.create("one"), side.create("two")
        side.observe()
        side.change_elsewhere(one)
        assert side.observe() == News({one}, set(), [])
        assert side.observe() == SILENCE

    def test_an_order_that_expects_something_else_is_stale_and_does_nothing(self, side: DrivenSide) -> None:
        one = side.create("one")
        side.observe()
        side.change_elsewhere(one)
        assert isinstance(side.delete(one)[0], Stale)
        assert side.observe() == News({one}, set(), [])
        assert side.text(one) is not None

    def test_each_order_gets_a_receipt_and_one_failure_is_nobody_elses(self, side: DrivenSide) -> None:
        made = [side.create(f"number {number}") for number in range(5)]
        side.observe()
        side.change_elsewhere(made[2])
        receipts = side.delete(*made)
        assert [isinstance(receipt, Success) for receipt in receipts] == [True, True, False, True, True]
        assert isinstance(receipts[2], Stale)
        assert receipts[2].why
