"""The ledger keeps the objects of cards and events, by tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.ledger import Ledger, Record
from jmapsync.planner.model import Version

if TYPE_CHECKING:
    from pathlib import Path


def test_contents_are_kept_by_item_and_tree(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger")
    ledger.contents.put("local", {1: b"here", 2: b"too"})
    ledger.contents.put("remote", {1: b"there"})
    assert ledger.contents.of([1, 2, 3], "local") == {1: b"here", 2: b"too"}
    assert ledger.contents.of([1, 2, 3], "remote") == {1: b"there"}
    assert ledger.contents.of(list(range(1, 2000)), "local") == {1: b"here", 2: b"too"}
    ledger.close()


def test_what_both_sides_hold_becomes_what_they_agree_on(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger")
    ledger.contents.put("local", {1: b"here", 2: b"other"})
    ledger.contents.put("remote", {1: b"there"})
    ledger.contents.agree([1])
    ledger.contents.put("local", {1: b"edited"})
    assert ledger.contents.of([1, 2], "base_local") == {1: b"here"}
    assert ledger.contents.of([1, 2], "base_remote") == {1: b"there"}
    ledger.close()


def test_an_empty_value_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger")
    ledger.contents.put("left_out", {1: b"{}"})
    ledger.contents.put("left_out", {1: b""})
    assert ledger.contents.of([1], "left_out") == {}
    ledger.close()


def test_contents_go_with_their_item(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger")
    key = ledger.add(Record(0, "contacts", "C1", remote=Version("d")))
    ledger.contents.put("remote", {key: b"{}"})
    ledger.save([replace(record, remote=None) for record in ledger.records([key]).values()])
    assert ledger.contents.of([key], "remote") == {}
    ledger.close()
