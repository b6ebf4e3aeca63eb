"""Large `data:` URIs are replaced by names and restored."""

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


def test_data_without_a_property_for_the_type_has_it_after_the_name() -> None:
    item = {"vCardProps": [["x-logo", {}, "uri", f"data:image/png;base64,{PLAIN}"]]}
    aside, found = set_aside(item)
    assert aside == {"vCardProps": [["x-logo", {}, "uri", f"{NAME}#image/png"]]}
    assert bring_back(aside, found.get) == item


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64,AAAA", "https://x/" + "a" * LARGEST, "data:;base64," + "é" * LARGEST, "data:x" * 99]
)
def test_small_data_and_other_uris_are_unchanged(uri: str) -> None:
    assert set_aside(card(uri)) == (card(uri), {})


def test_a_name_without_octets_is_unchanged() -> None:
    assert bring_back(card(NAME), lambda name: None) == card(NAME)


@given(st.binary(min_size=200), st.sampled_from(["", "image/jpeg", "text/plain;charset=utf-8"]))
def test_replaced_data_are_restored(data: bytes, media_type: str) -> None:
    uri = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    item = card(uri, **({"mediaType": media_type} if media_type else {}))
    aside, found = set_aside(item)
    assert found == {aside["media"]["p"]["uri"]: data}
    assert bring_back(aside, found.get) == item
    assert decode(uri) == (media_type, data)


def test_little_data_with_much_padding_stays_in_its_place() -> None:
    item = {"media": {"m": {"kind": "photo", "uri": "data:image/png;base64,AAAA" + "=" * 1000}}}
    assert set_aside(item) == (item, {})
