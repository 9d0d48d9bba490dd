"""What people do in the CRM and what happens here cross each other on the way; what the CRM refuses holds up nothing else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from caseline import errors
from caseline.cases.changes import work_case
from caseline.crm import CaseRecord, Change, SavedCase, StandingCase
from caseline.crm._guard import OPENS_AT, PROBE_SECONDS
from caseline.crm._optional import MissingFieldError
from caseline.crm_messages import read_message, write_changes, write_messages
from caseline.errors import CrmAuthError, CrmError, CrmForbiddenError, CrmRejectedError, CrmUnavailableError
from caseline.policy import load_policy
from caseline.reconciling import Reconciler

from tests.kit.accounts import vip
from tests.kit.aws import FakeCloud
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import Killed, a_signal
from tests.kit.remote import NORTH, Coalescing, OtherCrm, speak


@dataclass
class BusyCrm(OtherCrm):
    """`closed`: whether the next saves after the first of a case find that somebody has closed it."""

    closed: list[bool] = field(default_factory=list)

    def save_case(self, record: CaseRecord) -> SavedCase:
        saved = super().save_case(record)
        return replace(saved, status="closed") if not saved.created and self.closed and self.closed.pop(0) else saved


@pytest.fixture
def remote(cloud: FakeCloud) -> Coalescing:
    return Coalescing(cloud, BusyCrm({"x:100": vip()}))


def the_case(remote: Coalescing) -> dict[str, Any]:
    (case,) = remote.cases()
    return case


def work(remote: Coalescing, **wanted: Any) -> None:
    work_case(remote.table, the_case(remote)["case_key"], wanted, "Mo", remote.now)


def hear(remote: Coalescing, at: datetime | None = None, kind: str = "case", dated: bool = True, **fields: Any) -> bool:
    case = the_case(remote)
    return remote.inbound().apply(Change(kind, case["crm"]["id"], at or remote.now, case["case_key"], fields, "Zoe"), dated)


def push(remote: Coalescing) -> None:
    remote.outbox().push(the_case(remote)["case_key"])


# ---- what stood there before comes while ours is on its way


def test_a_case_closed_here_stays_closed_while_the_crm_has_not_heard(remote):
    speak(remote, 1)
    work(remote, status="closed")
    assert hear(remote, status="open", owner="Zoe")
    assert (the_case(remote)["status"], the_case(remote)["owner"]) == ("closed", "Zoe")
    push(remote)
    assert remote.crm.records[-1].status == "closed"


def test_a_band_given_back_here_is_not_set_again_by_what_the_crm_still_shows(remote):
    speak(remote, 1)
    hear(remote, band="P3")
    work(remote, band="auto")
    remote.go_on(seconds=10)
    assert not hear(remote, band="P3")
    push(remote)
    remote.go_on(minutes=5)
    assert hear(remote, band="P3") and the_case(remote)["priority"]["override"]


def test_an_owner_whom_somebody_here_replaced_does_not_come_back(remote):
    speak(remote, 1)
    hear(remote, owner="Ann")
    work(remote, owner="Zoe")
    remote.go_on(seconds=10)
    assert not hear(remote, owner="Ann", status="open")


def test_a_save_without_an_answer_is_no_persons_word(remote):
    speak(remote, 1)
    work(remote, status="closed")
    remote.crm.lose = [CrmUnavailableError("lost")]
    with pytest.raises(CrmUnavailableError):
        push(remote)
    work(remote, status="open")
    assert not hear(remote, status="closed")


def test_people_there_may_change_their_minds_while_something_waits(remote):
    speak(remote, 1)
    remote.crm.fail = [CrmUnavailableError("down")] * 3
    speak(remote, 2)
    assert the_case(remote)["version"] > the_case(remote)["pushed_version"]
    for status in ("closed", "open", "closed", "pending"):
        remote.go_on(seconds=20)
        assert hear(remote, status=status)
    assert the_case(remote)["status"] == "open"


# ---- twice, late, in any order


def test_what_comes_again_or_late_does_not_undo_what_came_after_it(remote):
    speak(remote, 1)
    closed, opened = remote.now, remote.now + timedelta(minutes=1)
    remote.go_on(minutes=2)
    assert hear(remote, closed, status="closed") and hear(remote, opened, status="open")
    assert not hear(remote, closed, status="closed") and not hear(remote, opened - timedelta(seconds=1), status="closed")
    assert hear(remote, opened, status="closed"), "the clock of a CRM may count whole seconds"


def test_what_comes_again_does_not_undo_what_people_did_here(remote):
    speak(remote, 1)
    closed = remote.now
    assert hear(remote, closed, status="closed")
    remote.go_on(minutes=1)
    work(remote, status="open")
    push(remote)
    assert not hear(remote, closed, status="closed")


def test_what_has_no_time_is_never_too_late(remote):
    speak(remote, 1)
    assert hear(remote, remote.now + timedelta(minutes=9), dated=False, status="closed")
    assert hear(remote, status="open") and hear(remote, dated=False, status="closed")
    (told, dated), *_ = read_message(write_changes([Change("case", "1", remote.now, fields={"status": "closed"})], received_at=remote.now))[0]
    assert (told.at, dated) == (remote.now, False)


def test_many_long_comments_are_more_messages_than_one(remote):
    """The queue refuses what is larger than its limit, and the CRM would send the same again and again."""
    said = [Change("comment", "1", remote.now, fields={"comment_id": str(number), "text": "\U0001f600" * 9_000}) for number in range(30)]
    messages = list(write_messages(said, remote.now))
    assert max(map(len, messages)) < 262_144 and sum(len(read_message(message)[0]) for message in messages) == len(said)
    (huge,) = write_messages([Change("contact", "1", remote.now, fields={"name": "x" * 500_000})], remote.now)
    assert read_message(huge)[0][0][0].fields == {}, "and is asked for"


def test_an_old_merge_does_not_lead_back_from_the_survivor(remote):
    speak(remote, 1)
    case = the_case(remote)
    first = Change("merged", case["crm"]["id"], remote.now, case["case_key"], {"entity": "case", "into": "B"})
    assert remote.inbound().apply(first) and hear(remote, kind="merged", entity="case", into="C")
    assert not remote.inbound().apply(first)
    assert the_case(remote)["crm"]["id"] == "C"


# ---- what people give back


def test_a_priority_that_people_blank_there_is_that_of_the_score_again(remote):
    """They set it, the score rose meanwhile, and they took their word back."""
    remote.crm.accounts = {"x:100": vip("trial")}
    speak(remote, 1)
    assert hear(remote, band="P3") and not hear(remote, band="P3")
    remote.crm.accounts = {"x:100": vip()}
    remote.inbound().apply(Change("account", "a-c-1", remote.now))
    remote.settle()
    assert (the_case(remote)["priority"]["band"], the_case(remote)["priority"]["auto_band"]) == ("P3", "P1")
    remote.go_on(minutes=1)
    assert hear(remote, band="auto") and not hear(remote, band="auto")
    assert (the_case(remote)["priority"]["band"], the_case(remote)["priority"]["override"]) == ("P1", None)
    push(remote)
    assert (remote.crm.records[-1].band, remote.crm.records[-1].before["band"]) == ("P1", "")
    assert not hear(remote, band="auto"), "what nobody has set cannot be given back"


def test_a_case_that_people_take_from_its_owner_there_is_nobodys(remote):
    speak(remote, 1)
    assert hear(remote, owner="Ann")
    remote.go_on(minutes=1)
    assert hear(remote, owner="") and not the_case(remote).get("owner") and not hear(remote, owner="")


# ---- what has no place here


@pytest.mark.parametrize("odd", [{"queue": "Second level, Paris"}, {"owner": "x" * 300}, {"band": "P0"}, {"owner": 7}])
def test_a_value_that_has_no_place_here_keeps_out_no_other(remote, odd):
    speak(remote, 1)
    assert hear(remote, status="closed", **odd) and the_case(remote)["status"] == "closed"


# ---- what people deleted


def test_a_case_that_people_deleted_is_not_made_again_by_what_was_waiting(remote):
    speak(remote, 1)
    remote.crm.fail = [CrmUnavailableError("down")] * 3
    speak(remote, 2)
    saves = len(remote.crm.records)
    assert hear(remote, kind="deleted", entity="case")
    remote.crm.fail = []
    remote.live(remote.now + timedelta(hours=2))
    assert len(remote.crm.records) == saves and the_case(remote)["pushed_version"] == the_case(remote)["version"]
    work(remote, status="open")
    push(remote)
    assert remote.crm.records[-1].status == "open", "unless somebody here opens it again"


def test_what_is_told_before_the_answer_to_our_save_is_heard(remote):
    """Its webhook is faster: it names the case by our key, and we do not know the record's id yet."""
    remote.crm.lose = [CrmUnavailableError("lost")] * 50
    speak(remote, 1)
    case = the_case(remote)
    assert not case["crm"].get("id")
    assert remote.inbound().apply(Change("deleted", "500-new", remote.now, case["case_key"], {"entity": "case"}))
    remote.crm.lose = []
    saves = len(remote.crm.records)
    remote.live(remote.now + timedelta(minutes=70))
    assert the_case(remote)["status"] == "closed" and len(remote.crm.records) == saves


