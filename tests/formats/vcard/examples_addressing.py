"""Examples of RFC 9555, 2.3 to 2.6, copied from the RFC."""

from __future__ import annotations

from typing import Any

OAK = [
    {"kind": "locality", "value": "Reston"},
    {"kind": "region", "value": "VA"},
    {"kind": "postcode", "value": "20190"},
    {"kind": "country", "value": "USA"},
    {"kind": "number", "value": "54321"},
    {"kind": "name", "value": "Oak St"},
]

NAMES_AND_ADDRESSES: dict[str, tuple[list[str], dict[str, Any]]] = {
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
}
