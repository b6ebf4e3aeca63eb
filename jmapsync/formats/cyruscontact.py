"""Convert cards to the Contact and ContactGroup objects of Cyrus' `https://cyrusimap.org/ns/jmap/contacts` (3.6 to 3.12).

Contacts are read from their raw vCard; only writing needs this. `Contact/set` edits the stored vCard in place: lines without a
property of their own survive an update, but all EMAIL, TEL, ADR or URL and IMPP lines are rewritten if `emails`, `phones`,
`addresses` or `online` is sent. So only changed properties are sent, and what a Contact cannot express is reported
(imap/jmap_contact.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.canonical import canonical, changes
from jmapsync.formats.merge import missing
from jmapsync.formats.objects import as_object, entries
from jmapsync.formats.pointer import describe
from jmapsync.formats.repairs.cards import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.objects import Object

_EMAIL_TYPES = {"private": "personal", "work": "work"}
_PHONE_TYPES = {"private": "home", "work": "work"}
_PHONE_FEATURES = ("mobile", "fax", "pager")
_ADDRESS_TYPES = {"private": "home", "work": "work", "billing": "billing", "delivery": "postal"}
_PARTS = ("locality", "region", "postcode", "country")
_SERVICES = {
    "xmpp": "jabber",
    "skype": "skype",
    "aim": "aim",
    "icq": "icq",
    "msnim": "msn",
    "ymsgr": "yahoo",
    "gtalk": "googletalk",
}
"""Services that Cyrus writes as IMPP, by the scheme of their URIs."""
_MESSAGING = frozenset({*_SERVICES.values(), "facebook", "gadugadu", "qq", "twitter"})
_FIRST_YEAR = 1605
"""Cyrus refuses earlier years; in iOS, 1604 means that the year is unknown."""
_NO_DATE = "0000-00-00"
_NAMES = {
    "prefix": ("title",),
    "firstName": ("given", "given2"),
    "lastName": ("surname", "surname2"),
    "suffix": ("credential", "generation"),
}
"""The components of a name in each property; Cyrus takes the first word of `firstName` for given, the rest for given2."""
_BLOB = "urn:jmapsync:blob:"
_UNSAID = frozenset({"@type", "version", "uid", "vCardProps"})
"""Properties that an update does not change, or that every Contact has."""


class Expressed(NamedTuple):
    """Properties of a Contact, and the part of the card that they express."""

    properties: Object
    card: Object


def emails(card: Object) -> Expressed:
    """Convert the email addresses; the one with the lowest `pref` is the default."""
    found, shown = [], {}
    entries = _entries_with(card, "emails", "address")
    preferred = min((entry["pref"] for entry in entries.values() if isinstance(entry.get("pref"), int)), default=None)
    marked = next((key for key, entry in entries.items() if preferred is not None and entry.get("pref") == preferred), None)
    for key, entry in entries.items():
        context, kind = _type(entry, _EMAIL_TYPES)
        item = {"type": kind, "value": entry["address"], "isDefault": key == marked}
        shown[key] = {"address": entry["address"], **context, **_labelled(entry, item), **({"pref": 1} if key == marked else {})}
        found.append(item)
    return _list("emails", "emails", found, shown)


def phones(card: Object) -> Expressed:
    """Convert the phone numbers: each has one type, a feature or a context."""
    found, shown = [], {}
    for key, entry in _entries_with(card, "phones", "number").items():
        features = entry.get("features")
        feature = next((name for name in _PHONE_FEATURES if isinstance(features, dict) and features.get(name)), None)
        expressed, kind = ({"features": {feature: True}}, feature) if feature else _type(entry, _PHONE_TYPES)
        item = {"type": kind, "value": entry["number"]}
        shown[key] = {"number": entry["number"], **expressed, **_labelled(entry, item)}
        found.append(item)
    return _list("phones", "phones", found, shown)


def online(card: Object) -> Expressed:
    """Convert links and accounts: URL lines, IMPP lines for services that Cyrus knows, X-SOCIAL-PROFILE lines for others."""
    found: list[Object] = []
    links: Object = {}
    services: Object = {}
    for key, entry in _entries_with(card, "links", "uri").items():
        item = {"type": "uri", "value": entry["uri"]}
        links[key] = {"uri": entry["uri"], **_labelled(entry, item)}
        found.append(item)
    listed = card.get("onlineServices")
    for key, entry in as_object(listed).items():
        uri, user = (entry.get("uri"), entry.get("user")) if isinstance(entry, dict) else (None, None)
        if not isinstance(uri, str) and not isinstance(user, str):
            continue
        service = entry.get("service") or _SERVICES.get(str(uri).partition(":")[0].lower())
        messaging = isinstance(uri, str) and str(service).lower() in _MESSAGING
        attribute = "uri" if messaging or not isinstance(user, str) else "user"
        found.append({"type": "username", "value": entry[attribute], **({"label": service} if isinstance(service, str) else {})})
        services[key] = {attribute: entry[attribute], **({"service": service} if "service" in entry else {})}
        services[key] |= {"vCardName": "impp"} if messaging else {}
    shown = {"links": links, "onlineServices": services}
    return Expressed({"online": found}, {name: entries for name, entries in shown.items() if entries})


def addresses(card: Object) -> Expressed:
    """Convert the postal addresses: the street is one text, with PO box and apartment on lines before it, as Cyrus parses it."""
    found, shown = [], {}
    labels = _labels(card)
    listed = card.get("addresses")
    for key, entry in as_object(listed).items():
        if not isinstance(entry, dict):
            continue
        components = entry.get("components")
        parts = [part for part in (components if isinstance(components, list) else []) if isinstance(part, dict)]
        text = entry.get("full")
        lines = [_joined(parts, "postOfficeBox"), _joined(parts, "apartment"), _joined(parts, "name")]
        street = "\n".join(line for line in lines if line) or (text if isinstance(text, str) and not parts else "")
        context, kind = _type(entry, _ADDRESS_TYPES)
        item = {"type": kind, "street": street, **{name: _joined(parts, name) for name in _PARTS}}
        expressed: Object = dict(context)
        if all(part.keys() <= {"kind", "value"} for part in parts) and [part.get("kind") for part in parts] == [
            name for name in ("name", *_PARTS) if any(part.get("kind") == name for part in parts)
        ]:
            expressed["components"] = parts
        if isinstance(code := entry.get("countryCode"), str):
            item["countryCode"] = code.lower()
            expressed["countryCode"] = code
        if label := labels.get(_group(entry)):
            item["label"] = label
        shown[key] = expressed
        found.append(item)
    return _list("addresses", "addresses", found, shown)


def dates(card: Object) -> Expressed:
    """Convert birthday and wedding day: `YYYY-MM-DD`, with zeros for unknown parts."""
    properties: Object = {"birthday": _NO_DATE, "anniversary": _NO_DATE}
    shown: Object = {}
    listed = card.get("anniversaries")
    for key, entry in as_object(listed).items():
        name = {"birth": "birthday", "wedding": "anniversary"}.get(str(entry.get("kind"))) if isinstance(entry, dict) else None
        date = entry.get("date") if name else None
        if name is None or not isinstance(date, dict) or properties[name] != _NO_DATE or "calendarScale" in date:
            continue
        parts = [date.get(part, 0) for part in ("year", "month", "day")]
        if all(isinstance(part, int) for part in parts) and any(parts) and not 0 < parts[0] < _FIRST_YEAR:
            properties[name] = f"{parts[0]:04}-{parts[1]:02}-{parts[2]:02}"
            shown[key] = {"kind": entry["kind"], "date": date}
    return Expressed(properties, {"anniversaries": shown} if shown else {})


def _entries_with(card: Object, name: str, attribute: str) -> dict[str, Object]:
    listed = card.get(name)
    entries = listed.items() if isinstance(listed, dict) else ()
    return {key: entry for key, entry in entries if isinstance(entry, dict) and isinstance(entry.get(attribute), str)}


def _list(name: str, target: str, found: list[Any], shown: Object) -> Expressed:
    return Expressed({target: found}, {name: shown} if shown else {})


def _type(entry: Object, types: dict[str, str]) -> tuple[Object, str]:
    """Return the context that a type expresses, and the type."""
    contexts = entry.get("contexts")
    for context, kind in types.items():
        if isinstance(contexts, dict) and contexts.get(context):
            return {"contexts": {context: True}}, kind
    return {}, "other"


def _labelled(entry: Object, item: Object) -> Object:
    """Set the label of an entry on its item, and return the part of the entry that this expresses."""
    label = entry.get("label")
    if not isinstance(label, str) or not label:
        return {}
    item["label"] = label
    return {"label": label}


def _joined(parts: list[Any], field: str) -> str:
    """Return the texts of a field of ADR in order."""
    return " ".join(str(part.get("value", "")) for part in parts if ADDRESS.get(str(part.get("kind"))) == field).strip()


def _labels(card: Object) -> dict[str, str]:
    """Return the labels that are separate lines, as those of addresses are, by the group that they label."""
    lines = card.get("vCardProps")
    return {
        str(line[1].get("group")).lower(): str(line[3])
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, list)
        and len(line) > len(("name", "parameters", "type"))
        and line[0] == "x-ablabel"
        and isinstance(line[1], dict)
    }


def _group(entry: Object) -> str:
    params = entry.get("vCardParams")
    return str(params.get("group", "")).lower() if isinstance(params, dict) else ""


class Contact(NamedTuple):
    """The properties to send for a card."""

    properties: Object
    """Properties of a Contact or ContactGroup for `/set`, without its id."""
    left_out: list[str]
    """Paths of the card that cannot be sent."""

    @property
    def unsent(self) -> list[str]:
        """Return the parts that cannot be sent, in words."""
        return [describe(path) for path in self.left_out]


def to_contact(card: Object, blob_ids: Mapping[str, str] | None = None) -> Contact:
    """Return the Contact to create for a card; `blob_ids` has the ids of uploaded photos by URI."""
    properties, shown = _contact(card, blob_ids or {})
    empty = {"0000-00-00", "", None}
    kept = {
        name: value for name, value in properties.items() if value != [] and not (isinstance(value, str | None) and value in empty)
    }
    if isinstance(uid := card.get("uid"), str):
        kept["uid"] = uid
    whole = canonical(card)
    lost = missing({name: whole[name] for name in whole.keys() - (_UNSAID - {"vCardProps"})}, shown)
    return Contact(kept, sorted(lost))


def contact_changes(before: Object, after: Object, blob_ids: Mapping[str, str] | None = None) -> Contact:
    """Return the update for an edited card: only the properties that changed."""
    old, _ = _contact(before, blob_ids or {})
    new, shown = _contact(after, blob_ids or {})
    patch = changes(before, after)
    return Contact({name: value for name, value in new.items() if old[name] != value}, sorted(missing(patch, shown)))


def to_group(card: Object, ids: Mapping[str, str]) -> Contact:
    """Return the ContactGroup of a card of kind `group`; `ids` has the ids of the account's contacts by uid."""
    name = card.get("name")
    full = name.get("full") if isinstance(name, dict) else None
    members = card.get("members")
    wanted = [uid for uid, there in as_object(members).items() if there]
    known = {uid: ids[uid] for uid in sorted(wanted) if uid in ids}
    properties: Object = {"name": full if isinstance(full, str) else "", "contactIds": list(known.values())}
    if isinstance(uid := card.get("uid"), str):
        properties["uid"] = uid
    shown = {"kind": "group", "name": {"full": properties["name"]}, "members": dict.fromkeys(known, True)}
    whole = canonical(card)
    return Contact(properties, sorted(missing({each: whole[each] for each in whole.keys() - _UNSAID}, shown)))


