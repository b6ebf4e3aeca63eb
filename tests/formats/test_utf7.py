"""Names in IMAP's modified UTF-7 (RFC 3501, 5.1.3)."""

from __future__ import annotations

import pytest

from jmapsync.formats.names import from_utf7


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Projekt &ANY-dland", "Projekt Ödland"),
        ("&U,BTFw-", "台北"),
        ("a&-b", "a&b"),
        ("plain", "plain"),
    ],
)
def test_a_name_in_utf7_is_read(text: str, name: str) -> None:
    assert from_utf7(text) == name


@pytest.mark.parametrize("text", ["R&D", "Ödland &ANY-", "&A-", "&2D0-", "a & b-c"])
def test_what_is_no_utf7_is_left_as_it_is(text: str) -> None:
    assert from_utf7(text) == text
