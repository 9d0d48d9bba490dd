"""What the contract tests share: the platform of the polls, and each CRM in turn, found by its module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.crms import World, kit_names, open_world
from tests.kit.platforms import Platform, run_platform


@pytest.fixture(params=kit_names())
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with open_world(request.param) as found:
        yield found


@pytest.fixture(params=[name for name in kit_names() if name != "builtin"])
def remote(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One that is reached over HTTP."""
    with open_world(request.param) as found:
        assert found.wire is not None
        yield found


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The CRM that the module is named after."""
    with open_world(request.path.stem.split("_")[1]) as found:
        yield found


@pytest.fixture
def ann(there: World) -> str:
    """The account of a contact whom an address, a number and a handle find."""
    account = there.add_account("Globex", tier="strategic")
    there.add_contact(account, "Ann", "ann@example.com", "020 7946 0000", "x:12345;x:@ann")
    return account


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    with run_platform() as platform:
        yield platform


@pytest.fixture(scope="session")
def private_keys() -> dict[str, str]:
    """By the algorithm that a sample's credentials name in place of a key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    made = {"RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048), "ES256": ec.generate_private_key(ec.SECP256R1())}
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {name: key.private_bytes(pem, pkcs8, plain).decode() for name, key in made.items()}
