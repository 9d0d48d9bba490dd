"""A policy on trial against the cases of the whole way through: what it would change is told, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.errors import QueryError
from caseline.policy import SHIPPED, load_policy
from caseline.policy_trial import try_policy
from caseline.signals import UPDATED, isoformat
from caseline_local.cli.policy_diff import compare
from caseline_local.cli.policy_trial import gather

from tests.kit.accounts import vip
from tests.kit.aws import aws
from tests.kit.pipeline import FakeCrm, Pipeline, a_signal
from tests.simulation.test_joining import IssueAnalyser

SHIPPED_TEXT = SHIPPED.read_text(encoding="utf-8")


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with aws() as cloud:
        yield Pipeline(cloud, FakeCrm({"x:100": vip("smb", 300)}))


def trial(pipeline: Pipeline, policy: str, **more: Any) -> dict[str, Any]:
    return try_policy(pipeline.table, pipeline.policy, {"policy": policy, **more})


def furnish(pipeline: Pipeline) -> None:
    pipeline.send(a_signal())
    pipeline.send(*(a_signal(f"q-{n}", "Where do I find the invoice?", identities=(f"x:20{n}",)) for n in range(3)))
    pipeline.settle()


def test_the_policy_that_stands_changes_nothing_and_nothing_is_written(pipeline):
    furnish(pipeline)
    before = pipeline.cloud.client("dynamodb").scan(TableName=pipeline.cloud.table)["Items"]
    report = gather(lambda wanted: try_policy(pipeline.table, pipeline.policy, wanted), {"policy": SHIPPED_TEXT}, ("open", "closed"), 1000)
    assert report["judged"] == 4 and report["cases"] == [] and not any(report["counts"].values())
    assert pipeline.cloud.client("dynamodb").scan(TableName=pipeline.cloud.table)["Items"] == before
    judged = {case["case_key"]: case["standing"]["score"] for case in trial(pipeline, SHIPPED_TEXT)["cases"]}
    assert judged == {case["case_key"]: case["priority"]["score"] for case in pipeline.cases()}


def test_a_case_that_opened_again_and_one_that_lost_a_signal_are_judged_as_they_were(pipeline):
    """What was asked before it was closed waits no more; what was edited to be grave has a case of its own since."""
    pipeline.analyser = IssueAnalyser()
    for name, words in (("p-1", "My parcel is late."), ("p-2", "Where is the parcel?")):
        pipeline.now += timedelta(minutes=1)
        pipeline.send(a_signal(name, words, occurred_at=pipeline.now, received_at=pipeline.now))
        pipeline.settle()
        if name == "p-1":
            pipeline.now += timedelta(minutes=1)
            work_case(pipeline.table, pipeline.cases()[0]["case_key"], {"status": "closed"}, "ana", pipeline.now)
            pipeline.settle()
            pipeline.now += timedelta(days=1)
    edited = {"occurred_at": pipeline.now, "received_at": pipeline.now, "action": UPDATED, "revision": isoformat(pipeline.now)}
    pipeline.send(a_signal("p-1", "Smoke comes out of it!", **edited))
    pipeline.settle()
    judged = {case["category"]: case["standing"]["score"] for case in trial(pipeline, SHIPPED_TEXT)["cases"]}
    assert judged == {case["category"]: case["priority"]["score"] for case in pipeline.cases("open")} and judged.keys() == {"delivery", "safety"}


def test_other_numbers_bands_and_queues_are_told_with_their_lines(pipeline):
    furnish(pipeline)
    text = "version: 2\ntiers: {points: {strategic: 20, enterprise: 16, smb: 19}}\nrouting: {default: desk, rules: []}\nbands: {P1: 60, P2: 30, P3: 20}\n"
    found = {case["customer_id"]: case for case in trial(pipeline, text)["cases"]}
    case = next(case for case in found.values() if case["category"] == "service")
    assert case["proposed"]["score"] == case["standing"]["score"] + 13 and "+13 smb account" in case["why"]
    assert case["proposed"]["queue"] == "desk" and case["proposed"]["band"] != case["standing"]["band"]


def test_what_would_be_no_case_and_what_would_be_one(pipeline):
    furnish(pipeline)
    report = gather(lambda wanted: try_policy(pipeline.table, pipeline.policy, wanted), {"policy": "version: 2\nneed: {questions: false}"}, ("open",), 1000)
    assert report["counts"]["dropped"] == 3 == report["counts"]["lowered"] and report["counts"]["added"] == 0
    assert sum(case["proposed"] is None for case in report["cases"]) == 3
    pipeline.send(a_signal("n-1", "The lift was slow again."))
    pipeline.settle()
    found = trial(pipeline, "version: 2\nneed: {categories: [unknown]}")
    assert found["uncased"] == [row["signal_id"] for row in pipeline.rows("signal") if row["native_id"] == "n-1"]


def test_pages_join_to_all_cases_once_and_a_wrong_policy_is_refused(pipeline):
    furnish(pipeline)
    seen, after = [], None
    while True:
        page = trial(pipeline, SHIPPED_TEXT, limit=1, after=after)
        seen += [case["case_key"] for case in page["cases"]]
        after = page["next"]
        if not after:
            break
    assert sorted(seen) == [case["case_key"] for case in pipeline.cases()]
    with pytest.raises(QueryError, match="P1 above P2"):
        trial(pipeline, "version: 2\nbands: {P1: 10}")


def test_policies_are_compared_number_by_number():
    changes = compare(load_policy(), load_policy("version: 1\nbands: {P1: 80}\nneed: {questions: false}"))
    assert changes == [{"place": "bands.P1", "old": 75, "new": 80}, {"place": "need.questions", "old": True, "new": False}]
