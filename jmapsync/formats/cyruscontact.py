"""Write cards as the Contact and ContactGroup objects of Cyrus' own `https://cyrusimap.org/ns/jmap/contacts` (3.6 to 3.12).

Contacts are read from their raw vCard; this is the way to the server alone. `Contact/set` edits the stored vCard in place: lines
that no property stands for survive an update, but all EMAIL, TEL, ADR or URL and IMPP lines are written anew where `emails`,
`phones`, `addresses` or `online` is sent. So only what changed is sent, and what a Contact cannot say is told (jmap_contact.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.canonical import canonical, changes
from jmapsync.formats.cyruslines import Said, addresses, dates, emails, online, phones
from jmapsync.formats.patch import missing, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.codec import Object

_NAMES = {
    "prefix": ("title",),
    "firstName": ("given", "given2"),
    "lastName": ("surname", "surname2"),
    "suffix": ("credential", "generation"),
}
"""What says each kind of component of a name; Cyrus takes the first word of `firstName` for given, the rest for given2."""
_BLOB = "urn:jmapsync:blob:"
_UNSAID = frozenset({"@type", "version", "uid", "vCardProps"})
"""What an update leaves as it is, or what a Contact has without saying it."""


class Contact(NamedTuple):
    """What is sent for a card."""

    properties: Object
    """Properties of a Contact or ContactGroup for `/set`, without its id."""
    left_out: list[str]
    """Paths of the card that say what cannot be sent."""

    @property
    def told(self) -> list[str]:
        """Return what cannot be sent, in words."""
        return [words(path) for path in self.left_out]


def to_contact(card: Object, blob_ids: Mapping[str, str] | None = None) -> Contact:
    """Return the Contact to create for a card; `blob_ids` has the ids of photos that were uploaded, by their URI."""
    properties, said = _contact(card, blob_ids or {})
    empty = {"0000-00-00", "", None}
    kept = {
        name: value for name, value in properties.items() if value != [] and not (isinstance(value, str | None) and value in empty)
    }
    if isinstance(uid := card.get("uid"), str):
        kept["uid"] = uid
    whole = canonical(card)
    lost = missing({name: whole[name] for name in whole.keys() - (_UNSAID - {"vCardProps"})}, said)
    return Contact(kept, sorted(lost))


def contact_changes(before: Object, after: Object, blob_ids: Mapping[str, str] | None = None) -> Contact:
    """Return what to send in an update for an edited card: only the properties that changed."""
    old, _ = _contact(before, blob_ids or {})
    new, said = _contact(after, blob_ids or {})
    patch = changes(before, after)
    return Contact({name: value for name, value in new.items() if old[name] != value}, sorted(missing(patch, said)))


def to_group(card: Object, ids: Mapping[str, str]) -> Contact:
    """Return the ContactGroup of a card of kind `group`; `ids` has the ids of the account's contacts by uid."""
    name = card.get("name")
    full = name.get("full") if isinstance(name, dict) else None
    members = card.get("members")
    wanted = [uid for uid, there in (members if isinstance(members, dict) else {}).items() if there]
    known = {uid: ids[uid] for uid in sorted(wanted) if uid in ids}
    properties: Object = {"name": full if isinstance(full, str) else "", "contactIds": list(known.values())}
    if isinstance(uid := card.get("uid"), str):
        properties["uid"] = uid
    said = {"kind": "group", "name": {"full": properties["name"]}, "members": dict.fromkeys(known, True)}
    whole = canonical(card)
    return Contact(properties, sorted(missing({each: whole[each] for each in whole.keys() - _UNSAID}, said)))


def group_changes(before: Object, after: Object, ids: Mapping[str, str]) -> Contact:
    """Return what to send in an update for an edited group: only the properties that changed."""
    old, new = to_group(before, ids), to_group(after, ids)
    changed = {name: value for name, value in new.properties.items() if old.properties.get(name) != value}
    return Contact(changed, [path for path in new.left_out if path not in old.left_out])


