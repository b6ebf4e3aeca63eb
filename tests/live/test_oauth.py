"""Signing in at a real authorization server: in Chromium, in a terminal, for a day, through deaths and refusals."""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.chromium import Chromium
from tests.live.oauth import PROGRAM, Setting, Watch, browse, kill, setting
from tests.live.screen import on_screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600.0


@pytest.fixture
def rotating(tmp_path: Path) -> Iterator[Setting]:
    """Refresh tokens that are used once."""
    with setting("rotation", tmp_path) as made:
        yield made


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Setting]:
    """Codes that are typed on another device."""
    with setting("device", tmp_path) as made:
        yield made


def test_a_browser_signs_in(tmp_path: Path) -> None:
    """Registration, authorization code and PKCE, in Chromium."""
    with setting("registration", tmp_path) as made, Watch() as watch:
        made.encrypts = True
        chromium = Chromium(tmp_path / "profile")
        made.more["BROWSER"] = f"{chromium.command} %s"
        process = made.start("login", "home", "--browser")
        with chromium:
            chromium.submit(login="alice", password="anything")
            chromium.wait_for("Authorize")
            consent = chromium.text()
            chromium.submit(prompt="consent")
            chromium.wait_for("You may close this window")
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        assert f"signed in to {made.server.url} as alice" in out
        assert "urn:ietf:params:oauth:scope:mail" in consent
        assert "contacts" not in consent
        assert made.run("sync")[0] == 0
        assert made.authority.refreshes() == []
        made.pass_time(1.5 * HOUR)
        assert made.run("sync")[0] == 0
        assert made.authority.refreshes() == [200]
        assert "systemd-creds" in made.stored.read_text()
        assert not made.secrets_in(*(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()))
        code, text = made.run("logout", "home")
        assert (code, text) == (0, "home: signed out\n")
        assert not [token for token in made.tokens if made.authority.introspect(token)]
        assert made.run("sync")[0] == 5
    assert not made.secrets_in(*watch.seen)


def test_a_client_of_the_configuration_signs_in(tmp_path: Path) -> None:
    with setting("registration", tmp_path) as made:
        made.configure('client_id = "configured"\nclient_secret = "toy secret"')
        made.sign_in()
        assert not [one for one in made.authority.log() if one["route"] == "registration"]
        made.pass_time(1.5 * HOUR)
        assert made.run("sync")[0] == 0
        assert made.authority.refreshes() == [200]


def test_a_code_is_typed_on_another_device(device: Setting) -> None:
    """In a terminal without a display the code is chosen without being asked for."""
    with Watch() as watch, on_screen([*PROGRAM, "login", "home"], device.environment) as screen:
        screen.wait_for("enter this code:")
        text = screen.text().replace("\n", " ")
        code = re.search(r"enter this code: *([A-Z]{4}-[A-Z]{4})", text)
        assert code is not None, text
        _, page = browse(f"{device.authority.issuer}/device?user_code={code[1]}")
        assert "success" in page.lower()
        screen.wait_for_end()
    assert "place" in device.stored.read_text()
    assert device.run("sync")[0] == 0
    assert not device.secrets_in(*watch.seen)


