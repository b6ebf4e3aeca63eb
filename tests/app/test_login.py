"""A sign-in that is interrupted leaves no token that works."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.app import login as module
from jmapsync.app.login import SignedOut, login
from jmapsync.cli.visitor import Terminal
from jmapsync.config import AccountConfig
from jmapsync.signin.grant import Grant, OAuthClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
SERVER = "https://mail.example.com/jmap"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_tokens_are_revoked_where_ctrl_c_comes_before_they_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = Grant(
        server=SERVER, issuer=SERVER, token_endpoint=SERVER, client=OAuthClient("x"), access_token="secret", expires_at=1e10
    )
    revoked: list[Grant] = []

    @contextlib.asynccontextmanager
    async def transport(_: AccountConfig) -> AsyncIterator[None]:
        yield

    async def returning(*_: Any) -> Grant:  # noqa: ANN401  # of no interest here
        return grant

    async def interrupted(*_: Any) -> None:  # noqa: ANN401  # as above
        raise asyncio.CancelledError

    async def revoke(_: Any, one: Grant) -> SignedOut:  # noqa: ANN401  # as above
        revoked.append(one)
        return SignedOut()

    for name, function in {"_transport": transport, "_discover": returning, "sign_in": returning, "_session": interrupted}.items():
        monkeypatch.setattr(module, name, function)
    monkeypatch.setattr(module, "_choose", lambda *_: "browser")
    monkeypatch.setattr(module, "_revoke", revoke)
    account = AccountConfig(name="work", state_dir=tmp_path, url=SERVER, auth="oauth")
    with pytest.raises(asyncio.CancelledError):
        await login(account, "browser", Terminal())
    assert revoked == [grant]
    assert not (tmp_path / "signin").exists()
