"""What is held in memory at a time is bounded, whatever the mailbox holds."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from jmapsync.engine.execute import BATCH_OCTETS

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.mirror import Mirror

MESSAGE = b"Subject: large\n\n" + b"0123456789\n" * 100_000


def test_local_messages_are_read_and_sent_a_bounded_batch_at_a_time(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    for number in range(12):
        mirror.drop("INBOX", b"Message-ID: <%d@test>\n" % number + MESSAGE)
    server.requests.clear()
    assert mirror.sync().to_server.created == 12
    bursts = [list(burst) for is_upload, burst in groupby(server.requests.http, lambda one: one.endpoint == "upload") if is_upload]
    assert sum(len(burst) for burst in bursts) == 12
    assert all(sum(one.received for one in burst) <= BATCH_OCTETS for burst in bursts)
