"""All ways of finding a server are asked at once; hostile answers cost neither time nor a credential."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from jmapsync.errors import DiscoveryError
from jmapsync.jmap import discovery
from jmapsync.jmap.autodiscovery.search import Discovery, Finding, Way, search

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

ADDRESS = "alice@example.com"
SESSION = {"capabilities": {}, "accounts": {}, "primaryAccounts": {}, "username": "", "apiUrl": "/jmap/", "state": "0"}
"""What Stalwart answers to a request without a credential, with status 200."""
REFUSED = httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="x", Basic realm="y"'})


def xml(*servers: str) -> bytes:
    return f"<clientConfig><emailProvider id='x'>{''.join(servers)}</emailProvider></clientConfig>".encode()


def redirect(url: str) -> httpx.Response:
    return httpx.Response(307, headers={"Location": url})


class World:
    """What the DNS and web servers answer: 404 unless said otherwise. Requests are kept."""

    def __init__(self) -> None:
        self.pages: dict[str, httpx.Response | Callable[[], httpx.Response]] = {}
        self.srv: list[tuple[str, int]] | Exception = []
        self.txt: list[str] = []
        self.requests: list[httpx.Request] = []
        self.delays: dict[str, float] = {}

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(self.delays.get(request.url.host, 0))
        page = self.pages.get(str(request.url), httpx.Response(404))
        if callable(page):
            return page()
        return httpx.Response(page.status_code, headers=page.headers, stream=httpx.ByteStream(page.content))

    async def search(self, address: str = ADDRESS, seconds: float = 5) -> Discovery:
        self.seen: list[Finding] = []
        return await search(address, inner=httpx.MockTransport(self.answer), on_finding=self.seen.append, seconds=seconds)

    def why(self, way: Way) -> str:
        return next(one.why for one in self.seen if one.way is way)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    async def srv(name: str) -> list[tuple[str, int]]:
        assert name == "_jmap._tcp.example.com"
        if isinstance(world.srv, Exception):
            raise world.srv
        return world.srv

    async def txt(name: str) -> list[str]:
        assert name == "_ua-auto-config.example.com"
        return world.txt

    monkeypatch.setattr(discovery, "srv_targets", srv)
    monkeypatch.setattr(discovery, "resolve_txt", txt)
    return world


PACC = "https://ua-auto-config.example.com/.well-known/user-agent-configuration.json"
XML = "https://autoconfig.example.com/mail/config-v1.1.xml"
WELL_KNOWN = "https://example.com/.well-known/jmap"


def servers(found: Discovery) -> list[tuple[Way, str, bool]]:
    return [(one.way, one.server.url, found.needs_approval(one)) for one in found.servers() if one.server is not None]


async def test_each_way_is_reported_with_what_it_led_to(world: World) -> None:
    world.pages = {
        "https://mail.example.com/.well-known/jmap": REFUSED,
        PACC: httpx.Response(200, json={"protocols": {"jmap": {"url": "https://mail.example.com/jmap/session"}}}),
        "https://mail.example.com/jmap/session": REFUSED,
    }
    world.srv = [("mail.example.com", 443)]
    found = await world.search()
    assert {one.way for one in world.seen} == {Way.SRV, Way.WELL_KNOWN, Way.PACC, Way.AUTOCONFIG}
    assert world.why(Way.WELL_KNOWN) == "example.com answers with status 404"
    assert world.why(Way.AUTOCONFIG) == "autoconfig.example.com answers with status 404"
    assert servers(found) == [(Way.SRV, "https://mail.example.com/.well-known/jmap", False)]  # once, although two ways lead there


async def test_neither_a_credential_nor_the_address_is_sent(world: World) -> None:
    world.pages = {WELL_KNOWN: REFUSED, XML: httpx.Response(200, content=xml("<incomingServer type='jmap'/>"))}
    await world.search()
    assert world.requests
    for request in world.requests:
        assert "authorization" not in request.headers
        assert "alice" not in str(request.url)


async def test_a_session_without_accounts_is_a_server_to_sign_in_to(world: World) -> None:
    world.pages = {WELL_KNOWN: redirect("/jmap/session"), "https://example.com/jmap/session": httpx.Response(200, json=SESSION)}
    assert servers(await world.search()) == [(Way.WELL_KNOWN, WELL_KNOWN, False)]


async def test_a_web_page_is_no_server(world: World) -> None:
    world.pages = {WELL_KNOWN: httpx.Response(200, html="<h1>Hello</h1>")}
    assert servers(await world.search()) == []
    assert world.why(Way.WELL_KNOWN) == "example.com answers, but not with a JMAP session"


async def test_a_host_outside_the_domain_needs_approval_and_comes_last(world: World) -> None:
    world.srv = [("jmap.elsewhere.test", 443)]
    world.pages = {"https://jmap.elsewhere.test/.well-known/jmap": REFUSED, WELL_KNOWN: REFUSED}
    assert servers(await world.search()) == [
        (Way.WELL_KNOWN, WELL_KNOWN, False),
        (Way.SRV, "https://jmap.elsewhere.test/.well-known/jmap", True),
    ]


async def test_a_redirect_to_another_host_is_configured_as_that_host_and_needs_approval(world: World) -> None:
    target = "https://mail.hoster.test/jmap/session"
    world.pages = {WELL_KNOWN: redirect(target), target: REFUSED}
    assert servers(await world.search()) == [(Way.WELL_KNOWN, target, True)]


async def test_a_domain_whose_name_only_ends_alike_is_outside(world: World) -> None:
    world.srv = [("evilexample.com", 443)]
    world.pages = {"https://evilexample.com/.well-known/jmap": REFUSED}
    assert servers(await world.search()) == [(Way.SRV, "https://evilexample.com/.well-known/jmap", True)]


async def test_a_known_provider_needs_no_approval_for_its_own_domain(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_: str) -> list[tuple[str, int]]:
        return []

    monkeypatch.setattr(discovery, "srv_targets", none)
    monkeypatch.setattr(discovery, "resolve_txt", none)
    world.pages = {"https://api.fastmail.com/jmap/session": REFUSED}
    found = await world.search("alice@fastmail.com")
    assert servers(found) == [(Way.PROVIDER, "https://api.fastmail.com/jmap/session", False)]


async def test_the_host_of_a_known_provider_needs_approval_for_any_other_domain(world: World) -> None:
    world.srv = [("api.fastmail.com", 443)]
    world.pages = {"https://api.fastmail.com/.well-known/jmap": REFUSED}
    assert servers(await world.search()) == [(Way.SRV, "https://api.fastmail.com/.well-known/jmap", True)]


async def test_a_domain_that_offers_no_jmap_says_so(world: World) -> None:
    world.srv = DiscoveryError("The domain example.com says that it offers no JMAP (SRV record).")
    await world.search()
    assert world.why(Way.SRV) == "The domain example.com says that it offers no JMAP (SRV record)"


async def test_a_silent_host_delays_no_other_way(world: World) -> None:
    world.pages = {WELL_KNOWN: REFUSED}
    world.delays = {"autoconfig.example.com": 60}
    begin = time.monotonic()
    found = await world.search(seconds=0.3)
    assert time.monotonic() - begin < 20
    assert world.why(Way.AUTOCONFIG) == "no answer within 0.3 seconds"
    assert [one.way for one in found.servers()] == [Way.WELL_KNOWN]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://example.com/jmap", "example.com redirects to an unencrypted address"),
        ("https://127.0.0.1/jmap", "127.0.0.1 is an address inside this machine or its network"),
        ("https://[::1]/jmap", "[::1] is an address inside this machine or its network"),
        ("https://192.168.1.1/jmap", "192.168.1.1 is an address inside this machine or its network"),
        ("https://localhost/jmap", "localhost is an address inside this machine or its network"),
        ("https://user:pass@example.com/jmap", "example.com/jmap is not an https address"),
        ("https://\u0435\u0445\u0430mple.com/jmap", "a host is not named in its ASCII form (RFC 5890)"),
        (WELL_KNOWN, "example.com redirects more than 5 times"),
    ],
)
async def test_a_redirect_that_must_not_be_followed(world: World, target: str, why: str) -> None:
    world.pages = {WELL_KNOWN: httpx.Response(307, headers=[(b"Location", target.encode())])}
    assert servers(await world.search()) == []
    assert world.why(Way.WELL_KNOWN) == why
    assert all(request.url.host.endswith("example.com") and request.url.scheme == "https" for request in world.requests)


BAD_URLS = [
    "http://mail.example.com/jmap",
    "https://10.0.0.1/jmap",
    "https://\u202eevil.test/",
    "https://a\u009b31m.test/",
    "ftp://x/",
    "https://",
    "no url",
]


@pytest.mark.parametrize("url", [*BAD_URLS, f"https://{'x' * 9000}.test/"])
async def test_a_configuration_that_names_what_must_not_be_visited(world: World, url: str) -> None:
    world.pages = {
        PACC: httpx.Response(200, json={"protocols": {"jmap": {"url": url}}}),
        XML: httpx.Response(200, content=xml(f"<incomingServer type='jmap'><url>{url}</url></incomingServer>")),
    }
    assert servers(await world.search()) == []
    asked = {str(request.url) for request in world.requests}
    assert asked <= {PACC, XML, WELL_KNOWN, "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml"}


async def test_a_page_without_end_is_not_read_to_the_end(world: World) -> None:
    sent = 0

    async def endless() -> object:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield b"x" * (1 << 16)

    world.pages = {XML: lambda: httpx.Response(200, content=endless())}  # type: ignore[arg-type]  # an asynchronous generator
    await world.search()
    assert "larger than the limit" in world.why(Way.AUTOCONFIG)
    assert sent < 1 << 20


class TestTheDigestOfPacc:
    BODY = json.dumps({"protocols": {"jmap": {"url": "https://mail.example.com/jmap"}}}).encode()

    async def found_with(self, world: World, *records: str) -> list[Way]:
        world.txt = list(records)
        world.pages = {PACC: httpx.Response(200, content=self.BODY), "https://mail.example.com/jmap": REFUSED}
        return [one.way for one in (await world.search()).servers()]

    async def test_that_matches_is_accepted_among_others(self, world: World) -> None:
        right = base64.b64encode(hashlib.sha256(self.BODY).digest()).decode()
        records = ("v=spf1 -all", "v=UAAC1; a=sha256; d=AAAA", f"a=sha256;v=UAAC1 ; d={right};")
        assert await self.found_with(world, *records) == [Way.PACC]

    async def test_that_differs_is_refused(self, world: World) -> None:
        assert await self.found_with(world, "v=UAAC1; a=sha256; d=AAAA") == []
        assert world.why(Way.PACC) == "the file differs from the one that the DNS record describes"

    async def test_that_cannot_be_read_is_ignored(self, world: World) -> None:
        assert await self.found_with(world, "v=UAAC1; a=sha256; d=!", "v=UAAC1; a=md5; d=AAAA", "") == [Way.PACC]


async def test_the_user_name_of_the_configuration_is_kept(world: World) -> None:
    server = (
        "<incomingServer type='jmap'><url>https://mail.example.com/s</url><username>%EMAILLOCALPART%</username></incomingServer>"
    )
    world.pages = {XML: httpx.Response(200, content=xml(server)), "https://mail.example.com/s": REFUSED}
    [found] = (await world.search()).servers()
    assert found.server is not None
    assert (found.server.url, found.server.user) == ("https://mail.example.com/s", "alice")


class TestAGivenUrl:
    async def test_is_asked_itself_and_nothing_else(self, world: World) -> None:
        world.pages = {"https://mail.example.com/s": REFUSED}
        assert servers(await world.search("https://mail.example.com/s")) == [(Way.URL, "https://mail.example.com/s", False)]
        assert len(world.requests) == 1

    async def test_may_be_this_machine(self, world: World) -> None:
        world.pages = {"http://127.0.0.1:8080/.well-known/jmap": REFUSED}
        assert servers(await world.search("http://127.0.0.1:8080")) == [(Way.URL, "http://127.0.0.1:8080/.well-known/jmap", False)]

    async def test_that_is_unencrypted_is_refused(self, world: World) -> None:
        await world.search("http://mail.example.com/s")
        assert world.why(Way.URL) == "http://mail.example.com/s is not an https address"
        assert world.requests == []

    async def test_that_redirects_to_another_host_needs_approval(self, world: World) -> None:
        world.pages = {"https://a.test/s": redirect("https://b.test/s"), "https://b.test/s": REFUSED}
        assert servers(await world.search("https://a.test/s")) == [(Way.URL, "https://b.test/s", True)]


async def test_an_address_that_is_none_is_an_error(world: World) -> None:
    with pytest.raises(DiscoveryError, match="neither a mail address nor a host"):
        await world.search("alice@")
