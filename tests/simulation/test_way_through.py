"""From the queue to the CRM case."""

from __future__ import annotations

from datetime import timedelta

import pytest
from caseline.cases.rescoring import rescore_cases
from caseline.crm._builtin_csv import HEADER
from caseline.signals import OUTBOUND, UPDATED, isoformat

from tests.kit.accounts import vip
from tests.kit.pipeline import PRAISE, START, FakeCrm, Pipeline, a_signal


def test_a_vip_complaint_is_one_p1_case_for_the_senior_queue(cloud):
    crm = FakeCrm({"x:100": vip()})
    pipeline = Pipeline(cloud, crm)
    pipeline.send(a_signal())
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["priority"]["band"] == "P1" and case["priority"]["score"] >= 80
    assert case["queue"] == "senior-care"
    assert sum(line["points"] for line in case["priority"]["lines"]) == case["priority"]["score"]
    assert crm.cases[case["case_key"]].band == "P1" and crm.created == 1
    assert len(pipeline.alerts) == 1
    assert [event["DetailType"] for event in pipeline.events] == ["Signal Recorded", "Case Opened", "Case Saved"]


def test_the_same_post_of_a_trial_is_p4_without_alert(cloud):
    pipeline = Pipeline(cloud, FakeCrm({"x:100": vip("trial")}))
    pipeline.send(a_signal())
    pipeline.settle()
    assert [case["priority"]["band"] for case in pipeline.cases()] == ["P4"] and not pipeline.alerts


def test_praise_starts_no_execution(cloud):
    pipeline = Pipeline(cloud, FakeCrm({"x:100": vip()}))
    pipeline.send(a_signal(text=PRAISE))
    pipeline.settle()
    assert not pipeline.executions and not pipeline.cases()
    assert pipeline.counts()["recorded"] == 1


