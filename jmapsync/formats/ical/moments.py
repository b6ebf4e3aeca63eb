"""Convert date-times: dates, floating, UTC and zoned ones (draft-ietf-calext-jscalendar-icalendar, 2.1.4, 2.1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.checks import Clock
from jmapsync.formats.contentline import Line, write_params
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.fields import MIDNIGHT, basic, basic_date, to_local
from jmapsync.formats.ical.zones import UTC_ZONE, is_zone, moved, vtimezone, years, zone_of_name, zone_of_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.objects import Object


class Moment(NamedTuple):
    """The date-time of a line."""

    local: str
    """A LocalDateTime."""
    form: str
    """"date", "local" or "utc"."""
    zone: str | None
    """The IANA name of its zone."""
    tzid: str | None
    """The TZID, if it is not an IANA name."""


class Source:
    """The time zones of a file being read."""

    __slots__ = ("_clock", "_known", "_year", "vtimezones")

    def __init__(self, components: Iterable[Component]) -> None:
        self.vtimezones: dict[str, Component] = {}
        for component in components:
            if component.name == "VTIMEZONE" and (tzid := component.first("TZID")) is not None:
                self.vtimezones.setdefault(tzid.value, component)
        self._known: dict[str, str | None] = {}
        self._clock = Clock()
        self._year = 0

    def start(self, lines: Iterable[Line]) -> None:
        """Set the year from which the zones of the file are compared: that of its first start."""
        for line in lines:
            found = to_local(line.value)
            if found is not None and not self._year:
                self._year = int(found[0][:4])

    def zone(self, tzid: str) -> str | None:
        """Return the IANA zone of a TZID: by its name, by X-LIC-LOCATION of its VTIMEZONE, or by its rules."""
        if tzid not in self._known:
            component = self.vtimezones.get(tzid)
            self._known[tzid] = zone_of_tzid(tzid, None if component is None else list(_lines(component)), self._year, self._clock)
        return self._known[tzid]

    def keep(self, reading: Reading, tzid: str) -> None:
        """Keep the VTIMEZONE of a TZID that is not an IANA name."""
        if (component := self.vtimezones.get(tzid)) is not None:
            reading.keep_jcal(jcal.from_component(component))

    def keep_all(self, reading: Reading) -> None:
        """Keep the VTIMEZONEs of the kept lines."""
        for tzid in sorted(reading.kept_zones()):
            if self.zone(tzid) != tzid:
                self.keep(reading, tzid)


def _lines(component: Component) -> Iterable[str]:
    yield f"BEGIN:{component.name}"
    for line in component.lines:
        yield f"{line.name}{write_params(line.params)}:{line.value}"
    for inner in component.components:
        yield from _lines(inner)
    yield f"END:{component.name}"


def zone_of_tzid(tzid: str, lines: list[str] | None, year: int, clock: Clock) -> str | None:
    """Return the IANA zone of a TZID; `lines` are those of its VTIMEZONE, if there is one.

    Raise MalformedError if its rules have too many transitions.
    """
    by_name = zone_of_name(tzid)
    if by_name is not None or lines is None:
        return by_name
    for line in lines:
        name, _, value = line.partition(":")
        if name == "X-LIC-LOCATION" and is_zone(value):
            return zone_of_name(value)
    clock.check(lines, year)
    return zone_of_rules("\r\n".join([*lines, ""]), year)


def read_moment(line: Line, source: Source, text: str | None = None) -> Moment | None:
    """Return the date-time of a line, or of one of its values; None if it is invalid."""
    found = to_local(line.value if text is None else text)
    if found is None:
        return None
    local, form = found
    if form == "local" and "VALUE" in line.params and line.params["VALUE"][0].upper() == "DATE" and local.endswith(MIDNIGHT):
        form = "date"
    if form == "utc":
        return Moment(local, form, UTC_ZONE, None)
    if form == "date" or "TZID" not in line.params:
        return Moment(local, form, None, None)
    tzid = line.params["TZID"][0]
    zone = source.zone(tzid)
    return Moment(local, form, zone, None if zone == tzid else tzid)


class Target:
    """The time zones of a file being written, and the years to cover."""

    __slots__ = ("_clock", "_kept", "_used", "_year", "_zones", "endless", "moments")

    def __init__(self, objects: Iterable[Object]) -> None:
        self._kept: dict[str, list[str]] = {}
        self._used: dict[str, None] = {}
        self._zones: dict[str, str | None] = {}
        self._clock = Clock()
        self._year = 0
        self.moments: list[str] = []
        self.endless = False
        for item in objects:
            self._read(item)

    def _read(self, item: Object) -> None:
        kept = item.get("iCalendar")
        components = kept.get("components") if isinstance(kept, dict) else None
        for value in components if isinstance(components, list) else ():
            if not (isinstance(value, list) and value and value[0] == "vtimezone"):
                continue
            lines = list(jcal.to_lines(value))
            tzid = next((line[5:] for line in lines if line.startswith("TZID:")), None)
            if tzid is not None:
                self._kept[tzid] = lines
        if not self._year and isinstance(start := item.get("start") or item.get("due"), str) and start[:4].isdecimal():
            self._year = int(start[:4])

    def tzid(self, zone: str | None, noted: object) -> str | None:
        """Return the TZID to write for a zone: the file's own if it still stands for this zone."""
        if not isinstance(noted, str) or not noted:
            return zone
        if noted not in self._zones:
            self._zones[noted] = zone_of_tzid(noted, self._kept.get(noted), self._year, self._clock)
        return noted if self._zones[noted] == zone else zone

    def use(self, tzid: str) -> None:
        """Record that a line uses a zone."""
        self._used[tzid] = None

    def vtimezones(self) -> list[str]:
        """Return the lines of the VTIMEZONEs of all used zones: the kept ones, and those of IANA zones."""
        first, last = years(self.moments, endless=self.endless)
        lines: list[str] = []
        for tzid in sorted(self._used):
            lines.extend(self._kept.get(tzid) or vtimezone(tzid, first, last))
        return lines


