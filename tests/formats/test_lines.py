"""Line ends: what goes to disk comes back byte for byte, whatever it is and however it is cut."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from jmapsync.formats.message import Form, digest_of, has_marks, has_tuid, measure, to_disk, to_wire, without_marks, without_tuid

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
def test_the_disk_gives_back_the_wires_bytes(content: bytes) -> None:
    stored, form = to_disk(content, keep_crlf=False)
    assert b"".join(to_wire([stored], form)) == content
    assert (form is Form.LF) == (content.replace(b"\r\n", b"").count(b"\r") + content.replace(b"\r\n", b"").count(b"\n") == 0)
    assert form is Form.RAW or b"\r" not in stored


@given(cut())
def test_pieces_make_the_same_wire(case: tuple[bytes, list[bytes]]) -> None:
    content, pieces = case
    for form in (Form.LF, Form.RAW, Form.MIXED):
        assert b"".join(to_wire(pieces, form)) == b"".join(to_wire([content], form))


@given(cut())
def test_a_measure_is_what_the_bytes_are(case: tuple[bytes, list[bytes]]) -> None:
    content, pieces = case
    measured = measure(pieces)
    wire = b"".join(to_wire([content], Form.MIXED))
    assert (measured.raw, measured.raw_size) == (digest_of(content), len(content))
    assert (measured.wire, measured.wire_size) == (digest_of(wire), len(wire))


@given(MESSAGES)
def test_a_stored_file_is_known_again_without_the_ledger(content: bytes) -> None:
    stored, form = to_disk(content, keep_crlf=False)
    measured = measure([stored])
    assert digest_of(content) in {measured.raw, measured.wire}
    assert measured.digest(form) == digest_of(content)


def test_a_mended_wire_has_no_bare_line_feed() -> None:
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
