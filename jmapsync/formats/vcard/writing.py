"""Convert a JSContact Card to the lines of a vCard 3.0 or 4.0 (RFC 9555, 3)."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from jmapsync.formats.contentline import Line, escape
from jmapsync.formats.objects import MalformedError, as_object, natural
from jmapsync.formats.patch import localized
from jmapsync.formats.pointer import parse
from jmapsync.formats.vcard.addresses import write_address
from jmapsync.formats.vcard.anniversaries import write_anniversaries
from jmapsync.formats.vcard.draft import Draft, Tag
from jmapsync.formats.vcard.entries import write_entry
from jmapsync.formats.vcard.jsprop import write_patch
from jmapsync.formats.vcard.names import is_derived, write_name
from jmapsync.formats.vcard.preserved import write_params, write_property
from jmapsync.formats.vcard.reading import KINDS_OF_CARD, is_kind, read_object
from jmapsync.formats.vcard.relations import is_tagged, write_keywords, write_members, write_organization, write_related
from jmapsync.formats.vcard.residue import find_residue
from jmapsync.formats.vcard.resources import write_resource, write_service
from jmapsync.formats.vcard.values import Json, is_uri, unescape, uri_value, write_stamp

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

_MAPS = (
    *("nicknames", "organizations", "titles", "phones", "emails", "addresses", "onlineServices", "links", "media"),
    *("anniversaries", "notes", "preferredLanguages", "speakToAs/pronouns", "personalInfo", "relatedTo", "calendars"),
    *("schedulingAddresses", "directories", "cryptoKeys"),
)
"""The order in a file."""
_FIRST = {where: where.partition("/")[0] for where in _MAPS}
"""The property of the card that each of them is, or is in."""
_WRITERS = {
    "addresses": write_address,
    "organizations": write_organization,
    "onlineServices": write_service,
    "relatedTo": write_related,
}
_VERSION_LINE = {True: Line("VERSION", "4.0", {}), False: Line("VERSION", "3.0", {})}
_ONCE = frozenset({"N", "PRODID", "PROFILE"})
_NOT_IN_THREE = ("prop-id",)


def write_object(card: Json, *, four: bool) -> list[Line]:
    """Return the lines of a Card. Raise MalformedError for an invalid Card."""
    if not isinstance(card, dict) or card.get("@type", "Card") != "Card" or not _is_uid(card.get("uid")):
        raise MalformedError("The object is no contact card: it needs the type Card and a uid.")
    hidden: set[Tag] = set()
    while True:  # each round hides something more, so there is an end
        draft = _draft(card, four=four, hidden=hidden)
        residue = find_residue(card, read_object([_VERSION_LINE[four], *draft.lines]), draft)
        if not residue.wrong:
            break
        hidden |= residue.wrong
    lines = [_VERSION_LINE[four], *draft.lines, *(write_patch(path, value) for path, value in sorted_missing(residue.missing))]
    return lines if four else [_without_key(line) for line in lines]


def _is_uid(value: object) -> bool:
    """Return whether a value can be a UID: no line holds a CR, and a blank one is read as none."""
    return isinstance(value, str) and bool(value.strip()) and "\r" not in value


def sorted_missing(missing: list[tuple[tuple[str, ...], Any]]) -> list[tuple[tuple[str, ...], Any]]:
    """Return the values for JSPROP lines in the order of their paths."""
    return sorted(missing, key=lambda entry: entry[0])


def _without_key(line: Line) -> Line:
    if "prop-id" not in line.params:
        return line
    return Line(line.name, line.value, {name: held for name, held in line.params.items() if name not in _NOT_IN_THREE}, line.group)


def _draft(card: Object, *, four: bool, hidden: set[Tag]) -> Draft:
    draft = Draft(card, four=four, hidden=hidden)
    _write_head(draft)
    for where, first in _FIRST.items():
        entries = _entries(card, where) if first in card else None
        if entries:
            keys = [key for key in entries if isinstance(entries[key], dict) and (where, key) not in hidden]
            if len(keys) > 1:
                keys.sort(key=natural)
            if where == "anniversaries":
                write_anniversaries(draft, entries, keys)
            else:
                for key in keys:
                    _write_one(draft, where, key, entries[key])
    _write_tail(draft)
    if four and isinstance(card.get("localizations"), dict):
        for language in sorted(card["localizations"]):
            if ("localizations", language) not in hidden:
                _write_language(draft, language, card["localizations"][language])
    return draft


def _entries(card: Object, where: str) -> Object:
    value: Any = card
    for step in where.split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    return as_object(value)


def _write_one(draft: Draft, where: str, key: str, entry: Object) -> None:
    if where in _WRITERS:
        _WRITERS[where](draft, key, entry)
    elif where in {"media", "cryptoKeys"}:
        write_resource(draft, where, key, entry)
    elif where == "anniversaries":
        write_anniversaries(draft, {key: entry}, [key])
    else:
        write_entry(draft, where, key, entry)


def _write_head(draft: Draft) -> None:
    card, four = draft.card, draft.four
    texts = {name: card.get(name) for name in ("prodId", "uid", "kind", "language")}
    shown = {name: text for name, text in texts.items() if isinstance(text, str) and text and (name, "") not in draft.hidden}
    if "prodId" in shown:
        draft.add(Line("PRODID", escape(shown["prodId"]), {}), "prodId")
    if "uid" in shown:
        uid = shown["uid"]
        params = {"value": ["text"]} if four and not is_uri(uid) else {}
        draft.add(Line("UID", uri_value(uid, bare=four) if is_uri(uid) else escape(uid), params), "uid")
    if "kind" in shown:
        kind = shown["kind"]
        name = "KIND" if four else "X-ADDRESSBOOKSERVER-KIND" if kind == "group" else "X-KIND"
        if is_kind(kind) if four else kind in KINDS_OF_CARD and kind != "individual":
            draft.add(Line(name, escape(kind), {}), "kind")
            if name == "X-ADDRESSBOOKSERVER-KIND":
                draft.add(Line("X-KIND", escape(kind), {}), "kind")  # khard lists groups by it
    if "language" in shown and four:
        draft.add(Line("LANGUAGE", escape(shown["language"]), {}), "language")
    write_name(draft)
    speak = card.get("speakToAs")
    gender = speak.get("grammaticalGender") if isinstance(speak, dict) else None
    if four and isinstance(gender, str) and gender and ("speakToAs", "grammaticalGender") not in draft.hidden:
        kept = speak.get("vCardParams") if isinstance(speak, dict) else None
        params = {}
        if isinstance(kept, dict):
            write_params(params, kept)
        draft.add(Line("GRAMGENDER", escape(gender), params), "speakToAs", "grammaticalGender")


def _write_tail(draft: Draft) -> None:
    card = draft.card
    members, keywords, kept = card.get("members"), card.get("keywords"), card.get("vCardProps")
    if isinstance(keywords, dict) and ("keywords", "") not in draft.hidden:
        write_keywords(draft, keywords, kept)
    if isinstance(members, dict):
        write_members(draft, {uid: value for uid, value in members.items() if ("members", uid) not in draft.hidden})
    for attribute, name in (("created", "CREATED"), ("updated", "REV")):
        stamp = write_stamp(card.get(attribute))
        if stamp and (attribute, "") not in draft.hidden and (draft.four or name == "REV"):
            draft.add(Line(name, stamp, {}), attribute)
    for place, entry in enumerate(kept if isinstance(kept, list) else ()):
        line = write_property(entry) if ("vCardProps", str(place)) not in draft.hidden else None
        if line is not None and is_tagged(line):
            continue  # written with the keywords
        if line is not None and (draft.four or _suits_three(line)):
            draft.add(line, "vCardProps", str(place))


def _suits_three(line: Line) -> bool:
    """Return whether vobject accepts a kept line, and khard, which uses it, writes it back unchanged.

    N occurs once; base64 is valid; groups have no dots; text is escaped, because vobject cuts it at an unescaped comma.
    """
    if line.name in _ONCE or "." in line.group:
        return False
    if "encoding" not in line.params:
        return escape(unescape(line.value)).replace("\\;", ";") == line.value.replace("\\;", ";")
    try:
        binascii.a2b_base64(line.value, strict_mode=True)
    except ValueError:
        return False
    return True


def _write_language(draft: Draft, language: str, patch: Json) -> None:
    """Write the lines of a localization, each an alternative of an existing line."""
    other = localized(draft.card, patch) if isinstance(patch, dict) else None
    if other is None or not language:
        return
    added = Draft(other, four=True, hidden=draft.hidden)
    for where, key in _touched(patch, other):
        if where == "name":
            write_name(added)
        elif where == "speakToAs":
            _write_head(added)
        elif isinstance(_entries(other, where).get(key), dict):
            _write_one(added, where, key, _entries(other, where)[key])
    known = {(tag, line.name, line.value) for tag, line in zip(draft.tags, draft.lines, strict=True)}
    for tag, line in zip(added.tags, added.lines, strict=True):
        if (tag, line.name, line.value) in known or line.name == "X-ABLABEL" or is_derived(line):
            continue
        alternative = _mark(draft, tag, line.name)
        if not alternative:
            continue
        params = {name: values for name, values in line.params.items() if name != "altid"}
        draft.add(Line(line.name, line.value, {"altid": alternative, "language": [language], **params}), "localizations", language)


def _touched(patch: Object, other: Object) -> list[Tag]:
    found: dict[Tag, None] = {}
    for pointer in patch:
        path = parse(pointer)
        if path[0] == "name":
            found["name", ""] = None
        elif path[:2] == ("speakToAs", "grammaticalGender"):
            found["speakToAs", "grammaticalGender"] = None
        else:
            depth = 2 if path[0] == "speakToAs" else 1
            where = "/".join(path[:depth])
            keys = path[depth : depth + 1] or _entries(other, where)
            if where in _MAPS:
                found.update(dict.fromkeys((where, key) for key in keys))
    return sorted(found)


def _mark(draft: Draft, tag: Tag, name: str) -> list[str]:
    """Return the ALTID of the localized line, which gets one if needed; empty if there is no such line."""
    for place, line in enumerate(draft.lines):
        if line.name == name and draft.tags[place] == tag:
            if "altid" not in line.params:
                alternative = [draft.alternative(name, tag[1])]
                draft.lines[place] = line._replace(params={"altid": alternative, **line.params})
            return draft.lines[place].params["altid"]
    return []
