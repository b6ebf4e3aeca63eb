"""What every test shares: helper modules whose asserts tell what differs."""

import pytest

pytest.register_assert_rewrite("tests.live.compare", "tests.mirror")
