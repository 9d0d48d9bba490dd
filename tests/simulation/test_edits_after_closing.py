"""A signal that its author changes after its case was closed: what it says anew is heard, and a corrected word opens nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.cases.inbound import Inbound
from caseline.crm import Change
from caseline.signals import DELETED, UPDATED, Rating, Signal, isoformat

from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import FakeCrm, Pipeline, a_signal
from tests.simulation.test_joining import IssueAnalyser, entries, told_of

LATE = "The parcel is late, and nobody can tell me where it is."


class Mild(IssueAnalyser):
    """Nothing bad is said where it is fine."""

    def _assess(self, text: str) -> Any:
        return super()._assess("thanks" if "fine" in text else text)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(MemoryCloud(), FakeCrm(), Mild())


def tell(pipeline: Pipeline, text: str | None, minutes: float = 5, **more: Any) -> Signal:
    """The one signal, as it is from now on."""
    pipeline.now += timedelta(minutes=minutes)
    facts = {"occurred_at": pipeline.now, "received_at": pipeline.now, "revision": isoformat(pipeline.now), **more}
    signal = a_signal(text=text, **{"action": UPDATED if pipeline.accepted else "created", **facts})
    pipeline.send(signal)
    pipeline.settle()
    return signal


def close(pipeline: Pipeline) -> None:
    (case,) = pipeline.cases("open")
    work_case(pipeline.raw_table, case["case_key"], {"status": "closed"}, "ana", pipeline.now)
    pipeline.settle()


def standing(pipeline: Pipeline) -> list[tuple[str, str, int]]:
    return [(case["status"], case["category"], case["signal_count"]) for case in sorted(pipeline.cases(), key=lambda case: case["opened_at"])]


def test_a_review_that_is_revised_to_praise_and_back_has_its_case_again(pipeline):
    tell(pipeline, LATE, kind="review", rating=Rating("stars", 1, 1, 5))
    tell(pipeline, "All is fine now.", kind="review", rating=Rating("stars", 5, 1, 5))
    assert standing(pipeline) == [("closed", "delivery", 1)]
    tell(pipeline, LATE, kind="review", rating=Rating("stars", 1, 1, 5))
    assert standing(pipeline) == [("open", "delivery", 1)]
    (case,) = pipeline.cases()
    assert case["pushed_version"] == case["version"] and pipeline.crm.cases[case["case_key"]].status == "open"
    assert case["reopened"] == 1 and any(text.startswith("reopened: its author changed what it says") for text in told_of(pipeline, case))
    tell(pipeline, None, action=DELETED)
    assert standing(pipeline) == [("closed", "delivery", 1)]


def test_stars_alone_go_up_and_down_as_well(pipeline):
    for stars, status in ((1, "open"), (5, "closed"), (1, "open")):
        tell(pipeline, None, kind="review", rating=Rating("stars", stars, 1, 5))
        assert [case["status"] for case in pipeline.cases()] == [status]


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (LATE.replace("late", "late!"), [("closed", "delivery", 1)]),
        (LATE.replace("nobody", "noboby"), [("closed", "delivery", 1)]),
        (LATE + " Edit: three weeks later still the same, what a shameful company this has become.", [("open", "delivery", 1)]),
        ("Smoke comes out of it, and it is black now.", [("closed", "delivery", 1), ("open", "safety", 1)]),
    ],
)
def test_what_is_said_anew_after_an_agent_closed_the_case_is_heard_and_a_corrected_word_is_not(pipeline, words, after):
    tell(pipeline, LATE)
    close(pipeline)
    tell(pipeline, words)
    assert standing(pipeline) == after
    pipeline.requeue({**pipeline.send(a_signal("other", "Thanks, fine.")).envelope})
    pipeline.settle()
    assert standing(pipeline) == after


def test_it_is_told_by_what_stood_when_the_case_was_closed(pipeline):
    tell(pipeline, LATE)
    tell(pipeline, "Where does my parcel stay, please tell me the day.")
    close(pipeline)
    tell(pipeline, "Where does my parcel stay, please tell me the day!")
    assert standing(pipeline) == [("closed", "delivery", 1)]
    pipeline.now += timedelta(minutes=5)
    for minute, words in enumerate(("The driver threw the parcel over our fence into the pond.", "The driver threw the parcel over our fence into the pond!")):
        pipeline.now += timedelta(seconds=minute)
        pipeline.send(a_signal(text=words, action=UPDATED, revision=isoformat(pipeline.now), received_at=pipeline.now))
    pipeline.settle()
    assert standing(pipeline) == [("open", "delivery", 1)]


def test_a_case_that_may_not_open_again_is_followed_by_a_new_one_each_time(pipeline):
    tell(pipeline, LATE)
    for number in range(2):
        (case,) = pipeline.cases("open")
        Inbound(pipeline.table, "fake", ("",), pipeline.clock).apply(Change("case", case["crm"]["id"], pipeline.now, case["case_key"], {"status": "closed"}))
        pipeline.settle()
        tell(pipeline, ("The driver threw my parcel into the pond and laughed.", "Somebody else opened the parcel, shoes are missing.")[number])
        assert [status for status, _, _ in standing(pipeline)] == ["closed"] * (number + 1) + ["open"]
    assert pipeline.cases("open")[0]["follows"] and entries(pipeline)["p-1"][0] == "opened"
    [row] = pipeline.rows("signal")
    assert row["case_key"] == pipeline.cases("open")[0]["case_key"] and len(row["was_in"]) == 2
    tell(pipeline, None, action=DELETED)
    assert [len(case["gone"]) for case in pipeline.cases()] == [1, 1, 1], "what the CRM was told is taken back wherever it was told"


def test_the_case_that_opens_again_is_about_what_its_post_says_now_and_waits_since_then(pipeline):
    tell(pipeline, LATE)
    close(pipeline)
    tell(pipeline, "The invoice you sent is wrong by far.", occurred_at=pipeline.now - timedelta(days=2))
    assert standing(pipeline) == [("open", "billing", 1)] and [row["SK"] for row in pipeline.rows("claim")] == ["acme#billing"]
    assert pipeline.cases("open")[0]["waits_since"] == isoformat(pipeline.now)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_call_it_ends_alike(after):
    for call in range(1, 40, 3):
        pipeline = Pipeline(MemoryCloud(), FakeCrm(), Mild())
        tell(pipeline, LATE)
        tell(pipeline, "All is fine now.")
        pipeline.kill_at(call, after)
        tell(pipeline, LATE)
        assert standing(pipeline) == [("open", "delivery", 1)], call


def test_what_came_late_waits_though_the_case_was_closed_meanwhile(pipeline):
    tell(pipeline, LATE)
    close(pipeline)
    early = pipeline.now - timedelta(minutes=3)
    pipeline.now += timedelta(minutes=1)
    pipeline.send(a_signal("late", "Where is my parcel, for heaven's sake?", occurred_at=early, received_at=pipeline.now))
    pipeline.settle()
    (case,) = pipeline.cases()
    assert (case["status"], case["waits_since"]) == ("open", isoformat(early))


def test_what_is_edited_to_be_grave_leaves_the_case_it_shares_and_comes_back_with_its_words(pipeline):
    tell(pipeline, LATE)
    pipeline.send(a_signal("p-2", "Still no parcel.", occurred_at=pipeline.now))
    pipeline.settle()
    before = pipeline.cases("open")[0]["priority"]["score"]
    tell(pipeline, "Smoke comes out of it, and it is black now.")
    grave, other = sorted(pipeline.cases("open"), key=lambda case: -case["priority"]["score"])
    assert (grave["category"], grave["queue"], other["category"], other["priority"]["score"] <= before + 3) == ("safety", "trust-safety", "delivery", True)
    tell(pipeline, LATE)
    (case,) = pipeline.cases("open")
    assert case["category"] == "delivery" and case["priority"]["score"] < 60
    assert {row["native_id"] for row in pipeline.rows("signal") if row["signal_id"] in case["signal_ids"]} == {"p-1", "p-2"}
