"""A network between a program and the servers of this machine that can be cut, with a word or without. Needs root and iproute2.

The program runs at the far end of a cable, in a network namespace of its own that has no loopback: 127.0.0.0/8 lies across the
cable, so that the program reaches any server here by the address it has here.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_FAR = "cable0"
_NOBODY = "02:00:00:00:00:01"
"""A MAC address that no interface has: who sends there hears of no error, and of nothing else."""
_numbers = itertools.count()


class Cable:
    """A cable to a network namespace that lasts as long as this object, or this process, does."""

    def __init__(self) -> None:
        """Name the ends; nothing is made yet."""
        number = next(_numbers)
        self._near = f"c{os.getpid()}x{number}"
        first = (os.getpid() * 8 + number) % (1 << 15) * 4
        self._address, self._far_address = (f"198.{18 + first // 65536}.{first // 256 % 256}.{first % 256 + end}" for end in (1, 2))
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Lay the cable."""
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        _run("ip", "link", "add", self._near, "type", "veth", "peer", "name", _FAR, "netns", str(self._holder.pid))
        Path(f"/proc/sys/net/ipv4/conf/{self._near}/route_localnet").write_text("1")
        _run("ip", "address", "add", f"{self._address}/30", "dev", self._near)
        _run("ip", "link", "set", self._near, "up")
        self._run_far("sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{_FAR}/route_localnet")
        self._run_far("ip", "address", "add", f"{self._far_address}/30", "dev", _FAR)
        self.restore()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take the cable away. Programs at its far end are without a network from now on."""
        assert self._holder is not None
        _run("ip", "link", "delete", self._near)
        self._holder.communicate()

    def at_far_end(self, *command: str | os.PathLike[str]) -> list[str]:
        """Return the command that runs another one at the far end; signals to its process reach that program itself."""
        assert self._holder is not None
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--", *(os.fspath(word) for word in command)]

    def cut(self) -> None:
        """Take the far end down: who sends from there gets ENETUNREACH."""
        self._run_far("ip", "link", "set", _FAR, "down")

    def cut_silently(self) -> None:
        """Lose every packet in both directions from now on; both ends still believe in the cable."""
        _run("ip", "neighbour", "replace", self._far_address, "lladdr", _NOBODY, "nud", "permanent", "dev", self._near)
        self._run_far("ip", "neighbour", "replace", self._address, "lladdr", _NOBODY, "nud", "permanent", "dev", _FAR)

    def restore(self) -> None:
        """Undo whatever cut; connections that outlived it go on."""
        _run("ip", "neighbour", "flush", "nud", "permanent", "dev", self._near)
        self._run_far("ip", "link", "set", _FAR, "up")
        self._run_far("ip", "neighbour", "flush", "nud", "permanent", "dev", _FAR)
        self._run_far("ip", "route", "replace", "127.0.0.0/8", "via", self._address, "dev", _FAR, "src", self._far_address)

    def _run_far(self, *command: str) -> None:
        _run(*self.at_far_end(*command))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=90)


def interfaces(command: Sequence[str] = ()) -> set[str]:
    """Return the network interfaces there are, here or where a command such as `Cable.at_far_end` makes leads."""
    lines = subprocess.run([*command, "ip", "-brief", "link"], check=True, capture_output=True, text=True, timeout=90).stdout
    return {line.split()[0].partition("@")[0] for line in lines.splitlines()}
