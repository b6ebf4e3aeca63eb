"""Proxies come from the environment as curl reads it, and a value that cannot be used is a mistake in a variable with a name."""

from __future__ import annotations

import asyncio
import random

import pytest

from jmapsync.errors import ConfigError
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.proxies import Proxies
from jmapsync.jmap.replies import UnreachedError
from tests.jmap.wild import head, wild

URL = "https://mail.example.com/jmap"
VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def place(url: str = URL, **environment: str) -> str:
    proxy = Proxies.of(environment).for_url(url)
    return proxy.place if proxy is not None else ""


def passes_by(no_proxy: str, host: str) -> bool:
    return not place(f"https://{host}/", HTTPS_PROXY="http://proxy:3128", NO_PROXY=no_proxy)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p:3128"}, "p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, "p:3128"),
        ({"HTTPS_PROXY": "p"}, "p:1080"),
        ({"HTTPS_PROXY": "https://p"}, "p:443"),
        ({"HTTPS_PROXY": "http://[::1]:8080/"}, "[::1]:8080"),
        ({"HTTPS_PROXY": "http://me:p%40ss@p:1"}, "p:1"),
        ({"HTTPS_PROXY": "http://m\u00fc:s\u00e9%20@b\u00fccher.example:1"}, "xn--bcher-kva.example:1"),
        ({"HTTPS_PROXY": "http://[fe80::1%eth0]:1"}, "[fe80::1%eth0]:1"),
        ({"ALL_PROXY": "socks5h://p"}, "p:1080"),
        ({"ALL_PROXY": "socks5://me:secret@p:9050"}, "p:9050"),
        ({"ALL_PROXY": "a", "HTTPS_PROXY": "b", "https_proxy": "c"}, "c:1080"),
        ({"ALL_PROXY": "a", "HTTPS_PROXY": " "}, "a:1080"),
        ({"HTTP_PROXY": "a", "http_proxy": "a"}, ""),
    ],
)
def test_the_proxy_is_chosen_as_curl_does(environment: dict[str, str], expected: str) -> None:
    assert place(**environment) == expected
    assert not place("http://127.0.0.1:8080/", **environment)


@pytest.mark.parametrize(
    ("no_proxy", "host", "expected"),
    [
        ("*", "a.example", True),
        ("example.com", "example.com", True),
        ("example.com", "mail.example.com:8443", True),
        ("example.com", "notexample.com", False),
        (".example.com, other", "mail.example.com", True),
        ("*.example.com", "mail.example.com", True),
        ("other example.com", "EXAMPLE.com.", True),
        ("example.com:443", "example.com", True),
        ("example.com:8443", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3/8", "10.200.0.1:8443", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "ten.example", False),
        ("192.168.1.1", "192.168.1.1", True),
        ("192.168.1.1:8443", "192.168.1.1:8443", True),
        ("[::1]", "[::1]", True),
        ("::1", "[::1]:8443", True),
        ("[::1]:8443", "[::1]:8443", True),
        ("[::1]:8443", "[::1]", False),
        ("fe80::/10", "[fe80::7]", True),
        ("fe80::1%eth0", "[fe80::1]", True),
        ("localhost,127.0.0.0/8,,", "127.0.0.9", True),
        ("m\u00fcnchen.example", "example.com", False),
    ],
)
def test_what_passes_by_the_proxy(no_proxy: str, host: str, expected: bool) -> None:
    assert passes_by(no_proxy, host) is expected


@pytest.mark.parametrize(
    "value",
    [
        "http://me:s3cr#t@proxy:3128",
        "http://me:s3cr/t@proxy:3128",
        "http://me:s3cr?t@proxy:3128",
        "http://me:s3cret@pro{xy}:3128",
        "http://me:s3cret@proxy^:3128",
        "http://me:s3cret@pro%20xy:3128",
        "http://me:s3cret@\u00e9" + "x" * 80 + ":3128",
        "http://me:s3%00cret@proxy:3128",
        "http://proxy:port",
        "http://proxy:99999",
        "http://proxy:0",
        "http://proxy:\u00b2",
        "http://[::1/",
        "http://",
        "socks4://proxy",
        "ftp://proxy",
        "://proxy",
        "http://pro xy",
        "http://pro\x00xy:1",
        "http://" + "s3cr" * 20_000 + ":x",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable_and_never_quoted(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"environment variable {variable} cannot be used") as caught:
        Proxies.of({variable: value})
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["10.0.0.0/99", "[::1", "[::1]x", "host:0", "host:99999", "host:x", "10.0.0/8", "[nothing]", "a/b"]
)
def test_an_exception_that_cannot_be_read_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match="environment variable NO_PROXY cannot be used"):
        Proxies.of({"HTTPS_PROXY": "http://p:1", "NO_PROXY": f"localhost,{value}"})
    assert Proxies.of({"NO_PROXY": value}).for_url(URL) is None


def test_whatever_the_environment_holds_is_used_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    alphabet = [
        "http",
        "https",
        "socks5h",
        "://",
        ":",
        "/",
        "//",
        "@",
        "#",
        "?",
        "[",
        "]",
        "::1",
        "10.0.0.1",
        "/8",
        "%",
        "%zz",
        "*",
    ]
    alphabet += [
        "a",
        ".",
        ",",
        " ",
        "\t",
        "99999",
        "0",
        "\u00b2",
        "\u0660",
        "\udce4",
        "\u202e",
        "xn--",
        "\u2100",
        "-",
        "~",
        "=",
        "x" * 300,
    ]
    dice = random.Random(20261130)
    for _ in range(3000):
        for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.setenv(name, "".join(dice.choices(alphabet, k=dice.randint(0, 6))))
        mistake = what_is_wrong(f"https://{dice.choice(['a', '[::1]', 'h:1'])}/")
        assert not mistake or "environment variable" in mistake


def what_is_wrong(url: str) -> str:
    try:
        Client(URL, BearerCredential("token")).exchange.transport.proxies.for_url(url)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.usefixtures("either_client")
async def test_a_dead_proxy_is_named_as_the_proxy(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    async with wild(lambda reader, writer: asyncio.sleep(0)) as gone:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://me:sesame@{gone}")
    async with Client(URL, BearerCredential("token"), max_wait=0) as client:
        with pytest.raises(UnreachedError) as caught:
            await client.session()
    assert f"through the proxy {gone}" in str(caught.value)
    assert "HTTPS_PROXY" in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 502 X\r\n\r\n"])
@pytest.mark.usefixtures("either_client")
async def test_a_proxy_that_refuses_is_named_as_the_proxy(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await head(reader))
        writer.write(answer)

    async with wild(talk) as host:
        monkeypatch.setenv("ALL_PROXY", host)
        async with Client(URL, BearerCredential("token"), max_wait=0) as client:
            with pytest.raises(UnreachedError, match=f"The proxy {host} .ALL_PROXY. did not connect to mail.example.com"):
                await client.session()
    assert asked[0].startswith(b"CONNECT mail.example.com:443 ")
    assert b"token" not in asked[0]


def test_a_password_that_is_not_ascii_is_sent_as_utf_8() -> None:
    proxy = Proxies.of({"HTTPS_PROXY": "http://m\u00fc:s\u00e9%40!@proxy:1"}).for_url(URL)
    assert proxy is not None
    assert proxy.url == "http://m%C3%BC:s%C3%A9%40!@proxy:1"
