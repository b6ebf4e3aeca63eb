"""Real `jmapsync sync` processes killed by SIGKILL against a real Cyrus; `python -m tests.sim.kill --server 3.12` kills more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.kill import Campaign, fill
from tests.sim.relay import Relay
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.cyrus import Cyrus


def test_killed_processes_lose_double_and_alter_nothing(running_cyrus: Callable[[str], Cyrus]) -> None:
    target = fill(running_cyrus("3.12"), "3.12", "killed", 1000)
    with Relay(target.url) as relay, scratch() as base:
        tally = Campaign(target, relay, base).run(15)
    assert tally.faults == []
    assert tally.kills == 15
    assert tally.progress
    assert tally.fetched_again > 0
