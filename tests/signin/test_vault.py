"""A keyring that is a real process, with a backend of these tests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import SignInError
from jmapsync.signin import vault
from jmapsync.signin.store import SignInStore
from jmapsync.signin.vault import Keyring, VaultError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signin.world import World

pytestmark = pytest.mark.anyio
BACKEND = """
import json, pathlib, time
import keyring.backend, keyring.errors
STORE = pathlib.Path(__file__).with_name("secrets.json")
class Keyring(keyring.backend.KeyringBackend):
    priority = 1
    def get_password(self, service, user):
        if service == "locked":
            time.sleep(60)
        if service == "asking":
            return input("Password: ")
        return json.loads(STORE.read_text()).get(f"{service} {user}")
    def set_password(self, service, user, password):
        if service != "forgetful":
            STORE.write_text(json.dumps(json.loads(STORE.read_text()) | {f"{service} {user}": password}))
    def delete_password(self, service, user):
        secrets = json.loads(STORE.read_text())
        if secrets.pop(f"{service} {user}", None) is None:
            raise keyring.errors.PasswordDeleteError("there is none")
        STORE.write_text(json.dumps(secrets))
"""


@pytest.fixture(autouse=True)
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_keyring.py").write_text(BACKEND)
    (tmp_path / "secrets.json").write_text('{"jmapsync alice": "open sesame"}')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "toy_keyring.Keyring")


async def test_a_secret_is_stored_read_and_deleted() -> None:
    keyring = Keyring("tests")
    await keyring.set("alice", 'pä"ss\\w$rd x')
    assert await keyring.get("alice") == 'pä"ss\\w$rd x'
    await keyring.delete("alice")
    with pytest.raises(VaultError):
        await keyring.get("alice")


async def test_a_password_put_there_by_hand_is_found(tmp_path: Path) -> None:
    secret = await SignInStore(tmp_path / "state", "alice").secret()
    assert secret.reveal() == "open sesame"
    (tmp_path / "secrets.json").write_text('{"jmapsync alice": "shut sesame"}')
    await secret.renew()
    assert secret.reveal() == "shut sesame"
    with pytest.raises(SignInError, match="jmapsync login bob"):
        await SignInStore(tmp_path / "state", "bob").secret()


async def test_tokens_are_stored_beside_a_password(tmp_path: Path, world: World) -> None:
    store = SignInStore(tmp_path / "state", "alice")
    assert await store.store(grant := world.grant()) == "keyring"
    assert await store.load() == grant
    assert grant.access_token not in store.path.read_text()
    with pytest.raises(SignInError, match="jmapsync login alice"):
        await store.secret()


async def test_a_keyring_that_stores_nothing_is_noticed() -> None:
    with pytest.raises(VaultError):
        await Keyring("forgetful").set("alice", "secret")


async def test_without_the_package_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(VaultError, match="not installed"):
        await Keyring("tests").get("alice")


@pytest.mark.parametrize("service", ["locked", "asking"])
async def test_a_keyring_never_asks_and_never_blocks(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "SECONDS", 1.0)
    with pytest.raises(VaultError):
        await Keyring(service).get("alice")


async def test_a_machine_without_a_keyring_is_said_to_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert not await Keyring("jmapsync").may_hold("home")
    with pytest.raises(SignInError) as raised:
        await SignInStore(tmp_path, "home").secret()
    assert raised.value.message == "No password or API token of home is stored (this machine has no keyring that works here)."
    assert raised.value.advice == "Store one with: jmapsync login home"
