"""Properties of all cards and all vCard files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import vobject
from hypothesis import given

from jmapsync.formats.objects import MalformedError
from jmapsync.formats.vcard import CardCodec, read_card, write_card

from .cards import lines_of, meaning, unkeyed
from .strategies import cards, few, junk, vcards

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object


@given(few)
def test_a_card_comes_back_through_4_0(card: Object) -> None:
    written = write_card(card, "4.0")
    read = read_card(written)
    assert meaning(read) == meaning(card)
    assert write_card(read, "4.0") == written


@given(cards)
def test_what_3_0_shows_of_a_card_stays_the_same(card: Object) -> None:
    read = read_card(write_card(card))
    assert unkeyed(read_card(write_card(read))) == unkeyed(read)
    hidden = {
        "localizations",
        "speakToAs",
        "personalInfo",
        "preferredLanguages",
        "example.com:thing",
        "keywords",
        "members",
    }
    assert {name: meaning(card)[name] for name in hidden & card.keys()} == {
        name: meaning(read)[name] for name in hidden & card.keys()
    }
    assert card.keys() - {"kind"} <= read.keys()
    shown = [
        sorted(json.dumps(entry, sort_keys=True) for entry in meaning(each).get("directories", {}).values())
        for each in (card, read)
    ]
    assert shown[0] == shown[1]  # their keys are not in vCard 3.0


@given(cards)
def test_khards_parser_reads_every_card_in_3_0(card: Object) -> None:
    data = write_card(card)
    parsed = vobject.readOne(data.decode())
    assert parsed.fn is not None
    assert parsed.serialize()
    names = [line.partition(":")[0].partition(";")[0] for line in lines_of(data)]
    assert names.count("FN") >= 1
    assert names.count("N") == 1


@given(vcards)
def test_a_file_stays_the_same_from_the_second_pass(data: bytes) -> None:
    first = read_card(data)
    assert meaning(read_card(write_card(first, "4.0"))) == meaning(first)
    for version in ("3.0", "4.0"):
        codec = CardCodec("4.0" if version == "4.0" else "3.0")
        second = codec.read(codec.write(first))
        assert unkeyed(codec.read(codec.write(second))) == unkeyed(second)


@given(junk)
def test_malformed_cards_are_refused_or_kept_whole(card: Object) -> None:
    try:
        data = write_card(card, "4.0")
        write_card(card)
    except MalformedError:
        return
    assert json.dumps(meaning(read_card(data)), sort_keys=True) == json.dumps(meaning(card), sort_keys=True)
