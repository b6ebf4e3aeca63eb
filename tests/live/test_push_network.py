"""Push outlives networks: cut with a word or without, at a real cable, and servers that are stopped in their tracks."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.live.network import Cable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from tests.live.cyrus import Cyrus

# Runs at the far end of the cable and prints a line for each hint and each change of state.
LISTEN = """
import asyncio, json, sys
from msgspec.structs import asdict
from jmapsync.daemon.push_listener import Listener, Timing
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client

def say(**what):
    print(json.dumps(what), flush=True)

async def main(url, user, password, account):
    async with Client(url, BasicCredential(user, password)) as client:
        timing = Timing(ping=1, first_pause=0.1, longest_pause=1)
        listener = Listener(client, account, lambda reason: say(hint=reason), timing=timing)
        task = asyncio.ensure_future(listener.run())
        before = None
        while not task.done():
            if listener.state != before:
                before = listener.state
                say(**asdict(before))
            await asyncio.sleep(0.02)
        task.result()

asyncio.run(main(*sys.argv[1:]))
"""
SERVE = """
import dataclasses, sys
from jmapsync.demo import RFC, DemoServer
with DemoServer(dialect=dataclasses.replace(RFC, websocket=sys.argv[1] == "websocket")) as server:
    print(server.url, flush=True)
    for line in sys.stdin:
        server.account.deliver(b"Subject: one\\r\\n\\r\\none\\r\\n")
"""
SYNC = "push is connected"
GONE = 8.0  # seconds: several times as long as a connection may be silent at a ping a second


class RemoteListener:
    """A listener in a process at the far end of a cable."""

    def __init__(self, cable: Cable, *arguments: str) -> None:
        command = cable.at_far_end(sys.executable, "-c", LISTEN, *arguments)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.modes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._reader.join()
        self._process.communicate()

    def until(self, true: Callable[[dict[str, Any]], object], seconds: float = 90.0) -> dict[str, Any]:
        """Return the first line from now on of which something is true."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            if line.get("mode"):
                self.modes.append(line["mode"])
            if true(line):
                return line

    def hears(self, hint: str, seconds: float = 90.0) -> None:
        self.until(lambda line: line.get("hint", "").startswith(hint), seconds)

    def notices(self, seconds: float = 90.0) -> str:
        """Wait until it knows that it is not connected; return why."""
        return str(self.until(lambda line: line.get("connected") is False and line["why"], seconds)["why"])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))


@pytest.fixture
def cable() -> Iterator[Cable]:
    with Cable() as cable:
        yield cable


class Server:
    """An embedded server in a process of its own."""

    def __init__(self, way: str) -> None:
        command = [sys.executable, "-c", SERVE, way]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def deliver(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture(params=["eventsource", "websocket"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(way: str) -> Iterator[Server]:
    server = Server(way)
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture
def ear(cable: Cable, server: Server) -> Iterator[RemoteListener]:
    with RemoteListener(cable, server.url, "demo", "demo", "a1") as ear:
        ear.hears(SYNC)
        ear.until(lambda line: line.get("connected"))
        server.deliver()
        ear.hears("push reports")
        time.sleep(1.5)  # so that a ping proves the connection
        ear.modes.clear()
        yield ear


@pytest.mark.parametrize("silently", [False, True])
def test_push_is_back_after_the_network_was_gone(
    ear: RemoteListener, cable: Cable, server: Server, way: str, silently: bool
) -> None:
    (cable.cut_silently if silently else cable.cut)()
    server.deliver()
    cut = time.monotonic()
    assert ear.notices()
    time.sleep(max(0.0, GONE - (time.monotonic() - cut)))
    cable.restore()
    ear.hears(SYNC)
    ear.until(lambda line: line.get("connected"))
    server.deliver()
    ear.hears("push reports")
    assert set(ear.modes) == {way}


def test_push_is_back_after_the_server_hung(ear: RemoteListener, server: Server, way: str) -> None:
    os.kill(server.process.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    assert {"eventsource": "sent nothing", "websocket": "did not answer a ping"}[way] in ear.notices()
    time.sleep(max(0.0, GONE - (time.monotonic() - stopped)))
    os.kill(server.process.pid, signal.SIGCONT)
    ear.hears(SYNC)
    ear.until(lambda line: line.get("connected"))
    server.deliver()
    ear.hears("push reports")
    assert set(ear.modes) == {way}


def test_cyrus_is_heard_again_after_a_silent_cut(cable: Cable, running_cyrus: Callable[[str], Cyrus]) -> None:
    cyrus = running_cyrus("3.12")
    cyrus.create_user("cable", "sesame")
    with RemoteListener(cable, cyrus.jmap_url, "cable", "sesame", "cable") as ear:
        ear.hears(SYNC)
        ear.until(lambda line: line.get("connected"))
        time.sleep(1.5)
        cable.cut_silently()
        assert "sent nothing" in ear.notices()
        cable.restore()
        ear.hears(SYNC)
