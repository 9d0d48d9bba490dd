"""The same examples on every run: a change is judged by what it changed. `--hypothesis-profile=explore` looks for others, as one should before a release."""

from hypothesis import HealthCheck, settings

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no defect
settings.register_profile("repeatable", PATIENT, derandomize=True)
settings.register_profile("explore", PATIENT, derandomize=False, print_blob=True)
settings.load_profile("repeatable")
