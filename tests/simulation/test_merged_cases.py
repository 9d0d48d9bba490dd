"""Two cases of one issue become one when their customers are joined: what weighed in either weighs in it, what a person set stands, a split gives each back."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.customers import customer_id_of, load_customer
from caseline.errors import ConflictError
from caseline.signals import DELETED, UPDATED, Signal, isoformat
from caseline.unions import Unions

from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import FakeCrm, Pipeline, a_signal
from tests.simulation.test_looks import live

ANN, BEA = ("x:1",), ("x:2",)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(MemoryCloud(), FakeCrm())


def say(pipeline: Pipeline, name: str, text: str | None, who: tuple[str, ...] = (), **more: Any) -> Signal:
    pipeline.now += timedelta(minutes=5)
    signal = a_signal(name, text, identities=who, occurred_at=pipeline.now, received_at=pipeline.now, **more)
    pipeline.send(signal)
    pipeline.settle()
    return signal


def two_cases(pipeline: Pipeline) -> None:
    """Ann's light one, and Bea's, which half the world can read."""
    say(pipeline, "a", "Angry, a little.", ANN, reach=10)
    say(pipeline, "b", "Angry: it is down.", BEA, reach=500_000)


def unions(pipeline: Pipeline) -> Unions:
    return Unions(pipeline.raw_table, "mo", isoformat(pipeline.now))


def customer(pipeline: Pipeline, who: tuple[str, ...]) -> str:
    return str((load_customer(pipeline.raw_table, customer_id_of(who[0])) or {})["customer_id"])


def merge(pipeline: Pipeline) -> None:
    unions(pipeline).merge(customer(pipeline, ANN), customer(pipeline, BEA), "one person")
    pipeline.settle()


def split(pipeline: Pipeline) -> None:
    unions(pipeline).split(customer(pipeline, BEA), BEA[0], "two people")
    pipeline.settle()
    live(pipeline, minutes=45)


def case_of(pipeline: Pipeline, who: tuple[str, ...]) -> dict[str, Any]:
    (case,) = [case for case in pipeline.cases("open") if case["customer_id"] == customer(pipeline, who)]
    return case


def the_case(pipeline: Pipeline) -> dict[str, Any]:
    (case,) = pipeline.cases("open")
    return case


def names(pipeline: Pipeline, case: dict[str, Any]) -> list[str]:
    known = {row["signal_id"]: row["native_id"] for row in pipeline.rows("signal")}
    return sorted(known[signal_id] for signal_id in case["signal_ids"])


def test_what_weighed_in_either_weighs_in_the_one(pipeline):
    two_cases(pipeline)
    heavy = case_of(pipeline, BEA)["priority"]["score"]
    merge(pipeline)
    case = the_case(pipeline)
    assert case["priority"]["score"] >= heavy and names(pipeline, case) == ["a", "b"] and case["signal_count"] == 2
    assert case["version"] == case["pushed_version"]


def test_an_edit_of_what_came_with_the_other_is_heard_and_the_case_stands_while_any_of_it_does(pipeline):
    two_cases(pipeline)
    merge(pipeline)
    say(pipeline, "a", None, action=DELETED)
    assert names(pipeline, the_case(pipeline)) == ["a", "b"]
    say(pipeline, "b", "Solved. Thank you!", BEA, action=UPDATED, revision=isoformat(pipeline.now))
    assert not pipeline.cases("open")


@pytest.mark.parametrize("worked", [ANN, BEA])
def test_what_a_person_works_is_the_one_that_stands_and_so_does_what_was_set(pipeline, worked):
    two_cases(pipeline)
    case_key = case_of(pipeline, worked)["case_key"]
    work_case(pipeline.raw_table, case_key, {"band": "P2", "reason": "the press", "owner": "Mo"}, "Mo", pipeline.now)
    merge(pipeline)
    case = the_case(pipeline)
    assert (case["case_key"], case["priority"]["band"], case["owner"]) == (case_key, "P2", "Mo")


def test_of_two_that_people_work_the_older_stands_with_the_newer_of_what_they_said_of_the_band(pipeline):
    two_cases(pipeline)
    older, younger = case_of(pipeline, ANN), case_of(pipeline, BEA)
    work_case(pipeline.raw_table, older["case_key"], {"owner": "Mo"}, "Mo", pipeline.now)
    work_case(pipeline.raw_table, younger["case_key"], {"band": "P2", "reason": "the press"}, "Ana", pipeline.now)
    merge(pipeline)
    case = the_case(pipeline)
    assert (case["case_key"], case["owner"], case["priority"]["override"]["by"]) == (older["case_key"], "Mo", "Ana")
    split(pipeline)
    assert case_of(pipeline, ANN)["priority"]["override"] is None and case_of(pipeline, BEA)["priority"]["band"] == "P2"


def test_a_split_gives_each_its_own_again_with_what_was_said_meanwhile(pipeline):
    two_cases(pipeline)
    alone = case_of(pipeline, ANN)["priority"]["score"]
    merge(pipeline)
    say(pipeline, "c", "Angry, the same again.", BEA, reach=600_000)
    say(pipeline, "d", "Angry, me too.", ANN, reach=10)
    split(pipeline)
    one, other = case_of(pipeline, ANN), case_of(pipeline, BEA)
    assert (names(pipeline, one), names(pipeline, other)) == (["a", "d"], ["b", "c"])
    assert one["priority"]["score"] <= alone + 5 and other["priority"]["score"] >= 75
    assert one["weighs"] in one["signal_ids"] and other["weighs"] in other["signal_ids"]


def test_who_is_split_off_has_a_case_though_the_other_had_opened_it(pipeline):
    say(pipeline, "a", "Angry, a little.", ANN)
    say(pipeline, "t", "Thank you!", BEA)
    merge(pipeline)
    say(pipeline, "b", "Angry: it is down.", BEA)
    assert names(pipeline, the_case(pipeline)) == ["a", "b"]
    split(pipeline)
    assert (names(pipeline, case_of(pipeline, ANN)), names(pipeline, case_of(pipeline, BEA))) == (["a"], ["b"])


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_call_of_merge_and_split_it_ends_alike(after):
    for call in range(1, 60, 2):
        pipeline = Pipeline(MemoryCloud(), FakeCrm())
        two_cases(pipeline)
        pipeline.kill_at(call, after)
        pipeline._until_done(partial(merge_again, pipeline))
        pipeline.settle()
        assert names(pipeline, the_case(pipeline)) == ["a", "b"], call
        say(pipeline, "c", "Angry, the same again.", BEA)
        pipeline.kill_at(call, after)
        pipeline._until_done(partial(split_again, pipeline))
        pipeline.settle()
        assert names(pipeline, case_of(pipeline, ANN)) == ["a"] and names(pipeline, case_of(pipeline, BEA)) == ["b", "c"], call


@pytest.mark.parametrize("after", [False, True])
def test_cases_follow_a_merge_by_a_kind_word_though_its_worker_dies(after):
    for call in range(1, 14):
        pipeline = Pipeline(MemoryCloud(), FakeCrm())
        two_cases(pipeline)
        pipeline.send(a_signal("t", "Thank you!", identities=(*ANN, *BEA)))
        pipeline.kill_at(call, after)
        pipeline.settle()
        assert names(pipeline, the_case(pipeline)) == ["a", "b"], call


def merge_again(pipeline: Pipeline) -> None:
    Unions(pipeline.table, "mo", isoformat(pipeline.now)).merge(customer(pipeline, ANN), customer(pipeline, BEA))


def split_again(pipeline: Pipeline) -> None:
    with suppress(ConflictError):  # it was through, and its answer lost
        Unions(pipeline.table, "mo", isoformat(pipeline.now)).split(customer(pipeline, ANN), BEA[0])
