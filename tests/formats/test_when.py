"""The time of a message is read as people write it for at(1)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.when import read_when

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def read(text: str) -> str:
    now = datetime(2026, 3, 28, 11, 0, tzinfo=UTC).astimezone()  # noon in Berlin, the day before the clocks change
    return f"{read_when(text, now).astimezone(UTC):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18:30", "03-28 17:30"),
        ("11:00", "03-29 09:00"),
        ("today 12:01", "03-28 11:01"),
        ("tomorrow 8:00", "03-29 06:00"),
        ("2026-12-24 18:30", "12-24 17:30"),
        ("2026-12-24T18:30Z", "12-24 18:30"),
        ("2026-12-24T18:30:00+05:00", "12-24 13:30"),
        ("2026-03-29 02:30", "03-29 01:30"),
        ("+30m", "03-28 11:30"),
        ("+1d", "03-29 11:00"),
        ("now + 2 hours", "03-28 13:00"),
        ("+ 1 week", "04-04 11:00"),
    ],
)
def test_a_time_is_read_in_the_local_zone(text: str, moment: str) -> None:
    assert read(text) == moment


@pytest.mark.parametrize("text", ["", "noon", "25:00", "2026-12-24", "2026-13-01 10:00", "+999999w", "-1h", "8", "12:00 tomorrow"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as"):
        read(text)


@pytest.mark.parametrize("text", ["2026-03-28 11:59", "today 11:00", "+0m", "2026-03-28T11:00Z"])
def test_a_time_that_has_passed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has passed"):
        read(text)
