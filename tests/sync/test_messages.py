"""Sync the identity and content of messages, drafts, keywords and the ledger; real files beside the embedded server."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.errors import BusyError, ExitCode, LedgerError
from jmapsync.ledger import AccountLock, Ledger
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def letter(number: int, *, message_id: str = "") -> bytes:
    head = f"Message-ID: <{message_id}>\n" if message_id else ""
    return f"{head}From: a@example.com\nSubject: {number}\n\nbody {number}\n".encode()


def wire(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def fill(server: DemoServer, count: int = 4) -> list[str]:
    return [server.account.deliver(wire(letter(number)), received_at=1_700_000_000 + number) for number in range(count)]


def keywords(server: DemoServer, ref: str) -> set[str]:
    return set(server.account.listing()[ref][1])


def bodies_fetched(server: DemoServer) -> int:
    batched = sum(len(call.arguments["ids"]) for call in server.requests.calls("Blob/get") if "data:asBase64" in str(call))
    return batched + server.requests.count("download")


@pytest.fixture
def copying() -> Iterator[DemoServer]:
    """A server that stores the same content twice, as Stalwart does."""
    with DemoServer(dialect=dataclasses.replace(RFC, duplicates="copy")) as server:
        yield server


@pytest.fixture
def twin(copying: DemoServer, tmp_path: Path) -> Mirror:
    return Mirror(copying.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")


class TestIdentity:
    def test_a_message_id_that_repeats_or_is_missing_joins_nothing(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        for number in range(3):
            mirror.drop("INBOX", letter(number, message_id="same@example.com"))
            mirror.drop("INBOX", letter(10 + number))
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 6

    def test_content_that_the_server_has_already_is_bound_not_sent_twice(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        for _ in range(2):
            mirror.drop("Archive", letter(1))

        def deliver_the_same() -> None:
            server.account.deliver(wire(letter(1)), ["Sent"])

        server.faults.before_call.arm(deliver_the_same, times=1, only={"Email/import"})
        mirror.sync()
        mirror.sync()
        [ref] = server.account.emails
        assert server.account.listing()[ref][0] == {"Archive", "Sent"}
        assert (mirror.sync().to_server.total, mirror.requests) == (0, 1)

    def test_the_same_content_delivered_twice_is_two_messages(self, copying: DemoServer, twin: Mirror) -> None:
        first, second = (copying.account.deliver(wire(letter(1))) for _ in range(2))
        assert first != second
        twin.sync()
        assert len(twin.files("INBOX")) == 2
        twin.flag(twin.files("INBOX")[0], "F")
        twin.sync()
        assert sorted(map(len, (keywords(copying, ref) for ref in (first, second)))) == [0, 1]
        twin.files("INBOX")[0].unlink()
        assert_converges(copying.account, twin)
        assert sorted(map(sorted, (copying.account.listing()[ref][0] for ref in (first, second)))) == [["INBOX"], ["Trash"]]

    def test_an_import_whose_answer_was_lost_is_not_repeated(self, copying: DemoServer, twin: Mirror) -> None:
        twin.sync()
        for number in range(5):
            twin.drop("INBOX", letter(number))
        copying.faults.drop_after.arm(times=1, only={"Email/import"})
        twin.sync()
        assert_converges(copying.account, twin)
        assert len(copying.account.emails) == 5


class TestContent:
    @pytest.mark.parametrize("size", [0, 100_000, 9_000_000])
    def test_bytes_come_and_go_unchanged_whatever_they_are(self, server: DemoServer, mirror: Mirror, size: int) -> None:
        odd = [
            b"Subject: bare lf\nand crlf\r\n\r\nbody\n",
            b"Subject: bare cr\r\n\r\na\rb\r\n",
            b"Subject: cr cr lf\r\n\r\na\r\r\nb\r\n",
            b"Subject: nul\r\n\r\n\0\0\r\n",
            b"Subject: no end\r\n\r\nlast",
            b"From x\r\nSubject: mbox\r\n\r\nFrom y\r\n",
            b"\xff\xfe not a header\r\n",
        ]
        wires = [one + b"x" * size + b"\r\n" * bool(size) for one in odd]
        refs = {server.account.deliver(one): one for one in wires}
        mirror.sync()
        assert_mirrored(server.account, mirror)
        for file in mirror.files("INBOX"):
            (mirror.root / "Archive" / "cur" / f"{file.name}:2,").write_bytes(file.read_bytes())
            file.unlink()
        mirror.limits = msgspec.structs.replace(mirror.limits, max_deletes=100)
        mirror.sync()
        assert {ref: server.account.raw(ref) for ref in server.account.emails} == refs
        assert all(paths == {"Archive"} for paths, _ in server.account.listing().values())

    def test_a_file_with_lf_goes_out_with_crlf_and_stays_as_it_is(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        file = mirror.drop("INBOX", letter(1))
        mirror.sync()
        [ref] = server.account.emails
        assert server.account.raw(ref) == wire(letter(1))
        assert file.read_bytes() == letter(1)

    def test_crlf_is_kept_where_the_configuration_wants_it(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server)
        mirror.keep_crlf = True
        mirror.sync()
        assert sorted(file.read_bytes() for file in mirror.files()) == [wire(letter(number)) for number in range(4)]

    @pytest.mark.parametrize("stamp", [0, 1, 4_102_444_800])
    def test_odd_dates_are_kept_and_never_looped_over(self, server: DemoServer, mirror: Mirror, stamp: int) -> None:
        server.account.deliver(wire(letter(1)), received_at=stamp)
        assert_converges(server.account, mirror)

    def test_a_date_that_no_file_system_holds_is_not_looped_over(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.deliver(wire(letter(1)), received_at=253_402_300_799)
        assert mirror.sync().to_disk.created == 1
        assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)
        mirror.files("INBOX")[0].rename(mirror.root / "Archive" / "cur" / "moved:2,")
        mirror.sync()
        assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)


class TestDrafts:
    @pytest.fixture
    def draft(self, server: DemoServer, mirror: Mirror) -> str:
        ref = server.account.deliver(wire(letter(1)), ["Drafts"], ["$draft"])
        mirror.sync()
        return ref

    def test_a_draft_edited_on_the_server_replaces_the_file(self, server: DemoServer, mirror: Mirror, draft: str) -> None:
        server.account.deliver(wire(letter(2)), ["Drafts"], ["$draft"])
        server.account.destroy(draft)
        assert_converges(server.account, mirror)
        assert [file.read_bytes() for file in mirror.files("Drafts")] == [letter(2)]

    def test_a_draft_edited_here_is_imported_before_the_old_one_goes(self, server: DemoServer, mirror: Mirror, draft: str) -> None:
        mirror.files("Drafts")[0].write_bytes(letter(2))
        server.requests.clear()
        mirror.sync()
        assert draft not in server.account.emails
        [ref] = server.account.emails
        assert server.account.raw(ref) == wire(letter(2))
        assert keywords(server, ref) == {"$draft"}
        assert_converges(server.account, mirror)

    def test_a_draft_edited_on_both_sides_is_kept_twice(self, server: DemoServer, mirror: Mirror, draft: str) -> None:
        mirror.files("Drafts")[0].write_bytes(letter(2))
        server.account.deliver(wire(letter(3)), ["Drafts"], ["$draft"])
        server.account.destroy(draft)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert sorted(file.read_bytes() for file in mirror.files("Drafts")) == [letter(2), letter(3)]

    def test_an_edited_message_that_is_no_draft_leaves_its_old_version_in_trash(self, server: DemoServer, mirror: Mirror) -> None:
        [ref] = fill(server, 1)
        mirror.sync()
        mirror.files("INBOX")[0].write_bytes(letter(2))
        mirror.sync()
        assert server.account.listing()[ref][0] == {"Trash"}
        assert_converges(server.account, mirror)


class TestKeywords:
    def test_more_keywords_than_letters_are_all_kept(self, server: DemoServer, mirror: Mirror) -> None:
        words = {f"word{number:02}" for number in range(40)}
        ref = server.account.deliver(wire(letter(1)), keywords=sorted(words))
        mirror.sync()
        mirror.flag(mirror.files("INBOX")[0], mirror.files("INBOX")[0].name.rpartition(":2,")[2] + "F")
        mirror.sync()
        assert keywords(server, ref) == words | {"$flagged"}
        server.account.set_keyword(ref, "word39", present=False)
        server.account.set_keyword(ref, "another")
        mirror.sync()
        assert keywords(server, ref) == (words - {"word39"}) | {"$flagged", "another"}
        assert (mirror.sync().to_server.total, mirror.requests) == (0, 1)

    def test_a_letter_taken_off_takes_its_keyword_off_and_no_other(self, server: DemoServer, mirror: Mirror) -> None:
        ref = server.account.deliver(wire(letter(1)), keywords=["$junk", "a/b~c", "todo"])
        mirror.sync()
        table = dict(line.split() for line in (mirror.root / "INBOX" / "dovecot-keywords").read_text().splitlines())
        [number] = [number for number, word in table.items() if word == "todo"]
        file = mirror.files("INBOX")[0]
        mirror.flag(file, file.name.rpartition(":2,")[2].replace(chr(ord("a") + int(number)), ""))
        mirror.sync()
        assert keywords(server, ref) == {"$junk", "a/b~c"}

    def test_a_lost_keyword_table_changes_no_keyword(self, server: DemoServer, mirror: Mirror) -> None:
        ref = server.account.deliver(wire(letter(1)), keywords=["todo", "work"])
        mirror.sync()
        (mirror.root / "INBOX" / "dovecot-keywords").unlink()
        assert mirror.sync().to_server.total == 0
        server.account.set_keyword(ref, "more")
        assert_converges(server.account, mirror)

    def test_a_keyword_that_another_program_adds_to_the_table_reaches_the_server(self, server: DemoServer, mirror: Mirror) -> None:
        ref = server.account.deliver(wire(letter(1)), keywords=["todo"])
        mirror.sync()
        with (mirror.root / "INBOX" / "dovecot-keywords").open("a") as table:
            table.write("1 Project-X\n")
        mirror.flag(mirror.files("INBOX")[0], "ab")
        mirror.sync()
        assert keywords(server, ref) == {"todo", "project-x"}

    def test_a_table_that_is_there_before_adoption_names_its_letters(self, server: DemoServer, mirror: Mirror) -> None:
        ref = server.account.deliver(wire(letter(1)))
        folder = mirror.root / "INBOX"
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        (folder / "dovecot-keywords").write_text("0 $Junk\n3 $MDNSent\n")
        (folder / "cur" / "1.theirs:2,Sad").write_bytes(letter(1))
        mirror.sync()
        assert keywords(server, ref) == {"$seen", "$junk", "$mdnsent"}
        assert [file.name for file in mirror.files("INBOX")] == ["1.theirs:2,Sad"]

    def test_lines_of_others_in_a_table_stay_when_a_keyword_is_added(self, server: DemoServer, mirror: Mirror) -> None:
        ref = server.account.deliver(wire(letter(1)), keywords=["todo"])
        mirror.sync()
        table = mirror.root / "INBOX" / "dovecot-keywords"
        table.write_text("0 ToDo\n# by hand\n30 Far\n")
        server.account.set_keyword(ref, "more")
        mirror.sync()
        assert table.read_text() == "0 ToDo\n# by hand\n30 Far\n1 more\n"


class TestTheLedger:
    def test_lost_it_is_rebuilt_without_fetching_a_body_that_is_here(self, server: DemoServer, mirror: Mirror) -> None:
        refs = fill(server, 30)
        server.account.copy(refs[0], "Archive")
        mirror.sync()
        for file in mirror.state.glob("ledger.sqlite*"):
            file.unlink()
        mirror.session = None
        mirror.flag(mirror.files("Archive")[0], "F")
        server.account.set_keyword(refs[1], "$seen")
        server.requests.clear()
        report = mirror.sync()
        assert bodies_fetched(server) == 0
        assert (report.to_disk.created, report.to_server.created) == (0, 0)
        assert keywords(server, refs[0]) == {"$flagged"}
        assert_converges(server.account, mirror)
        assert set(server.account.emails) == set(refs)

    def test_restored_from_an_older_backup_it_loses_nothing(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        fill(server, 3)
        mirror.sync()
        shutil.copytree(mirror.state, tmp_path / "backup")
        mirror.drop("INBOX", letter(50))
        server.account.deliver(wire(letter(51)))
        mirror.flag(mirror.files("INBOX")[0], "F")
        mirror.sync()
        shutil.rmtree(mirror.state)
        (tmp_path / "backup").rename(mirror.state)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 5

    def test_files_restored_from_an_older_backup_are_not_taken_for_deletions(
        self, server: DemoServer, mirror: Mirror, tmp_path: Path
    ) -> None:
        fill(server, 30)
        mirror.sync()
        shutil.copytree(mirror.root, tmp_path / "backup")
        for number in range(100, 160):
            server.account.deliver(wire(letter(number)))
        mirror.sync()
        shutil.rmtree(mirror.root)
        (tmp_path / "backup").rename(mirror.root)
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        assert len(server.account.emails) == 90

    def test_written_by_a_newer_version_it_is_refused_and_left_alone(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server, 1)
        mirror.sync()
        path = mirror.state / "ledger.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(LedgerError, match="newer"):
            mirror.sync()
        with pytest.raises(LedgerError, match="newer"):
            Ledger.open_readonly(path)

    def test_malformed_it_says_what_to_do(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server, 1)
        mirror.sync()
        for file in mirror.state.glob("ledger.sqlite*"):
            file.write_bytes(b"this is no database" * 100)
        with pytest.raises(LedgerError, match="move it away"):
            mirror.sync()

    def test_a_second_run_learns_who_is_at_work(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        with AccountLock(mirror.state / "lock", "test"), pytest.raises(BusyError, match=r"process \d+"):
            mirror.sync()
        assert mirror.sync().exit_code == ExitCode.IN_SYNC


def test_a_table_of_letters_that_somebody_removed_or_cut_short_is_written_anew(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(b"Subject: one\r\n\r\n", keywords=["later", "work"])
    assert_converges(server.account, mirror)
    table = mirror.folder("INBOX") / "dovecot-keywords"
    whole = table.read_text()
    for left in ("", whole.splitlines()[0] + "\n"):
        table.write_text(left)
        assert_converges(server.account, mirror)
        assert table.read_text() == whole
    table.unlink()
    assert_converges(server.account, mirror)
    assert table.read_text() == whole
