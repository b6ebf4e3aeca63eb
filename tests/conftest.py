"""What every test shares: helper modules whose asserts report what differs, and fixtures."""

import pytest

pytest.register_assert_rewrite("tests.live.compare", "tests.mirror")

pytest_plugins = ["tests.mail_fixtures"]
