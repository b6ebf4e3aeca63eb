"""Names of files and collections: endings in capitals, names of the layout's own files, file systems that take no colon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.disks import like_exfat, refuse_names
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror


@pytest.mark.parametrize("ending", [".VCF", ".Vcf", ".vcf"])
def test_a_card_with_an_ending_in_capitals_is_read_and_keeps_its_name(desk: ObjectMirror, cards: Store, ending: str) -> None:
    folder = desk.file("contacts", "ada").parent
    file = folder / f"UPPER{ending}"
    file.write_bytes(card("grace"))
    desk.sync()
    desk.sync_until_quiet()
    assert sorted(item["uid"] for item in cards.items.values()) == ["ada", "grace"]
    file.write_bytes(card("grace").replace(b"END:VCARD", b"NOTE:changed\r\nEND:VCARD"))
    desk.sync()
    desk.sync_until_quiet()
    assert file.is_file()
    file.unlink()
    desk.sync()
    desk.sync_until_quiet()
    assert [item["uid"] for item in cards.items.values()] == ["ada"]


def test_an_event_with_an_ending_in_capitals_is_read(desk: ObjectMirror, events: Store) -> None:
    folder = desk.file("calendars", "weekly").parent
    (folder / "FROM-OUTLOOK.ICS").write_bytes(event("outlook"))
    desk.sync()
    assert "outlook" in {item["uid"] for item in events.items.values()}


@pytest.mark.parametrize("name", ["displayname", "color", ".jmapsync", "cur", "dovecot-keywords"])
def test_a_collection_called_as_the_layout_calls_its_own_files(desk: ObjectMirror, cards: Store, name: str) -> None:
    cards.create_collection(name)
    desk.sync()
    desk.sync_until_quiet()
    made = [one for one in (desk.base / "contacts").iterdir() if one.is_dir()]
    assert len(made) == 2
    (max(made, key=lambda one: one.stat().st_mtime_ns) / "x.vcf").write_bytes(card("grace"))
    desk.sync()
    desk.sync_until_quiet()
    assert len(cards.items) == 2


def test_a_file_system_without_colons_gets_other_names_of_collections(
    server: DemoServer, fresh: ObjectMirror, cards: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_names(monkeypatch, like_exfat)
    cards.create_collection('Friends: "old" <and> new?')
    fresh.sync_until_quiet()
    names = {one.name for one in (fresh.base / "contacts").iterdir() if one.is_dir()}
    assert "Friends%3A %22old%22 %3Cand%3E new%3F" in names
    server.requests.clear()
