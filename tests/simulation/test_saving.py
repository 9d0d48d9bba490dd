"""Whoever saves a case may die between any two calls, to the table or to the CRM; saved again, it stands there once, whole, with each note once."""

from __future__ import annotations

import pytest

from tests.kit.crms import kit_names, open_world
from tests.kit.dying import play

RUNS = 60  # of each CRM; `make bench` does thousands


@pytest.mark.parametrize("name", kit_names())
def test_deaths_while_saving_lose_and_double_nothing(name: str) -> None:
    with open_world(name) as world:
        outcome = play(world, [f"{name}-{number}" for number in range(RUNS)])
    assert (outcome.duplicates, outcome.lost) == ([], []) and outcome.deaths > RUNS
