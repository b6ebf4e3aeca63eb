"""What another client does in the very moment of a write is not undone by it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path

LETTER = b"Subject: a\n\nbody\n"
OTHER = b"Subject: b\n\nbody\n"


def wire(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("dialect", ["rfc", "cyrus36", "cyrus312"])
class TestAMessageThatIsToBeDestroyed:
    def test_and_is_taken_out_of_trash_in_that_moment_stays(self, dialect: str, tmp_path: Path) -> None:
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            ref = server.account.deliver(wire(LETTER), ["Trash"])
            mirror.sync()
            mirror.files("Trash")[0].unlink()
            server.faults.before_call.arm(lambda *_: server.account.move(ref, "Trash", "INBOX"), times=1, only={"Email/set"})
            mirror.sync()
            assert_converges(server.account, mirror)
            assert ref in server.account.emails

    def test_goes_with_others_in_several_requests(self, dialect: str, tmp_path: Path) -> None:
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            server.limits.max_objects_in_set, server.limits.max_objects_in_get = 3, 7
            for number in range(20):
                server.account.deliver(b"Subject: %d\r\n\r\nbody\r\n" % number, ["Trash" if number % 2 else "INBOX"])
            mirror.sync()
            for file in mirror.files():
                file.unlink()
            mirror.sync()
            assert mirror.sync(allow_deletes=True).to_server.deleted == 20
            assert [paths for paths, _ in server.account.listing().values()] == [frozenset({"Trash"})] * 10


def test_a_draft_edited_here_and_sent_there_in_that_moment_stays_sent(server: DemoServer, mirror: Mirror) -> None:
    ref = server.account.deliver(wire(LETTER), ["Drafts"], ["$draft"])
    mirror.sync()
    (file,) = mirror.files("Drafts")
    file.write_bytes(OTHER)

    def send(*_: object) -> None:
        server.account.move(ref, "Drafts", "Sent")
        server.account.set_keyword(ref, "$draft", present=False)

    server.faults.before_call.arm(send, times=1, only={"Email/import"})
    mirror.sync()
    assert_converges(server.account, mirror)
    assert server.account.raw(ref) == wire(LETTER)
    assert [file.read_bytes() for file in mirror.files("Sent")] == [LETTER]
    assert [file.read_bytes() for file in mirror.files("Drafts")] == [OTHER]


@pytest.mark.parametrize("letters", ["F", ""])
def test_a_message_edited_here_and_flagged_there_in_that_moment_is_flagged(
    server: DemoServer, mirror: Mirror, letters: str
) -> None:
    ref = server.account.deliver(wire(LETTER), keywords=[] if letters else ["$flagged"])
    mirror.sync()
    mirror.files()[0].write_bytes(OTHER)

    def flag(*_: object) -> None:
        server.account.set_keyword(ref, "$flagged", present=bool(letters))

    server.faults.before_call.arm(flag, times=1, only={"Email/import"})
    mirror.sync()
    assert_converges(server.account, mirror)
    assert mirror.tree()["INBOX"] == [(OTHER, letters)]


def test_a_folder_that_is_renamed_while_its_mailbox_is_made_stops_no_run(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    made = mirror.folder("Projects")
    for part in ("cur", "new", "tmp"):
        (made / part).mkdir(parents=True)
    mirror.drop("Projects", LETTER)
    server.faults.after_call.arm(lambda: os.rename(made, mirror.folder("Plans")), times=1, only={"Mailbox/set"})
    mirror.sync(allow_deletes=True)
    assert_converges(server.account, mirror)
    assert [paths for paths, _ in server.account.listing().values()] == [frozenset({"Plans"})]