def _contact(card: Object, blob_ids: Mapping[str, str]) -> tuple[Object, Object]:
    """Return all properties of a Contact, and the part of the card that they say."""
    properties: Object = {}
    said: Object = {}
    for part in (
        _name(card),
        _texts(card),
        dates(card),
        _photo(card, blob_ids),
        *(tell(card) for tell in (emails, phones, online, addresses)),
    ):
        properties |= part.properties
        for name, value in part.card.items():
            said[name] = {**said.get(name, {}), **value}
    return properties, said


def _name(card: Object) -> Said:
    name = card.get("name")
    name = name if isinstance(name, dict) else {}
    listed = name.get("components")
    parts = [part for part in (listed if isinstance(listed, list) else []) if isinstance(part, dict)]
    found = {
        each: " ".join(str(part.get("value", "")) for kind in kinds for part in parts if part.get("kind") == kind)
        for each, kinds in _NAMES.items()
    }
    full = name.get("full")
    if not any(found.values()) and isinstance(full, str):
        found["lastName"] = full  # FN is made of these alone
    said: Object = {"components": listed} if parts and _is_plain(parts) else {}
    if made := " ".join(found[each] for each in _NAMES if found[each]):
        said["full"] = made
    return Said(found, {"name": said} if said else {})


def _is_plain(parts: list[Any]) -> bool:
    """Tell whether N says the same as the components: one of each kind, the given name a single word."""
    kinds = [str(part.get("kind")) for part in parts]
    given = next((str(part.get("value")) for part in parts if part.get("kind") == "given"), "")
    plain = len(set(kinds)) == len(kinds) and {"title", "given", "given2", "surname", "credential"}.issuperset(kinds)
    return plain and " " not in given and all(part.keys() <= {"kind", "value", "@type"} for part in parts)


def _texts(card: Object) -> Said:
    """Return the nickname, the organization, the title and the note: several of a kind but organizations become one text."""
    properties: Object = {}
    said: Object = {}
    for name, attribute, target, between in (("nicknames", "name", "nickname", ", "), ("notes", "note", "notes", "\n\n")):
        texts = _texts_of(card, name, attribute)
        properties[target] = between.join(texts.values())
        said[name] = {key: {attribute: text} for key, text in texts.items()} if len(texts) == 1 else {}
    organizations = card.get("organizations")
    key, first = next(iter(organizations.items() if isinstance(organizations, dict) else ()), ("", {}))
    company = _text_of(first, "name")
    units = first.get("units") if isinstance(first, dict) else None
    department = _text_of(units[0], "name") if isinstance(units, list) and units else ""
    properties |= {"company": company, "department": department}
    told = {"name": company, **({"units": [{"name": department}]} if department else {})}
    said["organizations"] = {key: told} if key else {}
    titles = {key: title for key, title in _entries(card, "titles").items() if title.get("kind", "title") == "title"}
    key, title = next(iter(titles.items()), ("", {}))
    properties["jobTitle"] = _text_of(title, "name")
    said["titles"] = {key: {"name": properties["jobTitle"]}} if key else {}
    return Said(properties, {name: value for name, value in said.items() if value})


def _photo(card: Object, blob_ids: Mapping[str, str]) -> Said:
    for key, entry in _entries(card, "media").items():
        uri = entry.get("uri")
        if entry.get("kind") != "photo" or not isinstance(uri, str):
            continue
        blob_id = uri.removeprefix(_BLOB) if uri.startswith(_BLOB) else blob_ids.get(uri)
        if blob_id is not None:
            told = {name: entry[name] for name in ("kind", "uri", "mediaType") if name in entry}
            media_type = entry.get("mediaType")
            avatar = {"blobId": blob_id, **({"type": media_type} if isinstance(media_type, str) else {})}
            return Said({"avatar": avatar}, {"media": {key: told}})
    return Said({"avatar": None}, {})


def _entries(card: Object, name: str) -> Object:
    found = card.get(name)
    return {key: entry for key, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}


def _text_of(entry: Any, name: str) -> str:  # noqa: ANN401 # any JSON value
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else ""


def _texts_of(card: Object, name: str, attribute: str) -> dict[str, str]:
    texts = {key: _text_of(entry, attribute) for key, entry in _entries(card, name).items()}
    return {key: text for key, text in texts.items() if text}
