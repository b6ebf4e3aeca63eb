"""Configure khal for one calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = """\
[calendars]
[[calendar]]
path = {calendar}
color = light blue

[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = {zone}
default_timezone = {zone}

[default]
default_calendar = calendar

[sqlite]
path = {database}
"""


def khal_config(calendar: Path, database: Path, zone: str) -> str:
    """Return a configuration for the calendar of a directory, with khal's own database beside it, in a time zone."""
    return _CONFIG.format(calendar=calendar, database=database, zone=zone)
