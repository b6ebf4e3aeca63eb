"""Parsing WWW-Authenticate."""

from __future__ import annotations

import pytest

from jmapsync.signin.challenges import challenges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        (
            'Bearer realm="Stalwart Server", resource_metadata="/.well-known/oauth-protected-resource", Basic realm="x"',
            [
                ("bearer", {"realm": "Stalwart Server", "resource_metadata": "/.well-known/oauth-protected-resource"}),
                ("basic", {"realm": "x"}),
            ],
        ),
        (
            'Negotiate abc==, Bearer, Basic realm="x" , charset = UTF-8',
            [("negotiate", {}), ("bearer", {}), ("basic", {"realm": "x", "charset": "UTF-8"})],
        ),
        (r'Bearer realm="say \"hi\"",error=invalid_token', [("bearer", {"realm": 'say "hi"', "error": "invalid_token"})]),
        ('Bearer realm="never closed, Basic', [("bearer", {})]),
        ("Bearer a=1,a=2", [("bearer", {"a": "1"})]),
        ("=,=,", []),
        ("Bearer " + "x=1," * 100_000, [("bearer", {"x": "1"}), ("x", {})]),
    ],
)
def test_schemes_are_read_in_their_order(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert challenges(header) == found
