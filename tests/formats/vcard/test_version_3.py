"""vCard 3.0 as khard, khal, mutt and phones need it (RFC 2426, RFC 2739, RFC 4770, and common practice)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import vobject

from jmapsync.formats.vcard import read_card, write_card

from .cards import card, lines_of, meaning, vcard

if TYPE_CHECKING:
    from jmapsync.formats.vcard.values import Json

JPEG = "data:image/jpeg;base64,/9j/4AAQSkZJRg=="


def written(**properties: Json) -> list[str]:
    """Return the lines of a Card in 3.0, which khard's parser has read before."""
    data = write_card(card(**properties))
    readable(data)
    return lines_of(data)


def readable(data: bytes) -> None:
    """Have vobject, khard's parser, read a file, and write it again."""
    parsed = vobject.readOne(data.decode())
    assert parsed.fn is not None
    assert parsed.version.value == "3.0"
    assert parsed.serialize()


def test_a_name_has_five_fields_and_no_order() -> None:
    parts = [
        ("title", "Dr."),
        ("given", "Ana"),
        ("surname", "Rivera"),
        ("surname2", "Paz"),
        ("generation", "II"),
        ("credential", "MD"),
    ]
    components = [{"kind": kind, "value": value} for kind, value in parts]
    assert written(name={"components": components, "isOrdered": True, "full": "Ana"}) == ["FN:Ana", "N:Rivera,Paz;Ana;;Dr.;II,MD"]
    assert read_card(write_card(card(name={"components": components})))["name"] == {
        "components": [
            {"kind": kind, "value": value}
            for kind, value in [
                ("surname", "Rivera"),
                ("surname", "Paz"),
                ("given", "Ana"),
                ("title", "Dr."),
                ("credential", "II"),
                ("credential", "MD"),
            ]
        ],
        "full": "Dr. Ana Rivera Paz II MD",
    }


@pytest.mark.parametrize(
    ("properties", "full"),
    [
        ({}, ""),
        ({"organizations": {"a": {"name": "ACME, Inc."}}, "emails": {"a": {"address": "a@b"}}}, "ACME\\, Inc."),
        ({"nicknames": {"a": {"name": "Joe"}}}, "Joe"),
        ({"emails": {"a": {"address": "a@b"}}}, "a@b"),
        ({"phones": {"a": {"number": "+1"}}}, "+1"),
    ],
)
def test_fn_and_n_are_always_there(properties: dict[str, Any], full: str) -> None:
    assert written(**properties)[:2] == [f"FN:{full}", "N:;;;;"]


def test_sorting_and_speaking_have_properties_of_their_own() -> None:
    """RFC 2426, 3.6.5; Apple's X-PHONETIC."""
    name = {
        "components": [
            {"kind": "surname", "value": "山田", "phonetic": "やまだ"},
            {"kind": "given", "value": "太郎", "phonetic": "たろう"},
        ],
        "sortAs": {"surname": "Yamada"},
        "phoneticScript": "Hira",
        "full": "山田太郎",
    }
    assert written(name=name)[1:] == [
        "N:山田;太郎;;;",
        "SORT-STRING:Yamada",
        "X-PHONETIC-LAST-NAME:やまだ",
        "X-PHONETIC-FIRST-NAME:たろう",
    ]
    assert read_card(write_card(card(name=name)))["name"] == name
    other = {**name, "phoneticSystem": "x", "phoneticScript": "Kana"}
    assert read_card(write_card(card(name=other)))["name"] == other


