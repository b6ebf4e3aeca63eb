"""Measure what commands cost that have nothing to do, beside a bare interpreter: processor time, medians of interleaved rounds.

`python -m tests.bench.idle [--messages 200 200000] [--rounds 9]`. Each mirror is pulled from the embedded server first, with
contacts and calendars beside the mail, and is left alone until its directories are old enough to be trusted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.storage.files.directory_stamps import OLD
from tests.bench.measure import measure
from tests.bench.ours import Jmapsync, precompile
from tests.bench.scale import PASSWORD, USER, Demo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIZE = 500
"""Octets of a message: only their number counts here."""
_KINDS = """
[accounts.bench.contacts]
path = "{0}/contacts"

[accounts.bench.calendars]
path = "{0}/calendars"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, nargs="*", default=[200, 200_000])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    precompile()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        program = str(Path(sys.executable).with_name("jmapsync"))
        commands: dict[str, Sequence[str]] = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "--help": [program, "--help"],
            "--version": [program, "--version"],
        }
        environments: dict[str, Mapping[str, str]] = {}
        for count in options.messages:
            demo = stack.enter_context(Demo.start(count, SIZE, contacts=100, events=100))
            mirror = _pulled(directory / str(count), demo)
            for name, arguments in (("status", ["status"]), ("mailboxes", ["mailboxes"]), ("sync", ["-q", "sync"])):
                commands[f"{name}, {count:,} messages"] = [program, "-c", str(mirror.config), *arguments]
                environments[f"{name}, {count:,} messages"] = mirror.environment
        found: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                found[name].append(measure(command, directory / "log", environments.get(name)).cpu)
        for name, seconds in found.items():
            sys.stdout.write(f"{name:30} {statistics.median(seconds):.3f} s of CPU (least {min(seconds):.3f})\n")


def _pulled(place: Path, demo: Demo) -> Jmapsync:
    """Return a mirror of an account in which nothing is to do, and whose directories are known by their stamps."""
    mirror = Jmapsync(place, demo.url, USER, PASSWORD)
    with mirror.config.open("a", encoding="utf-8") as file:
        file.write(_KINDS.format(place))
    mirror.run()
    for _ in range(2):
        time.sleep(1.5 * OLD / 1e9)
        _, report = mirror.run()
    assert report["requests"] == 1, report
    return mirror


if __name__ == "__main__":
    main()
