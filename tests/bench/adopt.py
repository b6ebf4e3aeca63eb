"""Adopt a tree that mbsync filled from the same Cyrus, and say what share of a full download it takes.

As a program: `python -m tests.bench.adopt --messages 10000`. Prints a line a measurement; exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.bench.mbsync import Mbsync
from tests.bench.ours import Jmapsync
from tests.bench.seed import seed
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap

USER, PASSWORD = "alice", "secret"
GOAL = 2.0
"""Per cent of the bytes of a full download."""


@dataclass(frozen=True)
class Outcome:
    """What adopting a tree took, and what it left behind."""

    full: int
    """Octets from the server for a download into an empty folder."""
    taken: int
    """Octets from the server for the adoption."""
    created: int
    """Messages that the adoption made anew, on either side."""
    added: int
    """Files that the tree has more than before, or fewer if negative."""
    flags_kept: bool
    rest: int
    """Messages made anew by a further run, and by mbsync's next one."""
    foreign_kept: bool
    """Whether mbsync's own files are byte for byte as they were."""

    @property
    def share(self) -> float:
        """Return the per cent of a full download."""
        return 100 * self.taken / self.full

    @property
    def intact(self) -> bool:
        """Tell whether nothing but bytes may be complained of."""
        return not (self.created or self.added or self.rest) and self.flags_kept and self.foreign_kept


def adopt(server: Cyrus, directory: Path, user: str = USER, password: str = PASSWORD) -> Outcome:
    """Mirror the account of a seeded server with mbsync, then let jmapsync take the tree over."""
    mbsync = Mbsync(directory / "mbsync", server, user, password)
    mbsync.run()
    _, fresh = Jmapsync(directory / "fresh", server.jmap_url, user, password).run()
    before, foreign = _letters(mbsync.root), _foreign(mbsync.root)
    ours = Jmapsync(directory / "ours", server.jmap_url, user, password)
    mbsync.root.rename(ours.root)
    _, report = ours.run()
    after = _letters(ours.root)
    kept = _foreign(ours.root) == foreign
    _, again = ours.run()
    ours.root.rename(mbsync.root)
    mbsync.run()
    return Outcome(
        fresh["bytes"],
        report["bytes"],
        _created(report),
        after.total() - before.total(),
        after == before,
        _created(again) + abs(_letters(mbsync.root).total() - before.total()),
        kept,
    )


def _created(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> int:
    mail = report["kinds"]["mail"]
    return mail["to_disk"]["created"] + mail["to_server"]["created"]


def _letters(root: Path) -> Counter[tuple[str, str]]:
    """Count the files of each folder by their letters; lower-case ones are new, mbsync knows none."""
    files = (file for name in ("cur", "new") for file in root.glob(f"**/{name}/*"))
    return Counter(
        (str(file.parent.parent.relative_to(root)), "".join(filter(str.isupper, file.name.partition(":2,")[2]))) for file in files
    )


def _foreign(root: Path) -> dict[str, bytes]:
    """Return mbsync's own files."""
    return {
        str(file.relative_to(root)): file.read_bytes() for name in (".mbsyncstate", ".uidvalidity") for file in root.rglob(name)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavour", choices=FLAVOURS, default="3.12")
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args()
    with Cyrus.start(options.flavour) as server, tempfile.TemporaryDirectory() as directory:
        server.create_user(USER, PASSWORD)
        with Imap(server.imap_port, USER, PASSWORD) as imap:
            seed(imap, options.messages)
        outcome = adopt(server, Path(directory))
    sys.stdout.write(
        f"full download: {outcome.full} octets; adoption: {outcome.taken} octets, {outcome.share:.2f} %\n"
        f"made anew: {outcome.created}; files added: {outcome.added}; by later runs: {outcome.rest}\n"
        f"flags intact: {outcome.flags_kept}; mbsync's files intact: {outcome.foreign_kept}\n"
    )
    sys.exit(0 if outcome.intact and outcome.share < GOAL else 1)


if __name__ == "__main__":
    main()
