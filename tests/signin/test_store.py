"""Storing a sign-in: where, how private, and what a crash leaves."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import BusyError, LocalError, SignInError
from jmapsync.jmap.auth import Secret
from jmapsync.signin import store as module
from jmapsync.signin.grant import Grant
from jmapsync.signin.store import SignInStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signin.conftest import MemoryKeyring
    from tests.signin.world import World

pytestmark = pytest.mark.anyio


async def test_a_grant_is_stored_in_the_keyring_and_nowhere_else(tmp_path: Path, keyring: MemoryKeyring, world: World) -> None:
    store, grant = SignInStore(tmp_path, "home", keyring), world.grant()
    assert await store.store(grant) == "keyring"
    assert await SignInStore(tmp_path, "home", keyring).load() == grant
    assert os.listdir(tmp_path) == ["signin"]
    text = store.path.read_text()
    assert grant.access_token not in text
    assert grant.refresh_token not in text


async def test_a_new_sign_in_replaces_the_old_one_in_the_keyring(tmp_path: Path, keyring: MemoryKeyring, world: World) -> None:
    store = SignInStore(tmp_path, "home", keyring)
    await store.store(world.grant())
    await store.store("an API token")
    await store.store(last := world.grant())
    assert len(keyring.secrets) == 1
    assert await store.load() == last
    await store.forget()
    assert not keyring.secrets
    assert await store.load() is None


async def test_without_a_keyring_a_private_file_holds_it(store: SignInStore, world: World) -> None:
    grant = world.grant()
    assert await store.store(grant) == "file"
    assert await store.load() == grant
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    await store.forget()
    assert not list(store.path.parent.iterdir())


async def test_a_password_is_stored_and_read_again(store: SignInStore) -> None:
    await store.store("pässword ")
    found = await store.load()
    assert isinstance(found, Secret)
    assert found.reveal() == "pässword "
    await store.store("another")
    await found.renew()
    assert found.reveal() == "another"


async def test_a_keyring_that_fails_on_refresh_does_not_lose_the_tokens(
    tmp_path: Path, keyring: MemoryKeyring, world: World
) -> None:
    store = SignInStore(tmp_path, "home", keyring)
    await store.store(world.grant())
    keyring.is_locked = True
    await store.update(fresh := world.grant())
    assert store.place() in {"file", "systemd-creds"}
    assert await store.load() == fresh


def _use_systemd_creds(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a script run in place of systemd-creds."""
    program = folder / "systemd-creds"
    program.write_text(script)
    program.chmod(0o700)
    monkeypatch.setattr("jmapsync.signin.vault.which", lambda _: str(program))


async def test_a_file_encrypted_by_systemd_holds_no_token(
    tmp_path: Path, keyring: MemoryKeyring, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_systemd_creds(
        '#!/bin/sh\ntest "$1 $2 $3 $4" = "$1 --name=jmapsync-h_me - -" -o "$2" = --user && exec tr a-z n-za-m\n',
        tmp_path,
        monkeypatch,
    )
    keyring.is_locked = True
    store, grant = SignInStore(tmp_path / "state", "häme", keyring), world.grant()
    assert await store.store(grant) == "systemd-creds"
    assert grant.access_token not in store.path.read_text()
    assert await store.load() == grant


async def test_a_systemd_that_does_not_decrypt_is_not_used(
    tmp_path: Path, keyring: MemoryKeyring, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_systemd_creds("#!/bin/sh\ntr a-z b-za\n", tmp_path, monkeypatch)
    keyring.is_locked = True
    assert await SignInStore(tmp_path / "state", "home", keyring).store(world.grant()) == "file"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\0" * 32768, b"[]", b'{"kind": "oauth", "place": "file", "content": "{}"}', b"\xff"]
)
async def test_a_malformed_file_asks_for_a_new_sign_in(store: SignInStore, world: World, content: bytes) -> None:
    await store.store(world.grant())
    store.path.write_bytes(content)
    with pytest.raises(SignInError, match="jmapsync login home"):
        await store.load()
    assert await store.store(grant := world.grant()) == "file"
    assert await store.load() == grant


async def test_a_link_in_place_of_the_file_is_not_followed(store: SignInStore, world: World, tmp_path: Path) -> None:
    await store.store(world.grant())
    other = tmp_path / "other"
    store.path.rename(other)
    store.path.symlink_to(other)
    with pytest.raises(SignInError, match="symbolic link"):
        await store.load()


async def test_a_full_disk_is_found_before_a_token_is_used(store: SignInStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalError, match="No space left"):
        store.reserve()


async def test_the_lock_is_held_by_one_at_a_time(store: SignInStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.0)
    async with store.locked():
        with pytest.raises(BusyError):
            async with store.locked():
                pass
    async with store.locked():
        pass


def test_tokens_are_neither_shown_nor_copied_out(world: World) -> None:
    grant = world.grant()
    assert "access-" not in repr(grant) + str(grant) + f"{grant}"
    for copying in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(grant)
    assert isinstance(Grant.from_json(grant.to_json()), Grant)


async def test_a_keyring_that_cannot_delete_is_not_reported_as_signed_out(tmp_path: Path, keyring: MemoryKeyring) -> None:
    store = SignInStore(tmp_path, "home", keyring)
    await store.store("an API token")
    keyring.is_locked = True
    for forget in (store.forget, store.forget_password):
        with pytest.raises(LocalError, match="then run: jmapsync logout home"):
            await forget()
    keyring.is_locked = False
    assert store.place() == "keyring"
    await store.forget()
    await store.forget_password()
    assert not keyring.secrets
