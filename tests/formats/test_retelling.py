from __future__ import annotations

import pytest

from jmapsync.formats.message import is_offlineimap, likeness, offlineimap_form

PLAIN = b"Message-ID: <1@x>\r\nSubject: caf\xc3\xa9\r\n folded\r\n\r\nbody \xff\r\n"


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("1795426872_0.18293.vm,U=10,FMD5=50a16f415160a7132a86a551fc34bdc9", True),
        ("1795426872_0.18293.vm,U=-10,FMD5=50a16f415160a7132a86a551fc34bdc9", False),  # not on the server yet
        ("1795426872_0.18293.vm,U=10", False),  # mbsync's
        ("1795426872.J10R0a0b0c0d.vm", False),
    ],
)
def test_a_name_tells_whether_offlineimap_had_the_message_from_the_server(name: str, *, theirs: bool) -> None:
    assert is_offlineimap(name) is theirs


class TestRetelling:
    def test_a_plain_message_only_gets_other_line_ends(self) -> None:
        assert offlineimap_form(PLAIN) == PLAIN.replace(b"\r\n", b"\n")

    def test_a_part_that_is_not_closed_is_closed(self) -> None:
        start = b"Content-Type: multipart/mixed; boundary=x\r\nMIME-Version: 1.0\r\n\r\n--x\r\n\r\none\r\n"
        told = offlineimap_form(start)
        assert told is not None
        assert told.rstrip().endswith(b"--x--")

    def test_what_the_package_cannot_write_has_no_retelling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def give_up(*_: object, **__: object) -> bytes:
            raise LookupError

        monkeypatch.setattr("email.message.EmailMessage.as_bytes", give_up)
        assert offlineimap_form(PLAIN) is None


class TestLikeness:
    def test_it_is_the_message_id_whatever_the_line_ends(self) -> None:
        assert likeness(PLAIN) == likeness(PLAIN.replace(b"\r\n", b"\n")) == (b"<1@x>",)

    def test_without_one_it_is_date_author_and_subject(self) -> None:
        assert likeness(b"Subject: a\n b\nFrom: c\n\nDate: none\n") == (b"", b"c", b"a b")

    def test_nothing_is_like_nothing(self) -> None:
        assert not any(likeness(b"X-Other: 1\n\nSubject: body\n"))
