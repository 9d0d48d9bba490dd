"""What a signal costs does not grow with its customer's history: calls, units and CPU for a customer with 10 events and with 100,000.

CPU is that of our own code: what botocore and the emulated AWS spend is left out, as is what the emulation needs for a larger table.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

from botocore.client import BaseClient
from caseline.assessment import Assessment
from caseline.images import serialise
from caseline.need import Need
from caseline.timeline import signal_row

from tests.bench.figures import Figure
from tests.bench.meter import size_item
from tests.bench.units import MeteredCloud
from tests.kit.aws import FakeCloud, aws
from tests.kit.pipeline import START, Pipeline, a_signal

FEW, MANY, ROUNDS = 10, 100_000, 12
OLD = timedelta(days=4)  # before any window in which a signal would join
STEPS = {"open or join a case": "The service is down again. I am angry.", "need no case": "A lovely ride today, thank you."}


def measure() -> Iterator[Figure]:
    few, many = _spend(FEW), _spend(MANY)
    for step in STEPS:
        for name in ("calls", "write units", "read units"):
            label = f"{name} of {ROUNDS} signals that {step}"
            yield Figure(label, many[step][name], 1.0, floor=few[step][name], note=f"{MANY} events over {FEW}; the ratio is at most 1")
        yield Figure(f"own CPU of signals that {step}, median", many[step]["cpu"], 1.1, "ms", floor=few[step]["cpu"], note=f"{MANY} events over {FEW}")


def _spend(events: int) -> Mapping[str, Mapping[str, float]]:
    """By step, what its signals cost for a customer of so many events."""
    with aws() as cloud:
        _plant(cloud, events)
        pipeline, meter = Pipeline(cloud), Meter(cloud)
        spent: dict[str, dict[str, float]] = {}
        for step, text in STEPS.items():
            times = []
            with meter.metered() as found:
                for number in range(ROUNDS):
                    pipeline.now += timedelta(seconds=5)
                    before = meter.own
                    pipeline.send(a_signal(f"{step}-{number}", text, occurred_at=pipeline.now, received_at=pipeline.now))
                    pipeline.settle()
                    times.append(meter.own - before)
            spent[step] = {**found, "cpu": statistics.median(times) * 1000}
        assert len(pipeline.cases("open")) == 1
    return spent


def _plant(cloud: FakeCloud, events: int) -> None:
    """Old praise, written as it would stand there; the stream tells of none of it."""
    client, keep = cloud.client("dynamodb"), cloud.commit_changes
    cloud.commit_changes = lambda changes: None
    calm = Assessment("positive", 0.9, 0.03, 0.07, 0.0, 0.9, category="praise", language="en", model="words")
    for start in range(0, events, 25):
        rows = [_row(number, calm) for number in range(start, min(start + 25, events))]
        client.batch_write_item(RequestItems={cloud.table: [{"PutRequest": {"Item": {name: serialise(value) for name, value in row.items()}}} for row in rows]})
    cloud.commit_changes = keep


def _row(number: int, calm: Assessment) -> Any:
    at = START - OLD - timedelta(minutes=number)
    signal = a_signal(f"old-{number:06d}", "A quiet crossing and a kind crew.", occurred_at=at, received_at=at)
    return signal_row(signal, "acme", "", calm, Need("none", "praise", "praise"), f"e{number}.0", timedelta(days=730))


class Meter:
    """Calls, the units that DynamoDB would bill, and CPU outside of calls."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._writes, self._inside = MeteredCloud(cloud), 0.0

    @property
    def own(self) -> float:
        return time.process_time() - self._inside

    @contextmanager
    def metered(self) -> Iterator[dict[str, float]]:
        found: dict[str, float] = defaultdict(float)
        call, written = BaseClient._make_api_call, sum(self._writes.units.values())

        def counted(client: Any, operation: str, arguments: Any) -> Any:
            began = time.process_time()
            answer = call(client, operation, arguments)
            found["calls"] += 1
            found["read units"] += _read_units(operation, arguments, answer)
            self._inside += time.process_time() - began
            return answer

        with mock.patch.object(BaseClient, "_make_api_call", counted):
            yield found
        found["write units"] = sum(self._writes.units.values()) - written


def _read_units(operation: str, arguments: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """Half a unit for 4 KB where a stale answer would do; a query is billed for the sum, a get for each item."""
    if operation == "Query":
        return _units(sum(map(size_item, answer["Items"])), arguments.get("ConsistentRead", False))
    if operation == "GetItem":
        return _units(size_item(answer.get("Item", {})), arguments.get("ConsistentRead", False))
    if operation == "BatchGetItem":
        tables = arguments["RequestItems"]
        return sum(_units(size_item(item), tables[name].get("ConsistentRead", False)) for name, items in answer["Responses"].items() for item in items)
    return 0.0


def _units(size: int, consistent: bool) -> float:
    return max(1, -(-size // 4096)) * (1.0 if consistent else 0.5)
