"""What all tests have in common."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How fast an example is made or run says nothing of the code here: a machine may be busy,
# and the first text in a new clone takes seconds, for which Hypothesis then makes its tables.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
