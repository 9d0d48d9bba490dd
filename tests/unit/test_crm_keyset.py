"""Reading a list by time and id: nothing is missed, nothing is told twice, whatever comes late, at one instant, or while we read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from caseline.crm._keyset import HEAD_START, MARKS, Position
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
OVERLAP = timedelta(seconds=180)
Row = dict[str, Any]


class Feed:
    """A CRM's list: rows with a time in whole seconds, read in the order of time and id."""

    def __init__(self, page: int = 3) -> None:
        self.rows: dict[str, Row] = {}
        self.page, self.cursor = page, json.dumps(Position.begin(NOW).to_json())

    def write(self, row_id: str, second: int, value: Any = 0) -> None:
        self.rows[row_id] = {"id": row_id, "second": second, "value": value}

    def read(self) -> list[Row]:
        """All pages, each by the cursor alone."""
        told: list[Row] = []
        for _ in range(10_000):
            position = Position.from_json(json.loads(self.cursor))
            second = (position.at - NOW).total_seconds()
            after = [row for row in self.rows.values() if (row["second"], row["id"]) > (second, position.row_id)]
            rows = sorted(after, key=lambda row: (row["second"], row["id"]))[: self.page]
            fresh, position = position.take(rows, lambda row: (NOW + timedelta(seconds=row["second"]), row["id"]), len(rows) == self.page, OVERLAP)
            told, self.cursor = told + fresh, json.dumps(position.to_json())
            if len(rows) < self.page:
                return told
        raise AssertionError("it never ends")


def ids(rows: list[Row]) -> list[str]:
    return [row["id"] for row in rows]


def test_a_first_reading_tells_what_happened_just_before_and_nothing_older() -> None:
    feed, head_start = Feed(), int(HEAD_START.total_seconds())
    feed.write("old", -head_start - 1)
    feed.write("just before", 1 - head_start)
    feed.write("new", 1)
    assert ids(feed.read()) == ["just before", "new"] and feed.read() == []


def test_many_rows_of_one_instant() -> None:
    feed = Feed()
    for number in range(20):
        feed.write(f"r{number:02d}", 5)
    assert len(ids(feed.read())) == 20 and feed.read() == []
    feed.write("r07", 5, "again")
    assert feed.read() == [{"id": "r07", "second": 5, "value": "again"}]


def test_a_row_that_comes_late_is_told() -> None:
    feed = Feed()
    feed.write("a", 300)
    assert ids(feed.read()) == ["a"]
    feed.write("late", 300 - 179)
    feed.write("b", 301)
    assert ids(feed.read()) == ["late", "b"] and feed.read() == []


def test_the_cursor_stays_small() -> None:
    feed = Feed(page=500)
    for number in range(3 * MARKS):
        feed.write(f"r{number:05d}", number // 100)
    assert len(feed.read()) == 3 * MARKS and len(feed.cursor) < 64 * MARKS
    feed.write("last", 10_000)
    assert "last" in ids(feed.read())
    assert len(json.loads(feed.cursor)["marks"]) == 1


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400), st.integers(0, 170), st.booleans()), max_size=40), st.integers(1, 7))
def test_each_write_is_told_once(writes: list[tuple[int, int, int, bool]], page: int) -> None:
    """Writes as (row, seconds that pass, how late it is, read after it): each is told, or one that replaced it before the next reading."""
    feed, second, expected, told = Feed(page), 0, list[tuple[str, int]](), list[tuple[str, int]]()
    waiting: dict[str, int] = {}
    for number, (row, passed, late, is_read) in enumerate(writes):
        second += passed
        feed.write(f"r{row}", max(0, second - late), number)
        waiting[f"r{row}"] = number
        if is_read:
            told += [(each["id"], each["value"]) for each in feed.read()]
            expected, waiting = [*expected, *waiting.items()], {}
    told += [(each["id"], each["value"]) for each in feed.read()]
    assert sorted(told) == sorted([*expected, *waiting.items()])
