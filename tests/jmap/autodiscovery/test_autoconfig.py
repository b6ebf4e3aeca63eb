"""The XML of mail providers is read within limits, and only its JMAP servers are used."""

from __future__ import annotations

import pytest

from jmapsync.errors import DiscoveryError
from jmapsync.jmap.autodiscovery.autoconfig import servers

ADDRESS = "alice@example.com"


def document(inside: str) -> bytes:
    return f'<?xml version="1.0"?><clientConfig><emailProvider id="x">{inside}</emailProvider></clientConfig>'.encode()


def test_the_url_of_the_current_form_is_used() -> None:
    [one] = servers(
        document(
            '<incomingServer type="imap"><hostname>imap.example.com</hostname></incomingServer>'
            '<incomingServer type="jmap"><url> https://jmap.example.com/session\n</url>'
            "<authentication>OAuth2</authentication><username>%EMAILADDRESS%</username></incomingServer>"
        ),
        ADDRESS,
    )
    assert (one.session_url, one.user) == ("https://jmap.example.com/session", "alice@example.com")


@pytest.mark.parametrize(
    ("port", "url"), [("443", "https://h.test/.well-known/jmap"), ("8443", "https://h.test:8443/.well-known/jmap")]
)
def test_host_and_port_of_the_older_form_are_used(port: str, url: str) -> None:
    inside = f'<incomingServer type="jmap"><hostname>h.test</hostname><port>{port}</port></incomingServer>'
    assert [one.session_url for one in servers(document(inside), ADDRESS)] == [url]


def test_servers_come_in_their_order_and_are_limited() -> None:
    inside = "".join(f'<incomingServer type="JMAP"><url>https://{number}.test/</url></incomingServer>' for number in range(9))
    assert [one.session_url for one in servers(document(inside), ADDRESS)] == [f"https://{number}.test/" for number in range(3)]


@pytest.mark.parametrize(
    ("pattern", "user"),
    [("%EMAILLOCALPART%", "alice"), ("%EMAILLOCALPART%.%EMAILDOMAIN%", "alice.example.com"), ("alice", "alice"), ("a\u202eb", "")],
)
def test_placeholders_of_the_user_name_are_filled(pattern: str, user: str) -> None:
    inside = f'<incomingServer type="jmap"><url>https://x.test/</url><username>{pattern}</username></incomingServer>'
    assert [one.user for one in servers(document(inside), ADDRESS)] == [user]


def test_a_host_instead_of_an_address_fills_no_placeholder() -> None:
    inside = '<incomingServer type="jmap"><url>https://x.test/</url><username>%EMAILADDRESS%</username></incomingServer>'
    assert [one.user for one in servers(document(inside), "example.com")] == [""]


def test_values_inside_other_elements_are_not_taken() -> None:
    inside = '<incomingServer type="jmap"><pop3><url>https://wrong.test/</url></pop3><url>https://x.test/</url></incomingServer>'
    assert [one.session_url for one in servers(document(inside), ADDRESS)] == ["https://x.test/"]


LAUGHS = "".join(f'<!ENTITY l{number + 1} "{f"&l{number};" * 10}">' for number in range(9))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not XML",
        b"<clientConfig>",
        b"{}",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><clientConfig>&l9;</clientConfig>'.encode(),
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><clientConfig><emailProvider>&f;</emailProvider></clientConfig>',
        b"<a>" * 100 + b"</a>" * 100,
        document('<incomingServer type="imap"><hostname>x</hostname></incomingServer>'),
        document('<incomingServer type="jmap"></incomingServer>'),
        document(f'<incomingServer type="jmap"><url>https://{"x" * 5000}/</url></incomingServer>'),
        "<clientConfig>\u0000</clientConfig>".encode(),
        b'<?xml version="1.0" encoding="nonsense"?><clientConfig/>',
    ],
)
def test_anything_else_is_an_error(content: bytes) -> None:
    with pytest.raises(DiscoveryError, match=r"^the file "):
        servers(content, ADDRESS)
