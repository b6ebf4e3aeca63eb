"""Two mirrors of one account after random acts and kills; `mirrors` is the long run."""

from __future__ import annotations

import pytest

from tests.sim.mirrors import play, worlds

ROUNDS = 12


@pytest.mark.parametrize("world", sorted(worlds()))
def test_two_mirrors_of_one_account_end_alike(world: str) -> None:
    assert play(world, seed=2, rounds=ROUNDS).faults == []
