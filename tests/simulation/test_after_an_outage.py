"""A CRM that comes back after hours finds thousands of cases waiting: the urgent ones go first, and all of them go."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from caseline.cases.changes import work_case
from caseline.cases.outbox import Outbox
from caseline.crm import Usage
from caseline.crm._guard import GuardedCrm
from caseline.errors import CrmUnavailableError
from caseline.priority import Priority
from caseline.runs import Runs
from caseline.table import Table
from caseline.views.crm import show_crm
from caseline.watching import BATCH, Watcher

from tests.kit.crms import NOW
from tests.kit.memory import MemoryClient
from tests.kit.remote import OtherCrm
from tests.kit.saving import Clock, case_row, outbox_of

MANY, OUTAGE, MINUTE = 1_000, timedelta(hours=2), timedelta(minutes=1)


@dataclass
class RunningClock(Clock):
    """Each look at it takes a millisecond, so that no round of work ends at the moment when it began."""

    def __call__(self):
        self.tick(0.001)
        return self.now


@dataclass
class Backlog:
    crm: OtherCrm
    clock: RunningClock = field(default_factory=RunningClock)
    table: Table = field(default_factory=lambda: Table(MemoryClient(), "t"))
    rounds: int = 0

    def outbox(self) -> Outbox:
        return outbox_of(self.table, GuardedCrm(self.crm, self.table, self.clock), self.clock)

    def add(self, case_key: str, band: str) -> None:
        """A case whose first save fails, as the state machine tries it."""
        priority = Priority(90 if band == "P1" else 10, band, (), "p").to_json()
        self.table.put(case_row(case_key, self.clock.now, crm="other", priority=priority))
        with pytest.raises(CrmUnavailableError):
            self.outbox().push(case_key)

    def watch(self, rounds: int = 1) -> None:
        """A minute after the round before, as the schedule has it."""
        for _ in range(rounds):
            self.rounds += 1
            self.clock.now = NOW + self.rounds * MINUTE
            Watcher(self.table, Runs(self.table, lambda *_: None, self.clock), self.outbox(), self.clock).watch()


@pytest.fixture(scope="module", params=[True, False], ids=["upsert", "claim"])
def outage(request) -> Backlog:
    """The CRM is down; of 1,001 cases the P1 came last."""
    waiting = Backlog(OtherCrm(native_upsert=request.param, fail=[CrmUnavailableError("down") for _ in range(10_000)]))
    for number in range(MANY):
        waiting.add(f"cx-{number:04d}", "P4")
    waiting.add("cx-urgent", "P1")
    waiting.watch(MANY // BATCH + 1)
    assert waiting.crm.cases == {} and len(waiting.crm.fail) > 9_900, "it was hardly called"
    waiting.rounds += int(OUTAGE / MINUTE)
    return waiting


@pytest.fixture
def backlog(outage: Backlog) -> Backlog:
    return deepcopy(outage)


def test_the_p1_is_saved_in_the_first_round(backlog: Backlog) -> None:
    backlog.crm.fail = []
    backlog.watch()
    assert next(iter(backlog.crm.cases)) == "cx-urgent" and len(backlog.crm.cases) > 1


def test_the_quota_that_is_left_is_kept_for_p1(backlog: Backlog) -> None:
    backlog.crm.fail, backlog.crm.usage = [], Usage(50, 1_000, 3_600.0)
    backlog.watch()
    assert list(backlog.crm.cases) == ["cx-urgent"]


def test_in_the_end_all_are_there_once(backlog: Backlog) -> None:
    backlog.crm.fail = []
    backlog.watch(MANY // BATCH + 3)
    assert backlog.crm.created == MANY + 1 == len(backlog.crm.cases)


def test_a_p1_is_the_first_though_the_round_before_tried_it_in_vain(backlog: Backlog) -> None:
    """Where the CRM has no unique key, a call that got no answer may still be under way: then it is the first of the next but one."""
    backlog.watch()
    backlog.crm.fail = []
    backlog.watch(1 if backlog.crm.native_upsert else 2)
    assert "cx-urgent" in backlog.crm.cases


def test_what_waits_is_shown_in_the_order_in_which_it_goes(backlog: Backlog) -> None:
    waiting = show_crm(backlog.table, "other", backlog.clock.now)["waiting"]
    assert waiting[0]["case_key"] == "cx-urgent"


def test_a_p1_that_was_lowered_waits_like_the_others(backlog: Backlog) -> None:
    work_case(backlog.table, "cx-urgent", {"band": "P4", "reason": "a test of theirs"}, "mo", backlog.clock.now)
    backlog.crm.fail = []
    backlog.watch()
    assert backlog.crm.cases and "cx-urgent" not in backlog.crm.cases
