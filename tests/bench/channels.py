"""Channels at the door: what each adds to a cold start, and what verifying and reading an ordinary webhook of each costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from caseline.channels import channel_names, open_channel, proof_of

from tests.bench.figures import Figure
from tests.kit.samples import Sample, samples

ROOT = Path(__file__).parents[2]
TIMES, BLOCK, BLOCKS = 3, 20, 15
IMPORT_LIMIT, READ_LIMIT, BATCH_LIMIT = 0.50, 150.0, 1000.0
IMPATIENT = 3  # seconds; a platform that waits no longer must be answered by a function that has just started
FULL_CORE, MEMORY = 1769, 512  # MB: of a whole core, and of the receive function in template.yaml
BY_PUBLIC_KEY = {"discord": "Ed25519", "google_business": "RSA by JWT", "ses": "RSA by certificate"}  # excepted from the limit
_IMPORT = """
import sys, time
start = time.process_time()
from functions.receive_webhook import app
from caseline.channels import open_channel
open_channel(sys.argv[1])
print((time.process_time() - start) * 1000)
"""


def measure() -> Iterator[Figure]:
    floor = min(float(_run("-m", "tests.bench.door_process", "import-floor", read=lambda text: json.loads(text)["import"])) for _ in range(2 * TIMES))
    for name in pushed():
        spent = min(float(_run("-c", _IMPORT, name)) for _ in range(TIMES))
        yield Figure(f"import of the receive path with {name}", spent, IMPORT_LIMIT, "ms CPU", floor, note="floor: import boto3, SQS client")
    for name in pushed():
        for sample in ordinary(name):
            note = BY_PUBLIC_KEY.get(name, "")
            yield Figure(f"verify and parse, {name}", microseconds(sample), None if note else READ_LIMIT, "us CPU", note=note)
    for name in pushed():
        if (seconds := getattr(open_channel(name), "ANSWER_SECONDS", None) or IMPATIENT + 1) <= IMPATIENT:
            spent = min(answer_cold(name) for _ in range(TIMES)) * FULL_CORE / MEMORY
            yield Figure(f"cold start to answer, {name}", spent, seconds * 1000.0, "ms", note=f"wall clock, as if on {MEMORY} MB")
    yield Figure("a Meta batch of 1,000 changes", answer_batch(), BATCH_LIMIT, "ms CPU", note="verified, parsed, queued")


def pushed() -> list[str]:
    return [name for name in channel_names() if proof_of(open_channel(name)) != "none"]


def ordinary(name: str) -> list[Sample]:
    """One sample of the channel: a request that brings one signal, with the most words."""
    found = [sample for sample in samples(name) if "request" in sample.data and sample.source.secrets and len(sample.signals) == 1]
    return sorted(found, key=lambda sample: len(sample.signals[0].get("text") or ""))[-1:]


def microseconds(sample: Sample) -> float:
    """The least of several blocks; the request is another one each time, so that nothing is remembered."""
    module, source, request = sample.module, sample.source, sample.request

    def block() -> float:
        requests = [replace(request) for _ in range(BLOCK)]
        start = time.process_time_ns()
        for each in requests:
            module.verify(each, source)
            module.parse(each, source)
        return (time.process_time_ns() - start) / 1000 / BLOCK

    block()
    return min(block() for _ in range(BLOCKS))


def answer_cold(name: str) -> float:
    """Milliseconds on the wall of a fresh process: import of the handler, and its answer to a first signed request, with a stub in place of AWS."""
    from tests.bench.door_events import proxy_event

    [sample] = ordinary(name)
    now = replace(sample.request, received_at=datetime.now(UTC))
    request = now if sample.data.get("signed") else sample.module.sign(now, sample.source)
    described = {"channel": name, "name": "default", "brand": "acme", "settings": dict(sample.source.settings)}
    told = {
        "config": {"public_url": "https://hooks.example.com", "brands": {"acme": {}}, "sources": [described]}, "secrets": list(sample.source.secrets),
        "event": proxy_event(f"/webhooks/{name}", request.body, dict(request.headers)),
    }
    answer = _run("-m", "tests.bench.door_process", "cold", read=json.loads, told=json.dumps(told))
    assert answer["queued"] == 1, f"{name} was not queued"
    return float(answer["wall"])


def answer_batch() -> float:
    """Milliseconds of the deployed handler for a signed batch, with a stub in place of AWS."""
    from tests.bench.calls import CountedDoor
    from tests.bench.door_events import meta_event
    from tests.bench.stub import ENVIRON

    with mock.patch.dict(os.environ, ENVIRON), redirect_stdout(StringIO()):
        door = CountedDoor()
        door.calls(meta_event(1), 200, 202)
        return min(_spent(lambda: door.calls(meta_event(1000), 200, 202)) for _ in range(TIMES))


def _spent(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return (time.process_time() - start) * 1000


def _run(*arguments: str, read: Callable[[str], Any] = str, told: str = "") -> Any:
    from tests.bench.stub import ENVIRON

    path = os.pathsep.join(str(ROOT / part) for part in ("layers/core", "."))
    environment = {**os.environ, **ENVIRON, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""}
    return read(subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True, text=True, input=told).stdout)
