"""What goes to the CRM: coalesced, once, and no more of it than there is news."""

from __future__ import annotations

from datetime import timedelta

from caseline.cases.changes import work_case
from caseline.errors import CrmUnavailableError
from caseline.policy import load_policy
from caseline.profile_marks import mark_profiles
from caseline.profiles import ProfileWriter
from caseline.publishing import read_records
from caseline.signals import OUTBOUND

from tests.kit.pipeline import a_signal
from tests.kit.remote import NORTH, speak


def test_ten_signals_within_an_hour_are_one_look_up_and_three_saves(remote):
    begun = remote.now
    for number in range(10):
        speak(remote, number)
        remote.live(remote.now + timedelta(minutes=6))
    remote.live(begun + timedelta(hours=3))
    (case,) = remote.cases()
    assert (case["signal_count"], case["noted"], case["crm"]["sync"]) == (10, 10, "synced") and case.get("due_shard") != "due"
    assert remote.crm.asked == 1 and len(remote.crm.records) <= 3
    told = [note.note_id for record in remote.crm.records for note in record.notes]
    assert told[0] == "s1-1" and len(told) == len(set(told)) and told[-1].endswith("-10")


def test_a_note_has_the_words_and_where_they_were_said(remote):
    speak(remote, 1, url="https://x.example/p-1")
    (note,) = remote.crm.records[0].notes
    assert "x post, public" in note.text and "Really angry" in note.text and "https://x.example/p-1" in note.text


def test_what_people_act_upon_goes_at_once(remote):
    speak(remote, 1)

    (case,) = remote.cases()
    work_case(remote.table, case["case_key"], {"queue": "legal-desk", "note": "Call her first."}, "Mo", remote.now)
    remote.outbox().push(case["case_key"], patient=True)
    last = remote.crm.records[-1]
    assert (last.queue, last.before["queue"], [note.text for note in last.notes]) == ("legal-desk", "senior-care", ["Mo: Call her first."])


def test_the_first_call_need_not_look_and_the_next_must(remote):
    remote.crm.lose = [CrmUnavailableError("lost")]
    speak(remote, 1)
    assert [record.first for record in remote.crm.records][:2] == [True, False] and remote.crm.created == 1


def test_notes_need_a_look_only_where_a_push_may_have_told_them(remote):
    speak(remote, 1)
    remote.live(remote.now + timedelta(hours=1))
    speak(remote, 2)
    remote.live(remote.now + timedelta(hours=1))
    remote.crm.lose = [CrmUnavailableError("lost")]
    speak(remote, 3)
    remote.live(remote.now + timedelta(hours=1))
    told = [(record.notes[0].note_id, record.untold) for record in remote.crm.records if record.notes]
    assert told == [("s1-1", True), ("s2-2", True), ("s3-3", True), ("s3-3", False)]


def test_an_unknown_customer_is_looked_for_again_only_when_there_is_more_to_look_for(remote):
    remote.crm.accounts = {}
    for number in range(3):
        speak(remote, number)
    assert remote.crm.asked == 1
    remote.send(a_signal("p-9", identities=("x:100", "email:ann@north.example"), occurred_at=remote.now))
    remote.settle()
    assert remote.crm.asked == 2


def test_a_stranger_becomes_a_contact_once_where_the_policy_says_so(remote):
    remote.crm.accounts = {}
    remote.policy = load_policy(None).model_copy(update={"crm": load_policy(None).crm.model_copy(update={"create": "contact", "create_from": "P4"})})
    remote.crm.lose = [CrmUnavailableError("lost")]
    speak(remote, 1)
    speak(remote, 2)
    assert [(made.kind, made.identities) for made in remote.crm.newcomers] == [("contact", ["x:100"])]
    assert remote.crm.records[-1].contact_id == "c-1"
    (customer,) = remote.rows("customer")
    assert (customer["match"], customer["contact"]) == ("exact", "c-1")


def test_nobody_becomes_a_contact_by_default(remote):
    remote.crm.accounts = {}
    speak(remote, 1)
    assert not remote.crm.newcomers


# ---- profiles


def test_a_profile_is_written_once_for_many_signals_and_only_when_it_changed(remote):
    for number in range(4):
        remote.send(a_signal(f"p-{number}", occurred_at=remote.now))
        remote._deliver_queue()
        records = read_records(remote.cloud.stream_records())
        remote._until_done(lambda records=records: mark_profiles(remote.table, records, lambda brand: "", remote.now + timedelta(minutes=15)))
        remote.table.update(remote.rows("customer")[0]["PK"], "CUSTOMER", "SET contact = :c, account = :a", c="c-1", a=NORTH.to_json())
    remote.live(remote.now + timedelta(minutes=40))
    (profile,) = remote.crm.profiles
    assert (profile.contact_id, profile.values["sentiment"], profile.values["channels"]) == ("c-1", -0.87, "x")
    assert profile.values["unanswered"] == 4 and len(profile.events) == 4
    assert "angry" not in " ".join(event.summary for event in profile.events)
    row = remote.table.get(f"PROFILE#{remote.rows('customer')[0]['customer_id']}", "PROFILE")
    remote.table.update(row["PK"], row["SK"], "SET due_shard = :due, due_at = :at", due="due", at="2026-11-21T10:00:00Z")
    remote.watch()
    assert len(remote.crm.profiles) == 1


def test_an_answer_on_the_platform_counts_for_the_profile(remote):
    speak(remote, 1)
    remote.go_on(minutes=1)
    remote.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, occurred_at=remote.now, agent="Mo"))
    remote.settle()
    customer_id = remote.cases()[0]["customer_id"]
    ProfileWriter(remote.table, remote.crm, remote.policy, remote.clock).write({"PK": f"PROFILE#{customer_id}", "SK": "PROFILE"})
    assert remote.crm.profiles[0].values["unanswered"] == 0
