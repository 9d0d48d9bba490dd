"""Salesforce: a case and its notes in one call, queues, what people set, races, and fields that an org lacks."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import Note
from caseline.errors import CrmNotFoundError, CrmRejectedError, CrmUnavailableError

from tests.kit.crms import RECORD
from tests.kit.crms.salesforce import SalesforceWorld
from tests.kit.scenes import BEFORE


def test_a_new_case(there: SalesforceWorld, ann: str) -> None:
    contact = there.org.all("Contact")[0]["Id"]
    there.adapter().save_case(replace(RECORD, account_id=ann, contact_id=contact))
    case = there.case()
    expected = {
        "Subject": RECORD.subject, "Priority": "High", "Status": "New", "Origin": "Web", "AccountId": ann, "ContactId": contact, "CX_Version__c": 1,
        "CX_Score__c": 80, "CX_Band__c": "P1", "CX_Reasons__c": "\n".join(RECORD.reasons), "CX_Headline__c": RECORD.headline, "CX_Category__c": "delivery",
        "CX_Link__c": RECORD.url,
    }  # fmt: skip
    assert {name: case[name] for name in expected} == expected


@pytest.mark.parametrize(("band", "priority"), [("P1", "High"), ("P2", "High"), ("P3", "Medium"), ("P4", "Low")])
def test_bands_are_the_orgs_priorities(there: SalesforceWorld, band: str, priority: str) -> None:
    there.adapter().save_case(replace(RECORD, band=band))
    assert there.case()["Priority"] == priority


def test_a_case_goes_to_its_queue_past_the_assignment_rules(there: SalesforceWorld) -> None:
    senior, rule = there.org.add("Group", Name="Senior", Type="Queue"), there.org.add("Group", Name="Rule", Type="Queue")
    there.org.assignment_owner = rule
    there.adapter(queues={"senior-care": senior}).save_case(RECORD)
    there.adapter().save_case(replace(RECORD, case_key="cx-2"))
    assert [case["OwnerId"] for case in there.org.all("Case")] == [senior, rule]


def test_what_people_set_stands(there: SalesforceWorld) -> None:
    first, senior = (there.org.add("Group", Name=name, Type="Queue") for name in ("First", "Senior"))
    crm = there.adapter(queues={"first": first, "senior-care": senior})
    crm.save_case(replace(RECORD, band="P3", queue="first"))
    crm.save_case(replace(RECORD, version=2))
    assert (there.case()["Priority"], there.case()["OwnerId"]) == ("High", senior)
    there.case().update(Priority="Low", OwnerId=there.org.user, Status="Working", Subject="Renamed")
    crm.save_case(replace(RECORD, version=3, band="P2", score=60, queue="first"))
    case = there.case()
    assert (case["Priority"], case["OwnerId"], case["Status"], case["Subject"], case["CX_Score__c"]) == ("Low", there.org.user, "Working", "Renamed", 60)


def test_closing(there: SalesforceWorld) -> None:
    crm = there.adapter()
    crm.save_case(RECORD)
    crm.save_case(replace(RECORD, version=2, status="closed"))
    assert there.case()["IsClosed"] is True


def test_the_loser_of_a_race_updates_the_winners_case(there: SalesforceWorld) -> None:
    """Both look up and find nothing; the unique index lets one insert through."""
    gate = threading.Barrier(2)
    there.org.before_insert = lambda: gate.wait(5) and None
    saved: list[Any] = []
    threads = [threading.Thread(target=lambda v=version: saved.append(there.adapter().save_case(replace(RECORD, version=v)))) for version in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.crm_id for each in saved}) == 1 and sorted(each.created for each in saved) == [False, True]
    assert there.case()["CX_Version__c"] == 2


def test_a_new_case_with_its_notes_is_one_call(there: SalesforceWorld) -> None:
    saved = there.adapter().save_case(replace(RECORD, first=True, notes=tuple(Note(f"n-{n}", f"words {n}", n % 2 == 0) for n in range(45))))
    assert there.rest_paths() == ["/composite"] * 3, "25 requests at once; 20 notes of them"
    assert saved.number == there.case()["CaseNumber"]
    assert [comment["IsPublished"] for comment in there.org.all("CaseComment")][:3] == [True, False, True] and len(there.org.all("CaseComment")) == 45


LATER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"score": 85}, {"CX_Score__c": 85, "Priority": "High"}),
    ({"band": "P3"}, {"CX_Band__c": "P3", "Priority": "Medium"}),
    ({"status": "closed"}, {"Status": "Closed", "Reason": "Solved"}),
    ({"queue": "tier-2"}, {"CX_Queue__c": "tier-2"}),
    ({"owner": "bob"}, {"CX_Band__c": "P1"}),
]


@pytest.mark.parametrize(("changes", "expected"), LATER, ids=lambda value: next(iter(value)))
def test_a_later_save_with_notes_is_one_call_where_nobody_came_between(there: SalesforceWorld, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    queues = {name: there.org.add("Group", Name=name, Type="Queue") for name in ("senior-care", "tier-2")}
    crm = there.adapter(queues=queues, owners={"bob": there.person("bob")}, closing={"Reason": "Solved"})
    saved = crm.save_case(replace(RECORD, first=True))
    before = len(there.simulator.rest_calls())
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, notes=(Note("n-1", "words"), Note("n-2", "more")), **changes))
    assert len(there.simulator.rest_calls()) - before == 1 and len(there.org.all("CaseComment")) == 2
    owner = there.person("bob") if "owner" in changes else queues[changes.get("queue", "senior-care")]
    assert {name: there.case()[name] for name in expected} == expected and there.case()["OwnerId"] == owner


def test_where_somebody_came_between_it_is_two_calls_and_theirs_stands(there: SalesforceWorld) -> None:
    crm = there.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    there.set_band(saved.crm_id, "P4")
    before = len(there.simulator.rest_calls())
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, band="P3", score=40, notes=(Note("n-1", "words"),)))
    assert len(there.simulator.rest_calls()) - before == 2
    assert [there.case()[name] for name in ("Priority", "CX_Score__c", "CX_Band__c")] == ["Low", 40, "P3"] and len(there.org.all("CaseComment")) == 1


def test_a_save_whose_answer_was_lost_writes_no_note_twice(there: SalesforceWorld) -> None:
    crm = there.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    there.simulator.faults.add("drop_after", "/composite")
    lost = replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, notes=(Note("n-1", "words"),))
    with pytest.raises(CrmUnavailableError):
        crm.save_case(lost)
    crm.save_case(replace(lost, version=3, notes=(*lost.notes, Note("n-2", "more"))))
    assert sorted(comment["CommentBody"].split()[0] for comment in there.org.all("CaseComment")) == ["more", "words"]
    assert there.case()["CX_Version__c"] == 3


def test_a_refused_note_is_tried_again_alone(there: SalesforceWorld) -> None:
    crm = there.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    there.org.rules["CaseComment"] = [lambda before, after: "comments are not welcome" if "more" in after["CommentBody"] else None]
    record = replace(RECORD, version=2, score=85, crm_id=saved.crm_id, before=BEFORE, saved_version=1, notes=(Note("n-1", "words"), Note("n-2", "more")))
    with pytest.raises(CrmRejectedError):
        crm.save_case(record)
    there.org.rules.clear()
    crm.save_case(record)
    assert [comment["CommentBody"].split()[0] for comment in there.org.all("CaseComment")] == ["words", "more"] and there.case()["CX_Score__c"] == 85


def test_a_case_of_an_account_that_is_gone_is_saved_without_it(there: SalesforceWorld, ann: str) -> None:
    contact = there.org.all("Contact")[0]["Id"]
    there.org.delete(there.org.entities["Account"], ann)
    saved = there.adapter().save_case(replace(RECORD, first=True, account_id=ann, contact_id=contact, notes=(Note("n-1", "words"),)))
    assert saved.created and there.case()["AccountId"] is None and len(there.org.all("CaseComment")) == 1


def test_a_case_that_goes_between_look_and_write_is_not_made_of_our_fields_alone(there: SalesforceWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    crm = there.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    monkeypatch.setattr(there.org, "find_external", lambda *_: there.lose_case(saved.crm_id) or [] if there.cases() else [])
    with pytest.raises(CrmNotFoundError):
        crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE))
    monkeypatch.undo()
    again = crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE))
    assert again.created and there.case()["Subject"] == RECORD.subject


def test_a_queue_that_is_not_there_is_no_endless_loop_and_done_without(there: SalesforceWorld) -> None:
    saved = there.adapter().save_case(replace(RECORD, first=True))
    there.org.change("Case", saved.crm_id, OwnerId=there.org.add("Group", Name="First", Type="Queue"))
    crm, before = there.adapter(queues={"senior-care": "00G5g0000000999"}), there.calls()
    for version, crm_id in ((2, ""), (3, saved.crm_id)):
        crm.save_case(replace(RECORD, version=version, crm_id=crm_id, before={**BEFORE, "queue": ""}))
    assert there.calls() - before <= 12 and there.case()["CX_Version__c"] == 3


def test_an_update_does_not_run_the_assignment_rules(there: SalesforceWorld) -> None:
    crm, senior = there.adapter(), there.org.add("Group", Name="Senior", Type="Queue")
    saved = crm.save_case(replace(RECORD, first=True))
    there.org.change("Case", saved.crm_id, OwnerId=senior)
    there.org.assignment_owner = there.org.add("Group", Name="Rule", Type="Queue")
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1))
    crm.save_case(replace(RECORD, version=3))
    assert there.case()["OwnerId"] == senior


def test_a_merged_case_of_no_other_key_is_taken_over(there: SalesforceWorld) -> None:
    crm = there.adapter()
    saved, into = crm.save_case(RECORD), there.org.add("Case", Subject="Made by hand")
    there.merge_case(saved.crm_id, into)
    again = crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1))
    assert (again.crm_id, again.created) == (into, False) and there.org.records["Case"][into]["CX_Score__c"] == 80


def test_a_newer_version_that_comes_between_look_and_write_stands(there: SalesforceWorld) -> None:
    crm = there.adapter()
    crm.save_case(RECORD)
    case = there.case()
    there.org.rules["Case"].insert(0, lambda before, after: case.update(CX_Version__c=9, CX_Score__c=99))
    saved = crm.save_case(replace(RECORD, version=2, score=10))
    assert (saved.crm_id, saved.created) == (case["Id"], False)
    assert (case["CX_Version__c"], case["CX_Score__c"]) == (9, 99)


def test_optional_fields_may_be_absent(there: SalesforceWorld) -> None:
    for name in ("CX_Version__c", "CX_Score__c", "CX_Link__c"):
        there.org.drop_field("Case", name)
    there.org.rules.clear()
    crm = there.adapter()
    crm.save_case(RECORD)
    assert there.case()["CX_Band__c"] == "P1"
    assert crm.missing_fields == {"case.cx_version__c", "case.cx_score__c", "case.cx_link__c"}


def test_without_the_external_id_the_admin_is_told_what_to_create(there: SalesforceWorld) -> None:
    there.org.drop_field("Case", "CX_Case_Key__c")
    with pytest.raises(CrmRejectedError) as caught:
        there.adapter().save_case(RECORD)
    assert caught.value.field == "Case.CX_Case_Key__c" and "Caseline_Integration" in str(caught.value)


def test_several_cases_of_one_key(there: SalesforceWorld) -> None:
    for _ in range(2):
        there.org.add("Case", CX_Case_Key__c=RECORD.case_key)
    with pytest.raises(CrmRejectedError) as caught:
        there.adapter().save_case(RECORD)
    assert caught.value.field == "CX_Case_Key__c"
