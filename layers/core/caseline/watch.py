"""What a poll remembers between its runs: the items it passed on lately.

An item is remembered by its id with a mark of its version. So an overlap of two runs is not sent twice, two items of one moment are never taken for
one, and edits and deletions of what is older than the overlap are found by asking for it again.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from caseline.errors import PayloadError
from caseline.signals import Signal, Unreadable
from caseline.sources import Source

WATCHED = 500  # items; the cursor's row grows with them


class Watch:
    """`marks` goes into the cursor: ids with their marks, the one that was not looked at for longest first."""

    def __init__(self, marks: Any = None, limit: int = WATCHED) -> None:
        self.marks: dict[str, int] = dict(marks) if isinstance(marks, dict) else {}
        self._limit, self._fresh = limit, set[str]()

    def is_news(self, item_id: str, mark: int) -> bool:
        """Whether this version was not passed on yet; it counts as passed on from now."""
        news = self.marks.pop(item_id, None) != mark
        self.marks[item_id] = mark
        self._fresh.add(item_id)
        for oldest in list(self.marks)[: max(0, len(self.marks) - self._limit)]:
            del self.marks[oldest]
        return news

    def stale(self) -> list[str]:
        """Those that this run has not seen, longest first."""
        return [item_id for item_id in self.marks if item_id not in self._fresh]

    def under(self, prefix: str) -> list[str]:
        return [item_id for item_id in self.marks if item_id.startswith(prefix)]

    def forget(self, item_id: str) -> None:
        self.marks.pop(item_id, None)


def refuse_unless_readable(items: list[Signal | Unreadable]) -> list[Signal | Unreadable]:
    """The items of a page; PayloadError only if all are bad."""
    bad = [item for item in items if isinstance(item, Unreadable)]
    if bad and len(bad) == len(items):
        raise PayloadError(bad[0].reason, bad[0].field)
    return items


def name_raw(raw: Any) -> str:
    """A name for what has no readable id."""
    return "#" + hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()[:16]


def start_of(since: Any, source: Source, backfill_days: float, now: datetime, late: timedelta) -> tuple[float, float]:
    """From when a run reads, and from when it passes on what it comes across: the first run reads as far back as the setting `backfill_days` says."""
    if isinstance(since, int | float):
        return float(since), float(since) - late.total_seconds()
    start = now.timestamp() - 86_400 * float(source.settings.get("backfill_days") or backfill_days)
    return start, start
