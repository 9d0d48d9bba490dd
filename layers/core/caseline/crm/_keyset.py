"""Reading what changed in a list that is sorted by time and id, so that nothing is missed and nothing is told twice.

A transaction that began before our last reading may end after it, and many rows may share one instant. So once all is read, the next reading begins
`overlap` before the newest row, and what was told from there on is known by its mark: a hash of the whole row, so that a second change within the same
instant is another mark. A full page is followed by what comes strictly after its last row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from caseline.signals import isoformat, parse_time

T = TypeVar("T")
# A first reading begins this much earlier: cases may have been saved, and people may have answered, before anybody polled. Longer than two polls.
HEAD_START = timedelta(minutes=5)
MARKS = 1_000  # beyond these the oldest is forgotten, and may be told again


@dataclass(frozen=True)
class Position:
    """Read what comes after (`at`, `row_id`) in this order; `row_id` "" stands before all of its instant. `floor` is where reading began."""

    at: datetime
    row_id: str
    newest: datetime
    floor: datetime
    marks: Mapping[str, int]

    @classmethod
    def begin(cls, now: datetime) -> Position:
        """A first reading."""
        start = now - HEAD_START
        return cls(start, "", start, start, {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Position:
        return cls(parse_time(data["at"]), data["id"], parse_time(data["newest"]), parse_time(data["floor"]), data["marks"])

    def to_json(self) -> dict[str, Any]:
        return {"at": isoformat(self.at), "id": self.row_id, "newest": isoformat(self.newest), "floor": isoformat(self.floor), "marks": dict(self.marks)}

    def take(self, rows: Sequence[T], place: Callable[[T], tuple[datetime, str]], is_full: bool, overlap: timedelta) -> tuple[list[T], Position]:
        """The rows of a page that are new, and where to go on. `place` gives a row's time and id; rows are JSON."""
        marked = {_mark(row): row for row in rows}
        fresh = [row for mark, row in marked.items() if mark not in self.marks]
        newest = max([self.newest, *(place(row)[0] for row in rows)])
        told = {**self.marks, **{mark: int(place(row)[0].timestamp()) for mark, row in marked.items()}}
        since = newest - overlap
        kept = sorted((item for item in told.items() if item[1] >= int(since.timestamp())), key=lambda item: item[1])[-MARKS:]
        at, row_id = place(rows[-1]) if is_full else (max(since, self.floor), "")
        return fresh, replace(self, at=at, row_id=row_id, newest=newest, marks=dict(kept))


def _mark(row: Any) -> str:
    return hashlib.blake2s(json.dumps(row, sort_keys=True, default=str).encode(), digest_size=6).hexdigest()
