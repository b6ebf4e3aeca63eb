"""The daemon on a disk that fails it: it says why in its status, lives on, and is fed to the watchdog."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.cli.conftest import Home
from tests.cli.daemons import QUIET, running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command


def test_a_corrupt_ledger_is_named_with_what_to_do(jmapsync: Command, home: Home) -> None:
    home.configure(more=QUIET)
    assert jmapsync("sync").code == 0
    with closing(sqlite3.connect(home.state / "ledger.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("UPDATE item SET remote = '1 2' WHERE remote IS NOT NULL")
        db.commit()
    with running(home) as daemon:
        daemon.wait_for_log("because it is corrupt")
        assert "move it away" in daemon.log
        assert "unexpected" not in daemon.log
        daemon.wait_until_ready()


def test_a_path_that_cannot_be_used_is_named(home: Home) -> None:
    home.configure(more=QUIET)
    home.mail.write_text("no folder")
    with running(home) as daemon:
        daemon.wait_for_log("it is a file, not a folder")
        assert "unexpected" not in daemon.log
        home.mail.unlink()
        daemon.wait_for_log("in step", seconds=60)


def test_a_home_folder_whose_name_is_not_utf8_silences_nothing(server: DemoServer, tmp_path: Path) -> None:
    home = Home(tmp_path / os.fsdecode(b"h\xffme"), server.url)
    home.path.mkdir()
    home.configure(more=QUIET)
    home.mail.mkdir()
    with running(home, environment={"WATCHDOG_USEC": "2000000"}) as daemon:
        daemon.wait_until_ready()
        (home.mail / "INBOX" / "cur" / "new:2,S").write_bytes(b"Subject: made here\n\nx\n")
        wait_for(lambda: any(b"made here" in server.account.raw(ref) for ref in list(server.account.emails)))
        (home.mail / ".jmapsync").rename(home.path / "elsewhere")
        (home.mail / "INBOX" / "cur" / "other:2,S").write_bytes(b"Subject: other\n\nx\n")
        wait_for(lambda: "no longer holds" in daemon.status)
        reported = len(daemon.reported)
        wait_for(lambda: any(line == "WATCHDOG=1" for line in daemon.reported[reported:]))
