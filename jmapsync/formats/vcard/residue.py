"""Find what the lines written for a card do not say: the card is compared with what those lines would be read as.

So nothing can be lost by an oversight of the writer: what is missing goes into JSPROP lines, and what would be read as something
else is not written as lines at all, but whole into JSPROP. Two cards are the same up to defaults, `@type` where it is implied, the
order of components that have none, properties that are null, CR beside LF in texts, and the form of localization patches.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.vcard.patches import Path, localized

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object
    from jmapsync.formats.vcard.draft import Draft, Tag

_IMPLIED = frozenset(
    {
        *("Address", "AddressComponent", "Anniversary", "Author", "Calendar", "CryptoKey", "Directory", "EmailAddress"),
        *("LanguagePref", "Link", "Media", "Name", "NameComponent", "Nickname", "Note", "OnlineService", "Organization"),
        *("OrgUnit", "PartialDate", "PersonalInfo", "Phone", "Pronouns", "Relation", "SchedulingAddress", "SpeakToAs", "Title"),
    }
)
_DEFAULTS = {"isOrdered": (False,), "kind": ("title",), "vCardName": ("socialprofile",)}
_SETS = frozenset({"contexts", "features", "vCardParams", "relation"})
_SPOKEN = frozenset({"phoneticSystem", "phoneticScript"})
_LISTED = frozenset({"vCardProps", "localizations"})


class Residue(NamedTuple):
    """What the lines do not say."""

    missing: list[tuple[Path, Any]]
    wrong: set[Tag]
    """What the lines say otherwise, so that they must not be written."""


def find_residue(card: Object, view: Object, draft: Draft) -> Residue:
    """Compare a card with what its lines would be read as."""
    residue = Residue([], set())
    tags = set(draft.tags)
    for name, value in card.items():
        seen = view.get(name)
        if value == seen or name in _LISTED:
            continue
        if name not in view:
            if not (name == "kind" and value == "individual"):
                residue.missing.append(((name,), value))
        elif isinstance(value, dict) and isinstance(seen, dict):
            if name in {"name", "speakToAs"}:
                _compare_single(residue, draft, tags, name, plain(value), plain(seen))
            else:
                _compare_map(residue, draft, tags, name, value, seen)
        else:
            _differ(residue, draft, tags, (name,), value)
    _compare_kept(residue, card, view, draft)
    _compare_localizations(residue, card, view, draft)
    return residue._replace(missing=[entry for entry in residue.missing if entry[1] is not None])


def _compare_map(residue: Residue, draft: Draft, tags: set[Tag], name: str, wanted: Object, seen: Object) -> None:
    for key, value in wanted.items():
        if key not in seen:
            residue.missing.append(((name, key), value))
        elif value != seen[key] and draft.four:
            _compare(residue, draft, tags, (name, key), plain(value), plain(seen[key]))


def _compare_single(residue: Residue, draft: Draft, tags: set[Tag], name: str, wanted: Any, seen: Any) -> None:
    if draft.four:
        _compare(residue, draft, tags, (name,), wanted, seen)
        return
    for key, value in wanted.items():
        said = key in _SPOKEN and any("phonetic" in part for part in seen.get("components", ()))
        if (":" in key and key not in seen) or (said and value != seen.get(key)):
            residue.missing.append(((name, key), value))


def _compare(residue: Residue, draft: Draft, tags: set[Tag], path: Path, wanted: Any, seen: Any) -> None:
    if wanted == seen:
        return
    if not isinstance(wanted, dict) or not isinstance(seen, dict):
        _differ(residue, draft, tags, path, wanted)
        return
    if seen.keys() - wanted.keys() and path != ("speakToAs",) and path != ("speakToAs", "pronouns"):
        _differ(residue, draft, tags, path, wanted)
        return
    for key, value in wanted.items():
        if key in seen:
            _compare(residue, draft, tags, (*path, key), value, seen[key])
        else:
            residue.missing.append(((*path, key), value))


def _differ(residue: Residue, draft: Draft, tags: set[Tag], path: Path, wanted: Any) -> None:
    """Note a difference: the lines are to be hidden, or, where there are none or they are hidden already, overruled by JSPROP."""
    deep = path[0] == "speakToAs" and path[1:2] == ("pronouns",)
    tag = ("speakToAs/pronouns", path[2]) if deep and len(path) > 2 else (path[0], path[1] if len(path) > 1 else "")  # noqa: PLR2004
    if (path[0], "") in tags and tag not in tags:
        tag = (path[0], "")
    if tag in tags and tag not in draft.hidden:
        residue.wrong.add(tag)
        return
    whole: Path = tuple(tag[0].split("/")) + ((tag[1],) if tag[1] else ())
    value: Any = draft.card
    for step in whole:
        value = value.get(step) if isinstance(value, dict) else None
    entry = (whole, value if value is not None else wanted)
    if entry not in residue.missing:
        residue.missing.append(entry)


def _compare_kept(residue: Residue, card: Object, view: Object, draft: Draft) -> None:
    """Find the kept properties whose lines would not simply be kept again: those that the reader converts, and malformed ones."""
    wanted = card.get("vCardProps")
    if wanted is None or wanted == view.get("vCardProps"):
        return
    if not isinstance(wanted, list):
        residue.missing.append((("vCardProps",), wanted))
        return
    seen = [_canonical(entry) for entry in view.get("vCardProps", ())]
    unseen = []
    for place, entry in enumerate(wanted):
        tag = "vCardProps", str(place)
        if tag not in draft.hidden and _canonical(entry) in seen:
            seen.remove(_canonical(entry))
        else:
            unseen.append(entry)
            if tag not in draft.hidden:
                residue.wrong.add(tag)
    if unseen:
        residue.missing.append((("vCardProps",), unseen))


def _canonical(entry: Any) -> str:
    if isinstance(entry, list) and len(entry) > 1 and isinstance(entry[1], dict):
        entry = [entry[0], _plain_params(entry[1]), *entry[2:]]
    return json.dumps(entry, sort_keys=True)


def _compare_localizations(residue: Residue, card: Object, view: Object, draft: Draft) -> None:
    wanted = card.get("localizations")
    if not isinstance(wanted, dict):
        if wanted is not None:
            residue.missing.append((("localizations",), wanted))
        return
    seen = view.get("localizations", {})
    absent = {}
    for language, patch in wanted.items():
        if patch == seen.get(language):
            continue
        if language not in seen:
            absent[language] = patch
        elif not isinstance(patch, dict) or plain(localized(card, patch)) != plain(localized(card, seen[language])):
            if ("localizations", language) in draft.hidden:
                residue.missing.append((("localizations", language), patch))
            else:
                residue.wrong.add(("localizations", language))
    if len(absent) == len(wanted) and absent:
        residue.missing.append((("localizations",), absent))
    else:
        residue.missing.extend((("localizations", language), patch) for language, patch in absent.items())


def plain(value: Any) -> Any:
    """Return a value without defaults, and with what has no order in one; see the module's text."""
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
        if (
            (name in _DEFAULTS and item in _DEFAULTS[name])
            or (name in _SETS and item == {})
            or (name == "vCardProps" and item == [])
        ):
            continue
        result[name] = _plain_params(item) if name == "vCardParams" and isinstance(item, dict) else plain(item)
    if isinstance(result.get("vCardProps"), list):
        result["vCardProps"] = sorted(map(_canonical, result["vCardProps"]))
    components = result.get("components")
    if isinstance(components, list) and result.get("isOrdered") is not True:
        result["components"] = sorted(components, key=lambda part: json.dumps(part, sort_keys=True))
    return result


def _plain_params(params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in params.items():
        values = [str(text) for text in value] if isinstance(value, list) else [str(value)]
        found[name.lower()] = values[0] if len(values) == 1 else values
    return found