def test_duplicates_count_and_change_nothing(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    first = pipeline.send(a_signal())
    pipeline.settle()
    pipeline.send(a_signal())
    pipeline.send(a_signal(occurred_at=START))
    pipeline.queue.append(first)  # the queue itself delivers again: counted before
    pipeline.settle()
    assert pipeline.counts() == {"recorded": 1, "revised": 0, "duplicates": 2, "quarantined": 0}
    assert len(pipeline.cases()) == 1
    (row,) = pipeline.rows("signal")
    assert row["occurred_at"].startswith("2026-11-21T09:58")


def test_twins_in_one_batch_are_one_row(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal(), a_signal())
    pipeline.send(a_signal())
    pipeline.settle()
    assert pipeline.counts() == {"recorded": 1, "revised": 0, "duplicates": 2, "quarantined": 0}


def test_two_channels_of_one_person_join_one_case(cloud):
    pipeline = Pipeline(cloud, FakeCrm({"x:100": vip(), "email:ann@north.example": vip()}))
    pipeline.send(a_signal())
    pipeline.send(a_signal("e-1", channel="mail", kind="email", public=False, identities=("email:ann@north.example",)))
    pipeline.settle()
    assert len(pipeline.cases("open")) == 1
    closed = pipeline.cases("closed")
    assert all(case["joined"] == pipeline.cases("open")[0]["case_key"] for case in closed)


def test_further_complaints_join_and_raise_but_never_lower(cloud):
    pipeline = Pipeline(cloud, FakeCrm({"x:100": vip("mid", 200)}))
    for i in range(4):
        pipeline.now = START + timedelta(minutes=i)
        pipeline.send(a_signal(f"p-{i}", occurred_at=pipeline.now, received_at=pipeline.now))
        pipeline.settle()
    (case,) = pipeline.cases()
    assert case["signal_count"] == 4 and case["version"] == case["pushed_version"]
    assert all(row["case_key"] == case["case_key"] for row in pipeline.rows("signal"))


def test_two_contacts_of_the_crm_are_never_joined(cloud):
    crm = FakeCrm(
        {
            "x:100": vip(contact="c-1", identities=("x:100", "email:shared@x.example")),
            "x:200": vip(contact="c-2", identities=("x:200", "email:shared@x.example")),
        }
    )
    pipeline = Pipeline(cloud, crm)
    pipeline.send(a_signal("p-1", identities=("x:100",)))
    pipeline.send(a_signal("p-2", identities=("x:200",)))
    pipeline.settle()
    assert len({case["customer_id"] for case in pipeline.cases("open")}) == 2


def test_a_claim_raced_by_two_runs_is_one_case(cloud):
    """Two identities of one person, unknown to be one until the CRM says so, complain at once on two channels."""
    crm = FakeCrm({"x:100": vip(), "email:ann@north.example": vip()})
    pipeline = Pipeline(cloud, crm)
    pipeline.send(a_signal(), a_signal("e-1", channel="mail", kind="email", public=False, identities=("email:ann@north.example",)))
    pipeline._deliver_queue()
    pipeline._deliver_stream()
    states = [pipeline.executions[name] for name in pipeline.waiting]
    states = [pipeline.look_up(state) for state in states]
    states = [pipeline.prioritise(state) for state in states]
    for state in states:
        pipeline.save(state)
    assert len(pipeline.cases("open")) == 1


def test_open_cases_follow_a_merge_that_a_signal_makes(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("p-1", identities=("x:100",)))
    pipeline.send(a_signal("p-2", identities=("x:200", "email:ann@north.example")))
    pipeline.settle()
    assert len(pipeline.cases("open")) == 2
    pipeline.now += timedelta(minutes=1)
    pipeline.send(a_signal("p-3", text=PRAISE, identities=("x:100", "email:ann@north.example")))
    pipeline.settle()
    (older,), (younger,) = pipeline.cases("open"), pipeline.cases("closed")
    assert younger["joined"] == older["case_key"] and younger["version"] == younger["pushed_version"]


@pytest.mark.parametrize("envelopes", [1, 2])
def test_people_who_meet_within_one_batch_are_joined(cloud, envelopes):
    """A text from a number and a chat from the same number, both new, recorded at once."""
    pipeline = Pipeline(cloud, FakeCrm())
    text, chat = a_signal("m-1", identities=("phone:+4930123456",)), a_signal("m-2", identities=("whatsapp:4930123456", "phone:+4930123456"))
    for signals in [(text, chat)] if envelopes == 1 else [(text,), (chat,)]:
        pipeline.send(*signals)
    pipeline.settle()
    (customer,) = (row for row in pipeline.rows("customer") if not row.get("merged_into"))
    assert set(customer["identities"]) == {"phone:+4930123456", "whatsapp:4930123456"}
    assert len(pipeline.cases("open")) == 1


def test_a_customer_whom_the_brand_wrote_to_first_gets_a_name(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-1", "Hello, how can we help?", direction=OUTBOUND, author_name=None))
    pipeline.send(a_signal("m-2"))
    pipeline.settle()
    assert [row["name"] for row in pipeline.rows("customer")] == ["Ann"]


def test_words_that_name_no_issue_join_the_case_that_is_open(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal())
    pipeline.settle()
    pipeline.now += timedelta(minutes=1)
    pipeline.send(a_signal("p-2", text="Hello? Is anyone there?"))
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["signal_count"] == 2 and case["category"] == "service"


def test_an_issue_that_gets_a_name_keeps_its_case(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("p-1", text="Hello? Is anyone there?"))
    pipeline.settle()
    pipeline.now += timedelta(minutes=1)
    pipeline.send(a_signal("p-2"))
    pipeline.settle()
    pipeline.send(a_signal("p-3", text="Hello? Anyone?"))
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["signal_count"] == 3 and case["category"] == "service" and case["version"] == case["pushed_version"]
    assert [row["SK"] for row in pipeline.rows("claim")] == ["acme#service"]


def test_an_edit_that_makes_it_worse_raises_its_case(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal())
    pipeline.settle()
    (before,) = pipeline.cases()
    pipeline.send(a_signal(action=UPDATED, revision="2026-11-21T10:00:00Z", reach=900_000, received_at=START + timedelta(minutes=1)))
    pipeline.settle()
    (after,) = pipeline.cases()
    assert after["priority"]["score"] > before["priority"]["score"]
    assert after["signal_count"] == 1 and after["version"] == after["pushed_version"] == before["version"] + 1


NORTH = ",".join(HEADER) + "\nA-1,Northern Tools,strategic,900000,EUR,2026-12-10,active,customer,premium,C-1,Ann,ann@north.example,,x:100\n"


def test_an_account_that_becomes_known_raises_the_case_that_is_open(cloud):
    pipeline = Pipeline(cloud)
    pipeline.send(a_signal())
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["priority"]["band"] == "P4"
    report = pipeline.crm.import_accounts(NORTH.encode())
    assert report.touched == {"email:ann@north.example", "x:100"}
    rescore_cases(pipeline.raw_table, report.touched, [""], isoformat(pipeline.now))
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["priority"]["band"] == "P1" and case["account_id"] == "A-1" and case["version"] == case["pushed_version"]
    assert len(pipeline.alerts) == 1
    assert not pipeline.crm.import_accounts(NORTH.encode()).touched


def test_a_fact_that_changes_for_the_worse_never_lowers_a_case(cloud):
    pipeline = Pipeline(cloud)
    pipeline.crm.import_accounts(NORTH.encode())
    pipeline.send(a_signal())
    pipeline.settle()
    touched = pipeline.crm.import_accounts(NORTH.replace("strategic", "smb").encode()).touched
    rescore_cases(pipeline.raw_table, touched, [""], isoformat(pipeline.now))
    pipeline.settle()
    assert [case["priority"]["band"] for case in pipeline.cases()] == ["P1"]


def test_a_post_that_many_pass_on_within_the_hour_gains_traction(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal())
    for number in range(10):
        pipeline.send(a_signal(f"s-{number}", text=None, kind="repost", parent_id="p-1", identities=(f"x:9{number}",), reach=0))
    pipeline.settle()
    (case,) = pipeline.cases()
    assert case["priority"]["score"] == 75 and "10 times the usual engagement" in case["priority"]["lines"][2]["text"]


@pytest.mark.parametrize("first", ["post", "repost"])
def test_a_repost_adds_its_reach_to_the_post_and_opens_no_case(cloud, first):
    post = a_signal("p-1", reach=250)
    repost = a_signal("s-1", text=None, kind="repost", parent_id="p-1", identities=("x:900",), author_name="Loud", reach=50_000)
    pipeline = Pipeline(cloud, FakeCrm())
    for signal in (post, repost) if first == "post" else (repost, post):
        pipeline.send(signal)
        pipeline.send(signal)  # delivered twice
        pipeline.settle()
    (case,) = pipeline.cases()
    (reach,) = [line for line in case["priority"]["lines"] if line["factor"] == "reach"]
    assert reach["value"] == 50_250 and case["signal_count"] == 1
    assert pipeline.counts() == {"recorded": 2, "revised": 0, "duplicates": 2, "quarantined": 0}
