"""Parameters and odd forms of cards come back; what our own reader refuses is read with vobject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.formats import MalformedError, jscontact_to_vcard, vcard_to_jscontact
from jmapsync.formats.codec import cards
from jmapsync.formats.vcard import read_card, write_card

if TYPE_CHECKING:
    from jmapsync.formats.vcard import Version

CARDS = cards("3.0")


VERSIONS: tuple[Version, Version] = ("3.0", "4.0")


def file(*lines: str, version: str = "4.0") -> bytes:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", "UID:urn:uuid:1", *lines, "END:VCARD", ""]).encode()


def again(*lines: str, version: Version = "4.0") -> list[str]:
    card = read_card(file(*lines, version=version))
    written = write_card(card, version)
    if version == "4.0":
        assert read_card(written) == card
    return written.replace(b"\r\n ", b"").decode().split("\r\n")


@pytest.mark.parametrize(
    ("line", "utc"),
    [
        ("BDAY:19870927T083000-0600", "1987-09-27T14:30:00Z"),
        ("BDAY:1987-09-27T08:30:00-06:00", "1987-09-27T14:30:00Z"),
        ("BDAY:19870927T0830-0600", "1987-09-27T14:30:00Z"),
        ("BDAY:19870927T08-06", "1987-09-27T14:00:00Z"),
        ("BDAY:19870927T0830Z", "1987-09-27T08:30:00Z"),
        ("BDAY:1987-09-27T08:30:00.000Z", "1987-09-27T08:30:00Z"),
        ("BDAY:1987-09-27 08:30:00z", "1987-09-27T08:30:00Z"),
    ],
)
def test_a_time_with_an_offset_or_less_precision_is_a_timestamp(line: str, utc: str) -> None:
    card = read_card(file("FN:A", line))
    assert [entry["date"] for entry in card["anniversaries"].values()] == [{"@type": "Timestamp", "utc": utc}]
    assert read_card(write_card(card, "4.0")) == card


def test_a_date_without_a_day_has_its_property_in_both_versions() -> None:
    for version in VERSIONS:
        written = again("FN:A", "BDAY:1963-09", version=version)
        assert [line for line in written if line.startswith("BDAY") and line.endswith(":1963-09")]
        assert not [line for line in written if line.startswith("JSPROP")]


def test_parameters_of_fn_stay_on_fn() -> None:
    written = again("FN;X-A=b;TYPE=work:Ida Roe", "N;X-C=d:Roe;Ida;;;")
    assert [line for line in written if line.startswith("FN")] == ["FN;X-A=b;TYPE=work:Ida Roe"]
    assert [line for line in written if line.startswith("N;")] == ["N;X-C=d:Roe;Ida;;;;;"]
    assert "FN;X-A=b:Ida" in again("FN;X-A=b:Ida")


def test_parameters_of_categories_survive() -> None:
    for version in VERSIONS:
        written = again("FN:A", "CATEGORIES;X-TAG=a:red,blue", "CATEGORIES:green", version=version)
        assert [line for line in written if line.startswith("CATEGORIES")] == ["CATEGORIES;X-TAG=a:red,blue", "CATEGORIES:green"]
    card = read_card(file("FN:A", "CATEGORIES;X-TAG=a:red,blue"))
    assert card["keywords"] == {"red": True, "blue": True}
    fewer = read_card(write_card({**card, "keywords": {"red": True}}, "4.0"))
    assert fewer["keywords"] == {"red": True}


@pytest.mark.parametrize(
    "lines",
    [
        ["CATEGORIES;PREF=1;TYPE=work:red,blue"],
        ["CATEGORIES;X-TAG=a:red", "CATEGORIES;X-TAG=b:blue,red", "CATEGORIES:green"],
    ],
)
def test_lines_of_categories_with_a_word_in_common_survive(lines: list[str]) -> None:
    for version in VERSIONS:
        written = again("FN:A", *lines, version=version)
        assert [line for line in written if line.startswith(("CATEGORIES", "JSPROP"))] == lines


@pytest.mark.parametrize("line", ["BDAY;TYPE=work;PREF=1:19870927", "item1.ANNIVERSARY;X-A=b:2001"])
def test_parameters_of_dates_stay_on_them(line: str) -> None:
    written = again("FN:A", line, "item1.X-ABLABEL:own")
    assert [found.replace(";PROP-ID=ANNIVERSARY-1", "") for found in written if "ANNIVERSARY" in found] == [line]
    assert not [found for found in written if found.startswith("JSPROP")]


def test_names_of_relatives_stay_lines_in_3_0() -> None:
    card = read_card(file("FN:A", "X-ABRELATEDNAMES;TYPE=spouse,friend:Jane", "X-ABRELATEDNAMES;X-A=b:Bob", version="3.0"))
    assert card["relatedTo"] == {"Jane": {"relation": {"spouse": True, "friend": True}}}
    written = again("FN:A", "X-ABRELATEDNAMES;TYPE=spouse,friend:Jane", "X-ABRELATEDNAMES;X-A=b:Bob", version="3.0")
    assert [line for line in written if "RELATED" in line or "LABEL" in line or "JSPROP" in line] == [
        *("item1.X-ABRELATEDNAMES:Jane", "item1.X-ABLABEL:_$!<Friend>!$_"),
        *("item2.X-ABRELATEDNAMES:Jane", "item2.X-ABLABEL:_$!<Spouse>!$_"),
        "X-ABRELATEDNAMES;X-A=b:Bob",
    ]


def test_source_is_plain_in_3_0() -> None:
    assert "SOURCE:https://example.com/a.vcf" in again("FN:A", "SOURCE:https://example.com/a.vcf", version="3.0")


def test_empty_parts_that_a_server_makes_of_odd_forms_say_nothing() -> None:
    card = {
        "@type": "Card",
        "version": "1.0",
        "uid": "urn:uuid:1",
        "name": {"full": "A"},
        "organizations": {"o": {"name": "Acme", "units": [{"name": ""}]}},
        "addresses": {"a": {"components": [{"kind": "name", "value": "Street 5"}, {"kind": "name", "value": ""}]}},
    }
    for version in VERSIONS:
        written = write_card(card, version)
        assert b"JSPROP" not in written
        assert b"Street 5" in written
        assert CARDS.sense(read_card(written)) == CARDS.sense(card)


MALFORMED = file("FN:Ida Roe", "X-GOOGLE TALK;TYPE=WORK:gtalk.ida", "TEL:+1", version="3.0")


def test_a_card_that_our_reader_refuses_is_read_with_vobject_and_its_text_kept(capfd: pytest.CaptureFixture[str]) -> None:
    card = vcard_to_jscontact(MALFORMED)
    assert card["name"]["full"] == "Ida Roe"
    assert card["vCardProps"] == [["x-jmapsync-unparsed", {}, "text", "X-GOOGLE TALK;TYPE=WORK:gtalk.ida"]]
    written = jscontact_to_vcard(card, "3.0")
    assert b"X-JMAPSYNC-UNPARSED;VALUE=text:X-GOOGLE TALK\\;TYPE=WORK:gtalk.ida\r\n" in written.replace(b"\r\n ", b"")
    assert CARDS.read(written) == CARDS.read(MALFORMED)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "data",
    [
        MALFORMED + b"\xff",
        MALFORMED.replace(b"END:VCARD\r\n", b""),
        MALFORMED * 2,
        b"",
        b"x",
        MALFORMED.replace(b"VERSION:3.0", b"VERSION:9"),
    ],
    ids=["not UTF-8", "cut", "two", "empty", "text", "version"],
)
def test_a_file_that_is_cut_short_or_has_several_cards_stays_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        vcard_to_jscontact(data)
