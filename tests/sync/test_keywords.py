"""Registered keywords travel both ways as letters: those of IMAP's registry, and those of RFC 9979."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
