"""What may go wrong on the way, and what stands all the same: outages, lost answers, poison, and being killed at every call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from caseline.errors import CrmRateLimitError, CrmUnavailableError, UnavailableError

from tests.kit.accounts import vip
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import PRAISE, FakeCrm, Pipeline, a_signal


def test_the_crm_down_loses_nothing_and_is_visible(cloud):
    crm = FakeCrm({"x:100": vip()}, fail=[CrmUnavailableError("down") for _ in range(100)])
    pipeline = Pipeline(cloud, crm)
    pipeline.send(a_signal())
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["crm"]["sync"] == "failed" and case["due_shard"] == "due" and pipeline.failed
    crm.fail.clear()
    pipeline.now += timedelta(minutes=5)
    pipeline.watch()
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["crm"]["sync"] == "synced" and case["pushed_version"] == case["version"]


def test_a_lost_reply_of_the_crm_makes_no_second_case(cloud):
    crm = FakeCrm({"x:100": vip()}, lose=[CrmUnavailableError("lost"), CrmRateLimitError("slow down")])
    pipeline = Pipeline(cloud, crm)
    pipeline.send(a_signal())
    pipeline.settle()
    assert crm.created == 1 and len(pipeline.cases()) == 1


def test_an_odd_item_is_quarantined_beside_its_neighbours(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal(text=PRAISE), unreadable=[{"reason": "no id", "field": "data.id", "raw": {"a": 1}}])
    pipeline.settle()
    assert pipeline.counts() == {"recorded": 1, "revised": 0, "duplicates": 0, "quarantined": 1}


def _calls_of_a_clean_run() -> int:
    pipeline = Pipeline(MemoryCloud(), FakeCrm({"x:100": vip()}))
    pipeline.send(a_signal(identities=("x:100", "email:ann@north.example")), a_signal("p-2", text=PRAISE))
    pipeline.settle()
    return pipeline.grim.calls


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_call_the_state_is_the_same(after):
    for call in range(1, _calls_of_a_clean_run() + 1):
        crm = FakeCrm({"x:100": vip()})
        pipeline = Pipeline(MemoryCloud(), crm)
        pipeline.kill_at(call, after)
        pipeline.send(a_signal(identities=("x:100", "email:ann@north.example")), a_signal("p-2", text=PRAISE))
        pipeline.settle()
        (case,) = pipeline.cases()
        assert crm.created == 1 and case["pushed_version"] == case["version"] and case["priority"]["band"] == "P1", call
        assert pipeline.counts() == {"recorded": 2, "revised": 0, "duplicates": 0, "quarantined": 0}, call
        assert pipeline.alerts, call


class SilentAnalyser:
    """Down until it is told otherwise."""

    def assess(self, texts):
        raise UnavailableError("throttled")


def test_an_analyser_that_is_down_is_stood_in_for(cloud):
    pipeline = Pipeline(cloud, FakeCrm({"x:100": vip()}), analyser=SilentAnalyser())
    pipeline.send(a_signal())
    pipeline.settle()
    assert [case["priority"]["band"] for case in pipeline.cases()] == ["P1"]
    assert pipeline.rows("signal")[0]["assessment"]["model"] == "words" and pipeline.counts()["recorded"] == 1


def test_a_poison_message_comes_again_alone(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    poison = pipeline.send(a_signal("bad"))
    poison.envelope["signals"][0]["occurred_at"] = 7
    pipeline.send(a_signal("good", text=PRAISE))
    failed = pipeline.recorder().record(pipeline.queue)
    assert failed == [poison.message_id] and [row["native_id"] for row in pipeline.rows("signal")] == ["good"]


def test_a_signal_the_table_refuses_delays_none_of_its_envelope(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    huge = a_signal("huge", text=PRAISE, attributes={"notes": "n" * 500_000})
    pipeline.send(a_signal("one", text=PRAISE), huge, a_signal("two", text=PRAISE))
    message = pipeline.queue.pop()
    assert pipeline.recorder().record([message]) == []
    assert {row["native_id"] for row in pipeline.rows("signal")} == {"one", "two"}
    (again,) = pipeline.queue
    assert [signal["native_id"] for signal in again.envelope["signals"]] == ["huge"]
    assert pipeline.recorder().record([again]) == [again.message_id]
