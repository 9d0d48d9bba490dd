"""What the contract tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.platforms import Platform, run_platform


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