def test_an_address_has_seven_fields_and_its_label_a_line() -> None:
    parts = [("number", "54321"), ("name", "Oak St"), ("floor", "2"), ("locality", "Reston"), ("postcode", "20190")]
    address = {
        "components": [{"kind": kind, "value": value} for kind, value in parts],
        "full": "54321 Oak St\nReston",
        "contexts": {"work": True},
        "coordinates": "geo:1.5,-2",
        "timeZone": "America/New_York",
        "countryCode": "US",
    }
    assert written(addresses={"a": address})[2:] == [
        "ADR;TYPE=WORK:;2;54321 Oak St;Reston;;20190;",
        "LABEL;TYPE=WORK:54321 Oak St\\nReston",
        "GEO:1.5;-2",
        "TZ:America/New_York",
    ]
    read = read_card(write_card(card(addresses={"a": address})))["addresses"]["ADDR-1"]
    assert read == {
        **{name: value for name, value in address.items() if name != "countryCode"},
        "components": [
            {"kind": kind, "value": value}
            for kind, value in [("apartment", "2"), ("name", "54321 Oak St"), ("locality", "Reston"), ("postcode", "20190")]
        ],
    }


def test_an_offset_stays_an_offset() -> None:
    assert written(addresses={"a": {"timeZone": "Etc/GMT+5"}})[-1].endswith("TZ:-05:00")
    assert written(addresses={"a": {"timeZone": "Etc/GMT-13"}})[-1].endswith("TZ:+13:00")


def test_addresses_without_components_stay_apart() -> None:
    addresses = {
        "1": {"components": [{"kind": "name", "value": "A"}]},
        "2": {"full": "B"},
        "3": {"coordinates": "geo:1,2", "timeZone": "Europe/Rome"},
    }
    assert list(read_card(write_card(card(addresses=addresses)))["addresses"].values()) == list(addresses.values())
    readable(write_card(card(addresses=addresses)))


def test_types_are_one_list_in_upper_case() -> None:
    phone = {"number": "+1", "features": {"mobile": True, "text": True}, "contexts": {"private": True}, "pref": 1}
    assert written(phones={"a": phone, "b": {**phone, "pref": 2}})[2:] == [
        "TEL;TYPE=HOME,CELL,MSG,pref:+1",
        "TEL;TYPE=HOME,CELL,MSG:+1",
    ]
    assert read_card(write_card(card(phones={"PHONE-1": phone})))["phones"] == {"PHONE-1": phone}


def test_a_label_is_in_the_group() -> None:
    assert written(phones={"a": {"number": "1", "label": "Boat"}})[2:] == ["item1.TEL:1", "item1.X-ABLABEL:Boat"]


def test_a_photo_is_base64_with_its_type() -> None:
    """RFC 2426, 3.1.4; without TYPE some programs show nothing."""
    media = {"a": {"kind": "photo", "uri": JPEG}, "b": {"kind": "photo", "uri": "https://example.com/a,b.png"}}
    assert written(media=media)[2:] == [
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRg==",
        "PHOTO;VALUE=uri:https://example.com/a\\,b.png",
    ]
    assert [entry["uri"] for entry in read_card(write_card(card(media=media)))["media"].values()] == [
        entry["uri"] for entry in media.values()
    ]


@pytest.mark.parametrize(
    ("name", "uri", "params"),
    [
        ("PHOTO", "data:image/svg+xml;base64,AAAA", "TYPE=SVG+XML"),
        ("PHOTO", "data:video/mp4;base64,AAAA", "TYPE=MP4;MEDIATYPE=video/mp4"),
        ("SOUND", "data:audio/ogg;base64,AAAA", "TYPE=OGG"),
        ("KEY", "data:application/pgp-keys;base64,AAAA", "TYPE=PGP"),
        ("KEY", "data:application/x-a.b;base64,AAAA", "TYPE=X-A.B"),
    ],
)
def test_every_media_type_comes_back(name: str, uri: str, params: str) -> None:
    kinds = {"PHOTO": {"kind": "photo"}, "SOUND": {"kind": "sound"}}
    properties = {"cryptoKeys" if name == "KEY" else "media": {f"{name}-1": {**kinds.get(name, {}), "uri": uri}}}
    assert written(**properties)[2:] == [f"{name};ENCODING=b;{params}:AAAA"]
    read = read_card(write_card(card(**properties)))
    assert {where: read[where] for where in properties} == properties


