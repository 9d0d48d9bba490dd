"""Runs that die where a state machine can die, and what starts them again."""

from datetime import timedelta

import pytest
from caseline.views import show_case

from tests.kit.aws import aws
from tests.kit.pipeline import Pipeline, a_signal


@pytest.fixture
def pipeline():
    with aws() as cloud:
        yield Pipeline(cloud)


def open_cases(pipeline):
    return list(pipeline.raw_table.list_rows("CASES#open"))


@pytest.mark.parametrize("failure", [None, "UnavailableError"])
def test_an_execution_that_died_before_its_first_step_is_followed_by_one_of_another_name(pipeline, failure):
    """Stopped by hand, or refused in its first step: its name stays taken, and the row knows nothing of it."""
    pipeline.send(a_signal())
    pipeline._deliver_queue()
    pipeline._deliver_stream()
    ((died, state),) = pipeline.executions.items()
    pipeline.waiting.clear()
    if failure:
        pipeline.raw_table.update(state["run"]["key"], "RUN", "SET failure = :failure", failure=failure)
    pipeline.now += timedelta(minutes=3)
    pipeline.watch()
    pipeline.settle()
    assert len(open_cases(pipeline)) == 1 and len(pipeline.executions) == 2 and died in pipeline.executions


def test_a_run_that_is_done_leaves_the_list_of_what_is_due(pipeline):
    pipeline.send(a_signal())
    pipeline.settle()
    pipeline.raw_table.update(next(iter(pipeline.executions.values()))["run"]["key"], "RUN", "SET due_shard = :due, due_at = :at", due="due", at="2026")
    pipeline.watch()
    assert not [row for row in pipeline.raw_table.query("due", index="due") if row["PK"].startswith("RUN#")]


def test_a_flood_of_one_customer_is_taken_in_parts_and_nothing_of_it_is_lost(pipeline, monkeypatch):
    monkeypatch.setattr("caseline.runs.AT_ONCE", 3)
    pipeline.send(*(a_signal(f"p-{number}") for number in range(10)))
    pipeline.settle()
    (case,) = open_cases(pipeline)
    assert case["signal_count"] == 10 and len(pipeline.executions) == 4


@pytest.mark.parametrize("failure", [None, "Killed"])
def test_what_a_dead_run_has_judged_comes_to_the_crm_all_the_same(pipeline, failure):
    """It died between its last two steps, with a word or without: the case is on no list of its own, the run's row is."""
    pipeline.send(a_signal())
    pipeline._deliver_queue()
    pipeline._deliver_stream()
    ((_, state),) = pipeline.executions.items()
    pipeline.waiting.clear()
    pipeline.prioritise(pipeline.look_up(state))
    (case,) = pipeline.cases()
    assert (case["pushed_version"], case["due_shard"]) == (0, "look")
    if failure:
        pipeline.raw_table.update(state["run"]["key"], "RUN", "SET failure = :failure", failure=failure)
    pipeline.now += timedelta(minutes=3)
    pipeline.watch()
    (case,) = pipeline.cases()
    assert (case["pushed_version"], case["due_shard"]) == (case["version"], "look")
    assert not list(pipeline.raw_table.query("due", index="due"))


def test_each_version_leaves_its_line_once_also_when_it_dies_on_the_way(pipeline):
    """The newest stands in the case's row until the next is written."""
    for number in range(3):
        pipeline.send(a_signal(f"p-{number}"))
        pipeline.now += timedelta(minutes=1)
        if number == 2:
            pipeline.kill_at(20, after=True)
        pipeline.settle()
    (case,) = pipeline.cases()
    history = [(line["version"], line["what"]) for line in show_case(pipeline.raw_table, case["case_key"])["history"] if line["what"] != "sync"]
    assert history == [(3, "joined"), (2, "joined"), (1, "opened")] and [line["version"] for line in case["told"]] == [3]
