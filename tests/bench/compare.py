"""Compare jmapsync with mbsync and with the floor, on one real Cyrus in one run; print medians and ratios.

`python -m tests.bench.compare 3.12 --messages 10000 --rounds 5`. Needs root and what tests/live/provision installs.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmapsync
from tests.bench.mbsync import Mbsync
from tests.bench.measure import Cost, measure
from tests.bench.seed import seed, verify
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap

if TYPE_CHECKING:
    from collections.abc import Iterable

USER, PASSWORD = "alice", "secret"
_CONFIG = """\
[accounts.bench]
url = "{url}"
user = "{user}"
auth = "basic"
password_file = "{secret}"

[accounts.bench.mail]
path = "{root}"
"""


class Jmapsync:
    """A mirror of one account by the installed command, in `directory`, which is made."""

    def __init__(self, directory: Path, server: Cyrus) -> None:
        directory.mkdir(parents=True)
        self.root = directory / "mail"
        self.log = directory / "log"
        self.config = directory / "config.toml"
        secret = directory / "secret"
        secret.touch(mode=0o600)
        secret.write_text(PASSWORD + "\n")
        self.config.write_text(_CONFIG.format(url=server.jmap_url, user=USER, secret=secret, root=self.root))
        self.environment = {**os.environ, "XDG_STATE_HOME": str(directory / "state")}

    def run(self) -> tuple[Cost, dict[str, Any]]:
        """Synchronise once; return what it cost and the report."""
        command = [str(Path(sys.executable).with_name("jmapsync")), "-q", "-c", str(self.config), "sync", "--json"]
        cost = measure(command, self.log, self.environment)
        return cost, json.loads(self.log.read_text())["accounts"]["bench"]

    def flag(self, count: int) -> None:
        """Mark unflagged messages as flagged, as a mail program does."""
        left = count
        for file in sorted(self.root.glob("**/cur/*")):
            name, _, letters = file.name.partition(":2,")
            if left and "F" not in letters:
                file.rename(file.with_name(f"{name}:2,{''.join(sorted(letters + 'F'))}"))
                left -= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavour", choices=FLAVOURS)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with Cyrus.start(options.flavour) as server, tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        server.create_user(USER, PASSWORD)
        with Imap(server.imap_port, USER, PASSWORD) as imap:
            octets = seed(imap, options.messages)
        with Jmap(server.jmap_url, USER, PASSWORD) as jmap:
            verify(jmap, options.messages)
        _say(f"Cyrus {server.version}: {options.messages} messages, {octets / 1e6:.1f} MB, {options.rounds} rounds")
        # As an installation does it; an environment that forbids bytecode would time the compiler.
        compileall.compile_dir(Path(jmapsync.__file__).parent, quiet=1)
        _compare(server, Path(name), options.rounds)


def _compare(server: Cyrus, directory: Path, rounds: int) -> None:
    floor: list[Cost] = []
    ours: list[Cost] = []
    theirs: list[Cost] = []
    our_idle: list[Cost] = []
    their_idle: list[Cost] = []
    requests = idle_requests = 0
    for number in range(rounds):
        place = directory / str(number)
        command = [sys.executable, "-m", "tests.bench.floor", server.jmap_url, USER, PASSWORD]
        floor.append(measure(command, directory / "floor.log"))
        mirror = Jmapsync(place / "jmapsync", server)
        cost, report = mirror.run()
        ours.append(cost)
        requests = report["requests"]
        cost, report = mirror.run()
        our_idle.append(cost)
        idle_requests = report["requests"]
        peer = Mbsync(place / "mbsync", server, USER, PASSWORD)
        theirs.append(peer.run())
        their_idle.append(peer.run())
        _say(f"round {number + 1}: floor {floor[-1]}; jmapsync {ours[-1]}; mbsync {theirs[-1]}")
        _say(f"         nothing to do: jmapsync {our_idle[-1]}; mbsync {their_idle[-1]}")
        if number == rounds - 1:
            mirror.flag(1000)
            cost, report = mirror.run()
            sent = report["kinds"]["mail"]["to_server"]["updated"]
            _say(f"{sent} flag changes pushed: {cost}, {report['requests']} requests")
        shutil.rmtree(place)
    _say(f"first pull: jmapsync {_wall(ours):.2f} s in {requests} requests, peak {max(one.peak for one in ours):.0f} MB;")
    _say(f"  {_wall(theirs) / _wall(ours):.2f} times faster than mbsync ({_wall(theirs):.2f} s),")
    _say(f"  {_wall(ours) / _wall(floor):.2f} times the floor ({_wall(floor):.2f} s)")
    _say(f"nothing to do: jmapsync {_wall(our_idle):.3f} s in {idle_requests} request(s), mbsync {_wall(their_idle):.3f} s,")
    _say(f"  ratio {_wall(our_idle) / _wall(their_idle):.2f}")


def _wall(costs: Iterable[Cost]) -> float:
    return statistics.median(one.wall for one in costs)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
