"""`jmapsync status --watch` and the progress of `sync` in real terminals of several widths, beside a first pull."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.live.screen import Screen, on_screen
from tests.live.service import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live
PROGRAM = [sys.executable, "-m", "jmapsync"]
MESSAGES = 2_000


@pytest.fixture
def environment(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """A home whose account takes about 10 seconds to pull, unless it is to have fewer messages."""
    server = DemoServer(user="alice", password="geheim")
    server.account.populate(getattr(request, "param", MESSAGES), mailboxes=["INBOX"], size=5_000)
    with server:
        config = tmp_path / ".config/jmapsync/config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(
            f'[accounts.home]\nurl = "{server.url}"\nuser = "alice"\nauth = "basic"\npassword_command = "echo geheim"\n'
            '[accounts.home.mail]\npath = "~/Mail"\n[network]\nlimit_rate = "1M"\n'
        )
        yield {"HOME": str(tmp_path), "LANG": "C.UTF-8", "TZ": "UTC"}


def _shows(screen: Screen, pattern: str) -> bool:
    return re.search(pattern, screen.text(), re.MULTILINE) is not None


def _wait(screen: Screen, pattern: str) -> None:
    screen.wait_for_line(pattern.removeprefix("^"))


def test_a_first_pull_is_shown_at_every_width_by_itself_and_by_status(environment: dict[str, str]) -> None:
    watch, sync = [*PROGRAM, "status", "--watch"], [*PROGRAM, "sync"]
    with ExitStack() as stack:
        watching = {
            columns: stack.enter_context(on_screen(watch, environment, columns=columns, lines=12)) for columns in (40, 80, 200)
        }
        for screen in watching.values():
            _wait(screen, r"^  mail: never synchronized$")
        run = stack.enter_context(
            on_screen(["sh", "-c", f"{subprocess.list2cmdline(sync)}; exec sleep 60"], environment, columns=40)
        )
        _wait(run, r"^home: (fetching )?mail [\d,]+/2,000 0:\d\d")
        waiting = list(watching.values())

        def all_showed_it() -> bool:
            for screen in tuple(waiting):
                text = screen.text()
                if re.search(r"(?m)^  fetching mail .*[1-9][\d,]*/2,000 ", text):
                    assert re.search(r"(?m)^home: synchronizing", text)
                    waiting.remove(screen)
            return not waiting

        until(all_showed_it)
        _wait(run, r"^home mail: 2,000 created here")
        for screen in watching.values():
            _wait(screen, r"^  mail: synced  2,000")


def test_ctrl_c_restores_the_terminal(environment: dict[str, str]) -> None:
    line = f"{subprocess.list2cmdline(PROGRAM)} status --watch; echo code $?; stty -a | tr ';' '\\n' | grep echo; exec sleep 60"
    with on_screen(["sh", "-c", f"trap : INT; echo before; {line}"], environment, columns=80) as screen:
        _wait(screen, r"^home: idle")
        assert not _shows(screen, "before")
        screen.keys("C-c")
        _wait(screen, r".*isig icanon iexten echo ")
        assert _shows(screen, "^code 0")
        assert _shows(screen, "^before")
        assert not _shows(screen, "Traceback|interrupted")


@pytest.mark.parametrize("environment", [10], indirect=True)
def test_no_color_is_honoured(environment: dict[str, str]) -> None:
    subprocess.run([*PROGRAM, "sync"], env=environment | {"PATH": "/usr/bin"}, check=True, capture_output=True)
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with on_screen([*PROGRAM, "status", "--watch", "home"], environment | more, columns=40) as screen:
            _wait(screen, r"^  mail: synced")
            assert ("\x1b[32m" in screen.coloured()) is coloured
