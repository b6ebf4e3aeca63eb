"""Write versions as one line of text each, and read them back.

Fields are parted by a tab: body, sense, tags, homes, leaving, untidy. A sense equal to the body is written `=`, which
halves the ledger of a mail account. No field can hold a tab: keywords and digests have none, and names escape it.
"""

from __future__ import annotations

from functools import lru_cache

from jmapsync.planner.model import NO_TAGS, NOTHING, Homes, Tags, Version


def encode(version: Version) -> str:
    """Return the line for a version."""
    sense = "=" if version.sense and version.sense == version.body else version.sense
    body = version.body.replace("\\", "\\\\").replace("\t", "\\t") if version.body else ""
    return "\t".join(
        (
            body,
            sense,
            " ".join(sorted(version.tags)),
            _numbers(version.homes),
            _numbers(version.leaving),
            "1" if version.untidy else "",
        )
    )


def decode(line: str) -> Version:
    """Return the version of a line written by `encode`."""
    body, sense, tags, homes, leaving, untidy = line.split("\t")
    if "\\" in body:
        body = "\\".join(part.replace("\\t", "\t") for part in body.split("\\\\"))
    return Version(
        body,
        body if sense == "=" else sense,
        _tags(tags),
        _homes(homes),
        _homes(leaving),
        bool(untidy),
    )


def _numbers(homes: Homes) -> str:
    return " ".join(map(str, sorted(homes)))


@lru_cache(maxsize=4096)
def _tags(text: str) -> Tags:
    return frozenset(text.split(" ")) if text else NO_TAGS


@lru_cache(maxsize=4096)
def _homes(text: str) -> Homes:
    return frozenset(map(int, text.split(" "))) if text else NOTHING
