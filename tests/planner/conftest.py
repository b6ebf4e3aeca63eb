"""Choose how hard the random tests try: HYPOTHESIS_PROFILE is dev (default), ci or night."""

import os

from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("ci", max_examples=100, deadline=None, suppress_health_check=SLOW_IS_FINE, derandomize=True)
settings.register_profile("night", max_examples=50_000, deadline=None, suppress_health_check=SLOW_IS_FINE, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
