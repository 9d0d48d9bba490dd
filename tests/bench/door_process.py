"""One fresh process that measures its own CPU and prints it as JSON: `python -m tests.bench.door_process import-floor|import-door|warm|cold`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench.stub import ENVIRON, QUEUE_URL, Stub

BLOCK, BLOCKS = 20, 50  # short enough for some to run undisturbed


def cpu_ms() -> float:
    return time.process_time() * 1000


def import_floor() -> dict[str, float]:
    """boto3 with an SQS client, then a bare first send."""
    stub = Stub({"SendMessage": {"MessageId": "1"}})
    start = cpu_ms()
    import boto3

    client = boto3.client("sqs")
    imported = cpu_ms()
    client.meta.events.register("before-send", stub.answer)
    client.send_message(QueueUrl=QUEUE_URL, MessageBody="x" * 600)
    return {"import": imported - start, "first": cpu_ms() - start}


def import_door() -> dict[str, float]:
    """The receive handler, then its first accepted request; making the request itself is not counted."""
    start = cpu_ms()
    from functions.receive_webhook import app

    imported = cpu_ms() - start
    event, stub = _door_parts()
    start = cpu_ms()
    app.wiring()._session.register("before-send", stub.answer)
    answer = app.handler(event, None)
    first = cpu_ms() - start
    assert answer["statusCode"] == 202, answer
    return {"import": imported, "first": imported + first}


def cold() -> dict[str, float]:
    """Milliseconds on the wall from nothing to the answer to the first request, which is read from standard input with its configuration and secrets."""
    told = json.load(sys.stdin)
    secret, config = ({"Name": name, text: json.dumps(told[name])} for name, text in (("secrets", "SecretString"), ("config", "Value")))
    stub = Stub({"GetParameter": {"Parameter": config}, "SendMessage": {"MessageId": "1"}, "GetSecretValue": secret})
    start = time.perf_counter()
    from functions.receive_webhook import app

    app.wiring()._session.register("before-send", stub.answer)
    answer = app.handler(told["event"], None)
    took = (time.perf_counter() - start) * 1000
    assert 200 <= answer["statusCode"] < 300, answer
    return {"wall": took, "queued": stub.calls["SendMessage"]}


def warm() -> dict[str, float]:
    """Milliseconds of one bare send, one accepted request, one forged request; blocks of each take turns, the least counts."""
    import boto3

    from functions.receive_webhook import app
    from tests.bench.door_events import forged_event

    event, stub = _door_parts()
    app.wiring()._session.register("before-send", stub.answer)
    client = boto3.client("sqs")
    client.meta.events.register("before-send", stub.answer)
    body = _queued_body(app, event)
    forged = forged_event()
    kinds: dict[str, Callable[[], Any]] = {
        "send": lambda: client.send_message(QueueUrl=QUEUE_URL, MessageBody=body),
        "accepted": lambda: app.handler(event, None),
        "forged": lambda: app.handler(forged, None),
    }
    assert kinds["accepted"]()["statusCode"] == 202
    assert kinds["forged"]()["statusCode"] == 401
    kinds["send"]()
    found: dict[str, float] = dict.fromkeys(kinds, float("inf"))
    for _ in range(BLOCKS):
        for name, call in kinds.items():
            found[name] = min(found[name], _measure(call))
    before = stub.calls.total()
    kinds["forged"]()
    return found | {"forged_calls": stub.calls.total() - before}


def _measure(call: Callable[[], Any]) -> float:
    start = cpu_ms()
    for _ in range(BLOCK):
        call()
    return (cpu_ms() - start) / BLOCK


def _door_parts() -> tuple[dict[str, Any], Stub]:
    from tests.bench.door_events import ANSWERS, SECRETS, generic_event

    secret = {"Name": "secret", "SecretString": json.dumps(SECRETS["standard_webhooks/default"])}
    return generic_event(), Stub({**ANSWERS, "GetSecretValue": secret})


def _queued_body(app: Any, event: dict[str, Any]) -> str:
    """What the door queues for the event, for a bare send of the same size."""
    taken: list[str] = []
    send, app.wiring().intake._send = app.wiring().intake._send, lambda body, *_: taken.append(body)
    app.handler(event, None)
    app.wiring().intake._send = send
    return taken[0]


if __name__ == "__main__":
    os.environ |= ENVIRON
    answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
    answers.write(json.dumps({"import-floor": import_floor, "import-door": import_door, "warm": warm, "cold": cold}[sys.argv[1]]()))
