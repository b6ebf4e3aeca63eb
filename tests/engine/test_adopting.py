"""Take over a tree that another program filled: what proves a message to be one of the server's, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mirror import assert_converges

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from jmapsync.demo import DemoServer
    from tests.mirror import Mirror

MANY = 900
"""More than the adoption takes up at a time, and all of one size: each round's questions are about the same messages."""


def letter(number: int) -> bytes:
    """Return one of many messages of one size, as the wire has it."""
    return f"Message-ID: <{number:04}@example.com>\r\nSubject: {number:04}\r\n\r\nbody\r\n".encode()


def tree(mirror: Mirror, folder: str = "INBOX") -> Path:
    """Make the Maildir of a mailbox that is not mirrored yet, and return where its read messages lie."""
    for part in ("cur", "new", "tmp"):
        (mirror.root / folder / part).mkdir(parents=True)
    return mirror.root / folder / "cur"


def fill(server: DemoServer, mirror: Mirror, line: bytes = b"") -> None:
    """Give both sides the same mail, the disk's with a line more in its header."""
    cur = tree(mirror)
    for number in range(MANY):
        server.account.deliver(letter(number))
        (cur / f"{number}.theirs:2,S").write_bytes(line.replace(b"?", b"A") + letter(number).replace(b"\r\n", b"\n"))


class TestCase15ATreeIsAdoptedWithoutADownload:
    def test_blob_ids_that_spell_the_files_sha_1_are_proof_without_a_question(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server, mirror)
        assert (mirror.sync().to_server.created, server.requests.count("Blob/get")) == (0, 0)
        assert_converges(server.account, mirror)

    def test_files_of_mbsync_are_known_by_their_names_too(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server, mirror, b"X-TUID: abcdefgh1234\n")
        assert (mirror.sync().to_server.created, server.requests.count("Blob/get")) == (0, 0)
        assert_converges(server.account, mirror)

    def test_where_blob_ids_spell_nothing_each_digest_is_asked_for_once(
        self, server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jmapsync.engine.blobnames.spelled", lambda _: "")
        fill(server, mirror)
        assert mirror.sync().to_server.created == 0
        asked = [blob for call in server.requests.calls("Blob/get") for blob in call.arguments["ids"]]
        assert len(asked) == len(set(asked)) == MANY
        assert_converges(server.account, mirror)

    def test_a_blob_id_that_spells_another_file_s_sha_1_proves_nothing(
        self, server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jmapsync.engine.blobnames.spelled", lambda blob: blob)
        fill(server, mirror)
        assert mirror.sync().to_server.created == 0
        assert_converges(server.account, mirror)

    def test_a_file_of_the_same_size_and_message_id_that_is_not_equal_is_no_match(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.deliver(letter(1))
        (tree(mirror) / "1.theirs:2,S").write_bytes(letter(1).replace(b"body", b"BODY").replace(b"\r\n", b"\n"))
        mirror.sync()
        assert sorted(server.account.raw(ref) for ref in server.account.emails) == sorted(
            [letter(1), letter(1).replace(b"body", b"BODY")]
        )
