"""Durable SQS queues: messages in SQLite, an index of them in memory. Standard queues, fair between message groups."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from caseline_local.cloud.database import Database
from caseline_local.cloud.queue import Message, Queue

_LOAD = "SELECT id, body, attributes, message_group, sent, due, number, receives, first_received, origin_queue FROM messages WHERE queue = ? ORDER BY number"
_RECEIVE = "UPDATE messages SET receives = ?, first_received = ? WHERE number = ?"
_COUNT = "INSERT INTO accepted VALUES (?, ?) ON CONFLICT DO UPDATE SET signals = signals + excluded.signals"
COUNTED_ORIGINS = {"door", "poll"}


class Queues:
    """All queues. Every change is committed before the call returns; a message in flight at a crash is visible again at once."""

    def __init__(self, database: Database, region: str, account: str) -> None:
        self._database, self._region, self._account = database, region, account
        self._lock = threading.RLock()
        self._queues: dict[str, Queue] = {}
        self._accepted: dict[str, int] = dict(database.read("SELECT source, signals FROM accepted"))

    def create(self, name: str, attributes: dict[str, str] | None = None) -> Queue:
        """Creates the queue, or changes its attributes; messages kept from before are there again."""
        with self._lock:
            if name not in self._queues:
                self._queues[name] = queue = Queue(name, f"arn:aws:sqs:{self._region}:{self._account}:{name}", self._lock)
                self._load(queue)
            self._queues[name].attributes.update(attributes or {})
            return self._queues[name]

    def find(self, name: str) -> Queue | None:
        """By name, URL or ARN."""
        return self._queues.get(name.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1])

    def names(self) -> list[str]:
        return sorted(self._queues)

    def accepted(self) -> dict[str, int]:
        """Signals accepted so far, by source."""
        with self._lock:
            return dict(self._accepted)

    def depth(self, queue: str) -> int:
        """Messages in the queue: visible, in flight and delayed."""
        return len(self._get(queue).messages)

    def send(self, queue: str, body: str, attributes: dict[str, Any] | None = None, group: str | None = None, delay: float | None = None) -> Message:
        return self.send_many(queue, [(body, attributes or {}, group, delay)])[0]

    def send_many(self, queue: str, entries: Sequence[tuple[str, dict[str, Any], str | None, float | None]]) -> list[Message]:
        """(body, attributes, group, delay seconds) each: all in one transaction, with the count of what was accepted."""
        target, now = self._get(queue), time.time()
        messages = [self._message(target, now, *entry) for entry in entries]
        with self._lock:
            counts = _count_accepted(messages)
            with self._database.write() as write:
                for message in messages:
                    message.number = self._insert(write, target.name, message)
                write.executemany(_COUNT, counts.items())
            for source, signals in counts.items():
                self._accepted[source] = self._accepted.get(source, 0) + signals
            for message in messages:
                target.add(message, now)
        return messages

    def receive(self, queue: str, maximum: int = 10, wait_seconds: float = 0, visibility: float | None = None) -> list[dict[str, Any]]:
        """Up to `maximum` messages, in the form of a Lambda event's Records."""
        return [self.as_record(self._get(queue), message) for message in self.take(queue, maximum, wait_seconds, visibility)]

    def take(self, queue: str, maximum: int, wait_seconds: float, visibility: float | None) -> list[Message]:
        source = self._get(queue)
        deadline = time.monotonic() + wait_seconds
        hidden = source.number("VisibilityTimeout", 30) if visibility is None else visibility
        with self._lock:
            while True:
                taken = self._pick(source, maximum, hidden)
                left = deadline - time.monotonic()
                if taken or left <= 0:
                    return taken
                source.changed.wait(min(left, source.seconds_to_next(time.time())))

    def delete(self, queue: str, receipts: Sequence[str]) -> None:
        source = self._get(queue)
        with self._lock:
            gone = [message for receipt in receipts if (message := source.by_receipt(receipt))]
            with self._database.write() as write:
                write.executemany("DELETE FROM messages WHERE number = ?", [(message.number,) for message in gone])
            for message in gone:
                source.remove(message)

    def release(self, queue: str, receipts: Sequence[str], delay: float = 0) -> None:
        """Visible again after `delay` seconds; 0 is at once."""
        source = self._get(queue)
        with self._lock:
            for receipt in receipts:
                if message := source.by_receipt(receipt):
                    source.hide(message, time.time() + delay)

    def purge(self, queue: str) -> None:
        source = self._get(queue)
        with self._lock:
            with self._database.write() as write:
                write.execute("DELETE FROM messages WHERE queue = ?", (source.name,))
            for message in list(source.messages.values()):
                source.remove(message)

    def as_record(self, queue: Queue, message: Message) -> dict[str, Any]:
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": message.system_attributes(),
            "messageAttributes": {name: _as_event_attribute(value) for name, value in message.attributes.items()},
            "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue.arn,
            "awsRegion": self._region,
        }

    def _get(self, name: str) -> Queue:
        queue = self.find(name)
        if queue is None:
            raise KeyError(name)
        return queue

    def _message(self, queue: Queue, now: float, body: str, attributes: dict[str, Any], group: str | None, delay: float | None) -> Message:
        seconds = queue.number("DelaySeconds", 0) if delay is None else delay
        return Message(str(uuid.uuid4()), body, attributes, group, int(now * 1000), now + seconds if seconds else 0.0)

    def _insert(self, write: Any, queue: str, message: Message) -> int:
        row = (queue, message.id, message.body, json.dumps(message.attributes), message.group, message.sent, message.due)
        return int(write.execute("INSERT INTO messages (queue, id, body, attributes, message_group, sent, due) VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid)

    def _load(self, queue: Queue) -> None:
        for id_, body, attributes, *rest in self._database.read(_LOAD, queue.name):
            queue.add(Message(id_, body, json.loads(attributes), *rest), time.time())

    def _pick(self, queue: Queue, maximum: int, hidden: float) -> list[Message]:
        now = time.time()
        queue.wake(now)
        limit, dead_queue = queue.redrive()
        taken: list[Message] = []
        with self._lock:
            while len(taken) < maximum and (message := queue.next_message()):
                if limit and message.receives >= limit and (target := self.find(dead_queue)):
                    self._bury(queue, target, message, now)
                else:
                    message.receive(now)
                    queue.hide(message, now + hidden)
                    taken.append(message)
            if taken:
                with self._database.write() as write:
                    write.executemany(_RECEIVE, [(message.receives, message.first_received, message.number) for message in taken])
        return taken

    def _bury(self, queue: Queue, target: Queue, message: Message, now: float) -> None:
        """Received too often: to the dead-letter queue, with a fresh count."""
        with self._database.write() as write:
            write.execute("UPDATE messages SET queue = ?, receives = 0, due = 0, origin_queue = ? WHERE number = ?", (target.name, queue.arn, message.number))
        queue.remove(message)
        message.receives, message.due, message.origin = 0, 0.0, queue.arn
        target.add(message, now)


def _count_accepted(messages: Sequence[Message]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for message in messages:
        if message.text("origin") in COUNTED_ORIGINS and (source := message.text("source")):
            counts[source] = counts.get(source, 0) + int(message.text("signals") or 0)
    return counts


def _as_event_attribute(value: dict[str, Any]) -> dict[str, Any]:
    found = {"stringValue": value.get("StringValue"), "binaryValue": value.get("BinaryValue"), "dataType": value["DataType"]}
    return {name: each for name, each in found.items() if each is not None} | {"stringListValues": [], "binaryListValues": []}