def test_a_code_is_typed_in_chromium(device: Setting, tmp_path: Path) -> None:
    process = device.start("login", "home", "--device")
    assert process.stderr is not None
    shown = next(line for line in process.stderr if "enter this code" in line)
    _, page, *_, code = shown.split()
    chromium = Chromium(tmp_path / "profile")
    browser = subprocess.Popen([*chromium.command.split(), page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with chromium:
        chromium.submit(user_code=code)
        chromium.submit(confirm="yes")
        chromium.submit(login="alice", password="anything")
        chromium.submit(prompt="consent")
        chromium.wait_for("Sign-in Success")
    browser.wait(30)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert device.run("check")[0] == 0


def test_an_address_is_pasted_from_a_browser_elsewhere(rotating: Setting) -> None:
    """Over ssh, at a server without codes."""
    environment = rotating.environment | {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}
    with on_screen(["/bin/sh", "-c", f"{' '.join(PROGRAM)} login home; /bin/sleep 100"], environment) as screen:
        screen.wait_for("paste here")
        url = re.search(r"http://127\.0\.0\.1:\d+/auth\S+", screen.text().replace("\n", ""))
        assert url is not None, screen.text()
        address, _ = browse(url[0].removesuffix("If"), last="/callback?")
        assert "/callback?" in address
        screen.keys(address, "Enter")
        screen.wait_for("signed in to")
    assert rotating.run("sync")[0] == 0


def test_a_token_is_typed_without_echo(rotating: Setting) -> None:
    config = rotating.home / ".config/jmapsync/config.toml"
    config.write_text(config.read_text().replace('"oauth"', '"bearer"\nkeyring = true'))
    with on_screen(["/bin/sh", "-c", f"{' '.join(PROGRAM)} login home; /bin/sleep 100"], rotating.environment) as screen:
        screen.wait_for("API token for")
        screen.keys("demo-token", "Enter")
        screen.wait_for("signed in")
        assert "demo-token" not in screen.text()
        assert "which only you can read" in screen.text().replace("\n", " ")
    assert rotating.run("sync")[0] == 0


def test_a_day_of_hourly_tokens_needs_no_person(rotating: Setting) -> None:
    """24 hours, simulated on both sides; the clock of the authorization server is ten minutes ahead, then ten minutes behind."""
    rotating.sign_in()
    rotating.authority.move_clock(600)
    for hour in range(24):
        rotating.pass_time(HOUR)
        if hour == 12:
            rotating.authority.move_clock(-1200)
        rotating.note_tokens()
        code, text = rotating.run("sync")
        assert code == 0, text
    refreshes = rotating.authority.refreshes()
    assert set(refreshes) == {200}
    assert 24 <= len(refreshes) <= 26
    files = [file.read_bytes() for file in rotating.home.rglob("*") if file.is_file() and file != rotating.stored]
    assert not rotating.secrets_in(*files)
    assert len(rotating.tokens) > 40


def test_processes_at_once_refresh_once(rotating: Setting) -> None:
    rotating.sign_in()
    rotating.pass_time(1.5 * HOUR)
    running = [rotating.start("check") for _ in range(4)]
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert rotating.authority.refreshes() == [200]


def test_a_process_killed_during_a_refresh_loses_at_most_the_sign_in(rotating: Setting) -> None:
    """Killed at any moment; a sign-in that was lost between answer and disk is reported as such, and a new one works."""
    chance = random.Random(0)
    rotating.sign_in()
    rotating.run("sync")
    began = time.monotonic()
    assert rotating.run("check")[0] == 0
    usual = time.monotonic() - began
    lost = 0
    for _ in range(5):
        rotating.pass_time(1.5 * HOUR)
        process = rotating.start("check")
        time.sleep(usual * chance.uniform(0.3, 1.0))
        kill(process)
        code, text = rotating.run("check")
        assert code in {0, 5}, text
        if code == 5:
            assert "Sign in again: jmapsync login home" in text
            lost += 1
            rotating.sign_in()
    assert lost <= 2


def test_a_refused_refresh_is_reported_with_the_command_that_helps(rotating: Setting) -> None:
    rotating.sign_in()
    grant = json.loads(json.loads(rotating.stored.read_text())["content"])
    rotating.pass_time(40 * 24 * HOUR)  # longer than a refresh token lasts
    for _ in range(2):
        code, text = rotating.run("sync")
        assert code == 5
        assert "Sign in again: jmapsync login home" in text
    assert len(rotating.authority.refreshes()) == 1
    assert "Sign in again: jmapsync login home" in rotating.run("status")[1]
    assert grant["refresh_token"] not in rotating.run("status", "--json")[1]
    rotating.sign_in()
    assert rotating.run("sync")[0] == 0
