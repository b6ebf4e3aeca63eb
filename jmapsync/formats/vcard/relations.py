"""Convert ORG, RELATED, MEMBER, CATEGORIES and Apple's names for them (RFC 9555, 2.9.3 to 2.9.5, 2.11.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.contentline import Line, Params, escape, split
from jmapsync.formats.vcard.draft import Draft, keyed, write_common
from jmapsync.formats.vcard.preserved import read_params, write_params, write_property
from jmapsync.formats.vcard.state import Reading, read_common
from jmapsync.formats.vcard.values import is_uri, texts, unescape, uri_value

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

RELATIONS = frozenset(
    {
        *("acquaintance", "agent", "child", "co-resident", "co-worker", "colleague", "contact", "crush", "date", "emergency"),
        *("friend", "kin", "me", "met", "muse", "neighbor", "parent", "sibling", "spouse", "sweetheart"),
    }
)
"""Relations of RFC 9553, 2.1.8, as TYPE of RELATED."""
_PLAIN = frozenset({"value", "prop-id"})
_SPOKEN = frozenset({"language", "altid"})
_SORT = frozenset({"sort-as"})
_RELATED_USED = frozenset({"type", "value", "prop-id"})
MEMBER_3, RELATED_3 = "X-ADDRESSBOOKSERVER-MEMBER", "X-ABRELATEDNAMES"


def read_organization(reading: Reading, line: Line) -> None:
    """Read ORG: the name, then the units; SORT-AS has a text for each."""
    name, *units = [unescape(piece) for piece in split(line.value, ";")]
    entry: Object = {}
    if name:
        entry["name"] = name
    made = [{"name": unit} for unit in units if unit]
    if made:
        entry["units"] = made
    if not entry:
        return
    if "sort-as" in line.params:
        first, *rest = split(",".join(line.params["sort-as"]), ",")
        if first:
            entry["sortAs"] = unescape(first)
        for unit, text in zip(made, rest, strict=False):
            if text:
                unit["sortAs"] = unescape(text)
    if line.params or line.group:
        read_common(reading, line, entry, used=_SORT)
    reading.add(line, "organizations", "ORG", entry)


def link_titles(reading: Reading, lines: list[Line]) -> None:
    """Set the organization of the titles that share a group with exactly one ORG (RFC 9555, 2.9.6)."""
    by_group: dict[str, list[str]] = {}
    for line in lines:
        if line.name == "ORG" and line.group and id(line) in reading.places:
            by_group.setdefault(line.group, []).append(reading.places[id(line)][1])
    for line in lines:
        keys = by_group.get(line.group, ()) if line.group and line.name in {"TITLE", "ROLE"} else ()
        if len(keys) == 1 and id(line) in reading.places:
            reading.card["titles"][reading.places[id(line)][1]]["organizationId"] = keys[0]
            reading.mark_converted(line.group)


def write_organization(draft: Draft, key: str, entry: Object) -> None:
    """Write an organization; in vCard 4.0 its titles share its group (khard separates groups)."""
    name, units = entry.get("name", ""), entry.get("units", [])
    if not isinstance(name, str) or not isinstance(units, list):
        return
    if all(isinstance(unit, dict) and unit.keys() <= {"@type", "name"} and unit.get("name") == "" for unit in units):
        units = []  # Stalwart has one of `ORG:Acme;`
    names = [unit.get("name") if isinstance(unit, dict) else None for unit in units]
    if not all(isinstance(unit, str) and unit for unit in names) or not (name or names):
        return
    params = keyed(key)
    if draft.four:
        sorts = [entry.get("sortAs"), *(unit.get("sortAs") for unit in units)]
        if any(isinstance(text, str) and text for text in sorts):
            parts = [text.replace("\\", "\\\\").replace(",", "\\,") if isinstance(text, str) else "" for text in sorts]
            params["sort-as"] = [",".join(parts).rstrip(",")]
    write_common(draft, "ORG", params, entry)
    titles = draft.card.get("titles")
    held = draft.four and any(
        isinstance(title, dict) and title.get("organizationId") == key
        for title in (titles.values() if isinstance(titles, dict) else ())
    )
    group = draft.group_of(entry) or draft.new_group() if held else ""
    if held:
        draft.shared[key] = group
    value = ";".join([escape(text) for text in (name, *names) if isinstance(text, str)])
    draft.put("ORG", value, params, entry, ("organizations", key), group=group)


def read_related(reading: Reading, line: Line) -> None:
    """Read RELATED, or Apple's X-ABRELATEDNAMES, whose label names the relation."""
    text = unescape(line.value)
    if not text:
        return
    known = reading.card.setdefault("relatedTo", {})
    if line.name == RELATED_3:
        label = reading.label_of(line)[0].lower()
        kinds = [kind.strip().lower() for listed in line.params.get("type", ()) for kind in listed.split(",")]
        kinds = [kind for kind in kinds if kind and kind != "pref"]
        if not RELATIONS.issuperset(kinds) or line.params.keys() - _RELATED_USED or label not in {*RELATIONS, "", "other"}:
            reading.keep(line)
            if not known:
                del reading.card["relatedTo"]
            return
        reading.mark_converted(line.group)
        relation: Object = known.setdefault(text, {}).setdefault("relation", {})
        relation.update(dict.fromkeys(kinds, True))
        if label in RELATIONS:
            relation[label] = True
        return
    entry: Object = known.setdefault(text, {})
    entry.setdefault("relation", {})
    for listed in line.params.get("type", ()):
        for kind in listed.split(","):
            if kind.strip():
                entry["relation"][kind.strip().lower()] = True
    kept = {name: values for name, values in line.params.items() if name not in _RELATED_USED}
    if kept:
        entry.setdefault("vCardParams", {}).update(read_params(kept))


