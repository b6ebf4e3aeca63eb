"""Convert date-times: dates, floating, UTC and zoned ones (draft-ietf-calext-jscalendar-icalendar, 2.1.4, 2.1.5)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jmapsync.formats.checks import Clock
from jmapsync.formats.contentline import Line, escape, unescape, write_params
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.fields import MIDNIGHT, basic, basic_date, to_local
from jmapsync.formats.ical.observances import HORIZON, rules_of
from jmapsync.formats.ical.own_zones import restored, tzid_of, year_of
from jmapsync.formats.ical.vtimezones import vtimezone, years
from jmapsync.formats.ical.zone_match import zone_of_rules
from jmapsync.formats.ical.zones import UTC_ZONE, is_own, is_zone, moved, zone_of_name
from jmapsync.formats.objects import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.objects import Object


UNKNOWN: Final = "X-JMAPSYNC-TZID"
"""The parameter that keeps a TZID whose VTIMEZONE is missing: a TZID without one makes the file invalid (RFC 5545, 3.2.19)."""
ZONES: Final = ("TZID", UNKNOWN)
"""The parameters of a line that say its time zone."""
_STARTS = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE", "EXDATE"})


class Moment(NamedTuple):
    """The date-time of a line."""

    local: str
    """A LocalDateTime."""
    form: str
    """"date", "local" or "utc"."""
    zone: str | None
    """Its zone: an IANA name, or the text of a VTIMEZONE."""
    tzid: str | None
    """The TZID, if it is not an IANA name."""


class Source:
    """The time zones of a file being read."""

    __slots__ = ("_clock", "_component", "_components", "_known", "_names", "_texts", "_vtimezones", "_year", "_years", "has_own")

    def __init__(self, components: Iterable[Component]) -> None:
        self._vtimezones: dict[str, Component] = {}
        self._names: dict[str, str] | None = None
        for component in components:
            if component.name == "VTIMEZONE" and (line := component.first("TZID")) is not None:
                self._vtimezones.setdefault(unescape(line.value), component)
        self._known: dict[tuple[str, int], str | None] = {}
        self._texts: dict[str, str] = {}
        self._clock = Clock()
        self._components: list[Component] = []
        self._component: Component | None = None
        self._year = 0
        self._years: dict[str, int] = {}
        self.has_own = False
        """Whether a zone was met that no IANA zone is known to equal for all time."""

    def start(self, components: list[Component]) -> None:
        """Set the components whose zones are asked for: those of one UID are compared from the year of its first time."""
        self._components = components

    def begin(self, component: Component) -> None:
        """Set the component that is read next."""
        self._component = component
        self._year = 0

    def _begun(self) -> int:
        """Return the year in which the object of the component begins."""
        if not self._years:
            for component in self._components:
                uid = uid_of(component)
                first = self._years.get(uid, HORIZON)
                for line in component.lines:
                    if line.name in _STARTS and (year := line.value[:4]).isdecimal() and int(year) < first:
                        first = int(year)
                self._years[uid] = first
        return HORIZON if self._component is None else self._years[uid_of(self._component)]

    def name(self, tzid: str) -> str:
        """Return the TZID of the VTIMEZONE that a parameter names: also with its escapes (RFC 5545, 3.8.3.1), in another case."""
        if tzid in self._vtimezones:
            return tzid
        if self._names is None:
            self._names = _other_names(self._vtimezones)
        return self._names.get(tzid) or self._names.get(_folded(tzid), tzid)

    def zone(self, tzid: str) -> str | None:
        """Return the zone of a TZID: the IANA zone with the rules of its VTIMEZONE, else its text; by its name if it has none."""
        component = self._vtimezones.get(tzid)
        if component is None:
            return zone_of_name(tzid)
        self._year = self._year or self._begun()
        key = tzid, self._year
        if key not in self._known:
            text = self._text(tzid, component)
            zone = zone_of_rules(tzid, text, self._year)
            self._known[key] = zone or (zone_of_name(tzid) if rules_of(text) is None else text)
        zone = self._known[key]
        self.has_own = self.has_own or is_own(zone)
        return zone

    def _text(self, tzid: str, component: Component) -> str:
        """Return the text of a VTIMEZONE. Raise MalformedError if those of the file have too many transitions."""
        if tzid not in self._texts:
            if not component.text:
                lines: list[str] = []
                _add_lines(component, lines)
                component.text = "\n".join(lines)
            self._texts[tzid] = component.text
            self._clock.check_zone(component.text)
        return self._texts[tzid]

    def keep(self, reading: Reading, tzid: str) -> None:
        """Keep the VTIMEZONE of a TZID that is not an IANA name."""
        if (component := self._vtimezones.get(tzid)) is not None:
            reading.keep_jcal(jcal.from_component(component))

    def keep_all(self, reading: Reading) -> None:
        """Keep the VTIMEZONEs of the kept lines."""
        for tzid in sorted(reading.kept_zones(self.name)):
            if self.zone(tzid) != tzid:
                self.keep(reading, tzid)


def _other_names(components: dict[str, Component]) -> dict[str, str]:
    """Return the TZIDs of VTIMEZONEs by their text in the file, and by that without regard to case."""
    found: dict[str, str] = {}
    for name, component in components.items():
        line = component.first("TZID")
        text = name if line is None else line.value
        found.setdefault(text, name)
        found.setdefault(_folded(text), name)
    return found


def uid_of(component: Component) -> str:
    """Return the UID of a component as it is written; empty if it has none."""
    uid = component.first("UID")
    return "" if uid is None else uid.value


def _folded(tzid: str) -> str:
    return unescape(tzid).strip(' "').casefold()


def _add_lines(component: Component, lines: list[str]) -> None:
    lines.append(f"BEGIN:{component.name}")
    for name, value, params, _ in component.lines:
        lines.append(f"{name}{write_params(params)}:{value}" if params else f"{name}:{value}")
    for inner in component.components:
        _add_lines(inner, lines)
    lines.append(f"END:{component.name}")


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
        return Moment(local, form, None, line.params[UNKNOWN][0] if UNKNOWN in line.params and form == "local" else None)
    return _zoned(local, line, source)


def _zoned(local: str, line: Line, source: Source) -> Moment:
    tzid = source.name(line.params["TZID"][0])
    zone = source.zone(tzid)
    return Moment(local, "local", zone, None if zone == tzid else tzid)


def at_midnight(moment: Moment, line: Line, source: Source) -> Moment:
    """Return a date as the midnight at which it begins, in the zone of its line."""
    return _zoned(moment.local, line, source) if "TZID" in line.params else Moment(moment.local, "local", None, None)


@lru_cache(maxsize=256)  # the events of a calendar keep the same few
def _lines_of(component: bytes) -> list[str]:
    """Return the unfolded lines of a component in jCal, encoded as JSON."""
    return list(jcal.to_lines(json.loads(component)))


class Target:
    """The time zones of a file being written, and the years to cover."""

    __slots__ = ("_clock", "_kept", "_named", "_texts", "_used", "_years", "endless", "keeps", "moments", "year")

    def __init__(self, objects: list[Object]) -> None:
        self._kept: dict[str, list[str]] = {}
        self._texts: dict[str, str] = {}
        self._used: dict[str, bool] = {}
        self._named: set[str] = set()
        self._years: dict[str, int] = {}
        self._clock = Clock()
        self.moments: list[str] = []
        self.endless = False
        self.keeps: bool
        """Whether the objects keep VTIMEZONEs of their files."""
        self.year = HORIZON
        """The year in which the object being written begins."""
        for item in objects:
            if "iCalendar" in item:
                self._read(item)
            if "recurrenceOverrides" in item:
                for patch in _patches(item):
                    self._read(patch)
        self.keeps = bool(self._texts)
        for item in objects if self.keeps else ():
            uid = str(item.get("uid"))
            self._years[uid] = min(year_of(item), self._years.get(uid, HORIZON))
        if self.keeps:
            self._named = self._names(objects)

    def _read(self, item: Object) -> None:
        kept = item.get("iCalendar")
        components = item.get("iCalendar/components", kept.get("components") if isinstance(kept, dict) else None)
        for value in components if isinstance(components, list) else ():
            if not (isinstance(value, list) and value and value[0] == "vtimezone"):
                continue
            lines = _lines_of(encode(value))
            tzid = tzid_of("\n".join(lines))
            if tzid and tzid not in self._kept:
                self._kept[tzid] = lines
                self._texts[tzid] = text = "\n".join(lines)
                self._clock.check_zone(text)

    def _names(self, objects: list[Object]) -> set[str]:
        """Return the zones that the objects name; not one whose VTIMEZONE in the file differs, if all its times are restored there.

        The zone nearest to such a VTIMEZONE is mostly the one that it is named after.
        """
        named = set(_zones_of(objects))
        other = {tzid for tzid in self._texts if tzid in named and is_zone(tzid)}
        if not other:
            return named
        own = set(_zones_of(restored(item, self._texts, self._years[str(item.get("uid"))]) for item in objects))
        return named if own & other else own

    def begin(self, item: Object) -> None:
        """Set the object that is written next."""
        self.year = self._years.get(str(item.get("uid")), HORIZON)

    def restored(self, item: Object) -> Object:
        """Return an object with its times in the zones of its file, where they still say the same."""
        texts = {tzid: text for tzid, text in self._texts.items() if not is_zone(tzid) or tzid not in self._named}
        return restored(item, texts, self.year) if "iCalendar" in item else item

    def is_zone(self, zone: object) -> bool:
        """Return whether a zone can be written: an IANA zone, or one of the file."""
        return is_zone(zone) or (is_own(zone) and self._texts.get(tzid_of(str(zone))) == zone)

    def tzid(self, zone: str | None, noted: object) -> str | None:
        """Return the TZID to write for a zone: the file's own if it stands for it; without a zone, that of the file."""
        if not isinstance(noted, str) or not noted or (is_zone(noted) and noted in self._named):
            return zone
        text = self._texts.get(noted)
        if zone is None:
            return noted if text is None and zone_of_name(noted) is None else None
        return noted if text is not None and zone_of_rules(noted, text, self.year) == zone else zone

    def use(self, tzid: str, zone: str | None = None) -> None:
        """Record that a line uses a zone; `zone` is its IANA name if the TZID is that name."""
        if tzid not in self._used or tzid != zone:
            self._used[tzid] = tzid != zone

    def vtimezones(self) -> list[str]:
        """Return the lines of the VTIMEZONEs of all used zones: the kept ones, and those of IANA zones."""
        first, last = years(self.moments, endless=self.endless)
        lines: list[str] = []
        for tzid, own in sorted(self._used.items()):
            if not own:
                lines.extend(vtimezone(tzid, first, last))
            elif tzid in self._kept:
                lines.extend(self._kept[tzid])
            elif (zone := zone_of_name(tzid)) is not None:
                lines.extend(f"TZID:{escape(tzid)}" if line == f"TZID:{zone}" else line for line in vtimezone(zone, first, last))
        return lines


