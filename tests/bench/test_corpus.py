"""The corpus is the same every time and is mail a server keeps unchanged."""

from __future__ import annotations

from email import message_from_bytes
from statistics import mean

from tests.bench.corpus import make_corpus


def test_the_same_seed_makes_the_same_mail() -> None:
    assert list(make_corpus(50, 7)) == list(make_corpus(50, 7))
    assert list(make_corpus(50, 7)) != list(make_corpus(50, 8))


def test_a_larger_corpus_begins_with_the_smaller_one() -> None:
    assert list(make_corpus(60))[:50] == list(make_corpus(50))


def test_no_two_messages_are_alike() -> None:
    assert len({mail.content for mail in make_corpus(500)}) == 500


def test_lines_end_in_crlf_and_headers_are_ascii() -> None:
    for mail in make_corpus(500):
        assert b"\n" not in mail.content.replace(b"\r\n", b"")
        assert b"\r" not in mail.content.replace(b"\r\n", b"")
        assert mail.content.partition(b"\r\n\r\n")[0].isascii()


def test_it_has_the_shape_of_real_mail() -> None:
    mails = list(make_corpus(2_000))
    parsed = [message_from_bytes(mail.content) for mail in mails]
    assert 8_000 < mean(len(mail.content) for mail in mails) < 14_000
    assert any(message.get_content_type() == "multipart/mixed" for message in parsed)
    assert any(message.get_content_type() == "multipart/alternative" for message in parsed)
    assert 0.3 < mean(message["In-Reply-To"] is not None for message in parsed) < 0.7
    assert len({mail.folder for mail in mails}) == 9
    assert 0.8 < mean("\\Seen" in mail.flags for mail in mails) < 0.9
