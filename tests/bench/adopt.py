"""Adopt a tree that mbsync or offlineimap filled from the same Cyrus, and say what share of a full download it takes.

As a program: `python -m tests.bench.adopt --messages 10000 [--program offlineimap]`. Prints a line a measurement; exits with 1 when
a goal is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.mbsync import Mbsync
from tests.bench.offlineimap import Offlineimap
from tests.bench.ours import Jmapsync
from tests.bench.seed import seed
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS: dict[str, Callable[[Path, Cyrus, str, str], Mbsync | Offlineimap]] = {
    "mbsync": Mbsync,
    "offlineimap": Offlineimap,
    "offlineimap-utf7": partial(Offlineimap, utf8=False),
}
UNKNOWN = {"mbsync": "", "offlineimap": "P", "offlineimap-utf7": "P"}
"""Flag letters that a program does not bring, so that the adoption adds them."""
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
    """Messages made anew by a further run, and made or removed by the other program's next one, here or on the server."""
    foreign_kept: bool
    """Whether the other program's own files are byte for byte as they were."""
    provable: float
    """The share of files from which the server's bytes can be had again: from 0 to 1."""
    conflict_copies: int
    """Files that only resembled a message, kept as conflict copies."""

    @property
    def share(self) -> float:
        """Return the per cent of a full download."""
        return 100 * self.taken / self.full

    @property
    def intact(self) -> bool:
        """Return whether nothing but bytes may be complained of."""
        return not (self.created or self.added or self.rest) and self.flags_kept and self.foreign_kept


def adopt(server: Cyrus, directory: Path, user: str = USER, password: str = PASSWORD, *, program: str = "mbsync") -> Outcome:
    """Mirror the account of a seeded server with another program, then let jmapsync take the tree over."""
    other = PROGRAMS[program](directory / program, server, user, password)
    other.run()
    with Jmap(server.jmap_url, user, password) as jmap:
        blobs = {email["blobId"] for email in jmap.emails(["id", "blobId"]).values()}
        count = len(jmap.emails(["id"]))
    provable = _provable(other.root, blobs)
    _, fresh = Jmapsync(directory / "fresh", server.jmap_url, user, password).run()
    before, foreign = _letters(other.root, UNKNOWN[program]), _foreign(other.root)
    ours = Jmapsync(directory / "ours", server.jmap_url, user, password)
    other.root.rename(ours.root)
    _, report = ours.run()
    after = _letters(ours.root, UNKNOWN[program])
    kept = _foreign(ours.root) == foreign
    _, again = ours.run()
    ours.root.rename(other.root)
    other.run()
    with Jmap(server.jmap_url, user, password) as jmap:
        drift = abs(len(jmap.emails(["id"])) - count)
    return Outcome(
        fresh["bytes"],
        report["bytes"],
        _created(report),
        after.total() - before.total(),
        after == before,
        _created(again) + abs(_letters(other.root, "").total() - before.total()) + drift,
        kept,
        provable,
        report["kinds"]["mail"]["conflicts"],
    )


def _provable(root: Path, blobs: set[str]) -> float:
    """Return the share of files that are messages of the server but for line ends and mbsync's line; Cyrus names blobs by SHA-1."""
    files = [file for name in ("cur", "new") for file in root.glob(f"**/{name}/*")]
    equal = 0
    for file in files:
        content = re.sub(rb"^X-TUID: .*\n", b"", file.read_bytes(), count=1, flags=re.MULTILINE)
        forms = (content, content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        equal += any("G" + hashlib.sha1(form).hexdigest() in blobs for form in forms)
    return equal / len(files)


def _created(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> int:
    mail = report["kinds"]["mail"]
    return mail["to_disk"]["created"] + mail["to_server"]["created"]


def _letters(root: Path, but: str) -> Counter[tuple[str, str]]:
    """Count the files of each folder by their letters, but some; lower-case ones are new, the others know none."""
    found: Counter[tuple[str, str]] = Counter()
    for file in (file for name in ("cur", "new") for file in root.glob(f"**/{name}/*")):
        letters = "".join(letter for letter in file.name.partition(":2,")[2] if letter.isupper() and letter not in but)
        found[str(file.parent.parent.relative_to(root)), letters] += 1
    return found


def _foreign(root: Path) -> dict[str, bytes]:
    """Return the files that mbsync keeps in the tree; offlineimap keeps none there."""
    return {
        str(file.relative_to(root)): file.read_bytes() for name in (".mbsyncstate", ".uidvalidity") for file in root.rglob(name)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavour", choices=FLAVOURS, default="3.12")
    parser.add_argument("--program", choices=PROGRAMS, default="mbsync")
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args()
    with Cyrus.start(options.flavour) as server, tempfile.TemporaryDirectory() as directory:
        server.create_user(USER, PASSWORD)
        with Imap(server.imap_port, USER, PASSWORD) as imap:
            seed(imap, options.messages)
        outcome = adopt(server, Path(directory), program=options.program)
    sys.stdout.write(
        f"full download: {outcome.full} octets; adoption: {outcome.taken} octets, {outcome.share:.2f} %\n"
        f"made anew: {outcome.created}; files added: {outcome.added}; by later runs: {outcome.rest}\n"
        f"flags intact: {outcome.flags_kept}; its own files intact: {outcome.foreign_kept}\n"
        f"provably equal: {100 * outcome.provable:.2f} %; conflict copies: {outcome.conflict_copies}\n"
    )
    sys.exit(0 if outcome.intact and outcome.share < GOAL else 1)


if __name__ == "__main__":
    main()
