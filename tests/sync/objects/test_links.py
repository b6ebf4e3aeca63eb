"""Links, pipes and sockets in and around collections: nothing is reached through them, nothing waits, and they are named."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode
from tests.sync.objects.samples import card

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror


def link(path: Path) -> None:
    (path.parents[3] / "secret").write_text("#123456")
    path.symlink_to(path.parents[3] / "secret")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


ODD: dict[str, Callable[[Path], None]] = {"link": link, "pipe": pipe, "socket": listening}


@pytest.fixture(params=["rfc"])
def server(server: DemoServer) -> DemoServer:
    return server


@pytest.mark.parametrize(
    ("name", "kind"),
    [("displayname", "link"), ("color", "link"), ("displayname", "pipe"), ("color", "socket"), (".jmapsync", "pipe")],
)
def test_metadata_that_is_no_file_is_named_and_changes_nothing(desk: ObjectMirror, cards: Store, name: str, kind: str) -> None:
    book = desk.file("contacts", "ada").parent
    before = [(one["name"], one.get("color")) for one in cards.collections.values()]
    (book / name).unlink(missing_ok=True)
    ODD[kind](book / name)
    state = (book / name).lstat()
    report = desk.sync()["contacts"]
    assert report.exit_code == ExitCode.QUARANTINED
    assert [one.item for one in report.problems] == [book.name]
    assert name in report.problems[0].why
    assert [(one["name"], one.get("color")) for one in cards.collections.values()] == before
    assert (book / name).lstat().st_ino == state.st_ino
    (book / "grace.vcf").write_bytes(card("grace"))
    desk.sync()
    assert {item["uid"] for item in cards.items.values()} == {"ada", "grace"}


def test_a_link_instead_of_an_address_book_hides_it_and_nothing_is_lost(desk: ObjectMirror, cards: Store, tmp_path: Path) -> None:
    book = desk.file("contacts", "ada").parent
    cards.create_collection("Friends")
    desk.sync_until_quiet()
    book.rename(tmp_path / "elsewhere")
    book.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "eve.vcf").write_bytes(card("eve"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
    cards.add({"@type": "Card", "version": "1.0", "uid": "new", "name": {"full": "New"}})
    cards.edit(cards.by_uid("ada")["id"], {"name/full": "Ada King"})
    (desk.base / "contacts" / "Friends" / "bob.vcf").write_bytes(card("bob"))
    for _ in range(2):
        report = desk.sync()["contacts"]
        assert any(one.item == book.name and "symbolic link" in one.why for one in report.problems)
        assert {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == before
    assert {item["uid"] for item in cards.items.values()} == {"ada", "new", "bob"}
    book.unlink()
    (tmp_path / "elsewhere").rename(book)
    desk.sync()
    desk.sync_until_quiet()
    assert {item["uid"] for item in cards.items.values()} == {"ada", "new", "bob", "eve"}


@pytest.mark.parametrize("target", ["/not/mounted", "a file", "Friends"])
def test_an_address_book_stays_whatever_the_link_in_its_place_leads_to(
    desk: ObjectMirror, cards: Store, tmp_path: Path, target: str
) -> None:
    cards.create_collection("Friends")
    desk.sync_until_quiet()
    (desk.base / "contacts" / "a file").write_text("no address book\n")
    before = sorted(one["name"] for one in cards.collections.values())
    for number, book in enumerate((desk.base / "contacts" / "Friends", desk.file("contacts", "ada").parent)):
        book.rename(tmp_path / f"elsewhere {number}")
        book.symlink_to(target)
        for _ in range(2):
            report = desk.sync()["contacts"]
            assert report.exit_code == ExitCode.QUARANTINED
            assert any(one.item == book.name and "symbolic link" in one.why for one in report.problems)
            assert not any("still holds" in one.why for one in report.problems), report.problems
        assert sorted(one["name"] for one in cards.collections.values()) == before
        assert {item["uid"] for item in cards.items.values()} == {"ada"}
        book.unlink()
        (tmp_path / f"elsewhere {number}").rename(book)
        assert desk.sync()["contacts"].exit_code == 0


def test_a_link_instead_of_a_card_is_not_written_through(desk: ObjectMirror, cards: Store, tmp_path: Path) -> None:
    file = desk.file("contacts", "ada")
    file.rename(tmp_path / "ada.vcf")
    file.symlink_to(tmp_path / "ada.vcf")
    before = (tmp_path / "ada.vcf").read_bytes()
    cards.edit(cards.by_uid("ada")["id"], {"name/full": "Ada King"})
    report = desk.sync()["contacts"]
    assert report.exit_code == ExitCode.QUARANTINED
    assert (tmp_path / "ada.vcf").read_bytes() == before
    assert file.is_symlink()
    assert len(cards.items) == 1
