"""The clocks of a case on the whole way through: a deadline is missed at its instant, once and for good; people's answers stop a clock, machines' do not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.cases.inbound import Inbound
from caseline.crm import Change
from caseline.signals import AUTO_REPLY, OUTBOUND, UPDATED, isoformat

from tests.kit.accounts import vip
from tests.kit.aws import FakeCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline, a_signal
from tests.simulation.test_looks import live

ASKED = START - timedelta(minutes=2)
QUICK = "version: 2\nsla: {targets: {P1: 60, P2: 60, P3: 60, P4: 60}, next: {targets: {P1: 120, P2: 120, P3: 120, P4: 120}}}\n"
OFFICE = "calendars: {default: office, named: {office: {zone: UTC, hours: {mon: ['09:00-17:00']}}}}\n"


@pytest.fixture
def pipeline(cloud: FakeCloud) -> Pipeline:
    return Pipeline(cloud, FakeCrm({"x:100": vip("smb", 300)}), policy=QUICK)


def missed(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(miss["clock"], miss["due_at"]) for case in pipeline.cases() for miss in case.get("missed") or ()]


def told(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [json.loads(event["Detail"])["deadline"] for event in pipeline.events if event["DetailType"] == "Case Deadline Missed"]


def reply(pipeline: Pipeline, native_id: str = "r-1", **more: Any) -> None:
    pipeline.send(a_signal(native_id, "We are on it.", direction=OUTBOUND, occurred_at=pipeline.now, agent="Mo", **more))
    pipeline.settle()


def begin(pipeline: Pipeline) -> None:
    pipeline.send(a_signal())
    pipeline.settle()


def test_a_missed_first_reply_is_noted_at_its_instant_told_once_and_kept(pipeline):
    begin(pipeline)
    live(pipeline, minutes=55)
    assert missed(pipeline) == []
    live(pipeline, minutes=10)
    due = [("first", isoformat(ASKED + timedelta(hours=1)))]
    assert missed(pipeline) == due
    band = told(pipeline)[0]["band"]
    lines = [row["text"] for row in pipeline.rows("history") if row["what"] == "deadline"]
    assert lines == [f"first reply was due 2026-11-21 10:58 UTC for {band}, and missed"]
    reply(pipeline)
    live(pipeline, hours=26)
    assert missed(pipeline) == due and len(told(pipeline)) == 1 and told(pipeline)[0]["clock"] == "first"
    assert sum(row["what"] == "deadline" for row in pipeline.rows("history")) == 1


def test_an_answer_in_time_stops_the_clock_and_an_automatic_one_does_not(pipeline):
    begin(pipeline)
    reply(pipeline, "auto-1", attributes={AUTO_REPLY: True})
    live(pipeline, minutes=30)
    reply(pipeline)
    live(pipeline, hours=5)
    assert missed(pipeline) == []


def test_a_machine_alone_answers_nothing(pipeline):
    begin(pipeline)
    reply(pipeline, "auto-1", attributes={AUTO_REPLY: True})
    live(pipeline, hours=2)
    assert [clock for clock, _ in missed(pipeline)] == ["first"]


def test_a_reply_that_came_late_is_a_miss_though_nobody_looked_in_between(pipeline):
    begin(pipeline)
    pipeline.now += timedelta(minutes=90)
    reply(pipeline)
    live(pipeline, hours=24, minutes=10)
    assert missed(pipeline) == [("first", isoformat(ASKED + timedelta(hours=1)))]


def change(pipeline: Pipeline, text: str, **more: Any) -> None:
    pipeline.send(a_signal(text=text, action=UPDATED, revision=isoformat(pipeline.now), received_at=pipeline.now, **more))
    pipeline.settle()


def test_praise_that_its_author_turns_into_a_complaint_weeks_later_asks_then(pipeline):
    weeks = START - timedelta(days=20)
    pipeline.send(a_signal(text="Thank you, all fine!", occurred_at=weeks))
    pipeline.settle()
    change(pipeline, "Really angry: it is down and nobody answers.", occurred_at=weeks)
    live(pipeline, minutes=55)
    assert missed(pipeline) == [] and pipeline.cases()[0]["waits_since"] == isoformat(START)
    live(pipeline, minutes=10)
    assert missed(pipeline) == [("first", isoformat(START + timedelta(hours=1)))]


@pytest.mark.parametrize(
    ("text", "clocks"),
    [("The service is down again and nobody answers!! Really angry.", []), ("Angry: a week later still no refund, and your shop hung up on me.", ["next"])],
)
def test_what_an_author_adds_after_the_answer_asks_again_and_a_corrected_word_does_not(pipeline, text, clocks):
    begin(pipeline)
    live(pipeline, minutes=20)
    reply(pipeline)
    pipeline.now += timedelta(minutes=1)
    change(pipeline, text)
    live(pipeline, hours=3)
    assert [clock for clock, _ in missed(pipeline)] == clocks


def test_an_edit_puts_no_deadline_off(pipeline):
    begin(pipeline)
    live(pipeline, minutes=40)
    change(pipeline, "Angry: a week later still no refund, and your shop hung up on me.")
    live(pipeline, minutes=25)
    assert missed(pipeline) == [("first", isoformat(ASKED + timedelta(hours=1)))]


def test_the_next_ask_has_a_clock_of_its_own(pipeline):
    begin(pipeline)
    live(pipeline, minutes=20)
    reply(pipeline)
    pipeline.now += timedelta(minutes=1)
    again = pipeline.now
    pipeline.send(a_signal("p-2", "Still down, still angry.", occurred_at=again))
    pipeline.settle()
    live(pipeline, hours=3)
    assert missed(pipeline) == [("next", isoformat(again + timedelta(hours=2)))]


@pytest.mark.parametrize(("public", "late"), [(True, []), (False, ["first"])])
def test_a_comment_in_the_crm_that_the_customer_sees_stops_the_clock_and_an_internal_one_does_not(pipeline, public, late):
    begin(pipeline)
    case_key = pipeline.cases()[0]["case_key"]
    pipeline.now += timedelta(minutes=10)
    fields = {"text": "Looking.", "public": public, "comment_id": "c-1"}
    Inbound(pipeline.table, "fake", [""], pipeline.clock).apply(Change("comment", "c-1", pipeline.now, case_key=case_key, fields=fields))
    live(pipeline, hours=3)
    assert [clock for clock, _ in missed(pipeline)] == late


def ask_of_two(pipeline: Pipeline) -> dict[str, str]:
    """Two cases of one customer, by brand: a thread about one, a post about the other."""
    pipeline.send(a_signal("t-1", thread_id="t-1"), brand="acme")
    pipeline.send(a_signal("p-1"), brand="beta")
    pipeline.settle()
    return {case["brand"]: case["case_key"] for case in pipeline.cases()}


@pytest.mark.parametrize(("said", "late"), [({"thread_id": "t-1"}, ["beta"]), ({"parent_id": "p-1"}, ["acme"]), ({}, [])])
def test_a_reply_in_the_thread_of_one_case_leaves_the_clock_of_the_other_running(pipeline, said, late):
    ask_of_two(pipeline)
    reply(pipeline, **said)
    live(pipeline, hours=3)
    assert [case["brand"] for case in pipeline.cases() if case.get("missed")] == late


def test_a_comment_on_one_case_leaves_the_clock_of_the_other_running(pipeline):
    asked = ask_of_two(pipeline)
    fields = {"text": "The refund is on its way.", "public": True, "comment_id": "c-1"}
    Inbound(pipeline.table, "fake", [""], pipeline.clock).apply(Change("comment", "c-1", pipeline.now, case_key=asked["acme"], fields=fields))
    live(pipeline, hours=3)
    assert [case["brand"] for case in pipeline.cases() if case.get("missed")] == ["beta"]


def test_a_resolution_is_missed_while_the_case_is_open_and_a_band_set_by_hand_has_its_own_deadline(cloud):
    pipeline = Pipeline(cloud, FakeCrm(), policy="version: 2\nsla: {resolution: {targets: {P1: 60, P2: 600, P3: 600, P4: 600}}}")
    begin(pipeline)
    reply(pipeline)
    live(pipeline, hours=2)
    assert missed(pipeline) == []
    work_case(pipeline.table, pipeline.cases()[0]["case_key"], {"band": "P1", "reason": "the press"}, "Mo", pipeline.now)
    live(pipeline, minutes=10)
    assert missed(pipeline) == [("resolution", isoformat(ASKED + timedelta(hours=1)))]


def test_nobody_is_late_while_the_office_is_closed(cloud):
    pipeline = Pipeline(cloud, FakeCrm(), policy=QUICK + OFFICE)
    begin(pipeline)  # on a Saturday
    live(pipeline, hours=24)
    assert missed(pipeline) == []
    assert next(line for line in pipeline.cases()[0]["priority"]["lines"] if line["factor"] == "sla")["points"] == 0
    pipeline.now = START.replace(day=23, hour=10, minute=0)
    live(pipeline, minutes=10)
    assert missed(pipeline) == [("first", isoformat(START.replace(day=23)))]


def test_a_closed_case_waits_no_more_and_what_reopens_it_starts_anew(pipeline):
    begin(pipeline)
    live(pipeline, minutes=5)
    [case] = pipeline.cases()
    work_case(pipeline.raw_table, case["case_key"], {"status": "closed"}, "mo", pipeline.now)
    live(pipeline, hours=48)
    pipeline.send(a_signal("p-2", "It is down again. Really angry.", occurred_at=pipeline.now))
    pipeline.settle()
    [case] = pipeline.cases("open")
    [line] = [line for line in case["priority"]["lines"] if line["factor"] == "sla"]
    assert (case["reopened"], line["points"], missed(pipeline)) == (1, 0, [])
    live(pipeline, minutes=65)
    assert [clock for clock, _ in missed(pipeline)] == ["first"]


def test_the_line_of_the_wait_measures_by_the_same_target_as_the_deadline(cloud):
    pipeline = Pipeline(cloud, FakeCrm({"x:100": vip("enterprise", 300)}))
    begin(pipeline)
    [case] = pipeline.cases()
    assert case["priority"]["auto_band"] == "P3"
    live(pipeline, hours=8, minutes=5)
    [case] = pipeline.cases()
    [line] = [line for line in case["priority"]["lines"] if line["factor"] == "sla"]
    assert missed(pipeline) and line["points"] == 10 and case["priority"]["auto_band"] == "P2"
