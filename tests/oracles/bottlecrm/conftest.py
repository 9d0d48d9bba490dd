"""One BottleCRM for all tests of this folder, a new organisation in it for each. `make test-bottlecrm` sets up what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.crms.bottlecrm import BottleWorld
from tests.oracles.bottlecrm.real import real_world
from tests.oracles.bottlecrm.site import Site, running


@pytest.fixture(scope="session")
def timed_site() -> Iterator[Site]:
    with running(with_clock=True) as site:
        yield site


@pytest.fixture
def world(timed_site: Site) -> Iterator[BottleWorld]:
    with real_world(timed_site) as found:
        yield found


@pytest.fixture
def remote(world: BottleWorld) -> BottleWorld:
    return world
