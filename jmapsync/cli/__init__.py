"""The command line: one module per command; commands use the app only."""

from __future__ import annotations

import atexit
import gc

_THRESHOLD = 20_000
"""New objects after which Python collects garbage; its own 700 cost a tenth of the start, in which nothing becomes garbage."""


def main() -> None:
    """Run the program. Results go to standard output; a failure is a message on standard error and an exit code."""
    gc.set_threshold(_THRESHOLD)
    atexit.register(gc.freeze)  # else Python collects garbage once more before it ends: 30 ms of a run with nothing to do
    from jmapsync.cli.program import run_program  # noqa: PLC0415  # so that its imports are made under that threshold

    run_program()
