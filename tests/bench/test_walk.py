"""The walks that the architecture page lists are those that runs take, in that order, and none is longer than it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.walk import walks

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
HOP = re.compile(r"^\d+\. `jmapsync/([^`]+)`: `([^`]+)`", re.MULTILINE)
MOST = 15
TITLES = {
    "a flag set on the server": "**A flag set on the server**",
    "a card edited here": "**A card edited here**",
    "a new message": "**A message that push announces**",
}


@pytest.fixture(scope="module")
def taken() -> dict[str, list[tuple[str, str]]]:
    return {name: list(walk) for name, walk in walks()}


@pytest.mark.parametrize("name", TITLES)
def test_a_run_takes_the_walk_that_is_documented(name: str, taken: dict[str, list[tuple[str, str]]]) -> None:
    text = PAGE.read_text().partition(TITLES[name])[2].partition("\n**")[0]
    hops = HOP.findall(text)
    assert 10 < len(hops) <= MOST
    run = [hop for hop in hops if not hop[0].startswith("daemon") and hop[1] != "OpenAccount.run"]  # a world has no daemon
    assert [hop for hop in run if hop not in taken[name]] == []
    assert sorted(run, key=taken[name].index) == run