def _zones_of(objects: Iterable[Object]) -> Iterator[str]:
    for item in objects:
        for held in (item, *_patches(item)):
            for name in ("timeZone", "endTimeZone", "recurrenceIdTimeZone"):
                if isinstance(zone := held.get(name), str):
                    yield zone


def _patches(item: Object) -> list[Object]:
    overrides = item.get("recurrenceOverrides")
    return [patch for patch in overrides.values() if isinstance(patch, dict)] if isinstance(overrides, dict) else []


class Form(NamedTuple):
    """How the date-times of an entry are written."""

    kind: str
    """"date", "local" or "utc"."""
    zone: str | None
    """An IANA name, or the text of a VTIMEZONE."""
    tzid: str | None
    """The TZID to write; without a zone, one that nobody knows."""

    def write(self, local: str, target: Target) -> tuple[str, dict[str, str | list[str]]]:
        """Return value and parameters of a line for a date-time."""
        target.moments.append(local)
        if self.kind == "date":
            return basic_date(local), {"VALUE": "DATE"}
        if self.kind == "utc":
            return f"{basic(local)}Z", {}
        if self.tzid is None:
            return basic(local), {}
        if self.zone is None:
            return basic(local), {UNKNOWN: self.tzid}
        target.use(self.tzid, self.zone)
        return basic(local), {"TZID": self.tzid}


def form_of(zone: object, writing: Writing, path: str, names: tuple[str, ...], target: Target) -> Form:
    """Return the form of a date-time in a zone, with the TZID recorded for the line that it came from."""
    name = zone if isinstance(zone, str) else None
    if name is not None and is_own(name):
        return Form("local", name, tzid_of(name))
    params: Any = writing.noted(path, *names).get("parameters")
    tzid = target.tzid(name, params.get("tzid") if isinstance(params, dict) else None)
    return Form("utc", name, None) if name == UTC_ZONE == tzid else Form("local", name, tzid)


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
