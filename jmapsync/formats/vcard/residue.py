"""Find the parts of a card that its written lines do not express, by reading those lines and comparing the result.

So nothing is lost by an omission of the writer: missing parts go into JSPROP lines, and parts that would be read as something else
are written as JSPROP lines only. Two cards are equal up to defaults, implied `@type`, the order of unordered components, null
properties, CR and LF in texts, and the form of localization patches.
"""

from __future__ import annotations

from collections import Counter
from json import JSONEncoder
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.patch import localized

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object
    from jmapsync.formats.pointer import Path
    from jmapsync.formats.vcard.draft import Draft, Tag
    from jmapsync.formats.vcard.values import Json

_IMPLIED = frozenset(
    {
        *("Address", "AddressComponent", "Anniversary", "Author", "Calendar", "CryptoKey", "Directory", "EmailAddress"),
        *("LanguagePref", "Link", "Media", "Name", "NameComponent", "Nickname", "Note", "OnlineService", "Organization"),
        *("OrgUnit", "PartialDate", "PersonalInfo", "Phone", "Pronouns", "Relation", "SchedulingAddress", "SpeakToAs", "Title"),
    }
)
_DEFAULTS = {"isOrdered": False, "kind": "title", "vCardName": "socialprofile"}
_EMPTY: Object = {"contexts": {}, "features": {}, "vCardParams": {}, "relation": {}, "vCardProps": []}
_SPOKEN = frozenset({"phoneticSystem", "phoneticScript"})
_COMPONENT = {"kind", "value"}
_ENCODE = JSONEncoder(sort_keys=True).encode
_SINGLE = frozenset({"name", "speakToAs"})
_LISTED = frozenset({"vCardProps", "localizations"})
_OPEN = frozenset({("speakToAs",), ("speakToAs", "pronouns")})
"""Properties that may have more parts in the lines than in the card, because other parts of them are hidden."""


class Residue(NamedTuple):
    """Parts that the lines do not express."""

    missing: list[tuple[Path, Json]]
    wrong: set[Tag]
    """Lines that express something else, so that they must not be written."""


def find_residue(card: Object, view: Object, draft: Draft) -> Residue:
    """Compare a card with the card that its lines are read as."""
    comparison = _Comparison(card, draft)
    for name, value in card.items():
        if name not in _LISTED and value != view.get(name):
            comparison.compare_property(name, value, view)
    if "vCardProps" in card:
        comparison.compare_kept(card["vCardProps"], view.get("vCardProps", []))
    if "localizations" in card:
        comparison.compare_localizations(card["localizations"], view.get("localizations", {}))
    return Residue([entry for entry in comparison.missing if entry[1] is not None], comparison.wrong)


