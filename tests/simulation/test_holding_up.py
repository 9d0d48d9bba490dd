"""What a CRM refuses, what is too much, and what waits for it, holds up nothing else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from caseline import errors
from caseline.crm import Change, SavedCase, StandingCase
from caseline.crm._guard import OPENS_AT, PROBE_SECONDS
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmAuthError, CrmError, CrmForbiddenError, CrmRejectedError, CrmUnavailableError
from caseline.policy import load_policy
from caseline.reconciling import Reconciler

from tests.kit.accounts import vip
from tests.kit.aws import FakeCloud
from tests.kit.pipeline import Killed, a_signal
from tests.kit.remote import NORTH, Coalescing, OtherCrm, hear, push, speak, the_case, work


@pytest.fixture
def remote(cloud: FakeCloud) -> Coalescing:
    return Coalescing(cloud, OtherCrm({"x:100": vip()}))


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
