"""What people did in the built-in CRM, in the order of time, for Caseline to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice
from typing import Any

from caseline.crm import Change
from caseline.crm._builtin_rows import CHANGES, Row, keyed
from caseline.crm._keyset import HEAD_START
from caseline.signals import isoformat, parse_time
from caseline.table import Item, Table

KEPT = timedelta(days=30)
# Two writers' clocks differ: what was written this long before the newest change is read again, and told if it was not.
OVERLAP = timedelta(seconds=30)
PAGE = 100


class Log:
    """A cursor has `since` (nothing before it is told), `at` (the newest time told) and marks of what was told since `at` less the overlap."""

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table, self._clock = table, clock

    def write_of(self, change: Change) -> Mapping[str, Any]:
        """A write to go with the change itself."""
        return self._table.put_write(row_of(change))

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """One page, oldest first; none means that all is read. A first one begins a little earlier."""
        standing = json.loads(cursor) if cursor else {"since": isoformat(self._clock() - HEAD_START), "at": "", "told": []}
        told = set(standing["told"])
        rows = list(islice((row for row in self._table.query(CHANGES, since=_start(standing)) if _mark(row) not in told), PAGE))
        return [_change(row) for row in rows], _advance(standing, rows) if rows else json.dumps(standing)


def row_of(change: Change) -> Item:
    """Its event id makes it one row, however often it is written."""
    at = isoformat(change.at)
    return keyed((CHANGES, f"{at}#{change.event_id}"), **{**asdict(change), "at": at}, expires=int((change.at + KEPT).timestamp()))


def _start(cursor: Mapping[str, Any]) -> str:
    newest = cursor["at"]
    return max(str(cursor["since"]), _less(newest)) if newest else str(cursor["since"])


def _less(at: str) -> str:
    return isoformat(parse_time(at) - OVERLAP)


def _advance(cursor: Mapping[str, Any], rows: list[Row]) -> str:
    """Marks begin with their time in seconds, so that those that are not read again can go."""
    at = max(cursor["at"], *(row["at"] for row in rows))
    oldest = int(parse_time(_less(at)).timestamp())
    told = [mark for mark in (*cursor["told"], *map(_mark, rows)) if int(mark.partition(".")[0], 36) >= oldest]
    return json.dumps({**cursor, "at": at, "told": told})


def _mark(row: Row) -> str:
    return f"{_base36(int(parse_time(row['at']).timestamp()))}.{blake2b(row['SK'].encode(), digest_size=5).hexdigest()}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def _change(row: Row) -> Change:
    return Change(row["kind"], row["crm_id"], parse_time(row["at"]), row["case_key"], row["fields"], row["by"], row["event_id"])