def group_changes(before: Object, after: Object, ids: Mapping[str, str]) -> Contact:
    """Return the update for an edited group: only the properties that changed."""
    old, new = to_group(before, ids), to_group(after, ids)
    changed = {name: value for name, value in new.properties.items() if old.properties.get(name) != value}
    return Contact(changed, [path for path in new.left_out if path not in old.left_out])


def _contact(card: Object, blob_ids: Mapping[str, str]) -> tuple[Object, Object]:
    """Return all properties of a Contact, and the part of the card that they express."""
    properties: Object = {}
    shown: Object = {}
    for part in (
        _name(card),
        _texts(card),
        dates(card),
        _photo(card, blob_ids),
        *(convert(card) for convert in (emails, phones, online, addresses)),
    ):
        properties |= part.properties
        for name, value in part.card.items():
            shown[name] = {**shown.get(name, {}), **value}
    return properties, shown


def _name(card: Object) -> Expressed:
    name = card.get("name")
    name = as_object(name)
    listed = name.get("components")
    parts = [part for part in (listed if isinstance(listed, list) else []) if isinstance(part, dict)]
    found = {
        each: " ".join(str(part.get("value", "")) for kind in kinds for part in parts if part.get("kind") == kind)
        for each, kinds in _NAMES.items()
    }
    full = name.get("full")
    if not any(found.values()) and isinstance(full, str):
        found["lastName"] = full  # FN is made of these alone
    shown: Object = {"components": listed} if parts and _is_plain(parts) else {}
    if made := " ".join(found[each] for each in _NAMES if found[each]):
        shown["full"] = made
    return Expressed(found, {"name": shown} if shown else {})


