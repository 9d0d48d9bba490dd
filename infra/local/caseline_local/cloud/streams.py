"""The table's stream: kept until every consumer has acknowledged it, read within milliseconds of the write."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from caseline_local.cloud.database import Database
from caseline_local.cloud.hooks import Change
from caseline_local.cloud.records import as_record, record_number

_PRUNE_EVERY = 100


class Streams:
    """One shard. A consumer reads what comes after the record it last acknowledged; reading again gives the same again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()
        rows = database.read("SELECT number, record FROM records ORDER BY number")
        self._numbers: list[int] = [number for number, _ in rows]
        self._records: list[str] = [record for _, record in rows]
        self._acknowledged: dict[str, int] = {}
        self._given = self._last()

    def register(self, consumer: str) -> None:
        """A consumer known from before continues where it was; a new one starts at the oldest record kept."""
        with self._changed, self._database.write() as write:
            oldest = self._numbers[0] - 1 if self._numbers else self._last()
            write.execute("INSERT OR IGNORE INTO consumers VALUES (?, ?)", (consumer, oldest))
            self._acknowledged[consumer] = write.execute("SELECT acknowledged FROM consumers WHERE name = ?", (consumer,)).fetchone()[0]

    def append(self, write: sqlite3.Connection, changes: Sequence[Change]) -> list[tuple[int, str]]:
        """Into the caller's transaction; `show` makes them readable once that is committed."""
        first = self._given + 1
        self._given += len(changes)
        records = [(number, json.dumps(as_record(change, number))) for number, change in enumerate(changes, first)]
        write.executemany("INSERT INTO records VALUES (?, ?, ?)", [(*record, time.time()) for record in records])
        return records

    def show(self, records: Sequence[tuple[int, str]]) -> None:
        with self._changed:
            self._numbers += [number for number, _ in records]
            self._records += [text for _, text in records]
            self._changed.notify_all()

    def read(self, consumer: str, maximum: int, wait_seconds: float) -> list[dict[str, Any]]:
        """Up to `maximum` records after the last acknowledged one; waits until there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._first_unread(consumer) < len(self._numbers), wait_seconds)
            start = self._first_unread(consumer)
            texts = self._records[start : start + maximum]
        return [json.loads(text) for text in texts]

    def acknowledge(self, consumer: str, sequence_number: str) -> None:
        """This record and all before it are done."""
        number = record_number(sequence_number)
        with self._changed:
            if number <= self._acknowledged[consumer]:
                return
            self._acknowledged[consumer] = number
            with self._database.write() as write:
                write.execute("UPDATE consumers SET acknowledged = ? WHERE name = ?", (number, consumer))
                self._prune(write)

    def backlog(self, consumer: str) -> int:
        """Records this consumer has not acknowledged; 0 for one that does not exist."""
        with self._changed:
            return len(self._numbers) - self._first_unread(consumer) if consumer in self._acknowledged else 0

    def age(self, consumer: str) -> float:
        """Milliseconds since the oldest unacknowledged record was written, at least 1; 0 without one."""
        with self._changed:
            if consumer not in self._acknowledged or (start := self._first_unread(consumer)) >= len(self._records):
                return 0.0
            written = float(json.loads(self._records[start])["dynamodb"]["ApproximateCreationDateTime"])
            return max(1.0, (time.time() - written) * 1000)

    def _first_unread(self, consumer: str) -> int:
        return bisect_right(self._numbers, self._acknowledged[consumer])

    def _last(self) -> int:
        """The highest number ever given: those before it are gone, acknowledged by all who were there."""
        rows = self._database.read("SELECT seq FROM sqlite_sequence WHERE name = 'records'")
        return rows[0][0] if rows else 0

    def _prune(self, write: sqlite3.Connection) -> None:
        done = bisect_right(self._numbers, min(self._acknowledged.values()))
        if done < _PRUNE_EVERY and done < len(self._numbers):
            return
        if done:
            write.execute("DELETE FROM records WHERE number <= ?", (self._numbers[done - 1],))
            del self._numbers[:done], self._records[:done]
