"""What a server offers; and what hostile metadata does not get: a token, a code, a registration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import DiscoveryError, HostRefusedError, JmapsyncError
from jmapsync.signin.authorize import Wish, sign_in
from jmapsync.signin.discover import Offer, discover
from jmapsync.signin.scopes import missing_kinds, scopes_for
from tests.signin.people import Alice
from tests.signin.world import AUTH, MAIL, SESSION, World, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.signin.world import Asked

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
EVIL = "https://evil.test"
OURS = "urn:ietf:params:oauth:scope:"
JMAP = "urn:ietf:params:jmap:"


async def offered(world: World, server: str = f"{MAIL}/.well-known/jmap", **more: Any) -> Offer:  # noqa: ANN401  # as `discover` takes them
    return await discover(server, world.transport, **{"trusted_hosts": ["auth.example.com"], **more})


async def test_a_401_leads_to_the_authorization_server(world: World) -> None:
    offer = await offered(world)
    assert offer.url == SESSION
    assert offer.provider is not None
    assert offer.provider.issuer == AUTH
    assert offer.ways == ("browser", "device", "bearer")
    assert [one.path for one in world.asked] == [
        "/.well-known/jmap",
        "/jmap/session",
        "/.well-known/oauth-protected-resource/jmap/session",
        "/.well-known/oauth-authorization-server",
    ]
    assert not any(one.authorization for one in world.asked)


async def test_metadata_are_found_where_the_401_does_not_name_them(world: World) -> None:
    world.challenge = 'Basic realm="x"'
    offer = await offered(world)
    assert offer.ways == ("browser", "device", "basic")


async def test_a_server_that_is_its_own_authorization_server_needs_no_metadata_of_the_resource(world: World) -> None:
    world.resource, world.challenge = None, ""
    ours = {name: value.replace(AUTH, MAIL) if isinstance(value, str) else value for name, value in world.metadata.items()}
    document = json.dumps(ours).encode()
    world.before = lambda asked: answer(200, document) if asked.path == "/.well-known/oauth-authorization-server" else None
    offer = await offered(world, trusted_hosts=[])
    assert offer.ways == ("browser", "device", "bearer", "basic")
    assert offer.provider is not None
    assert offer.provider.resource.identifier == ""


async def test_openid_metadata_serve_as_well(world: World) -> None:
    world.before = lambda asked: answer(404) if "authorization-server" in asked.path else None
    assert (await offered(world)).provider is not None


async def test_a_server_without_oauth_offers_passwords_and_tokens(world: World) -> None:
    world.challenge, world.resource = "", None
    offer = await offered(world)
    assert offer.ways == ("bearer", "basic")
    assert offer.why_no_oauth == "The server offers no sign-in by OAuth."


async def test_stalwart_is_read_as_it_answers() -> None:
    """Recorded from Stalwart 0.16.19, which answers a request without credentials with a session without accounts."""
    world = World()
    recorded = json.loads((HERE / "stalwart-oauth.json").read_text())
    session = json.loads((HERE / "stalwart-session.json").read_text())["response"]

    def stalwart(asked: Asked) -> httpx.Response:
        name = asked.path.removeprefix("/.well-known/")
        found = session if name == "jmap" else recorded.get(name)
        return answer(200, json.dumps(found).encode()) if found else answer(404)

    world.before = stalwart
    offer = await discover("http://127.0.0.1:8080", world.transport)
    assert offer.ways == ("browser", "device", "bearer", "basic")
    assert offer.provider is not None
    assert offer.provider.names_issuer
    assert not offer.provider.revocation_endpoint
    assert scopes_for(["mail", "contacts"], offer.provider.resource.scopes) == (f"{OURS}mail", f"{OURS}contacts", "offline_access")


async def test_a_relative_address_of_metadata_is_that_of_the_server(world: World) -> None:
    world.challenge = 'Bearer resource_metadata="/.well-known/oauth-protected-resource"'
    assert (await offered(world)).provider is not None


async def test_without_registration_a_client_id_is_needed(world: World) -> None:
    del world.metadata["registration_endpoint"]
    offer = await offered(world)
    assert offer.ways == ("bearer",)
    assert "set client_id" in offer.why_no_oauth
    assert "browser" in (await offered(world, has_client=True)).ways


async def test_a_server_without_pkce_s256_is_not_used_in_a_browser(world: World) -> None:
    world.metadata["code_challenge_methods_supported"] = ["plain"]
    assert (await offered(world)).ways == ("device", "bearer")


async def test_a_host_that_is_no_jmap_server_is_not_found(world: World) -> None:
    world.before = lambda _: answer(200, b"<html>welcome</html>", content_type="text/html")
    with pytest.raises(DiscoveryError):
        await offered(world)


async def test_another_host_signs_in_only_if_somebody_approves(world: World) -> None:
    asked: list[tuple[str, str]] = []

    def approve(server: str, issuer: str) -> bool:
        asked.append((server, issuer))
        return len(asked) > 1

    refused = await offered(world, trusted_hosts=[], approve=approve)
    assert refused.provider is None
    assert "auth.example.com" in refused.why_no_oauth
    assert AUTH not in world.hosts
    assert (await offered(world, trusted_hosts=[], approve=approve)).provider is not None
    assert asked == [("mail.example.com", "auth.example.com")] * 2


@pytest.mark.parametrize("host", ["\u0430uth.example.com", "auth.example.com\x1b[2J"])
async def test_nobody_is_asked_about_a_host_whose_name_does_not_show_what_it_is(world: World, host: str) -> None:
    asked: list[str] = []

    def approve(_: str, issuer: str) -> bool:
        asked.append(issuer)
        return True

    _resource(authorization_servers=[f"https://{host}"])(world)
    found = await offered(world, trusted_hosts=[], approve=approve)
    assert found.provider is None
    assert not asked
    assert world.hosts == {MAIL}


async def test_a_host_below_the_domain_of_the_address_needs_no_approval(world: World) -> None:
    async def resolver(_: str) -> list[tuple[str, int]]:
        return [("mail.example.com", 443)]

    assert (await discover("alice@example.com", world.transport, resolver=resolver)).provider is not None


async def test_a_redirect_of_the_session_to_a_host_that_was_not_approved_is_refused(world: World) -> None:
    world.before = lambda _: answer(301, location=f"{EVIL}/jmap/session")
    with pytest.raises(HostRefusedError):
        await offered(world)
    assert EVIL not in world.hosts


def _resource(**change: object) -> Callable[[World], None]:
    def act(world: World) -> None:
        assert world.resource is not None
        world.resource |= change

    return act


def _metadata(**change: object) -> Callable[[World], None]:
    return lambda world: world.metadata.update(change)


def _before(path: str, reply: Callable[[], httpx.Response]) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.before = lambda asked: reply() if path in asked.host + asked.path else None

    return act


def _challenge(text: str) -> Callable[[World], None]:
    return lambda world: setattr(world, "challenge", text)


HOSTILE = {
    "metadata of the resource at another host": _challenge(f'Bearer resource_metadata="{EVIL}/metadata"'),
    "metadata by http": _challenge('Bearer resource_metadata="http://mail.example.com/metadata"'),
    "metadata of another scheme": _challenge('Bearer resource_metadata="gopher://mail.example.com/x"'),
    "another resource": _resource(resource=f"{EVIL}/jmap"),
    "no resource": _resource(resource=None),
    "a resource by http": _resource(resource="http://mail.example.com/jmap/session"),
    "another issuer listed": _resource(authorization_servers=[EVIL]),
    "an issuer by http": _resource(authorization_servers=["http://auth.example.com"]),
    "an issuer on this machine": _resource(authorization_servers=["http://127.0.0.1:1"]),
    "an issuer with a user name": _resource(authorization_servers=["https://auth.example.com@evil.test"]),
    "an issuer with a query": _resource(authorization_servers=[f"{AUTH}?x"]),
    "many issuers": _resource(authorization_servers=[f"{EVIL}/{n}" for n in range(10_000)]),
    "issuers that are no strings": _resource(authorization_servers=[7, None, {}]),
    "an issuer that says it is another": _metadata(issuer=EVIL),
    "an issuer that differs by a slash": _metadata(issuer=f"{AUTH}/"),
    "an issuer that does not say": _metadata(issuer=None),
    "a token endpoint elsewhere": _metadata(token_endpoint=f"{EVIL}/token"),
    "a token endpoint by http": _metadata(token_endpoint="http://auth.example.com/token"),
    "a token endpoint with a user name": _metadata(token_endpoint="https://auth.example.com:443@evil.test/token"),
    "a token endpoint at another port": _metadata(token_endpoint="https://auth.example.com:8443/token"),
    "no token endpoint": _metadata(token_endpoint=""),
    "a page for sign-in elsewhere": _metadata(authorization_endpoint=f"{EVIL}/authorize"),
    "a page for sign-in that is a script": _metadata(authorization_endpoint="javascript:alert(1)"),
    "registration elsewhere": _metadata(registration_endpoint=f"{EVIL}/register"),
    "revocation elsewhere": _metadata(revocation_endpoint=f"{EVIL}/revoke"),
    "codes elsewhere": _metadata(device_authorization_endpoint=f"{EVIL}/device"),
    "a redirect of the resource's metadata": _before("protected-resource", lambda: answer(302, location=f"{EVIL}/x")),
    "a redirect of the issuer's metadata": _before("authorization-server", lambda: answer(302, location=f"{EVIL}/x")),
    "a redirect of the issuer's metadata to itself": _before(
        "authorization-server", lambda: answer(302, location=f"{AUTH}/.well-known/oauth-authorization-server")
    ),
    "huge metadata": _before("authorization-server", lambda: answer(200, b'{"a": "' + b"x" * (1 << 20) + b'"}')),
    "metadata nested without end": _before(AUTH, lambda: answer(200, b"[" * 100_000)),
    "metadata that are a list": _before("protected-resource", lambda: answer(200, b"[1]")),
    "metadata that are no JSON": _before(AUTH, lambda: answer(200, b"<html>")),
}


@pytest.mark.parametrize("act", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_metadata_get_no_token_and_no_code(world: World, act: Callable[[World], None]) -> None:
    act(world)
    alice = Alice(world)
    with pytest.raises(JmapsyncError) as failure:
        await sign_in(await offered(world), "browser", Wish(kinds=["mail"]), alice, world.transport)
    assert str(failure.value)
    assert world.hosts <= {MAIL, AUTH}
    assert not [one for one in world.asked if one.method == "POST"]
    assert not alice.opened + alice.codes
    assert len(world.asked) < 12


@pytest.mark.parametrize(
    "url",
    ["http://evil.test/", "javascript:alert(1)", "", "https://auth.example.com@evil.test:x/"],
    ids=["http", "script", "none", "port"],
)
async def test_a_page_for_codes_that_no_person_should_open_is_not_shown(world: World, url: str) -> None:
    world.before = lambda asked: (
        answer(200, json.dumps({"device_code": "x", "user_code": "y", "verification_uri": url}).encode())
        if asked.path == "/device"
        else None
    )
    alice = Alice(world)
    with pytest.raises(JmapsyncError):
        await sign_in(await offered(world), "device", Wish(kinds=["mail"]), alice, world.transport)
    assert not alice.codes


@pytest.mark.parametrize(
    ("kinds", "advertised", "chosen"),
    [
        (["mail"], [None, None], [f"{OURS}mail"]),
        (["mail", "tasks", "calendars"], [None, None], [f"{OURS}mail", f"{OURS}calendars"]),
        (["mail"], [(f"{OURS}mail", "openid"), ("offline_access",)], [f"{OURS}mail", "offline_access"]),
        (["mail"], [None, (f"{OURS}mail", "openid", "offline_access")], [f"{OURS}mail", "offline_access"]),
        (
            ["mail", "contacts"],
            [(f"{JMAP}core", f"{JMAP}mail", f"{JMAP}submission", f"{JMAP}contacts")],
            [f"{JMAP}core", f"{JMAP}mail", f"{JMAP}submission", f"{JMAP}contacts"],
        ),
        (["mail"], [("email", "openid", "profile")], []),
        (["mail"], [()], []),
    ],
)
def test_scopes_follow_the_kinds(kinds: list[str], advertised: list[tuple[str, ...] | None], chosen: list[str]) -> None:
    assert list(scopes_for(kinds, *advertised)) == chosen


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ((f"{OURS}mail", "offline_access"), ["contacts", "tasks"]),
        ((f"{OURS}mail", f"{OURS}contacts", f"{OURS}calendars"), []),
        ((f"{JMAP}core", f"{JMAP}mail", f"{JMAP}contacts"), ["tasks"]),
        ((f"{JMAP}core",), []),
        (("email", "openid"), []),
        ((), []),
    ],
)
def test_kinds_that_a_sign_in_does_not_cover_are_named(granted: tuple[str, ...], missing: list[str]) -> None:
    assert missing_kinds(["mail", "contacts", "tasks"], granted) == missing
