"""What the daemon notifies the service manager of (sd_notify(3)), received on a real socket."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.notify import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def manager_socket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@jmapsync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.settimeout(90)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listening


def test_it_is_notified_line_by_line(manager_socket: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    manager = ServiceManager()
    manager.ready()
    manager.alive()
    manager.status("home: in\nstep")
    manager.status("home: in step")
    manager.stopping()
    reported = [manager_socket.recv(4096) for _ in range(4)]
    assert reported == [b"READY=1", b"WATCHDOG=1", b"STATUS=home: in step", b"STOPPING=1"]
    assert manager.watchdog == 60


@pytest.mark.usefixtures("manager_socket")
def test_hooks_do_not_inherit_the_way_to_it() -> None:
    ServiceManager()
    assert "NOTIFY_SOCKET" not in os.environ


def test_a_watchdog_meant_for_another_process_is_not_fed(manager_socket: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    manager = ServiceManager()
    manager.alive()
    manager.ready()
    assert manager_socket.recv(4096) == b"READY=1"


def test_without_one_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    ServiceManager().ready()
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    ServiceManager().ready()


def test_a_name_that_is_not_utf_8_silences_nothing(manager_socket: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "9" * 400)
    manager = ServiceManager()
    manager.status("home: in trouble (/home/\udce4/Mail cannot be read)")
    manager.alive()
    assert [manager_socket.recv(4096) for _ in range(2)] == [
        b"STATUS=home: in trouble (/home/\\xe4/Mail cannot be read)",
        b"WATCHDOG=1",
    ]
