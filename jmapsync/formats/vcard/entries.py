"""Convert properties that become one entry of a map each, by a table for both directions (RFC 9555, 2.4 to 2.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.contentline import escape
from jmapsync.formats.vcard.draft import TYPE_OF_CONTEXT, Draft, keyed, write_common
from jmapsync.formats.vcard.state import CONTEXTS, Reading, read_common
from jmapsync.formats.vcard.values import is_uri, read_number, read_stamp, texts, unescape, uri_value, write_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.contentline import Line, Params
    from jmapsync.formats.objects import Object

FEATURES = {
    "voice": "voice",
    "cell": "mobile",
    "mobile": "mobile",
    "fax": "fax",
    "pager": "pager",
    "text": "text",
    "video": "video",
    "textphone": "textphone",
    "main-number": "main-number",
}
"""RFC 9555, 2.7.6; `mobile` is used by some programs."""
FEATURES_3 = {**FEATURES, "msg": "text", "main": "main-number"}
"""As `FEATURES`, with the words of RFC 2426, 3.3.1 and of Apple."""
TYPE_OF_FEATURE = {feature: kind for kind, feature in FEATURES.items() if kind != "mobile"}
TYPE_OF_FEATURE_3 = {**TYPE_OF_FEATURE, "text": "msg", "main-number": "main"}
_TEL = "tel:"
"""The prefix that khard removes from a number when it edits a card; vCard 3.0 does not have it."""
_LEVELS = {"beginner": "low", "average": "medium", "expert": "high"}
_LEVEL_OF = {level: word for word, level in _LEVELS.items()}


class Entry(NamedTuple):
    """A vCard property and its JSContact object."""

    name: str
    where: str
    """The map of the card."""
    prefix: str
    """Prefix of keys without PROP-ID, as in the examples of RFC 9555."""
    attribute: str
    """The property for the value."""
    kind: str = ""
    """The `kind` that the name of the property implies."""
    uri: bool = False
    labelled: bool = False
    params: tuple[str, ...] = ()
    """Parameters with a property of their own; see `_PARAMS`."""
    three: bool = True
    """Whether vCard 3.0, or common practice with it, has the property; otherwise it goes to JSPROP."""


ENTRIES = (
    Entry("NICKNAME", "nicknames", "NICK", "name"),
    Entry("TITLE", "titles", "TITLE", "name", "title"),
    Entry("ROLE", "titles", "TITLE", "name", "role"),
    Entry("EMAIL", "emails", "EMAIL", "address", labelled=True),
    Entry("TEL", "phones", "PHONE", "number", labelled=True),
    Entry("LANG", "preferredLanguages", "LANG", "language", three=False),
    Entry("CALURI", "calendars", "CAL", "uri", "calendar", uri=True, labelled=True, params=("mediatype",)),
    Entry("FBURL", "calendars", "FBURL", "uri", "freeBusy", uri=True, labelled=True, params=("mediatype",)),
    Entry("CALADRURI", "schedulingAddresses", "SCHEDULING", "uri", uri=True, labelled=True),
    Entry("SOURCE", "directories", "ENTRY", "uri", "entry", uri=True, labelled=True, params=("mediatype", "index")),
    Entry(
        "ORG-DIRECTORY", "directories", "DIRECTORY", "uri", "directory", uri=True, labelled=True,
        params=("mediatype", "index"), three=False,
    ),
    Entry("CONTACT-URI", "links", "CONTACT", "uri", "contact", uri=True, labelled=True, params=("mediatype",), three=False),
    Entry("URL", "links", "LINK", "uri", uri=True, labelled=True, params=("mediatype",)),
    Entry("NOTE", "notes", "NOTE", "note", params=("created", "author", "author-name")),
    Entry("EXPERTISE", "personalInfo", "PERSINFO", "value", "expertise", labelled=True, params=("level", "index"), three=False),
    Entry("HOBBY", "personalInfo", "PERSINFO", "value", "hobby", labelled=True, params=("level", "index"), three=False),
    Entry("INTEREST", "personalInfo", "PERSINFO", "value", "interest", labelled=True, params=("level", "index"), three=False),
    Entry("PRONOUNS", "speakToAs/pronouns", "PRONOUNS", "pronouns", three=False),
)  # fmt: skip
BY_NAME = {entry.name: entry for entry in ENTRIES}
BY_KIND = {(entry.where, entry.kind): entry for entry in ENTRIES}


def read_entry(reading: Reading, line: Line) -> None:
    """Read a line of a property of the table."""
    spec = BY_NAME[line.name]
    if not reading.understands(line):
        reading.keep(line)
        return
    if spec.name == "NICKNAME" and "," in line.value:
        for text in texts(line.value):
            if text:
                _add(reading, line, spec, text)
        return
    text = unescape(line.value)
    if text:
        _add(reading, line, spec, text)


def _add(reading: Reading, line: Line, spec: Entry, text: str) -> None:
    entry: Object = {"kind": spec.kind, spec.attribute: text} if spec.kind else {spec.attribute: text}
    used: tuple[str, ...] = ()
    if spec.params and line.params:
        used = tuple(name for name in spec.params if name in line.params and _read_param(spec, entry, name, line.params[name]))
    features = None if spec.name != "TEL" else FEATURES if reading.four else FEATURES_3
    if line.params or line.group:
        read_common(reading, line, entry, features=features, labelled=spec.labelled, used=frozenset(used), contexts=CONTEXTS)
    if spec.where == "speakToAs/pronouns":
        reading.add(line, "pronouns", spec.prefix, entry, into=reading.card.setdefault("speakToAs", {}))
    else:
        reading.add(line, spec.where, spec.prefix, entry)


def _read_param(spec: Entry, entry: Object, name: str, values: list[str]) -> bool:
    """Read a parameter with a property of its own; return whether it was valid."""
    value = ",".join(values)
    if name == "mediatype":
        entry["mediaType"] = value
    elif name == "index":
        number = read_number(value)
        if not number:
            return False
        entry["listAs"] = number
    elif name == "level":
        level = value.lower()
        entry["level"] = _LEVELS.get(level, level) if spec.kind == "expertise" else level
    elif name == "created":
        stamp = read_stamp(value)
        if stamp is None:
            return False
        entry["created"] = stamp
    else:
        entry.setdefault("author", {})["uri" if name == "author" else "name"] = value
    return True


def write_entry(draft: Draft, where: str, key: str, entry: Object) -> None:
    """Write an entry of a map of the table, if this version has a property for its kind."""
    kind = entry.get("kind", "title" if where == "titles" else "")
    spec = BY_KIND.get((where, kind)) if isinstance(kind, str) else None
    if spec is None and where in {"emails", "phones", "nicknames", "notes", "preferredLanguages", "schedulingAddresses"}:
        spec = BY_KIND[where, ""]
    text = entry.get(spec.attribute) if spec else None
    if spec is None or not isinstance(text, str) or not text or not (spec.three or draft.four):
        return
    if spec.name == "SOURCE" and not draft.four and entry.keys() - {"@type", "kind", "uri"}:
        return  # in vCard 3.0 the line has no parameters (RFC 2426, 2.1.3)
    params = keyed(key)
    value = uri_value(text, bare=draft.four) if spec.uri else escape(text)
    features: Mapping[str, str] | None = None
    if spec.name == "TEL":
        features = TYPE_OF_FEATURE if draft.four else TYPE_OF_FEATURE_3
        if not draft.four:
            value = escape(text.removeprefix(_TEL) or text)
        elif is_uri(text):
            params["value"] = ["uri"]
            value = uri_value(text, bare=True)
    write_common(draft, spec.name, params, entry, types=TYPE_OF_CONTEXT, features=features)
    if spec.params and draft.four:
        _write_params(spec, entry, params)
    group = draft.shared.get(entry["organizationId"], "") if isinstance(entry.get("organizationId"), str) else ""
    draft.put(spec.name, value, params, entry, (where, key), group=group)


def _write_params(spec: Entry, entry: Object, params: Params) -> None:
    for name in spec.params:
        text: Any = ""
        if name == "mediatype":
            text = entry.get("mediaType")
        elif name == "index":
            number = entry.get("listAs")
            text = str(number) if type(number) is int and number > 0 else ""
        elif name == "level":
            level = entry.get("level")
            text = _LEVEL_OF.get(level, level) if isinstance(level, str) and spec.kind == "expertise" else level
        elif name == "created":
            text = write_stamp(entry.get("created"))
        else:
            author = entry.get("author")
            text = author.get("uri" if name == "author" else "name") if isinstance(author, dict) else ""
        if isinstance(text, str) and text:
            params[name] = [text]
