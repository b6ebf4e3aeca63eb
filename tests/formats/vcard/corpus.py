"""Convert real files: `python -m tests.formats.vcard.corpus PATH...` takes every .vcf and .vcard file below, card by card.

Of each it demands that it is converted, or refused in words, and that card -> file -> card means the same: in 4.0 at once, in 3.0
from the second pass on. Prints which cards were refused, with the reason, and whatever else went wrong; exits 1 where anything did.
"""

# ruff: noqa: T201, BLE001  # a report for people

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.formats.canonical import sense
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.vcard import read_card, write_card

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.vcard import Version

SUFFIXES = frozenset({".vcf", ".vcard"})


def split(data: bytes) -> list[bytes]:
    """Return a file of many cards as one file for each; as it is where its cards do not nest."""
    cards: list[bytes] = []
    lines: list[bytes] = []
    depth = 0
    for line in re.split(rb"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf")):
        mark = line.strip().upper()
        depth += (mark == b"BEGIN:VCARD") - (mark == b"END:VCARD")
        if lines or line.strip():
            lines.append(line)
        if mark == b"END:VCARD" and depth == 0:
            cards.append(b"\r\n".join([*lines, b""]))
            lines = []
    return [data] if depth or lines or not cards else cards


def problems(data: bytes, counts: Counter[str]) -> Iterator[str]:
    """Yield what is wrong with the conversion of a card."""
    try:
        card = read_card(data)
    except MalformedError as error:
        counts["refused"] += 1
        yield f"refused: {error}"
        return
    except Exception as error:
        counts["raised"] += 1
        yield f"RAISED {error!r}"
        return
    counts["converted"] += 1
    versions: tuple[Version, ...] = ("3.0", "4.0")
    for version in versions:
        try:
            once = write_card(card, version)
            again = read_card(once)
            twice = write_card(again, version)
            third = read_card(twice)
        except Exception as error:
            counts["raised"] += 1
            yield f"RAISED on the way back through {version}: {error!r}"
            continue
        counts[f"same through {version} at once"] += sense(again) == sense(card)
        if sense(third) != sense(again) or write_card(third, version) != twice:
            counts["unstable"] += 1
            yield f"UNSTABLE through {version}\n{_changed(once, twice)}"
        if version == "4.0" and sense(again) != sense(card):
            counts["changed"] += 1
            yield f"CHANGED by {version}\n{_changed(data, once)}"


def _changed(first: bytes, second: bytes) -> str:
    one, two = (data.decode("utf-8", "replace").replace("\r\n ", "").split("\r\n") for data in (first, second))
    return "\n".join(
        [f"  - {line}" for line in one if line not in two][:5] + [f"  + {line}" for line in two if line not in one][:5]
    )


def main(arguments: list[str]) -> int:
    found = [path for top in map(Path, arguments) for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    names = [path for path in found if path.suffix.lower() in SUFFIXES and path.is_file()]
    counts: Counter[str] = Counter()
    for name in names:
        for card in split(name.read_bytes()):
            counts["cards"] += 1
            for problem in problems(card, counts):
                print(f"{name}: {problem}")
    print(f"{len(names)} files: {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}")
    return 1 if counts["raised"] + counts["unstable"] + counts["changed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
