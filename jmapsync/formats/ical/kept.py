"""Collect the object of a component and the parts without counterpart: in `iCalendar` when reading, in JSPROP when writing.

Draft: draft-ietf-calext-jscalendar-icalendar, "iCalendar" (property of JSCalendar), JSPROP, JSID, JSCalendar Ids.
"""

from __future__ import annotations

import json
import re
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from jmapsync.formats.contentline import Line, Params, escape, unescape, write_params
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.lines import UNPARSED, parsed_line
from jmapsync.formats.objects import as_object
from jmapsync.formats.pointer import follow, join, split

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.objects import Object

_NAMESPACE = UUID("7f1e1965-ae73-4454-b088-232c90730ce2").bytes
"""The namespace of the draft."""
_TRIES = 32
"""Numbers tried in turn; after them the steps grow, for a file may repeat a line many thousand times."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TIMES: Final = "CREATED DTEND DTSTAMP DTSTART DUE DURATION ESTIMATED-DURATION RECURRENCE-ID"
WON: Final = frozenset(f"CLASS PERCENT-COMPLETE PRIORITY SEQUENCE STATUS TRANSP UID ACTION TRIGGER ACKNOWLEDGED {_TIMES}".split())
"""Lines that occur once in a component: a kept one is stale if the object has the property by now."""
_UNUSABLE: Final = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID"})
"""Times that were not converted: of another type than the start, or before it. khal skips events with such a line."""
OF_CALENDAR: Final = "x-jmapsync-vcalendar"
"""The component that keeps the properties of the VCALENDAR."""
_RESERVED: Final = frozenset({"iCalendar", "@type", "uid", "recurrenceId"})
"""Properties that a JSPROP cannot set: the identity of an object, and the kept parts of its file."""
_COMPONENT: Final = "ICalComponent"
_PROPERTY: Final = "ICalProperty"


def is_id(value: object) -> bool:
    """Return whether a value is valid as a key (Id, jscalendarbis, 1.5.1)."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def hashed(value: str) -> str:
    """Return the UUID version 5 of a raw value: text with its escapes, binary as base64."""
    digest = bytearray(sha1(_NAMESPACE + value.encode("utf-8", "replace"), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def hashed_object(value: Object) -> str:
    """Return the key of an entry without a value of its own: that of its JSON."""
    return hashed(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def chosen(params: Params, value: str, taken: Collection[str]) -> str:
    """Return the key of a line: its JSID if usable, else the hash of its value, else of value and number."""
    given = params.get("JSID")
    if given and is_id(given[0]) and given[0] not in taken:
        return given[0]
    return free(hashed(value), taken)


def free(key: str, taken: Collection[str]) -> str:
    """Return a key, or a derived one if it is taken."""
    number, found = 1, key
    while found in taken:
        number += 1 if number < _TRIES else len(taken)
        found = hashed(f"{key} {number}")
    return found


class Reading:
    """A component being read: the resulting object, and the kept parts."""

    __slots__ = ("_components", "_converted", "_jsprops", "_properties", "item", "name")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.item: Object = {"@type": kind} if kind else {}
        self._converted: Object = {}
        self._properties: list[Any] = []
        self._components: list[Any] = []
        self._jsprops: list[Line] = []

    def keep(self, line: Line) -> None:
        """Keep a line without a counterpart; one that was out of the way of other programs as the line that it is."""
        if line.name == UNPARSED:
            line = parsed_line(unescape(line.value))
        self._properties.append(jcal.from_line(line))

    def kept_zones(self, name: Callable[[str], str]) -> set[str]:
        """Return the TZIDs of the kept lines, each written as `name` returns it."""
        found = set()
        for _, params, *_ in self._properties:
            if isinstance(tzid := params.get("tzid"), str):
                params["tzid"] = name(tzid)
                found.add(params["tzid"])
        return found

    def keep_component(self, component: Component) -> None:
        """Keep a component without a counterpart."""
        self._components.append(jcal.from_component(component))

    def keep_jcal(self, component: list[Any]) -> None:
        """Keep a component in jCal, once."""
        if component not in self._components:
            self._components.append(component)

    def note(self, path: str, name: str, params: Params | None = None, kind: str | None = None) -> None:
        """Record the line, and its further parameters, that the value at a path came from."""
        found: Object = {"@type": _PROPERTY, "name": name.lower()}
        if params:
            found["parameters"] = jcal.from_params(params)
        if kind is not None:
            found["valueType"] = kind
        self._converted[path] = found

    def is_noted(self, path: str) -> bool:
        """Return whether the line of a path is recorded."""
        return path in self._converted

    def note_extra(self, path: str, line: Line, known: Collection[str] = ()) -> None:
        """Record the parameters of a line that are not converted."""
        if line.params and (params := extra(line, known)):
            self.note(path, line.name, params)

    def set(self, path: str, value: object, line: Line, known: Collection[str] = ()) -> None:
        """Set a converted property; keep the line if it cannot be converted or is set already."""
        if value is None or path in self.item:
            self.keep(line)
            return
        self.item[path] = value
        if line.params:
            self.note_extra(path, line, known)

    def set_later(self, line: Line) -> None:
        """Record a JSPROP, which is applied after all other lines."""
        self._jsprops.append(line)

    def finished(self, *, always: bool = False) -> Object:
        """Return the object with all kept parts; with `always`, also with the name of the component if nothing is kept."""
        for line in self._jsprops:
            self._apply(line)
        kept: Object = {}
        if self._properties:
            kept["properties"] = self._properties
        if self._components:
            kept["components"] = self._components
        if self._converted:
            kept["convertedProperties"] = self._converted
        if kept or always:
            self.item["iCalendar"] = {"@type": _COMPONENT, "name": self.name.lower(), **kept}
        return self.item

    def _apply(self, line: Line) -> None:
        pointer = (line.params.get("JSPTR") or [""])[0]
        path = split(pointer) if pointer else []
        try:
            value = json.loads(unescape(line.value))
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # NaN, 1e400 and half a surrogate pair are no JSON
        except (ValueError, RecursionError):
            value = None
        refused = value is None or not path or path[0] in _RESERVED
        if path and path[0] == "recurrenceOverrides":
            refused = refused or not all(
                isinstance(patch, dict) for patch in (value.values() if len(path) == 1 and isinstance(value, dict) else [value])
            )
        if refused or not _set_new(self.item, path, value):
            self.keep(line)


def keep_in(item: Object, what: str, value: list[Any]) -> None:
    """Keep a property or component, in jCal, in a converted object."""
    name = "vtodo" if item.get("@type") == "Task" else "vevent"
    kept = dict(item.get("iCalendar") or {"@type": _COMPONENT, "name": name})
    kept[what] = [*kept.get(what, []), value]
    item["iCalendar"] = kept


def _set_new(item: Object, path: list[str], value: object) -> bool:
    """Set a property that is not set yet; return whether its parents exist."""
    place = follow(item, path[:-1])
    if not isinstance(place, dict) or path[-1] in place:
        return False
    place[path[-1]] = value
    return True


def extra(line: Line, known: Collection[str] = ()) -> Params:
    """Return the parameters of a line except VALUE, JSID and converted ones."""
    return {name: values for name, values in line.params.items() if name not in known and name not in ("VALUE", "JSID")}


def whole(values: list[str]) -> str:
    """Return the text of a parameter with one value, in which programs leave a comma unquoted: `CN=Doe, John`."""
    return values[0] if len(values) == 1 else ",".join(values)


class Writing:
    """A component being written: its lines so far, and the parts of the object that no line can express."""

    __slots__ = ("_kept", "_noted", "_pointed", "lines", "nested", "rest", "tzids", "written")

    def __init__(self, kept: object, name: str) -> None:
        known = kept if isinstance(kept, dict) and kept.get("name", name.lower()) == name.lower() else {}
        noted = known.get("convertedProperties")
        self._noted: Object = as_object(noted)
        self._kept: Object = known
        self.lines: list[str] = []
        self.nested: list[list[str]] = []
        self.rest: dict[str, Any] = {}
        self._pointed: set[str] = set()
        self.written: set[str] = set()
        self.tzids: set[str] = set()
        """TZIDs of the kept lines."""

    def noted(self, path: str, *names: str) -> Mapping[str, Any]:
        """Return the record of the line that the value at a path came from, if it has one of these names."""
        found = self._noted.get(path)
        return found if isinstance(found, dict) and found.get("name") in names else {}

    def noted_params(self, path: str, name: str) -> dict[str, list[str]]:
        """Return the recorded parameters of a line."""
        return jcal.to_params(self.noted(path, name.lower()).get("parameters")) if path in self._noted else {}

    def add(self, name: str, value: str, params: Mapping[str, str | list[str]] | None = None, path: str = "") -> None:
        """Add a line; parameters recorded for `path` are added to those given, except TZID."""
        all_params = params
        if path in self._noted and (more := self.noted_params(path, name)):
            more.pop("TZID", None)
            all_params = {**more, **(params or {})}
        self.written.add(name)
        self.lines.append(f"{name}{write_params(all_params)}:{value}" if all_params else f"{name}:{value}")

    def leave(self, path: str, value: object) -> None:
        """Leave a value, at a path from the component's object, to a JSPROP line."""
        if value is not None:
            self.rest[path] = value
            self._pointed.update(split(path))

    def leave_entries(self, path: str, entries: Object, count: int) -> None:
        """Leave entries of a map that no line can express to JSPROP lines; the map if those are all of its entries."""
        if entries and len(entries) == count:
            self.leave(path, entries)
        else:
            for key, value in entries.items():
                self.leave(f"{path}/{join(key)}", value)

    def is_pointed(self, key: str) -> bool:
        """Return whether a key is part of the path of a JSPROP, so that it has to be written."""
        return key in self._pointed

    def noted_kept(self, name: str) -> list[Any]:
        """Return the kept properties with a name, in jCal."""
        found = self._kept.get("properties")
        properties = found if isinstance(found, list) else []
        return [value for value in properties if isinstance(value, list) and value and value[0] == name.lower()]

    def add_kept(self, left_out: Collection[str] = ()) -> None:
        """Add kept lines and components except those that the object has as properties by now."""
        properties, components = self._kept.get("properties"), self._kept.get("components")
        said = frozenset(self.written)
        for value in properties if isinstance(properties, list) else ():
            line = jcal.to_line(value)
            name = "" if line is None else str(value[0]).upper()
            if line is None or name in left_out or (name in WON and name in said):
                continue
            self.tzids.update(jcal.to_params(value[1]).get("TZID", ()))
            if name in _UNUSABLE or not jcal.is_valid(line):
                self.lines.append(f"{UNPARSED}:{escape(line)}")
                continue
            self.lines.append(line)
            self.written.add(name)
        for value in components if isinstance(components, list) else ():
            if not (isinstance(value, list) and value and value[0] in (OF_CALENDAR, "vtimezone")):
                lines = [line if jcal.is_valid(line) else f"{UNPARSED}:{escape(line)}" for line in jcal.to_lines(value)]
                if lines:
                    self.nested.append(lines)

    def finished(self, name: str) -> list[str]:
        """Return the unfolded lines of the component: lines, JSPROP lines, components."""
        for path in sorted(self.rest):
            value = json.dumps(self.rest[path], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            self.lines.append(f"JSPROP{write_params({'JSPTR': path})}:{escape(value)}")
        return [f"BEGIN:{name}", *self.lines, *(line for lines in self.nested for line in lines), f"END:{name}"]


def leave_unknown(writing: Writing, item: Mapping[str, Any], known: Collection[str], *path: str) -> None:
    """Leave unknown properties of an object to JSPROP lines; `path` is that of the object within the component's object."""
    for name, value in item.items():
        if name not in known:
            writing.leave(join(*path, name), value)
