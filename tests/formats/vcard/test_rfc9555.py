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

OAK = [
    {"kind": "locality", "value": "Reston"},
    {"kind": "region", "value": "VA"},
    {"kind": "postcode", "value": "20190"},
    {"kind": "country", "value": "USA"},
    {"kind": "number", "value": "54321"},
    {"kind": "name", "value": "Oak St"},
]

EXAMPLES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "2.3.9 group of a converted property": (
        ["item1.TEL;VALUE=uri:tel:+1-555-555-5555"],
        {"phones": {"PHONE-1": {"number": "tel:+1-555-555-5555", "vCardParams": {"group": "item1"}}}},
    ),
    "2.3.9 group of a kept property": (
        ["item2.X-FOO:bar"],
        {"vCardProps": [["x-foo", {"group": "item2"}, "unknown", "bar"]]},
    ),
    "2.3.11 one dominant language": (
        ["FN;LANGUAGE=EN:John Doe", "TITLE;ALTID=1;LANGUAGE=EN:Boss", "TITLE;ALTID=1;LANGUAGE=fr:Patron"],
        {
            "language": "en",
            "name": {"full": "John Doe"},
            "titles": {"TITLE-1": {"kind": "title", "name": "Boss"}},
            "localizations": {"fr": {"titles/TITLE-1/name": "Patron"}},
        },
    ),
    "2.3.11 property without language": (
        ["FN:John Doe", "TITLE;ALTID=1:Boss", "TITLE;ALTID=1;LANGUAGE=fr:Patron"],
        {
            "name": {"full": "John Doe"},
            "titles": {"TITLE-1": {"kind": "title", "name": "Boss"}},
            "localizations": {"fr": {"titles/TITLE-1/name": "Patron"}},
        },
    ),
    "2.3.15 PHONETIC": (
        [
            "LANGUAGE:zh-Hant",
            "N;ALTID=1;LANGUAGE=zh-Hant:孫;中山;文,逸仙;;",
            "N;ALTID=1;PHONETIC=jyut;SCRIPT=Latn;LANGUAGE=yue:syun1;zung1saan1;man4,jat6sin1;;",
        ],
        {
            "language": "zh-Hant",
            "name": {
                "components": [
                    {"kind": "surname", "value": "孫"},
                    {"kind": "given", "value": "中山"},
                    {"kind": "given2", "value": "文"},
                    {"kind": "given2", "value": "逸仙"},
                ]
            },
            "localizations": {
                "yue": {
                    "name/phoneticSystem": "jyut",
                    "name/phoneticScript": "Latn",
                    "name/components/0/phonetic": "syun1",
                    "name/components/1/phonetic": "zung1saan1",
                    "name/components/2/phonetic": "man4",
                    "name/components/3/phonetic": "jat6sin1",
                }
            },
        },
    ),
    "2.3.18 PROP-ID": (
        [
            'TEL;PROP-ID=PHONE-A;VALUE=uri;PREF=1;TYPE="voice,home":tel:+1-555-555-5555;ext=5555',
            "TEL;PROP-ID=PHONE-B;VALUE=uri;TYPE=home:tel:+33-01-23-45-67",
        ],
        {
            "phones": {
                "PHONE-A": {
                    "contexts": {"private": True},
                    "features": {"voice": True},
                    "number": "tel:+1-555-555-5555;ext=5555",
                    "pref": 1,
                },
                "PHONE-B": {"contexts": {"private": True}, "number": "tel:+33-01-23-45-67"},
            }
        },
    ),
    "2.4.2 KIND": (["KIND:individual"], {"kind": "individual"}),
    "2.4.3 SOURCE": (
        ["SOURCE:https://dir.example.com/addrbook/jdoe/Jean%20Dupont.vcf"],
        {"directories": {"ENTRY-1": {"kind": "entry", "uri": "https://dir.example.com/addrbook/jdoe/Jean%20Dupont.vcf"}}},
    ),
    "2.5.1 anniversaries": (
        [
            "BDAY:19531015T231000Z",
            "BIRTHPLACE:123 Main Street\\nAny Town, CA 91921-1234\\nU.S.A.",
            "DEATHDATE:19960415",
            "DEATHPLACE:5 Court Street\\nNew England, ND 58647\\nU.S.A.",
            "ANNIVERSARY:19860201",
        ],
        {
            "anniversaries": {
                "ANNIVERSARY-1": {
                    "kind": "birth",
                    "date": {"@type": "Timestamp", "utc": "1953-10-15T23:10:00Z"},
                    "place": {"full": "123 Main Street\nAny Town, CA 91921-1234\nU.S.A."},
                },
                "ANNIVERSARY-2": {
                    "kind": "death",
                    "date": {"year": 1996, "month": 4, "day": 15},
                    "place": {"full": "5 Court Street\nNew England, ND 58647\nU.S.A."},
                },
                "ANNIVERSARY-3": {"kind": "wedding", "date": {"year": 1986, "month": 2, "day": 1}},
            }
        },
    ),
    "2.5.2 FN": (["FN:John Q. Public, Esq."], {"name": {"full": "John Q. Public, Esq."}}),
    "2.5.4 GRAMGENDER and PRONOUNS": (
        ["GRAMGENDER:NEUTER", "PRONOUNS;PREF=2:they/them", "PRONOUNS;PREF=1:xe/xir"],
        {
            "speakToAs": {
                "grammaticalGender": "neuter",
                "pronouns": {"PRONOUNS-1": {"pronouns": "they/them", "pref": 2}, "PRONOUNS-2": {"pronouns": "xe/xir", "pref": 1}},
            }
        },
    ),
    "2.5.5 N": (
        ['N;SORT-AS="Stevenson,John Philip":Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.;;Jr.'],
        {
            "name": {
                "components": [
                    {"kind": "surname", "value": "Stevenson"},
                    {"kind": "given", "value": "John"},
                    {"kind": "given2", "value": "Philip"},
                    {"kind": "given2", "value": "Paul"},
                    {"kind": "title", "value": "Dr."},
                    {"kind": "credential", "value": "M.D."},
                    {"kind": "credential", "value": "A.C.P."},
                    {"kind": "generation", "value": "Jr."},
                ],
                "sortAs": {"surname": "Stevenson", "given": "John Philip"},
            }
        },
    ),
    "2.5.6 NICKNAME": (["NICKNAME:Johnny"], {"nicknames": {"NICK-1": {"name": "Johnny"}}}),
    "2.5.7 PHOTO": (
        ["PHOTO:https://www.example.com/pub/photos/jqpublic.gif"],
        {"media": {"PHOTO-1": {"kind": "photo", "uri": "https://www.example.com/pub/photos/jqpublic.gif"}}},
    ),
    "2.6.1 ADR": (
        ["ADR;TYPE=work;CC=US:;;54321 Oak St;Reston;VA;20190;USA;;;;54321;Oak St;;;;;;"],
        {"addresses": {"ADDR-1": {"contexts": {"work": True}, "components": OAK, "countryCode": "US"}}},
    ),
    "2.7.1 EMAIL": (
        ["EMAIL;TYPE=work:jqpublic@xyz.example.com", "EMAIL;PREF=1:jane_doe@example.com"],
        {
            "emails": {
                "EMAIL-1": {"contexts": {"work": True}, "address": "jqpublic@xyz.example.com"},
                "EMAIL-2": {"address": "jane_doe@example.com", "pref": 1},
            }
        },
    ),
    "2.7.2 IMPP": (
        ["IMPP;PREF=1:xmpp:alice@example.com"],
        {"onlineServices": {"OS-1": {"uri": "xmpp:alice@example.com", "pref": 1, "vCardName": "impp"}}},
    ),
    "2.7.3 LANG": (
        ["LANG;TYPE=work;PREF=1:en", "LANG;TYPE=work;PREF=2:fr", "LANG;TYPE=home:fr"],
        {
            "preferredLanguages": {
                "LANG-1": {"language": "en", "contexts": {"work": True}, "pref": 1},
                "LANG-2": {"language": "fr", "contexts": {"work": True}, "pref": 2},
                "LANG-3": {"language": "fr", "contexts": {"private": True}},
            }
        },
    ),
    "2.7.4 LANGUAGE": (["LANGUAGE:de-AT"], {"language": "de-AT"}),
    "2.7.5 SOCIALPROFILE": (
        ["SOCIALPROFILE;SERVICE-TYPE=Mastodon:https://example.com/@foo"],
        {"onlineServices": {"OS-1": {"service": "Mastodon", "uri": "https://example.com/@foo"}}},
    ),
    "2.7.6 TEL": (
        [
            'TEL;VALUE=uri;PREF=1;TYPE="voice,home":tel:+1-555-555-5555;ext=5555',
            "TEL;VALUE=uri;TYPE=home:tel:+33-01-23-45-67",
        ],
        {
            "phones": {
                "PHONE-1": {
                    "contexts": {"private": True},
                    "features": {"voice": True},
                    "number": "tel:+1-555-555-5555;ext=5555",
                    "pref": 1,
                },
                "PHONE-2": {"contexts": {"private": True}, "number": "tel:+33-01-23-45-67"},
            }
        },
    ),
    "2.9.1 CONTACT-URI": (
        ["CONTACT-URI;PREF=1:mailto:contact@example.com"],
        {"links": {"CONTACT-1": {"kind": "contact", "uri": "mailto:contact@example.com", "pref": 1}}},
    ),
    "2.9.2 LOGO": (
        ["LOGO:https://www.example.com/pub/logos/abccorp.jpg"],
        {"media": {"LOGO-1": {"kind": "logo", "uri": "https://www.example.com/pub/logos/abccorp.jpg"}}},
    ),
    "2.9.3 MEMBER": (
        [
            "KIND:group",
            "FN:The Doe family",
            "MEMBER:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af",
            "MEMBER:urn:uuid:b8767877-b4a1-4c70-9acc-505d3819e519",
        ],
        {
            "kind": "group",
            "name": {"full": "The Doe family"},
            "members": {
                "urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af": True,
                "urn:uuid:b8767877-b4a1-4c70-9acc-505d3819e519": True,
            },
        },
    ),
    "2.9.4 ORG": (
        ['ORG;SORT-AS="ABC":ABC\\, Inc.;North American Division;Marketing'],
        {
            "organizations": {
                "ORG-1": {
                    "name": "ABC, Inc.",
                    "units": [{"name": "North American Division"}, {"name": "Marketing"}],
                    "sortAs": "ABC",
                }
            }
        },
    ),
    "2.9.5 RELATED": (
        [
            "RELATED;TYPE=friend:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "RELATED;TYPE=contact:https://example.com/directory/john.vcf",
            "RELATED;VALUE=text:Please contact my deputy John for any inquiries.",
        ],
        {
            "relatedTo": {
                "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6": {"relation": {"friend": True}},
                "https://example.com/directory/john.vcf": {"relation": {"contact": True}},
                "Please contact my deputy John for any inquiries.": {"relation": {}},
            }
        },
    ),
    "2.9.6 TITLE and ROLE": (
        ["TITLE:Research Scientist", "group1.ROLE:Project Leader", "group1.ORG:ABC, Inc."],
        {
            "titles": {
                "TITLE-1": {"kind": "title", "name": "Research Scientist"},
                "TITLE-2": {"kind": "role", "name": "Project Leader", "organizationId": "ORG-1"},
            },
            "organizations": {"ORG-1": {"name": "ABC, Inc."}},
        },
    ),
    "2.10.1 EXPERTISE": (
        ["EXPERTISE;LEVEL=beginner;INDEX=2:Chinese literature", "EXPERTISE;INDEX=1;LEVEL=expert:chemistry"],
        {
            "personalInfo": {
                "PERSINFO-1": {"kind": "expertise", "value": "Chinese literature", "level": "low", "listAs": 2},
                "PERSINFO-2": {"kind": "expertise", "value": "chemistry", "level": "high", "listAs": 1},
            }
        },
    ),
    "2.10.2 HOBBY": (
        ["HOBBY;INDEX=1;LEVEL=high:reading", "HOBBY;INDEX=2;LEVEL=high:sewing"],
        {
            "personalInfo": {
                "PERSINFO-1": {"kind": "hobby", "value": "reading", "level": "high", "listAs": 1},
                "PERSINFO-2": {"kind": "hobby", "value": "sewing", "level": "high", "listAs": 2},
            }
        },
    ),
    "2.10.3 INTEREST": (
        ["INTEREST;INDEX=1;LEVEL=medium:r&b music", "INTEREST;INDEX=2;LEVEL=high:rock&roll music"],
        {
            "personalInfo": {
                "PERSINFO-1": {"kind": "interest", "value": "r&b music", "level": "medium", "listAs": 1},
                "PERSINFO-2": {"kind": "interest", "value": "rock&roll music", "level": "high", "listAs": 2},
            }
        },
    ),
    "2.10.4 ORG-DIRECTORY": (
        [
            "ORG-DIRECTORY;INDEX=1:https://directory.mycompany.example.com",
            "ORG-DIRECTORY;PREF=1:ldap://ldap.tech.example/o=Tech,ou=Engineering",
        ],
        {
            "directories": {
                "DIRECTORY-1": {"kind": "directory", "uri": "https://directory.mycompany.example.com", "listAs": 1},
                "DIRECTORY-2": {"kind": "directory", "uri": "ldap://ldap.tech.example/o=Tech,ou=Engineering", "pref": 1},
            }
        },
    ),
    "2.11.1 CATEGORIES": (
        ["CATEGORIES:internet,IETF,Industry,Information Technology"],
        {"keywords": {"internet": True, "IETF": True, "Industry": True, "Information Technology": True}},
    ),
    "2.11.3 CREATED": (["CREATED:19940930T143510Z"], {"created": "1994-09-30T14:35:10Z"}),
    "2.11.4 NOTE": (
        ['NOTE;CREATED=20221123T150132Z;AUTHOR-NAME="John":Office hours are from 0800 to 1715 EST\\, Mon-Fri.'],
        {
            "notes": {
                "NOTE-1": {
                    "note": "Office hours are from 0800 to 1715 EST, Mon-Fri.",
                    "created": "2022-11-23T15:01:32Z",
                    "author": {"name": "John"},
                }
            }
        },
    ),
    "2.11.5 PRODID": (["PRODID:ACME Contacts App version 1.23.5"], {"prodId": "ACME Contacts App version 1.23.5"}),
    "2.11.6 REV": (["REV:19951031T222710Z"], {"updated": "1995-10-31T22:27:10Z"}),
    "2.11.7 SOUND": (
        ["SOUND:CID:JOHNQPUBLIC.19960229T080000.xyzMail@example.com"],
        {"media": {"SOUND-1": {"kind": "sound", "uri": "CID:JOHNQPUBLIC.19960229T080000.xyzMail@example.com"}}},
    ),
    "2.11.8 UID": (
        ["UID:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"],
        {"uid": "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
    ),
    "2.11.9 URL": (
        ["URL:https://example.org/restaurant.french/~chezchic.html"],
        {"links": {"LINK-1": {"uri": "https://example.org/restaurant.french/~chezchic.html"}}},
    ),
    "2.11.11 X-ABLabel": (
        ["item1.TEL;VALUE=uri:tel:+1-555-555-5555", "item1.X-ABLabel:foo"],
        {"phones": {"PHONE-1": {"number": "tel:+1-555-555-5555", "label": "foo"}}},
    ),
    "2.12.1 KEY": (
        ["KEY:https://www.example.com/keys/jdoe.cer"],
        {"cryptoKeys": {"KEY-1": {"uri": "https://www.example.com/keys/jdoe.cer"}}},
    ),
    "2.13.1 CALADRURI": (
        ["CALADRURI;PREF=1:mailto:janedoe@example.com", "CALADRURI:https://example.com/calendar/jdoe"],
        {
            "schedulingAddresses": {
                "SCHEDULING-1": {"uri": "mailto:janedoe@example.com", "pref": 1},
                "SCHEDULING-2": {"uri": "https://example.com/calendar/jdoe"},
            }
        },
    ),
    "2.13.2 CALURI": (
        ["CALURI;PREF=1:https://cal.example.com/calA", "CALURI;MEDIATYPE=text/calendar:https://ftp.example.com/calA.ics"],
        {
            "calendars": {
                "CAL-1": {"kind": "calendar", "uri": "https://cal.example.com/calA", "pref": 1},
                "CAL-2": {"kind": "calendar", "uri": "https://ftp.example.com/calA.ics", "mediaType": "text/calendar"},
            }
        },
    ),
    "2.13.3 FBURL": (
        [
            "FBURL;PREF=1:https://www.example.com/busy/janedoe",
            "FBURL;MEDIATYPE=text/calendar:https://example.com/busy/project-a.ifb",
        ],
        {
            "calendars": {
                "FBURL-1": {"kind": "freeBusy", "uri": "https://www.example.com/busy/janedoe", "pref": 1},
                "FBURL-2": {"kind": "freeBusy", "uri": "https://example.com/busy/project-a.ifb", "mediaType": "text/calendar"},
            }
        },
    ),
    "2.15.1 vCardProps": (
        ["item1.X-FOO;X-BAR=Hello:World!"],
        {"vCardProps": [["x-foo", {"x-bar": "Hello", "group": "item1"}, "unknown", "World!"]]},
    ),
    "2.15.2 vCardParams": (
        ["EMAIL;X-FOO=Bar:jane_doe@example.com"],
        {"emails": {"EMAIL-1": {"address": "jane_doe@example.com", "vCardParams": {"x-foo": "Bar"}}}},
    ),
    "2.15.3 vCardName": (
        ["IMPP:xmpp:alice@example.com"],
        {"onlineServices": {"OS-1": {"uri": "xmpp:alice@example.com", "vCardName": "impp"}}},
    ),
    "3.2.1 an unknown property": (['JSPROP;JSPTR="someUnknownProperty":true'], {"someUnknownProperty": True}),
    "3.2.1 a vendor's property": (['JSPROP;JSPTR="example.com:foo":{"bar":1234}'], {"example.com:foo": {"bar": 1234}}),
    "3.2.1 a vendor's property deeper": (
        ["TEL;PROP-ID=phone1;VALUE=uri:tel:+33-01-23-45-67", 'JSPROP;JSPTR="phones/phone1/example.com:foo~1bar":"tux hux"'],
        {"phones": {"phone1": {"number": "tel:+33-01-23-45-67", "example.com:foo/bar": "tux hux"}}},
    ),
    "3.3.1 a positional index": (
        ['N;JSCOMPS=";1;0":Doe;Jane;;;;;;', "FN;DERIVED=TRUE:Jane Doe"],
        {"name": {"components": [{"kind": "given", "value": "Jane"}, {"kind": "surname", "value": "Doe"}], "isOrdered": True}},
    ),
    "3.3.1 a secondary index": (
        ['N;JSCOMPS=";1;2;2,1;0;6;4,1":Stevenson;John;Philip,Paul;;Jr.,M.D.;;Jr.'],
        {
            "name": {
                "components": [
                    {"kind": "given", "value": "John"},
                    {"kind": "given2", "value": "Philip"},
                    {"kind": "given2", "value": "Paul"},
                    {"kind": "surname", "value": "Stevenson"},
                    {"kind": "generation", "value": "Jr."},
                    {"kind": "credential", "value": "M.D."},
                ],
                "isOrdered": True,
            }
        },
    ),
    "3.3.1 separators": (
        ['ADR;PROP-ID=a1;JSCOMPS="s,\\, ;10;s, ;11;3":;;54321 Oak St;Reston;;;;;;;54321;Oak St;;;;;;'],
        {
            "addresses": {
                "a1": {
                    "components": [
                        {"kind": "number", "value": "54321"},
                        {"kind": "separator", "value": " "},
                        {"kind": "name", "value": "Oak St"},
                        {"kind": "locality", "value": "Reston"},
                    ],
                    "defaultSeparator": ", ",
                    "isOrdered": True,
                }
            }
        },
    ),
    "3.3.2 JSPTR": (['JSPROP;JSPTR="example.com:foo":"bar"'], {"example.com:foo": "bar"}),
}
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
