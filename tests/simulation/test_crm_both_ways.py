"""What people do in the CRM comes back once, and right whatever order it comes in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from caseline.cases.changes import work_case
from caseline.crm import Change, StandingCase
from caseline.crm_messages import write_changes
from caseline.errors import CrmUnavailableError
from caseline.reconciling import Reconciler, read_report

from tests.kit.accounts import vip
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import a_signal
from tests.kit.remote import Coalescing, OtherCrm, speak


def test_a_case_closed_there_is_closed_here_and_not_sent_back(remote):
    speak(remote, 1)
    sent = len(remote.crm.records)
    assert remote.tell("case", status="closed") and not remote.tell("case", status="closed")
    remote.live(remote.now + timedelta(hours=1))
    (case,) = remote.cases()
    assert case["status"] == "closed" and case["pushed_version"] == case["version"] and len(remote.crm.records) == sent
    speak(remote, 2)
    assert len(remote.cases("open")) == 1


def test_a_case_seen_closed_while_saving_is_closed_here(remote):
    remote.crm.status = "closed"
    speak(remote, 1)
    assert [case["status"] for case in remote.cases()] == ["closed"]


def test_a_band_that_a_person_set_there_stands(remote):
    speak(remote, 1)
    assert remote.tell("case", band="P3", owner="Mo") and not remote.tell("case", band="P3", owner="Mo")
    speak(remote, 2)
    (case,) = remote.cases()
    assert (case["priority"]["band"], case["priority"]["auto_band"], case["owner"]) == ("P3", "P1", "Mo")


def test_our_own_writes_coming_back_change_nothing(remote):
    speak(remote, 1)
    (case,) = remote.cases()
    for fields in ({"status": "open", "band": "P1", "queue": "senior-care"}, {"status": "pending"}, {"owner": ""}, {}):
        assert not remote.tell("case", **fields)
    assert remote.cases() == [case]


def test_a_comment_is_on_the_timeline_once_and_an_answer_stops_the_clock(remote):
    speak(remote, 1)
    remote.go_on(hours=3)
    assert remote.tell("comment", comment_id="1", text="Looking into it.", public=False)
    assert remote.tell("comment", comment_id="2", text="Dear Ann, it is fixed.", public=True)
    assert not remote.tell("comment", comment_id="2", text="Dear Ann, it is fixed.", public=True)
    remote.settle()
    assert sorted((note["summary"], note["answers"]) for note in remote.rows("note")) == [("Dear Ann, it is fixed.", True), ("Looking into it.", False)]
    (case,) = remote.cases()
    assert next(line["points"] for line in case["priority"]["lines"] if line["factor"] == "sla") == 0


def test_a_contact_joins_identities_of_a_customer_that_is_known_and_makes_none(remote):
    speak(remote, 1)
    change = Change("contact", "c-1", remote.now, fields={"identities": ["x:100", "phone:+442079460000"], "name": "Ann"})
    remote.inbound().apply(change)
    remote.inbound().apply(replace(change, crm_id="c-7", fields={"identities": ["email:zoe@nowhere.example"], "name": "Zoe"}))
    roots = [row for row in remote.rows("customer") if not row.get("merged_into")]
    assert ["phone:+442079460000" in row["identities"] for row in roots] == [True]


def test_an_account_that_grew_raises_the_open_case(remote):
    remote.crm.accounts = {"x:100": vip("trial")}
    speak(remote, 1)
    assert remote.cases()[0]["priority"]["band"] == "P4"
    remote.crm.accounts = {"x:100": vip()}
    assert remote.inbound().apply(Change("account", "a-c-1", remote.now))
    remote.settle()
    assert remote.cases()[0]["priority"]["band"] == "P1" and remote.crm.records[-1].band == "P1"


def test_a_case_deleted_there_is_closed_and_one_merged_there_points_to_the_survivor(remote):
    speak(remote, 1)
    (case,) = remote.cases()
    assert remote.tell("merged", entity="case", into="id-survivor") and not remote.tell("merged", entity="case", into="id-survivor")
    assert remote.cases()[0]["crm"]["id"] == "id-survivor"
    assert not remote.tell("deleted", entity="case")
    assert remote.inbound().apply(Change("deleted", "id-survivor", remote.now, case["case_key"], {"entity": "case"}))
    assert remote.cases()[0]["status"] == "closed"


def test_what_an_agent_says_of_a_case_is_kept_to_learn_from(remote):
    speak(remote, 1)
    assert remote.tell("case", status="closed", outcome="not_an_issue", category="billing")
    (case,) = remote.cases()
    assert (case["outcome"], case["corrected"], case["category"]) == ("not_an_issue", "billing", "service")


def test_a_category_that_an_agent_sets_there_is_never_written_over(remote):
    speak(remote, 1)
    assert remote.crm.records[-1].category == "service"
    for said in ("billing", "service"):
        assert remote.tell("case", category=said) and not remote.tell("case", category=said)
        work_case(remote.table, remote.cases()[0]["case_key"], {"owner": f"who knows {said}"}, "Mo", remote.now)
        remote.outbox().push(remote.cases()[0]["case_key"])
        assert remote.crm.records[-1].category == said


def test_a_poll_reads_all_pages_goes_on_where_it_stopped_and_yields_to_another(remote):
    speak(remote, 1)
    (case,) = remote.cases()
    crm_id = f"id-{case['case_key']}"
    remote.crm.changes = [Change("comment", crm_id, remote.now, case["case_key"], {"comment_id": str(n), "text": f"note {n}"}) for n in range(5)]
    assert (remote.sync().poll(), remote.sync().poll()) == (5, 0)
    assert len(remote.rows("note")) == 5
    remote.crm.fail = [CrmUnavailableError("down")]
    assert remote.sync().poll() == 0
    assert remote.sync()._lease() and remote.sync().poll() == 0


def test_a_webhook_that_says_too_little_asks_for_a_poll(remote):
    speak(remote, 1)
    (case,) = remote.cases()
    remote.crm.changes = [Change("case", f"id-{case['case_key']}", remote.now, case["case_key"], {"status": "closed"})]
    remote.sync().take(write_changes([Change("case", f"id-{case['case_key']}", remote.now)]))
    assert remote.cases()[0]["status"] == "closed"


@pytest.mark.parametrize("after", [False, True])
def test_dying_at_any_call_of_a_poll_loses_and_doubles_nothing(after):
    for call in range(1, 40):
        remote = Coalescing(MemoryCloud(), OtherCrm({"x:100": vip()}))
        speak(remote, 1)
        (case,) = remote.cases()
        remote.crm.changes = [
            Change("comment", "", remote.now, case["case_key"], {"comment_id": "1", "text": "Fixed.", "public": True}),
            Change("case", "", remote.now, case["case_key"], {"status": "closed"}),
        ]
        over = remote.poll_dying(call, after)
        assert (len(remote.rows("note")), remote.cases()[0]["status"]) == (1, "closed")
        if over:
            return
    raise AssertionError("more calls than expected")


# ---- both sides counted


def test_the_nights_count_names_each_difference(remote):
    for number, who in enumerate(("x:100", "x:200", "x:300")):
        remote.send(a_signal(f"p-{number}", identities=(who,)))
    remote.settle()
    remote.go_on(hours=2)
    first, second, third = remote.cases()
    remote.crm.standing = [
        StandingCase("1", first["case_key"], "open"), StandingCase("2", second["case_key"], "closed"), StandingCase("3", "case-unknown", "open"),
        StandingCase("4", first["case_key"], "open"),
    ]  # fmt: skip
    report = Reconciler(remote.table, remote.crm, remote.clock).reconcile()
    kinds = sorted((difference["kind"], difference["case_key"]) for difference in report["differences"])
    assert kinds == sorted([("doubled", first["case_key"]), ("missing", third["case_key"]), ("status", second["case_key"]), ("unknown", "case-unknown")])
    assert (report["here"], report["there"], report["count"]) == (3, 4, 4) and read_report(remote.table)["count"] == 4


def test_an_older_version_that_stands_there_is_written_again(remote):
    """A writer that was too slow overwrote the newest, and died before it could know."""
    speak(remote, 1)
    (case,) = remote.cases()
    sent = len(remote.crm.records)
    remote.crm.standing = [StandingCase(case["crm"]["id"], case["case_key"], "open", version=case["wrote"] - 1)]
    for _ in range(2):
        remote.go_on(hours=2)
        assert [each["kind"] for each in Reconciler(remote.table, remote.crm, remote.clock).reconcile()["differences"]] == ["version"]
        remote.live(remote.now + timedelta(minutes=2))
    assert len(remote.crm.records) == sent + 2
    (case,) = remote.cases()
    assert remote.crm.records[-1].version == case["pushed_version"] == case["version"] and case["crm"]["sync"] == "synced"
