"""A world of servers for each test, whose tests run by asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.signin.store import SignInStore
from jmapsync.signin.vault import AbsentError, Keyring, VaultError
from tests.signin.world import World

if TYPE_CHECKING:
    from pathlib import Path


class MemoryKeyring(Keyring):
    """A keyring in this process."""

    def __init__(self) -> None:
        super().__init__("tests")
        self.secrets: dict[str, str] = {}
        self.is_locked = False

    async def get(self, user: str) -> str:
        if self.is_locked:
            raise VaultError("it is locked")
        if user not in self.secrets:
            raise AbsentError("there is none")
        return self.secrets[user]

    async def set(self, user: str, secret: str) -> None:
        if self.is_locked:
            raise VaultError("it is locked")
        self.secrets[user] = secret

    async def delete(self, user: str) -> None:
        if self.is_locked or self.secrets.pop(user, None) is None:
            raise VaultError("there is none")


def file_store(folder: Path) -> SignInStore:
    """Return a store of an account that has no keyring."""
    locked = MemoryKeyring()
    locked.is_locked = True
    return SignInStore(folder, "home", locked)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def keyring() -> MemoryKeyring:
    return MemoryKeyring()


@pytest.fixture(autouse=True)
def no_systemd_creds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jmapsync.signin.vault.which", lambda _: None)


@pytest.fixture
def store(tmp_path: Path) -> SignInStore:
    """A store without a keyring."""
    return file_store(tmp_path / "state" / "home")
