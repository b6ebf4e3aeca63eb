"""Real `jmapsync sync` processes killed by SIGKILL; the command in `tests.sim.kill` does it two hundred times."""

from __future__ import annotations

import os

import pytest

from tests.sim.kill import Campaign, demo
from tests.sim.relay import Relay
from tests.sim.world import scratch

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"


@pytest.mark.parametrize("single", [False, True])
def test_killed_processes_lose_double_and_alter_nothing_and_fetch_nothing_kept_again(single: bool) -> None:
    kills = 200 if NIGHT else 6 if single else 12
    with demo(3000 if NIGHT else 500 if single else 1000) as target, Relay(target.url, single=single) as relay, scratch() as base:
        tally = Campaign(target, relay, base).run(kills)
    assert tally.faults == []
    assert tally.kills == kills
    assert tally.progress
    assert tally.fetched_again > 0
