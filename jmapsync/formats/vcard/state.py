"""Collect the object, keys, labels and groups of a card while its lines are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.vcard.preserved import read_params, read_property
from jmapsync.formats.vcard.values import read_number, unescape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.objects import Object

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_\Z", re.DOTALL)
CONTEXTS = {"home": "private", "work": "work"}
"""Contexts by TYPE (RFC 9555, 2.3.22)."""
LABEL = "X-ABLABEL"
_PREFERENCES = range(1, 101)
_VALUE_TYPES = frozenset(
    {
        *("uri", "url", "text", "date", "date-time", "date-and-or-time", "timestamp", "time", "boolean", "integer", "float"),
        *("utc-offset", "language-tag", "phone-number", "vcard", "binary", "inline", "cid", "content-id", "unknown"),
    }
)
_NOT_KEPT = frozenset({"prop-id", "value"})


class Reading:
    """A card being read."""

    __slots__ = ("_converted", "_counts", "_foreign", "_labels", "_members", "_more", "card", "four", "places", "reserved")

    def __init__(self, version: str) -> None:
        self.card: Object = {"@type": "Card", "version": "1.0"}
        self.four = version == "4.0"
        self.places: dict[int, tuple[str, str]] = {}
        """Map and key of the entry of a line, by the identity of the line."""
        self.reserved: set[tuple[str, str]] = set()
        """Maps and keys that JSPROP lines will set, so that no other entry gets them."""
        self._counts: dict[str, int] = {}
        self._labels: dict[str, Line] = {}
        self._more: list[Line] = []
        """Further labels of groups that have one; they are kept after it, in the order of reading."""
        self._members: dict[str, list[Object]] = {}
        self._converted: set[str] = set()
        self._foreign: set[str] = set()

    def note_label(self, line: Line) -> bool:
        """Record the label of a group before any line of the group is read; return whether the line is a label."""
        if line.name != LABEL or not line.group:
            return False
        if line.group in self._labels:
            self._more.append(line)
        else:
            self._labels[line.group] = line
        return True

    def label_of(self, line: Line) -> tuple[str, bool]:
        """Return the label of a line, and whether it is one of Apple's own (its marks are removed)."""
        labelled = self._labels.get(line.group) if line.group else None
        if labelled is None:
            return "", False
        text = unescape(labelled.value)
        match = _APPLE_LABEL.match(text)
        return (match[1], True) if match else (text, False)

    def mark_converted(self, group: str) -> None:
        """Mark the label and the name of a group as converted, so that they are not kept."""
        self._converted.add(group)

    def keep(self, line: Line) -> None:
        """Keep a line without a counterpart in vCardProps."""
        self.card.setdefault("vCardProps", []).append(read_property(line))
        if line.group:
            self._foreign.add(line.group)

    def understands(self, line: Line) -> bool:
        """Return whether the value type of a line is defined by an RFC (RFC 9555, 2.3.25)."""
        value = line.params.get("value")
        return value is None or (len(value) == 1 and value[0].lower() in _VALUE_TYPES)

    def add(self, line: Line, where: str, prefix: str, entry: Object, *, into: Object | None = None) -> str:
        """Add an entry to a map of the card, or of `into`, and return its key: PROP-ID, or one counted by its prefix."""
        entries: Object = (self.card if into is None else into).setdefault(where, {})
        named = line.params.get("prop-id")
        key = named[0] if named and _ID.match(named[0]) else ""
        while not key or key in entries:
            count = self._counts[prefix] = self._counts.get(prefix, 0) + 1
            key = f"{prefix}-{count}"
            if (where, key) in self.reserved:
                key = ""
        entries[key] = entry
        self.places[id(line)] = where, key
        if line.group:
            self._members.setdefault(line.group, []).append(entry)
        return key

    def finish(self) -> None:
        """Keep unused labels, and the names of groups that are not converted (RFC 9555, 2.3.9)."""
        for group, label in self._labels.items():
            if group not in self._converted:
                self.keep(label)
        for label in self._more:
            self.keep(label)
        for group, entries in self._members.items():
            if group not in self._converted or group in self._foreign:
                for entry in entries:
                    entry.setdefault("vCardParams", {})["group"] = group


def read_common(
    reading: Reading,
    line: Line,
    entry: Object,
    *,
    contexts: Mapping[str, str] = CONTEXTS,
    features: Mapping[str, str] | None = None,
    labelled: bool = False,
    used: Mapping[str, object] | frozenset[str] = frozenset(),
) -> None:
    """Set contexts, pref, label and vCardParams of an entry; `used` are parameters that the caller has read."""
    kept: dict[str, Any] = {}
    label, apple = reading.label_of(line) if labelled and line.group else ("", False)
    for name, values in line.params.items():
        if name in _NOT_KEPT or name in used:
            continue
        if name == "type":
            unknown = _read_types(entry, values, contexts, features)
            dropped = {f"x-{label.lower()}" if label else "", "internet" if line.name == "EMAIL" and not reading.four else ""}
            unknown = [text for text in unknown if text.lower() not in dropped]
            if unknown:
                kept["type"] = unknown
        elif name == "pref" and (pref := read_number(values[0])) in _PREFERENCES:
            entry["pref"] = pref
        else:
            kept[name] = values
    if kept:
        entry["vCardParams"] = read_params(kept)
    if label:
        reading.mark_converted(line.group)
        if apple and label.lower() in contexts:
            entry.setdefault("contexts", {})[contexts[label.lower()]] = True
        elif apple and features is not None and label.lower() in features:
            entry.setdefault("features", {})[features[label.lower()]] = True
        else:
            entry["label"] = label


def _read_types(entry: Object, values: list[str], contexts: Mapping[str, str], features: Mapping[str, str] | None) -> list[str]:
    """Set contexts, features and preference by the values of TYPE; return the unknown ones."""
    unknown = []
    for listed in values:
        for text in listed.split(",") if "," in listed else (listed,):
            kind = text.strip().lower()
            if kind in contexts:
                entry.setdefault("contexts", {})[contexts[kind]] = True
            elif features is not None and kind in features:
                entry.setdefault("features", {})[features[kind]] = True
            elif kind == "pref":
                entry.setdefault("pref", 1)
            elif kind:
                unknown.append(text)
    return unknown
