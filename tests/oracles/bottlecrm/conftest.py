"""One BottleCRM for all tests of this folder, a new organisation in it for each. `make test-bottlecrm` sets up what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.crms.bottlecrm import BottleWorld
from tests.oracles.bottlecrm.real import real_world
from tests.oracles.bottlecrm.site import Site, running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the contract's tests that name the CRMs they are of, those that name this one: the `world` here is no other."""
    others = [item for item in items if _crm_of(item) not in ("", "bottlecrm")]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def _crm_of(item: pytest.Item) -> str:
    return str(item.callspec.params.get("world", "")) if hasattr(item, "callspec") else ""


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