def _is_plain(parts: list[Any]) -> bool:
    """Return whether N expresses the components fully: one of each kind, the given name a single word."""
    kinds = [str(part.get("kind")) for part in parts]
    given = next((str(part.get("value")) for part in parts if part.get("kind") == "given"), "")
    plain = len(set(kinds)) == len(kinds) and {"title", "given", "given2", "surname", "credential"}.issuperset(kinds)
    return plain and " " not in given and all(part.keys() <= {"kind", "value", "@type"} for part in parts)


def _texts(card: Object) -> Expressed:
    """Convert nickname, organization, title and note; several nicknames or notes become one text."""
    properties: Object = {}
    shown: Object = {}
    for name, attribute, target, between in (("nicknames", "name", "nickname", ", "), ("notes", "note", "notes", "\n\n")):
        texts = _texts_of(card, name, attribute)
        properties[target] = between.join(texts.values())
        shown[name] = {key: {attribute: text} for key, text in texts.items()} if len(texts) == 1 else {}
    organizations = card.get("organizations")
    key, first = next(iter(organizations.items() if isinstance(organizations, dict) else ()), ("", {}))
    company = _text_of(first, "name")
    units = first.get("units") if isinstance(first, dict) else None
    department = _text_of(units[0], "name") if isinstance(units, list) and units else ""
    properties |= {"company": company, "department": department}
    organization = {"name": company, **({"units": [{"name": department}]} if department else {})}
    shown["organizations"] = {key: organization} if key else {}
    titles = {key: title for key, title in entries(card, "titles").items() if title.get("kind", "title") == "title"}
    key, title = next(iter(titles.items()), ("", {}))
    properties["jobTitle"] = _text_of(title, "name")
    shown["titles"] = {key: {"name": properties["jobTitle"]}} if key else {}
    return Expressed(properties, {name: value for name, value in shown.items() if value})


def _photo(card: Object, blob_ids: Mapping[str, str]) -> Expressed:
    for key, entry in entries(card, "media").items():
        uri = entry.get("uri")
        if entry.get("kind") != "photo" or not isinstance(uri, str):
            continue
        blob_id = uri.removeprefix(_BLOB) if uri.startswith(_BLOB) else blob_ids.get(uri)
        if blob_id is not None:
            photo = {name: entry[name] for name in ("kind", "uri", "mediaType") if name in entry}
            media_type = entry.get("mediaType")
            avatar = {"blobId": blob_id, **({"type": media_type} if isinstance(media_type, str) else {})}
            return Expressed({"avatar": avatar}, {"media": {key: photo}})
    return Expressed({"avatar": None}, {})


def _text_of(entry: Any, name: str) -> str:  # noqa: ANN401 # any JSON value
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else ""


def _texts_of(card: Object, name: str, attribute: str) -> dict[str, str]:
    texts = {key: _text_of(entry, attribute) for key, entry in entries(card, name).items()}
    return {key: text for key, text in texts.items() if text}
