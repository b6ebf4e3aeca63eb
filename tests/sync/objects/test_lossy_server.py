"""Cards and events on a server that keeps a part of what it is given and numbers entries by their place, as Cyrus does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.formats.codec import cards
from tests.kit.object_mirror import ObjectMirror, change
from tests.sync.objects.samples import card

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store

READ = cards("3.0").read
NUMBERS = ("+44 1", "+44 2", "+44 3", "+44 4")
TYPES = ("HOME", "WORK", "CELL", "FAX")
URLS = ("https://a.example/", "https://b.example/", "https://c.example/")
LINES = (
    *(f"item{place}.TEL;TYPE={kind}:{number}" for place, (kind, number) in enumerate(zip(TYPES, NUMBERS, strict=True))),
    *(f"item{place}.X-ABLABEL:label of {number}" for place, number in enumerate(NUMBERS)),
    *(f"u{place}.URL:{url}" for place, url in enumerate(URLS)),
    *(f"u{place}.X-ABLABEL:label of {url}" for place, url in enumerate(URLS)),
    "BDAY:--0229",
    "X-ANNIVERSARY:2011-05-06",
)


def kept(item: dict[str, Any]) -> dict[str, Any]:
    """Return what the server keeps of a card: values of entries without labels and types, dates without a year; keys by place."""
    found = dict(item)
    for name, value in (("phones", "number"), ("links", "uri"), ("emails", "address")):
        entries = [{value: entry[value]} for entry in item.get(name, {}).values()]
        found[name] = {f"{name.upper()}-{number}": entry for number, entry in enumerate(entries, 1)}
    for entry in found.get("anniversaries", {}).values():
        entry["date"].pop("year", None)
    dates = found.pop("anniversaries", {})
    found["anniversaries"] = {f"ANNIVERSARY-{number}": entry for number, entry in enumerate(dates.values(), 1)}
    return {name: value for name, value in found.items() if value != {}}


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="rfc") as server:
        server.faults.rewrite_items.arm(kept, only={"ContactCard"})
        yield server


@pytest.fixture
def store(server: DemoServer) -> Store:
    return server.account.contacts


@pytest.fixture
def desk(server: DemoServer, tmp_path: Path) -> ObjectMirror:
    desk = ObjectMirror(server.url, tmp_path, ("contacts",))
    desk.sync()
    (tmp_path / "contacts" / "Contacts" / "ada.vcf").write_bytes(card("ada", *LINES))
    desk.sync()
    desk.sync()
    return desk


def shown(desk: ObjectMirror) -> dict[str, Any]:
    return READ(desk.file("contacts", "ada").read_bytes())


def renumbered(name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {f"{name.upper()}-{number}": entry for number, entry in enumerate(entries, 1)}


def assert_labels(item: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Fail where a number, a URL or a date has a part that was another one's."""
    numbers = {entry["number"]: entry for entry in wanted["phones"].values()}
    for entry in item.get("phones", {}).values():
        assert entry == numbers.get(entry["number"], {"number": entry["number"]})
    for entry in item.get("links", {}).values():
        assert entry.get("label", f"label of {entry['uri']}") == f"label of {entry['uri']}"
    for entry in item.get("anniversaries", {}).values():
        assert entry["date"].get("year") == (2011 if (entry["kind"], entry["date"].get("day")) == ("wedding", 6) else None)


@pytest.mark.parametrize("seed", range(6))
def test_parts_stay_at_their_entries_whatever_another_client_does(store: Store, desk: ObjectMirror, seed: int) -> None:
    chance, wanted = random.Random(seed), shown(desk)
    assert_labels(wanted, wanted)
    ref = store.by_uid("ada")["id"]
    for number in range(3):
        now = store.by_uid("ada")
        patch: dict[str, Any] = {"keywords": {f"round {number}": True}}
        for name, made in (("phones", {"number": f"+49 {number}"}), ("links", {"uri": f"https://x{number}.example/"})):
            entries = list(now.get(name, {}).values())
            chance.shuffle(entries)
            entries = entries[chance.randint(0, 1) :]
            if chance.random() < 0.5:
                entries.insert(0, made)
            if len(entries) > 1 and chance.random() < 0.4:
                entries[-1] = {**entries[-1], **{key: f"{value}0" for key, value in made.items()}}
            patch[name] = renumbered(name, entries)
        dates = list(now.get("anniversaries", {}).values())
        chance.shuffle(dates)
        patch["anniversaries"] = renumbered("anniversary", dates[chance.randint(0, 1) :])
        store.edit(ref, patch)
        assert not desk.sync()["contacts"].problems
        assert_labels(shown(desk), wanted)
    there = {one["number"] for one in store.by_uid("ada").get("phones", {}).values()}
    assert {one["number"] for one in shown(desk)["phones"].values()} == there


def test_a_yearless_birthday_does_not_get_a_year(store: Store, desk: ObjectMirror) -> None:
    ref = store.by_uid("ada")["id"]
    birth = next(one for one in store.by_uid("ada")["anniversaries"].values() if one["kind"] == "birth")
    store.edit(ref, {"anniversaries": {"ANNIVERSARY-1": birth}})
    desk.sync()
    text = desk.file("contacts", "ada").read_text()
    assert "BDAY:--0229" in text
    assert "2011" not in text


def test_an_edit_after_a_reordering_changes_the_number_that_was_edited(store: Store, desk: ObjectMirror) -> None:
    """Another client only reordered: nothing is written here, and the keys are others by now."""
    ref = store.by_uid("ada")["id"]
    entries = list(store.by_uid("ada")["phones"].values())
    store.edit(ref, {"phones": renumbered("phones", entries[::-1])})
    desk.sync()
    change(desk.file("contacts", "ada"), ":+44 2", ":+44 22")
    report = desk.sync()["contacts"]
    assert report.conflicts == 0
    assert sorted(one["number"] for one in store.by_uid("ada")["phones"].values()) == ["+44 1", "+44 22", "+44 3", "+44 4"]
    lines = desk.file("contacts", "ada").read_text().replace("\n ", "").splitlines()
    for kind, number in zip(TYPES, NUMBERS, strict=True):
        assert any(line.endswith(f"TYPE={kind}:{number.replace('+44 2', '+44 22')}") for line in lines)


def test_an_edit_of_one_number_beside_one_of_another_client_reaches_the_right_one(store: Store, desk: ObjectMirror) -> None:
    ref = store.by_uid("ada")["id"]
    entries = list(store.by_uid("ada")["phones"].values())
    store.edit(ref, {"phones": renumbered("phones", [entries[3], entries[1], entries[0]])})
    change(desk.file("contacts", "ada"), ":+44 2", ":+44 22")
    report = desk.sync()["contacts"]
    assert report.conflicts == 0
    desk.sync()
    assert [one["number"] for one in store.by_uid("ada")["phones"].values()] == ["+44 4", "+44 22", "+44 1"]
    item = shown(desk)
    assert {one["number"]: one["label"] for one in item["phones"].values()} == {
        "+44 1": "label of +44 1",
        "+44 22": "label of +44 2",
        "+44 4": "label of +44 4",
    }


def test_what_was_removed_here_does_not_come_back(store: Store, desk: ObjectMirror) -> None:
    change(desk.file("contacts", "ada"), "item1.X-ABLABEL:label of +44 2\r\n", "")
    desk.sync()
    store.edit(store.by_uid("ada")["id"], {"keywords": {"seen": True}})
    desk.sync()
    text = desk.file("contacts", "ada").read_text()
    assert "label of +44 2" not in text
    assert text.count("label of +44 1") == text.count("label of +44 3") == 1
