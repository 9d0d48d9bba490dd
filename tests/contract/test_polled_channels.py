"""Every polled channel, found by itself, against a list that grows, changes and fails, over real HTTP: `events/channels/<channel>/list.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from caseline.channels import channel_names, open_channel
from caseline.errors import UnavailableError
from caseline.signals import Signal, parse_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.platforms import Answer, Asked, LivingList, Platform
from tests.kit.samples import Sample, samples, sign_in

POLLED = [name for name in channel_names() if hasattr(open_channel(name), "fetch")]
LISTS = [sample for name in POLLED for sample in samples(name) if "list" in sample.data]
ELSEWHERE = {"status": 302, "text": "", "headers": {"Location": "https://elsewhere.example.com/"}}
FAULTS: Mapping[str, Answer] = {
    "failure": {"status": 503, "text": "later"}, "limit": {"status": 429, "text": "", "headers": {"Retry-After": "120"}},
    "refusal": {"status": 403, "text": "{}"}, "redirect": ELSEWHERE, "cut": {"status": 200, "text": "{}" * 500, "fault": "cut"},
    "drip": {"status": 200, "text": "{}", "fault": "drip"}, "nonsense": {"status": 200, "text": "<html>"}, "nothing": {"status": 200, "text": ""},
    "no object": {"status": 200, "json": [1]},
}  # fmt: skip
polled = pytest.mark.parametrize("sample", LISTS, ids=lambda sample: sample.channel)


@dataclass
class World:
    """A channel, its platform, and what was passed on so far: each version of an item by its id and revision."""

    sample: Sample
    platform: Platform
    keys: dict[str, str]
    speed: float = 1.0
    minutes: float = 0
    cursor: str | None = None
    found: list[Signal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.list = LivingList(self.sample.data["list"], self.now())
        self.platform.play(self.list)
        self.source = sign_in(self.sample, self.keys)

    def now(self) -> Any:
        return parse_time(self.sample.data["received_at"]) + timedelta(minutes=self.minutes)

    def poll(self) -> UnavailableError | None:
        """One run, as the product makes it: the cursor moves with each page, and comes back as text."""
        session = self.platform.open_session(self.sample.module.HOSTS, self.now, self.speed)
        try:
            for items, cursor in self.sample.module.fetch(session, self.source, self.cursor):
                self.cursor = json.loads(json.dumps(cursor))
                assert all(isinstance(item, Signal) for item in items)
                self.found += items
        except UnavailableError as error:
            return error
        return None

    def fail(self, number: int, answer: Answer) -> None:
        """Let the request of that number, counted from now, be answered so."""
        self.platform.asked.clear()
        self.platform.fault = lambda asked: answer if asked == number else None

    def versions(self) -> list[str]:
        """What was passed on, by the ids of the list."""
        return sorted(signal.native_id.replace("/", "_").rpartition("_")[2] for signal in self.found)


Open = Callable[..., World]


@pytest.fixture
def world(platform: Platform, private_keys: dict[str, str]) -> Open:
    return lambda sample, **facts: World(sample, platform, private_keys, **facts)


@pytest.mark.parametrize("name", POLLED)
def test_every_polled_channel_has_a_list(name: str) -> None:
    assert any("list" in sample.data for sample in samples(name)), f"write events/channels/{name}/list.json"


@polled
def test_all_pages_are_read_and_nothing_twice(sample: Sample, world: Open) -> None:
    """Seven items on four pages, some of one second, on either side of a page's end too."""
    run = world(sample)
    run.list.items = {f"{name}1": (-seconds, -seconds) for name, seconds in zip("abcdefg", (60, 90, 90, 90, 90, 120, 3600), strict=True)}
    assert run.poll() is None and run.versions() == sorted(run.list.items)
    asked = len(run.platform.asked)
    assert run.poll() is None and run.versions() == sorted(run.list.items), "nothing is new"
    assert asked > 3 and json.loads(run.cursor or "")


