"""One SQLite file that holds everything the local services answered for. Write-ahead log, so that a killed process loses nothing it committed.

What was deleted is overwritten, and the log is emptied a little later: who looks into the files finds nothing of an erased person.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIDY_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (table_name TEXT, pk TEXT, sk TEXT, image TEXT, PRIMARY KEY (table_name, pk, sk));
CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT, created REAL);
CREATE TABLE IF NOT EXISTS consumers (name TEXT PRIMARY KEY, acknowledged INTEGER);
CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT, id TEXT, body TEXT, attributes TEXT, message_group TEXT,
    sent INTEGER, due REAL, receives INTEGER DEFAULT 0, first_received INTEGER, origin_queue TEXT);
CREATE TABLE IF NOT EXISTS accepted (source TEXT PRIMARY KEY, signals INTEGER);
CREATE TABLE IF NOT EXISTS metrics (namespace TEXT, name TEXT, dimensions TEXT, value REAL, PRIMARY KEY (namespace, name, dimensions));
CREATE TABLE IF NOT EXISTS executions (arn TEXT PRIMARY KEY, machine TEXT, name TEXT, input TEXT, status TEXT, started REAL, finished REAL);
CREATE TABLE IF NOT EXISTS objects (bucket TEXT, name TEXT, body BLOB, PRIMARY KEY (bucket, name));
"""


class Database:
    """One connection for all threads, one writer at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=4000", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)
        self._log_is_used, self._closing = True, threading.Event()
        threading.Thread(target=self._tidy_up, name="tidy-up", daemon=True).start()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, undone when it raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            self._log_is_used = True

    def read(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def tidy(self) -> None:
        """Bring all into the file, and empty the log: it holds pages as they were before."""
        with self._lock:
            if self._log_is_used and not self._closing.is_set():
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                self._log_is_used = False

    def _tidy_up(self) -> None:
        while not self._closing.wait(TIDY_SECONDS):
            self.tidy()

    def close(self) -> None:
        """Tidy, also where another program has the file open, so that SQLite would leave the log."""
        self.tidy()
        self._closing.set()
        with self._lock:
            self._connection.close()
