# ruff: noqa: RUF001 (names in their own letters, as the RFC prints them)
"""Every Card figure of RFC 9553, written down from the RFC, is a fixed point of vCard 4.0, and of 3.0 as far as that goes."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats.patch import localized
from jmapsync.formats.vcard import read_card, write_card

from .cards import card, meaning

THE_KEY = "data:application/pgp-keys;base64,LS0tLS1CRUdJTiBSU0EgUFVCTElDIEtFWS0tLS0tCk1JSUJDZ0tDQVFFQSt4R1ovd2N6OXVnRnBQMDdOcw=="

FIGURES: dict[str, dict[str, Any]] = {
    "1.5.4 phonetic": {
        "name": {
            "components": [
                {"kind": "given", "value": "John", "phonetic": "/ˈdʒɑːn/"},
                {"kind": "surname", "value": "Smith", "phonetic": "/smɪθ/"},
            ],
            "phoneticSystem": "ipa",
        }
    },
    "1.8.1 vendor-specific properties": {"example.com:foo": "bar", "example.com:foo2": {"bar": "baz"}},
    "1.8.2 a vendor-specific value": {"kind": "example.com:baz"},
    "2 a basic Card": {
        "uid": "22B2C7DF-9120-4969-8460-05956FE6B065",
        "kind": "individual",
        "name": {"components": [{"kind": "given", "value": "John"}, {"kind": "surname", "value": "Doe"}], "isOrdered": True},
    },
    "2.1.3 created": {"created": "2022-09-30T14:35:10Z"},
    "2.1.4 kind": {"kind": "individual"},
    "2.1.5 language": {"language": "de-AT"},
    "2.1.6 members": {
        "kind": "group",
        "name": {"full": "The Doe family"},
        "uid": "urn:uuid:ab4310aa-fa43-11e9-8f0b-362b9e155667",
        "members": {
            "urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af": True,
            "urn:uuid:b8767877-b4a1-4c70-9acc-505d3819e519": True,
        },
    },
    "2.1.7 prodId": {"prodId": "ACME Contacts App version 1.23.5"},
    "2.1.8 relatedTo": {
        "relatedTo": {
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6": {"relation": {"friend": True}},
            "8cacdfb7d1ffdb59@example.com": {"relation": {}},
        }
    },
    "2.1.9 uid": {"uid": "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
    "2.1.10 updated": {"updated": "2021-10-31T22:27:10Z"},
    "2.2.1.1 a surname with two words": {
        "name": {"components": [{"kind": "given", "value": "Vincent"}, {"kind": "surname", "value": "van Gogh"}], "isOrdered": True}
    },
    "2.2.1.1 a second surname": {
        "name": {
            "components": [
                {"kind": "given", "value": "Diego"},
                {"kind": "surname", "value": "Rivera"},
                {"kind": "surname2", "value": "Barrientos"},
            ],
            "isOrdered": True,
        }
    },
    "2.2.1.1 full": {"name": {"full": "Mr. John Q. Public, Esq."}},
    "2.2.1.1 sortAs": {
        "name": {
            "components": [
                {"kind": "given", "value": "Robert"},
                {"kind": "given2", "value": "Pau"},
                {"kind": "surname", "value": "Shou Chang"},
            ],
            "sortAs": {"surname": "Pau Shou Chang", "given": "Robert"},
            "isOrdered": True,
        }
    },
    "2.2.1.1 phonetic and localizations": {
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
    "2.2.2 nicknames": {"nicknames": {"k391": {"name": "Johnny"}}},
    "2.2.3 organizations": {
        "organizations": {
            "o1": {"name": "ABC, Inc.", "units": [{"name": "North American Division"}, {"name": "Marketing"}], "sortAs": "ABC"}
        }
    },
    "2.2.4 speakToAs": {
        "speakToAs": {
            "grammaticalGender": "neuter",
            "pronouns": {"k19": {"pronouns": "they/them", "pref": 2}, "k32": {"pronouns": "xe/xir", "pref": 1}},
        }
    },
    "2.2.5 titles": {
        "titles": {
            "le9": {"kind": "title", "name": "Research Scientist"},
            "k2": {"kind": "role", "name": "Project Leader", "organizationId": "o2"},
        },
        "organizations": {"o2": {"name": "ABC, Inc."}},
    },
    "2.3.1 emails": {
        "emails": {
            "e1": {"contexts": {"work": True}, "address": "jqpublic@xyz.example.com"},
            "e2": {"address": "jane_doe@example.com", "pref": 1},
        }
    },
    "2.3.2 onlineServices": {
        "onlineServices": {
            "x1": {"uri": "xmpp:alice@example.com"},
            "x2": {"service": "Mastodon", "user": "@alice@example2.com", "uri": "https://example2.com/@alice"},
        }
    },
    "2.3.3 phones": {
        "phones": {
            "tel0": {
                "contexts": {"private": True},
                "features": {"voice": True},
                "number": "tel:+1-555-555-5555;ext=5555",
                "pref": 1,
            },
            "tel3": {"contexts": {"work": True}, "number": "tel:+1-201-555-0123"},
        }
    },
    "2.3.4 preferredLanguages": {
        "preferredLanguages": {
            "l1": {"language": "en", "contexts": {"work": True}, "pref": 1},
            "l2": {"language": "fr", "contexts": {"work": True}, "pref": 2},
            "l3": {"language": "fr", "contexts": {"private": True}},
        }
    },
    "2.4.1 calendars": {
        "calendars": {
            "calA": {"kind": "calendar", "uri": "webcal://calendar.example.com/calA.ics"},
            "project-a": {"kind": "freeBusy", "uri": "https://calendar.example.com/busy/project-a"},
        }
    },
    "2.4.2 schedulingAddresses": {"schedulingAddresses": {"sched1": {"uri": "mailto:janedoe@example.com"}}},
    "2.5.1.1 an address in the USA": {
        "addresses": {
            "k23": {
                "contexts": {"work": True},
                "components": [
                    {"kind": "number", "value": "54321"},
                    {"kind": "separator", "value": " "},
                    {"kind": "name", "value": "Oak St"},
                    {"kind": "locality", "value": "Reston"},
                    {"kind": "region", "value": "VA"},
                    {"kind": "separator", "value": " "},
                    {"kind": "postcode", "value": "20190"},
                    {"kind": "country", "value": "USA"},
                ],
                "countryCode": "US",
                "defaultSeparator": ", ",
                "isOrdered": True,
            }
        }
    },
    "2.5.1.3 an address in Thailand": {
        "addresses": {
            "k25": {
                "components": [
                    {"kind": "number", "value": "46"},
                    {"kind": "name", "value": "1 Sukhumvit 51 Alley"},
                    {"kind": "subdistrict", "value": "Khlong Tan Nuea"},
                    {"kind": "district", "value": " Watthana"},
                    {"kind": "locality", "value": "Bangkok"},
                    {"kind": "country", "value": "Thailand"},
                    {"kind": "postcode", "value": "10110"},
                ],
                "defaultSeparator": ", ",
                "isOrdered": True,
            }
        }
    },
    "2.5.1.3 an address in Tokyo and its localization": {
        "addresses": {
            "k26": {
                "components": [
                    {"kind": "block", "value": "2-7"},
                    {"kind": "separator", "value": "-"},
                    {"kind": "number", "value": "2"},
                    {"kind": "separator", "value": " "},
                    {"kind": "district", "value": "Marunouchi"},
                    {"kind": "locality", "value": "Chiyoda-ku"},
                    {"kind": "region", "value": "Tokyo"},
                    {"kind": "separator", "value": " "},
                    {"kind": "postcode", "value": "100-8994"},
                ],
                "defaultSeparator": ", ",
                "full": "2-7-2 Marunouchi, Chiyoda-ku, Tokyo 100-8994",
                "isOrdered": True,
            }
        },
        "localizations": {
            "jp": {
                "addresses/k26": {
                    "components": [
                        {"kind": "region", "value": "東京都"},
                        {"kind": "locality", "value": "千代田区"},
                        {"kind": "district", "value": "丸ノ内"},
                        {"kind": "block", "value": "2-7"},
                        {"kind": "separator", "value": "-"},
                        {"kind": "number", "value": "2"},
                        {"kind": "postcode", "value": "〒100-8994"},
                    ],
                    "defaultSeparator": "",
                    "full": "〒100-8994東京都千代田区丸ノ内2-7-2",
                    "isOrdered": True,
                }
            }
        },
    },
    "2.6.1 cryptoKeys outside": {"cryptoKeys": {"mykey1": {"uri": "https://www.example.com/keys/jdoe.cer"}}},
    "2.6.1 cryptoKeys inside (shortened)": {"cryptoKeys": {"mykey2": {"uri": THE_KEY}}},
    "2.6.2 directories": {
        "directories": {
            "dir1": {"kind": "entry", "uri": "https://dir.example.com/addrbook/jdoe/Jean%20Dupont.vcf"},
            "dir2": {"kind": "directory", "uri": "ldap://ldap.example/o=Example%20Tech,ou=Engineering", "pref": 1},
        }
    },
    "2.6.3 links": {"links": {"link3": {"kind": "contact", "uri": "mailto:contact@example.com", "pref": 1}}},
    "2.6.4 media": {
        "media": {
            "res45": {"kind": "sound", "uri": "CID:JOHNQ.part8.19960229T080000.xyzMail@example.com"},
            "res47": {"kind": "logo", "uri": "https://www.example.com/pub/logos/abccorp.jpg"},
            "res1": {"kind": "photo", "uri": "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAASABIAAD/4A=="},
        }
    },
    "2.7.1 a localized top-level property": {
        "name": {
            "components": [
                {"kind": "title", "value": "Mr."},
                {"kind": "given", "value": "Ivan"},
                {"kind": "given2", "value": "Petrovich"},
                {"kind": "surname", "value": "Vasiliev"},
            ]
        },
        "localizations": {
            "uk-Cyrl": {
                "name": {
                    "components": [
                        {"kind": "title", "value": "г-н"},
                        {"kind": "given", "value": "Иван"},
                        {"kind": "given2", "value": "Петрович"},
                        {"kind": "surname", "value": "Васильев"},
                    ]
                }
            }
        },
    },
    "2.7.1 a localized nested property": {
        "name": {"full": "Gabriel García Márquez"},
        "titles": {"t1": {"kind": "title", "name": "novelist"}},
        "localizations": {"es": {"titles/t1/name": "escritor"}},
    },
    "2.8.1 anniversaries": {
        "anniversaries": {
            "k8": {"kind": "birth", "date": {"year": 1953, "month": 4, "day": 15}},
            "k9": {
                "kind": "death",
                "date": {"@type": "Timestamp", "utc": "2019-10-15T23:10:00Z"},
                "place": {"full": "4445 Tree Street\nNew England, ND 58647\nUSA"},
            },
        }
    },
    "2.8.2 keywords": {"keywords": {"internet": True, "IETF": True}},
    "2.8.3 notes": {
        "notes": {
            "n1": {
                "note": "Open office hours are 1600 to 1715 EST, Mon-Fri",
                "created": "2022-11-23T15:01:32Z",
                "author": {"name": "John"},
            }
        }
    },
    "2.8.4 personalInfo": {
        "personalInfo": {
            "pi2": {"kind": "expertise", "value": "chemistry", "level": "high"},
            "pi1": {"kind": "hobby", "value": "reading", "level": "high"},
            "pi6": {"kind": "interest", "value": "r&b music", "level": "medium"},
        }
    },
}
each = pytest.mark.parametrize("properties", FIGURES.values(), ids=FIGURES)


@each
def test_a_figure_is_a_fixed_point_of_4_0(properties: dict[str, Any]) -> None:
    figure = card(**properties)
    written = write_card(figure, "4.0")
    read = read_card(written)
    patches, others = figure.pop("localizations", {}), read.pop("localizations", {})
    assert meaning(read) == meaning(figure)
    assert patches.keys() == others.keys()
    for language, patch in patches.items():
        assert meaning(localized(figure, patch) or {}) == meaning(localized(read, others[language]) or {})


@each
def test_a_figure_needs_no_jsprop_in_4_0_unless_it_is_a_vendors(properties: dict[str, Any]) -> None:
    written = write_card(card(**properties), "4.0")
    assert (b"JSPROP" in written) == any(":" in name for name in properties)


@each
def test_what_3_0_shows_of_a_figure_stays_the_same(properties: dict[str, Any]) -> None:
    first = read_card(write_card(card(**properties)))
    assert first.keys() - {"name"} == card(**properties).keys() - {"name", *(("kind",) if _is_default(properties) else ())}
    again = read_card(write_card(first))
    assert meaning(again) == meaning(first)
    assert write_card(again) == write_card(first)


def _is_default(properties: dict[str, Any]) -> bool:
    return properties.get("kind") == "individual"


def test_the_full_name_is_derived_where_none_is_given() -> None:
    """RFC 9555, 3.1."""
    written = write_card(card(**FIGURES["2.2.1.1 a second surname"]), "4.0")
    assert b"FN;DERIVED=TRUE:Diego Rivera Barrientos\r\n" in written
    assert b'N;JSCOMPS=";1;0;5":Rivera,Barrientos;Diego;;;Barrientos;\r\n' not in written
    assert b'N;JSCOMPS=";1;0;5":Rivera,Barrientos;Diego;;;;Barrientos;\r\n' in written
