"""Every example of RFC 9555, by section.

Printed in error: 2.5.1 has `"year": 15` where `day` is meant; 3.3.1 has number and name of the street swapped in its ADR (index 10
is the number, RFC 9554, 2.1); 2.3.15 lacks a semicolon before SCRIPT, and N lacks fields; 2.6.1 has number and name first, though
its text has components follow the fields from left to right (they are not ordered). In 2.5.1 and 2.11.4 the space after a fold
would be part of the text (RFC 6350, 3.2): it is left out here.
"""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats.vcard import read_card, write_card

from .cards import card, lines_of, meaning, vcard
from .examples_addressing import NAMES_AND_ADDRESSES
from .examples_communication import COMMUNICATION_AND_THE_REST

EXAMPLES = {**NAMES_AND_ADDRESSES, **COMMUNICATION_AND_THE_REST}
each = pytest.mark.parametrize(("lines", "properties"), EXAMPLES.values(), ids=EXAMPLES)


@each
def test_an_example_is_read_as_printed(lines: list[str], properties: dict[str, Any]) -> None:
    assert read_card(vcard(*lines)) == card(**properties)


@each
def test_an_example_comes_back_through_4_0(lines: list[str], properties: dict[str, Any]) -> None:
    written = write_card(card(**properties), "4.0")
    assert read_card(written) == card(**properties)


