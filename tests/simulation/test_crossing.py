"""What people do in the CRM and what happens here cross each other on the way; what the CRM refuses holds up nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from caseline.crm import CaseRecord, Change, SavedCase
from caseline.crm_messages import read_message, write_changes, write_messages
from caseline.errors import CrmUnavailableError
from caseline.policy import load_policy

from tests.kit.accounts import vip
from tests.kit.aws import FakeCloud
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import a_signal
from tests.kit.remote import Coalescing, OtherCrm, hear, push, speak, the_case, work


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
        over = remote.poll_dying(call, after)
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
