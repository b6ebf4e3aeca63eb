"""The lines of a vCard file (RFC 6350, 3.2 to 3.4; RFC 2425, 5.8; RFC 6868; vCard 2.1 as Versit wrote it down)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.contentline import Line
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.vcard.lines import read_lines, write_lines


def lines(text: str | bytes, version: str = "4.0") -> list[Line]:
    data = text.encode() if isinstance(text, str) else text
    found = read_lines(b"BEGIN:VCARD\r\nVERSION:" + version.encode() + b"\r\n" + data + b"\r\nEND:VCARD\r\n")
    assert found[0] == Line("VERSION", version, {})
    return found[1:]


def line(text: str | bytes, version: str = "4.0") -> Line:
    (found,) = lines(text, version)
    return found


def test_a_line_has_a_group_a_name_parameters_and_a_value() -> None:
    assert line("item1.tel;Type=home,work;x-a=1:+1;2") == Line("TEL", "+1;2", {"type": ["home", "work"], "x-a": ["1"]}, "item1")


def test_a_name_stands_for_itself_in_any_case_and_a_group_keeps_its_own() -> None:
    assert line("A.B.x-Foo_bar:1") == Line("X-FOO_BAR", "1", {}, "A.B")


def test_values_keep_their_backslashes() -> None:
    assert line("NOTE:a\\, b\\nc\\;d\\\\ ").value == "a\\, b\\nc\\;d\\\\ "


def test_a_quoted_parameter_may_hold_what_separates() -> None:
    read = line('ADR;LABEL="a;b:c,d";TYPE="home,work",x:;;')
    assert read == Line("ADR", ";;", {"label": ["a;b:c,d"], "type": ["home,work", "x"]})


def test_a_repeated_parameter_adds_its_values() -> None:
    assert line("TEL;TYPE=HOME;type=CELL:1").params == {"type": ["HOME", "CELL"]}


def test_carets_in_parameters_stand_for_what_cannot_be_written() -> None:
    """RFC 6868, 3.1."""
    assert line('X;A="^n^^^\'^x":').params == {"a": ['\n^"^x']}
    assert line("X;A=^n:", "2.1").params == {"a": ["^n"]}


def test_bare_parameters_are_types_encodings_and_kinds_of_value() -> None:
    """vCard 2.1, 2.1.2."""
    assert line("PHOTO;GIF;BASE64;INLINE:AAAA", "2.1").params == {"type": ["GIF"], "encoding": ["b"], "value": ["INLINE"]}
    assert line("TEL;HOME;VOICE;pref:1", "3.0").params == {"type": ["HOME", "VOICE", "pref"]}


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\r\n"])
def test_any_line_end_will_do_and_the_last_may_be_missing(end: str) -> None:
    text = end.join(["BEGIN:VCARD", "FN:a", " b", "", "NOTE:c", "\td", "END:VCARD"])
    assert read_lines(text.encode()) == [Line("FN", "ab", {}), Line("NOTE", "cd", {})]


def test_a_byte_order_mark_and_blank_lines_are_passed_over() -> None:
    assert read_lines(b"\xef\xbb\xbf\r\n \r\nbegin:vcard \r\n\r\nFN:a\r\n\r\nEnd:VCard\r\n\r\n") == [Line("FN", "a", {})]


def test_a_fold_may_cut_a_code_point() -> None:
    """RFC 6350, 3.2: unfolding comes before decoding."""
    assert line(b"FN:M\xc3\r\n \xbcller").value == "Müller"


def test_vcard_2_1_keeps_the_space_that_it_folds_at() -> None:
    assert line("NOTE:one\r\n two", "2.1").value == "one two"


def test_quoted_printable_is_decoded_over_its_soft_breaks() -> None:
    """vCard 2.1, 2.1.3; what comes out is escaped as vCard 3.0 has it."""
    read = line("NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BC=\r\nller=0D=0Aa, b\\c", "2.1")
    assert read == Line("NOTE", "Müller\\na\\, b\\\\c", {})
    assert line("N;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller;J=\\;x", "2.1").value == "Müller;J=\\;x"


def test_a_soft_break_does_not_swallow_the_end() -> None:
    assert line("NOTE;QUOTED-PRINTABLE:a=", "2.1").value == "a"


def test_eight_bits_are_read_in_the_character_set_that_the_line_names() -> None:
    assert line(b"N;CHARSET=ISO-8859-1:M\xfcller", "2.1") == Line("N", "Müller", {})


def test_commas_of_vcard_2_1_separate_categories_only() -> None:
    assert [read.value for read in lines("ORG:A, Inc.;B\r\nCATEGORIES:a,b", "2.1")] == ["A\\, Inc.;B", "a,b"]


def test_a_card_inside_a_card_is_the_text_of_its_line() -> None:
    """vCard 2.1, AGENT."""
    read = lines("AGENT:\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nFN:a,b\r\nEND:VCARD\r\nFN:c", "2.1")
    assert read == [Line("AGENT", "BEGIN:VCARD\\nVERSION:2.1\\nFN:a\\,b\\nEND:VCARD\\n", {}), Line("FN", "c", {})]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty: it has no BEGIN:VCARD."),
        (b"\n\n", "The file is empty: it has no BEGIN:VCARD."),
        (b"\nFN:a\n", "Line 2 should be BEGIN:VCARD: this is no vCard."),
        (b"BEGIN:VCALENDAR\n", "Line 1 should be BEGIN:VCARD: this is no vCard."),
        (b"BEGIN:VCARD\nFN:a\n", "The file ends before END:VCARD: it is cut short."),
        (b"BEGIN:VCARD\nEND:VCARD\nBEGIN:VCARD\n", "Line 3 comes after the end of the vCard: a file holds one vCard only."),
        (b"BEGIN:VCARD\nFN:a\nBEGIN:VCARD\n", "Line 3 begins another vCard: a file holds one vCard only."),
        (b"BEGIN:VCARD\nFN:a\n b\nNOTE\nEND:VCARD", "Line 4 has no colon."),
        (b"BEGIN:VCARD\nFN:a\n b\n\nN\xc3\xa9:x\nEND:VCARD", "Line 5 has a name that no property can have."),
        (b'BEGIN:VCARD\nX;A="b:c\nEND:VCARD', "Line 2 has a quotation mark that is not closed."),
        (b"BEGIN:VCARD\nFN:a\n b\nN:\xff\nEND:VCARD", "Line 4 is not UTF-8 text."),
        (b"BEGIN:VCARD\nX;CHARSET=UTF-8;QUOTED-PRINTABLE:=FF\nEND:VCARD", "Line 2 is not text in UTF-8."),
        (b"BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nEND:VCARD\n", "The file ends before END:VCARD: it is cut short."),
        (b"BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\n", "The file ends before END:VCARD: it is cut short."),
    ],
)
def test_what_is_not_a_vcard_is_refused_with_the_line(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as fault:
        read_lines(data)
    assert str(fault.value) == message


def test_lines_are_folded_at_75_octets_without_cutting_a_code_point() -> None:
    """RFC 6350, 3.2."""
    written = write_lines([Line("NOTE", "é" * 100 + "漢" * 60 + "x" * 200, {})])
    folded = written.split(b"\r\n")
    assert folded.pop() == b""
    assert all(len(piece) <= 75 for piece in folded)
    assert all(piece.decode() for piece in folded)
    assert min(len(piece) for piece in folded[:-1]) >= 72
    assert len(write_lines([Line("X", "y" * 73, {})]).split(b"\r\n")) == 2
    assert len(write_lines([Line("X", "y" * 74, {})]).split(b"\r\n")) == 3


def test_parameters_are_quoted_where_they_must_be() -> None:
    params = {"type": ["home", "work"], "label": ['a,b\n"^'], "x-e": [""], "x-s": [" a"], "jsptr": ["a/b"], "sort-as": ["A", "B;C"]}
    assert write_lines([Line("ADR", ";;", params, "g")]) == (
        b'g.ADR;TYPE=home,work;LABEL="a,b^n^\'^^";X-E=;X-S=" a";JSPTR="a/b";SORT-AS=A,\r\n "B;C":;;\r\n'
    )


@pytest.mark.parametrize("bad", [Line("NOTE", "a\nb", {}), Line("N\r\nX", "", {}), Line("NOTE", "\ud800", {})])
def test_what_would_break_the_file_is_refused(bad: Line) -> None:
    with pytest.raises(MalformedError):
        write_lines([bad])


names = st.text("ABXZ019_-", min_size=1, max_size=8)
groups = st.sampled_from(["", "item1", "a.b", "A-_9"])
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=40)
params = st.dictionaries(st.text("abxz019-", min_size=1, max_size=8), st.lists(text, min_size=1, max_size=3), max_size=2)
some = st.builds(Line, names, text.map(lambda value: value.replace("\n", "")), params, groups)


@given(st.lists(some, max_size=4))
def test_whatever_is_written_is_read_again(found: list[Line]) -> None:
    data = write_lines([Line("BEGIN", "VCARD", {}), Line("VERSION", "4.0", {}), *found, Line("END", "VCARD", {})])
    assert read_lines(data) == [Line("VERSION", "4.0", {}), *found]


pieces = [
    *(
        b"BEGIN:VCARD",
        b"END:VCARD",
        b"VERSION:2.1",
        b"VERSION:4.0",
        b"AGENT:",
        b"\n",
        b"\r\n",
        b"\r\n ",
        b"N",
        b"TEL",
        b";",
        b":",
        b"=",
    ),
    *(
        b",",
        b'"',
        b".",
        b"^n",
        b"\\",
        b"ENCODING=QUOTED-PRINTABLE",
        b"CHARSET=utf-16",
        b"CHARSET=x\xff",
        b"BASE64",
        b"\xff",
        b"\xc3\xa9",
    ),
]


@given(st.one_of(st.binary(), st.lists(st.sampled_from(pieces), max_size=25).map(b"".join)))
def test_no_bytes_do_worse_than_being_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert isinstance(read_lines(data), list)
