"""The files that the packages of the tests carry: occurrences stay, and no program refuses what is written."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.objects import MalformedError
from tests.formats.ical.occurrences import CAUSES, difference, known
from tests.formats.ical.programs import CAUSES as REASONS
from tests.formats.ical.programs import PROGRAMS, Conversion, conversions, refusal
from tests.formats.ical.programs import cause_of as reason_of
from tests.formats.ical.programs import known as known_refusals
from tests.formats.ical.splitting import objects_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def carried() -> list[str]:
    """Return the directories of installed packages that have iCalendar files."""
    found = []
    for package, place in (("icalendar", "tests"), ("recurring_ical_events", "test/calendars")):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        found.append(str(Path(spec.origin).parent / place))
    return found


SMALL = 4000
"""Octets of the files that the gate takes; the commands take all."""


def small() -> Iterator[tuple[str, bytes]]:
    """Yield the objects of the small files."""
    return ((name, data) for name, data in objects_of(carried()) if Path(name).stat().st_size < SMALL)


@pytest.fixture(scope="module")
def written() -> list[Conversion]:
    return list(conversions(small()))


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_refuses_what_is_written(program: str, written: list[Conversion]) -> None:
    listed = known_refusals()
    assert set(listed.values()) <= REASONS.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in written:
            why = refusal(program, each.after)
            assert why is None or listed.get((each.key, program), "unlisted") == reason_of(why, each.after), (each.origin, why)


def test_occurrences_differ_only_where_the_file_or_the_library_is_at_fault() -> None:
    listed = known()
    assert set(listed.values()) <= CAUSES.keys()
    compared = 0
    for name, data in small():
        try:
            found = difference(data)
        except MalformedError:
            continue
        compared += 1
        assert found is None or listed.get(found.key) == found.cause, (name, found)
    assert compared > 200