# ---- what the CRM refuses


@pytest.mark.parametrize("error", [CrmRejectedError("it wants a last name", "LastName"), CrmAuthError("no right to make contacts")])
def test_a_contact_that_the_crm_refuses_holds_up_no_case(remote, error):
    remote.crm.accounts, rules = {}, load_policy(None).crm.model_copy(update={"create": "contact", "create_from": "P4"})
    remote.policy, remote.crm.lose = load_policy(None).model_copy(update={"crm": rules}), [error]
    speak(remote, 1)
    assert (remote.crm.created, len(remote.crm.newcomers), the_case(remote)["crm"]["sync"]) == (1, 1, "synced")
    push(remote)
    assert len(remote.crm.newcomers) == 1, "not tried at once again"
    remote.go_on(hours=2)
    speak(remote, 2)
    push(remote)
    assert remote.crm.records[-1].contact_id == NORTH.contact_id


def test_whoever_answers_is_up_and_a_right_that_is_missing_is_no_outage(remote):
    remote.crm.fail = [CrmForbiddenError("not this field")] * OPENS_AT
    for _ in range(OPENS_AT):
        with pytest.raises(CrmAuthError):
            remote.guarded().find_account(["x:100"])
    remote.crm.fail = [*[CrmUnavailableError("down")] * OPENS_AT, CrmRejectedError("no such field")]
    for _ in range(OPENS_AT):
        with pytest.raises(CrmUnavailableError):
            remote.guarded().find_account(["x:100"])
    remote.go_on(seconds=PROBE_SECONDS + 1)
    with pytest.raises(CrmRejectedError):
        remote.guarded().find_account(["x:100"])
    assert remote.guarded().find_account(["x:100"]).kind == "exact"


