"""A queue that invokes a function in batches: what succeeded is deleted, what failed comes back after a short delay."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from caseline_local.engine.environment import Outcome

Record = Mapping[str, Any]
_POLL, _QUIET, _LONGEST_DELAY = 1.0, 0.1, 60.0


class Queues(Protocol):
    """The queue service, in the words a poller needs; times in seconds."""

    def receive(self, queue: str, maximum: int, wait_seconds: float, visibility: float) -> list[Any]: ...
    def delete(self, queue: str, receipts: list[str]) -> None: ...
    def release(self, queue: str, receipts: list[str], delay: float) -> None: ...


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping of a queue; `window` is in seconds, `partial` tells whether the function reports item failures."""

    queue: str
    function: str
    batch_size: int
    window: float
    partial: bool
    concurrency: int
    visibility: float


class QueueSource:
    """Polls with as many threads as the mapping allows to run at once."""

    def __init__(self, mapping: QueueMapping, queues: Queues, invoke: Callable[[str, bytes], Outcome], stopping: threading.Event) -> None:
        self._mapping, self._queues, self._invoke, self._stopping = mapping, queues, invoke, stopping
        self._gathering = threading.Lock()
        self.steps = [(f"queue-{mapping.function}-{n}", self.poll) for n in range(mapping.concurrency)]

    def poll(self) -> None:
        """One batch, or a wait without any; one thread gathers at a time, so that batches fill."""
        with self._gathering:
            records = [] if self._stopping.is_set() else self._gather()
        if records:
            self._deliver(records)

    def _gather(self) -> list[Record]:
        """One batch: full, or the window over, or nothing more coming (AWS waits the window out; people who watch should not)."""
        mapping = self._mapping
        records = self._receive(mapping.batch_size, _POLL)
        end = time.monotonic() + mapping.window
        while records and len(records) < mapping.batch_size and time.monotonic() < end:
            more = self._receive(mapping.batch_size - len(records), min(_QUIET, mapping.window))
            if not more:
                break
            records += more
        return records

    def _receive(self, maximum: int, wait: float) -> list[Record]:
        return self._queues.receive(self._mapping.queue, maximum, wait, self._mapping.visibility)

    def _deliver(self, records: list[Record]) -> None:
        outcome = self._invoke(self._mapping.function, json.dumps({"Records": records}).encode())
        failed = failed_items(outcome, [record["messageId"] for record in records], self._mapping.partial)
        done = [record["receiptHandle"] for record in records if record["messageId"] not in failed]
        if done:
            self._queues.delete(self._mapping.queue, done)
        for record in records:
            if record["messageId"] in failed:
                self._queues.release(self._mapping.queue, [record["receiptHandle"]], _retry_delay(record))


def failed_items(outcome: Outcome, ids: list[str], partial: bool) -> set[str]:
    """Which of a batch's items failed, by AWS's rules: an error, or a report that cannot be read, fails them all."""
    if outcome.error:
        return set(ids)
    if not partial:
        return set()
    try:
        report = json.loads(outcome.payload or b"null") or {}
        failed = {failure["itemIdentifier"] for failure in report.get("batchItemFailures") or ()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set(ids)
    return failed if failed <= set(ids) else set(ids)


def _retry_delay(record: Record) -> float:
    """Soon at first; five receives last a minute and a half, so that a short outage sends nothing to the dead letters."""
    attempt = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    return float(min(0.5 * 6 ** (attempt - 1), _LONGEST_DELAY))
