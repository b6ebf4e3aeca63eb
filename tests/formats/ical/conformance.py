"""Run the examples of the conversion draft through our converter, with the draft authors' own runner.

`python -m tests.formats.ical.conformance PATH [-v]`: PATH is a checkout of github.com/rsto/draft-ietf-calext-jscalendar, which is
not part of this project. Prints the score of each direction; with -v also what was expected of each example that failed.
"""

# ruff: noqa: T201, ANN401  # a report for people, of a runner that is not ours

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from jmapsync.formats.ical import read_group, write_group

FAULTY: dict[str, str] = {}
"""Printed examples that are themselves in error, each with its reason."""
XML = "draft-ietf-calext-jscalendar-icalendar.xml"


class Backend:
    """Stands for the HTTP backend that the runner asks."""

    def convert_to_jgroup(self, ical: bytes) -> bytes:
        return json.dumps(read_group(ical)).encode()

    def convert_to_ical(self, jscal: dict[str, Any]) -> bytes:
        return write_group(jscal)


def main(arguments: list[str]) -> int:
    verbose = "-v" in arguments
    places = [argument for argument in arguments if argument != "-v"]
    if len(places) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    sys.path.insert(0, places[0])
    runner = importlib.import_module("rfctest.rfctest")
    tests = runner.find_tests(str(Path(places[0]) / XML))
    backend = Backend()
    failed = 0
    for direction, attribute in (("iCalendar to JSCalendar", "i2jresult"), ("JSCalendar to iCalendar", "j2iresult")):
        good = 0
        for test in tests:
            if getattr(test, attribute) is None:
                test.run(backend)
            result = getattr(test, attribute)
            if result.outcome() == "success":
                good += 1
                continue
            reason = FAULTY.get(test.name)
            print(f"  {test.name}: {result.outcome()}{f' (in error as printed: {reason})' if reason else ''}")
            failed += reason is None
            if verbose:
                show(test, result)
        print(f"{direction}: {good} of {len(tests)}")
    return 1 if failed else 0


def show(test: Any, result: Any) -> None:
    if result.error is not None:
        print(f"    {result.error!r}")
        return
    print(test.icaltext, test.jscaltext, result.response.decode(), sep="\n----\n")
    print(vars(getattr(result, "json_diff", None) or result.ical_diff))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
