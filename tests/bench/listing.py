"""Time the scan of a mirror's files at the beginning of a run, when none of them changed.

As a program: `python -m tests.bench.listing LEDGER ROOT`; prints the number of files, and of three scans the seconds and
the seconds of CPU.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from jmapsync.ledger import Ledger
from jmapsync.storage.maildir.side import MaildirSide

RUNS = 3


def main() -> None:
    ledger_path, root = map(Path, sys.argv[1:])
    ledger = Ledger.open_readonly(ledger_path)
    assert ledger is not None
    side = MaildirSide(root, root / "spool", dry=True)
    files = sum(1 for key in ledger.folders() for _ in ledger.places_in(key))
    seconds, cpu = [], []
    for _ in range(RUNS):
        started, used = time.monotonic(), time.process_time()
        observed = side.observe_items(ledger)
        seconds.append(time.monotonic() - started)
        cpu.append(time.process_time() - used)
        differences = len(observed.items) + len(observed.gone) + len(observed.problems) + len(observed.moved)
        assert not differences, "The files are not as the ledger has them."
    sys.stdout.write(f"{files} {' '.join(f'{one:.3f}' for one in seconds + cpu)}\n")


if __name__ == "__main__":
    main()
