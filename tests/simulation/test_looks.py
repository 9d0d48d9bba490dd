"""An open case is judged again when time alone changes what its facts weigh: it rises with the wait, falls slowly, and closes when nothing is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from caseline.assessment import Assessment
from caseline.cases.changes import work_case
from caseline.cases.ledger import is_past
from caseline.signals import DELETED, OUTBOUND, UPDATED
from caseline.views.cases import case_summary

from tests.kit.accounts import vip
from tests.kit.aws import aws
from tests.kit.pipeline import FakeCrm, Pipeline, WordAnalyser, a_signal

SLOW = timedelta(minutes=30)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with aws() as cloud:
        yield Pipeline(cloud, FakeCrm({"x:100": vip("smb", 300)}))


def live(pipeline: Pipeline, **time: float) -> list[int]:
    """Minute by minute, as the schedule has it; the scores of the one case."""
    scores, until = [], pipeline.now + timedelta(**time)
    while pipeline.now < until:
        pipeline.now += timedelta(minutes=5)
        pipeline.watch()
        pipeline.settle()
        scores.append(pipeline.cases()[0]["priority"]["score"])
    return scores


def score(pipeline: Pipeline) -> int:
    return int(pipeline.cases()[0]["priority"]["score"])


def test_a_case_rises_while_nobody_answers_and_costs_a_run_only_when_due(pipeline):
    pipeline.send(a_signal())
    pipeline.settle()
    first, runs = score(pipeline), len(pipeline.executions)
    scores = live(pipeline, hours=25)
    assert scores == sorted(scores) and scores[-1] > first
    assert any("reply target missed" in line["text"] for line in pipeline.cases()[0]["priority"]["lines"] if line["factor"] == "floor")
    assert len(pipeline.executions) - runs <= 5


def test_an_answer_lets_it_fall_but_not_before_it_has_been_lower_for_half_an_hour(pipeline):
    pipeline.send(a_signal())
    pipeline.settle()
    live(pipeline, hours=13)
    high = score(pipeline)
    pipeline.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, occurred_at=pipeline.now, agent="Mo"))
    pipeline.settle()
    scores, said = [], set()
    for _ in range(14 * 12):
        scores += live(pipeline, minutes=5)
        said.add(pipeline.cases()[0].get("lower_why", ""))
    assert scores[0] == high and scores[-1] < high and pipeline.cases()[0]["status"] == "open"
    [why] = said - {""}
    assert why.startswith(f"{scores[-1]} P4 by now, {high} P4 before; sla 0 instead of 3: nothing waits for a reply")
    assert not pipeline.cases()[0]["lower_why"]


def test_a_case_says_within_minutes_that_it_was_answered(pipeline):
    pipeline.send(a_signal())
    pipeline.settle()
    live(pipeline, minutes=30)
    (case,) = pipeline.cases()
    assert case["waits_since"] == case["first_signal_at"] == case_summary(case)["waiting_since"]
    pipeline.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, occurred_at=pipeline.now, agent="Mo"))
    pipeline.settle()
    live(pipeline, minutes=5)
    assert case_summary(pipeline.cases()[0])["waiting_since"] is None and pipeline.cases()[0]["version"] == case["version"], "no news for the CRM"


@pytest.mark.parametrize("place", [{"parent_id": "praise"}, {"kind": "message", "thread_id": "t-1"}])
def test_a_reply_that_came_before_what_it_names_answers_the_case_once_that_is_there(pipeline, place):
    kind = {"kind": "message", "thread_id": "t-1"} if "thread_id" in place else {}
    pipeline.send(a_signal())
    pipeline.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, identities=(), occurred_at=pipeline.now, agent="Mo", **place))
    pipeline.settle()
    live(pipeline, minutes=10)
    assert case_summary(pipeline.cases()[0])["waiting_since"]
    pipeline.send(a_signal("praise", "Thank you for the gift!", **kind))
    pipeline.settle()
    live(pipeline, minutes=5)
    assert case_summary(pipeline.cases()[0])["waiting_since"] is None


def test_a_human_band_stands_while_the_score_falls(pipeline):
    pipeline.send(a_signal())
    pipeline.settle()
    live(pipeline, hours=13)
    case = pipeline.cases()[0]
    work_case(pipeline.table, case["case_key"], {"band": "P1", "reason": "board member"}, "Mo", pipeline.now)
    pipeline.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, occurred_at=pipeline.now, agent="Mo"))
    pipeline.settle()
    live(pipeline, hours=14)
    priority = pipeline.cases()[0]["priority"]
    assert priority["band"] == "P1" and priority["override"]["by"] == "Mo" and priority["score"] < case["priority"]["score"]


def test_a_case_whose_only_signal_is_deleted_is_closed_and_gives_its_claim_back(pipeline):
    pipeline.send(a_signal())
    pipeline.settle()
    pipeline.send(a_signal(text=None, action=DELETED, revision="2"))
    pipeline.settle()
    assert [case["status"] for case in pipeline.cases()] == ["closed"] and all(is_past(row) for row in pipeline.rows("claim"))
    pipeline.send(a_signal("p-2"))
    pipeline.settle()
    assert sorted(case["status"] for case in pipeline.cases()) == ["closed", "open"]


def test_deleting_the_heavier_of_two_lets_the_case_fall_at_once_to_what_is_left(pipeline):
    light = a_signal("p-1", reach=10)
    heavy = a_signal("p-2", reach=2_000_000)
    pipeline.send(light)
    pipeline.settle()
    alone = score(pipeline)
    pipeline.send(heavy)
    pipeline.settle()
    assert score(pipeline) > alone
    pipeline.send(replace(heavy, text=None, action=DELETED, revision="2"))
    pipeline.settle()
    assert score(pipeline) <= alone + 2, "what it was judged by is gone: it does not wait for half an hour"
    assert live(pipeline, minutes=45)[-1] <= alone + 2


def test_the_heaviest_of_many_signals_still_counts(pipeline):
    pipeline.send(a_signal("p-0", reach=2_000_000))
    pipeline.settle()
    high = score(pipeline)
    for number in range(1, 26):
        pipeline.send(a_signal(f"p-{number}", reach=10))
        pipeline.settle()
    assert live(pipeline, hours=1)[-1] >= high


def test_an_edit_that_is_about_something_else_renames_the_case(pipeline):
    class Editor(type(pipeline.analyser)):
        def _assess(self, text: str) -> Any:
            found = super()._assess(text)
            return replace(found, category="billing") if "invoice" in text else found

    pipeline.analyser = Editor()
    pipeline.send(a_signal())
    pipeline.settle()
    pipeline.send(a_signal(text="Angry about a wrong invoice.", action=UPDATED, revision="2"))
    pipeline.settle()
    (case,) = pipeline.cases()
    assert (case["category"], case["status"]) == ("billing", "open")
    assert [claim["SK"] for claim in pipeline.rows("claim")] == ["acme#billing"]


class Issues(WordAnalyser):
    """The issue is the first word."""

    def _assess(self, text: str) -> Assessment:
        return replace(super()._assess(text), category=text.split()[0])


def complain_of_four(pipeline):
    pipeline.analyser = Issues()
    for issue in ("billing", "delivery", "defect", "service"):
        pipeline.send(a_signal(f"p-{issue}", f"{issue} trouble. Angry."))
        pipeline.settle()
    live(pipeline, minutes=5)


def test_a_new_case_beside_the_others_is_weighed_by_all_of_them(pipeline):
    complain_of_four(pipeline)
    assert [case["priority"]["score"] >= 55 for case in pipeline.cases("open")] == [True] * 4
    assert {line["text"] for case in pipeline.cases() for line in case["priority"]["lines"] if line["factor"] == "repeat"} == {
        "3 other unresolved cases, 0 of this category in 30 days"
    }


def test_a_case_falls_soon_after_those_beside_it_were_closed(pipeline):
    complain_of_four(pipeline)
    for case in pipeline.cases("open")[:3]:
        work_case(pipeline.raw_table, case["case_key"], {"status": "closed"}, "Mo", pipeline.now)
        pipeline.settle()
    live(pipeline, minutes=45)
    (case,) = pipeline.cases("open")
    assert case["priority"]["score"] < 55 and next(line["points"] for line in case["priority"]["lines"] if line["factor"] == "repeat") == 0
