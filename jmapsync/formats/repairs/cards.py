"""Undo the faults of khard 0.22.0 (with vobject 0.9.9) in cards, all observed; restore components of names and addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import entries, pairs, with_entry
from jmapsync.formats.repairs.jsprops import stranded

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

NAME = {
    "surname": "surname",
    "surname2": "surname",
    "given": "given",
    "given2": "given2",
    "title": "title",
    "credential": "credential",
    "generation": "credential",
}
"""The field of a five-field N for each kind of component, by the kind that the field alone is read as (RFC 9554, 2.2)."""
ADDRESS = {
    **dict.fromkeys(("room", "floor", "apartment", "building"), "apartment"),
    **dict.fromkeys(("number", "name", "block", "direction", "landmark", "subdistrict", "district"), "name"),
    **{kind: kind for kind in ("postOfficeBox", "locality", "region", "postcode", "country")},
}
"""The field of a seven-field ADR for each kind of component (RFC 9554, 2.1)."""
_WORD = re.compile(r"\w+")
_SAID_BESIDE = ("sortAs", "isOrdered", "defaultSeparator", "phoneticSystem", "phoneticScript")
_STAND_IN_YEARS = frozenset({1900, 1604})
_WITH_DATA = {"media": "uri", "cryptoKeys": "uri", "links": "uri", "calendars": "uri", "directories": "uri"}
_LABELLED = ("phones", "emails", "addresses", "links")
_REWRITTEN = {
    "emails": "address",
    "phones": "number",
    "links": "uri",
    "onlineServices": "uri",
    "notes": "note",
    "titles": "name",
    "organizations": "name",
    "nicknames": "name",
    "addresses": "components",
    "anniversaries": "date",
}
"""Maps that khard rewrites, and the property of an entry that it keeps."""
_FORGOTTEN = {
    "links": ("contexts", "mediaType"),
    "organizations": ("sortAs",),
    "titles": ("organizationId",),
    "notes": ("created", "author"),
    "addresses": ("countryCode", "coordinates", "timeZone", "full"),
    "onlineServices": ("contexts", "label", "pref", "service", "user"),
}
"""Properties that khard then drops, beside unknown parameters."""
_UNKNOWN_CONTEXTS = frozenset({"billing", "delivery"})
_UNKNOWN_FEATURES = frozenset({"main", "textphone"})
_OF_THE_COUNTRY = ("countryCode", "timeZone")
_FORM = frozenset({"group", "prop-id"})
_DATES = ("anniversary", "bday", "deathdate")
_MINUTES = re.compile(r"^(\d{8}T\d\d)(\d)(\d)((?:\d{4}|Z)?)\Z", re.ASCII)
_SPELLING = re.compile(r"^tel:|\\")


def with_kinds(before: Object, after: Object, fields: dict[str, str]) -> Object:
    """Return a name or an address with the former components of every field that has the same words.

    If it has components that the old fields cannot express, the program supports them: it is unchanged.
    """
    old, new = before.get("components"), after.get("components")
    if not isinstance(old, list) or not isinstance(new, list) or old == new:
        return after
    if any(fields.get(_kind(part)) != _kind(part) for part in new):
        return after
    same = {field for field in set(fields.values()) if _words(old, field, fields) == _words(new, field, fields)}
    components: list[Any] = []
    placed = set(same)
    for part in old:
        field = fields.get(_kind(part))
        if field is None or field in same:
            components.append(part)
        elif field not in placed:
            components += [other for other in new if fields.get(_kind(other)) == field]
            placed.add(field)
    components += [part for part in new if fields.get(_kind(part)) not in placed]
    beside = {name: before[name] for name in _SAID_BESIDE if name in before and name not in after}
    if isinstance(sort_as := beside.get("sortAs"), dict):
        beside["sortAs"] = {kind: text for kind, text in sort_as.items() if fields.get(kind) in same}
    return {**after, "components": components, **{name: value for name, value in beside.items() if value != {}}}


def _kind(part: Any) -> str:  # noqa: ANN401 # any JSON value
    return str(part.get("kind")) if isinstance(part, dict) else ""


def _words(components: list[Any], field: str, fields: dict[str, str]) -> list[str]:
    texts = [str(part.get("value")) for part in components if isinstance(part, dict) and fields.get(_kind(part)) == field]
    return sorted(word for text in texts for word in _WORD.findall(text))


def stand_in_years(before: Object, after: Object) -> Object:
    """Remove the year of a birthday without one: 1900 by khard 0.22, 1604 where it dropped X-APPLE-OMIT-YEAR (khard#134)."""
    for key, old, new in pairs(before, after, "anniversaries"):
        date, now = old.get("date"), new.get("date")
        if isinstance(date, dict) and isinstance(now, dict) and "year" not in date and now.get("year") in _STAND_IN_YEARS:
            same = "month" in date and all(date.get(part) == now.get(part) for part in ("month", "day"))
            after = with_entry(after, "anniversaries", key, {**new, "date": date}) if same else after
    return after


def cut_data(before: Object, after: Object) -> Object:
    """Restore the photo that vobject 0.9.9 cut at `;base64,` of its `data:` URI in a vCard 4.0 (skarim/vobject#87)."""
    for name, attribute in _WITH_DATA.items():
        for key, old, new in pairs(before, after, name):
            uri = new.get(attribute)
            if isinstance(uri, str) and uri[:5].lower() == "data:" and not uri.partition(",")[2] and "," in str(old.get(attribute)):
                restored = {property_: old[property_] for property_ in (attribute, "mediaType") if property_ in old}
                after = with_entry(after, name, key, {**new, **restored})
    return after


def respelled_numbers(before: Object, after: Object) -> Object:
    r"""Restore a number that khard 0.22 wrote with or without `tel:`, or with a `\` before the semicolon of an extension."""
    for key, old, new in pairs(before, after, "phones"):
        number, now = old.get("number"), new.get("number")
        if isinstance(number, str) and isinstance(now, str) and _SPELLING.sub("", number) == _SPELLING.sub("", now):
            after = with_entry(after, "phones", key, {**new, "number": number})
    return after


def added_types(before: Object, after: Object) -> Object:
    """Remove the TYPE=X-Boat that khard 0.22 adds to a line with the label Boat, and the TYPE=internet it adds to EMAIL."""
    lines = [line for line in _lines(after) if _is(line, "x-ablabel")]
    for name in _LABELLED:
        for key, old, new in pairs(before, after, name):
            labels = [new.get("label"), f"_$!<{new.get('label')}>!$_", *(line[3] for line in lines)]
            unwanted = {"internet", *(f"x-{label}".lower() for label in labels)} - set(_types(old))
            if unwanted & set(_types(new)):
                after = with_entry(after, name, key, _without_types(new, unwanted))
    return after


def respelled_dates(before: Object, after: Object) -> Object:
    """Restore a date of an unconverted line: khard 0.22 reads 14:30 as 14:03:00, and writes offsets with a colon."""
    lines, known = _lines(after), _lines(before)
    if not lines or not known:
        return after
    dates = [line for line in known if _is(line, *_DATES)]
    spelled = {(line[0], spelling): line for line in dates for spelling in _spellings(str(line[3]))}
    return {
        **after,
        "vCardProps": [spelled.get((line[0], _digits(str(line[3]))), line) if _is(line, *_DATES) else line for line in lines],
    }


def _spellings(text: str) -> tuple[str, str]:
    return _digits(text), _MINUTES.sub(r"\g<1>0\g<2>0\g<3>\g<4>", _digits(text))


def _digits(text: str) -> str:
    return text.replace(":", "").replace("-", "")


def _lines(card: Object) -> list[Any]:
    lines = card.get("vCardProps")
    return lines if isinstance(lines, list) else []


def _is(line: Any, *names: str) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(line, list) and len(line) > len(("name", "parameters", "type")) and line[0] in names


def _params(entry: Object) -> Object:
    params = entry.get("vCardParams")
    return {name: value for name, value in params.items() if name not in _FORM} if isinstance(params, dict) else {}


def _types(entry: Object) -> list[str]:
    params = entry.get("vCardParams")
    types = params.get("type") if isinstance(params, dict) else None
    listed = types.split(",") if isinstance(types, str) else types
    return [str(each).lower() for each in listed] if isinstance(listed, list) else []


def _without_types(entry: Object, unwanted: set[str]) -> Object:
    params = entry["vCardParams"]
    listed = params["type"].split(",") if isinstance(params["type"], str) else params["type"]
    kept = [each for each in listed if str(each).lower() not in unwanted]
    left = {name: value for name, value in {**params, "type": kept if len(kept) != 1 else kept[0]}.items() if value != []}
    return {name: value for name, value in {**entry, "vCardParams": left}.items() if value != {}}


def stranded_jsprops(before: Object, after: Object) -> Object:
    """Remove the JSPROP lines of an entry whose own line was removed."""
    gone = stranded(before, after, _lines(before), _lines(after))
    if not gone:
        return after
    left = [line for line in _lines(after) if line not in gone]
    return {**after, "vCardProps": left} if left else {name: value for name, value in after.items() if name != "vCardProps"}


def flattened_name(before: Object, after: Object) -> Object:
    """Restore what the five fields of N cannot express (kinds, order, phonetics, SORT-AS) for every unchanged field."""
    name, now = before.get("name"), after.get("name")
    return {**after, "name": with_kinds(name, now, NAME)} if isinstance(name, dict) and isinstance(now, dict) else after


def flattened_addresses(before: Object, after: Object) -> Object:
    """Restore what the seven fields of ADR cannot express (kinds, order, phonetics) for every unchanged field."""
    for key, old, new in pairs(before, after, "addresses"):
        after = with_entry(after, "addresses", key, with_kinds(old, new, ADDRESS))
    return after


def forgotten_parameters(before: Object, after: Object) -> Object:
    """Restore the parameters that khard 0.22 drops from every line it writes, if the value of the line is unchanged.

    TYPE of URL; all of IMPP; SORT-AS, MEDIATYPE, CREATED, AUTHOR, CC, GEO, TZ, LABEL, the group that ties a TITLE to its ORG, and
    X-parameters.
    The country code and time zone of a changed address are restored if the country is unchanged.
    """
    for name, attribute in _REWRITTEN.items():
        for key, old, new in pairs(before, after, name):
            if name == "onlineServices" and old.get("vCardName") != "impp":
                continue
            names: tuple[str, ...] = _FORGOTTEN.get(name, ())
            lost_params: Object = {}
            if old.get(attribute) != new.get(attribute):
                names = _OF_THE_COUNTRY if name == "addresses" and _country(old) == _country(new) else ()
            else:
                lost_params = {**_params(old), **_params(new)}
            lost = {each: old[each] for each in names if each in old and each not in new}
            lost |= {"vCardParams": lost_params} if lost_params != _params(new) else {}
            if "organizationId" in lost and lost["organizationId"] not in entries(after, "organizations"):
                del lost["organizationId"]
            after = with_entry(after, name, key, {**new, **lost}) if lost else after
    return after


def moved_places(before: Object, after: Object) -> Object:
    """Move LABEL, GEO and TZ back to their address: khard 0.22 sorts the addresses, and gives them types."""
    held = dict(entries(before, "addresses"))
    for name in ("full", "coordinates", "timeZone"):
        for key, old, new in pairs(before, after, "addresses"):
            if name not in new or name in old:
                continue
            owner = next((other for other, entry in held.items() if entry.get(name) == new[name]), None)
            back = entries(after, "addresses").get(str(owner), {})
            if owner is not None and back and name not in back:
                after = with_entry(after, "addresses", owner, {**back, name: new[name]})
                after = with_entry(after, "addresses", key, {each: value for each, value in new.items() if each != name})
    return after


def features_as_labels(before: Object, after: Object) -> Object:
    """Restore the features of a number that khard 0.22 does not know, as of TYPE=MAIN: it makes a label of their word."""
    for key, old, new in pairs(before, after, "phones"):
        if "label" in old or str(new.get("label")).lower() not in _UNKNOWN_FEATURES:
            continue
        kept = {name: value for name, value in new.items() if name not in ("label", "vCardParams")}
        kept |= {name: old[name] for name in ("features", "contexts", "vCardParams") if name in old}
        after = with_entry(after, "phones", key, kept)
    return after


def contexts_as_labels(before: Object, after: Object) -> Object:
    """Restore the contexts of an address that khard 0.22 does not know: of TYPE=BILLING it makes a label."""
    for line in [line for line in _lines(after) if _is(line, "x-ablabel") and str(line[3]).lower() in _UNKNOWN_CONTEXTS]:
        for key, old, new in pairs(before, after, "addresses"):
            held = new.get("vCardParams", {})
            if (
                line not in _lines(before)
                and held.get("group") == line[1].get("group")
                and str(line[3]).lower() in old.get("contexts", {})
            ):
                kept = {name: value for name, value in new.items() if name not in ("contexts", "vCardParams")}
                kept |= {name: old[name] for name in ("contexts", "vCardParams") if name in old}
                after = with_entry(after, "addresses", key, kept) | {"vCardProps": [each for each in _lines(after) if each != line]}
    return after if after.get("vCardProps") else {name: value for name, value in after.items() if name != "vCardProps"}


def default_types(before: Object, after: Object) -> Object:
    """Remove the TYPE=home of an address and the TYPE=voice of a number that khard 0.22 adds to those without a type.

    It is known by the kind that it writes into every card.
    """
    if "kind" not in after:
        return after
    for name, property_, added in (("addresses", "contexts", {"private": True}), ("phones", "features", {"voice": True})):
        for key, old, new in pairs(before, after, name):
            if new.get(property_) == added and not old.get("contexts") and not old.get(property_) and not _types(old):
                kept = {each: value for each, value in new.items() if each != property_}
                after = with_entry(after, name, key, kept)
    return after


def named_companies(before: Object, after: Object) -> Object:
    """Restore the name of a card that khard 0.22 names after its organization, and marks with X-ABSHOWAS, for want of a name."""
    marks = [line for line in _lines(after) if _is(line, "x-abshowas") and line not in _lines(before)]
    name, now = before.get("name"), after.get("name")
    if not marks or not isinstance(name, dict) or "components" in name or not isinstance(now, dict) or "components" in now:
        return after
    said = {
        ", ".join(map(str, [*filter(None, [one.get("name")]), *_names(one.get("units"))]))
        for one in entries(after, "organizations").values()
    }
    if now.get("full") not in said:
        return after
    left = [line for line in _lines(after) if line not in marks]
    return {
        **{each: value for each, value in after.items() if each != "vCardProps"},
        "name": name,
        **({"vCardProps": left} if left else {}),
    }


def moved_units(before: Object, after: Object) -> Object:
    """Restore an organization that has units and no name: khard 0.22 drops the empty name, so that the first unit becomes it."""
    for key, old, new in pairs(before, after, "organizations"):
        units = old.get("units")
        if isinstance(units, list) and not old.get("name") and _names(units) == [new.get("name"), *_names(new.get("units"))]:
            after = with_entry(after, "organizations", key, old)
    return after


def _names(units: Any) -> list[Any]:  # noqa: ANN401 # any JSON value
    return [unit.get("name") if isinstance(unit, dict) else unit for unit in units] if isinstance(units, list) else []


def dropped_dates(before: Object, after: Object) -> Object:
    """Restore an anniversary without a day: khard 0.22 cannot read it and deletes it from a vCard 4.0."""
    left = entries(after, "anniversaries")
    for key, entry in entries(before, "anniversaries").items():
        date = entry.get("date")
        if not isinstance(date, dict) or "day" in date or "utc" in date or key in left:
            continue
        if all(other.get("kind") != entry.get("kind") for other in left.values()):
            after = with_entry(after, "anniversaries", key, entry)
    return after


def _country(address: Object) -> Any:  # noqa: ANN401 # any JSON value
    parts = address.get("components")
    return (
        [part.get("value") for part in parts if isinstance(part, dict) and part.get("kind") == "country"]
        if isinstance(parts, list)
        else []
    )


CARD_RULES = (stand_in_years, cut_data, respelled_numbers, respelled_dates, added_types, stranded_jsprops)
"""Rules for changes that nobody makes by hand."""
REWRITER_RULES = (
    *(flattened_name, contexts_as_labels, moved_places, flattened_addresses, features_as_labels, forgotten_parameters),
    *(default_types, named_companies, moved_units, dropped_dates),
)
"""Rules for changes that may also be made by hand."""
