"""`jmapsync login`, `logout` and `accounts`; and a daemon whose sign-in ends and comes back."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROGRAM, SECRET, Home
from tests.cli.daemons import QUIET, running, wait_for
from tests.signin.authority import LiveWorld, authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command


pytestmark = pytest.mark.usefixtures("nothing_but_files")


@pytest.fixture
def world(home: Home, server: DemoServer) -> Iterator[LiveWorld]:
    """An authorization server that issues tokens for the JMAP server, and an account that signs in by it."""
    with authority() as world:
        server.credentials.issuer = world.metadata["issuer"]
        server.credentials.introspect = world.accepts
        configure(home)
        yield world


def configure(home: Home, more: str = "") -> None:
    home.config.parent.mkdir(parents=True, exist_ok=True)
    home.config.write_text(f'[accounts.home]\nurl = "{home.url}"\nauth = "oauth"\n\n[accounts.home.mail]\npath = "~/Mail"\n{more}')


def use_stored_secret(home: Home) -> None:
    home.configure()
    lines = home.config.read_text().splitlines()
    home.config.write_text("\n".join("keyring = true" if "password" in line else line for line in lines))


def test_a_password_that_is_piped_in_is_tried_and_stored(
    home: Home, jmapsync: Command, monkeypatch: pytest.MonkeyPatch, server: DemoServer
) -> None:
    use_stored_secret(home)
    refused = jmapsync("sync")
    assert refused.code == 5
    assert "jmapsync login home" in refused.err
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    assert jmapsync("login", "home").code == 5
    assert not list(home.state.rglob("signin"))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
    done = jmapsync("login", "home", "--token")
    assert done.code == 0
    assert f"home: signed in to {server.url} as alice" in done.out
    assert "which only you can read" in done.err
    assert jmapsync("sync").code == 0
    server.credentials.password = "changed"
    gone = jmapsync("sync")
    assert gone.code == 5
    assert "To store another one: jmapsync login home" in gone.err
    assert jmapsync("logout", "home").out == "home: signed out\n"
    assert not list(home.state.rglob("signin"))
    assert jmapsync("sync").code == 5


def test_nothing_is_asked_without_a_terminal(home: Home) -> None:
    use_stored_secret(home)
    done = subprocess.run(
        [*PROGRAM, "login", "home"],
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 5
    assert "Standard input gave no password" in done.stderr


def test_an_account_whose_secret_is_elsewhere_is_not_signed_in(home: Home, jmapsync: Command) -> None:
    home.configure()
    for command in ("login", "logout"):
        done = jmapsync(command, "home")
        assert done.code == 2
        assert "password_command" in done.err
    assert jmapsync("login", "home", "--browser").code == 2
    assert "There is no account 'nobody'" in jmapsync("login", "nobody").err


def test_accounts_are_listed_with_how_they_sign_in(home: Home, jmapsync: Command) -> None:
    home.configure()
    assert "signs in   with a password from password_command" in jmapsync("accounts").out
    configure(home, '[accounts.work]\naddress = "bob@example.org"\nkeyring = true\n[accounts.work.contacts]\npath = "~/Work"\n')
    text = jmapsync("accounts").out
    assert "by OAuth: not yet; run: jmapsync login home" in text
    assert (
        f"work: bob@example.org as bob@example.org\n  signs in   with an API token: in the keyring\n  contacts   {home.path}/Work"
        in text
    )
    found = json.loads(jmapsync("accounts", "--json").out)["accounts"]
    assert found["home"] == {
        "server": home.url,
        "user": "",
        "auth": "oauth",
        "source": "oauth",
        "stored": None,
        "kinds": {"mail": {"path": str(home.mail), "direction": "both"}},
    }


def test_oauth_by_a_code(home: Home, jmapsync: Command, world: LiveWorld) -> None:
    unsigned = jmapsync("sync")
    assert unsigned.code == 5
    assert "home is not signed in. Sign in: jmapsync login home" in unsigned.err
    world.device_answers = ["authorization_pending"]
    done = jmapsync("login", "home")  # without a display
    assert done.code == 0
    assert f"Open {world.metadata['issuer']}/enter in a browser, on any device, and enter this code: ABCD-EFGH" in done.err
    assert jmapsync("sync").code == 0
    assert "by OAuth: stored in a private file" in jmapsync("accounts").out
    world.families[-1].access.clear()
    before = world.families[-1].refresh
    done = jmapsync("sync", "--json")
    assert done.code == 0
    assert world.families[-1].refresh != before
    assert jmapsync("logout", "home").code == 0
    assert world.families[-1].is_revoked
    assert jmapsync("sync").code == 5


@pytest.mark.parametrize("after", [2, 5])
def test_a_token_that_ends_during_a_run_is_replaced_in_it(
    jmapsync: Command, world: LiveWorld, server: DemoServer, home: Home, after: int
) -> None:
    """One message is one download here, so that the token ends between two of them."""
    server.service.dialect = dataclasses.replace(server.service.dialect, blob_capability=None)
    assert jmapsync("login", "home").code == 0
    shown: list[str] = []

    def introspect(token: str) -> bool:
        shown.append(token)
        if len(shown) == after:
            world.families[-1].access.clear()
        return world.accepts(token)

    server.credentials.introspect = introspect
    assert jmapsync("sync").code == 0
    assert len([one for one in world.posts("/token") if "refresh_token" in one.form]) == 1
    assert len(set(shown)) == 2
    assert len(home.inbox()) > 3


def test_oauth_in_a_browser(home: Home, world: LiveWorld, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    code = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read())"
    browser.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$1\" >{tmp_path}/page\n")
    browser.chmod(0o700)
    done = subprocess.run(
        [*PROGRAM, "login", "home", "--browser"],
        env=home.environment() | {"BROWSER": f"{browser} %s"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert world.accepts(next(iter(world.families[-1].access)))
    wait_for(lambda: "You may close this window" in (tmp_path / "page").read_text())


def test_a_second_sign_in_revokes_the_first(jmapsync: Command, world: LiveWorld) -> None:
    for _ in range(2):
        assert jmapsync("login", "home", "--device").code == 0
    assert [one.is_revoked for one in world.families] == [True, False]


def test_a_server_that_accepts_no_token_is_not_signed_in_to(
    home: Home, jmapsync: Command, world: LiveWorld, server: DemoServer
) -> None:
    server.credentials.introspect = lambda _: False
    done = jmapsync("login", "home")
    assert done.code == 5
    assert world.families[-1].is_revoked
    assert not list(home.state.rglob("signin"))


def test_a_daemon_reports_an_ended_sign_in_once_and_uses_the_next_by_itself(
    home: Home, jmapsync: Command, world: LiveWorld, server: DemoServer
) -> None:
    hook = 'echo "$JMAPSYNC_ACCOUNT: $JMAPSYNC_MESSAGE" >>$HOME/trouble; env >>$HOME/hook-environment'
    other = f'[accounts.other]\nurl = "{home.url}"\nuser = "alice"\nauth = "basic"\npassword_command = "echo {SECRET}"\n'
    other += '[accounts.other.contacts]\npath = "~/Contacts"\n'
    configure(home, f"{other}\n{QUIET}\n[hooks]\non_trouble = '''{hook}'''\n")
    assert jmapsync("login", "home").code == 0
    trouble = home.path / "trouble"
    with running(home) as daemon:
        world.refusal = 400, {"error": "invalid_grant"}
        world.families[-1].access.clear()
        assert jmapsync("sync", "home").code == 5
        wait_for(trouble.exists)
        health = json.loads(jmapsync("status", "--json").out)["accounts"]
        assert "Sign in again: jmapsync login home" in health["home"]["reason"]
        assert health["home"]["exit_code"] == 5
        assert jmapsync("sync", "other").code == 0
        refreshes = len([one for one in world.posts("/token") if "refresh_token" in one.form])
        assert jmapsync("sync", "home").code == 5
        assert refreshes == len([one for one in world.posts("/token") if "refresh_token" in one.form]) == 1
        world.refusal = None
        assert jmapsync("login", "home").code == 0
        daemon.wait_for_log("home: in step", times=2)
        assert jmapsync("sync", "home").code == 0
    assert len(trouble.read_text().splitlines()) == 1
    assert "Sign in again: jmapsync login home" in trouble.read_text()
    left = b"".join(file.read_bytes() for file in home.path.rglob("*") if file.is_file() and file.name != "signin")
    for family in world.families:
        for token in (*family.access, *family.used, family.refresh):
            assert token.encode() not in left