class Form(NamedTuple):
    """How the date-times of an entry are written."""

    kind: str
    """"date", "local" or "utc"."""
    zone: str | None
    tzid: str | None

    def write(self, local: str, target: Target) -> tuple[str, dict[str, str | list[str]]]:
        """Return value and parameters of a line for a date-time."""
        target.moments.append(local)
        if self.kind == "date":
            return basic_date(local), {"VALUE": "DATE"}
        if self.kind == "utc":
            return f"{basic(local)}Z", {}
        if self.tzid is None:
            return basic(local), {}
        target.use(self.tzid)
        return basic(local), {"TZID": self.tzid}


def form_of(zone: object, writing: Writing, path: str, names: tuple[str, ...], target: Target) -> Form:
    """Return the form of a date-time in a zone, with the TZID recorded for the line that it came from."""
    name = zone if isinstance(zone, str) else None
    if name == UTC_ZONE:
        return Form("utc", name, None)
    params: Any = writing.noted(path, *names).get("parameters")
    return Form("local", name, target.tzid(name, params.get("tzid") if isinstance(params, dict) else None))


def as_of(moment: Moment, zone: str | None, *, whole_days: bool, time: str = MIDNIGHT) -> str | None:
    """Return a date-time as a LocalDateTime of an object: in its zone; as a day if it has no times; a date gets its time of day.

    None if the two cannot be compared, or for the second of two equal local times.
    """
    if whole_days:
        return f"{moment.local[:10]}{MIDNIGHT}" if moment.form == "date" or moment.local.endswith(MIDNIGHT) else None
    if moment.form == "date":
        return moment.local[:10] + time
    if moment.form == "local" and moment.zone is None:
        return moment.local
    return moved(moment.local, moment.zone, zone)
