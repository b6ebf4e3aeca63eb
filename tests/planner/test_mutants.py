"""Every property notices the bugs it is there for, and the copies that are mutated are sound before."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.planner.cases import CASES, Case
from tests.planner.model_sides import RefusedError
from tests.planner.mutants import MUTANTS, Mutant
from tests.planner.rooms import load, read_sources

BY_NAME = {case.name: case for case in CASES}
KILLS = [(mutant, BY_NAME[killer]) for mutant in MUTANTS for killer in mutant.killers]
# No shrinking: that a property fails is all that is asked.
HUNT = settings(
    max_examples=3_000,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
SOUND = load("sound", read_sources())


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.bug for mutant in MUTANTS])
def test_the_mutant_can_still_be_made(mutant: Mutant) -> None:
    mutant.grow()


@pytest.mark.campaign
@pytest.mark.parametrize(("mutant", "case"), KILLS, ids=[f"{case.name}: {mutant.bug}" for mutant, case in KILLS])
def test_the_property_kills_the_mutant(mutant: Mutant, case: Case) -> None:
    with pytest.raises((AssertionError, RefusedError)):
        case.attempt(mutant.grow(), HUNT)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_unchanged_copy_lives(case: Case) -> None:
    case.attempt(SOUND, settings(HUNT, max_examples=10))


def test_every_property_has_a_mutant() -> None:
    assert {killer for mutant in MUTANTS for killer in mutant.killers} == BY_NAME.keys()
    assert {name.partition("_")[0] for name in BY_NAME} == {f"p{number}" for number in range(1, 15)}
