"""Keywords travel both ways as letters: the registered ones (IMAP's registry, RFC 9979), and those of `dovecot-keywords`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.kit.letters import fill, keywords, letter, wire
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer

RFC_9979 = (
    *("$notify", "$muted", "$followed", "$memo", "$hasmemo", "$hasattachment", "$hasnoattachment", "$autosent"),
    *("$unsubscribed", "$canunsubscribe", "$imported", "$istrusted", "$maskedemail", "$new"),
    *("$mailflagbit0", "$mailflagbit1", "$mailflagbit2"),
)
REGISTERED = ("$forwarded", "$junk", "$notjunk", "$phishing", "$mdnsent", *RFC_9979)


def deliver(server: DemoServer, *keywords: str) -> str:
    return server.account.deliver(b"Subject: one\r\n\r\nBody.\r\n", keywords=keywords)


def letter_of(mirror: Mirror, keyword: str) -> str:
    """Return the letter of a keyword in the inbox, by the rules of Maildir and `dovecot-keywords`."""
    if keyword == "$forwarded":
        return "P"
    table = dict(line.split()[::-1] for line in (mirror.folder("INBOX") / "dovecot-keywords").read_text().splitlines())
    return chr(ord("a") + int(table[keyword]))


def letters(file: Path) -> str:
    return file.name.rpartition(":2,")[2]


@pytest.mark.parametrize("keyword", REGISTERED)
def test_a_registered_keyword_comes_goes_and_is_given_and_taken_here(keyword: str, server: DemoServer, mirror: Mirror) -> None:
    ref = deliver(server, keyword)
    mirror.sync()
    [file] = mirror.files("INBOX")
    letter = letter_of(mirror, keyword)
    assert letters(file) == letter
    mirror.flag(file, "")
    mirror.sync()
    assert server.account.emails[ref].keywords == frozenset()
    mirror.flag(mirror.files("INBOX")[0], letter)
    mirror.sync()
    assert server.account.emails[ref].keywords == {keyword}
    server.account.set_keyword(ref, keyword, present=False)
    mirror.sync()
    assert letters(mirror.files("INBOX")[0]) == ""


def test_all_of_them_on_one_message_have_letters_of_their_own(server: DemoServer, mirror: Mirror) -> None:
    deliver(server, *REGISTERED)
    mirror.sync()
    assert sorted(letters(mirror.files("INBOX")[0])) == sorted(letter_of(mirror, keyword) for keyword in REGISTERED)
    assert_converges(server.account, mirror)


def test_the_27th_keyword_is_distinguished_from_one_taken_off(server: DemoServer, mirror: Mirror) -> None:
    words = [f"word{number:02}" for number in range(26)]
    ref = deliver(server, *words)
    mirror.sync()
    server.account.set_keyword(ref, "$junk")
    mirror.sync()
    [file] = mirror.files("INBOX")
    assert len(letters(file)) == 26
    mirror.flag(file, letters(file).replace(letter_of(mirror, "word03"), "") + "F")
    mirror.sync()
    assert server.account.emails[ref].keywords == {*words, "$junk", "$flagged"} - {"word03"}


def test_a_message_that_goes_to_another_folder_takes_its_keywords_along(server: DemoServer, mirror: Mirror) -> None:
    ref = deliver(server, "$junk", "$muted", "todo")
    deliver(server, "zebra")
    mirror.sync()
    file = next(one for one in mirror.files("INBOX") if len(letters(one)) == 3)
    file.rename(mirror.folder("Archive") / "cur" / file.name)
    mirror.sync()
    assert server.account.listing()[ref] == (frozenset({"Archive"}), frozenset({"$junk", "$muted", "todo"}))
    assert_converges(server.account, mirror)


class TestTheTable:
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


def test_the_same_and_opposite_changes_of_flags_merge(server: DemoServer, mirror: Mirror) -> None:
    same, opposite = fill(server, 2)
    server.account.set_keyword(opposite, "$flagged")
    mirror.sync()
    files = {server.account.raw(ref).replace(b"\r\n", b"\n"): ref for ref in (same, opposite)}
    for file in mirror.files("INBOX"):
        mirror.flag(file, "FS" if files[file.read_bytes()] == same else "S")
    server.account.set_keyword(same, "$seen")
    server.account.set_keyword(opposite, "$answered")
    report = mirror.sync()
    assert report.conflicts == 0
    assert set(server.account.listing()[same][1]) == {"$seen", "$flagged"}
    assert set(server.account.listing()[opposite][1]) == {"$seen", "$answered"}
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("copied", [False, True])
def test_letters_of_a_file_from_another_folder_mean_what_they_meant_there(
    server: DemoServer, mirror: Mirror, *, copied: bool
) -> None:
    ref = server.account.deliver(wire(letter(1)), ["INBOX"], ["$work"])
    other = server.account.deliver(wire(letter(2)), ["Archive"], ["$home"])
    mirror.sync()
    (file,) = mirror.files("INBOX")
    target = mirror.root / "Archive" / "cur" / file.name
    if copied:
        shutil.copy2(file, target)
    else:
        file.rename(target)
    assert_converges(server.account, mirror)
    assert server.account.listing()[ref][1] == {"$work"}
    assert server.account.listing()[other][1] == {"$home"}
