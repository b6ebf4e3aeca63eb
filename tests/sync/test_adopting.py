"""Take over a tree that another program filled: what proves a message to be one of the server's, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.message import offlineimap_form
from tests.kit.mirror import assert_converges, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

MANY = 900
"""More than the adoption compares at a time, and all of one size: each round's questions are about the same messages."""


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


class TestATreeIsAdoptedWithoutADownload:
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
        monkeypatch.setattr("jmapsync.adopt.blob_ids.spelled", lambda _: "")
        fill(server, mirror)
        assert mirror.sync().to_server.created == 0
        asked = [blob for call in server.requests.calls("Blob/get") for blob in call.arguments["ids"]]
        assert len(asked) == len(set(asked)) == MANY
        assert_converges(server.account, mirror)

    def test_a_blob_id_that_spells_another_file_s_sha_1_proves_nothing(
        self, server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jmapsync.adopt.blob_ids.spelled", lambda blob: blob)
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


UNCLOSED = (
    b"Message-ID: <u@x>\r\nSubject: unclosed\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\none\r\n"
)
"""A message that offlineimap's way of writing it down changes."""
NAME = "1795426872_0.18293.vm,U=10,FMD5=50a16f415160a7132a86a551fc34bdc9:2,S"


def rewritten(message: bytes = UNCLOSED) -> bytes:
    reported = offlineimap_form(message)
    assert reported not in {None, message.replace(b"\r\n", b"\n")}
    assert reported is not None
    return reported


class TestFilesThatOfflineimapWroteOtherwise:
    def test_a_proven_rewriting_gets_the_servers_bytes_under_its_name_and_no_conflict_copy_is_made(
        self, server: DemoServer, mirror: Mirror
    ) -> None:
        ref = server.account.deliver(UNCLOSED, keywords=["$flagged"])
        (tree(mirror) / NAME).write_bytes(rewritten())
        report = mirror.sync()
        assert (report.to_server.created, report.to_disk.created, report.conflicts) == (0, 0, 0)
        assert server.account.listing() == {ref: (frozenset({"INBOX"}), frozenset({"$flagged", "$seen"}))}
        assert [file.name for file in mirror.files()] == [NAME.replace(":2,S", ":2,FS")]
        assert_converges(server.account, mirror)

    def test_in_every_folder_of_the_message(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.deliver(UNCLOSED, ["INBOX", "Archive"], ["$seen"])
        names = {"INBOX": NAME, "Archive": NAME.replace("U=10", "U=4")}
        for folder, name in names.items():
            (tree(mirror, folder) / name).write_bytes(rewritten())
        mirror.sync()
        assert {folder: [file.name for file in mirror.files(folder)] for folder in names} == {
            folder: [name] for folder, name in names.items()
        }
        assert len(server.account.emails) == 1
        assert_converges(server.account, mirror)

    def test_one_that_only_resembles_a_message_becomes_a_conflict_copy_and_no_new_message(
        self, server: DemoServer, mirror: Mirror
    ) -> None:
        ref = server.account.deliver(UNCLOSED)
        cut = rewritten().replace(b"one", b"two")
        (tree(mirror) / NAME).write_bytes(cut)
        report = mirror.sync()
        assert (report.to_server.created, report.to_disk.created, report.conflicts) == (0, 0, 1)
        assert server.account.listing() == {ref: (frozenset({"INBOX"}), frozenset({"$seen"}))}
        assert [file.name for file in mirror.files()] == [NAME]
        assert [file.read_bytes() for file in mirror.state.rglob("*") if file.is_file() and b"two" in file.read_bytes()]
        assert_mirrored(server.account, mirror)

    def test_a_message_id_that_two_files_have_says_nothing(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.deliver(UNCLOSED)
        cur = tree(mirror)
        for number, word in enumerate((b"two", b"six")):
            (cur / NAME.replace("U=10", f"U={number + 1}")).write_bytes(rewritten().replace(b"one", word))
        report = mirror.sync()
        assert (report.to_server.created, report.to_disk.created, report.conflicts) == (2, 1, 0)

    @pytest.mark.parametrize("name", ["1.theirs,U=10:2,S", NAME.replace("U=10", "U=-1")])
    def test_a_file_whose_name_does_not_say_that_it_came_from_the_server_is_new(
        self, server: DemoServer, mirror: Mirror, name: str
    ) -> None:
        server.account.deliver(UNCLOSED)
        (tree(mirror) / name).write_bytes(rewritten())
        assert mirror.sync().to_server.created == 1

    def test_one_without_a_message_there_is_new(self, server: DemoServer, mirror: Mirror) -> None:
        (tree(mirror) / NAME).write_bytes(rewritten())
        assert mirror.sync().to_server.created == 1
        assert_converges(server.account, mirror)


def test_folders_that_offlineimap_named_in_utf_7_are_the_mailboxes_they_mean(server: DemoServer, mirror: Mirror) -> None:
    for path in ("Ärzte", "Ärzte/Böse"):
        server.account.create_mailbox(path)
    server.account.deliver(letter(1), ["Ärzte/Böse"], ["$seen"])
    tree(mirror, "&AMQ-rzte")
    (tree(mirror, "&AMQ-rzte/B&APY-se") / NAME).write_bytes(letter(1).replace(b"\r\n", b"\n"))
    before = len(server.account.mailboxes)
    assert (mirror.sync().to_server.total, len(server.account.mailboxes)) == (0, before)
    assert [file.name for file in mirror.files("&AMQ-rzte/B&APY-se")] == [NAME]
    assert (mirror.sync().to_server.total, len(server.account.mailboxes)) == (0, before)


def test_a_folder_of_such_a_name_that_nobody_filled_so_is_called_that(server: DemoServer, mirror: Mirror) -> None:
    tree(mirror, "&AMQ-rzte")
    mirror.sync()
    assert server.account.mailbox("&AMQ-rzte").name == "&AMQ-rzte"


class TestATreeOfMujmap:
    """One Maildir of all mail, its files named by the ids of email and blob; flags in the names, mailboxes nowhere."""

    def lay(self, server: DemoServer, mirror: Mirror, ref: str, letters: str = "S") -> None:
        email = server.account.emails[ref]
        name = f"{ref}.{email.blob_id}:2,{letters}"
        (mirror.root / "INBOX" / "cur" / name).write_bytes(server.account.raw(ref).replace(b"\r\n", b"\n"))

    def test_messages_go_to_the_folders_of_their_mailboxes_and_no_mailbox_gets_more(
        self, server: DemoServer, mirror: Mirror
    ) -> None:
        tree(mirror)
        homes = {1: ["INBOX"], 2: ["Archive"], 3: ["Sent", "Archive"], 4: ["INBOX", "Archive"]}
        refs = {server.account.deliver(letter(number), boxes, ["$flagged"]): frozenset(boxes) for number, boxes in homes.items()}
        for ref in refs:
            self.lay(server, mirror, ref)
        server.requests.clear()
        report = mirror.sync()
        assert (report.to_server.created, report.to_disk.created, server.requests.count("Blob/get")) == (0, 0, 0)
        assert server.account.listing() == {ref: (boxes, frozenset({"$flagged", "$seen"})) for ref, boxes in refs.items()}
        assert_converges(server.account, mirror)

    def test_a_file_so_named_with_other_bytes_is_a_message_of_its_own(self, server: DemoServer, mirror: Mirror) -> None:
        tree(mirror)
        ref = server.account.deliver(letter(1), ["Archive"])
        self.lay(server, mirror, ref)
        [file] = mirror.files("INBOX")
        file.write_bytes(letter(2).replace(b"\r\n", b"\n"))
        mirror.sync()
        assert len(server.account.emails) == 2
        assert server.account.listing()[ref][0] == {"Archive"}
        assert_converges(server.account, mirror)