@pytest.mark.parametrize(
    ("date", "line"),
    [
        ({"year": 1980, "month": 5, "day": 9}, "BDAY:1980-05-09"),
        ({"month": 5, "day": 9}, "BDAY:--0509"),
        ({"@type": "Timestamp", "utc": "1953-10-15T23:10:00Z"}, "BDAY:1953-10-15T23:10:00Z"),
        ({"year": 1980}, "BDAY:1980"),
        ({"year": 1980, "month": 5}, "BDAY:1980-05"),
    ],
)
def test_a_birthday_is_written_as_khal_and_khard_read_it(date: dict[str, Any], line: str) -> None:
    """Neither khal nor khard reads `--05-09`."""
    properties = {"anniversaries": {"ANNIVERSARY-1": {"kind": "birth", "date": date}}}
    assert written(**properties)[2:] == [line]
    assert read_card(write_card(card(**properties)))["anniversaries"] == properties["anniversaries"]


def test_other_anniversaries_have_labels() -> None:
    day = {"year": 2001, "month": 2, "day": 3}
    anniversaries = {
        str(place): {"kind": kind, "date": day} for place, kind in enumerate(["wedding", "wedding", "death", "example.com:exam"])
    }
    assert written(anniversaries=anniversaries)[2:] == [
        "X-ANNIVERSARY:2001-02-03",
        *("item1.X-ABDATE:2001-02-03", "item1.X-ABLABEL:Anniversary"),
        *("item2.X-ABDATE:2001-02-03", "item2.X-ABLABEL:Death"),
        *("item3.X-ABDATE:2001-02-03", "item3.X-ABLABEL:example.com:exam"),
    ]
    assert list(read_card(write_card(card(anniversaries=anniversaries)))["anniversaries"].values()) == list(anniversaries.values())


def test_a_group_is_apples() -> None:
    properties = {"kind": "group", "name": {"full": "Us"}, "members": {"urn:uuid:1": True, "urn:uuid:2": True}}
    assert written(**properties) == [
        *("X-ADDRESSBOOKSERVER-KIND:group", "X-KIND:group"),  # khard reads the second
        *("FN:Us", "N:;;;;"),
        *("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:2"),
    ]
    assert read_card(write_card(card(**properties))) == card(**properties)


def test_services_are_impp_or_profiles() -> None:
    services = {
        "1": {"uri": "xmpp:a@b", "service": "Jabber", "vCardName": "impp"},
        "2": {"uri": "https://example.com/@foo", "service": "Mastodon", "user": "@foo"},
        "3": {"user": "foo", "service": "GitHub", "contexts": {"work": True}},
        "4": {"user": "foo", "service": "Skype", "vCardName": "x-skype"},
    }
    assert written(onlineServices=services)[2:] == [
        "IMPP;X-SERVICE-TYPE=Jabber:xmpp:a@b",
        "X-SOCIALPROFILE;TYPE=Mastodon;X-USER=@foo:https://example.com/@foo",
        "X-SOCIALPROFILE;TYPE=GitHub,WORK:foo",
        "X-SKYPE:foo",
    ]
    assert list(read_card(write_card(card(onlineServices=services)))["onlineServices"].values()) == list(services.values())


def test_relations_to_names_are_apples_and_those_to_cards_jsprop() -> None:
    related = {"Jane Doe": {"relation": {"spouse": True}}, "urn:uuid:1": {"relation": {"friend": True}}}
    assert written(relatedTo=related)[2:] == [
        *("item1.X-ABRELATEDNAMES:Jane Doe", "item1.X-ABLABEL:_$!<Spouse>!$_"),
        'JSPROP;JSPTR="relatedTo/urn:uuid:1":{"relation":{"friend":true}}',
    ]
    assert read_card(write_card(card(relatedTo=related)))["relatedTo"] == related


