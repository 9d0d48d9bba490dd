"""Reports over the whole way through: any order and repetition of a history gives the same figures, and a deletion takes away what it had added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.customers import Claimed, link
from caseline.health.churn import find_signs
from caseline.health.history import read_history
from caseline.health.score import find_health
from caseline.reports.asking import read_facts, read_report, read_window
from caseline.reports.report import make_report
from caseline.signals import DELETED, OUTBOUND, UPDATED, Rating, Signal
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline, a_signal

ANN, BOB = ("email:ann@north.example",), ("x:200",)


def minutes(before: float) -> Any:
    return {"occurred_at": START - timedelta(minutes=before), "received_at": START}


def survey(name: str, value: float, who: Sequence[str], before: float, metric: str = "nps", high: float = 10, **more: Any) -> Signal:
    low = 0 if metric == "nps" else 1
    return a_signal(name, None, kind="survey_response", public=False, identities=who, rating=Rating(metric, value, low, high), **minutes(before), **more)


HISTORY = [
    a_signal("p-1", "Angry: it is down.", identities=ANN, **minutes(900)),
    a_signal("p-2", "Angry: still down.", identities=ANN, **minutes(800)),
    a_signal("r-1", "We are on it.", identities=ANN, direction=OUTBOUND, agent="Mo", **minutes(700)),
    a_signal("r-0", "We got your words.", identities=ANN, direction=OUTBOUND, attributes={"auto_reply": True}, **minutes(899)),
    a_signal("p-3", "Angry: down once more.", identities=ANN, **minutes(100)),
    a_signal("p-4", "Angry about this.", identities=BOB, **minutes(3000)),
    a_signal("p-5", "Thank you!", identities=BOB, **minutes(2900)),
    survey("n-1", 2, ANN, 60), survey("n-2", 9, ANN, 50), survey("n-3", 0, BOB, 40),
    survey("n-4", 10, ("x:300",), 30), survey("n-4", 6, ("x:300",), 30, action=UPDATED, revision="2026-11-21T09:59:00Z"),
    survey("c-1", 5, BOB, 20, "csat", 5), survey("c-2", 1, BOB, 10, "csat", 5),
    survey("n-5", 10, BOB, 5), a_signal("n-5", None, identities=(), action=DELETED, received_at=START),
]  # fmt: skip
OPEN_SINCE = {"from": "2026-11-01", "to": "2026-11-21T10:00:01Z"}


def report_of(pipeline: Pipeline, **query: str) -> dict[str, Any]:
    found = read_report(pipeline.raw_table, pipeline.policy, ["acme"], [""], OPEN_SINCE | query, pipeline.now)
    return {name: value for name, value in found.items() if name not in ("as_of", "definitions")}


def play(pipeline: Pipeline, history: Sequence[Signal], cuts: set[int] = frozenset(range(99))) -> dict[str, Any]:
    for place, signal in enumerate(history):
        pipeline.send(signal)
        if place in cuts:
            pipeline.settle()
    pipeline.settle()
    pipeline.now += timedelta(minutes=2)  # a reply, and one taken back, has its cases judged again in a minute
    pipeline.watch()
    pipeline.settle()
    return report_of(pipeline) | {"standing": standing(pipeline)}


def standing(pipeline: Pipeline) -> dict[str, Any]:
    """Health and signs of leaving, of each customer; which of its signals a case is named after depends on what came first."""
    people = {row["customer_id"]: row for row in pipeline.rows("customer") if not row.get("merged_into")}
    known = {name: read_history(pipeline.raw_table, row, pipeline.now) for name, row in people.items()}
    health, signs = ({name: find(pipeline.policy, each) for name, each in known.items() if each.heard} for find in (find_health, find_signs))
    return {name: (health[name]["value"], [line["text"] for line in health[name]["lines"]], signs[name]["text"]) for name in sorted(health)}


@pytest.fixture(scope="module")
def in_order():
    return play(Pipeline(MemoryCloud(), FakeCrm()), HISTORY)


def test_the_figures_of_a_history_by_hand(in_order):
    nps = in_order["nps"]
    assert (nps["promoters"], nps["detractors"], nps["n"], nps["superseded"], nps["value"]) == (1, 2, 3, 1, -33)
    assert [(each["value"], each["n"], each["mean"]) for each in in_order["csat"]] == [(50, 2, 3)]
    first = in_order["response_times"]["first"]
    assert first == {"n": 1, "mean": 200, "median": 200, "p90": 200}
    rows = {(row["clock"], row["level"]): row for row in in_order["sla"]}
    assert {name: rows[("first", "negative")][name] for name in ("met", "missed", "open")} == {"met": 1, "missed": 1, "open": 0}
    assert {name: rows[("next", "negative")][name] for name in ("met", "missed", "open")} == {"met": 0, "missed": 0, "open": 1}
    (service,) = [row for row in in_order["repeat_contacts"]["categories"] if row["category"] == "service"]
    assert (service["contacts"], service["repeats"], service["cases"]) == (4, 2, 2)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(
    order=st.permutations(range(len(HISTORY))), cuts=st.sets(st.integers(0, len(HISTORY))), again=st.lists(st.integers(0, len(HISTORY) - 1), max_size=4)
)
def test_any_order_and_repetition_gives_the_same_figures(in_order, order, cuts, again):
    assert play(Pipeline(MemoryCloud(), FakeCrm()), [HISTORY[index] for index in [*order, *again]], cuts) == in_order


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@example(gone={"p-1", "r-1"})  # what a reply answered waits again
@given(gone=st.sets(st.sampled_from(["p-1", "p-2", "p-3", "p-4", "n-1", "n-2", "n-3", "c-1", "r-1"]), min_size=1, max_size=4))
def test_a_deletion_takes_away_exactly_what_it_had_added(gone):
    without = play(Pipeline(MemoryCloud(), FakeCrm()), [signal for signal in HISTORY if signal.native_id not in gone])
    deletions = [a_signal(name, None, action=DELETED, identities=(), received_at=START) for name in sorted(gone)]
    assert play(Pipeline(MemoryCloud(), FakeCrm()), [*HISTORY, *deletions]) == without


@pytest.fixture
def pipeline():
    return Pipeline(MemoryCloud(), FakeCrm())


def test_figures_follow_a_merge_and_leave_out_whom_the_policy_excludes(pipeline):
    before = play(pipeline, HISTORY)
    link(pipeline.raw_table, Claimed([*ANN, *BOB], "a person", "2026-11-21T10:00:00.000000Z"))
    assert report_of(pipeline)["nps"]["n"] == before["nps"]["n"] - 1
    exclude = {"exclude": ["domain:north.example"]}
    pipeline.policy = pipeline.policy.model_copy(update={"metrics": pipeline.policy.metrics.model_copy(update=exclude)})
    assert report_of(pipeline)["nps"]["n"] == 1 and report_of(pipeline)["sla"] == []


def test_pages_of_facts_come_to_the_same_report(pipeline, monkeypatch):
    play(pipeline, HISTORY)
    whole = report_of(pipeline)
    monkeypatch.setattr("caseline.reports.reading.PAGE", 2)
    facts: list[Any] = []
    query = dict(OPEN_SINCE)
    while True:
        page = read_facts(pipeline.raw_table, pipeline.policy, ["acme"], [""], query, pipeline.now)
        facts += page["facts"]
        if not page["next"]:
            break
        query["after"] = page["next"]
    found = make_report(read_window(OPEN_SINCE, ["acme"], pipeline.now), [*facts, *facts[::-1]], page["as_of"], page["policy"])
    assert {name: value for name, value in found.items() if name in whole} == whole


def test_resolution_and_coming_again(pipeline):
    play(pipeline, [replace(signal, attributes={}) for signal in HISTORY[:3]])
    (case,) = pipeline.cases()
    work_case(pipeline.raw_table, case["case_key"], {"status": "closed"}, "Mo", START)
    (service,) = report_of(pipeline)["repeat_contacts"]["categories"]
    assert (service["resolved"], service["first_contact_resolution"]) == (1, 100)
    assert report_of(pipeline)["response_times"]["resolution"]["mean"] == 900
    pipeline.now = START + timedelta(minutes=5)
    pipeline.send(a_signal("p-9", "Angry again: it is down.", identities=ANN, occurred_at=pipeline.now, received_at=pipeline.now))
    pipeline.settle()
    found = report_of(pipeline, to="2026-11-22")
    (service,) = found["repeat_contacts"]["categories"]
    assert service["first_contact_resolution"] in (0, None)
