"""What is held in memory at a time is bounded, whatever the mailbox holds."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.port import LARGE
from jmapsync.sync.batches import BATCH_OCTETS

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

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


@pytest.mark.parametrize("odd", [b"", b"a lone \r here\r\n", b"a bare \n here\r\n", b"an end of \r\r\n"])
def test_a_large_message_passes_through_a_file_both_ways_byte_for_byte(server: DemoServer, mirror: Mirror, odd: bytes) -> None:
    mirror.sync()
    there = b"Subject: x\r\n\r\n" + b"0123456\r\n" * (LARGE // 9 + 1) + odd
    server.account.deliver(there)
    mirror.sync()
    assert server.requests.count("download") == 1
    (file,) = mirror.files("INBOX")
    assert file.read_bytes() == (there if odd else there.replace(b"\r\n", b"\n"))
    mirror.drop("INBOX", b"Another: y\n" + file.read_bytes())
    assert mirror.sync().to_server.created == 1
    assert not list((mirror.state / "spool").iterdir())
    contents = {server.account.raw(ref) for ref in server.account.emails}
    assert there in contents
    assert len(contents) == 2
    if not odd:
        assert b"Another: y\r\n" + there in contents