@polled
def test_late_items_edits_and_neighbours_of_one_second_are_found(sample: Sample, world: Open) -> None:
    run = world(sample)
    run.list.items = {f"{name}1": (-seconds, -seconds) for name, seconds in zip("abc", (600, 600, 900), strict=True)}
    run.poll()
    run.minutes = 30
    run.list.items |= {"late1": (-840, -840), "same1": (-600, -600), "next1": (1500, 1500), "a1": (-600, 1200)}
    run.poll()
    assert run.versions() == sorted(["a1", "a1", "b1", "c1", "late1", "same1", "next1"])
    first, second = (signal for signal in run.found if signal.native_id == next(each for each in run.found if "a1" in each.native_id).native_id)
    assert first.revision < second.revision and "at 1200" in (second.text or "") and first.signal_id == second.signal_id
    run.poll()
    assert len(run.found) == 7


@polled
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_page_that_fails_is_repeated(sample: Sample, fault: str, number: int, world: Open) -> None:
    run = world(sample, speed=100 if fault == "drip" else 1)
    run.list.items = {f"{name}1": (-600, -600) for name in "abcdefg"}
    run.fail(number, FAULTS[fault])
    error = run.poll()
    assert error and "elsewhere" not in str(error) and len(run.platform.asked) == number, "the run ends there"
    assert error.retry_after == (120 if fault == "limit" else 0)
    assert len(run.found) < 7
    run.fail(0, {})
    run.speed = 1
    assert run.poll() is None
    assert run.poll() is None and run.versions() == sorted(run.list.items)


@polled
@pytest.mark.parametrize(("headers", "seconds"), [
    ({"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "240"}, 240), ({"x-ratelimit-remaining": "0.4"}, 60), ({"X-Ratelimit-Remaining": "7"}, None),
])
def test_a_limit_that_is_used_up_ends_the_run_after_what_was_read(sample: Sample, headers: dict[str, str], seconds: int | None, world: Open) -> None:
    run = world(sample)
    run.list.items = {f"{name}1": (-600, -600) for name in "abcdefg"}

    def answer(asked: Asked) -> Answer:
        answered = run.list(asked)
        return {**answered, "headers": headers} if asked.url == sample.data["list"]["url"] else answered

    run.platform.play(answer)
    error = run.poll()
    assert (error and error.retry_after) == seconds and len(run.found) == (7 if seconds is None else 2)
    run.platform.play(run.list)
    run.poll()
    assert run.versions() == sorted(run.list.items)


@polled
@pytest.mark.parametrize("cut_short", [False, True])
def test_a_cursor_of_another_version_is_accepted(sample: Sample, cut_short: bool, world: Open) -> None:
    """With more or less in it than now, or nothing that can be read: at worst the list is begun again."""
    run = world(sample)
    run.list.items = {f"{name}1": (-600, -600) for name in "abcdefg"}
    run.fail(3 if cut_short else 0, FAULTS["failure"])
    run.poll()
    run.fail(0, {})
    state = json.loads(run.cursor or "")
    older = [{key: value for key, value in state.items() if key != name} for name in state]
    older += [{**state, name: odd} for name in state for odd in (None, 7, "2026-03-14T09:00:00Z", [7], {"x": 7})]
    for cursor in [*map(json.dumps, [*older, {**state, "wait": 1.5, "more": {"x": None}}, {}, [], 7, None]), "", "x", "2026-03-14T09:00:00Z"]:
        run.cursor, run.list.items["new1"] = cursor, (-300, -300)
        assert run.poll() is None and run.poll() is None and "new1" in run.versions(), cursor
        assert json.loads(run.cursor)
        del run.list.items["new1"]
        run.found.clear()


@polled
@given(
    batches=st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=3), page_size=st.integers(1, 3),
    failing=st.frozensets(st.integers(1, 25), max_size=8),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_lost_and_nothing_doubled(sample: Sample, batches: list[list[int]], page_size: int, failing: frozenset[int], world: Open) -> None:
    """Items of the same seconds keep coming while runs are cut short anywhere; in the end each was passed on once."""
    run = world(sample)
    run.list.page_size = page_size
    run.platform.fault = lambda number: FAULTS["failure"] if number in failing else None
    for number, batch in enumerate(batches):
        run.list.items |= {f"n{number}{index}": (second - 60, second - 60) for index, second in enumerate(batch)}
        run.minutes += 1
        run.poll()
    run.platform.fault = lambda number: None
    for _ in range(3):
        run.poll()
    assert run.versions() == sorted(run.list.items)
