"""What goes to the CRM and what comes back: coalesced, once, and right whatever order it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.crm import Account, CaseRecord, Change, NewContact, Profile, SavedCase, StandingCase, Usage
from caseline.crm._guard import PROBE_SECONDS, GuardedCrm, read_limits
from caseline.crm._pace import Pace
from caseline.crm_messages import write_changes
from caseline.errors import CrmAuthError, CrmRateLimitError, CrmUnavailableError
from caseline.policy import load_policy
from caseline.profile_marks import mark_profiles
from caseline.profiles import ProfileWriter
from caseline.publishing import read_records
from caseline.reconciling import Reconciler, read_report
from caseline.signals import OUTBOUND, isoformat

from tests.kit import remote as kit
from tests.kit.aws import aws
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import FakeCrm, a_signal
from tests.simulation.test_way_through import vip

NORTH = Account("a-c-1", "Northern Tools", "c-1", "Ann")


@dataclass
class OtherCrm(FakeCrm):
    """A CRM with people in it: `changes` are what they did, `standing` what its own list says, `profiles` and `newcomers` what it was given."""

    name: str = "other"
    native_upsert: bool = True
    records: list[CaseRecord] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    standing: list[StandingCase] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    newcomers: list[NewContact] = field(default_factory=list)
    usage: Usage | None = None
    status: str = ""
    asked: int = 0

    def find_account(self, identities: Any) -> Any:
        self.asked += 1
        return super().find_account(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        self.records.append(record)
        return replace(super().save_case(record), status=self.status)

    def write_profile(self, profile: Profile) -> None:
        self._maybe(self.fail)
        self.profiles.append(profile)

    def erase_profile(self, contact_id: str, account_id: str, names: Any) -> tuple[str, ...]:
        self._maybe(self.fail)
        self.profiles = [profile for profile in self.profiles if profile.contact_id != contact_id]
        return ("its history stands",)

    def create_contact(self, contact: NewContact) -> Account:
        if contact not in self.newcomers:
            self.newcomers.append(contact)
        self._maybe(self.lose)
        return NORTH

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        self._maybe(self.fail)
        at = int(cursor or 0)
        return self.changes[at : at + 2], str(min(len(self.changes), at + 2))

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        at = int(cursor or 0)
        return self.standing[at : at + 1], str(at + 1) if at + 1 < len(self.standing) else ""


class Remote(kit.Remote):
    pace = Pace(coalesce_minutes=30)


@pytest.fixture
def remote() -> Iterator[Remote]:
    with aws() as cloud:
        yield Remote(cloud, OtherCrm({"x:100": vip()}))


def speak(remote: Remote, number: int, **more: Any) -> None:
    remote.send(a_signal(f"p-{number}", occurred_at=remote.now, **more))
    remote.settle()


# ---- what goes there


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
    from caseline.cases.changes import work_case

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


# ---- what comes back


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
        remote = Remote(MemoryCloud(), OtherCrm({"x:100": vip()}))
        speak(remote, 1)
        (case,) = remote.cases()
        remote.crm.changes = [
            Change("comment", "", remote.now, case["case_key"], {"comment_id": "1", "text": "Fixed.", "public": True}),
            Change("case", "", remote.now, case["case_key"], {"status": "closed"}),
        ]
        remote.kill_at(call, after)
        remote._until_done(lambda remote=remote: remote.sync().poll())
        over, remote.grim.at = remote.grim.at is not None, None
        remote.go_on(minutes=5)
        remote.sync().poll()
        remote.settle()
        assert (len(remote.rows("note")), remote.cases()[0]["status"]) == (1, "closed")
        if over:
            return
    raise AssertionError("more calls than expected")


# ---- limits


def test_a_breaker_opens_after_five_failures_and_lets_one_call_through_each_half_minute(remote):
    remote.crm.fail = [CrmUnavailableError("down") for _ in range(100)]
    for _ in range(5):
        with pytest.raises(CrmUnavailableError):
            remote.guarded().find_account(["x:100"])
    asked = remote.crm.asked
    for _ in range(10 * PROBE_SECONDS):
        remote.go_on(seconds=1)
        with pytest.raises(CrmUnavailableError):
            remote.guarded().find_account(["x:100"])
    assert remote.crm.asked - asked == 10
    assert read_limits(remote.table, "other", remote.now).state == "down"
    remote.crm.fail = []
    remote.go_on(seconds=PROBE_SECONDS)
    assert remote.guarded().find_account(["x:100"]).kind == "exact"
    assert read_limits(remote.table, "other", remote.now).state == "up"


class Together:
    """A CRM that is down, asked by so many workers that each had read how it is before the first of them failed."""

    name, native_upsert, usage = "other", False, None

    def __init__(self, remote, workers):
        self.workers, self.guarded = workers, GuardedCrm(self, remote.table, remote.clock)

    def find_account(self, identities):
        self.workers -= 1
        if self.workers:
            with pytest.raises(CrmUnavailableError):
                self.guarded.find_account(identities)
        raise CrmUnavailableError("down")


def test_workers_that_fail_together_open_a_breaker_that_closes_again(remote):
    with pytest.raises(CrmUnavailableError):
        Together(remote, 5).guarded.find_account(["x:100"])
    limits = read_limits(remote.table, "other", remote.now)
    assert (limits.state, limits.since, limits.failures) == ("down", isoformat(remote.now), 5)
    remote.go_on(seconds=PROBE_SECONDS)
    assert remote.guarded().find_account(["x:100"]).kind == "exact"
    limits = read_limits(remote.table, "other", remote.now)
    assert (limits.state, limits.since) == ("up", "")


def test_wrong_credentials_open_it_too(remote):
    remote.crm.fail = [CrmAuthError("no") for _ in range(9)]
    for _ in range(5):
        with pytest.raises(CrmAuthError):
            remote.guarded().find_account(["x:100"])
    with pytest.raises(CrmUnavailableError):
        remote.guarded().find_account(["x:100"])


def test_all_workers_leave_it_alone_for_as_long_as_it_says(remote):
    remote.crm.fail = [CrmRateLimitError("slow down", 90.0)]
    with pytest.raises(CrmRateLimitError):
        remote.guarded().find_account(["x:100"])
    remote.go_on(seconds=60)
    with pytest.raises(CrmRateLimitError) as caught:
        remote.guarded().find_account(["x:100"])
    assert 29 <= caught.value.retry_after <= 32 and remote.crm.asked == 1
    remote.go_on(seconds=32)
    assert remote.guarded().find_account(["x:100"]).kind == "exact"


def test_the_last_tenth_of_the_quota_is_kept_for_p1(remote):
    speak(remote, 1)
    remote.crm.usage = Usage(50, 1000, 3600.0)
    remote.guarded().find_account(["x:100"])
    with pytest.raises(CrmRateLimitError):
        remote.guarded().write_profile(Profile("c-1", "a-1", {}))
    with pytest.raises(CrmRateLimitError):
        remote.guarded().save_case(replace(remote.crm.records[0], band="P2"))
    assert remote.guarded().save_case(remote.crm.records[0]).crm_id
    remote.go_on(hours=2)
    remote.guarded().write_profile(Profile("c-1", "a-1", {}))


def test_two_hours_down_lose_nothing(remote):
    remote.crm.fail = [CrmUnavailableError("down") for _ in range(10_000)]
    for number in range(3):
        speak(remote, number)
    remote.live(remote.now + timedelta(hours=2))
    (case,) = remote.cases()
    assert case["crm"]["sync"] == "failed" and not remote.crm.created
    remote.crm.fail = []
    remote.live(remote.now + timedelta(minutes=8))
    (case,) = remote.cases()
    assert (case["crm"]["sync"], case["noted"], remote.crm.created) == ("synced", 3, 1)
    assert case["priority"]["band"] == "P1"


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


def test_an_answer_on_the_platform_counts_for_the_profile(remote):
    speak(remote, 1)
    remote.go_on(minutes=1)
    remote.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, occurred_at=remote.now, agent="Mo"))
    remote.settle()
    customer_id = remote.cases()[0]["customer_id"]
    ProfileWriter(remote.table, remote.crm, remote.policy, remote.clock).write({"PK": f"PROFILE#{customer_id}", "SK": "PROFILE"})
    assert remote.crm.profiles[0].values["unanswered"] == 0
