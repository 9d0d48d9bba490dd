"""Events of AWS: whose they are, that neighbours do not wait for a bad one, that what is not understood is kept and can be replayed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from caseline import arrivals
from caseline.arrivals import EVENT_URL, Arrivals, claim, split
from caseline.errors import PayloadError, UnavailableError, UnclaimedError
from caseline.intake import Intake
from caseline.replaying import replay
from caseline.settings import Adapter, Config
from caseline.signals import Signal

from functions.receive_event import app

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:mails"
SOURCES = [
    {"channel": "calls", "name": "acme", "brand": "acme", "settings": {"bucket_prefix": "acme-recordings/Analysis/[Voice]/"}},
    {"channel": "calls", "name": "bolt", "brand": "bolt", "settings": {"event_source": ["aws.connect", "aws.partner/example.com/*"]}},
    {"channel": "mails", "name": "default", "brand": "acme", "settings": {"topic_arns": [TOPIC], "recipients": "*@care.acme.example"}},
    {"channel": "kiosks", "name": "shops", "brand": "acme", "settings": {"topic_filter": "stores/+/feedback"}},
    {"channel": "x", "name": "default", "brand": "acme"},
]
CONFIG = Config.from_json({"brands": {"acme": {}, "bolt": {}}, "sources": SOURCES})


def s3_record(bucket: str, key: str) -> dict[str, Any]:
    return {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 5}}}


def stored(bucket: str, key: str) -> dict[str, Any]:
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": bucket}, "object": {"key": key}}}


def notified(topic: str) -> dict[str, Any]:
    return {"EventSource": "aws:sns", "Sns": {"TopicArn": f"arn:aws:sns:eu-central-1:123456789012:{topic}", "Message": "{}"}}


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A channel that takes what is readable, and one of a platform's own default."""

    def parse_event(event: Any, source: Any, *, received_at: datetime, read: Any) -> list[Signal]:
        assert not source.secrets
        if "odd" in json.dumps(event):
            raise PayloadError("is odd", "detail")
        read("bucket", "key")
        return [Signal("calls", source.name, "c-1", "call", received_at, received_at)]

    module = SimpleNamespace(parse_event=parse_event)
    kiosks = SimpleNamespace(parse_event=parse_event, DEVICE_TOPICS=("#",), EVENT_SOURCES=("aws.iot",))
    monkeypatch.setattr(arrivals, "open_channel", {"calls": module, "mails": module, "kiosks": kiosks, "x": SimpleNamespace()}.__getitem__)
    return module


@pytest.mark.parametrize(
    ("event", "takers"),
    [
        ({"Records": [s3_record("acme-recordings", "Analysis/%5BVoice%5D/a+b.json")]}, [["calls/acme"]]),
        ({"Records": [s3_record("acme-recordings", "Analysis/V/a.json")]}, [[]]),
        (stored("acme-recordings", "Analysis/[Voice]/2026/03%3A14.json"), [["calls/acme"]]),
        (stored("caseline-private", "inbox/calls/bolt/2026/a.json"), [["calls/bolt"]]),
        (stored("caseline-private", "inbox/x/default/a.json"), [[]]),
        (stored("another", "inbox/calls/bolt/a.json"), [[]]),
        ({"Records": [notified("mails"), notified("others")]}, [["mails/default"], []]),
        ({"source": "aws.partner/example.com/1/2", "detail-type": "Call", "detail": {}}, [["calls/bolt"]]),
        ({"source": "aws.iot", "detail-type": "Thing", "detail": {}}, [["kiosks/shops"]]),
        ({"Records": [{"eventSource": "aws:ses", "ses": {"receipt": {"recipients": ["Help@care.Acme.example"]}}}]}, [["mails/default"]]),
        ({"source": "aws.ec2", "detail-type": "State", "detail": {}}, [[]]),
        ({"topic": "stores/LDN-4/feedback", "score": 1}, [["kiosks/shops"]]),
        ({"topic": "stores/LDN-4/other", "score": 1}, [[]]),
        ({"score": 1, "caseline": "kiosks/shops"}, [["kiosks/shops"]]),
        ({"caseline": "calls/acme", "event": {"source": "aws.connect", "detail-type": "Call", "detail": {}}}, [["calls/acme"]]),
        ({"caseline": "calls/nobody", "event": {"source": "aws.connect", "detail-type": "Call", "detail": {}}}, [[]]),
        ({"Records": [{"eventSource": "aws:s3"}, None, {}, {"EventSource": "aws:sns", "Sns": 5}, {"eventSource": "aws:sqs"}]}, [[], [], [], [], []]),
        ([], [[]]),
        ({}, [[]]),
    ],
)
def test_an_event_goes_to_the_sources_that_want_it(channel: Any, event: Any, takers: list[list[str]]) -> None:
    assert [[source.key for source in claim(CONFIG, "caseline-private", arrival)] for arrival in split(event)] == takers


