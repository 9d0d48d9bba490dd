"""Business time: hours of the week on a wall clock somewhere, without holidays. Half-open intervals of instants; both changes of the clock. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOTHING, DAY = timedelta(), timedelta(days=1)
Interval = tuple[datetime, datetime]


@dataclass(frozen=True)
class Calendar:
    """`hours`: for each day of the week, from Monday, (start, end) in minutes after midnight, in order, without overlap; some time somewhere."""

    zone: str
    hours: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The open time in [start, end); none where the end comes first."""
        total = NOTHING
        for opens, closes in self._from(start):
            if opens >= end:
                break
            total += max(NOTHING, min(closes, end) - max(opens, start))
        return total

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first instant by which `amount` of open time has passed since the start."""
        left = amount
        if left <= NOTHING:
            return start
        for opens, closes in self._from(start):
            open_for = closes - max(opens, start)
            if open_for >= left:
                return max(opens, start) + left
            left -= max(NOTHING, open_for)
        raise AssertionError("a calendar opens again")

    def _from(self, start: datetime) -> Iterator[Interval]:
        """All intervals that end after `start`, in order."""
        day = start.astimezone(ZoneInfo(self.zone)).date() - DAY
        while True:
            yield from (interval for interval in open_on(self, day) if interval[1] > start)
            day += DAY


@lru_cache(maxsize=4096)
def open_on(calendar: Calendar, day: date) -> tuple[Interval, ...]:
    """A day's intervals as instants. What a clock shows twice is open both times; what it never shows takes no time."""
    if day in calendar.holidays:
        return ()
    found: list[Interval] = []
    for start, end in calendar.hours[day.weekday()]:
        opens, closes = _instant(calendar.zone, day, start, first=True), _instant(calendar.zone, day, end, first=False)
        opens = max(opens, found[-1][1]) if found else opens
        if opens < closes:
            found.append((opens, closes))
    return tuple(found)


def _instant(zone: str, day: date, minutes: int, first: bool) -> datetime:
    """When the wall clock shows that time, the first or the last of two; where it jumps over it, the moment of the jump."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    early, late = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    if early <= late:
        return early if first else late
    return _find_jump(zone, late, early)


def _find_jump(zone: str, low: datetime, high: datetime) -> datetime:
    """The first second in (low, high] with the new offset."""
    there = ZoneInfo(zone)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        low, high = (low, middle) if middle.astimezone(there).utcoffset() == high.astimezone(there).utcoffset() else (middle, high)
    return high


def read_hours(text: str) -> tuple[int, int]:
    """`09:00-12:30` as minutes; up to 24:00. ValueError says what to write."""
    try:
        start, end = (_read_time(part) for part in text.split("-"))
    except ValueError:
        raise ValueError(f"{text!r} is no interval; write one as 09:00-12:30") from None
    if not 0 <= start < end <= 24 * 60:
        raise ValueError(f"{text!r} does not end after it starts; write the earlier time first, up to 24:00")
    return start, end


def _read_time(text: str) -> int:
    hour, minute = text.strip().split(":")
    if not (hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and int(minute) < 60):
        raise ValueError(text)
    return int(hour) * 60 + int(minute)


def read_week(hours: Mapping[Any, list[str]]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The week of `{mon: ["09:00-12:00", "13:00-17:00"]}`; a day that is left out is closed. ValueError says what to write."""
    week = tuple(tuple(sorted(map(read_hours, hours.get(day, ())))) for day in DAYS)
    for day, intervals in zip(DAYS, week, strict=True):
        if any(later[0] < earlier[1] for earlier, later in pairwise(intervals)):
            raise ValueError(f"the intervals of {day} overlap")
    if not any(week):
        raise ValueError("it is never open; write the hours of at least one day, or use no calendar")
    return week
