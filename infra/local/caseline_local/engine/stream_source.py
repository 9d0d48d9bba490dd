"""A table's stream that invokes a function: in order, one batch at a time, filtered, with AWS's retry, bisect and on-failure rules."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from caseline_local.engine.environment import Outcome
from caseline_local.engine.patterns import matches_any
from caseline_local.engine.queue_source import failed_items

Record = Mapping[str, Any]
_POLL, _QUIET, _LONGEST_PAUSE = 1.0, 0.1, 10.0
_ENDLESS = -1


class Streams(Protocol):
    """The stream service: a consumer reads what it has not acknowledged; acknowledging covers all up to that record."""

    def read(self, consumer: str, maximum: int, wait_seconds: float) -> list[Any]: ...
    def acknowledge(self, consumer: str, sequence_number: str) -> None: ...


@dataclass(frozen=True)
class StreamMapping:
    """An event source mapping of a stream; `retries` of -1 is for ever, `on_failure` the ARN of a queue or empty."""

    stream: str
    function: str
    function_arn: str
    batch_size: int
    window: float
    patterns: Sequence[Mapping[str, Any]]
    bisect: bool
    retries: int
    partial: bool
    on_failure: str


class StreamSource:
    """`give_up(queue arn, message)` sends what AWS would send to the on-failure destination."""

    def __init__(
        self, mapping: StreamMapping, streams: Streams, invoke: Callable[[str, bytes], Outcome], give_up: Callable[[str, str], None], stopping: threading.Event
    ) -> None:
        self._mapping, self._streams, self._invoke, self._give_up, self._stopping = mapping, streams, invoke, give_up, stopping
        self.steps = [(f"stream-{mapping.function}", self.poll)]

    def poll(self) -> None:
        """One batch, or a wait without any; what the filter drops is done."""
        records = self._gather()
        wanted = [record for record in records if matches_any(self._mapping.patterns, record)]
        if self._deliver(wanted, self._mapping.retries) and records:
            self._acknowledge(records[-1])

    def _gather(self) -> list[Record]:
        """Reading does not move the stream on, so a batch that may still grow is read again after a pause."""
        mapping = self._mapping
        records = self._streams.read(mapping.function, mapping.batch_size, _POLL)
        end = time.monotonic() + mapping.window
        while records and len(records) < mapping.batch_size and time.monotonic() < end:
            self._stopping.wait(min(_QUIET, mapping.window))
            grown = self._streams.read(mapping.function, mapping.batch_size, 0)
            if len(grown) == len(records):
                break
            records = grown
        return records

    def _deliver(self, records: Sequence[Record], retries: int) -> bool:
        """Whether every record was handled or given up, rather than left for the next start."""
        attempt, left = 0, retries
        while records:
            outcome = self._invoke(self._mapping.function, json.dumps({"Records": records}).encode())
            handled = self._count_handled(outcome, records)
            if handled:
                self._acknowledge(records[handled - 1])
                records, attempt, left = records[handled:], 0, retries
            if not records or self._stopping.is_set():
                break
            if left == 0:
                self._discard(records, outcome, attempt + 1)
                return True
            left = left - 1 if left > 0 else _ENDLESS
            if not handled and self._mapping.bisect and len(records) > 1:
                middle = len(records) // 2
                return self._deliver(records[:middle], left) and self._deliver(records[middle:], left)
            attempt += 1
            self._stopping.wait(min(0.2 * 2**attempt, _LONGEST_PAUSE))
        return not records

    def _count_handled(self, outcome: Outcome, records: Sequence[Record]) -> int:
        """How many records, from the first, are done: those before the lowest that failed."""
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        failed = failed_items(outcome, numbers, self._mapping.partial)
        return next((place for place, number in enumerate(numbers) if number in failed), len(numbers))

    def _acknowledge(self, record: Record) -> None:
        self._streams.acknowledge(self._mapping.function, record["dynamodb"]["SequenceNumber"])

    def _discard(self, records: Sequence[Record], outcome: Outcome, attempts: int) -> None:
        if self._mapping.on_failure:
            self._give_up(self._mapping.on_failure, json.dumps(_failure_report(self._mapping, records, outcome, attempts)))
        self._acknowledge(records[-1])


def _failure_report(mapping: StreamMapping, records: Sequence[Record], outcome: Outcome, attempts: int) -> dict[str, Any]:
    """What Lambda sends to an on-failure queue: where the records are, not the records."""
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    return {
        "requestContext": {
            "requestId": str(uuid.uuid4()), "functionArn": mapping.function_arn, "condition": "RetryAttemptsExhausted", "approximateInvokeCount": attempts,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": outcome.error},
        "version": "1.0",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "DDBStreamBatchInfo": {
            "shardId": "shardId-local", "startSequenceNumber": first["SequenceNumber"], "endSequenceNumber": last["SequenceNumber"],
            "batchSize": len(records), "streamArn": mapping.stream,
        },
    }  # fmt: skip
