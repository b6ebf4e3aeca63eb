from __future__ import annotations

import signal
import subprocess
import sys
import threading

import httpx
import pytest

from jmapsync.demo import DemoServer
from tests.contract.peer import Peer
from tests.kit.timing import is_ever_within


def test_it_starts_and_stops_in_no_time_and_leaves_no_thread() -> None:
    before = threading.active_count()

    def start_and_stop() -> None:
        with DemoServer() as server:
            assert server.port > 0

    assert is_ever_within(0.2, start_and_stop)
    assert threading.active_count() == before


def test_it_starts_again_on_the_port_it_is_given() -> None:
    with DemoServer() as first:
        port = first.port
    with DemoServer(port=port) as second:
        assert second.port == port
    with pytest.raises(RuntimeError):
        _ = second.port


def test_the_command_prints_its_url_first_and_ends_on_a_signal() -> None:
    command = [sys.executable, "-m", "jmapsync.demo", "--messages", "30", "--mailboxes", "3", "--objects", "1234"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with Peer(url, "demo", "demo", "rfc") as peer:
            assert len(peer.emails()) == 30
            assert [box["totalEmails"] for path, box in peer.mailboxes().items() if path.startswith("Box")] == [10, 10]
            assert peer.session["capabilities"]["urn:ietf:params:jmap:core"]["maxObjectsInGet"] == 1234
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
