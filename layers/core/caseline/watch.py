"""What a poll remembers between its runs: the items it passed on lately, and how long the platform wants to be left alone.

An item is remembered by its id with a mark of its version. So an overlap of two runs is not sent twice, two items of one moment are never taken for
one, and edits and deletions of what is older than the overlap are found by asking for it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from caseline.errors import PayloadError
from caseline.signals import Signal, Unreadable
from caseline.sources import Source

WATCHED = 500  # items; the cursor's row grows with them
PATIENCE_SECONDS, LONGEST_SECONDS = 60.0, 86_400.0


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


def still_waiting(wait: Any, now: datetime) -> float | None:
    """Until when to wait, as the cursor says, if that is not past."""
    return float(wait) if isinstance(wait, int | float) and wait > now.timestamp() else None


def wait_until(status: int, headers: Mapping[str, str], now: datetime) -> float | None:
    """When to ask again, in epoch seconds, if the platform says that it was asked often enough; None if it does not.

    Read from Retry-After in seconds, and from X-RateLimit-Remaining with X-RateLimit-Reset in seconds from now.
    """
    remaining = _seconds(headers, "x-ratelimit-remaining")
    if status != 429 and (remaining is None or remaining >= 1):
        return None
    told = [seconds for name in ("retry-after", "x-ratelimit-reset") if (seconds := _seconds(headers, name)) is not None]
    return now.timestamp() + min(max(told, default=PATIENCE_SECONDS), LONGEST_SECONDS)


def _seconds(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers.get(name) or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
