"""Convert names: FN, N, SORT-STRING and Apple's X-PHONETIC properties (RFC 9555, 2.5.2 and 2.5.5; RFC 2426, 3.6.5)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from jmapsync.formats.contentline import Line, Params, escape, split
from jmapsync.formats.objects import as_object
from jmapsync.formats.vcard.components import NAME, read_components, write_components
from jmapsync.formats.vcard.preserved import read_params, write_params
from jmapsync.formats.vcard.values import unescape

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object
    from jmapsync.formats.vcard.components import Structured
    from jmapsync.formats.vcard.draft import Draft
    from jmapsync.formats.vcard.state import Reading

SCRIPT = "script"
"""The value of PHONETIC for an unknown system (RFC 9554, 4.6)."""
_SPOKEN = {"X-PHONETIC-LAST-NAME": "surname", "X-PHONETIC-FIRST-NAME": "given", "X-PHONETIC-MIDDLE-NAME": "given2"}
_SCRIPTS = {"LATIN": "Latn", "KATAKANA": "Kana", "HIRAGANA": "Hira", "HANGUL": "Hang", "CJK": "Hani", "BOPOMOFO": "Bopo"}
_OTHER_SCRIPT = "Zyyy"
OF_FULL = "x-jmapsync-fn"
"""The parameter that lists which of the parameters kept for a name are those of FN: the others are those of N."""
_STRUCTURED = frozenset({"jscomps", "sort-as", "value", "prop-id"})


def read_names(reading: Reading, full: list[Line], structured: list[Line], spoken: list[Line]) -> None:
    """Read all FN and N lines of a card; `spoken` are the N lines with PHONETIC that belong to the first of `structured`."""
    name: Object = {}
    if structured:
        name.update(_read_n(structured[0], spoken[0] if spoken else None))
        _keep_others(reading, structured[0], [*structured[1:], *spoken[1:]])
    else:
        for line in spoken:
            reading.keep(line)
    given = [line for line in full if line.value and not ("components" in name and is_derived(line))]
    if given:
        chosen = min(given, key=lambda line: len(line.params))
        name["full"] = unescape(chosen.value)
        if own := chosen.params.keys() - _STRUCTURED - {"derived"}:
            _keep_params(name, chosen.params)
            if "components" in name:
                name["vCardParams"][OF_FULL] = ",".join(sorted(own))
        _keep_others(reading, chosen, given)
    if name:
        reading.card["name"] = name


def _keep_others(reading: Reading, first: Line, lines: list[Line]) -> None:
    """Keep the lines that say something else than the first."""
    for line in lines:
        if line != first:
            reading.keep(line)


def is_derived(line: Line) -> bool:
    """Return whether the value of a line is derived from other lines (RFC 9554, 4.4)."""
    return line.params.get("derived", [""])[0].lower() == "true"


def _read_n(line: Line, spoken: Line | None) -> Object:
    params = line.params
    jscomps = ",".join(params["jscomps"]) if "jscomps" in params else None
    name = read_components(line.value, NAME, jscomps, spoken.value if spoken else None)
    if spoken is not None and name:
        name.update(read_phonetics(spoken.params))
    if "sort-as" in params and name:
        kinds = {component["kind"] for component in name["components"]}
        places = split(",".join(params["sort-as"]), ",")
        sort_as = {kind: unescape(text) for kind, text in zip(NAME.kinds, places, strict=False) if text and kind in kinds}
        if sort_as:
            name["sortAs"] = sort_as
    if name and params.keys() - _STRUCTURED:
        _keep_params(name, params)
    return name


def _keep_params(name: Object, params: Params) -> None:
    kept = {key: values for key, values in params.items() if key not in _STRUCTURED and key != "derived"}
    if kept:
        name.setdefault("vCardParams", {}).update(read_params(kept))


def read_phonetics(params: Params) -> Object:
    """Return `phoneticSystem` and `phoneticScript` of a line with PHONETIC (RFC 9555, 2.3.15)."""
    found = {}
    system = params["phonetic"][0]
    if system.lower() != SCRIPT:
        found["phoneticSystem"] = system
    if "script" in params:
        found["phoneticScript"] = params["script"][0]
    return found


def write_phonetics(item: Object) -> Params:
    """Return PHONETIC and SCRIPT of a Name or an Address."""
    system, script = item.get("phoneticSystem"), item.get("phoneticScript")
    params = {"phonetic": [system if isinstance(system, str) and system else SCRIPT]}
    if isinstance(script, str) and script:
        params["script"] = [script]
    return params


def read_legacy(reading: Reading, line: Line) -> None:
    """Read SORT-STRING and X-PHONETIC lines after the name; lines that do not apply to it are kept."""
    name = reading.card.get("name", {})
    text = unescape(line.value)
    kind = _SPOKEN.get(line.name, "surname")
    matching = [component for component in name.get("components", ()) if component["kind"] == kind]
    if not text or not matching or line.params.keys() - {"value"} or line.group:
        if line.value:
            reading.keep(line)
    elif line.name == "SORT-STRING":
        name.setdefault("sortAs", {}).setdefault(kind, text)
    else:
        matching[0].setdefault("phonetic", text)
        if "phoneticSystem" not in name and "phoneticScript" not in name:
            name["phoneticScript"] = _script(text)


def _script(text: str) -> str:
    """Return the script of the first letter of a text: X-PHONETIC has no parameter for it."""
    for character in text:
        word = unicodedata.name(character, "").partition(" ")[0]
        if word in _SCRIPTS:
            return _SCRIPTS[word]
    return _OTHER_SCRIPT


def write_name(draft: Draft) -> None:
    """Write FN, which is mandatory, and N; a missing full name is derived from other properties."""
    name = draft.card.get("name")
    item: Object = as_object(name)
    structured = write_components(item, NAME, short=not draft.four) if ("name", "") not in draft.hidden else None
    kept, own = _parted(item.get("vCardParams"))
    full = item.get("full")
    params: Params = {}
    if not isinstance(full, str) or not full:
        full = full_name(item)
        if draft.four and full:
            params["derived"] = ["TRUE"]
        full = full if full or draft.four else _stand_in(draft.card)
    elif draft.four:
        if structured is None:
            own = {**kept, **own}
        write_params(params, own, ("language",) if ("name", "") in draft.hidden else ())  # FN's would be the whole card's
    draft.add(Line("FN", escape(full), params), "name")
    if structured is not None:
        _write_n(draft, item, structured)
    elif not draft.four:
        draft.add(Line("N", ";;;;", {}), "name")


def _parted(params: object) -> tuple[Object, Object]:
    """Return the parameters kept for a name that are those of N, and those of FN."""
    given = as_object(params)
    if not given:
        return {}, {}
    full = given.get(OF_FULL)
    names = full.split(",") if isinstance(full, str) else []
    own = {name: value for name, value in given.items() if name in names}
    return {name: value for name, value in given.items() if name not in own and name != OF_FULL}, own


def _write_n(draft: Draft, item: Object, structured: Structured) -> None:
    params: Params = {}
    kept = _parted(item.get("vCardParams"))[0]
    if structured.jscomps is not None:
        params["jscomps"] = [structured.jscomps]
    sort_as = _sort_as(item.get("sortAs"))
    if sort_as and draft.four:
        params["sort-as"] = [sort_as]
    if draft.four:
        write_params(params, kept, ("phonetic",))
    if structured.phonetic is not None and draft.four:
        alternative = [draft.alternative("N")]
        draft.add(Line("N", structured.value, {"altid": alternative, **params}), "name")
        draft.add(Line("N", structured.phonetic, {"altid": alternative, **write_phonetics(item)}), "name")
    else:
        draft.add(Line("N", structured.value, params), "name")
    if not draft.four:
        _write_legacy(draft, item)


def _write_legacy(draft: Draft, item: Object) -> None:
    """Write sort order and phonetics as in vCard 3.0 and by Apple: the surname, one line for each kind."""
    sort_as = item.get("sortAs")
    surname = sort_as.get("surname") if isinstance(sort_as, dict) else None
    if isinstance(surname, str) and surname:
        draft.add(Line("SORT-STRING", escape(surname), {}), "name")
    for name, kind in _SPOKEN.items():
        spoken = next((part.get("phonetic") for part in item["components"] if part["kind"] == kind), None)
        if isinstance(spoken, str) and spoken:
            draft.add(Line(name, escape(spoken), {}), "name")


def _sort_as(sort_as: object) -> str:
    if not isinstance(sort_as, dict):
        return ""
    found = [sort_as.get(kind) for kind in NAME.kinds]
    parts = [text.replace("\\", "\\\\").replace(",", "\\,") if isinstance(text, str) else "" for text in found]
    return ",".join(parts).rstrip(",")


def full_name(name: Object) -> str:
    """Return the full name of the components (RFC 9555, 3.1): in their order, or title, given names, surnames, suffixes."""
    components = name.get("components")
    if not isinstance(components, list):
        return ""
    parts = [part for part in components if isinstance(part, dict) and isinstance(part.get("value"), str)]
    if name.get("isOrdered") is True:
        default = name.get("defaultSeparator")
        between = default if isinstance(default, str) else " "
        text, pending = "", ""
        for part in parts:
            if part.get("kind") == "separator":
                pending = part["value"]
                continue
            text += pending + part["value"]
            pending = between
        return text
    order = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
    return " ".join(part["value"] for kind in order for part in parts if part.get("kind") == kind)


def _stand_in(card: Object) -> str:
    """Return a full name for a card without a name: readers of vCard 3.0 list cards by FN only."""
    for where, attribute in (("organizations", "name"), ("nicknames", "name"), ("emails", "address"), ("phones", "number")):
        entries = card.get(where)
        for key in sorted(entries) if isinstance(entries, dict) else ():
            entry = entries[key] if isinstance(entries, dict) else None
            text = entry.get(attribute) if isinstance(entry, dict) else None
            if isinstance(text, str) and text:
                return text
    return ""
