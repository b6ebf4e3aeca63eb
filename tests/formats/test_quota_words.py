"""Which limit of a quota is reached is said with its figure (RFC 9425, section 4)."""

from __future__ import annotations

import pytest

from jmapsync.app.seen import quotas_as_seen
from jmapsync.formats.quota import for_types, quotas_in


def text(**members: object) -> str:
    [quota] = quotas_in({"list": [{"id": "q", "resourceType": "octets", "types": ["Email"], **members}]})
    [seen] = quotas_as_seen([quota])["quotas"]
    assert seen["near"] == (quota.warning != "")
    return str(seen["text"])


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (700, "700 octets of 1.0 kB used (70%) (q)"),
        (750, "750 octets of 1.0 kB used (75%) (q); over its warning limit of 750 octets"),
        (899, "899 octets of 1.0 kB used (89%) (q); over its warning limit of 750 octets"),
        (900, "900 octets of 1.0 kB used (90%) (q); over its soft limit of 900 octets: the server may refuse some things"),
        (1000, "1.0 kB of 1.0 kB used (100%) (q); full"),
        (5000, "5.0 kB of 1.0 kB used (500%) (q); full"),
    ],
)
def test_the_limit_that_is_reached_is_named_with_its_figure(used: int, said: str) -> None:
    assert text(used=used, hardLimit=1000, softLimit=900, warnLimit=750) == said


def test_without_limits_of_the_server_nine_tenths_are_nearly_full() -> None:
    assert text(used=899, hardLimit=1000) == "899 octets of 1.0 kB used (89%) (q)"
    assert text(used=900, hardLimit=1000) == "900 octets of 1.0 kB used (90%) (q); nearly full"


def test_a_limit_of_nothing_is_full_and_no_limit_never_is() -> None:
    assert text(used=0, hardLimit=0) == "0 octets of 0 octets used (q); full"
    assert text(used=7) == "7 octets used, no limit (q)"
    assert (
        text(used=95, softLimit=90)
        == "95 octets used, no limit (q); over its soft limit of 90 octets: the server may refuse some things"
    )
    assert text(hardLimit=10) == "at most 10 octets (q)"


def test_of_whom_and_of_what_it_is_is_said() -> None:
    said = text(used=1, hardLimit=10, scope="global", name="disk", resourceType="count", types=["Email"])
    assert said == "1 of 10 messages used (10%) (disk of the server)"
    assert text(used=1, hardLimit=10, scope="domain", name="x\n\x1b[31m") == "1 octet of 10 octets used (10%) (x[31m of the domain)"
    assert text(used=1, hardLimit=10, resourceType="doublons") == "1 of 10 doublons used (10%) (q)"


def test_an_unknown_resource_or_another_type_keeps_nothing() -> None:
    raw = [
        {"id": "a", "resourceType": "doublons", "used": 10, "hardLimit": 10, "types": ["Email"]},
        {"id": "b", "resourceType": "count", "used": 10, "hardLimit": 10, "types": ["Thread"]},
        {"id": "c", "resourceType": "octets", "used": 10, "hardLimit": 10, "types": ["email"]},
        {"resourceType": "octets", "used": 10, "hardLimit": 10},
        "quota",
    ]
    assert [one.id for one in for_types(quotas_in({"list": raw}), ("Email",))] == ["c"]
    assert quotas_in({"list": {}}) == quotas_in({}) == []
