"""Feed the converters spoilt files and objects: `python -m tests.formats.fuzz --minutes 60 [--seed N] [--corpus DIR]`.

Every input must be converted or refused with MalformedError, within 5 seconds, without growth of memory, and what is written must
be read as what it was written from. Prints each kind of fault once, leaves its input in --faults, goes on, and exits 1 at the end.
`--replay FILE...` runs inputs that were left there.
"""

# ruff: noqa: T201  # a report for people

from __future__ import annotations

import argparse
import sys

from tests.formats.fuzz.run import Run, replay
from tests.formats.fuzz.seeds import gather


def main() -> int:
    """Run the command; return 1 if there was a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.formats.fuzz")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", action="append", default=[], help="a directory with more .ics, .vcf and .vcard files")
    parser.add_argument("--faults", default="/tmp/fuzz/faults")
    parser.add_argument("--replay", nargs="+", default=[])
    args = parser.parse_args()
    if args.replay:
        return replay(args.replay)
    run = Run(gather(args.corpus), args.seed, args.faults)
    run.go(args.minutes * 60)
    print(run.report())
    return 1 if run.faults or run.has_grown() else 0


if __name__ == "__main__":
    sys.exit(main())
