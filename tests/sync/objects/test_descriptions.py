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


class Shelf:
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
def shelf(tmp_path: Path, server: DemoServer, kind: str) -> Shelf:
    return Shelf(tmp_path, server, kind)


def test_the_first_pull_brings_it(shelf: Shelf) -> None:
    shelf.store.edit_collection("", description=" What we do.\r\nAnd when. \n")
    shelf.sync()
    assert shelf.file.read_text() == "What we do.\nAnd when.\n"
    assert shelf.there == " What we do.\r\nAnd when. \n", "an echo would change it"


def test_edits_go_both_ways(shelf: Shelf) -> None:
    shelf.sync()
    assert not shelf.file.exists()
    shelf.file.write_text("Ours\n")
    shelf.sync()
    assert shelf.there == "Ours"
    shelf.store.edit_collection("", description="Theirs")
    shelf.sync()
    assert shelf.file.read_text() == "Theirs\n"
    shelf.file.unlink()
    shelf.sync()
    assert shelf.there is None
    shelf.store.edit_collection("", description="Again")
    shelf.sync()
    shelf.store.edit_collection("", description=None)
    shelf.sync()
    assert not shelf.file.exists()


def test_a_colour_and_a_description_do_not_disturb_each_other(shelf: Shelf, kind: str) -> None:
    if kind == "contacts":
        return  # an address book has no colour
    shelf.store.edit_collection("", color="#112233", description="Text")
    shelf.sync()
    (shelf.file.parent / "color").write_text("#445566")
    shelf.sync()
    [collection] = shelf.store.collections.values()
    assert (collection["color"], collection["description"]) == ("#445566", "Text")
    shelf.file.write_text("Other")
    shelf.sync()
    [collection] = shelf.store.collections.values()
    assert (collection["color"], collection["description"]) == ("#445566", "Other")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 5000])
def test_what_is_no_text_of_a_few_lines_stays_where_it_is(shelf: Shelf, content: bytes) -> None:
    shelf.store.edit_collection("", description="Text")
    shelf.sync()
    shelf.file.write_bytes(content)
    shelf.sync()
    shelf.store.edit_collection("", description="Other")
    shelf.sync()
    assert (shelf.file.read_bytes(), shelf.there) == (content, "Other")


def test_a_collection_with_a_description_is_removed_as_a_whole(shelf: Shelf) -> None:
    name = shelf.store.create_collection("Gone", description="Text")
    shelf.sync()
    assert len(list(shelf.root.glob("*/description"))) == 1
    shelf.store.delete_collection(name)
    shelf.sync()
    assert list(shelf.root.glob("*/description")) == []


def test_a_new_collection_takes_its_description_along(shelf: Shelf) -> None:
    shelf.sync()
    folder = shelf.root / "new"
    folder.mkdir()
    (folder / "description").write_text("Of our own")
    shelf.sync()
    assert [one["description"] for one in shelf.store.collections.values() if one["name"] == "new"] == ["Of our own"]
