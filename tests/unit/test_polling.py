"""Polling on the table's real conditions: leases, fences, cursors that follow the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.channels import google_play
from caseline.errors import UnavailableError
from caseline.intake import Intake
from caseline.polling import LEASE_SECONDS, Poller, dispatch_due
from caseline.settings import Config
from caseline.signals import Signal
from caseline.table import Table

from tests.kit.aws import aws

START = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
CONFIG = Config.from_json(
    {
        "brands": {"acme": {}},
        "sources": [
            {"channel": "google_play", "name": "app", "brand": "acme", "settings": {"package": "com.example.trails"}},
            {"channel": "x", "name": "default", "brand": "acme"},
        ],
    }
)


class World:
    """A platform of three pages of two reviews, a clock, a queue."""

    def __init__(self, table: Table) -> None:
        self.table, self.now = table, START
        self.sent: list[dict[str, Any]] = []
        self.jobs: list[str] = []
        self.fail_page: int | None = None
        self.retry_after = 0.0
        self.queue_down = False
        self.between: Any = lambda page: None
        self._ids = iter(range(10_000))

    def fetch(self, session: Any, source: Any, cursor: str | None) -> Iterator[tuple[list[Signal], str]]:
        for page in range(int(cursor or 0) % 3, 3):
            if page == self.fail_page:
                raise UnavailableError("429", self.retry_after)
            yield [Signal("google_play", source.name, f"r{page}{n}", "review", START, START) for n in (1, 2)], str(page + 1)
            self.between(page)

    def send(self, body: str, group: str, attributes: Any) -> None:
        if self.queue_down:
            raise UnavailableError("queue")
        assert attributes["origin"]["StringValue"] == "poll"
        self.sent.append(json.loads(body))

    def poller(self) -> Poller:
        def open_source(channel: str, name: str) -> Any:
            known = CONFIG.source(channel, name)
            return known.open(["key"]) if known else None

        return Poller(
            CONFIG, self.table, Intake(self.send, lambda key, body: None), open_source, lambda channel: None, lambda: self.now, lambda: f"e{next(self._ids)}"
        )

    def poll(self) -> int:
        return self.poller().poll("google_play", "app")

    def dispatch(self) -> int:
        return dispatch_due(CONFIG, self.table, self.now, lambda body, group: self.jobs.append(body))

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def row(self) -> dict[str, Any]:
        return self.table.get("CURSOR#google_play/app", "CURSOR") or {}

    @property
    def ids(self) -> list[str]:
        return [signal["native_id"] for envelope in self.sent for signal in envelope["signals"]]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Any]:
    with aws() as cloud:
        yield cloud


@pytest.fixture
def world(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(Table(cloud.client("dynamodb"), cloud.table))
    world.table.delete("CURSOR#google_play/app", "CURSOR")
    monkeypatch.setattr(google_play, "fetch", world.fetch)
    return world


def test_due_sources_get_one_job_each(world: World) -> None:
    assert world.dispatch() == 1 and json.loads(world.jobs[0]) == {"channel": "google_play", "source": "app"}
    assert world.poll() == 6
    assert world.dispatch() == 0
    world.wait(google_play.POLL_SECONDS)
    assert world.dispatch() == 1


def test_pages_are_queued_before_the_cursor_moves(world: World) -> None:
    assert world.poll() == 6 and world.ids == ["r01", "r02", "r11", "r12", "r21", "r22"]
    assert (world.row["cursor"], world.row["lease_until"], world.row["fence"]) == ("3", 0, 1)
    assert [envelope["id"] for envelope in world.sent] == ["e0", "e1", "e2"]


def test_platform_limit_ends_the_run_and_the_next_goes_on(world: World) -> None:
    world.fail_page = 1
    assert world.poll() == 0 and world.row["cursor"] == "1" and world.row["lease_until"] == 0
    world.fail_page = None
    assert world.poll() == 0, "not due yet: the platform is left alone"
    world.wait(google_play.POLL_SECONDS)
    assert world.poll() == 4 and world.ids == ["r01", "r02", "r11", "r12", "r21", "r22"]


def test_platform_is_left_alone_for_as_long_as_it_says(world: World) -> None:
    world.fail_page, world.retry_after = 1, 2 * google_play.POLL_SECONDS + 0.5
    world.poll()
    world.fail_page = None
    world.wait(2 * google_play.POLL_SECONDS)
    assert world.dispatch() == 0 and world.poll() == 0
    world.wait(2)
    assert world.dispatch() == 1 and world.poll() == 4 and len(world.ids) == 6


def test_cursor_stays_where_the_queue_failed(world: World) -> None:
    world.queue_down = True
    world.poll()
    assert "cursor" not in world.row
    world.queue_down = False
    world.wait(google_play.POLL_SECONDS)
    assert world.poll() == 6


def test_second_job_of_the_same_minute_does_nothing(world: World) -> None:
    world.poll()
    assert world.poll() == 0 and len(world.sent) == 3


def test_two_runs_never_race(world: World) -> None:
    answers: list[int] = []
    world.between = lambda page: answers.append(world.poll())
    assert world.poll() == 6 and answers == [0, 0, 0]


def test_killed_run_is_taken_over_and_fenced_off(world: World) -> None:
    class Killed(BaseException):
        pass

    def die(page: int) -> None:
        raise Killed

    run = world.poller()
    world.between = die
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Poller, "_release", lambda *args: None)  # the process is gone: nothing is released
        with pytest.raises(Killed):
            run.poll("google_play", "app")
    world.between = lambda page: None
    assert world.poll() == 0, "the lease still stands"
    world.wait(LEASE_SECONDS + 1)
    assert world.poll() == 4 and world.row["fence"] == 2


def test_run_that_lost_its_lease_stops(world: World) -> None:
    def steal(page: int) -> None:
        if page == 0:
            world.between = lambda page: None
            world.wait(LEASE_SECONDS + 1)
            assert world.poll() == 4

    world.between = steal
    world.poll()
    assert world.row["fence"] == 2 and world.row["cursor"] == "3"
    assert sorted(set(world.ids)) == ["r01", "r02", "r11", "r12", "r21", "r22"] and len(world.ids) <= 8


def test_unknown_source_is_left_alone(world: World) -> None:
    assert world.poller().poll("google_play", "gone") == 0 and world.poller().poll("nowhere", "app") == 0
