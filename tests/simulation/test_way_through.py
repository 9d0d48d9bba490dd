"""From the queue to the CRM case, and what may go wrong on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from caseline.cases.rescoring import rescore_cases
from caseline.crm import Account, Fact
from caseline.crm._builtin_csv import HEADER
from caseline.errors import CrmRateLimitError, CrmUnavailableError, UnavailableError
from caseline.signals import DELETED, OUTBOUND, UPDATED, isoformat

from tests.kit.aws import aws
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline, a_signal

PRAISE = "Great update, everything is faster now. Thank you!"


def vip(tier: str = "strategic", days: int = 30, contact: str = "c-1", identities: tuple[str, ...] = ("x:100", "email:ann@north.example")) -> Account:
    at = "2026-11-21T09:00:00.000000Z"
    facts = {
        "tier": tier,
        "deal_value": "900000",
        "currency": "EUR",
        "renewal_date": (START + timedelta(days=days)).date().isoformat(),
        "contract_status": "active" if tier != "trial" else "trial",
    }
    return Account(f"a-{contact}", "Northern Tools", contact, "Ann", identities, {k: Fact(v, f"fake Account.{k}", at) for k, v in facts.items()})


@pytest.fixture
def cloud():
    with aws() as running:
        yield running


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


def test_an_edit_before_its_original_ends_as_after_it(cloud):
    original = a_signal(occurred_at=START - timedelta(hours=1))
    edit = a_signal(
        text="It works again, thanks!", action=UPDATED, revision="2026-11-21T09:59:00Z", occurred_at=START, received_at=START + timedelta(seconds=1)
    )
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(edit)
    pipeline.settle()
    pipeline.send(original)
    pipeline.settle()
    (row,) = pipeline.rows("signal")
    assert row["text"] == "It works again, thanks!" and row["occurred_at"].startswith("2026-11-21T09:00") and row["at"].startswith("2026-11-21T09:00")
    assert pipeline.counts() == {"recorded": 1, "revised": 1, "duplicates": 0, "quarantined": 0}


@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_deletion_by_id_alone_erases_the_text_for_good(cloud, deletion_first):
    deletion = a_signal(text=None, action=DELETED, identities=(), author_name=None, received_at=START + timedelta(minutes=1))
    pipeline = Pipeline(cloud, FakeCrm())
    for signal in (deletion, a_signal()) if deletion_first else (a_signal(), deletion):
        pipeline.send(signal)
        pipeline.settle()
    (row,) = pipeline.rows("signal")
    assert row["state"] == "deleted" and "text" not in row and "text_z" not in row
    assert "angry" not in str(cloud.client("dynamodb").scan(TableName=cloud.table)["Items"])


def test_a_reply_before_the_post_it_answers_waits_for_it(cloud):
    reply = a_signal("r-1", "We are on it, sorry.", direction=OUTBOUND, identities=(), parent_id="p-1", agent="care", author_name=None)
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(reply)
    pipeline.settle()
    pipeline.send(a_signal())
    pipeline.settle()
    rows = {row["native_id"]: row for row in pipeline.rows("signal")}
    assert rows["r-1"]["identity"] == rows["p-1"]["identity"] and rows["r-1"]["identities"] == ["x:100"]
    assert pipeline.counts() == {"recorded": 2, "revised": 0, "duplicates": 0, "quarantined": 0}


def test_a_reply_finds_its_customer_by_a_private_thread(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-1", kind="message", public=False, thread_id="t-9"))
    pipeline.settle()
    pipeline.send(a_signal("m-2", "Hello, we look into it.", kind="message", direction=OUTBOUND, identities=(), thread_id="t-9"))
    pipeline.settle()
    assert {row["identity"] for row in pipeline.rows("signal")} == {"IDENTITY#x:100"}


@pytest.mark.parametrize("by_machine", [True, False])
def test_the_brands_own_automatic_reply_is_no_answer(cloud, by_machine):
    asked, told = START - timedelta(hours=2), START - timedelta(hours=1)
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-2", "We have your mail.", kind="email", direction=OUTBOUND, occurred_at=told, attributes={"auto_reply": by_machine}))
    pipeline.settle()
    pipeline.send(a_signal("m-1", kind="email", public=False, occurred_at=asked))
    pipeline.settle()
    (case,) = pipeline.cases()
    (line,) = [line for line in case["priority"]["lines"] if line["factor"] == "sla"]
    assert (line["value"] > 0) == by_machine


def test_a_thread_named_after_its_first_message_needs_no_row_of_its_own(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-1", kind="email", public=False, thread_id="m-1"))
    pipeline.settle()
    assert not pipeline.rows("thread")
    pipeline.send(a_signal("m-2", "Hello, we look into it.", kind="email", direction=OUTBOUND, identities=(), thread_id="m-1"))
    pipeline.settle()
    assert {tuple(row["identities"]) for row in pipeline.rows("signal")} == {("x:100",)}


def test_a_bounce_in_a_thread_does_not_take_the_thread(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("b-1", kind="email", public=False, identities=("email:mailer-daemon@mx.example",), thread_id="t-9", attributes={"auto_reply": True}))
    pipeline.send(a_signal("m-1", kind="email", public=False, thread_id="t-9"))
    pipeline.settle()
    pipeline.send(a_signal("m-2", "We look into it.", kind="email", direction=OUTBOUND, identities=(), thread_id="t-9"))
    pipeline.settle()
    (reply,) = [row for row in pipeline.rows("signal") if row["native_id"] == "m-2"]
    assert reply["identities"] == ["x:100"] and len(pipeline.cases()) == 1


@pytest.mark.parametrize("order", [1, -1], ids=["after the question", "before it"])
def test_a_reply_finds_who_opened_a_public_thread(cloud, order):
    """Those who join later are not asked for; a post that says nothing of the kind claims no thread."""
    pipeline = Pipeline(cloud, FakeCrm())
    opened = a_signal("1", thread_id="topic/9", attributes={"opens_thread": True})
    joined = a_signal("2", "Same here.", kind="comment", thread_id="topic/9", identities=("x:200",))
    reply = a_signal("3", "Fixed today.", kind="comment", direction=OUTBOUND, identities=(), thread_id="topic/9")
    for signal in [joined, *[opened, reply][::order]]:
        pipeline.send(signal)
        pipeline.settle()
    rows = {row["native_id"]: row["identity"] for row in pipeline.rows("signal") if "native_id" in row}
    assert rows == {"1": "IDENTITY#x:100", "2": "IDENTITY#x:200", "3": "IDENTITY#x:100"}


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
