"""vCards of Apple, Google, Android, Outlook, KDE, Evolution and khard are converted, or kept."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats.vcard import read_card, write_card

from .cards import card, lines_of, vcard


def read(*lines: str, version: str = "3.0") -> dict[str, Any]:
    """Return what lines are read as, beside the bare card."""
    found = read_card(vcard(*lines, version=version))
    return {name: value for name, value in found.items() if name not in card()}


def test_apple_marks_its_own_labels() -> None:
    found = read(
        *("item1.TEL:1", "item1.X-ABLabel:_$!<Home>!$_", "item2.TEL:2", "item2.X-ABLabel:_$!<Mobile>!$_"),
        *("item3.URL:https://a", "item3.X-ABLabel:_$!<HomePage>!$_", "item4.EMAIL:a@b", "item4.X-ABLabel:Home"),
    )
    assert found == {
        "phones": {
            "PHONE-1": {"number": "1", "contexts": {"private": True}},
            "PHONE-2": {"number": "2", "features": {"mobile": True}},
        },
        "links": {"LINK-1": {"uri": "https://a", "label": "HomePage"}},
        "emails": {"EMAIL-1": {"address": "a@b", "label": "Home"}},
    }


def test_a_label_of_what_has_none_is_kept_with_its_group() -> None:
    """RFC 9553, 2.5.1.1: an Address has no label."""
    lines = ["item1.ADR;type=HOME:;;Street;City;;;", "item1.X-ABLabel:Cottage", "item1.X-ABADR:us"]
    found = read(*lines)
    assert found["addresses"]["ADDR-1"]["vCardParams"] == {"group": "item1"}
    assert found["vCardProps"] == [
        ["x-abadr", {"group": "item1"}, "unknown", "us"],
        ["x-ablabel", {"group": "item1"}, "unknown", "Cottage"],
    ]
    written = lines_of(write_card(card(**found)))
    assert {"item1.ADR;TYPE=HOME:;;Street;City;;;", "item1.X-ABADR:us", "item1.X-ABLABEL:Cottage"} <= set(written)


def test_apple_leaves_out_years() -> None:
    found = read("BDAY;X-APPLE-OMIT-YEAR=1604:1604-05-09", "item1.X-ABDATE:2001-02-03", "item1.X-ABLabel:_$!<Anniversary>!$_")
    assert found["anniversaries"] == {
        "ANNIVERSARY-1": {"kind": "birth", "date": {"month": 5, "day": 9}},
        "ANNIVERSARY-2": {"kind": "wedding", "date": {"year": 2001, "month": 2, "day": 3}},
    }


def test_a_date_with_a_label_that_is_no_kind_is_kept() -> None:
    found = read("item1.X-ABDATE:2001-02-03", "item1.X-ABLabel:Graduation")
    assert found == {
        "vCardProps": [
            ["x-abdate", {"group": "item1"}, "unknown", "2001-02-03"],
            ["x-ablabel", {"group": "item1"}, "unknown", "Graduation"],
        ]
    }
    assert read_card(write_card(card(**found)))["vCardProps"] == found["vCardProps"]


def test_apple_names_relatives_and_profiles() -> None:
    found = read(
        *(
            "item1.X-ABRELATEDNAMES:Jane",
            "item1.X-ABLabel:_$!<Spouse>!$_",
            "item2.X-ABRELATEDNAMES:Ann",
            "item2.X-ABLabel:_$!<Mother>!$_",
        ),
        "X-SOCIALPROFILE;type=twitter;x-user=foo:https://twitter.com/foo",
        "IMPP;X-SERVICE-TYPE=Jabber;type=HOME;type=pref:xmpp:a@b",
    )
    assert found["relatedTo"] == {"Jane": {"relation": {"spouse": True}}}
    assert [entry[0] for entry in found["vCardProps"]] == ["x-abrelatednames", "x-ablabel"]
    assert found["onlineServices"] == {
        "OS-1": {"service": "twitter", "user": "foo", "uri": "https://twitter.com/foo"},
        "OS-2": {"service": "Jabber", "uri": "xmpp:a@b", "contexts": {"private": True}, "pref": 1, "vCardName": "impp"},
    }


def test_what_cyrus_makes_of_a_service_is_the_service() -> None:
    """It writes X-SOCIAL-PROFILE with all of the value in X-USER for every service that it does not know."""
    found = read(
        'X-SOCIAL-PROFILE;X-USER="sip:ada@x.example":',
        'X-SOCIAL-PROFILE;TYPE=Mastodon;X-USER="https://m.example/@a,b;c":',
        "X-SOCIAL-PROFILE;TYPE=Threema;X-USER=ADA:",
        "X-SOCIAL-PROFILE:other",
    )
    assert found == {
        "onlineServices": {
            "OS-1": {"uri": "sip:ada@x.example"},
            "OS-2": {"uri": "https://m.example/@a,b;c", "service": "Mastodon"},
            "OS-3": {"user": "ADA", "service": "Threema"},
        },
        "vCardProps": [["x-social-profile", {}, "unknown", "other"]],
    }
    written = lines_of(write_card(card(**found), "3.0"))
    assert {"IMPP:sip:ada@x.example", "X-SOCIALPROFILE;TYPE=Threema:ADA"} <= set(written)


def test_old_messengers_come_back_under_their_names() -> None:
    found = read("X-JABBER;TYPE=WORK:a@b", "X-SKYPE-USERNAME:foo", "X-AIM:bar")
    assert found["onlineServices"] == {
        "OS-1": {"service": "Jabber", "user": "a@b", "vCardName": "x-jabber", "contexts": {"work": True}},
        "OS-2": {"service": "Skype", "user": "foo", "vCardName": "x-skype-username"},
        "OS-3": {"service": "AIM", "user": "bar", "vCardName": "x-aim"},
    }
    for version in ("3.0", "4.0"):
        names = [line.partition(":")[0].partition(";")[0] for line in lines_of(write_card(card(**found), version))]
        assert names[-3:] == ["X-JABBER", "X-SKYPE-USERNAME", "X-AIM"]


def test_an_export_of_google() -> None:
    found = read(
        *("FN:Ana Paz", "N:Paz;Ana;;;", "X-PHONETIC-FIRST-NAME:アナ", "EMAIL;TYPE=INTERNET;TYPE=HOME:a@b", "TEL;TYPE=CELL:1"),
        *("item1.TEL:2", "item1.X-ABLabel:Summer", "item2.URL:http\\://a", "item2.X-ABLabel:PROFILE", "CATEGORIES:myContacts"),
        *("ADR;TYPE=HOME:;;A;B;;;", "BDAY:1980-05-09", "NOTE:x\\ny"),
    )
    assert found == {
        "name": {
            "full": "Ana Paz",
            "components": [{"kind": "surname", "value": "Paz"}, {"kind": "given", "value": "Ana", "phonetic": "アナ"}],
            "phoneticScript": "Kana",
        },
        "emails": {"EMAIL-1": {"address": "a@b", "contexts": {"private": True}}},
        "phones": {"PHONE-1": {"number": "1", "features": {"mobile": True}}, "PHONE-2": {"number": "2", "label": "Summer"}},
        "links": {"LINK-1": {"uri": "http://a", "label": "PROFILE"}},
        "keywords": {"myContacts": True},
        "addresses": {
            "ADDR-1": {
                "contexts": {"private": True},
                "components": [{"kind": "name", "value": "A"}, {"kind": "locality", "value": "B"}],
            }
        },
        "anniversaries": {"ANNIVERSARY-1": {"kind": "birth", "date": {"year": 1980, "month": 5, "day": 9}}},
        "notes": {"NOTE-1": {"note": "x\ny"}},
    }


def test_an_export_of_android() -> None:
    found = read(
        *(
            "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;;;",
            "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg",
        ),
        *("TEL;CELL;PREF:1", "TEL;X-Custom(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,Boot):2", "EMAIL;HOME:a@b", "ORG:A, Inc.;B"),
        *("PHOTO;ENCODING=BASE64;JPEG:/9j/\r\n 4AAQ\r\n", "X-ANDROID-CUSTOM:vnd.android.cursor.item/nickname;Joe;1;;;"),
        version="2.1",
    )
    assert found["name"] == {
        "components": [{"kind": "surname", "value": "Müller"}, {"kind": "given", "value": "Jörg"}],
        "full": "Jörg",
    }
    assert found["phones"]["PHONE-1"] == {"number": "1", "features": {"mobile": True}, "pref": 1}
    assert found["phones"]["PHONE-2"]["number"] == "2"
    assert "Boot" in str(found["phones"]["PHONE-2"]["vCardParams"])
    assert found["organizations"] == {"ORG-1": {"name": "A, Inc.", "units": [{"name": "B"}]}}
    assert found["media"] == {"PHOTO-1": {"kind": "photo", "uri": "data:image/jpeg;base64,/9j/4AAQ"}}
    assert found["vCardProps"] == [["x-android-custom", {}, "unknown", "vnd.android.cursor.item/nickname;Joe;1;;;"]]


def test_languages_of_outlook_without_alternatives_are_kept() -> None:
    found = read(
        "FN;LANGUAGE=de:Jörg", "N;LANGUAGE=de:Müller;Jörg", "NOTE;LANGUAGE=en-us:x", "TITLE;LANGUAGE=de:Chef", version="4.0"
    )
    assert found["language"] == "de"
    assert found["name"] == {
        "components": [{"kind": "surname", "value": "Müller"}, {"kind": "given", "value": "Jörg"}],
        "full": "Jörg",
    }
    assert found["notes"] == {"NOTE-1": {"note": "x", "vCardParams": {"language": "en-us"}}}
    assert found["titles"] == {"TITLE-1": {"kind": "title", "name": "Chef"}}


def test_labels_of_3_0_belong_to_the_address_of_their_types() -> None:
    """RFC 2426, 3.2.2."""
    found = read(
        "ADR;TYPE=home:;;A;;;;", "ADR;TYPE=work,pref:;;B;;;;", "LABEL;TYPE=work:b\\nB", "LABEL;TYPE=home:a", "LABEL;TYPE=postal:c"
    )
    assert [address.get("full") for address in found["addresses"].values()] == ["a", "b\nB", "c"]


def test_khards_additions_change_nothing_but_the_kind() -> None:
    """It adds X-KIND and a time, renames groups, and gives a labelled telephone a type of that name."""
    before = read("item1.TEL;TYPE=cell:1", "item1.X-ABLABEL:Boat")
    after = read("itemtel1.TEL;TYPE=cell,X-Boat:1", "itemtel1.X-ABLABEL:Boat", "X-KIND:individual", "REV:20240102T030405Z")
    assert after.pop("kind") == "individual"
    assert after.pop("updated") == "2024-01-02T03:04:05Z"
    assert after == before


@pytest.mark.parametrize("line", ["AGENT:BEGIN:VCARD\\nEND:VCARD", "CLASS:PRIVATE", "MAILER:mutt 2", "NAME:x", "X-GENDER:Male"])
def test_what_3_0_had_and_4_0_has_not_is_kept(line: str) -> None:
    """RFC 6350, A.1."""
    found = read(line)
    name, _, value = line.partition(":")
    assert found == {"vCardProps": [[name.lower(), {}, "unknown", value]]}
    for version in ("3.0", "4.0"):
        assert line in lines_of(write_card(card(**found), version))


def test_a_key_as_text_becomes_data() -> None:
    found = read("KEY:-----BEGIN PGP PUBLIC KEY BLOCK-----\\nx")
    assert found["cryptoKeys"]["KEY-1"]["uri"].startswith("data:application/pgp-keys;base64,LS0t")
    assert read_card(write_card(card(**found)))["cryptoKeys"] == found["cryptoKeys"]


def test_base64_that_is_none_is_kept_as_it_is() -> None:
    found = read("PHOTO;ENCODING=b;TYPE=JPEG:!!!")
    assert found == {"vCardProps": [["photo", {"encoding": "b", "type": "JPEG"}, "unknown", "!!!"]]}
    assert read_card(write_card(card(**found)))["vCardProps"] == found["vCardProps"]


def test_empty_lines_say_nothing() -> None:
    assert read("TEL:", "N:;;;;", "ORG:;", "ADR;TYPE=home:;;;;;;", "NOTE:", "FN:", "NICKNAME:,", "CATEGORIES:") == {}


def test_several_nicknames_may_share_a_line() -> None:
    """RFC 2426, 3.1.3."""
    assert read("NICKNAME:Joe,Jim\\, the boss")["nicknames"] == {"NICK-1": {"name": "Joe"}, "NICK-2": {"name": "Jim, the boss"}}


def test_an_address_of_the_old_form_in_the_new_one_is_not_lost() -> None:
    """RFC 9554, 2.1 has the street ignored beside the new fields, but not an extended address that they say nothing of."""
    found = read("ADR:;Suite 5;54321 Oak St;Reston;;;;;;;54321;Oak St;;;;;;", version="4.0")
    kinds = [(part["kind"], part["value"]) for part in found["addresses"]["ADDR-1"]["components"]]
    assert kinds == [("apartment", "Suite 5"), ("locality", "Reston"), ("number", "54321"), ("name", "Oak St")]


@pytest.mark.parametrize(
    ("version", "lines", "expected"),
    [
        (
            "2.1",
            ["EMAIL;INTERNET=:a@b", "TEL;CELL=:1"],
            {"emails": {"address": "a@b"}, "phones": {"number": "1", "features": {"mobile": True}}},
        ),
        ("3.0", ["ITEM1.EMAIL:a@b", "item1.X-ABLabel:Work"], {"emails": {"address": "a@b", "label": "Work"}}),
        ("3.0", ["BDAY:1990-01-01;"], {"anniversaries": {"kind": "birth", "date": {"year": 1990, "month": 1, "day": 1}}}),
        (
            "3.0",
            [
                "ITEM1.X-ABDATE;VALUE=DATE-AND-OR-TIME:20181206",
                "ITEM1.X-ABLABEL:_$!<Anniversary>!$_",
                "X-ANNIVERSARY;VALUE=DATE-AND-OR-TIME:20181206",
            ],
            {"anniversaries": {"kind": "wedding", "date": {"year": 2018, "month": 12, "day": 6}}},
        ),
    ],
    ids=["types with an equals sign", "a group in another case", "a semicolon after a date", "a wedding twice"],
)
def test_faults_of_other_programs_are_understood(version: str, lines: list[str], expected: dict[str, Any]) -> None:
    found = read(*lines, version=version)
    assert {name: next(iter(entries.values())) for name, entries in found.items()} == expected
    assert all(len(entries) == 1 for entries in found.values())


def test_a_line_that_is_there_twice_is_kept_once() -> None:
    twice = ["N:;John;;;", "FN:John"]
    assert "vCardProps" not in read(*twice, *twice)


def test_a_fraction_of_a_second_in_a_time_stamp_is_left_out() -> None:
    assert read("REV;VALUE=DATE-TIME:2018-08-06T10:46:49,147Z") == {"updated": "2018-08-06T10:46:49Z"}


def test_a_line_with_semicolons_stays_a_line_in_3_0() -> None:
    line = "X-ANDROID-CUSTOM:vnd.android.cursor.item/nickname;Bob;1;;"
    assert line in lines_of(write_card(card(**read(line))))


def test_a_picture_of_outlook_stays_a_line_in_3_0() -> None:
    found = read("X-MS-CARDPICTURE;TYPE=JPEG;ENCODING=BASE64:\r\n /9j/4AAQ\r\n CACUACcD", version="2.1")
    assert "X-MS-CARDPICTURE;TYPE=JPEG;ENCODING=b:/9j/4AAQCACUACcD" in lines_of(write_card(card(**found)))
