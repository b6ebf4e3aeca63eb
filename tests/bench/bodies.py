"""Compare first pulls from a server without Blob/get: jmapsync by libcurl, by httpx where asked for, and mbsync.

`python -m tests.bench.bodies --messages 10000 --rounds 5 [--httpx]`. Needs root and what tests/live/provision installs: Cyrus 3.6
offers Blob/get only as an extension of its own, which `jmap_nonstandard_extensions: no` hides.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.daemon import say
from tests.bench.mbsync import Mbsync
from tests.bench.ours import Jmapsync, precompile
from tests.bench.seed import seed
from tests.live.cyrus import Cyrus
from tests.live.imap import Imap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.measure import Cost

USER, PASSWORD = "alice", "secret"
HIDDEN = "jmap_nonstandard_extensions: no\n"


def main() -> None:
    """Seed one server and pull from it again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--httpx", action="store_true", help="also pull as where pycurl cannot be imported")
    options = parser.parse_args()
    with Cyrus.start("3.6", settings=HIDDEN) as server, tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        server.create_user(USER, PASSWORD)
        with Imap(server.imap_port, USER, PASSWORD) as imap:
            octets = seed(imap, options.messages)
        say(f"Cyrus {server.version} without Blob/get: {options.messages} messages, {octets / 1e6:.1f} MB")
        precompile()
        _ours(server, Path(name) / "warm", options.messages)  # what the caches of both sides lack at first
        kinds: dict[str, Callable[[Path], Cost]] = {
            "jmapsync": lambda place: _ours(server, place, options.messages),
            "mbsync": lambda place: Mbsync(place, server, USER, PASSWORD).run(),
        }
        if options.httpx:
            kinds["jmapsync by httpx"] = lambda place: _ours(server, place, options.messages, without=("pycurl",))
        costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
        for number in range(options.rounds):
            for kind, pull in kinds.items():
                costs[kind].append(pull(Path(name) / f"{number}-{kind.rpartition(' ')[2]}"))
                say(f"round {number + 1}, load {os.getloadavg()[0]:.1f}: {kind} {costs[kind][-1]}")
        theirs = statistics.median(one.wall for one in costs["mbsync"])
        for kind, some in costs.items():
            wall, cpu = statistics.median(one.wall for one in some), statistics.median(one.cpu for one in some)
            say(
                f"{kind}: median {wall:.2f} s, {theirs / wall:.2f} times as fast as mbsync, "
                f"{1000 * cpu / options.messages:.2f} ms of CPU a message, peak {max(one.peak for one in some):.0f} MB"
            )


def _ours(server: Cyrus, place: Path, messages: int, *, without: tuple[str, ...] = ()) -> Cost:
    mirror = Jmapsync(place, server.jmap_url, USER, PASSWORD)
    for module in without:
        (place / f"{module}.py").write_text("raise ImportError\n")
        mirror.environment["PYTHONPATH"] = str(place)
    cost, report = mirror.run()
    assert report["requests"] > messages, "the server offers Blob/get"
    return cost


if __name__ == "__main__":
    main()