def test_the_state_machine_knows_every_error_by_its_name(remote):
    """It retries and catches by the name of the class, and knows those of the contract alone."""
    remote.crm.fail = [CrmForbiddenError("no"), MissingFieldError("case", "cx_band"), CrmRejectedError("no", "Name")]
    raised = []
    for _ in range(3):
        with pytest.raises(CrmError) as caught:
            remote.guarded().find_account(["x:100"])
        raised.append(caught.value)
    assert [type(error) for error in raised] == [CrmAuthError, CrmRejectedError, CrmRejectedError]
    assert {type(error) for error in raised} <= set(errors.CrmError.__subclasses__())
    assert [getattr(error, "field", "") for error in raised] == ["", "case.cx_band", "Name"] and "cx_band" in str(raised[1])


# ---- closed there while the customer was writing


REOPENING = {False: 2, True: 1}  # cases that come of it, by whether the policy opens again what was closed there


@pytest.mark.parametrize("by", ["poll", "save"])
@pytest.mark.parametrize("opens", REOPENING)
def test_what_came_after_people_closed_the_case_is_not_closed_with_it(remote, opens, by):
    """The CRM tells of it a minute later: until then the case gathers what the customer says."""
    usual = load_policy(None)
    remote.policy = usual.model_copy(update={"reopen": usual.reopen.model_copy(update={"closed_in_crm": opens})})
    speak(remote, 1)
    remote.go_on(minutes=70)
    closed = remote.now
    remote.go_on(seconds=30)
    first, remote.crm.closed = the_case(remote), [by == "save"]
    remote.send(a_signal("p-2", received_at=remote.now, occurred_at=remote.now))
    remote.settle()
    remote.go_on(seconds=20)
    change = Change("case", first["crm"]["id"], closed, first["case_key"], {"status": "closed"}, "Zoe")
    assert remote.inbound().apply(change) == (by == "poll")
    remote.settle()
    assert len(remote.cases()) == REOPENING[opens]
    (case,) = remote.cases("open")
    (signal,) = [row for row in remote.rows("signal") if row["native_id"] == "p-2"]
    assert signal["case_key"] == case["case_key"] and signal["signal_id"] in case["signal_ids"]
    assert case.get("follows", first["case_key"]) == first["case_key"]
    assert remote.crm.cases[case["case_key"]].status == "open"


@pytest.mark.parametrize("after", [False, True])
def test_dying_at_any_call_of_a_closing_swallows_nothing_that_came_after_it(after):
    for call in range(1, 40):
        remote = Coalescing(MemoryCloud(), OtherCrm({"x:100": vip()}))
        speak(remote, 1)
        closed = remote.now + timedelta(minutes=5)
        remote.go_on(minutes=6)
        remote.send(a_signal("p-2", received_at=remote.now, occurred_at=remote.now))
        remote.settle()
        remote.crm.changes = [Change("case", "", closed, the_case(remote)["case_key"], {"status": "closed"})]
        remote.kill_at(call, after)
        remote._until_done(lambda remote=remote: remote.sync().poll())
        over, remote.grim.at = remote.grim.at is not None, None
        remote.go_on(minutes=5)
        remote.sync().poll()
        remote.settle()
        (case,) = remote.cases("open")
        assert len(remote.cases()) == 2 and {row["case_key"] for row in remote.rows("signal") if row["native_id"] == "p-2"} == {case["case_key"]}
        if over:
            return
    raise AssertionError("more calls than expected")


