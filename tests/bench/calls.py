"""AWS calls, counted where botocore makes them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

from caseline.assessment.comprehend import create as open_comprehend
from caseline.signals import Signal
from caseline.tombstones import bury, last_erasure

from tests.bench.door_events import ANSWERS, SECRETS, forged_event, generic_body, generic_event, meta_event, proxy_event, sign_generic
from tests.bench.figures import Figure
from tests.bench.stub import ENVIRON, Stub
from tests.kit.aws import aws
from tests.kit.comprehend import FakeComprehend
from tests.kit.pipeline import START, Pipeline, a_signal

BATCH = 25


def measure() -> Iterator[Figure]:
    with mock.patch.dict(os.environ, ENVIRON), open(os.devnull, "w") as nowhere, mock.patch("builtins.print", lambda *_, **__: nowhere):
        yield from _at_the_door()
    yield from _while_recording()
    yield from _for_a_case()


# ---- the door


class CountedDoor:
    """The deployed handler with its real clients, answered by a stub."""

    def __init__(self) -> None:
        from caseline import metrics
        from caseline import wiring as wiring_module

        from functions.receive_webhook import app

        self._app = app
        wiring_module.wiring.cache_clear()
        app.door.cache_clear()
        wired = app.wiring()
        secrets = json.dumps([secret for listed in SECRETS.values() for secret in listed])
        self.stub = Stub({**ANSWERS, "GetSecretValue": {"Name": "secret", "SecretString": secrets}})
        wired._session.register("before-send", self.stub.answer)
        self._quiet = mock.patch.object(metrics.emit, "__defaults__", (lambda _: None,))

    def calls(self, event: dict[str, Any], *expected: int) -> int:
        before = self.stub.calls.total()
        with self._quiet:
            answer = self._app.handler(event, None)
        assert answer["statusCode"] in expected, answer
        return self.stub.calls.total() - before


def _at_the_door() -> Iterator[Figure]:
    door = CountedDoor()
    door.calls(generic_event(), 202)
    yield Figure("AWS calls, accepted webhook of one signal", door.calls(generic_event(2), 202), 1)
    for way, event, statuses in _refusals():
        yield Figure(f"AWS calls, refused: {way}", door.calls(event, *statuses), 0)
    door.calls(meta_event(1), 200, 202)
    yield Figure("AWS calls, Meta batch of 1,000 changes", door.calls(meta_event(1000), 200, 202), 6)


def _refusals() -> Iterator[tuple[str, dict[str, Any], Sequence[int]]]:
    body = json.dumps(generic_body()).encode()
    signed = sign_generic(body)
    yield "wrong signature", forged_event(), [401]
    yield "no signature", proxy_event("/webhooks/standard_webhooks", body, {}), [401]
    yield "malformed signature", proxy_event("/webhooks/standard_webhooks", body, {**signed, "webhook-signature": "nonsense"}), [401]
    yield "stale", proxy_event("/webhooks/standard_webhooks", body, sign_generic(body, now=1)), [401]
    yield "unknown source", proxy_event("/webhooks/standard_webhooks/elsewhere", body, signed), [404]
    yield "unknown channel", proxy_event("/webhooks/nowhere", body, signed), [404]
    yield "too large", proxy_event("/webhooks/standard_webhooks", b"x" * 300_000, signed), [413]
    yield "not understood", _signed({"type": "signal.created"}), [422]
    yield "method", proxy_event("/webhooks/standard_webhooks", b"", {}, method="GET"), [405]


def _signed(body: Any) -> dict[str, Any]:
    data = json.dumps(body).encode()
    return proxy_event("/webhooks/standard_webhooks", data, sign_generic(data))


# ---- recording


def a_batch(start: int = 0, identities: int = 1, **more: Any) -> list[Signal]:
    """25 signals of 25 customers in one language."""
    return [
        a_signal(f"p-{i}", f"The kiosk at gate {i} is closed again, and it rains.", identities=(f"x:{i}", f"email:u{i}@example.com")[:identities], **more)
        for i in range(start, start + BATCH)
    ]


def _while_recording() -> Iterator[Figure]:
    scenes = (
        ("new customers, one identity", a_batch(), (), 0.16),
        ("new customers, two identities", a_batch(100, 2), (), 0.16),
        ("known customers", [replace(signal, native_id=f"{signal.native_id}-b", text=f"{signal.text} Still.") for signal in a_batch()], a_batch(), 0.16),
        ("the same messages again", a_batch(), a_batch(), 0.16),
        ("all duplicates, delivered anew", a_batch(), a_batch(), None),
        ("new customers, two identities, after an erasure", a_batch(200, 2), a_batch(300), 0.16),
        ("new customers, private threads", [signal.with_(thread_id=f"t{i}") for i, signal in enumerate(a_batch(kind="message", public=False))], (), None),
    )
    for name, signals, before, limit in scenes:
        calls = count_recording(signals, before, again=name == "the same messages again", erasure=name.endswith("after an erasure"))
        note = ", ".join(f"{count} {operation}" for operation, count in calls.most_common())
        yield Figure(f"record_signals, calls a signal: {name}", calls.total() / len(signals), limit, note=note)


def count_recording(signals: Sequence[Signal], before: Sequence[Signal], again: bool = False, erasure: bool = False) -> Counter[str]:
    """The calls of one batch of 25 messages; `before` was recorded by the same process, in the same deliveries if `again`, after the `erasure` of others."""
    comprehend = FakeComprehend()
    with aws() as cloud:
        pipeline = Pipeline(cloud, analyser=open_comprehend(client=comprehend, settings={}))
        recorder = pipeline.recorder()
        if erasure:
            bury(pipeline.table, [f"IDENTITY#email:gone{i}@example.com" for i in range(100)], "2026-01-01T00:00:00.000000Z", 2_000_000_000)
        last = last_erasure(pipeline.table)
        recorder.erasure = lambda: last  # a process asks that once a second
        sent = [pipeline.send(signal, envelope_id=f"e{i}") for i, signal in enumerate(before)]
        recorder.record(sent)
        comprehend.calls.clear()
        messages = sent if again else [pipeline.send(signal) for signal in signals]
        calls = count_calls(cloud)
        assert recorder.record(messages) == []
        calls["Comprehend"] += len(comprehend.calls)
    return +calls


def count_calls(cloud: Any) -> Counter[str]:
    """Counts the calls of the cloud's DynamoDB client from now on."""
    calls: Counter[str] = Counter()
    cloud.client("dynamodb").meta.events.register("before-call", lambda model, **_: calls.update([model.name]))
    return calls


# ---- a case


def _for_a_case() -> Iterator[Figure]:
    with aws() as cloud:
        pipeline = Pipeline(cloud)
        for i in range(BATCH):
            pipeline.send(a_signal(f"praise-{i}", "thank you, all fine", identities=(f"x:{i}",)))
        pipeline.settle()
        yield Figure("executions for signals that need no case", len(pipeline.executions), 0, note=f"of {BATCH} signals")
        events, calls = len(pipeline.events), count_calls(cloud)
        pipeline.now += timedelta(seconds=5)
        pipeline.send(a_signal("complaint", received_at=pipeline.now, occurred_at=START))
        pipeline.settle()
        calls.update({"SendMessage": 1, "StartExecution": len(pipeline.executions), "PutEvents": 1 + (len(pipeline.events) - events) // 10})
        calls = Counter(calls)
        assert len(pipeline.cases("open")) == 1
    note = ", ".join(f"{count} {operation}" for operation, count in calls.most_common())
    yield Figure("AWS calls, one new case in all", calls.total(), None, note=note)
