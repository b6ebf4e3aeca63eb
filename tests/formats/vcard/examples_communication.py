"""Examples of RFC 9555, 2.7 to 3.3, copied from the RFC."""

from __future__ import annotations

from typing import Any

COMMUNICATION_AND_THE_REST: dict[str, tuple[list[str], dict[str, Any]]] = {
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
