"""The same examples on every run: a change is judged by what it changed. `--hypothesis-profile=explore` looks for others, as one should before a release."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile("repeatable")
