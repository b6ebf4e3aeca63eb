from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats.checks import flaw

CARD: dict[str, Any] = {
    "@type": "Card",
    "uid": "u",
    "name": {"full": "A", "components": [{"kind": "given", "value": "A"}], "isOrdered": True, "sortAs": {"surname": "a"}},
    "phones": {"p": {"number": "1", "features": {"voice": True}, "pref": 1}},
    "anniversaries": {"b": {"kind": "birth", "date": {"year": 1970, "month": 2}}},
    "organizations": {"o": {"name": "x", "units": [{"name": "y"}]}},
    "x-own": [[7]],
}
EVENT: dict[str, Any] = {
    "@type": "Event",
    "uid": "u",
    "title": "t",
    "start": "2026-01-01T00:00:00",
    "sequence": 3,
    "showWithoutTime": False,
    "recurrenceRule": {"frequency": "weekly", "count": 3, "byDay": [{"day": "mo", "nthOfPeriod": 1}]},
    "recurrenceOverrides": {"2026-01-08T00:00:00": {"title": "other", "locations/l/name": "x"}, "2026-01-15T00:00:00": None},
    "alerts": {"a": {"trigger": {"offset": "-PT5M"}, "action": "display"}},
    "keywords": {"k": True},
    "color": None,
}


@pytest.mark.parametrize("item", [CARD, EVENT, {**EVENT, "@type": "Task", "due": "2026-01-01T00:00:00", "percentComplete": 7}, {}])
def test_a_sound_item_has_no_flaw(item: dict[str, Any]) -> None:
    assert flaw(item) == ""


@pytest.mark.parametrize(
    ("item", "change", "path"),
    [
        (CARD, {"uid": 7}, "uid"),
        (CARD, {"name": "A"}, "name"),
        (CARD, {"name": {"full": ["A"]}}, "name/full"),
        (CARD, {"name": {"components": {"a": {}}}}, "name/components"),
        (CARD, {"name": {"components": [{"kind": "given", "value": 7}]}}, "name/components/0/value"),
        (CARD, {"phones": []}, "phones"),
        (CARD, {"phones": {"p": 7}}, "phones/p"),
        (CARD, {"phones": {"p": {"number": -(2**70)}}}, "phones/p/number"),
        (CARD, {"phones": {"p": {"number": "1", "features": ["voice"]}}}, "phones/p/features"),
        (CARD, {"phones": {"p": {"number": "1", "pref": "1"}}}, "phones/p/pref"),
        (CARD, {"anniversaries": {"b": {"date": {"year": 2**70}}}}, "anniversaries/b/date/year"),
        (CARD, {"organizations": {"o": {"units": [None, {"name": []}]}}}, "organizations/o/units/1/name"),
        (EVENT, {"title": 1.5}, "title"),
        (EVENT, {"start": None, "sequence": True}, "sequence"),
        (EVENT, {"showWithoutTime": "yes"}, "showWithoutTime"),
        (EVENT, {"recurrenceRule": [[[]]]}, "recurrenceRule"),
        (EVENT, {"recurrenceRule": {"frequency": 7}}, "recurrenceRule/frequency"),
        (EVENT, {"recurrenceOverrides": {"2026-01-08T00:00:00": {"title": {}}}}, "recurrenceOverrides/2026-01-08T00:00:00/title"),
        (EVENT, {"alerts": {"a": {"trigger": {"offset": 5}}}}, "alerts/a/trigger/offset"),
        (EVENT, {"keywords": {"k": 7}}, "keywords"),
    ],
)
def test_a_property_of_another_type_is_found(item: dict[str, Any], change: dict[str, Any], path: str) -> None:
    assert flaw({**item, **change}) == path
