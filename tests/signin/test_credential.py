"""Refreshing tokens: when, by whom, and what a crash at any step leaves."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jmapsync.errors import JmapsyncError, LocalError, NetworkError, SignInError
from jmapsync.signin import store as store_module
from jmapsync.signin.credential import OAuthCredential
from jmapsync.signin.grant import Grant
from jmapsync.signin.store import SignInStore
from tests.signin.conftest import file_store
from tests.signin.world import Died, World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signin.conftest import MemoryKeyring
    from tests.signin.world import Asked

pytestmark = pytest.mark.anyio
SERVER = "alice@example.com"
MINUTE = 60.0


async def signed_in(world: World, store: SignInStore, **more: Any) -> OAuthCredential:  # noqa: ANN401  # properties of a Grant
    await store.store(world.grant(**more))
    return await OAuthCredential.load("home", store, SERVER, world.clock)


def _unreachable(_: Asked) -> None:
    raise httpx.ConnectError("unreachable")


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


def token(credential: OAuthCredential) -> str:
    return credential.authorization().removeprefix("Bearer ")


async def stored(store: SignInStore) -> Grant:
    found = await store.load()
    assert isinstance(found, Grant)
    return found


@pytest.mark.parametrize("skew", [-600.0, 0.0, 600.0], ids=["behind", "right", "ahead"])
async def test_a_day_with_tokens_of_an_hour(world: World, store: SignInStore, skew: float) -> None:
    """The clock of the server may be wrong by ten minutes: lifetimes are counted by our own."""
    credential = await signed_in(world, store)
    credential._clock = lambda: world.now + skew
    await store.store(world.grant(expires_at=world.now + skew + 3600))
    for _ in range(24 * 60):
        await credential.ready(world.transport)
        assert world.accepts(token(credential))
        world.now += MINUTE
    assert 24 <= len(world.posts("/token")) <= 26
    assert not world.families[-1].is_revoked
    assert (await stored(store)).refresh_token == world.families[-1].refresh


async def test_a_server_that_does_not_rotate_keeps_its_refresh_token(world: World, store: SignInStore) -> None:
    world.rotates = False
    credential = await signed_in(world, store)
    before = (await stored(store)).refresh_token
    for _ in range(3):
        world.now += 4000
        await credential.ready(world.transport)
        assert world.accepts(token(credential))
    assert (await stored(store)).refresh_token == before


async def test_a_refused_token_is_refreshed_although_it_should_be_valid(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    world.families[-1].access.clear()
    await credential.renew(world.transport)
    assert world.accepts(token(credential))


async def test_many_requests_refresh_once(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    world.now += 4000
    await asyncio.gather(*(credential.ready(world.transport) for _ in range(20)))
    assert len(world.posts("/token")) == 1


async def test_two_processes_refresh_once(world: World, store: SignInStore) -> None:
    first = await signed_in(world, store)
    second = await OAuthCredential.load("home", store, SERVER, world.clock)
    world.now += 4000
    await asyncio.gather(first.ready(world.transport), second.ready(world.transport))
    assert len(world.posts("/token")) == 1
    assert token(first) == token(second)
    world.families[-1].access.clear()
    await asyncio.gather(first.renew(world.transport), second.renew(world.transport))
    assert len(world.posts("/token")) == 2
    assert token(first) == token(second)


async def test_a_new_sign_in_is_used_at_once(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    await store.store(fresh := world.grant())
    await credential.ready(world.transport)
    assert token(credential) == fresh.access_token
    assert not world.posts("/token")


async def test_a_sign_out_ends_what_runs(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    await store.forget()
    with pytest.raises(SignInError, match="Sign in: jmapsync login home"):
        await credential.ready(world.transport)


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_client", "unauthorized_client"])
async def test_a_refused_refresh_is_reported_and_never_repeated(world: World, store: SignInStore, code: str) -> None:
    credential = await signed_in(world, store)
    world.refusal = 400, {"error": code}
    world.now += 4000
    for _ in range(3):
        with pytest.raises(SignInError, match="Sign in again: jmapsync login home"):
            await credential.ready(world.transport)
        with pytest.raises(SignInError, match="Sign in again: jmapsync login home"):
            await OAuthCredential.load("home", store, SERVER, world.clock)
    assert len(world.posts("/token")) == 1
    world.refusal = None
    await store.store(world.grant())
    await credential.ready(world.transport)
    assert world.accepts(token(credential))


@pytest.mark.parametrize(
    "refusal", [(503, {"error": "temporarily_unavailable"}), (500, {}), (429, {"error": "slow_down"}), (400, {}), (302, {})]
)
async def test_a_failing_server_is_asked_again_later(world: World, store: SignInStore, refusal: tuple[int, dict[str, str]]) -> None:
    credential = await signed_in(world, store)
    before = token(credential)
    world.refusal = refusal
    world.now += 3550
    await credential.ready(world.transport)  # it is valid for another 50 seconds
    await credential.ready(world.transport)
    assert len(world.posts("/token")) == 1
    assert token(credential) == before
    world.now += 60
    with pytest.raises(JmapsyncError) as failure:
        await credential.ready(world.transport)
    assert not isinstance(failure.value, SignInError)
    world.refusal = None
    await credential.ready(world.transport)
    assert world.accepts(token(credential))


async def test_a_lost_answer_is_asked_for_again_at_once(world: World, store: SignInStore) -> None:
    world.rotates = False  # or the server accepts the old one for some seconds
    credential = await signed_in(world, store)
    world.now += 4000
    world.lost = 1
    await credential.ready(world.transport)
    assert world.accepts(token(credential))
    assert len(world.posts("/token")) == 2


async def test_a_lost_answer_of_a_strict_server_needs_a_person(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    world.now += 4000
    world.lost = 1
    with pytest.raises(SignInError, match="jmapsync login home"):
        await credential.ready(world.transport)


async def test_without_a_network_nothing_is_lost(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    world.now += 4000
    world.before = _unreachable
    with pytest.raises(NetworkError):
        await credential.ready(world.transport)
    world.before = lambda _: None
    await credential.ready(world.transport)
    assert world.accepts(token(credential))


async def test_a_full_disk_does_not_cost_the_refresh_token(
    world: World, store: SignInStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = await signed_in(world, store)
    world.now += 4000
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        with pytest.raises(LocalError, match="No space left"):
            await credential.ready(world.transport)
    assert not world.posts("/token")
    await credential.ready(world.transport)
    assert world.accepts(token(credential))


async def test_a_cancelled_refresh_still_stores_its_answer(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store)
    world.now += 4000
    task = asyncio.ensure_future(credential.ready(world.transport))

    def cancel(asked: Asked) -> None:
        if asked.path == "/token":
            task.cancel()

    world.after = cancel
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await stored(store)).refresh_token == world.families[-1].refresh


async def test_tokens_of_another_server_are_not_presented(world: World, store: SignInStore) -> None:
    await store.store(world.grant(server="https://elsewhere.example/"))
    with pytest.raises(SignInError, match="another server"):
        await OAuthCredential.load("home", store, SERVER, world.clock)


async def test_a_sign_in_without_a_refresh_token_ends_after_its_hour(world: World, store: SignInStore) -> None:
    credential = await signed_in(world, store, refresh_token="")
    world.now += 4000
    with pytest.raises(SignInError, match="Sign in again: jmapsync login home"):
        await credential.ready(world.transport)
    assert not world.posts("/token")


class Dying:
    """The functions of os that the store calls; the process dies before or after a call."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self, *_: object) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Died

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever os has
        real = getattr(os, name)
        if name not in {"open", "fsync", "replace"}:
            return real

        def counted(*args: Any, **options: Any) -> Any:  # noqa: ANN401  # as the function takes them
            self.step()
            done = real(*args, **options)
            if name != "open":  # its handle would be left
                self.step()
            return done

        return counted


