"""Compare jmapsync with mbsync and with the floor, on one real Cyrus in one run; print medians and ratios.

`python -m tests.bench.compare 3.12 --messages 10000 --rounds 5`. Needs root and what tests/live/provision installs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.mbsync import Mbsync
from tests.bench.measure import Cost, measure
from tests.bench.ours import Jmapsync, precompile
from tests.bench.seed import seed, verify
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap

if TYPE_CHECKING:
    from collections.abc import Iterable

USER, PASSWORD = "alice", "secret"


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
        precompile()
        _compare(server, Path(name), options.rounds)


def _compare(server: Cyrus, directory: Path, rounds: int) -> None:
    floor: list[Cost] = []
    kept: list[Cost] = []
    ours: list[Cost] = []
    theirs: list[Cost] = []
    our_idle: list[Cost] = []
    their_idle: list[Cost] = []
    requests = idle_requests = 0
    for number in range(rounds):
        # Each round's mirrors stay until the end: ext4 makes files several times as slowly while many were just deleted.
        place = directory / str(number)
        command = [sys.executable, "-m", "tests.bench.floor", server.jmap_url, USER, PASSWORD]
        floor.append(measure(command, directory / "floor.log"))
        (place / "kept").mkdir(parents=True)
        kept.append(measure([*command, str(place / "kept")], directory / "floor.log"))
        mirror = Jmapsync(place / "jmapsync", server.jmap_url, USER, PASSWORD)
        cost, report = mirror.run()
        ours.append(cost)
        requests = report["requests"]
        cost, report = mirror.run()
        our_idle.append(cost)
        idle_requests = report["requests"]
        peer = Mbsync(place / "mbsync", server, USER, PASSWORD)
        theirs.append(peer.run())
        their_idle.append(peer.run())
        _say(f"round {number + 1}: floor {floor[-1]}; kept as files {kept[-1]}; jmapsync {ours[-1]}; mbsync {theirs[-1]}")
        _say(f"         nothing to do: jmapsync {our_idle[-1]}; mbsync {their_idle[-1]}")
        if number == rounds - 1:
            mirror.flag(1000)
            cost, report = mirror.run()
            sent = report["kinds"]["mail"]["to_server"]["updated"]
            _say(f"{sent} flag changes pushed: {cost}, {report['requests']} requests")
    _say(f"first pull: jmapsync {_wall(ours):.2f} s in {requests} requests, peak {max(one.peak for one in ours):.0f} MB;")
    _say(f"  {_wall(theirs) / _wall(ours):.2f} times faster than mbsync ({_wall(theirs):.2f} s),")
    _say(f"  {_wall(ours) / _wall(floor):.2f} times the floor ({_wall(floor):.2f} s),")
    _say(f"  {_wall(ours) / _wall(kept):.2f} times the floor that keeps what it gets as files ({_wall(kept):.2f} s)")
    _say(f"nothing to do: jmapsync {_wall(our_idle):.3f} s in {idle_requests} request(s), mbsync {_wall(their_idle):.3f} s,")
    _say(f"  ratio {_wall(our_idle) / _wall(their_idle):.2f}")


def _wall(costs: Iterable[Cost]) -> float:
    return statistics.median(one.wall for one in costs)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