HIDDEN: dict[str, Any] = {
    "language": "de",
    "created": "2022-09-30T14:35:10Z",
    "speakToAs": {"grammaticalGender": "neuter", "pronouns": {"a": {"pronouns": "they/them"}}},
    "personalInfo": {"a": {"kind": "hobby", "value": "reading", "level": "high"}},
    "directories": {"a": {"kind": "directory", "uri": "https://example.com/a"}},
    "preferredLanguages": {"a": {"language": "de", "pref": 3}},
    "localizations": {"fr": {"name/full": "Jean"}},
    "example.com:foo": {"a": [1, 2.5, None, "ü,;\\\n"]},
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_3_0_has_no_property_for_is_jsprop(name: str) -> None:
    lines = written(**{name: HIDDEN[name]})
    assert len(lines) == len(("FN", "N", "JSPROP"))
    assert lines[2].startswith(f'JSPROP;JSPTR="{name}":')
    assert read_card(write_card(card(**{name: HIDDEN[name]})))[name] == HIDDEN[name]


def test_of_two_birthdays_the_one_with_a_place_has_the_line() -> None:
    day = {"kind": "birth", "date": {"month": 2, "day": 3}}
    lines = written(anniversaries={"a": day, "b": {"kind": "birth", "date": {"month": 3, "day": 4}, "place": {"full": "X"}}})
    assert {"BDAY:--0304", "BIRTHPLACE:X"} <= set(lines)


def test_there_is_neither_prop_id_nor_jscomps() -> None:
    """khard takes PROP-ID off, and JSCOMPS garbles iOS."""
    data = write_card(
        card(
            name={"components": [{"kind": "given", "value": "A"}, {"kind": "surname", "value": "B"}], "isOrdered": True},
            emails={"a": {"address": "a@b"}},
            addresses={"b": {"components": [{"kind": "name", "value": "C"}], "isOrdered": True}},
        )
    )
    assert b"PROP-ID" not in data
    assert b"JSCOMPS" not in data


def test_what_khards_parser_would_refuse_is_jsprop() -> None:
    """vobject: one N, no PROFILE, base64 that is some, no dots in groups."""
    kept = [
        ["n", {}, "unknown", "a;b;c;d;e"],
        ["profile", {}, "unknown", "VCARD"],
        ["x-foo", {"encoding": "b"}, "unknown", "???"],
        ["x-foo", {"group": "a.b"}, "unknown", "1"],
        ["x-bar", {"group": "c", "encoding": "b"}, "unknown", "AAAA"],
    ]
    lines = written(vCardProps=kept)
    assert [line.partition(":")[0] for line in lines[2:]] == ["c.X-BAR;ENCODING=b", 'JSPROP;JSPTR="vCardProps"']
    assert meaning(read_card(write_card(card(vCardProps=kept))))["vCardProps"] == meaning(card(vCardProps=kept))["vCardProps"]


def test_values_with_commas_are_escaped_for_khards_parser() -> None:
    """vobject cuts any value at a comma that is not."""
    data = write_card(card(links={"a": {"uri": "https://example.com/a,b;c"}}, phones={"a": {"number": "1,,2"}}, uid="urn:x:a,b"))
    parsed = vobject.readOne(data.decode())
    assert (parsed.url.value, parsed.tel.value, parsed.uid.value) == ("https://example.com/a,b;c", "1,,2", "urn:x:a,b")
    assert read_card(data)["links"]["LINK-1"]["uri"] == "https://example.com/a,b;c"


def test_a_key_that_jsprop_brings_is_given_to_nothing_else() -> None:
    """Without PROP-ID keys are counted; an entry must not take the place of another."""
    day = {"month": 5, "day": 9}
    properties = {"anniversaries": {"1": {"kind": "birth", "date": day}, "ANNIVERSARY-1": {"kind": "name-day", "date": day}}}
    read = read_card(write_card(card(**properties)))["anniversaries"]
    assert read == {"ANNIVERSARY-2": {"kind": "birth", "date": day}, "ANNIVERSARY-1": {"kind": "name-day", "date": day}}


def test_editing_one_line_changes_one_thing() -> None:
    """What 3.0 does not say is equally unsaid before and after."""
    name = {"components": [{"kind": "given", "value": "A"}, {"kind": "surname", "value": "B"}], "isOrdered": True}
    before = write_card(card(name=name, nicknames={"n": {"name": "Joe"}}, phones={"p": {"number": "1", "pref": 7}}, **HIDDEN))
    after = read_card(before.replace(b"NICKNAME:Joe", b"NICKNAME:Jim"))
    assert after.pop("nicknames") == {"NICK-1": {"name": "Jim"}}
    assert after == {name: value for name, value in read_card(before).items() if name != "nicknames"}


def test_the_same_card_gives_the_same_bytes_whatever_its_order() -> None:
    one = card(emails={"2": {"address": "b"}, "10": {"address": "c"}, "1": {"address": "a"}}, keywords={"b": True, "a": True})
    other = dict(reversed(one.items()))
    other["emails"] = dict(reversed(one["emails"].items()))
    for version in ("3.0", "4.0"):
        assert write_card(one, version) == write_card(other, version)
    assert lines_of(write_card(one))[2:] == ["EMAIL:a", "EMAIL:b", "EMAIL:c", "CATEGORIES:a,b"]


def test_a_card_of_a_later_vcard_is_refused_by_its_version() -> None:
    with pytest.raises(ValueError, match=r"version '5\.0'"):
        read_card(vcard("FN:a", version="5.0"))


@pytest.mark.parametrize("wrong", [{}, {"@type": "Event", "uid": "a"}, {"uid": 5}, [], None])
def test_what_is_no_card_is_refused(wrong: Json) -> None:
    with pytest.raises(ValueError, match="no contact card"):
        write_card(wrong)


def test_nothing_is_written_that_khard_would_take_off_again() -> None:
    """Else each edit would seem to remove it. Seen with khard 0.22.0: parameters of all that it writes anew, `tel:`, raw commas."""
    work = {"contexts": {"work": True}, "pref": 1, "vCardParams": {"x-a": "1", "type": "x-b", "group": "g"}}
    lines = written(
        name={"full": "A", "vCardParams": {"x-a": "1"}},
        nicknames={"a": {"name": "B", **work}},
        organizations={"a": {"name": "C", **work}},
        titles={"a": {"name": "D", **work, "organizationId": "a"}, "b": {"name": "E", "kind": "role", **work}},
        links={"a": {"uri": "https://f", **work}},
        notes={"a": {"note": "G", **work}},
        emails={"a": {"address": "h@i", **work}},
        phones={"a": {"number": "tel:+1-555;ext=5", **work}},
        media={"a": {"kind": "photo", "uri": "https://j", **work}},
        vCardProps=[["x-k", {}, "unknown", "a;b"], ["x-k", {}, "unknown", "a,b"], ["x-k", {"x-a": "1"}, "unknown", "a\\;b"]],
    )
    assert lines == [
        *("FN:A", "N:;;;;", "NICKNAME:B", "ORG:C", "TITLE:D", "ROLE:E"),
        *("TEL;TYPE=WORK,pref,x-b:+1-555\\;ext=5", "EMAIL;TYPE=WORK,pref,x-b:h@i", "URL:https://f"),
        *("g.PHOTO;VALUE=uri;TYPE=WORK,pref,x-b;X-A=1:https://j", "NOTE:G", "X-K:a;b", "X-K;X-A=1:a\\;b"),
        'JSPROP;JSPTR="vCardProps":[["x-k"\\,{}\\,"unknown"\\,"a\\,b"]]',
    ]
