"""`jmapsync run` behind a cable that is cut, with an error or silently, and restored: both sides' edits arrive, none twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.daemons import QUIET, running, wait_for
from tests.cli.test_daemon_disturbed import flag, holds, remote_keywords, rest, welcome
from tests.live.network import Cable

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Home

pytestmark = pytest.mark.live
RECOVERY = 240.0
"""Seconds to wait for both edits: a connection that died without a word is noticed after two and a half pings and a pause."""


@pytest.mark.parametrize("way", ["with a word", "without a word"])
@pytest.mark.parametrize("seconds", [1, 10])
def test_a_network_that_was_cut_and_restored_costs_no_edit(home: Home, server: DemoServer, way: str, seconds: int) -> None:
    home.configure(more=QUIET)
    with Cable() as cable, running(home, where=cable.at_far_end) as daemon:
        rest(server)
        emails = len(server.account.listing())
        if way == "with a word":
            cable.cut()
        else:
            cable.cut_silently()
        server.account.deliver(b"Subject: from the server\r\n\r\nnews\r\n")
        flag(welcome(home), "FRS")
        (home.mail / "INBOX/cur/1.dropped.here:2,S").write_bytes(b"Subject: from the disk\n\nnews\n")
        time.sleep(seconds)
        assert not holds(home, "Subject: from the server")
        cable.restore()
        wait_for(lambda: holds(home, "Subject: from the server"), RECOVERY)
        wait_for(lambda: frozenset({"$flagged", "$answered", "$seen"}) in remote_keywords(server), RECOVERY)
        wait_for(lambda: len(server.account.listing()) == emails + 2, RECOVERY)
        rest(server)
        assert len(server.account.listing()) == emails + 2
        assert daemon.process.poll() is None
