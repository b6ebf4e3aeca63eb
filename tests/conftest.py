"""What every test shares: helper modules whose asserts report what differs, fixtures, and which tests run only on request."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("busy", deadline=None)  # a pause of the machine is no failure
settings.load_profile("busy")
pytest.register_assert_rewrite("tests.live.compare", "tests.kit.mirror")

pytest_plugins = ["tests.kit.mail_fixtures"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the campaigns out, unless `-m` mentions them."""
    if "campaign" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("campaign")]
