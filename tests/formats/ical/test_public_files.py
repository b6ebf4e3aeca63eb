"""The files that the packages of the tests carry: occurrences stay, and no program refuses what is written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from jmapsync.formats.objects import MalformedError
from tests.formats.ical.occurrences import CAUSES, difference, known
from tests.formats.ical.splitting import objects_of


def carried() -> list[str]:
    """Return the directories of installed packages that have iCalendar files."""
    found = []
    for package, place in (("icalendar", "tests"), ("recurring_ical_events", "test/calendars")):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        found.append(str(Path(spec.origin).parent / place))
    return found


def test_occurrences_differ_only_where_the_file_or_the_library_is_at_fault() -> None:
    listed = known()
    assert set(listed.values()) <= CAUSES.keys()
    compared = 0
    for name, data in objects_of(carried()):
        try:
            found = difference(data)
        except MalformedError:
            continue
        compared += 1
        assert found is None or listed.get(found.key) == found.cause, (name, found)
    assert compared > 300
