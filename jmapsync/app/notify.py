"""Notify systemd of the daemon's state (sd_notify(3)); does nothing without NOTIFY_SOCKET."""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import suppress

from jmapsync.text import one_line

_log = logging.getLogger(__name__)
_MOST = 300
"""Characters of a status line."""


class ServiceManager:
    """The service manager that started the process, if one did."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")  # the daemon's alone: hooks must not speak for it
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._status = ""
        usec, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog = int(usec[:20]) / 1e6 if usec.isdecimal() and ours else 0.0
        """Seconds within which a sign of life is expected; 0 when none is."""

    def ready(self) -> None:
        """Say that the daemon is up."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the daemon is ending."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.watchdog:
            self._send("WATCHDOG=1")

    def status(self, line: str) -> None:
        """Set the line that `systemctl status` shows."""
        line = one_line(" ".join(line.split()), _MOST)
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.connect(self._address)
            link.sendall(message.encode("utf-8", "backslashreplace"))
