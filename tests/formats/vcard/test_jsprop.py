"""JSPROP: JSContact in a vCard (RFC 9555, 3.2.1 and 3.3.2)."""

from __future__ import annotations

import pytest

from jmapsync.formats.patch import localized
from jmapsync.formats.vcard import apply_pending, read_card, write_card

from .cards import card, lines_of, vcard


@pytest.mark.parametrize("pointer", ["example.com:foo", "/example.com:foo"])
@pytest.mark.parametrize("value", ['[1\\,"a\\\\nb"]', '[1,"a\\nb"]'])
def test_a_pointer_may_begin_with_a_slash_and_the_value_be_badly_escaped(pointer: str, value: str) -> None:
    assert read_card(vcard(f'JSPROP;JSPTR="{pointer}":{value}')) == card(**{"example.com:foo": [1, "a\nb"]})


@pytest.mark.parametrize(
    "line",
    [
        'JSPROP;JSPTR="phones/p1/x":1',
        'JSPROP;JSPTR="name/components/0/x":1',
        'JSPROP;JSPTR="":1',
        'JSPROP;JSPTR="@type":"Group"',
        'JSPROP;JSPTR="a":{',
        'JSPROP;JSPTR="a":NaN',
        'JSPROP;JSPTR="a":"\\\\ud800"',
        'JSPROP;JSPTR="a":' + "[" * 5000 + "]" * 5000,
        "JSPROP:1",
    ],
)
def test_what_cannot_be_applied_is_kept_and_the_others_are_applied(line: str) -> None:
    """Unlike RFC 9553, 1.4.3: who deletes a telephone in an editor must not lose all that is in the other lines."""
    read = read_card(vcard(line, 'JSPROP;JSPTR="b":2', "N:a"))
    assert read["b"] == 2
    assert [entry[0] for entry in read["vCardProps"]] == ["jsprop"]
    assert read_card(write_card(read, "4.0")) == read
    assert read_card(write_card(read))["vCardProps"] == read["vCardProps"]


def test_null_removes() -> None:
    assert read_card(vcard("NOTE:a", 'JSPROP;JSPTR="notes":null')) == card()


def test_what_missed_its_place_finds_it_when_keys_are_chosen_again() -> None:
    stored = card(phones={"p1": {"number": "1", "example.com:x": 5}}, **{"example.com:y": 1})
    edited = write_card(stored, "4.0").replace(b";PROP-ID=p1", b"")
    read = read_card(edited)
    assert read["phones"] == {"PHONE-1": {"number": "1"}}
    assert apply_pending(read) is not read
    assert apply_pending(read) == read
    assert apply_pending({**read, "phones": {"p1": {"number": "1"}}}) == stored


def test_a_part_of_a_name_that_n_cannot_hold_is_not_written_into_n() -> None:
    name = {"components": [{"kind": "given", "value": "A"}, {"kind": "example.com:clan", "value": "B"}], "isOrdered": True}
    lines = lines_of(write_card(card(name=name), "4.0"))
    assert [line.partition(":")[0] for line in lines] == ["FN;DERIVED=TRUE", 'JSPROP;JSPTR="name"']
    assert read_card(write_card(card(name=name), "4.0")) == card(name=name)


def test_a_localization_of_what_is_not_there_is_jsprop() -> None:
    """RFC 9555, 2.3.11: lines localize what the card has."""
    patches = {
        "de": {"notes/n/note": "a"},
        "fr": {"titles/t/name": "Patron"},
        "it": {"titles/t/name": None, "titles/x": {"name": "B"}},
    }
    written = card(titles={"t": {"kind": "title", "name": "Boss"}}, localizations=patches)
    lines = lines_of(write_card(written, "4.0"))
    assert "TITLE;ALTID=1;LANGUAGE=fr;PROP-ID=t:Patron" in lines
    assert [line.partition(":")[0] for line in lines if line.startswith("JSPROP")] == [
        'JSPROP;JSPTR="localizations/de"',
        'JSPROP;JSPTR="localizations/it"',
    ]
    assert read_card(write_card(written, "4.0")) == written


def test_a_patch_that_fits_nothing_localizes_nothing() -> None:
    """RFC 9553, 1.4.3."""
    base = card(name={"components": [{"kind": "given", "value": "A"}]})
    assert localized(base, {"name/components/0/value": "B"}) == card(name={"components": [{"kind": "given", "value": "B"}]})
    for pointer in ("name/components/1/value", "name/components/1", "name/components/-", "notes/n/note", "", "localizations/fr"):
        assert localized(base, {pointer: "B"}) is None
    assert localized(base, {"name/components/0": None}) is None
