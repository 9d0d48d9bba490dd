"""Who asks the API and the console: an office with a table of its own, and what calls it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from caseline.table import Table

from tests.kit.api import Caller
from tests.kit.aws import FakeCloud, aws, create_table
from tests.kit.browser import Visit
from tests.kit.office import Office


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    with aws() as cloud:
        yield cloud


@pytest.fixture
def office(cloud: FakeCloud) -> Office:
    name = f"Caseline-{uuid4()}"
    create_table(cloud.client("dynamodb"), name)
    return Office(Table(cloud.client("dynamodb"), name))


@pytest.fixture
def call(office: Office, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return Caller(office, monkeypatch)


@pytest.fixture
def visit(office: Office, monkeypatch: pytest.MonkeyPatch) -> Visit:
    return Visit(office, monkeypatch)
