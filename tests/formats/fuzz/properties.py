"""Check the properties that every conversion must have; a violation is an AssertionError."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jmapsync.formats import canonical, codec, cyruscontact, jscalendar1, merge
from jmapsync.formats import large_data as setaside
from jmapsync.formats.file_form import in_form_of
from jmapsync.formats.ical.kept import WON
from jmapsync.formats.objects import MalformedError, instances
from jmapsync.formats.patch import apply
from jmapsync.formats.repairs import take_back
from jmapsync.formats.shapes import REFERENCES, type_of

if TYPE_CHECKING:
    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object

CARDS: dict[str, Codec] = {"3.0": codec.cards("3.0"), "4.0": codec.cards("4.0")}
SCHEDULES: dict[str, Codec] = {"Event": codec.schedules("Event"), "Task": codec.schedules("Task")}
WIDTH = 75
"""Octets of the longest line of a file."""


def codec_of(item: Object) -> Codec:
    """Return the codec that an object belongs to."""
    return SCHEDULES.get(type_of(item), CARDS["4.0"])


def read_any(data: bytes, family: str) -> tuple[Codec, Object]:
    """Return what a file holds, with its codec. Raises MalformedError."""
    if family == "card":
        return CARDS["4.0"], CARDS["4.0"].read(data)
    try:
        return SCHEDULES["Event"], SCHEDULES["Event"].read(data)
    except MalformedError:
        return SCHEDULES["Task"], SCHEDULES["Task"].read(data)


def check_file(data: bytes, family: str, before: Object) -> bool:
    """Return whether a file was converted or refused. Raises AssertionError, or whatever a converter raises."""
    try:
        codec, item = read_any(data, family)
    except MalformedError:
        return False
    if "uid" in item or family == "schedule":
        for each in CARDS.values() if family == "card" else [codec]:
            check_fixed_point(each, item, at_once=each is not CARDS["3.0"])
    if type_of(item) == type_of(before):
        check_edit(codec, before, item)
    return True


def check_object(item: Object, before: Object) -> bool:
    """Return whether an object of a server was converted or refused. Raises AssertionError, or whatever a converter raises."""
    codec = codec_of(item)
    converted = False
    for each in CARDS.values() if codec is CARDS["4.0"] else [codec]:
        try:
            each.write(item)
        except MalformedError:
            continue
        check_fixed_point(each, item, at_once=False)
        converted = True
    if type_of(item) == type_of(before):
        check_edit(codec, before, item)
        check_edit(codec, item, before)
        check_dialects(item, before)
    return converted


def check_fixed_point(codec: Codec, item: Object, *, at_once: bool) -> None:
    """Demand that a file means what it was written from, or from the second pass on where the form cannot hold all of it.

    Where a server has two participants of one address, a file has but one from the third pass on.
    """
    first = codec.write(item)
    check_form(first)
    again = _read_own(codec, first)
    if at_once:
        _same(codec, _without_doubles(item), _without_doubles(again), "the file does not mean what it was written from")
    elif _has_twins(item):
        again = _read_own(codec, codec.write(again))
    second = codec.write(again)
    third = _read_own(codec, second)
    _same(codec, again, third, "the second pass means something else than the first")
    assert codec.write(third) == second, "the third file differs from the second"


def _has_twins(item: Object) -> bool:
    """Return whether two participants have one address."""
    text = str(item.get("participants")).lower()
    found = re.findall(r"'calendaraddress': ('[^']*')", text)
    return len(set(found)) < len(found)


def _without_doubles(value: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return an object without kept lines that a component has once: a second DTSTART is kept, but not written beside the first."""
    if isinstance(value, list):
        return [_without_doubles(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {name: _without_doubles(inner) for name, inner in value.items()}
    for name, lines in found.items():
        if name.rpartition("/")[2] == "properties" and isinstance(lines, list):
            found[name] = [line for line in lines if not (isinstance(line, list) and str(line[0]).upper() in WON)]
    return found


def check_form(data: bytes) -> None:
    """Demand UTF-8, and lines that end in CRLF and have 75 octets at most."""
    data.decode()
    assert data.endswith(b"\r\n"), "the last line does not end"
    for line in data.split(b"\r\n"):
        assert len(line) <= WIDTH, "a line is too long"
        assert b"\n" not in line, "a line break is no CRLF"
        assert b"\r" not in line, "a CR stands alone"


def check_edit(codec: Codec, before: Object, after: Object) -> None:
    """Demand of an edit that keys mean nothing, that its patch makes one of the other, and that nothing is changed in place."""
    before, after = _sound(before), _sound(after)
    texts = repr(before), repr(after)
    aligned = codec.align(after, before)
    if not _dangling(after):
        _same(codec, after, aligned, "other keys mean something else")
    codec.patch(before, after)
    take_back(before, aligned)
    _same(codec, after, in_form_of(after, before), "in the form of another file it means something else")
    patched = apply(before, canonical.changes(before, aligned))
    _same(codec, aligned, patched, "the patch does not make the object after of the one before")
    merge.missing(canonical.changes(before, after), after)
    merge.merge(before, after, before, before)
    merge.merge(before, before, before, after)
    merged = merge.merge(before, after, after, before)
    apply(before, merged.patch)
    bare, data = setaside.set_aside(after)
    _same(codec, after, setaside.bring_back(bare, data.get), "data that was set aside does not come back")
    assert (repr(before), repr(after)) == texts, "an object was changed in place"


def _sound(item: Object) -> Object:
    """Return an object without what is empty, and without overrides and localizations that do not fit it."""
    found = {name: value for name, value in item.items() if value not in ({}, [])}
    for name in ("recurrenceOverrides", "localizations"):
        if isinstance(patches := found.get(name), dict):
            found[name] = {key: value for key, value in patches.items() if not isinstance(value, dict) or _fits(found, value)}
    return found


def _dangling(item: Object) -> bool:
    """Return whether something refers to an entry that there is not: a new key may be what it names."""
    text = str(item)
    return any(
        str(key) not in str(item.get(target))
        for path, target in REFERENCES[type_of(item)]
        for key in re.findall(rf"'{path.rpartition('/')[2]}': {{?'([^']*)'", text)
    )


def _fits(item: Object, value: Object) -> bool:
    try:
        apply(item, value)
    except MalformedError:
        return False
    return True


def check_dialects(item: Object, before: Object) -> None:
    """Convert an object from and to the dialects of servers."""
    if type_of(item) != "Card":
        for each in instances(item).values() or [item]:
            up = jscalendar1.from_v1(each)
            jscalendar1.to_v1(up, each)
            jscalendar1.to_v1(each)
            with suppress(MalformedError):
                jscalendar1.patch_to_v1(canonical.changes(up, before), up, each)
        return
    cyruscontact.to_contact(item).unsent  # noqa: B018  # it is computed
    cyruscontact.contact_changes(before, item)
    cyruscontact.to_group(item, {"u": "1"})
    cyruscontact.group_changes(item, before, {})


def _read_own(codec: Codec, data: bytes) -> Object:
    try:
        return codec.read(data)
    except MalformedError as error:
        raise AssertionError(f"a file of our own is refused: {error}") from error


def _same(codec: Codec, one: Object, other: Object, complaint: str) -> None:
    if codec.sense(one) != codec.sense(other):
        names = {path.partition("/")[0] for path in (*canonical.changes(one, other), *canonical.changes(other, one))}
        raise AssertionError(f"{complaint}: {', '.join(sorted(names))}")
