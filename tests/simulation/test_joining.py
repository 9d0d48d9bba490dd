"""Which signals are one case: by thread, by number, by category, on whatever channel and in any order; and what happens after a case was closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from caseline.assessment import Assessment, Text
from caseline.cases.changes import work_case
from caseline.cases.inbound import Inbound
from caseline.crm import Change
from caseline.errors import ConflictError
from caseline.signals import OUTBOUND, Signal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.aws import aws
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline, a_signal

WORDS = {"invoice": "billing", "parcel": "delivery", "broken": "defect", "smoke": "safety", "rude": "service", "cancel": "cancel"}
ANN, BEN = ("email:ann@north.example",), ("email:ben@south.example",)


class IssueAnalyser:
    """The first issue that is named; all of it is bad, but for thanks."""

    def assess(self, texts: Sequence[Text]) -> list[Assessment]:
        return [self._assess(text.text.lower()) for text in texts]

    def _assess(self, text: str) -> Assessment:
        category = next((name for word, name in WORDS.items() if word in text), "unknown")
        if "thanks" in text and "nothing" not in text:
            return Assessment("positive", 0.9, 0.02, 0.08, 0.0, 0.9, category=category, language="en", model="words")
        return Assessment("negative", 0.05, 0.8, 0.15, 0.0, 0.8, category=category, language="en", model="words")


def a_mail(native_id: str, text: str, refs: Sequence[str] = (), who: Sequence[str] = ANN, minutes: float = 0, **more: Any) -> Signal:
    """A mail with the References `refs`, the last of which it answers."""
    at = START + timedelta(minutes=minutes)
    facts: dict[str, Any] = {"thread_id": refs[0] if refs else native_id, "parent_id": refs[-1] if refs else None}
    facts |= {"attributes": {"references": " ".join(f"<{ref}>" for ref in refs) if minutes % 2 else list(refs[1:-1])}} if len(refs) > 2 else {}
    facts |= {"channel": "postmark", "kind": "email", "public": False, "identities": tuple(who), "reach": None, "occurred_at": at, "received_at": at}
    return a_signal(native_id, text, **(facts | more))


def a_pipeline(cloud: Any, policy: str | None = None, crm: Any = None) -> Pipeline:
    return Pipeline(cloud, crm or FakeCrm(), IssueAnalyser(), policy)


def tell(pipeline: Pipeline, *signals: Signal, days: float = 0) -> None:
    pipeline.now += timedelta(days=days)
    for signal in signals:
        pipeline.send(signal.with_(occurred_at=pipeline.now, received_at=pipeline.now) if days else signal)
        pipeline.settle()


def entries(pipeline: Pipeline) -> dict[str, tuple[str | None, str | None]]:
    return {row["native_id"]: (row.get("case_rule"), row.get("case_why")) for row in pipeline.rows("signal") if "native_id" in row}


def told_of(pipeline: Pipeline, case: dict[str, Any]) -> list[str]:
    rows = [row for row in pipeline.rows("history") if row["PK"] == case["PK"]]
    return [row["text"] for row in sorted(rows, key=lambda row: row["SK"])]


def close(pipeline: Pipeline, by: str = "ana", **more: Any) -> dict[str, Any]:
    (case,) = pipeline.cases("open")
    closed = work_case(pipeline.table, case["case_key"], {"status": "closed"}, by, pipeline.now, **more)
    pipeline.outbox().push(case["case_key"])
    pipeline.settle()
    return closed


# ---- threads

THREAD = [
    a_mail("a", "My invoice is wrong."),
    a_mail("b", "And the parcel is late.", ["a"], minutes=1),
    a_mail("c", "It is broken, too.", ["b"], minutes=2),  # its program cuts the references
    a_mail("d", "Is anybody there? You are rude.", ["x", "b", "c"], minutes=3),  # the first one is of a mail nobody has seen
    a_mail("e", "AW: another subject. The parcel!", ["x"], minutes=4),
]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(order=st.permutations(range(len(THREAD))), cuts=st.sets(st.integers(0, len(THREAD))), again=st.lists(st.integers(0, len(THREAD) - 1), max_size=3))
def test_a_thread_is_one_case_in_any_order_and_however_often_it_comes(order, cuts, again):
    pipeline = a_pipeline(MemoryCloud())
    for place, index in enumerate([*order, *again]):
        pipeline.send(THREAD[index])
        if place in cuts:
            pipeline.settle()
    pipeline.settle()
    (case,) = pipeline.cases("open")
    assert sorted(case["signal_ids"]) == sorted(signal.signal_id for signal in THREAD)
    assert case["signal_count"] == len(THREAD) and case["version"] == case["pushed_version"]
    assert {closed["joined"] for closed in pipeline.cases("closed")} <= {each["case_key"] for each in pipeline.cases()}
    assert [row["case_key"] for row in pipeline.rows("claim")] == [case["case_key"]]


def test_the_rule_stands_on_the_entry_and_in_the_history(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, *THREAD[:2], a_signal("p-1", "The invoice, the invoice!", identities=("x:100", *ANN)), a_mail("f", "Hello? Anybody?", minutes=9))
    (case,) = pipeline.cases()
    assert entries(pipeline) == {
        "a": ("opened", "a new case"), "b": ("thread", "same e-mail thread"), "p-1": ("category", "same customer and category"),
        "f": ("unnamed", "same customer, and the words name no category"),
    }  # fmt: skip
    told = [text for text in told_of(pipeline, case) if text.startswith("same ")]
    assert [text.partition(";")[0] for text in told] == ["same e-mail thread", "same customer and category", "same customer, and the words name no category"]


def test_who_only_asks_for_an_answer_is_about_the_case_that_is_open(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0], a_mail("f", "Rude! Still no answer.", minutes=9), a_mail("g", "The driver was rude.", minutes=10))
    assert entries(pipeline)["f"] == ("unnamed", "same customer, and the words only ask for an answer")
    assert sorted(case["signal_count"] for case in pipeline.cases("open")) == [1, 2]


def test_a_reply_to_the_brands_answer_is_of_the_case_that_was_answered(cloud):
    pipeline = a_pipeline(cloud)
    answer = a_mail("o", "We are sorry.", ["a"], direction=OUTBOUND, agent="Ana", minutes=1)
    tell(pipeline, THREAD[0], answer, a_mail("b", "The parcel is still late.", ["o"], minutes=2))
    (case,) = pipeline.cases()
    assert case["signal_count"] == 2
    post, reply = a_signal("p-1", "A rude driver!"), a_signal("p-2", "We are sorry.", direction=OUTBOUND, parent_id="p-1", agent="Ana")
    more = a_signal("p-3", "And my invoice is wrong.", parent_id="p-2"), a_signal("p-4", "A parcel is late.", parent_id="a-post-of-the-brand")
    tell(pipeline, post, reply, *more)
    assert sorted(case["signal_count"] for case in pipeline.cases("open")) == [1, 2, 2]


def test_a_different_issue_is_a_second_case_and_what_is_grave_too_in_any_thread(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0], a_mail("g", "The parcel is late."), a_mail("h", "Smoke comes out of it!", ["a"]))
    assert sorted(case["category"] for case in pipeline.cases("open")) == ["billing", "delivery", "safety"]


def test_a_thread_in_which_somebody_wants_to_cancel_weighs_as_that(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0], a_mail("g", "I cancel.", ["a"]))
    (case,) = pipeline.cases("open")
    assert case["category"] == "billing" and case["priority"]["score"] >= 55


def test_a_mail_far_back_is_found_by_its_reference(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0])
    close(pipeline)
    tell(pipeline, a_mail("i", "The invoice again."), days=20)
    close(pipeline)
    tell(pipeline, *[a_mail(f"n{i}", "Thanks!", minutes=30_000 + i) for i in range(12)])
    tell(pipeline, a_mail("b", "What about my parcel?", ["a"]), days=1)
    (case,) = pipeline.cases("open")
    assert entries(pipeline)["b"][1].startswith("a new case after case N1: closed 21 days ago")
    assert case["follows"] == next(case["case_key"] for case in pipeline.cases() if case["opened_at"].startswith("2026-11-21"))


# ---- numbers


def number_of(pipeline: Pipeline) -> str:
    return str(pipeline.cases("open")[0]["crm"]["number"])


def test_a_quoted_number_joins_the_customers_own_case_and_never_anothers(cloud):
    pipeline = Pipeline(cloud, analyser=IssueAnalyser())
    tell(pipeline, THREAD[0])
    (case,) = pipeline.cases()
    quoting = f"Re: [Case #{case['crm']['number']}] what about the parcel?"
    tell(pipeline, a_mail("own", quoting), a_mail("strange", quoting, who=BEN), a_mail("short", f"about {case['crm']['number'].lower()}: broken!"))
    own, other = sorted(pipeline.cases("open"), key=lambda case: -case["signal_count"])
    assert (own["case_key"], own["signal_count"]) == (case["case_key"], 3) and entries(pipeline)["own"][0] == "number"
    assert other["customer_id"] != own["customer_id"]
    assert entries(pipeline)["strange"] == ("opened", "a new case; the case number it quotes is of none of this customer's")
    assert all("of none of this" not in text for text in told_of(pipeline, own))


def test_somebody_elses_thread_is_not_landed_in_either(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0], a_mail("z", "FW: My parcel, too.", ["a"], who=BEN))
    assert len(pipeline.cases("open")) == 2
    assert entries(pipeline)["z"] == ("opened", "a new case; the mail it answers is another customer's")


# ---- switches


@pytest.mark.parametrize(
    ("off", "signal"),
    [
        ("thread", a_mail("2", "The parcel is late.", ["a"])),
        ("category", a_mail("2", "Another invoice is wrong.")),
        ("unnamed", a_mail("2", "Hello? Anybody?")),
        ("number", a_mail("2", "Case N1: the parcel is late.")),
        ("similar", a_mail("2", "Yesterday again somebody charged this wrong invoice number twice without asking anybody before, rude!")),
    ],
)
def test_each_rule_has_a_switch(off, signal):
    words = "Yesterday again somebody charged this wrong invoice number twice without asking anybody before."
    if off == "similar":
        signal = signal.with_(text=words.replace("invoice", "parcel"))
    counts = []
    for policy in (None, f"version: 1\njoin: {{off: [{off}]}}"):
        with aws() as each:
            pipeline = a_pipeline(each, policy)
            tell(pipeline, a_mail("a", words))
            if off == "number":
                signal = signal.with_(text=f"Case #{pipeline.cases()[0]['case_key']}: the parcel is late.")
            tell(pipeline, signal)
            counts.append(len(pipeline.cases("open")))
            if counts == [1]:
                assert entries(pipeline)["2"][0] == off
    assert counts == [1, 2]


# ---- after it was closed

MACHINE = ["Angry. We received your message {} and shall answer it in three days."]
OTHERS = [
    "Angry: it is down.", "Angry and tired of this.", "Your agent hung up, I am angry.", "Angry: where is my money?", "Not fixed, angry!", "So angry now.",
    "Angry: a third agent promised a call back.",
]  # fmt: skip
AGAIN = a_mail("later", "The invoice is still wrong.")


def test_the_same_issue_within_days_reopens_the_same_case_there_too(cloud):
    crm = FakeCrm()
    pipeline = a_pipeline(cloud, crm=crm)
    tell(pipeline, THREAD[0])
    closed = close(pipeline)
    assert crm.cases[closed["case_key"]].status == "closed"
    tell(pipeline, AGAIN, days=6)
    (case,) = pipeline.cases()
    assert (case["case_key"], case["status"], case["reopened"], case["signal_count"]) == (closed["case_key"], "open", 1, 2)
    assert "closed_at" not in case and crm.cases[case["case_key"]].status == "open" and crm.created == 1
    assert any(text.startswith("reopened: same customer and category; ") for text in told_of(pipeline, case))
    close(pipeline)
    tell(pipeline, a_mail("once more", "And the invoice is wrong again!"), days=6)
    assert [case["reopened"] for case in pipeline.cases("open")] == [2]


def test_later_it_is_a_new_case_that_names_the_old(cloud):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0])
    closed = close(pipeline)
    tell(pipeline, AGAIN, days=8)
    (case,) = pipeline.cases("open")
    assert case["case_key"] != closed["case_key"] and case["follows"] == closed["case_key"]
    assert told_of(pipeline, case)[0].startswith("a new case after case N1: closed 8 days ago; ")


@pytest.mark.parametrize(
    ("words", "opens"),
    [("Thanks, all good now!", False), ("Thanks for nothing, it is still broken, cancel my account", True), ("Hello? Nothing has changed!", True)],
)
def test_courtesy_never_reopens_and_what_only_sounds_like_it_does(cloud, words, opens):
    pipeline = a_pipeline(cloud)
    tell(pipeline, THREAD[0])
    close(pipeline)
    tell(pipeline, a_mail("later", words, ["a"]), days=1)
    assert bool(pipeline.cases("open")) is opens


@pytest.mark.parametrize(("words", "reopened", "cases"), [(MACHINE, 2, 1), (OTHERS, 2, 5)])
@pytest.mark.parametrize("in_the_crm", [False, True])
def test_a_loop_of_answers_opens_a_case_only_so_often_a_day_and_other_words_are_never_lost(words, reopened, cases, in_the_crm):
    pipeline = Pipeline(MemoryCloud(), FakeCrm(), policy="version: 2\nreopen: {most_a_day: 2}\n")
    for number in range(7):
        now = pipeline.now = pipeline.now + timedelta(minutes=10)
        pipeline.send(a_signal(f"m-{number}", words[number % len(words)].format(number), kind="email", public=False, occurred_at=now, received_at=now))
        pipeline.settle()
        for case in pipeline.cases("open"):
            if in_the_crm:
                in_crm(pipeline, {"status": "closed"})
            else:
                work_case(pipeline.raw_table, case["case_key"], {"status": "closed"}, "Mo", now)
                pipeline.settle()
    found = pipeline.cases()
    assert len(found) == (cases if not in_the_crm else 3 if words is MACHINE else 7)
    assert max(case.get("reopened", 0) for case in found) == (0 if in_the_crm else reopened)
    last = next(row for row in pipeline.rows("signal") if row["native_id"] == "m-6")
    assert last["case_key"] in {case["case_key"] for case in found}
    assert ("opened again 2 times within a day, and stays closed" in last["case_why"]) is (words is MACHINE)
    pipeline.now += timedelta(days=1, minutes=1)
    pipeline.send(a_signal("later", words[0].format(99), kind="email", public=False, occurred_at=pipeline.now, received_at=pipeline.now))
    pipeline.settle()
    assert len(pipeline.cases("open")) == 1, "the next day it opens again"


def in_crm(pipeline: Pipeline, *changes: dict[str, Any]) -> None:
    (case,) = pipeline.cases("open")
    inbound = Inbound(pipeline.table, "fake", ("",), pipeline.clock)
    for fields in changes:
        inbound.apply(Change("case", case["crm"]["id"], pipeline.now, case["case_key"], fields, by="Ben"))
    pipeline.settle()


@pytest.mark.parametrize(
    ("policy", "changes", "why"),
    [
        ("", [{"status": "closed"}], "a person closed it in fake"),
        ("reopen: {closed_in_crm: true}", [{"status": "closed"}], ""),
        ("reopen: {closed_in_crm: true}", [{"outcome": "not_an_issue"}, {"status": "closed"}], "a person closed it as not an issue"),
        ("reopen: {closed_in_crm: true, not_an_issue: true}", [{"status": "closed", "outcome": "not_an_issue"}], ""),
        ("reopen: {closed_in_crm: true, days: 0}", [{"status": "closed"}], "the policy reopens none"),
    ],
)
def test_what_a_person_closed_in_the_crm_opens_again_as_the_policy_says(cloud, policy, changes, why):
    crm = FakeCrm()
    pipeline = a_pipeline(cloud, f"version: 1\n{policy}\n", crm)
    tell(pipeline, THREAD[0])
    in_crm(pipeline, *changes)
    saves = crm.saves
    tell(pipeline, AGAIN, days=1)
    (case,) = pipeline.cases("open")
    if why:
        assert entries(pipeline)["later"] == ("opened", f"a new case after case N1: {why}") and crm.created == 2
        assert [case["status"] for case in pipeline.cases("closed")] == ["closed"] and crm.saves == saves + 1
    else:
        assert case["reopened"] == 1 and crm.cases[case["case_key"]].status == "open" and crm.created == 1


def test_killed_at_any_call_of_a_reopening_it_ends_alike():
    for call in range(1, 40, 3):
        crm = FakeCrm()
        pipeline = a_pipeline(MemoryCloud(), crm=crm)
        tell(pipeline, THREAD[0])
        close(pipeline)
        pipeline.send(AGAIN.with_(occurred_at=pipeline.now, received_at=pipeline.now))
        pipeline.kill_at(call, after=bool(call % 2))
        pipeline.settle()
        (case,) = pipeline.cases()
        assert (case["status"], case["reopened"], case["signal_count"]) == ("open", 1, 2), call
        assert crm.created == 1 and crm.cases[case["case_key"]].status == "open", call


ONE = "version: 1\njoin: {by: customer}\n"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1)])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_customers_one_case_is_about_what_most_of_it_is(cloud, order, at_once):
    pipeline = a_pipeline(cloud, ONE)
    said = [a_mail(f"m{n}", text, minutes=n) for n, text in enumerate(("my invoice!", "hello?", "so rude", "they were rude"))]
    for place in order:
        pipeline.send(said[place])
        if not at_once:
            pipeline.settle()
    pipeline.settle()
    (case,) = pipeline.cases()
    assert (case["category"], case["signal_count"]) == ("service", 4)
    assert case["subject"].startswith("Service")
    if order[0] == 0 and not at_once:
        assert any("; about service now, as most of what the customer says is; " in text for text in told_of(pipeline, case))


def test_of_equals_the_first_and_before_all_what_is_grave(cloud):
    pipeline = a_pipeline(cloud, ONE)
    tell(pipeline, a_mail("b", "so rude", minutes=2), a_mail("a", "my invoice!", minutes=1))
    assert [case["category"] for case in pipeline.cases()] == ["billing"]
    tell(pipeline, a_mail("c", "smoke comes out of it", minutes=3), a_mail("d", "my invoice!", minutes=4))
    (case,) = pipeline.cases("open")
    assert case["category"] == "safety"
    close(pipeline)
    assert not pipeline.cases("open")


def test_what_an_agent_calls_it_stands(cloud):
    pipeline = a_pipeline(cloud, ONE)
    tell(pipeline, a_mail("a", "my invoice!"))
    (case,) = pipeline.cases()
    change = Change("case", "e-1", pipeline.now, case_key=case["case_key"], fields={"category": "delivery"})
    assert Inbound(pipeline.table, "fake", ("",), pipeline.clock).apply(change)
    tell(pipeline, a_mail("b", "so rude", minutes=1), a_mail("c", "so rude again", minutes=2))
    (case,) = pipeline.cases()
    assert (case["category"], case["corrected"], case["signal_count"]) == ("billing", "delivery", 3)


def test_who_opens_a_case_again_beside_the_customers_one_case_is_told_that_there_is_one():
    pipeline = a_pipeline(MemoryCloud(), ONE + "reopen: {days: 0}\n")
    tell(pipeline, a_mail("a", "my invoice!"))
    closed = close(pipeline)
    tell(pipeline, a_mail("b", "so rude", minutes=9))
    with pytest.raises(ConflictError):
        work_case(pipeline.table, closed["case_key"], {"status": "open"}, "ana", pipeline.now)
    close(pipeline)
    work_case(pipeline.table, closed["case_key"], {"status": "open"}, "ana", pipeline.now)
    tell(pipeline, a_mail("c", "so rude again", minutes=10))
    assert [case["case_key"] for case in pipeline.cases("open")] == [closed["case_key"]]
