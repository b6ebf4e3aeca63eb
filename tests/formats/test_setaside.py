"""Large data held apart from its object."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.large_data import LARGEST, PREFIX, bring_back, decode, set_aside

DATA = bytes(range(256)) * 2
NAME = PREFIX + hashlib.sha256(DATA).hexdigest()
PLAIN = base64.b64encode(DATA).decode()


def card(uri: str, **more: str) -> dict[str, Any]:
    return {"@type": "Card", "media": {"p": {"kind": "photo", "uri": uri, **more}}}


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/png;base64,{PLAIN}",
        f"DATA:image/png;BASE64,{PLAIN.rstrip('=')}",
        f"data:image/png;base64,{PLAIN.replace('+', '-').replace('/', '_')}",
        f"data:image/png;base64,{PLAIN.replace('=', '%3D')}\r\n",
        "data:image/png," + "".join(f"%{octet:02x}" for octet in DATA),
    ],
)
def test_a_photo_is_named_by_its_octets_however_it_is_written(text: str) -> None:
    assert set_aside(card(text)) == (card(NAME, mediaType="image/png"), {NAME: DATA})


def test_the_media_type_that_the_object_has_stays() -> None:
    item = {"@type": "Event", "links": {"k": {"href": f"data:;base64,{PLAIN}", "contentType": "text/x"}}}
    aside, found = set_aside(item)
    assert aside == {"@type": "Event", "links": {"k": {"href": NAME, "contentType": "text/x"}}}
    assert bring_back(aside, found.get)["links"]["k"]["href"] == f"data:text/x;base64,{PLAIN}"


def test_data_where_no_property_tells_the_type_keeps_it_behind_its_name() -> None:
    item = {"vCardProps": [["x-logo", {}, "uri", f"data:image/png;base64,{PLAIN}"]]}
    aside, found = set_aside(item)
    assert aside == {"vCardProps": [["x-logo", {}, "uri", f"{NAME}#image/png"]]}
    assert bring_back(aside, found.get) == item


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64,AAAA", "https://x/" + "a" * LARGEST, "data:;base64," + "é" * LARGEST, "data:x" * 99]
)
def test_what_is_small_or_no_data_stays(uri: str) -> None:
    assert set_aside(card(uri)) == (card(uri), {})


def test_octets_that_are_not_to_be_found_stay_a_name() -> None:
    assert bring_back(card(NAME), lambda name: None) == card(NAME)


@given(st.binary(min_size=200), st.sampled_from(["", "image/jpeg", "text/plain;charset=utf-8"]))
def test_what_was_set_aside_comes_back(data: bytes, media_type: str) -> None:
    uri = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    item = card(uri, **({"mediaType": media_type} if media_type else {}))
    aside, found = set_aside(item)
    assert found == {aside["media"]["p"]["uri"]: data}
    assert bring_back(aside, found.get) == item
    assert decode(uri) == (media_type, data)
