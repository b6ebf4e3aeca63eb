"""Convert real files: `python -m tests.formats.ical.corpus DIRECTORY...` takes every .ics file below, split by uid.

Of each it demands that file -> objects -> file is stable from the second pass (occurrences.py compares the occurrences).
Prints which objects were refused, with the reason, and whatever else went wrong; exits 1 where anything did.
"""

# ruff: noqa: T201, BLE001  # a report for people, of a runner that is not ours

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.objects import MalformedError
from tests.formats.ical.splitting import objects_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def problems(data: bytes, counts: Counter[str]) -> Iterator[str]:
    """Yield what is wrong with the conversion of the file of one uid."""
    try:
        objects = read_calendar(data)
    except MalformedError as error:
        counts["refused"] += 1
        yield f"refused: {error}"
        return
    except Exception as error:
        counts["raised"] += 1
        yield f"RAISED {error!r}"
        return
    try:
        once = write_calendar(objects)
        again = read_calendar(once)
        twice = write_calendar(again)
        third = read_calendar(twice)
    except Exception as error:
        counts["raised"] += 1
        yield f"RAISED on the way back {error!r}"
        return
    counts["converted"] += 1
    counts["same objects at once"] += objects == again
    if once != twice or again != third:
        counts["unstable"] += 1
        yield f"UNSTABLE\n{_changed(once, twice)}"


def _changed(first: bytes, second: bytes) -> str:
    one, two = first.decode().split("\r\n"), second.decode().split("\r\n")
    return "\n".join(
        [f"  - {line}" for line in one if line not in two][:5] + [f"  + {line}" for line in two if line not in one][:5]
    )


def main(arguments: list[str]) -> int:
    counts: Counter[str] = Counter()
    for name, data in objects_of(arguments):
        counts["objects"] += 1
        for problem in problems(data, counts):
            print(f"{name}: {problem}")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 1 if counts["raised"] + counts["unstable"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
