"""`jmapsync run` while the clock is set, by a clock that lies to this one process."""

from __future__ import annotations

import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.daemons import QUIET, running, wait_for
from tests.cli.test_daemon_disturbed import LETTER, flag, found, holds, remote_keywords, rest, welcome
from tests.cli.test_run import live

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

pytestmark = pytest.mark.live
LIBRARY = Path("/usr/lib", sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu", "faketime/libfaketime.so.1")
DAY = 86_400


class Clock:
    """The wall's clock of one process, which can be set; its other clocks go on as they do."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it so far ahead of the real one."""
        self._file.write_text(f"{seconds:+d}\n")

    @property
    def environment(self) -> dict[str, str]:
        settings = {"TIMESTAMP_FILE": str(self._file), "NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_UTIME": "1"}
        return {"LD_PRELOAD": str(LIBRARY), **{f"FAKETIME_{name}": value for name, value in settings.items()}}


def runs_at_rest(server: DemoServer, jmapsync: Command) -> int:
    """Return how many runs the daemon made, once it makes no more; a scan of the disk alone asks the server nothing."""
    before, after = None, live(jmapsync)
    while before is None or after.get("standing") != "in step" or before != after["looks"]:
        before = after.get("looks")
        rest(server)
        after = live(jmapsync)
    assert isinstance(before, int)
    return before


@pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY], ids=["a day ahead", "a day back", "more than a year ahead"])
def test_a_clock_that_is_set_causes_one_run_and_everything_goes_on(
    home: Home, server: DemoServer, jmapsync: Command, tmp_path: Path, jump: int
) -> None:
    clock = Clock(tmp_path / "clock")
    home.configure(more=QUIET)
    home.mail.mkdir()  # a root that the daemon makes is one run more
    with running(home, environment=clock.environment) as daemon:
        daemon.wait_for_log("push of a1: connected")
        runs = runs_at_rest(server, jmapsync)
        clock.set(jump)
        daemon.wait_for_log("the clock was set")
        wait_for(lambda: live(jmapsync).get("looks", runs) != runs)
        # One for the clock, one for the push connection made anew, and perhaps one for what it reports: no storm. On a busy machine
        # the library that sets the clock holds up the daemon's threads for seconds, and no status comes of it then.
        assert 1 <= runs_at_rest(server, jmapsync) - runs <= 3
        after = live(jmapsync)
        due = datetime.fromisoformat(str(after["next_poll"])) - datetime.fromtimestamp(time.time() + jump, UTC)
        assert 0 < due.total_seconds() <= 1.2 * 3600, "polling does not wait for a date that is far away"

        server.account.deliver(LETTER)
        wait_for(lambda: holds(home, "Subject: hello"))
        flag(welcome(home), "FRS")
        wait_for(lambda: frozenset({"$flagged", "$answered", "$seen"}) in remote_keywords(server))
        assert daemon.log.count("the clock was set") == 1
        assert found(home, "Subject: hello")[0].stat().st_mtime < time.time() + 10, "its file shows when it was received"
