"""What has been kept long enough goes, with all that hangs on it, and nothing before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.departures import forget_customers
from caseline.publishing import read_records
from caseline.retention import Retention

from tests.kit.aws import aws
from tests.kit.pipeline import Pipeline, a_signal


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with aws() as cloud:
        yield Pipeline(cloud, policy=None)


def sweep(pipeline: Pipeline, **days: int) -> int:
    kept = pipeline.policy.retention.model_copy(update=days)
    return Retention(pipeline.table, pipeline.policy.model_copy(update={"retention": kept}), pipeline.clock, builtin=True).sweep()


def left_of(pipeline: Pipeline, words: str) -> list[Any]:
    kinds = ("case", "history", "note", "claim", "customer", "signal", "crm_case")
    return [row for kind in kinds for row in pipeline.rows(kind) if words in repr(row)]


def test_a_closed_case_goes_when_the_policy_says_and_an_open_one_never(pipeline: Pipeline) -> None:
    for who in ("x:1", "x:2"):
        pipeline.send(a_signal(f"p-{who}", "I am angry.", identities=(who,)))
    pipeline.settle()
    closed, still_open = pipeline.cases()
    work_case(pipeline.table, closed["case_key"], {"note": "done", "status": "closed"}, "ann", pipeline.now)
    pipeline.now += timedelta(minutes=1)
    pipeline.watch()
    pipeline.now += timedelta(days=30)
    assert sweep(pipeline, cases=31) == 0 and len(pipeline.cases()) == 2
    assert sweep(pipeline, cases=29) == 1
    assert [case["case_key"] for case in pipeline.cases()] == [still_open["case_key"]]
    assert not [row for row in left_of(pipeline, closed["case_key"]) if row["type"] != "signal"]
    assert sweep(pipeline, cases=29) == 0


def test_a_customer_goes_with_the_last_signal_and_not_before(pipeline: Pipeline) -> None:
    pipeline.send(a_signal("p-1", "hello", identities=("x:1", "email:a@elm.example"), author_name="Ann"))
    pipeline.send(a_signal("p-2", "hello", identities=("email:a@elm.example",), author_name="Ann"))
    pipeline.send(a_signal("p-3", "hello", identities=("x:2",), author_name="By"))
    pipeline.settle()
    mine = [row for row in pipeline.rows("signal") if "x:2" not in row["identities"]]
    for row, known in zip(mine, (2, 0), strict=True):
        pipeline.table.delete(row["PK"], row["SK"])  # as the table's own clock does
        for _ in range(2):
            records = read_records(pipeline.cloud.stream_records())
            forget_customers(pipeline.table, records, lambda brand: "", "builtin")
        assert len(left_of(pipeline, "email:a@elm.example")) - len([r for r in pipeline.rows("signal") if "email:a@elm.example" in repr(r)]) == known
    assert {row["name"] for row in pipeline.rows("customer")} == {"By"}
