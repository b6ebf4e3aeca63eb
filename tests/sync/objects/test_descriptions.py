"""The description of a calendar or address book is the file `description` of its collection, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, STALWART, DemoServer
from tests.kit.pim import Pim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store


@pytest.fixture(params=[RFC, STALWART], ids=lambda dialect: dialect.name)
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        yield server


@pytest.fixture(params=["calendars", "contacts"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Mirrored:
    def __init__(self, base: Path, server: DemoServer, kind: str) -> None:
        self.store: Store = getattr(server.account, kind)
        self.root = base / kind
        self.pim = Pim(base, server.url, "demo", "demo", ("contacts", "calendars"))

    def sync(self) -> None:
        for _ in range(4):
            report = self.pim.run()
            if not report.changed:
                assert self.pim.run().requests == 1
                return
        raise AssertionError

    @property
    def file(self) -> Path:
        [folder] = [one for one in self.root.iterdir() if one.is_dir()]
        return folder / "description"

    @property
    def there(self) -> object:
        [collection] = self.store.collections.values()
        return collection["description"]


@pytest.fixture
def mirrored(tmp_path: Path, server: DemoServer, kind: str) -> Mirrored:
    return Mirrored(tmp_path, server, kind)


def test_the_first_pull_brings_it(mirrored: Mirrored) -> None:
    mirrored.store.edit_collection("", description=" What we do.\r\nAnd when. \n")
    mirrored.sync()
    assert mirrored.file.read_text() == "What we do.\nAnd when.\n"
    assert mirrored.there == " What we do.\r\nAnd when. \n", "an echo would change it"


def test_edits_go_both_ways(mirrored: Mirrored) -> None:
    mirrored.sync()
    assert not mirrored.file.exists()
    mirrored.file.write_text("Ours\n")
    mirrored.sync()
    assert mirrored.there == "Ours"
    mirrored.store.edit_collection("", description="Theirs")
    mirrored.sync()
    assert mirrored.file.read_text() == "Theirs\n"
    mirrored.file.unlink()
    mirrored.sync()
    assert not mirrored.there
    mirrored.store.edit_collection("", description="Again")
    mirrored.sync()
    mirrored.store.edit_collection("", description=None)
    mirrored.sync()
    assert not mirrored.file.exists()


def test_a_colour_and_a_description_do_not_disturb_each_other(mirrored: Mirrored, kind: str) -> None:
    if kind == "contacts":
        return  # an address book has no colour
    mirrored.store.edit_collection("", color="#112233", description="Text")
    mirrored.sync()
    (mirrored.file.parent / "color").write_text("#445566")
    mirrored.sync()
    [collection] = mirrored.store.collections.values()
    assert (collection["color"], collection["description"]) == ("#445566", "Text")
    mirrored.file.write_text("Other")
    mirrored.sync()
    [collection] = mirrored.store.collections.values()
    assert (collection["color"], collection["description"]) == ("#445566", "Other")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 5000])
def test_what_is_no_text_of_a_few_lines_stays_where_it_is(mirrored: Mirrored, content: bytes) -> None:
    mirrored.store.edit_collection("", description="Text")
    mirrored.sync()
    mirrored.file.write_bytes(content)
    mirrored.sync()
    mirrored.store.edit_collection("", description="Other")
    mirrored.sync()
    assert (mirrored.file.read_bytes(), mirrored.there) == (content, "Other")


def test_a_collection_with_a_description_is_removed_as_a_whole(mirrored: Mirrored) -> None:
    name = mirrored.store.create_collection("Gone", description="Text")
    mirrored.sync()
    assert len(list(mirrored.root.glob("*/description"))) == 1
    mirrored.store.delete_collection(name)
    mirrored.sync()
    assert list(mirrored.root.glob("*/description")) == []


def test_a_new_collection_takes_its_description_along(mirrored: Mirrored) -> None:
    mirrored.sync()
    folder = mirrored.root / "new"
    folder.mkdir()
    (folder / "description").write_text("Of our own")
    mirrored.sync()
    assert [one["description"] for one in mirrored.store.collections.values() if one["name"] == "new"] == ["Of our own"]
