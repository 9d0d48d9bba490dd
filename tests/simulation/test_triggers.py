"""`caseline trigger` sends a sample of every channel to one running product, which takes each for what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caseline.channels import channel_names
from caseline_local.cli import samples
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.kit.dev import Dev

SENT = [name for name in channel_names() if samples.all_names(name)]


def describe(channel: str) -> dict[str, Any]:
    """The source that the channel's first sample is meant for."""
    sample = samples.load_sample(channel, samples.first_sample(channel))
    settings = dict((sample.get("source") or {}).get("settings") or {})
    if setting := samples.signing_setting(channel):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        settings[setting] = {"keys": [{**json.loads(RSAAlgorithm.to_jwk(key)), "kid": "own", "alg": "RS256", "use": "sig"}]}
    return {"channel": channel, "name": "default", "brand": "acme", "settings": settings}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    home: Path = tmp_path_factory.mktemp("triggers") / "home"
    config = {"brands": {"acme": {"own_ids": []}}, "sources": [describe(channel) for channel in SENT]}
    secrets = {f"{channel}/default": samples.load_sample(channel, samples.first_sample(channel)).get("secrets", []) for channel in SENT}
    dev = Dev(home, config, {key: listed for key, listed in secrets.items() if listed}).prepare().start()
    yield dev
    dev.stop()


def test_a_sample_of_each_channel_is_recorded(dev: Dev) -> None:
    for channel in SENT:
        done = dev.run("trigger", channel)
        assert done.returncode == 0, f"{channel}: {done.stdout}{done.stderr}"
    dev.settle()
    stats = dev.api("stats")
    for channel in SENT:
        counts = stats["sources"][f"{channel}/default"]
        assert counts["accepted"] >= 1 and counts["quarantined"] == 0, (channel, counts)
        assert counts["recorded"] + counts["revised"] >= 1, (channel, counts)