WRITTEN = [
    # As printed in the RFC, but for PROP-ID, the case of names and values, quotes that are not needed, and the two new fields of N.
    ("2.3.18 PROP-ID", "TEL;PROP-ID=PHONE-A;VALUE=uri;TYPE=home,voice;PREF=1:tel:+1-555-555-5555;ext=5555"),
    ("2.4.3 SOURCE", "SOURCE;PROP-ID=ENTRY-1:https://dir.example.com/addrbook/jdoe/Jean%20Dupont.vcf"),
    ("2.5.1 anniversaries", "BDAY;PROP-ID=ANNIVERSARY-1:19531015T231000Z"),
    ("2.5.1 anniversaries", "DEATHDATE;PROP-ID=ANNIVERSARY-2:19960415"),
    ("2.5.5 N", 'N;SORT-AS="Stevenson,John Philip":Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.;;Jr.'),
    ("2.6.1 ADR", "ADR;PROP-ID=ADDR-1;TYPE=work;CC=US:;;54321 Oak St;Reston;VA;20190;USA;;;;54321;Oak St;;;;;;"),
    ("2.7.2 IMPP", "IMPP;PROP-ID=OS-1;PREF=1:xmpp:alice@example.com"),
    ("2.7.5 SOCIALPROFILE", "SOCIALPROFILE;PROP-ID=OS-1;SERVICE-TYPE=Mastodon:https://example.com/@foo"),
    ("2.9.4 ORG", "ORG;PROP-ID=ORG-1;SORT-AS=ABC:ABC\\, Inc.;North American Division;Marketing"),
    ("2.10.1 EXPERTISE", "EXPERTISE;PROP-ID=PERSINFO-1;LEVEL=beginner;INDEX=2:Chinese literature"),
    ("2.10.2 HOBBY", "HOBBY;PROP-ID=PERSINFO-1;LEVEL=high;INDEX=1:reading"),
    ("3.2.1 an unknown property", 'JSPROP;JSPTR="someUnknownProperty":true'),
    ("3.2.1 a vendor's property", 'JSPROP;JSPTR="example.com:foo":{"bar":1234}'),
    ("3.2.1 a vendor's property deeper", 'JSPROP;JSPTR="phones/phone1/example.com:foo~1bar":"tux hux"'),
    ("3.3.1 a positional index", 'N;JSCOMPS=";1;0":Doe;Jane;;;;;'),
    ("3.3.1 a positional index", "FN;DERIVED=TRUE:Jane Doe"),
    ("3.3.1 a secondary index", 'N;JSCOMPS=";1;2;2,1;0;6;4,1":Stevenson;John;Philip,Paul;;Jr.,M.D.;;Jr.'),
    ("3.3.1 separators", 'ADR;PROP-ID=a1;JSCOMPS="s,\\, ;10;s, ;11;3":;;54321 Oak St;Reston;;;;;;;54321;Oak St;;;;;;'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line"), WRITTEN, ids=[f"{name}: {line[:12]}" for name, line in WRITTEN])
def test_an_example_is_written_as_printed(name: str, line: str) -> None:
    assert line in lines_of(write_card(card(**EXAMPLES[name][1]), "4.0"))


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_missing_uid_is_made_the_same_each_time(version: str) -> None:
    """RFC 9555, 2.1.1."""
    data = vcard("FN:John", version=version).replace(b"UID:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af\r\n", b"")
    assert b"UID" not in data
    first, second = read_card(data), read_card(data)
    assert first == second
    assert first["uid"].startswith("urn:uuid:")
    assert read_card(data.replace(b"John", b"Jane"))["uid"] != first["uid"]


def test_the_fn_with_the_fewest_parameters_is_the_name() -> None:
    """RFC 9555, 2.5.2."""
    read = read_card(vcard("FN;X-A=1:Other", "FN:John"))
    assert read["name"] == {"full": "John"}
    assert read["vCardProps"] == [["fn", {"x-a": "1"}, "text", "Other"]]
    assert read_card(write_card(read, "4.0")) == read


def test_values_that_do_not_convert_are_kept() -> None:
    """RFC 9555, 2.2.2, 2.4.4, 2.5.1, 2.5.3, 2.8.2, 2.11.2."""
    lines = [
        "XML:<config xmlns='http://example.org'>a</config>",
        "GENDER:M;Fellow",
        "CLIENTPIDMAP:1;urn:uuid:3df403f4-5924-4bb7-b077-3c711d9eb34b",
        "BDAY;VALUE=text:circa 1800",
        "DEATHDATE:---15",
        "ANNIVERSARY:--05",
        "BDAY:19531015T2310",
        "TZ;VALUE=uri:https://tz.example.com/here",
        "TZ:+0530",
        "DEATHPLACE;VALUE=uri:https://example.com/ny",
    ]
    read = read_card(vcard("FN:A", *lines))
    assert read.keys() == card(name={}, vCardProps=[]).keys()
    assert len(read["vCardProps"]) == len(lines)
    assert ["gender", {}, "text", ["M", "Fellow"]] in read["vCardProps"]
    assert ["bday", {}, "text", "circa 1800"] in read["vCardProps"]
    assert set(lines) <= set(lines_of(write_card(read, "4.0")))


@pytest.mark.parametrize(
    ("offset", "zone"), [("-0500", "Etc/GMT+5"), ("+14", "Etc/GMT-14"), ("+0000", "Etc/UTC"), ("Europe/Rome",) * 2]
)
def test_a_time_zone_converts_by_name_or_by_whole_hours(offset: str, zone: str) -> None:
    """RFC 9555, 2.8.2."""
    assert read_card(vcard(f"TZ:{offset}"))["addresses"] == {"ADDR-1": {"timeZone": zone}}


def test_places_join_the_address_of_their_group() -> None:
    """RFC 9555, 2.8.3."""
    read = read_card(vcard("a.ADR:;;A;;;;", "ADR:;;B;;;;", "GEO:geo:1,2", "a.GEO:geo:3,4", "a.TZ:Europe/Rome", "b.TZ:Europe/Oslo"))
    assert read["addresses"] == {
        "ADDR-1": {"components": [{"kind": "name", "value": "A"}], "coordinates": "geo:3,4", "timeZone": "Europe/Rome"},
        "ADDR-2": {"components": [{"kind": "name", "value": "B"}], "coordinates": "geo:1,2"},
        "ADDR-3": {"timeZone": "Europe/Oslo"},
    }


def test_meaning_is_kept_by_the_second_writing() -> None:
    first = read_card(vcard("FN:A", "TITLE;ALTID=x:Boss", "NOTE;LANGUAGE=de;ALTID=y:Notiz", "x.NOTE;PID=1.1:b"))
    assert first["titles"]["TITLE-1"]["vCardParams"] == {"altid": "x"}
    assert first["notes"]["NOTE-1"]["vCardParams"] == {"language": "de", "altid": "y"}
    assert meaning(read_card(write_card(first, "4.0"))) == meaning(first)
