"""Lists read newest first: whatever comes late, changes or fails, each version of an item is handed on once it is seen, and not again."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from caseline.errors import UnavailableError
from caseline.paging import MOST_SEEN, OVERLAP, Page, last_time, read_items, read_newest_first
from caseline.payloads import Field
from caseline.signals import Signal, Unreadable, isoformat, parse_time
from caseline.sources import Source
from hypothesis import given
from hypothesis import strategies as st

NOW = parse_time("2026-03-14T09:30:00Z")
SOURCE = Source("default", "acme")


def item(name: str, hours: float, revision: float | None = None) -> Signal:
    """Written so many hours ago, changed `revision` hours ago."""
    changed = "" if revision is None else isoformat(NOW - timedelta(hours=revision))
    return Signal("app_store", "default", name, "review", NOW - timedelta(hours=hours), NOW, revision=changed)


def refuse(field: Field) -> Signal:
    field.refuse("must be a time")


class Platform:
    """A list in pages of two; the calls named in `fails` fail."""

    def __init__(self, items: list[Signal]) -> None:
        self.items, self.calls, self.fails = items, 0, set[int]()

    def open_page(self, page: str | None) -> Page | None:
        self.calls += 1
        if self.calls in self.fails:
            raise UnavailableError("not now")
        ordered = sorted(self.items, key=lambda signal: signal.occurred_at, reverse=True)
        start = int(page or 0)
        shown = ordered[start : start + 2]
        return Page(list(shown), str(start + 2) if start + 2 < len(ordered) else None, shown[-1].occurred_at if shown else None)

    def poll(self, state: dict[str, Any], now: Any = NOW) -> tuple[list[str], dict[str, Any]]:
        """What one run hands on, and the state it leaves, as text would keep it."""
        names = []
        try:
            for items, moved in read_newest_first(self.open_page, state, SOURCE, now):
                state = json.loads(json.dumps(moved))
                names += [f"{signal.native_id}{signal.revision and '+'}" for signal in items if isinstance(signal, Signal)]
        except UnavailableError:
            pass
        return names, state


@given(st.lists(st.integers(0, 600), max_size=12), st.sets(st.integers(1, 20)), st.lists(st.integers(0, 70), max_size=6))
def test_each_item_is_handed_on_whatever_fails_and_whatever_comes_late(ages: list[int], fails: set[int], late: list[int]) -> None:
    platform = Platform([item(f"r{n}", age) for n, age in enumerate(ages)])
    platform.fails = fails
    state: dict[str, Any] = {}
    got: list[str] = []
    for _ in range(25):
        names, state = platform.poll(state)
        got += names
    assert set(got) == {f"r{n}" for n in range(len(ages))}
    newest = min(ages, default=0)
    platform.items += [item(f"late{n}", newest + hours) for n, hours in enumerate(late)]
    names, state = platform.poll(state)
    assert sorted(names) == sorted(f"late{n}" for n in range(len(late)))
    assert platform.poll(state)[0] == []


def test_an_edit_and_an_item_of_the_same_moment_are_new() -> None:
    platform = Platform([item("a", 5), item("b", 5), item("old", 400)])
    _, state = platform.poll({})
    platform.items = [item("a", 5, revision=1), item("b", 5), item("c", 5), item("old", 400, revision=2)]
    assert sorted(platform.poll(state)[0]) == ["a+", "c", "old+"]


def test_the_first_run_begins_where_the_settings_say() -> None:
    platform = Platform([item(f"r{days}", days * 24) for days in range(0, 100, 10)])
    assert platform.poll({})[0] == ["r0", "r10", "r20", "r30"]
    assert platform.calls == 3, "and asks for nothing older"
    source = Source("default", "acme", settings={"backfill_days": 1})
    assert len(next(read_newest_first(platform.open_page, {}, source, NOW))[0]) == 1


def test_what_cannot_be_read_is_handed_on_once() -> None:
    bad = Unreadable("must be a number", "stars", {"id": "x"})
    state: dict[str, Any] = {}
    runs = []
    for _ in range(3):
        for items, moved in read_newest_first(lambda page: Page([item("a", 2), bad], None, NOW), state, SOURCE, NOW):
            runs.append([kept for kept in items if isinstance(kept, Unreadable)])
            state = moved
    assert runs == [[bad], [], []]


def test_the_state_stays_small() -> None:
    platform = [item(f"r{n}", n / 100) for n in range(MOST_SEEN * 2)]
    [(items, state)] = read_newest_first(lambda page: Page(list(platform), None, NOW), {}, SOURCE, NOW)
    assert len(items) == MOST_SEEN * 2 and len(json.dumps(state)) < 40_000
    assert timedelta(hours=MOST_SEEN * 2 / 100) < OVERLAP


def test_a_page_of_which_nothing_can_be_read_is_kept_item_by_item() -> None:
    reviews = Field([{"when": 1}, {"when": "x"}], "reviews")
    kept = read_items((review, partial(refuse, review["when"])) for review in reviews.each())
    assert [(each.field, each.raw) for each in kept if isinstance(each, Unreadable)] == [("reviews[0].when", {"when": 1}), ("reviews[1].when", {"when": "x"})]


@pytest.mark.parametrize(("last", "expected"), [
    ({"at": "2026-03-14T09:00:00Z"}, "2026-03-14 09:00:00+00:00"), ({"at": 7}, "None"), ({}, "None"), ("x", "None"),
])
def test_the_time_of_the_last_entry(last: Any, expected: str) -> None:
    assert str(last_time([Field({}, "0"), Field(last, "1")], "at")) == expected
    assert last_time([], "at") is None
