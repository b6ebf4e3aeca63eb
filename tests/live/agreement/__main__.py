"""Compare profiles with their real servers: `python -m tests.live.agreement --server cyrus312`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.live.agreement.compare import compare
from tests.live.agreement.servers import REAL, real_server


def main() -> int:
    """Compare; return 1 if a difference has no known reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.agreement", description=__doc__)
    parser.add_argument("--server", choices=REAL, action="append", help="may be given several times; all by default")
    parser.add_argument("--only", default="", metavar="WORD", help="the scripts whose names contain WORD")
    options = parser.parse_args()
    failed = False
    for profile in options.server or REAL:
        start = time.monotonic()
        with real_server(profile) as open_real:
            result = compare(profile, open_real, options.only)
        sys.stdout.write(f"{result.table()}\n{time.monotonic() - start:.1f} s\n")
        failed = failed or bool(result.unexplained) or (bool(result.outdated) and not options.only)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
