"""AWS in the test's own process, and a CRM over the network that saves are coalesced for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.accounts import vip
from tests.kit.aws import FakeCloud, aws
from tests.kit.remote import Coalescing, OtherCrm


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with aws() as running:
        yield running


@pytest.fixture
def remote(cloud: FakeCloud) -> Coalescing:
    return Coalescing(cloud, OtherCrm({"x:100": vip()}))
