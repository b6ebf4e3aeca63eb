"""Which identity a message is sent as (RFC 8621, section 6)."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.storage.jmap.identities import Identity, IdentityError, Named, choose, identities_in


@pytest.mark.parametrize(
    ("sender", "chosen"),
    [
        ("alice@example.com", "own"),
        ("alice@EXAMPLE.com", "own"),
        ("Alice@example.com", "own"),
        ("sales@example.com", "sales"),
        ("Sales@example.com", "capital"),
        ("nobody@example.com", "everybody"),
        ("x@bücher.example", "idn"),
        ("x@xn--bcher-kva.example", "idn"),
    ],
)
def test_the_same_address_goes_before_another_case_and_that_before_the_whole_domain(sender: str, chosen: str) -> None:
    identities = [
        Identity("everybody", "*@Example.com"),
        Identity("capital", "Sales@example.com"),
        Identity("sales", "sales@example.com"),
        Identity("own", "alice@example.com"),
        Identity("idn", "*@bücher.example"),
    ]
    assert choose(identities, [sender]).id == chosen


def test_a_wildcard_is_for_its_own_domain() -> None:
    identities = [Identity("a", "*@example.com"), Identity("b", "bob@example.org")]
    for sender in ("eve@sub.example.com", "eve@notexample.com", "eve@example.org", "*@example.net", "eve"):
        with pytest.raises(IdentityError) as raised:
            choose(identities, [sender])
        assert f"no identity to send as {sender}." in str(raised.value)
        assert "It lets you send as *@example.com, bob@example.org;" in str(raised.value)


def test_the_first_sender_that_any_identity_fits_counts() -> None:
    identities = [Identity("a", "alice@example.com"), Identity("b", "bob@example.com")]
    assert choose(identities, ["bounces@example.net", "bob@example.com", "alice@example.com"]).id == "b"


def test_an_identity_whose_address_the_server_does_not_state_may_be_any() -> None:
    assert choose([Identity("alice", "")], ["alice@example.com"]).id == "alice"
    assert choose([Identity("alice", ""), Identity("b", "b@example.com")], ["b@example.com"]).id == "b"


def test_what_is_malformed_is_left_out() -> None:
    raw: list[Any] = [
        None,
        {"email": "no id"},
        {"id": "a", "email": 7, "name": None, "replyTo": "x@example.com", "bcc": [1, {"email": "a b@c"}, {"email": "c@d.example"}]},
        {"id": "b", "email": "b@example.com\r\nBcc: all@example.com", "name": "B\x00ob", "replyTo": None, "mayDelete": "yes"},
    ]
    assert identities_in({"list": raw}) == (
        Identity("a", bcc=(Named("c@d.example"),)),
        Identity("b", "b@example.comBcc: all@example.com", "Bob"),
    )
    assert identities_in({"list": None}) == identities_in({}) == ()
