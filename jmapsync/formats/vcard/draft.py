"""Collect the lines of a card being written, which property each of them expresses, and the group names in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.contentline import Line, Params, escape
from jmapsync.formats.vcard.preserved import write_params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.objects import Object

Tag = tuple[str, str]
"""The property that a line expresses: a property of the card and, in a map, a key."""
TYPE_OF_CONTEXT = {"private": "home", "work": "work"}

TYPED = frozenset({"TEL", "EMAIL", "ADR", "IMPP"})
"""Lines that khard rewrites when anything in a card is edited, with TYPE and no other parameter."""
REWRITTEN = TYPED | {"FN", "N", "NICKNAME", "ORG", "TITLE", "ROLE", "URL", "NOTE", "BDAY", "X-ANNIVERSARY"}
"""Lines that khard rewrites, the others without any parameter. In vCard 3.0 they get no parameters that an edit would remove."""
_BARE = REWRITTEN - TYPED


class Draft:
    """A card being written."""

    __slots__ = ("_alternatives", "_counts", "_foreign", "_groups", "card", "four", "hidden", "lines", "placed", "shared", "tags")

    def __init__(self, card: Object, *, four: bool, hidden: set[Tag]) -> None:
        self.card = card
        self.four = four
        self.hidden = hidden
        """Properties that must not be written as lines, because the lines would be read as something else."""
        self.lines: list[Line] = []
        self.tags: list[Tag] = []
        self.shared: dict[str, str] = {}
        """The group of each organization with titles, by its key."""
        self.placed = False
        """Whether an address was written that GEO and TZ of vCard 3.0 belong to."""
        self._counts = 0
        self._alternatives: dict[tuple[str, str], str] = {}
        self._groups = _groups_in(card)
        props = card.get("vCardProps")
        shown = (
            [prop for place, prop in enumerate(props) if ("vCardProps", str(place)) not in hidden]
            if isinstance(props, list)
            else []
        )
        self._foreign = _groups_in({"vCardProps": shown}) if shown else {}

    def add(self, line: Line, where: str, key: str = "") -> None:
        """Add a line, and record the property that it expresses."""
        self.lines.append(line)
        self.tags.append((where, key))

    def alternative(self, name: str, key: str = "") -> str:
        """Return the common ALTID of the lines of a property (RFC 6350, 5.4)."""
        used = sum(known == name for known, _ in self._alternatives)
        return self._alternatives.setdefault((name, key), str(used + 1))

    def new_group(self) -> str:
        """Return an unused group name."""
        while True:
            self._counts += 1
            name = f"item{self._counts}"
            if name not in self._groups:
                return name

    def group_of(self, entry: Object) -> str:
        """Return the group name that an entry keeps, if it is valid."""
        kept = entry.get("vCardParams")
        named = kept.get("group") if isinstance(kept, dict) else None
        return named if isinstance(named, str) and named in self._groups else ""

    def group_on(self, name: str, entry: Object) -> str:
        """Return the group that the line of an entry keeps: in 3.0 only one of kept lines, as khard separates groups."""
        named = self.group_of(entry)
        return named if self.four or name not in REWRITTEN or named in self._foreign else ""

    def put(self, name: str, value: str, params: Params, entry: Object, tag: Tag, *, group: str = "") -> None:
        """Add the line of an entry, with its kept parameters, its group and its label."""
        label = entry.get("label")
        kept = entry.get("vCardParams")
        if isinstance(kept, dict):
            named = self.group_of(entry)
            if named and not group and (not label or self._groups[named] == 1):
                group = self.group_on(name, entry)
            skipped = {"group"} if self.four else {"group", "pref"}
            if not self.four and name in REWRITTEN:
                skipped |= kept.keys() - ({"type"} if name in TYPED else set())
            write_params(params, {key: value for key, value in kept.items() if key not in skipped})
        if isinstance(label, str) and label:
            group = group or self.new_group()
            self.add(Line(name, value, params, group), *tag)
            self.add(Line("X-ABLABEL", escape(label), {}, group), *tag)
        else:
            self.add(Line(name, value, params, group), *tag)


def _groups_in(card: Object) -> dict[str, int]:
    """Return the number of lines for each group name that the card keeps."""
    found: dict[str, int] = {}
    for entries in card.values():
        if isinstance(entries, dict):
            for entry in entries.values():
                kept = entry.get("vCardParams") if isinstance(entry, dict) else None
                _count(found, kept)
        elif isinstance(entries, list):
            for entry in entries:
                if isinstance(entry, list) and len(entry) > 1:
                    _count(found, entry[1])
    return found


def _count(found: dict[str, int], params: object) -> None:
    group = params.get("group") if isinstance(params, dict) else None
    if isinstance(group, str) and group and group.isascii() and all(sign.isalnum() or sign in "-_." for sign in group):
        found[group] = found.get(group, 0) + 1


def keyed(key: str) -> Params:
    """Return parameters that begin with the key of the entry. In vCard 3.0 it is removed before the file is made."""
    return {"prop-id": [key]}


def write_common(
    draft: Draft,
    name: str,
    params: Params,
    entry: Object,
    *,
    types: Mapping[str, str] = TYPE_OF_CONTEXT,
    features: Mapping[str, str] | None = None,
) -> None:
    """Add TYPE and PREF for contexts, features and preference, as far as this version has them."""
    if not draft.four and name in _BARE:
        return
    listed = _known(entry.get("contexts"), types)
    if features is not None:
        listed += _known(entry.get("features"), features)
    pref = entry.get("pref")
    known = type(pref) is int and 1 <= pref <= 100  # noqa: PLR2004 (RFC 9553, 1.5.3)
    if draft.four:
        if listed:
            params["type"] = listed
        if known:
            params["pref"] = [str(pref)]
        return
    listed = [text.upper() for text in listed]
    if known and pref == 1:
        listed.append("pref")
    if listed:
        params["type"] = listed


def _known(values: object, names: Mapping[str, str]) -> list[str]:
    return [names[value] for value in names if values.get(value) is True] if isinstance(values, dict) else []
