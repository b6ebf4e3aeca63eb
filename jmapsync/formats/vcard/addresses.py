"""Convert addresses: ADR with its parameters, and the lines LABEL, GEO and TZ (RFC 9555, 2.6.1 and 2.8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jmapsync.formats.contentline import Line, Params, escape
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.vcard.components import ADDRESS, Structured, read_components, write_components
from jmapsync.formats.vcard.draft import TYPE_OF_CONTEXT, Draft, keyed, write_common
from jmapsync.formats.vcard.names import read_phonetics, write_phonetics
from jmapsync.formats.vcard.state import CONTEXTS, Reading, read_common
from jmapsync.formats.vcard.values import is_uri, read_zone, unescape

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

_CONTEXTS = {**CONTEXTS, "billing": "billing", "delivery": "delivery"}
_TYPES = {**TYPE_OF_CONTEXT, "billing": "billing", "delivery": "delivery"}
_USED = frozenset({"jscomps", "cc", "label", "geo", "tz"})
_OTHER = frozenset({"jscomps", "cc", "label"})
_GEO = re.compile(r"\s*([+-]?[\d.]+)\s*[;,]\s*([+-]?[\d.]+)\s*\Z", re.ASCII)
_EMPTY = ";" * 17
_EMPTY_3 = ";" * 6
_PREFIX = "ADDR"
_MOST = 2_000
"""Lines of one card that are converted: each LABEL, GEO and TZ is compared with every address."""


def read_addresses(reading: Reading, lines: list[Line], spoken: list[tuple[Line, Line]]) -> None:
    """Read all ADR, LABEL, GEO and TZ lines of a card in order; `spoken` pairs an ADR line with its pronunciation."""
    sounds = {id(main): line for main, line in spoken}
    made: list[tuple[Line, Object]] = []
    if len(lines) > _MOST:
        raise MalformedError(f"It has more than the {_MOST:,} addresses and places that are converted.")
    for line in lines:
        if line.name == "ADR":
            address = _read_adr(reading, line, sounds.get(id(line)))
            if address:
                made.append((line, address))
    rest = [line for line in lines if line.name == "LABEL" and not _read_label(line, made, _types(line))]
    for line in rest:  # khard adds TYPE=home to an ADR without a type, not to its LABEL
        if _types(line) or not _read_label(line, made, frozenset({"home"})):
            _add_label(reading, line, made)
    for line in lines:
        if line.name in {"GEO", "TZ"}:
            _read_place(reading, line, made)


def _read_adr(reading: Reading, line: Line, sound: Line | None) -> Object | None:
    params = line.params
    jscomps = ",".join(params["jscomps"]) if "jscomps" in params else None
    address = read_components(line.value, ADDRESS, jscomps, sound.value if sound else None)
    if sound is not None and address:
        address.update(read_phonetics(sound.params))
    used: frozenset[str] = frozenset()
    if params:
        used = _USED if _read_params(address, params) else _OTHER
        if not address and used is _USED:
            return None
    elif not address:
        return None
    if params or line.group:
        read_common(reading, line, address, contexts=_CONTEXTS, used=used)
    reading.add(line, "addresses", _PREFIX, address)
    return address


def _read_params(address: Object, params: Params) -> bool:
    """Read CC, LABEL, GEO and TZ of an ADR line; return False if a place cannot be converted, so that the line keeps it."""
    if "cc" in params:
        address["countryCode"] = ",".join(params["cc"])
    if "label" in params and any(params["label"]):
        address["full"] = unescape(",".join(params["label"]))
    geo, zone = ",".join(params.get("geo", ())), ",".join(params.get("tz", ()))
    name = read_zone(zone) if not is_uri(zone) else None
    if (geo and not is_uri(geo)) or (zone and name is None):
        return False
    if geo:
        address["coordinates"] = geo
    if zone and name:
        address["timeZone"] = name
    return True


def _types(line: Line) -> frozenset[str]:
    listed = ",".join(line.params.get("type", ())).lower().split(",")
    return frozenset(listed) - {"", "pref"}


def _read_label(line: Line, made: list[tuple[Line, Object]], types: frozenset[str]) -> bool:
    """Read LABEL of vCard 2.1 and 3.0: the delivery text of the next address of these types. Return whether there is one."""
    text = unescape(line.value)
    alike = [
        address
        for other, address in (made if text else ())
        if "full" not in address and other.group == line.group and _types(other) == types
    ]
    if alike:
        max(alike, key=lambda address: _said(address, text))["full"] = text
    return bool(alike) or not text


def _said(address: Object, text: str) -> int:
    """Return how many components of an address are in a delivery text: programs may sort the lines of a card."""
    return sum(part["value"] in text for part in address.get("components", ()))


def _add_label(reading: Reading, line: Line, made: list[tuple[Line, Object]]) -> None:
    """Add the delivery text of no other address as one of its own."""
    address: Object = {"full": unescape(line.value)}
    reading.mark_converted(line.group)
    read_common(reading, line, address, contexts=_CONTEXTS)
    reading.add(line, "addresses", _PREFIX, address)
    made.append((line, address))


def _read_place(reading: Reading, line: Line, made: list[tuple[Line, Object]]) -> None:
    """Read GEO or TZ into the first address of the same group, or of none, that lacks it (RFC 9555, 2.8.3)."""
    text = unescape(line.value).strip()
    attribute = "coordinates" if line.name == "GEO" else "timeZone"
    if line.name == "GEO":
        match = _GEO.match(text)
        value = f"geo:{match[1]},{match[2]}" if match else text if is_uri(text) else None
    else:
        value = None if is_uri(text) else read_zone(text)
    if not value:
        if text:
            reading.keep(line)
        return
    bare = not (line.params.keys() - {"value"})
    for other, address in made:
        if bare and attribute not in address and other.group == line.group:
            address[attribute] = value
            reading.mark_converted(line.group)
            return
    address = {attribute: value}
    reading.mark_converted(line.group)
    read_common(reading, line, address, contexts=_CONTEXTS)
    reading.add(line, "addresses", _PREFIX, address)
    made.append((line, address))


_OFFSET_ZONE = re.compile(r"Etc/GMT([+-])(\d\d?)")


def write_address(draft: Draft, key: str, address: Object) -> None:
    """Write an address: one ADR line; in vCard 3.0 also LABEL, or GEO and TZ if it has nothing else."""
    structured = write_components(address, ADDRESS, short=not draft.four) if "components" in address else None
    if structured is None and "components" in address and draft.four:
        return
    params = keyed(key)
    if not draft.four:
        _write_three(draft, key, address, params, structured)
        return
    if structured is not None and structured.phonetic is not None:
        params["altid"] = [draft.alternative("ADR", key)]
    if structured is not None and structured.jscomps is not None:
        params["jscomps"] = [structured.jscomps]
    write_common(draft, "ADR", params, address, types=_TYPES)
    for name, attribute in (("cc", "countryCode"), ("label", "full"), ("geo", "coordinates"), ("tz", "timeZone")):
        text = address.get(attribute)
        if isinstance(text, str) and text:
            params[name] = [text.replace("\\", "\\\\") if name == "label" else text]
    unlabelled = {name: value for name, value in address.items() if name != "label"}
    draft.put("ADR", structured.value if structured else _EMPTY, params, unlabelled, ("addresses", key))
    if structured is not None and structured.phonetic is not None:
        spoken = {"altid": params["altid"], **write_phonetics(address)}
        draft.add(Line("ADR", structured.phonetic, spoken), "addresses", key)


def _write_three(draft: Draft, key: str, address: Object, params: Params, structured: Structured | None) -> None:
    write_common(draft, "ADR", params, address, types=_TYPES)
    unlabelled = {name: value for name, value in address.items() if name != "label"}
    full = address.get("full")
    if structured is not None:
        draft.put("ADR", structured.value, params, unlabelled, ("addresses", key))
    if isinstance(full, str) and full:
        label = {name: values for name, values in params.items() if name in {"prop-id", "type"}}
        if structured is None:
            draft.put("LABEL", escape(full), label, unlabelled, ("addresses", key), group=draft.new_group())
        else:
            draft.add(Line("LABEL", escape(full), label, draft.lines[-1].group), "addresses", key)
    elif structured is None:
        _write_place(draft, key, address, draft.new_group())
    if structured is not None and not draft.placed and not draft.lines[-1].group:
        draft.placed = True
        _write_place(draft, key, address, "")


def _write_place(draft: Draft, key: str, address: Object, group: str) -> None:
    """Write GEO and TZ: of an address with nothing else, in a group of their own, and of the first other one."""
    place, zone = address.get("coordinates"), address.get("timeZone")
    params = keyed(key) if group else {}
    pair = place.removeprefix("geo:").split(",") if isinstance(place, str) else ()
    if len(pair) == 2 and isinstance(place, str) and _GEO.match(place.removeprefix("geo:")):  # noqa: PLR2004 (a pair)
        draft.add(Line("GEO", ";".join(pair), params, group), "addresses", key)
    if isinstance(zone, str) and zone:
        offset = _OFFSET_ZONE.fullmatch(zone)  # an offset is the default of 3.0 (RFC 2426, 3.4.1)
        text = escape(zone) if offset is None else f"{'+-'[offset[1] == '+']}{int(offset[2]):02}:00"
        draft.add(Line("TZ", text, params, group), "addresses", key)
