"""The cable of `tests.live.network` really cuts, so that what survives its cuts survives those of a network."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.live.network import Cable, interfaces

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = """
import socket, sys
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=90)
for line in sys.stdin:
    patience, _, line = line.partition(" ")
    server.settimeout(float(patience))
    try:
        server.sendall(line.encode())
        print(server.recv(100).decode().strip(), flush=True)
    except OSError as error:
        print(type(error).__name__, error.errno, flush=True)
"""
CONNECT = """
import errno, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=float(sys.argv[2]))
    print("connected")
except TimeoutError:
    print("silence")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server at 127.0.0.1 that echoes what it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):
                while data := connection.recv(100):
                    connection.sendall(data)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def cable() -> Iterator[Cable]:
    with Cable() as cable:
        yield cable


def connect(cable: Cable, port: int, patience: float = 90.0) -> str:
    """Try to connect from the far end; return "connected", the name of the error, or "silence"."""
    command = cable.at_far_end(sys.executable, "-c", CONNECT, str(port), str(patience))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Conversation:
    """A connection from the far end that lasts."""

    def __init__(self, cable: Cable, port: int) -> None:
        command = cable.at_far_end(sys.executable, "-c", ASK, str(port))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word: str, patience: float = 90.0) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{patience} {word}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()


def test_a_program_at_the_far_end_reaches_the_servers_here_by_their_own_addresses(cable: Cable, port: int) -> None:
    assert connect(cable, port) == "connected"


def test_the_far_end_has_no_other_way_here(cable: Cable, port: int) -> None:
    assert interfaces(cable.at_far_end()) == {"lo", "cable0"}
    cable.cut()
    assert connect(cable, port) == "ENETUNREACH"


def test_a_cut_is_an_error_at_once_and_fixed(cable: Cable, port: int) -> None:
    cable.cut()
    started = time.monotonic()
    assert connect(cable, port, 60) == "ENETUNREACH"
    assert time.monotonic() - started < 30
    cable.restore()
    assert connect(cable, port) == "connected"


def test_a_silent_cut_is_no_error_and_no_answer_and_fixed(cable: Cable, port: int) -> None:
    cable.cut_silently()
    assert connect(cable, port, patience=1.5) == "silence"
    cable.restore()
    assert connect(cable, port) == "connected"


def test_a_connection_under_a_silent_cut_stays_open_and_silent(cable: Cable, port: int) -> None:
    conversation = Conversation(cable, port)
    assert conversation.ask("before") == "before"
    cable.cut_silently()
    assert conversation.ask("during", patience=0.5) == "TimeoutError None"
    cable.restore()
    deadline = time.monotonic() + 90
    heard = ""
    while "after" not in heard and time.monotonic() < deadline:
        heard += conversation.ask("after")
    assert "during" in heard
    conversation.end()


def test_cuts_at_one_cable_leave_another_and_this_end_alone(cable: Cable, port: int) -> None:
    with Cable() as other:
        cable.cut_silently()
        assert connect(other, port) == "connected"
        socket.create_connection(("127.0.0.1", port), timeout=90).close()


def test_nothing_is_left_of_a_cable() -> None:
    before = interfaces()
    with Cable() as cable:
        cable.cut()
        assert interfaces() > before
    assert interfaces() == before