async def _refresh_dying(world: World, store: SignInStore, dying: Dying) -> bool:
    """Refresh; return whether the process died."""
    credential = await signed_in(world, store)
    world.now += 4000
    world.before, world.after = dying.step, dying.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "os", dying)
        try:
            await credential.ready(world.transport)
        except Died:
            return True
        finally:
            world.before, world.after = lambda _: None, lambda _: None
    return False


async def test_a_death_at_any_step_of_a_refresh_costs_a_sign_in_only_between_answer_and_disk(tmp_path: Path) -> None:
    lost: list[int] = []
    step = 0
    while True:
        step += 1
        world, dying = World(), Dying(step)
        store = file_store(tmp_path / str(step))
        if not await _refresh_dying(world, store, dying):
            break
        before = await stored(store)
        was_used = before.refresh_token in world.families[-1].used
        again = await OAuthCredential.load("home", file_store(store.path.parent), SERVER, world.clock)
        try:
            await again.ready(world.transport)
        except SignInError:
            assert was_used
            lost.append(step)
        else:
            assert world.accepts(token(again))
            assert not world.families[-1].is_revoked
            assert (await stored(store)).refresh_token == world.families[-1].refresh
    assert step > 12
    # After the server has answered: when the answer arrives, and when the file is opened, before it is written.
    assert len(lost) == 2
    assert lost[1] == lost[0] + 1


async def test_a_server_that_forgives_a_repeated_refresh_needs_no_new_sign_in(tmp_path: Path, world: World) -> None:
    world.rotates = False
    for step in (5, 6, 7, 8, 9):
        store = file_store(tmp_path / str(step))
        assert await _refresh_dying(world, store, Dying(step))
        again = await OAuthCredential.load("home", store, SERVER, world.clock)
        await again.ready(world.transport)
        assert world.accepts(token(again))


@pytest.mark.parametrize("is_stored", [False, True])
async def test_a_death_while_the_keyring_is_written_leaves_the_old_or_the_new_tokens(
    tmp_path: Path, world: World, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    store = SignInStore(tmp_path, "home", keyring)
    credential = await signed_in(world, store)
    world.now += 4000

    async def die(user: str, secret: str) -> None:
        if is_stored:
            keyring.secrets[user] = secret
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(keyring, "set", die)
        with pytest.raises(Died):
            await credential.ready(world.transport)
    again = await OAuthCredential.load("home", SignInStore(tmp_path, "home", keyring), SERVER, world.clock)
    if is_stored:
        await again.ready(world.transport)
        assert world.accepts(token(again))
    else:  # the server has used the refresh token
        with pytest.raises(SignInError, match="Sign in again: jmapsync login home"):
            await again.ready(world.transport)
    assert len(world.posts("/token")) == 2 - is_stored


async def test_neither_errors_nor_representations_show_a_token(
    world: World, store: SignInStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    credential = await signed_in(world, store)
    grant = await stored(store)
    world.now += 4000
    for refusal in ((400, {"error": "invalid_request"}), (500, {}), (200, {"access_token": ["x"], "token_type": "Bearer"})):
        world.refusal = refusal  # type: ignore[assignment]
        with pytest.raises(JmapsyncError) as failure:
            await credential.renew(world.transport)
        shown = f"{failure.value!r} {failure.value} {failure.getrepr(style='long')} {credential!r} {caplog.text}"
        assert grant.access_token not in shown
        assert grant.refresh_token not in shown
