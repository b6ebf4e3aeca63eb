"""Signing in in a browser and by a code."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from jmapsync.errors import JmapsyncError, SignInError
from jmapsync.signin.authorize import Wish, sign_in
from jmapsync.signin.discover import discover
from jmapsync.signin.loopback import listening
from tests.signin.people import Alice, Paster, visit
from tests.signin.world import AUTH, MAIL_SCOPE, SESSION, Client, World

if TYPE_CHECKING:
    from jmapsync.signin.grant import Grant

pytestmark = pytest.mark.anyio
MAIL = Wish(kinds=["mail"])


async def signed_in(world: World, person: Alice, *, wish: Wish = MAIL, way: str = "browser") -> Grant:
    offer = await discover("alice@example.com", world.transport, resolver=_mail_host, has_client=bool(wish.client_id))
    return await sign_in(offer, way, wish, person, world.transport, clock=world.clock, sleep=_no_sleep)  # type: ignore[arg-type]


async def _mail_host(_: str) -> list[tuple[str, int]]:
    return [("mail.example.com", 443)]


async def _no_sleep(_: float) -> None:
    return


async def test_a_browser_signs_in(world: World) -> None:
    alice = Alice(world)
    grant = await signed_in(world, alice)
    assert world.accepts(grant.access_token)
    assert grant.refresh_token == world.families[0].refresh
    assert (grant.issuer, grant.resource, grant.expires_at) == (AUTH, SESSION, world.now + 3600)
    status, page = alice.pages[0]
    assert status == 200
    assert "You may close this window" in page
    asked = alice.asked_for
    assert asked["resource"] == SESSION
    assert asked["scope"] == f"{MAIL_SCOPE} offline_access"
    redirect = urlsplit(asked["redirect_uri"])
    assert (redirect.scheme, redirect.hostname, redirect.path) == ("http", "127.0.0.1", "/callback")
    [redeemed] = world.posts("/token")
    assert redeemed.form["resource"] == SESSION
    assert redeemed.form["redirect_uri"] == asked["redirect_uri"]  # although the registration answered with another one


async def test_a_registration_asks_for_a_public_client_with_the_scopes(world: World) -> None:
    await signed_in(world, Alice(world))
    [client] = world.clients.values()
    assert client.wanted["token_endpoint_auth_method"] == "none"
    assert client.wanted["scope"] == f"{MAIL_SCOPE} offline_access"
    assert client.wanted["application_type"] == "native"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("state=", "state=x"),
        ("state=", "other="),
        ("/callback?", "/elsewhere?"),
        ("code=", "state=1&code="),
    ],
)
async def test_a_redirect_of_another_page_does_not_end_the_wait(world: World, before: str, after: str) -> None:
    forged: list[tuple[int, str]] = []

    class Visited(Alice):
        async def open(self, url: str, host: str) -> None:
            forged.append(await visit(world.authorize(url).replace(before, after, 1)))
            await super().open(url, host)

    alice = Visited(world)
    assert (await signed_in(world, alice)).access_token
    assert forged[0][0] == 404
    assert alice.pages[0][0] == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("iss=https%3A%2F%2Fauth.", "iss=https%3A%2F%2Fevil."),
        lambda url: url.split("&iss=")[0],
    ],
    ids=["other", "missing"],
)
async def test_an_answer_in_the_name_of_another_issuer_is_not_used(world: World, change: object) -> None:
    with pytest.raises(SignInError, match="it was not used"):
        await signed_in(world, Alice(world, change))  # type: ignore[arg-type]
    assert not world.posts("/token")


async def test_an_issuer_that_does_not_name_itself_in_answers_is_accepted_if_it_says_so(world: World) -> None:
    del world.metadata["authorization_response_iss_parameter_supported"]
    assert (await signed_in(world, Alice(world, lambda url: url.split("&iss=")[0]))).access_token


async def test_a_denied_sign_in_is_explained(world: World) -> None:
    alice = Alice(world, lambda url: url.replace("code=", "error=access_denied&code="))
    with pytest.raises(SignInError, match="denied at auth"):
        await signed_in(world, alice)
    assert not world.posts("/token")


async def test_an_address_pasted_from_another_machine_signs_in(world: World) -> None:
    assert world.accepts((await signed_in(world, Paster(world))).access_token)


@pytest.mark.parametrize(
    ("methods", "auth"), [(["client_secret_basic"], "basic"), (["client_secret_post"], "post"), (None, "basic")]
)
async def test_a_client_of_the_configuration_is_not_registered(world: World, methods: list[str] | None, auth: str) -> None:
    del world.metadata["registration_endpoint"]
    world.metadata["token_endpoint_auth_methods_supported"] = methods
    wish = Wish(kinds=["mail"], client_id="given", client_secret="s:cret")
    world.clients["given"] = Client({})
    grant = await signed_in(world, Alice(world), wish=wish)
    assert not world.posts("/register")
    [redeemed] = world.posts("/token")
    assert (redeemed.authorization == "Basic Z2l2ZW46cyUzQWNyZXQ=") is (auth == "basic")
    assert ("client_secret" in redeemed.form) is (auth == "post")
    assert "s:cret" not in repr(grant) + repr(grant.client)


async def test_a_code_is_polled_until_it_was_entered(world: World) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    world.device_answers = ["authorization_pending", "slow_down", "authorization_pending"]
    offer = await discover("alice@example.com", world.transport, resolver=_mail_host)
    alice = Alice(world)
    grant = await sign_in(offer, "device", MAIL, alice, world.transport, clock=world.clock, sleep=sleep)
    assert world.accepts(grant.access_token)
    assert alice.codes == [(f"{AUTH}/enter", "ABCD-EFGH", f"{AUTH}/enter?code=ABCD-EFGH")]
    assert waited == [5, 5, 10, 10]


@pytest.mark.parametrize(
    ("answer", "message"), [("expired_token", "not entered"), ("access_denied", "denied"), ("invalid_grant", "refused")]
)
async def test_a_code_that_cannot_be_used_ends_the_wait(world: World, answer: str, message: str) -> None:
    world.device_answers = [answer]
    with pytest.raises(SignInError, match=message):
        await signed_in(world, Alice(world), way="device")


async def test_a_code_that_nobody_enters_expires_here_too(world: World) -> None:
    world.device_answers = ["authorization_pending"] * 1000
    with pytest.raises(SignInError, match="not entered"):
        await signed_in(world, Alice(world), way="device")
    assert len(world.posts("/token")) == 120


async def test_a_code_survives_a_network_that_fails_for_a_while(world: World) -> None:
    world.lost = 2
    assert (await signed_in(world, Alice(world), way="device")).access_token


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "", "token_type": "Bearer"},
        {"access_token": ["x"], "token_type": "Bearer"},
        {"access_token": "a b", "token_type": "Bearer"},
        {"access_token": "a\r\nX: y", "token_type": "Bearer"},
        {"access_token": "x" * 70_000, "token_type": "Bearer"},
        {"access_token": "x"},
        {"access_token": "x", "token_type": "DPoP"},
        {"token_type": "Bearer"},
    ],
)
async def test_an_answer_without_a_usable_token_is_refused(world: World, answer: dict[str, object]) -> None:
    world.refusal = 200, answer  # type: ignore[assignment]
    with pytest.raises(JmapsyncError) as failure:
        await signed_in(world, Alice(world))
    assert "x" * 100 not in str(failure.value)


@pytest.mark.parametrize("seconds", [-1, 0, "soon", None, 1e300, True, [3600]])
async def test_a_lifetime_that_makes_no_sense_is_an_hour(world: World, seconds: object) -> None:
    world.refusal = 200, {"access_token": "x", "token_type": "Bearer", "expires_in": seconds}  # type: ignore[dict-item]
    grant = await signed_in(world, Alice(world))
    assert 3600 <= grant.lifetime <= 366 * 86_400


async def test_connections_that_a_browser_opened_ahead_end_with_the_sign_in() -> None:
    before = asyncio.all_tasks()
    async with listening() as listener:
        port = int(listener.redirect_uri.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while not listener.open:  # noqa: ASYNC110  # the listener has no event for it
            await asyncio.sleep(0.005)
    assert asyncio.all_tasks() == before
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