class _Comparison:
    def __init__(self, card: Object, draft: Draft) -> None:
        self.missing: list[tuple[Path, Json]] = []
        self.wrong: set[Tag] = set()
        self._card = card
        self._draft = draft
        self._tags = set(draft.tags)

    def compare_property(self, name: str, value: Json, view: Object) -> None:
        """Compare a property that is not equal."""
        seen = view.get(name)
        if name not in view:
            self._absent((name,), value)
        elif not isinstance(value, dict) or not isinstance(seen, dict):
            self._differ((name,), value)
        elif name not in _SINGLE:
            for key, entry in value.items():
                if key not in seen:
                    self._absent((name, key), entry)
                elif entry != seen[key] and self._draft.four:
                    self._compare((name, key), plain(entry), plain(seen[key]))
        elif self._draft.four:
            self._compare((name,), plain(value), plain(seen))
        else:
            self._compare_short(name, value, seen)

    def _absent(self, path: Path, value: Json) -> None:
        """Record a missing part; if lines were written for it, they are read as something else."""
        steps = ("/".join(path[:2]), *path[2:]) if path[:2] == ("speakToAs", "pronouns") else path
        tags = {tag for tag in self._tags if tag[0] == steps[0]} if len(steps) == 1 else set()
        if len(steps) == len(("where", "key")) and (steps[0], steps[1]) in self._tags:
            tags = {(steps[0], steps[1])}
        lines = tags - self._draft.hidden
        if lines:
            self.wrong |= lines
        elif path != ("kind",) or value != "individual":
            self.missing.append((path, value))

    def _compare_short(self, name: str, value: Object, seen: Object) -> None:
        """Compare a name with that of vCard 3.0: vendor-specific properties, and the system of the phonetics in it."""
        shown = any("phonetic" in part for part in seen.get("components", ()))
        for key, item in value.items():
            if item != seen.get(key) and ((":" in key and key not in seen) or (key in _SPOKEN and shown)):
                self.missing.append(((name, key), item))

    def _compare(self, path: Path, wanted: Json, seen: Json) -> None:
        if wanted == seen:
            return
        if not isinstance(wanted, dict) or not isinstance(seen, dict) or (seen.keys() - wanted.keys() and path not in _OPEN):
            self._differ(path, wanted)
            return
        for key, value in wanted.items():
            if key in seen:
                self._compare((*path, key), value, seen[key])
            else:
                self._absent((*path, key), self._given((*path, key)))

    def _differ(self, path: Path, wanted: Json) -> None:
        """Record a difference: its lines are hidden or, if there are none or they are hidden already, overruled by JSPROP."""
        where, *keys = path
        if path[:2] == ("speakToAs", "pronouns"):
            where, keys = "speakToAs/pronouns", list(path[2:])
        tag = where, keys[0] if keys else ""
        if tag not in self._tags and (where, "") in self._tags:
            tag = where, ""
        if tag in self._tags and tag not in self._draft.hidden:
            self.wrong.add(tag)
            return
        whole: Path = (*where.split("/"), *([tag[1]] if tag[1] else []))
        value = self._given(whole)
        entry = whole, wanted if value is None else value
        if entry not in self.missing:
            self.missing.append(entry)

    def _given(self, path: Path) -> Json:
        value: Any = self._card
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def compare_kept(self, wanted: Json, seen: list[Json]) -> None:
        """Find kept properties whose lines would not be kept again: those that the reader converts, and invalid ones."""
        if not isinstance(wanted, list):
            self.missing.append((("vCardProps",), wanted))
            return
        if wanted == seen:
            return
        left = Counter(map(_canonical, seen))
        named = [str(entry[0]).lower() if isinstance(entry, list) and entry else "" for entry in wanted]
        hidden = {place for place in range(len(wanted)) if ("vCardProps", str(place)) in self._draft.hidden}
        again = {named[place] for place in hidden}
        unseen: list[Json] = []
        wrong: set[int] = set()
        for place, entry in enumerate(wanted):
            text = _canonical(entry)
            if place not in hidden and left[text]:
                left[text] -= 1
            else:
                unseen.append(entry)
                wrong.add(place)
        whole = {named[place] for place in wrong - hidden} & again  # those of a name go together, or each round would hide but one
        wrong |= {place for place, name in enumerate(named) if name in whole}
        self.wrong |= {("vCardProps", str(place)) for place in wrong - hidden}
        if unseen:
            self.missing.append((("vCardProps",), unseen))

    def compare_localizations(self, wanted: Json, seen: Object) -> None:
        """Compare the localized cards."""
        if not isinstance(wanted, dict):
            self.missing.append((("localizations",), wanted))
            return
        absent = {language: patch for language, patch in wanted.items() if language not in seen}
        if len(absent) == len(wanted):
            if absent:
                self.missing.append((("localizations",), absent))
            return
        self.missing.extend((("localizations", language), patch) for language, patch in absent.items())
        for language in wanted.keys() - absent.keys():
            if not self._same_localization(wanted[language], seen[language]):
                if ("localizations", language) in self._draft.hidden:
                    self.missing.append((("localizations", language), wanted[language]))
                self.wrong |= {("localizations", language)} - self._draft.hidden

    def _same_localization(self, wanted: Json, seen: Object) -> bool:
        if not isinstance(wanted, dict):
            return False
        return wanted == seen or plain(localized(self._card, wanted)) == plain(localized(self._card, seen))


def plain(value: Json) -> Json:  # a condition for each sort of what means the same
    """Return a value without defaults, and with unordered arrays sorted."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for name, item in value.items():
        if name == "@type" and isinstance(item, str) and item in _IMPLIED:
            continue
        if (name in _DEFAULTS and item == _DEFAULTS[name]) or (name in _EMPTY and item == _EMPTY[name]):
            continue
        result[name] = _plain_params(item) if name == "vCardParams" and isinstance(item, dict) else plain(item)
    if isinstance(result.get("vCardProps"), list):
        result["vCardProps"] = sorted(map(_plain_entry, result["vCardProps"]), key=_text)
    if isinstance(units := result.get("units"), list) and not any(unit not in ({}, {"name": ""}) for unit in units):
        del result["units"]  # Stalwart has an empty one of `ORG:Acme;`
    if isinstance(components := result.get("components"), list):
        _set_components(result, components)
    return result


def _set_components(result: Object, components: list[Json]) -> None:
    """Set the components of a name or an address without empty ones, which some servers make; sorted where order says nothing."""
    found = [
        part for part in components if not (isinstance(part, dict) and part.get("value") == "" and part.get("kind") != "separator")
    ]
    if not found:
        del result["components"]
    elif result.get("isOrdered") is not True:
        result["components"] = sorted(found, key=_text)
    else:
        result["components"] = found


def _plain_params(params: Object) -> Object:
    found: Object = {}
    for name, value in params.items():
        values = [str(text) for text in value] if isinstance(value, list) else [str(value)]
        found[name.lower()] = values[0] if len(values) == 1 else values
    return found


def _canonical(entry: Json) -> str:
    return _text(_plain_entry(entry))


def _plain_entry(entry: Json) -> Json:
    if isinstance(entry, list) and len(entry) > 1 and isinstance(entry[1], dict):
        return [entry[0], _plain_params(entry[1]), *entry[2:]]
    return entry


def _text(value: Json) -> str:
    """Return a value as JSON, the same for equal ones."""
    if isinstance(value, dict) and value.keys() == _COMPONENT:
        kind, text = value["kind"], value["value"]
        if isinstance(kind, str) and isinstance(text, str):  # nearly all values, and this takes a twentieth of the time
            return f'{{"kind": {encode_basestring_ascii(kind)}, "value": {encode_basestring_ascii(text)}}}'
    return _ENCODE(value)
