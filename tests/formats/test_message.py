"""Line ends and header lines of messages: files restore the octets of the server; forms of mutt, mbsync and offlineimap."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jmapsync.formats.message import (
    Form,
    digest_of,
    has_marks,
    has_tuid,
    is_offlineimap,
    likeness,
    measure,
    offlineimap_form,
    to_disk,
    to_wire,
    without_marks,
    without_tuid,
)

MESSAGES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0", b"\xff", b"Lines: 3\n", b": "]), max_size=40).map(b"".join)


@st.composite
def cut(draw: st.DrawFn, contents: st.SearchStrategy[bytes] = MESSAGES) -> tuple[bytes, list[bytes]]:
    """A message and the same message in pieces."""
    content = draw(contents)
    places = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    edges = [0, *places, len(content)]
    return content, [content[start:end] for start, end in pairwise(edges)]


@given(MESSAGES)
@example(b"a\r\r\nb")
@example(b"a\nb\r\n")
@example(b"\r\n\r")
def test_files_restore_the_octets_of_the_server(content: bytes) -> None:
    stored, form = to_disk(content, keep_crlf=False)
    assert b"".join(to_wire([stored], form)) == content
    assert (form is Form.LF) == (content.replace(b"\r\n", b"").count(b"\r") + content.replace(b"\r\n", b"").count(b"\n") == 0)
    assert form is Form.RAW or b"\r" not in stored


@given(cut())
def test_chunks_give_the_same_octets(case: tuple[bytes, list[bytes]]) -> None:
    content, pieces = case
    for form in (Form.LF, Form.RAW, Form.MIXED):
        assert b"".join(to_wire(pieces, form)) == b"".join(to_wire([content], form))


@given(cut())
def test_measures_are_those_of_the_octets(case: tuple[bytes, list[bytes]]) -> None:
    content, pieces = case
    measured = measure(pieces)
    wire = b"".join(to_wire([content], Form.MIXED))
    assert (measured.raw, measured.raw_size) == (digest_of(content), len(content))
    assert (measured.wire, measured.wire_size) == (digest_of(wire), len(wire))


@given(MESSAGES)
def test_the_form_of_a_stored_file_is_found_without_the_ledger(content: bytes) -> None:
    stored, form = to_disk(content, keep_crlf=False)
    measured = measure([stored])
    assert digest_of(content) in {measured.raw, measured.wire}
    assert measured.digest(form) == digest_of(content)


def test_mixed_line_ends_become_crlf() -> None:
    assert b"".join(to_wire([b"a\r", b"\nb\n", b"\nc\r\n"], Form.MIXED)) == b"a\r\nb\r\n\r\nc\r\n"


def test_digests_are_written_as_blob_get_writes_them() -> None:
    assert digest_of(b"abc") == b64encode(hashlib.sha256(b"abc").digest()).decode()


class TestTheLinesThatMuttAdds:
    def test_are_taken_off_the_header_only(self) -> None:
        marked = b"Subject: x\nContent-Length: 12\nLines: 1\n\nLines: 7\nbody\n"
        assert b"".join(without_marks([marked])) == b"Subject: x\n\nLines: 7\nbody\n"
        assert has_marks(marked)
        assert not has_marks(b"Subject: x\n\nLines: 7\n")

    @given(cut(st.binary(max_size=60).map(lambda body: b"A: b\nContent-Length: 5\nC: d\n\n" + body)))
    def test_however_the_file_is_cut(self, case: tuple[bytes, list[bytes]]) -> None:
        content, pieces = case
        assert b"".join(without_marks(pieces)) == content.replace(b"Content-Length: 5\n", b"", 1)


class TestTheLineThatMbsyncAdds:
    def test_is_taken_off_once_and_other_lines_stay(self) -> None:
        marked = b"Subject: x\nLines: 1\nX-TUID: abcDEF123+/x\n\nX-TUID: abcDEF123+/x\n"
        assert has_tuid(marked)
        assert b"".join(without_tuid([marked])) == b"Subject: x\nLines: 1\n\nX-TUID: abcDEF123+/x\n"

    def test_is_not_one_of_another_length(self) -> None:
        assert not has_tuid(b"X-TUID: short\n\n")


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
def test_a_name_of_offlineimap_shows_that_the_message_came_from_the_server(name: str, *, theirs: bool) -> None:
    assert is_offlineimap(name) is theirs


class TestOfflineimapForm:
    def test_a_plain_message_only_gets_other_line_ends(self) -> None:
        assert offlineimap_form(PLAIN) == PLAIN.replace(b"\r\n", b"\n")

    def test_a_part_that_is_not_closed_is_closed(self) -> None:
        start = b"Content-Type: multipart/mixed; boundary=x\r\nMIME-Version: 1.0\r\n\r\n--x\r\n\r\none\r\n"
        written = offlineimap_form(start)
        assert written is not None
        assert written.rstrip().endswith(b"--x--")

    def test_a_message_that_the_package_cannot_write_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
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
