"""Samples made fresh are still what their channel understands, and new."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from caseline.channels import channel_names, open_channel
from caseline.signals import Signal
from caseline.sources import Source
from caseline.web import WebhookRequest
from caseline_local.cli import samples
from caseline_local.cli.freshening import freshen, freshen_event
from caseline_local.cli.story import DEMO, fill_moments, load_story
from caseline_local.cli.terminal import FindingsError
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

NOW = datetime(2027, 5, 4, 3, 2, 1, tzinfo=UTC)
ALL = [name for name, _ in samples.list_samples(channel_names())]


@cache
def own_key():
    """A JWK with its private half, as a developer would make one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {**json.loads(RSAAlgorithm.to_jwk(key)), "kid": "own", "alg": "RS256", "use": "sig"}


def read(name, fresh):
    channel, _, case = name.partition(".")
    sample = samples.load_sample(channel, case)
    described = sample.get("source") or {}
    settings = described.get("settings", {})
    if setting := samples.signing_setting(channel):
        settings = {**settings, setting: {"keys": [own_key()]}}
    source = Source("default", "acme", tuple(described.get("own_ids", ())), sample.get("secrets", ()), settings)
    if "event" in sample:
        return sample["expected"]["signals"], read_event(open_channel(channel), sample, source, fresh)
    sent = freshen(sample, NOW) if fresh else sample["request"]
    request = WebhookRequest("POST", sample["request"]["url"], sent["headers"], samples.body_of(sent), NOW)
    signed = open_channel(channel).sign(request, source)
    open_channel(channel).verify(signed, source)
    return sample["expected"]["signals"], [item for item in open_channel(channel).parse(signed, source) if isinstance(item, Signal)]


def read_event(channel, sample, source, fresh):
    told = freshen_event(sample, NOW) if fresh else {"event": sample["event"], "objects": sample.get("objects", {})}

    def read_object(bucket, key):
        content = told["objects"][f"{bucket}/{key}"]
        return (content if isinstance(content, str) else json.dumps(content)).encode()

    return [item for item in channel.parse_event(told["event"], source, received_at=NOW, read=read_object) if isinstance(item, Signal)]


@pytest.mark.parametrize("name", ALL)
def test_a_fresh_sample_brings_the_same_things_now_under_new_ids(name):
    expected, found = read(name, fresh=True)
    assert [(signal.kind, signal.text) for signal in found] == [(signal["kind"], signal.get("text")) for signal in expected]
    assert all(timedelta() <= NOW - signal.occurred_at < timedelta(days=2) for signal in found)
    same = {signal.native_id for signal in found} & {signal["native_id"] for signal in expected}
    assert all(native_id.startswith("sha256:") for native_id in same), "an id that is made of the words stays"


def test_two_fresh_samples_are_not_one():
    assert read("x.mention", True)[1][0].signal_id != read("x.mention", True)[1][0].signal_id


def test_each_channel_has_one_to_begin_with():
    for channel in {name.partition(".")[0] for name in ALL}:
        assert samples.first_sample(channel)


def test_a_value_can_be_set_and_a_wrong_path_is_said():
    sample = freshen(samples.load_sample("standard_webhooks", "post"), NOW)
    samples.set_value(sample, "data.author.name", "Zoe")
    assert sample["json"]["data"]["author"]["name"] == "Zoe"
    with pytest.raises(FindingsError, match=r"no data\.nobody\.name"):
        samples.set_value(sample, "data.nobody.name", "Zoe")


def test_an_unknown_sample_is_said():
    with pytest.raises(FindingsError, match="--list"):
        samples.load_sample("x", "nothing")


def test_moments_of_a_story():
    told = {"a": "{time-2m}", "b": "on {date+30d}", "c": "{seconds}", "d": ["{millis-1h}"], "e": 5}
    assert fill_moments(told, NOW) == {
        "a": "2027-05-04T03:00:01.000Z", "b": "on 2027-06-03", "c": int(NOW.timestamp()), "d": [int(NOW.timestamp() * 1000) - 3_600_000], "e": 5,
    }  # fmt: skip


def test_the_demo_story_is_understood_by_its_channels():
    story = load_story(DEMO, NOW)
    for step in story.steps:
        if "again" not in step:
            request = WebhookRequest("POST", "https://hooks.example.com/webhooks/x", {}, samples.body_of(step), NOW)
            assert open_channel(step["channel"]).parse(request, Source("acme", "acme"))
