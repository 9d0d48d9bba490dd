"""The clock of the local runtime, and what keeps to it."""

from __future__ import annotations

import inspect
import threading
from datetime import UTC, datetime, timedelta

import pytest
from caseline.errors import CrmUnavailableError
from caseline_local.cloud.hooks import Hooks, use_hooks
from caseline_local.cloud.patches import install
from caseline_local.engine.proxy import HttpRequest
from caseline_local.engine.scene_shift import SceneShift
from caseline_local.engine.schedules import Keeper, Schedule
from caseline_local.world import Absent, World

THEN = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "world.json")


def near(one, other):
    return abs((one - other).total_seconds()) < 5


def test_a_clock_that_was_never_moved_is_this_machines(world):
    assert near(world.now(), datetime.now(UTC)) and world.crm_answers


def test_every_process_sees_the_clock_move(world, tmp_path):
    other = World(tmp_path / "world.json")
    world.move(THEN)
    world.let_crm(False)
    assert near(other.now(), THEN) and not other.crm_answers


def test_who_waits_is_woken_when_the_clock_passes_the_time(world):
    waiting = threading.Thread(target=world.sleep, args=(3600,), daemon=True)
    waiting.start()
    for hour in range(1, 30):
        world.move(datetime.now(UTC) + timedelta(hours=hour))
        waiting.join(1)
        if not waiting.is_alive():
            return
    raise AssertionError("it sleeps by another clock")


def test_a_schedule_runs_once_however_far_the_clock_is_moved_and_also_after_it_was_put_back(world):
    runs = []
    keeper = Keeper(Schedule("watch", "rate(1 minute)", lambda: runs.append(world.now())), threading.Event(), world.now)
    shift = SceneShift(world, [keeper])
    for moment, expected in ((THEN, 1), (THEN + timedelta(days=21), 2), (THEN, 2), (THEN + timedelta(minutes=2), 3)):
        answer = shift.move_clock(HttpRequest("POST", "/local/clock", "", [], f'{{"at": "{moment.isoformat()}"}}'.encode(), ""))
        assert answer.status == 200 and len(runs) == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"at": 7}', b'{"at": "soon"}'])
def test_a_clock_is_not_moved_by_what_is_no_time(world, body):
    shift = SceneShift(world, [])
    assert shift.move_clock(HttpRequest("POST", "/local/clock", "", [], body, "")).status == 400
    assert shift.switch_crm(HttpRequest("POST", "/local/crm", "", [], body, "")).status == 400


def test_a_crm_that_is_away_is_known_and_answers_nothing():
    class Crm:
        name = "builtin"

        def find_account(self, identities):
            return identities

    away = Absent(Crm())
    assert away.name == "builtin"
    with pytest.raises(CrmUnavailableError):
        away.find_account([])


def test_state_machines_wait_by_the_clock_between_two_tries():
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

    install()
    assert "time.sleep(interval_seconds)" in inspect.getsource(retrier_decl)
    slept = []

    class Noting(Hooks):
        def sleep(self, seconds):
            slept.append(seconds)

    use_hooks(Noting())
    try:
        retrier_decl.time.sleep(7)
    finally:
        use_hooks(Hooks())
    assert slept == [7]
