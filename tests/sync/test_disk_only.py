"""A run that only the disk asked for: the server is not asked where nothing changed here, and asked for anything that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

LETTER = b"Subject: hello\n\nhello\n"


@pytest.fixture(autouse=True)
def _filled(server: DemoServer, mirror: Mirror) -> None:
    for path in ("Lists", "Lists/python", "Attic"):
        server.account.create_mailbox(path)
    server.account.populate(6, mailboxes=("INBOX", "Lists/python"))
    mirror.sync()


class TestWhereNothingChanged:
    def test_no_server_is_asked(self, mirror: Mirror) -> None:
        mirror.sync(disk_only=True)
        assert mirror.requests == 0

    def test_what_our_own_run_wrote_is_no_change(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.deliver(LETTER.replace(b"\n", b"\r\n"))
        server.account.rename_mailbox("Lists/python", "snake")
        mirror.sync()
        mirror.sync(disk_only=True)
        assert mirror.requests == 0

    def test_an_inbox_of_another_name_is_none_either(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.rename_mailbox("INBOX", "Inbox")
        mirror.sync()
        mirror.sync()
        mirror.sync(disk_only=True)
        assert mirror.requests == 0

    def test_an_inbox_of_another_name_from_the_start_is_none_either(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.rename_mailbox("INBOX", "Inbox")
        other = type(mirror)(server.url, "demo", "demo", mirror.root.parent / "other", mirror.state.parent / "other-state")
        other.sync()
        other.sync(disk_only=True)
        assert other.requests == 0


def drop(mirror: Mirror) -> None:
    mirror.drop("INBOX", LETTER)


def mark(mirror: Mirror) -> None:
    mirror.flag(mirror.files("INBOX")[0], "FS")


def delete(mirror: Mirror) -> None:
    mirror.files("INBOX")[0].unlink()


def move(mirror: Mirror) -> None:
    file = mirror.files("INBOX")[0]
    file.rename(mirror.folder("Attic") / "cur" / file.name)


def make_folder(mirror: Mirror) -> None:
    mirror.folder("New").mkdir()


def rename_folder(mirror: Mirror) -> None:
    mirror.folder("Lists/python").rename(mirror.folder("Lists/snake"))


def move_folder(mirror: Mirror) -> None:
    mirror.folder("Lists/python").rename(mirror.folder("Attic/python"))


def move_empty_folder(mirror: Mirror) -> None:
    mirror.folder("Attic").rename(mirror.folder("Lists/Attic"))


def remove_empty_folder(mirror: Mirror) -> None:
    for part in ("cur", "new", "tmp", ""):
        for file in mirror.folder("Attic").joinpath(part).glob(".*"):
            file.unlink()
        mirror.folder("Attic").joinpath(part).rmdir()


FOLDERS = [make_folder, rename_folder, move_folder, move_empty_folder, remove_empty_folder]


@pytest.mark.parametrize("act", [drop, mark, delete, move, *FOLDERS])
def test_whatever_changed_here_gets_to_the_server(act: Callable[[Mirror], None], server: DemoServer, mirror: Mirror) -> None:
    before = server.account.version
    act(mirror)
    assert mirror.sync(disk_only=True).exit_code == 0
    assert server.account.version != before
    mirror.sync()
    assert_mirrored(server.account, mirror)


def test_what_waits_to_be_done_is_done(server: DemoServer, mirror: Mirror) -> None:
    server.faults.method_error.arm(times=1, only={"Email/set"})
    mark(mirror)
    mirror.run_whatever_comes()
    mirror.sync(disk_only=True)
    assert any("$flagged" in keywords for _, keywords in server.account.listing().values())
