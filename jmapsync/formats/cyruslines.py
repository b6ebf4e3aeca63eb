"""Say the lists and dates of a card as properties of Cyrus' Contact (imap/jmap_contact.c of 3.6 and 3.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.repairs.structured import ADDRESS

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object

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
"""The services that Cyrus writes as IMPP, by the scheme of their URIs."""
_MESSAGING = frozenset({*_SERVICES.values(), "facebook", "gadugadu", "qq", "twitter"})
_FIRST_YEAR = 1605
"""Years before are refused, 1604 being how iOS says that there is none."""
_NO_DATE = "0000-00-00"


class Said(NamedTuple):
    """Properties of a Contact, and the part of the card that they say."""

    properties: Object
    card: Object


def emails(card: Object) -> Said:
    """Say the email addresses; the one with the least `pref` is the default."""
    found, said = [], {}
    entries = _entries(card, "emails", "address")
    preferred = min((entry["pref"] for entry in entries.values() if isinstance(entry.get("pref"), int)), default=None)
    marked = next((key for key, entry in entries.items() if preferred is not None and entry.get("pref") == preferred), None)
    for key, entry in entries.items():
        context, kind = _type(entry, _EMAIL_TYPES)
        item = {"type": kind, "value": entry["address"], "isDefault": key == marked}
        said[key] = {"address": entry["address"], **context, **_labelled(entry, item), **({"pref": 1} if key == marked else {})}
        found.append(item)
    return _list("emails", "emails", found, said)


def phones(card: Object) -> Said:
    """Say the phone numbers: each has one type, a feature or a context."""
    found, said = [], {}
    for key, entry in _entries(card, "phones", "number").items():
        features = entry.get("features")
        feature = next((name for name in _PHONE_FEATURES if isinstance(features, dict) and features.get(name)), None)
        told, kind = ({"features": {feature: True}}, feature) if feature else _type(entry, _PHONE_TYPES)
        item = {"type": kind, "value": entry["number"]}
        said[key] = {"number": entry["number"], **told, **_labelled(entry, item)}
        found.append(item)
    return _list("phones", "phones", found, said)


def online(card: Object) -> Said:
    """Say links and accounts: URL lines, IMPP lines for services that Cyrus knows, X-SOCIAL-PROFILE lines for others."""
    found: list[Object] = []
    links: Object = {}
    services: Object = {}
    for key, entry in _entries(card, "links", "uri").items():
        item = {"type": "uri", "value": entry["uri"]}
        links[key] = {"uri": entry["uri"], **_labelled(entry, item)}
        found.append(item)
    listed = card.get("onlineServices")
    for key, entry in (listed if isinstance(listed, dict) else {}).items():
        uri, user = (entry.get("uri"), entry.get("user")) if isinstance(entry, dict) else (None, None)
        if not isinstance(uri, str) and not isinstance(user, str):
            continue
        service = entry.get("service") or _SERVICES.get(str(uri).partition(":")[0].lower())
        messaging = isinstance(uri, str) and str(service).lower() in _MESSAGING
        attribute = "uri" if messaging or not isinstance(user, str) else "user"
        found.append({"type": "username", "value": entry[attribute], **({"label": service} if isinstance(service, str) else {})})
        services[key] = {attribute: entry[attribute], **({"service": service} if "service" in entry else {})}
        services[key] |= {"vCardName": "impp"} if messaging else {}
    said = {"links": links, "onlineServices": services}
    return Said({"online": found}, {name: entries for name, entries in said.items() if entries})


def addresses(card: Object) -> Said:
    """Say the postal addresses: the street's parts as one text, PO boxes and apartments on lines before it, as Cyrus reads them."""
    found, said = [], {}
    labels = _labels(card)
    listed = card.get("addresses")
    for key, entry in (listed if isinstance(listed, dict) else {}).items():
        if not isinstance(entry, dict):
            continue
        components = entry.get("components")
        parts = [part for part in (components if isinstance(components, list) else []) if isinstance(part, dict)]
        text = entry.get("full")
        lines = [_joined(parts, "postOfficeBox"), _joined(parts, "apartment"), _joined(parts, "name")]
        street = "\n".join(line for line in lines if line) or (text if isinstance(text, str) and not parts else "")
        context, kind = _type(entry, _ADDRESS_TYPES)
        item = {"type": kind, "street": street, **{name: _joined(parts, name) for name in _PARTS}}
        told: Object = dict(context)
        if all(part.keys() <= {"kind", "value"} for part in parts) and [part.get("kind") for part in parts] == [
            name for name in ("name", *_PARTS) if any(part.get("kind") == name for part in parts)
        ]:
            told["components"] = parts
        if isinstance(code := entry.get("countryCode"), str):
            item["countryCode"] = code.lower()
            told["countryCode"] = code
        if label := labels.get(_group(entry)):
            item["label"] = label
        said[key] = told
        found.append(item)
    return _list("addresses", "addresses", found, said)


def dates(card: Object) -> Said:
    """Say the birthday and the wedding day: `YYYY-MM-DD`, with zeros for parts that are not known."""
    properties: Object = {"birthday": _NO_DATE, "anniversary": _NO_DATE}
    said: Object = {}
    listed = card.get("anniversaries")
    for key, entry in (listed if isinstance(listed, dict) else {}).items():
        name = {"birth": "birthday", "wedding": "anniversary"}.get(str(entry.get("kind"))) if isinstance(entry, dict) else None
        date = entry.get("date") if name else None
        if name is None or not isinstance(date, dict) or properties[name] != _NO_DATE or "calendarScale" in date:
            continue
        parts = [date.get(part, 0) for part in ("year", "month", "day")]
        if all(isinstance(part, int) for part in parts) and any(parts) and not 0 < parts[0] < _FIRST_YEAR:
            properties[name] = f"{parts[0]:04}-{parts[1]:02}-{parts[2]:02}"
            said[key] = {"kind": entry["kind"], "date": date}
    return Said(properties, {"anniversaries": said} if said else {})


def _entries(card: Object, name: str, attribute: str) -> dict[str, Object]:
    listed = card.get(name)
    entries = listed.items() if isinstance(listed, dict) else ()
    return {key: entry for key, entry in entries if isinstance(entry, dict) and isinstance(entry.get(attribute), str)}


def _list(name: str, target: str, found: list[Any], said: Object) -> Said:
    return Said({target: found}, {name: said} if said else {})


def _type(entry: Object, types: dict[str, str]) -> tuple[Object, str]:
    """Return the context that a type says, and the type."""
    contexts = entry.get("contexts")
    for context, kind in types.items():
        if isinstance(contexts, dict) and contexts.get(context):
            return {"contexts": {context: True}}, kind
    return {}, "other"


def _labelled(entry: Object, item: Object) -> Object:
    """Put the label of an entry on its item, and return what that says."""
    label = entry.get("label")
    if not isinstance(label, str) or not label:
        return {}
    item["label"] = label
    return {"label": label}


def _joined(parts: list[Any], field: str) -> str:
    """Return the texts that belong into a field of ADR, in their order."""
    return " ".join(str(part.get("value", "")) for part in parts if ADDRESS.get(str(part.get("kind"))) == field).strip()


def _labels(card: Object) -> dict[str, str]:
    """Return the labels that are lines of their own, as those of addresses are, by the groups of lines that they label."""
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
