"""Addresses in lists are accepted as written, or not at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.addresses import addresses_in, is_address


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a@x.example <b@y.example>", ["b@y.example"]),
        ('"a@x.example, c" <b@y.example>', ["b@y.example"]),
        ("=?utf-8?q?a=40x=2Cc?= <b@y.example>", ["b@y.example"]),
        ("J\udcfcrgen <j@x.example>", ["j@x.example"]),
        ("Dr. A. B. C <a@b.example>", ["a@b.example"]),
        ("list: a@x.example, Bob <b@x.example>;, c@x.example", ["a@x.example", "b@x.example", "c@x.example"]),
        ("undisclosed-recipients:;", []),
        (" , ,, ", []),
        ("(all of us) a@x.example (Alice \\) (inner))", ["a@x.example"]),
        ("a (at) @ (the) x.example", ["a@x.example"]),
        ("<@relay.example,@other.example:a@x.example>", ["a@x.example"]),
        ('"a b"@x.example, "a.b"@x.example', ['"a b"@x.example', "a.b@x.example"]),
        ("a@[192.0.2.1], a@[IPv6:2001:db8::1]", ["a@[192.0.2.1]", "a@[IPv6:2001:db8::1]"]),
        ("jürgen@exämple.example, 用户@例子.example", ["jürgen@exämple.example", "用户@例子.example"]),
    ],
)
def test_a_header_may_write_addresses_in_any_form_that_rfc_5322_has(value: str, found: list[str]) -> None:
    assert [one.address for one in addresses_in(value)] == found


@pytest.mark.parametrize(
    "value",
    [
        "a@example.com SIZE=1",
        "a@exam ple.com",
        "a b@example.com",
        "Bob <a@exam ple.com>",
        "Bob <a@example.com ORCPT=x>",
        "<a@x.example> <b@x.example>",
        "<a@x.example> b@x.example",
        "a@x.example b@x.example",
        "a@x.example; b@x.example",
        "a@x@y.example",
        "a@x.example <b@y.example",
        '"a@x.example <b@y.example>',
        "(a@x.example",
        "list: a@x.example",
        "list: a@x.example; b@x.example",
        "a@x.example: b@x.example;",
        "mailto:a@x.example",
        "<>",
        "root",
        ".a@x.example",
        "a..b@x.example",
        "a@x.example.",
        "a@-x.example",
        "a@x$y.example",
        "a@[300.0.0.1]",
        "a@[192.0.2.1",
        "a@x.example\r\nBcc: b@y.example",
        "a@ex\u200bample.example",
        "a\u202e@x.example",
        "a\xa0b@x.example",
        "\udcff@x.example",
        "a\x00@x.example",
        f"{'a' * 320}@x.example",
        f"a@{'x' * 64}.example",
    ],
)
def test_what_is_no_address_is_never_made_one(value: str) -> None:
    found = addresses_in(value)
    assert "" in [one.address for one in found]
    assert not is_address(value)


@pytest.mark.parametrize("value", ["list: a@x.example;", "<@r.example:a@x.example>", "a (c) @x.example", "a @x.example"])
def test_an_argument_has_to_be_plainer_than_a_header(value: str) -> None:
    assert [one.address for one in addresses_in(value)] == ["a@x.example"]
    assert "" in [one.address for one in addresses_in(value, plain=True)]


@pytest.mark.parametrize(
    "value",
    [
        "(" * 60_000,
        "(" * 200_000 + ")" * 200_000 + "a@x.example",
        "(\\" * 200_000,
        "<" * 300_000,
        '"' * 300_001,
        '"\\' * 300_000,
        "[" * 300_000,
        "x:" * 200_000,
        "<@" * 200_000 + ":",
        "a." * 300_000,
        " " * 1_000_000,
        "\t(" * 300_000,
    ],
    ids=lambda value: f"{value[:4]!r}",
)
def test_time_is_in_proportion_to_the_length(value: str) -> None:
    started = time.process_time()
    addresses_in(value)
    assert time.process_time() - started < 5


@given(st.text(alphabet='a@.<>,;:()[]"\\ \t\n\x00é', max_size=40))
def test_an_address_stands_in_the_text_it_is_taken_from(value: str) -> None:
    for one in addresses_in(value):
        assert one.text in value
        if one.address:
            assert is_address(one.address)
            local, _, domain = one.address.rpartition("@")
            assert domain in value
            assert local in value.replace("\\", "")