def test_what_people_had_seen_is_closed_with_the_case(remote):
    speak(remote, 1)
    remote.send(a_signal("p-2", received_at=remote.now, occurred_at=remote.now))
    remote.settle()
    remote.go_on(minutes=1)
    assert hear(remote, status="closed")
    remote.settle()
    assert [case["signal_count"] for case in remote.cases()] == [2] and not remote.cases("open")


# ---- too much, too long


def test_a_change_that_the_table_will_never_take_holds_up_none_behind_it(remote):
    speak(remote, 1)
    case_key = the_case(remote)["case_key"]
    remote.crm.changes = [
        Change("comment", "", remote.now, case_key, {"comment_id": "c" * 2_000, "text": "its id is longer than a key may be"}),
        Change("case", "", remote.now, case_key, {"status": "closed"}),
    ]
    assert remote.sync().poll() == 2 and the_case(remote)["status"] == "closed" and remote.sync().poll() == 0


def test_an_account_with_very_many_customers_is_asked_for_once_however_often_asking_dies(remote):
    """Thousands of customers stand under one account: what was asked for before it died is not asked for again."""
    who = [f"x:{number}" for number in range(100, 104)]
    remote.crm.accounts = {each: replace(vip(identities=(each,)), contact_id=f"c-{each}") for each in who}
    for each in who:
        remote.send(a_signal(f"p-{each}", identities=(each,)))
    remote.settle()
    change, versions = Change("account", "a-c-1", remote.now), {case["case_key"]: case["version"] for case in remote.cases()}
    remote.kill_at(8, after=True)
    for _ in range(2):
        with suppress(Killed):
            remote.inbound().apply(change)
        remote.go_on(minutes=1)
    assert [case["version"] - versions[case["case_key"]] for case in remote.cases()] == [1] * 4
    remote.settle()
    assert remote.inbound().apply(change), "and again once it was read"


# ---- both sides counted


def test_a_closed_case_that_is_read_only_there_is_no_difference(remote):
    """Dynamics takes nothing for a resolved case, so that each would be reported as behind, every night."""
    speak(remote, 1)
    case = the_case(remote)
    remote.table.update(case["PK"], case["SK"], "SET wrote = :nine", nine=9)
    for status, count in (("open", 1), ("closed", 0)):
        remote.crm.standing = [StandingCase(case["crm"]["id"], case["case_key"], status, None, 1)]
        assert status == "open" or hear(remote, status="closed")
        assert Reconciler(remote.table, remote.crm, remote.clock).reconcile()["count"] == count


@pytest.mark.parametrize("told", [True, False])
def test_a_case_that_was_merged_away_there_is_no_difference(remote, told):
    """Its record stays, closed and with our key; the survivor, which has another or none, is where the case stands. We are told, or find it as we save."""
    speak(remote, 1)
    case = the_case(remote)
    if told:
        assert hear(remote, kind="merged", entity="case", into="survivor")
    else:
        remote.crm.save_case = lambda record: SavedCase("survivor", "N9", "", False)
        work(remote, owner="Mo")
        push(remote)
    remote.go_on(hours=2)
    for standing in ([], [StandingCase(case["crm"]["id"], case["case_key"], "closed", None, 1)]):
        remote.crm.standing = standing
        assert Reconciler(remote.table, remote.crm, remote.clock).reconcile()["count"] == 0


# ---- deadlines go on while the CRM waits


@pytest.mark.parametrize("trouble", ["coalesced", "down"])
def test_a_deadline_is_missed_at_its_instant_whatever_waits_for_the_crm(remote, trouble):
    """News that can wait for an hour, or a CRM that does not answer: what is due is looked at in time, and what waits goes out in its own."""
    remote.policy = load_policy("version: 2\nsla: {targets: {P1: 20, P2: 20, P3: 20, P4: 20}}\n")
    speak(remote, 1)
    remote.go_on(minutes=5)
    begun, saves = remote.now, len(remote.crm.records)
    remote.crm.fail = [CrmUnavailableError("down")] * 10_000 if trouble == "down" else []
    speak(remote, 2)
    assert the_case(remote)["version"] > the_case(remote)["pushed_version"]
    remote.live(begun + timedelta(minutes=17))
    (miss,) = the_case(remote)["missed"]
    assert miss["clock"] == "first" and any(event["DetailType"] == "Case Deadline Missed" for event in remote.events)
    remote.crm.fail = []
    remote.live(begun + timedelta(minutes=70))
    assert the_case(remote)["crm"]["sync"] == "synced" and saves < len(remote.crm.records) <= saves + 3
