"""Convert VALARM to Alert objects and back (draft-ietf-calext-jscalendar-icalendar, VALARM, TRIGGER, Alert)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from jmapsync.formats.contentline import escape, unescape
from jmapsync.formats.ical.fields import common_duration, read_duration, read_utc, write_utc
from jmapsync.formats.ical.kept import Reading, Writing, extra, hashed_object, is_id, leave_unknown
from jmapsync.formats.ical.links import names_of
from jmapsync.formats.ical.places import add_identity, component_key, keep_but_derived
from jmapsync.formats.pointer import join

if TYPE_CHECKING:
    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.objects import Object

_ACTIONS: Final = frozenset({"DISPLAY", "EMAIL"})
_ENDS: Final = frozenset({"START", "END"})
_KNOWN: Final = frozenset({"@type", "trigger", "action", "acknowledged", "relatedTo", "iCalendar"})

_SIGN_INSIDE = re.compile(r"^(PT?)-(?=\d)")
"""The sign of a duration after its letters, as some programs write it: PT-2H."""


def read_alerts(reading: Reading, components: list[Component]) -> None:
    """Convert the alarms; one without a usable trigger is kept as a component."""
    if not components:
        return
    found: Object = {}
    keys: dict[str, str] = {}
    for component in components:
        alert = _read_alert(component)
        if alert is None:
            reading.keep_component(component)
            continue
        key = component_key(component, {name: value for name, value in alert.items() if name != "iCalendar"}, found)
        found[key] = alert
        if uid := component.first("UID"):
            keys.setdefault(unescape(uid.value), key)
    for alert in found.values():
        if isinstance(alert.get("relatedTo"), dict):  # a JSPROP of a server may hold anything
            alert["relatedTo"] = {keys.get(uid, uid): relation for uid, relation in alert["relatedTo"].items()}
    if found:
        reading.item["alerts"] = found


def _read_alert(component: Component) -> Object | None:
    reading = Reading("valarm", "Alert")
    for line in component.lines:
        match line.name:
            case "TRIGGER" if "trigger" not in reading.item:
                trigger = _read_trigger(line)
                if trigger is None:
                    return None
                reading.item["trigger"] = trigger
                reading.note_extra("trigger", line, ("RELATED",))
            case "ACTION" if line.value.upper() in _ACTIONS:
                reading.set("action", line.value.lower(), line)
            case "ACKNOWLEDGED":
                reading.set("acknowledged", read_utc(line.value), line)
            case "RELATED-TO":
                read_relation(reading, line)
            case "JSPROP":
                reading.set_later(line)
            case "JSID":
                pass
            case _:
                keep_but_derived(reading, line, component)
    for inner in component.components:
        reading.keep_component(inner)
    return reading.finished() if "trigger" in reading.item else None


def _read_trigger(line: Line) -> Object | None:
    absolute = line.params.get("VALUE", ["DURATION"])[0].upper() == "DATE-TIME"
    related = line.params.get("RELATED", ["START"])[0].upper()
    text = _SIGN_INSIDE.sub(r"-\1", line.value.strip().upper())
    offset = None if absolute else read_duration(text, signed=True)
    if offset is not None and related in _ENDS:
        trigger: Object = {"@type": "OffsetTrigger", "offset": offset}
        return trigger | {"relativeTo": related.lower()} if "RELATED" in line.params else trigger
    when = read_utc(line.value) if line.value.upper().endswith("Z") else None
    return None if when is None else {"@type": "AbsoluteTrigger", "when": when}


def read_relation(reading: Reading, line: Line) -> None:
    """Convert a RELATED-TO; several with one UID are one Relation."""
    uid = unescape(line.value)
    relations = reading.item.setdefault("relatedTo", {})
    relation = relations.setdefault(uid, {"@type": "Relation"})
    if kinds := {kind.lower(): True for kind in line.params.get("RELTYPE", ()) if kind}:
        relation.setdefault("relation", {}).update(kinds)
    params = extra(line, ("RELTYPE",))
    kind = line.params["VALUE"][0].lower() if "VALUE" in line.params else None
    if params or kind is not None:
        reading.note(join("relatedTo", uid), line.name, params, kind)


def write_relations(item: Object, writing: Writing, uids: dict[str, str] | None = None) -> None:
    """Write the relations, one line each; `uids` maps keys to UIDs where they differ."""
    relations = item.get("relatedTo")
    if not isinstance(relations, dict):
        writing.leave("relatedTo", relations)
        return
    left: Object = {}
    for uid in sorted(relations):
        relation = relations[uid]
        kinds = relation.get("relation") if isinstance(relation, dict) else None
        if not isinstance(relation, dict) or (kinds is not None and kinds != {} and not names_of(kinds)):
            left[uid] = relation
            continue
        path = join("relatedTo", uid)
        kind = writing.noted(path, "related-to").get("valueType")
        for name in names_of(kinds) or [""]:
            params: dict[str, str | list[str]] = {"RELTYPE": name.upper()} if name else {}
            if isinstance(kind, str):
                params["VALUE"] = kind.upper()
            writing.add("RELATED-TO", escape((uids or {}).get(uid, uid)), params, path)
        leave_unknown(writing, relation, {"@type", "relation"}, "relatedTo", uid)
    writing.leave_entries("relatedTo", left, len(relations))


def write_alerts(item: Object, writing: Writing, title: str) -> None:
    """Write the alerts as components of an entry; `title` is the mandatory text of an alarm without one."""
    alerts = item.get("alerts")
    if not isinstance(alerts, dict):
        writing.leave("alerts", alerts)
        return
    inner = {
        key: alert
        for key, alert in sorted(alerts.items())
        if isinstance(alert, dict) and is_id(key) and _trigger(alert) is not None
    }
    wanted = {uid for alert in inner.values() if isinstance(related := alert.get("relatedTo"), dict) for uid in related}
    uids = {key: _uid(alert) or key for key, alert in inner.items()}
    for key, alert in inner.items():
        writing.nested.append(_write_alert(key, alert, title, uids, related=key in wanted))
    writing.leave_entries("alerts", {key: alert for key, alert in alerts.items() if key not in inner}, len(alerts))


def _uid(alert: Object) -> str | None:
    for value in Writing(alert.get("iCalendar"), "valarm").noted_kept("uid"):
        if len(value) > 3 and isinstance(value[3], str):  # noqa: PLR2004  # name, parameters, type, value
            return value[3]
    return None


def _trigger(alert: Object) -> tuple[str, dict[str, str | list[str]]] | None:
    """Return the value and the parameters of the TRIGGER of an alert."""
    trigger = alert.get("trigger")
    if not isinstance(trigger, dict):
        return None
    if (when := write_utc(trigger.get("when"))) is not None:
        return when, {"VALUE": "DATE-TIME"}
    offset = common_duration(trigger.get("offset"), signed=True)
    related = trigger.get("relativeTo")
    if offset is None or related not in (None, "start", "end"):
        return None
    return offset, {} if related is None else {"RELATED": related.upper()}


def _write_alert(key: str, alert: Object, title: str, uids: dict[str, str], *, related: bool) -> list[str]:
    writing = Writing(alert.get("iCalendar"), "valarm")
    known = set(_KNOWN)
    found = _trigger(alert)
    if found is not None:
        writing.add("TRIGGER", *found, "trigger")
        leave_unknown(
            writing, alert["trigger"], {"@type", "when"} if "VALUE" in found[1] else {"@type", "offset", "relativeTo"}, "trigger"
        )
    action = alert.get("action")
    if isinstance(action, str) and action.upper() in _ACTIONS and action.islower():
        writing.add("ACTION", action.upper(), None, "action")
    elif action is not None:
        known.discard("action")
    elif not writing.noted_kept("action"):
        writing.add("ACTION", "DISPLAY")
    if (done := write_utc(alert.get("acknowledged"))) is not None:
        writing.add("ACKNOWLEDGED", done, None, "acknowledged")
    else:
        known.discard("acknowledged")
    write_relations(alert, writing, uids)
    leave_unknown(writing, alert, known)
    writing.add_kept()
    if "DESCRIPTION" not in writing.written:
        writing.add("DESCRIPTION", escape(title) or "Alarm", {"DERIVED": "TRUE"})
    if action == "email" and "SUMMARY" not in writing.written:
        writing.add("SUMMARY", escape(title) or "Alarm", {"DERIVED": "TRUE"})
    without = {name: value for name, value in alert.items() if name != "iCalendar"}
    add_identity(writing, key, None if writing.rest or "relatedTo" in alert else hashed_object(without), uid=related)
    return writing.finished("VALARM")
