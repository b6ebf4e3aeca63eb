"""What must always hold of the planner, tried on random worlds: the statements are in `properties`, the inputs in `cases`."""

from __future__ import annotations

import pytest

from tests.planner.cases import CASES, Case
from tests.planner.rooms import REAL


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_property(case: Case) -> None:
    case.attempt(REAL)