class World:
    stack = ""

    def __init__(self) -> None:
        self.config, self.bucket, self.sent, self.readable = CONFIG, "caseline-private", [], True
        self.intake = Intake(lambda body, group, attributes: self.sent.append((group, json.loads(body), attributes)), lambda key, body: None)
        self.logged: list[Any] = []

    def clock(self) -> datetime:
        return NOW

    def new_id(self) -> str:
        return f"e{len(self.sent)}"

    def read_from(self, bucket: str, key: str) -> bytes:
        if not self.readable:
            raise UnavailableError("s3")
        return b"{}"

    def error(self, message: object, *, extra: Any) -> None:
        self.logged.append(extra)


def test_an_event_is_queued_as_a_request_would_be(channel: Any, capsys: Any) -> None:
    world = World()
    assert Arrivals(world, world).receive(stored("caseline-private", "inbox/calls/bolt/a.json")) == 1
    ((group, envelope, attributes),) = world.sent
    assert group == "calls/bolt" and envelope["brand"] == "bolt" and envelope["signals"][0]["native_id"] == "c-1"
    assert attributes["origin"]["StringValue"] == "door" and attributes["signals"]["StringValue"] == "1"
    assert '"Accepted":1' in capsys.readouterr().out


def test_what_nobody_wants_fails_and_its_neighbours_do_not_wait(channel: Any) -> None:
    world = World()
    with pytest.raises(UnclaimedError):
        Arrivals(world, world).receive({"Records": [notified("others"), notified("mails"), None]})
    assert [group for group, _, _ in world.sent] == ["mails/default"]
    assert [extra["kind"] for extra in world.logged] == ["sns", ""]


def test_an_object_that_cannot_be_read_comes_again(channel: Any) -> None:
    world = World()
    world.readable = False
    with pytest.raises(UnavailableError):
        Arrivals(world, world).receive(stored("caseline-private", "inbox/calls/bolt/a.json"))
    assert not world.sent


def test_an_odd_event_is_kept_whole_and_replayed_as_an_event(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    event = stored("caseline-private", "inbox/calls/bolt/odd.json")
    assert Arrivals(world, world).receive(event) == 1
    ((_, envelope, _),) = world.sent
    (kept,) = envelope["unreadable"]
    assert kept["whole"] and kept["url"] == EVENT_URL and json.loads(base64.b64decode(kept["raw"])) == event
    seen: list[Any] = []
    channel.parse_event = lambda event, source, *, received_at, read: seen.append((event, read("a", "b"))) or []
    monkeypatch.setattr("caseline.replaying.open_channel", lambda name: channel)
    monkeypatch.setattr("caseline.replaying.mark_replayed", lambda table, quarantine_id, brought: True)
    row = {"channel": "calls", "source": "bolt", "id": "qua_1", "received_at": "2026-03-14T09:30:00Z", **kept, "headers": "{}"}
    assert replay(row, None, CONFIG, world.intake, world.read_from) == 0
    assert seen == [(event, b"{}")]


def test_the_handler_passes_the_event_on(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(app, "wiring", lambda: world)
    app.arrivals.cache_clear()
    assert app.handler(stored("caseline-private", "inbox/calls/bolt/a.json"), None) == {"accepted": 1}
    app.arrivals.cache_clear()


def test_an_event_of_the_crm_goes_to_those_who_listen_to_it(channel: Any) -> None:
    sample = json.loads((Path(__file__).parents[2] / "events/crm/salesforce/event_case_closed.json").read_text())
    world, told = World(), list[dict[str, Any]]()
    world.config = replace(CONFIG, crm=Adapter("salesforce"))
    world.send_changes = lambda body: told.append(json.loads(body))
    assert Arrivals(world, world).receive(sample["event"]) == 1
    odd = {**sample["event"], "detail": {"payload": 5}}
    assert Arrivals(world, world).receive(odd) == 0
    assert [(len(message["changes"]), message["poll"]) for message in told] == [(1, False), (0, True)] and not world.sent
    world.config = CONFIG
    with pytest.raises(UnclaimedError):
        Arrivals(world, world).receive(sample["event"])
