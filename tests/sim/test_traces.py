"""Prove that a recorded trace says all that a run does outside of itself, and the same each time."""

from __future__ import annotations

import pytest

from tests.sim.traces import difference, trace_of


@pytest.mark.parametrize("seed", [2, 3], ids=["mail", "objects"])
def test_a_world_leaves_the_same_trace_each_time(seed: int) -> None:
    first, second = trace_of(seed), trace_of(seed)
    assert difference(first, second) == ""
    assert any("methodCalls" in line for line in first)
    assert any(line.startswith(("rename ", "replace ")) for line in first)
    assert any(line.startswith("item ") for line in first)


def test_the_first_difference_is_named_with_what_came_before_it() -> None:
    found = difference(["a", "b", "c"], ["a", "b", "d"])
    assert [line.strip() for line in found.splitlines()] == ["line 2", "a", "b", "- c", "+ d"]
