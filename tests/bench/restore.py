"""Restore a mirror onto an emptied Cyrus account, prove it complete, and restore once more, which must send nothing.

As a program: `python -m tests.bench.restore --messages 10000`. Prints a line a step; exits with 1 when one is not as it should be.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import measure
from tests.bench.ours import Jmapsync, precompile
from tests.bench.seed import seed, verify
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap

if TYPE_CHECKING:
    from tests.bench.measure import Cost

USER, PASSWORD = "alice", "secret"
_BATCH = 500


def run(mirror: Jmapsync, command: str) -> tuple[Cost, str]:
    """Run a command for the account; return what it cost and what it printed."""
    cost = measure(
        [str(Path(sys.executable).with_name("jmapsync")), "-c", str(mirror.config), command], mirror.log, mirror.environment
    )
    return cost, mirror.log.read_text()


def wipe(jmap: Jmap) -> None:
    """Destroy every email, as another client may, or an accident."""
    ids = list(jmap.emails(["id"]))
    for start in range(0, len(ids), _BATCH):
        answer = jmap.one("Email/set", {"destroy": ids[start : start + _BATCH]})
        if answer.get("notDestroyed"):
            raise AssertionError(f"Cyrus kept {answer['notDestroyed']}")
    if jmap.emails(["id"]):
        raise AssertionError("the account is not empty")


def restore(server: Cyrus, directory: Path, count: int) -> bool:
    """Measure on a server; return whether everything is as it should be."""
    server.create_user(USER, PASSWORD)
    with Imap(server.imap_port, USER, PASSWORD) as imap:
        octets = seed(imap, count)
    mirror = Jmapsync(directory / "mirror", server.jmap_url, USER, PASSWORD)
    mirror.run()
    with Jmap(server.jmap_url, USER, PASSWORD) as jmap:
        wipe(jmap)
        cost, reported = run(mirror, "restore")
        sent = f"{count:,} created on the server" in reported and f"; 0 of {count:,} were there already" in reported
        sys.stdout.write(f"restore of {count:,} messages, {octets / 1e6:.1f} MB: {cost}\n  {reported}")
        verify(jmap, count)
    cost, reported = run(mirror, "verify")
    clean = re.search(rf"complete \({count:,} items", reported) is not None
    sys.stdout.write(f"verify: {cost}\n  {reported.splitlines()[-1]}\n")
    cost, reported = run(mirror, "restore")
    nothing = f"nothing to send; {count:,} of {count:,} were there already" in reported
    sys.stdout.write(f"second restore: {cost}\n  {reported}")
    return sent and clean and nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavour", choices=FLAVOURS, default="3.12")
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args()
    precompile()
    with Cyrus.start(options.flavour) as server, tempfile.TemporaryDirectory() as directory:
        done = restore(server, Path(directory), options.messages)
    sys.stdout.write("as it should be\n" if done else "NOT as it should be\n")
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    main()