def write_related(draft: Draft, key: str, entry: Object) -> None:
    """Write a relation; in vCard 3.0 only one to a name, not to a card (X-ABRELATEDNAMES)."""
    relation = entry.get("relation", {})
    if not key or not isinstance(relation, dict):
        return
    if not all(value is None or isinstance(value, bool) for value in relation.values()):
        return
    kinds = sorted(kind for kind in relation if relation[kind] is True)
    if draft.four:
        params: Params = {} if is_uri(key) else {"value": ["text"]}
        if kinds:
            params["type"] = kinds
        kept = entry.get("vCardParams")
        if isinstance(kept, dict):
            write_params(params, kept, ("type", "value", "prop-id", "group"))
        draft.add(Line("RELATED", uri_value(key, bare=True) if is_uri(key) else escape(key), params), "relatedTo", key)
    elif _is_name(key) and RELATIONS.issuperset(kinds):
        for kind in kinds or ["other"]:
            group = draft.new_group()
            draft.add(Line(RELATED_3, escape(key), {}, group), "relatedTo", key)
            draft.add(Line("X-ABLABEL", f"_$!<{kind.title()}>!$_", {}, group), "relatedTo", key)


def _is_name(key: str) -> bool:
    """Return whether a text is somebody's name, not the uid of a card."""
    return not is_uri(key) and (" " in key or key.replace("-", "").isalpha())


def read_member(reading: Reading, line: Line) -> None:
    """Read MEMBER, or X-ADDRESSBOOKSERVER-MEMBER of vCard 3.0. PREF has no counterpart (RFC 9555, 2.9.3)."""
    if line.value:
        reading.card.setdefault("members", {})[unescape(line.value)] = True


def write_members(draft: Draft, members: Object) -> None:
    """Write the members of a group, in order."""
    name = "MEMBER" if draft.four else MEMBER_3
    for uid in sorted(members):
        if uid and members[uid] is True:
            draft.add(Line(name, uri_value(uid, bare=draft.four and is_uri(uid)), {}), "members", uid)


def read_keywords(reading: Reading, line: Line) -> None:
    """Read CATEGORIES; a line with parameters is kept too, because keywords have none (RFC 9555, 2.11.1)."""
    found = [text for text in texts(line.value) if text]
    if "language" in line.params or "altid" in line.params:
        reading.keep(line)
    elif found:
        reading.card.setdefault("keywords", {}).update(dict.fromkeys(found, True))
        if is_tagged(line):
            reading.keep(line)


def is_tagged(line: Line) -> bool:
    """Return whether a line is one of CATEGORIES with parameters that keywords cannot have: it is also kept as it is."""
    return line.name == "CATEGORIES" and not line.params.keys() <= _PLAIN and not line.params.keys() & _SPOKEN


def write_keywords(draft: Draft, keywords: Object, kept: object) -> None:
    """Write CATEGORIES, in order; the words of a kept line with parameters in a line of their own."""
    words = {word for word in keywords if word and keywords[word] is True}
    said: set[str] = set()
    for place, entry in enumerate(kept if isinstance(kept, list) else ()):
        line = write_property(entry) if ("vCardProps", str(place)) not in draft.hidden else None
        if line is not None and is_tagged(line) and words.issuperset(own := texts(line.value)):
            draft.add(line, "vCardProps", str(place))
            said.update(own)
    if rest := sorted(words - said):
        draft.add(Line("CATEGORIES", ",".join([escape(word) for word in rest]), {}), "keywords")
