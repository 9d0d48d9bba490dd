"""The table of a home on which nothing runs: the same services, without functions and front."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caseline.table import Table

from caseline_local.engine.home import Home

ROOT = Path(__file__).resolve().parents[4]
_PARAMETERS = {"OidcIssuer": "local", "Stage": "local"}


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """What is written is there at the next start. HomeInUseError where a product runs on the home after all."""
    from moto.backends import get_backend

    from caseline_local.cloud.cloud import ACCOUNT, REGION, Cloud
    from caseline_local.engine.creators import create_all
    from caseline_local.engine.resources import Place, Stack
    from caseline_local.engine.transform import translate

    home = Home(path)
    home.lock(0)
    home.prepare()
    cloud = Cloud(home.path)
    try:
        cloud.start()
        place = Place(REGION, ACCOUNT, cloud.endpoint, cloud.endpoint)
        stack = Stack(translate(ROOT / "template.yaml", _PARAMETERS, home.cache, place.region), _PARAMETERS, place)
        create_all(stack, cloud.client)
        cloud.journal.restore_items(get_backend("dynamodb")[ACCOUNT][REGION].tables)
        yield Table(cloud.client("dynamodb"), stack.name("Table"))
    finally:
        cloud.stop()
        home.unlock()
