"""Hold the embedded server's profiles to the real servers: the same requests, the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.agreement.compare import compare
from tests.live.agreement.servers import CYRUS, on_cyrus

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.cyrus import Cyrus


@pytest.mark.parametrize("profile", CYRUS)
def test_a_profile_answers_as_the_real_server_does(profile: str, running_cyrus: Callable[[str], Cyrus]) -> None:
    server = running_cyrus(CYRUS[profile])
    result = compare(profile, lambda: on_cyrus(server))
    assert not result.unexplained, result.table()
    assert not result.outdated, result.table()
