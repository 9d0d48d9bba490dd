"""What only Salesforce has: logins, its error codes, fields that an org lacks, queues, and what people change under us."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from caseline.crm import NewContact, Note, Profile, ProfileEvent, Usage, open_crm
from caseline.errors import ConfigError, CrmAuthError, CrmConflictError, CrmError, CrmNotFoundError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kit.crms import RECORD
from tests.kit.crms.salesforce import SECRET, SalesforceWorld, world
from tests.kit.salesforce import CLIENT_ID, USERNAME
from tests.kit.salesforce.errors import SalesforceError

ANN = ["email:ann@example.com"]
BEFORE = {"status": "open", "band": "P1", "queue": "senior-care", "owner": ""}


@pytest.fixture
def sf() -> Iterator[SalesforceWorld]:
    with world() as found:
        yield found


@pytest.fixture
def ann(sf: SalesforceWorld) -> str:
    account = sf.add_account("Globex", tier="strategic")
    sf.add_contact(account, "Ann", "ann@example.com", "020 7946 0000", "x:12345;x:@ann")
    return account


def rest_paths(sf: SalesforceWorld) -> list[str]:
    return [call.path.removeprefix("/services/data/v66.0") for call in sf.simulator.rest_calls()]


# ---- login


def jwt_adapter(sf: SalesforceWorld, **changes: Any) -> Any:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    sf.simulator.public_key = changes.pop("public_key", public)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    secret = {"client_id": CLIENT_ID, "username": USERNAME, "private_key": private, **changes}
    return open_crm("salesforce").create({"instance_url": sf.simulator.url}, secret, clock=lambda: datetime.now(UTC))


def test_jwt_bearer(sf: SalesforceWorld, ann: str) -> None:
    assert jwt_adapter(sf).find_account(ANN).account.account_id == ann


@pytest.mark.parametrize("changes", [{"username": "other@acme.example"}, {"client_id": "other"}, {"private_key": "no key"}, {"public_key": None}])
def test_a_jwt_that_salesforce_refuses(sf: SalesforceWorld, changes: dict[str, Any]) -> None:
    with pytest.raises(CrmAuthError) as caught:
        jwt_adapter(sf, **changes).find_account(ANN)
    assert "PRIVATE" not in str(caught.value) and USERNAME not in str(caught.value)


def test_a_wrong_secret(sf: SalesforceWorld) -> None:
    crm = open_crm("salesforce").create({"instance_url": sf.simulator.url}, {"client_id": CLIENT_ID, "client_secret": "s3cret-of-old"})
    with pytest.raises(CrmAuthError, match="invalid_client") as caught:
        crm.find_account(ANN)
    assert "s3cret-of-old" not in str(caught.value)


def test_one_login_serves_all_calls(sf: SalesforceWorld, ann: str) -> None:
    crm = sf.adapter()
    for _ in range(3):
        crm.find_account(ANN)
    assert sf.simulator.logins == 1


def test_an_expired_session_is_renewed_once(sf: SalesforceWorld, ann: str) -> None:
    crm = sf.adapter()
    crm.find_account(ANN)
    sf.simulator.expire_sessions()
    assert crm.find_account(ANN).kind == "exact" and sf.simulator.logins == 2
    sf.simulator.faults.add("answer", "/composite", status=401, body=[], times=50)
    with pytest.raises(CrmAuthError):
        crm.find_account(ANN)
    assert sf.simulator.logins == 3


def test_threads_that_meet_an_expired_session_log_in_once(sf: SalesforceWorld, ann: str) -> None:
    crm, kinds = sf.adapter(), []
    crm.find_account(ANN)
    sf.simulator.expire_sessions()
    threads = [threading.Thread(target=lambda: kinds.append(crm.find_account(ANN).kind)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kinds == ["exact"] * 4 and sf.simulator.logins <= 5


def test_a_login_that_answers_nonsense_is_unavailable(sf: SalesforceWorld) -> None:
    for fault in ({"body": "<html>"}, {"body": {}}, {"body": []}):
        sf.simulator.faults.add("answer", "oauth2", status=200, **fault)
        with pytest.raises(CrmUnavailableError):
            sf.adapter().find_account(ANN)
    sf.simulator.faults.add("answer", "oauth2", status=503, body="<html>maintenance</html>")
    with pytest.raises(CrmUnavailableError):
        sf.adapter().find_account(ANN)


# ---- accounts


def test_an_account_with_its_value_is_one_call(sf: SalesforceWorld, ann: str) -> None:
    sf.adapter(leads=True).find_account(["email:ann@example.com", "x:12345", "phone:+442079460000"])
    assert rest_paths(sf) == ["/composite"]


def test_a_phone_number_may_be_looked_up_in_the_search_index(sf: SalesforceWorld, ann: str) -> None:
    assert sf.adapter(phone_search=True).find_account(["phone:+442079460000", "x:12345"]).account.account_id == ann
    assert rest_paths(sf) == ["/search", "/composite"]
    sf.org.unindexed.add(sf.org.all("Contact")[0]["Id"])
    assert sf.adapter(phone_search=True).find_account(["phone:+442079460000"]).kind == "none", "the index lags"
    assert sf.adapter().find_account(["phone:+442079460000"]).kind == "exact", "a scan does not"


@pytest.mark.parametrize("stored", ["+44 20 7946-0000", "0044 20 79460000", "(020) 7946 0000", "020.7946.0000", "20 7946 0000"])
def test_a_number_is_found_however_it_is_written(sf: SalesforceWorld, stored: str) -> None:
    account = sf.add_account("Globex")
    sf.add_contact(account, "Ann", phone=stored)
    assert sf.adapter().find_account(["phone:+442079460000"]).kind == "exact"
    assert sf.adapter().find_account(["phone:+442079460001"]).kind == sf.adapter().find_account(["phone:+12079460000"]).kind == "none"


def test_many_contacts_of_one_number_are_candidates_within_bounds(sf: SalesforceWorld) -> None:
    for place in range(15):
        sf.add_contact(sf.add_account(f"Globex {place}"), "Ann", phone="020 7946 0000")
    match = sf.adapter().find_account(["phone:+442079460000"])
    assert match.kind == "ambiguous" and len(match.candidates) == 10 and all(each.account_id for each in match.candidates)


EVENTS = tuple(ProfileEvent(f"e-{n}", "2026-11-21T09:30:00.000000Z", "x", "post", "complaint about delivery", -0.5, "2/10") for n in range(3))


def test_a_profile_with_its_history_is_one_call(sf: SalesforceWorld, ann: str) -> None:
    [contact] = sf.org.all("Contact")
    profile = Profile(contact["Id"], ann, {"health": 35}, EVENTS)
    for _ in range(2):
        sf.adapter().write_profile(profile)
    assert rest_paths(sf) == ["/composite"] * 2
    kept = [(row["CX_Event_Key__c"], row["CX_Contact__c"], row["CX_Account__c"], row["CX_Sentiment__c"]) for row in sf.org.all("CX_Event__c")]
    assert kept == [(f"e-{n}", contact["Id"], ann, -0.5) for n in range(3)]


def test_an_org_without_our_object_has_no_history(sf: SalesforceWorld, ann: str) -> None:
    sf.org.drop_entity("CX_Event__c")
    crm = sf.adapter()
    for _ in range(2):
        crm.write_profile(Profile("", ann, {"health": 35}, EVENTS))
    assert len(rest_paths(sf)) == 3 and crm.missing_fields == {"cx_event__c"} and sf.account_values(ann)["health"] == 35


def test_a_part_of_the_history_that_is_refused_is_an_error(sf: SalesforceWorld, ann: str) -> None:
    sf.org.rules["CX_Event__c"] = [lambda before, after: "no more" if after["CX_Event_Key__c"] == "e-2" else None]
    with pytest.raises(CrmRejectedError):
        sf.adapter().write_profile(Profile("", ann, {"health": 35}, EVENTS))
    assert len(sf.org.all("CX_Event__c")) == 2 and sf.account_values(ann)["health"] == 35


def test_a_reference_that_a_customer_writes_is_text(sf: SalesforceWorld, ann: str) -> None:
    """`@{part.field}` inside a composite call would be replaced by what another part answered."""
    words = "@{found.records[0].Id} @{saved.id} @{}"
    sf.add_contact(sf.add_account("Initech"), "Bob", handles="x:@{saved.id}")
    crm = sf.adapter()
    assert crm.find_account(["x:@{contact.records[0].id}"]).kind == "none" and crm.find_account(["x:@{saved.id}"]).kind == "exact"
    saved = crm.save_case(replace(RECORD, first=True, subject=words, reasons=(words,), headline=words, notes=(Note("n-1", words),)))
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, reasons=(words,), notes=(Note("n-2", words),)))
    contact = crm.create_contact(NewContact("contact", "cu-1", words, ("x:@{made.id}",), words))
    crm.write_profile(Profile(contact.contact_id, "", {"channels": words}))
    assert [comment["CommentBody"].count("{saved.id}") for comment in sf.org.all("CaseComment")] == [1, 1]
    assert "{found.records[0].Id}" in case_of(sf)["CX_Reasons__c"]


def test_a_number_stored_as_people_dial_it_at_home_is_found(sf: SalesforceWorld, ann: str) -> None:
    assert sf.adapter().find_account(["phone:+442079460000"]).account.account_id == ann
    for code in ("", "49"):
        assert sf.adapter(phone_country_code=code).find_account(["phone:+442079460000"]).kind == "none"


def test_the_value_of_an_account(sf: SalesforceWorld, ann: str) -> None:
    org = sf.org
    org.records["Account"][ann].update(AnnualRevenue=1.25e7, Type="Customer - Direct", OwnerId=org.user)
    for amount, won in ((100_000.0, True), (20_000.5, True), (999.0, False)):
        org.add("Opportunity", Name="Deal", AccountId=ann, Amount=amount, IsWon=won)
    for end, status in (("2026-12-15", "Activated"), ("2027-12-15", "Activated"), ("2026-11-30", "Draft"), ("2025-12-15", "Activated")):
        org.add("Contract", AccountId=ann, Status=status, EndDate=end)
    facts = sf.adapter(currency="EUR").find_account(ANN).account.facts
    assert {name: fact.value for name, fact in facts.items()} == {
        "tier": "strategic", "deal_value": "120000.5", "purchases": 2, "currency": "EUR", "annual_revenue": "12500000", "renewal_date": "2026-12-15",
        "contract_status": "active", "lifecycle_stage": "Customer - Direct", "owner": "Integration User", "open_cases": 0,
    }  # fmt: skip
    assert facts["tier"].source == "Salesforce Account.CX_Tier__c" and facts["renewal_date"].source == "Salesforce Contract.EndDate"


@pytest.mark.parametrize(
    ("contracts", "renewal", "status"),
    [
        ([("2026-11-21", "Activated")], "2026-11-21", "active"),
        ([("2026-11-20", "Activated"), ("2026-01-01", "Activated")], "2026-11-20", "expired"),
        ([(None, "Activated")], None, "active"),
        ([("2027-01-01", "Draft")], None, "none"),
        ([], None, None),
    ],
)
def test_the_renewal_is_the_nearest_end_of_an_active_contract(sf: SalesforceWorld, ann: str, contracts: Any, renewal: str | None, status: str | None) -> None:
    for end, state in contracts:
        sf.org.add("Contract", AccountId=ann, Status=state, EndDate=end)
    facts = sf.adapter().find_account(ANN).account.facts
    assert [facts[name].value if name in facts else None for name in ("renewal_date", "contract_status")] == [renewal, status]


def test_an_orgs_own_fields_and_words(sf: SalesforceWorld, ann: str) -> None:
    sf.org.records["Account"][ann].update(Industry="Platinum")
    crm = sf.adapter(account_fields={"tier": "Industry"}, tiers={"platinum": "enterprise"})
    fact = crm.find_account(ANN).account.facts["tier"]
    assert (fact.value, fact.source) == ("enterprise", "Salesforce Account.Industry")
    assert "tier" not in sf.adapter(account_fields={"tier": "Industry"}).find_account(ANN).account.facts


def test_what_an_org_lacks_is_left_out_and_reported(sf: SalesforceWorld, ann: str, caplog: pytest.LogCaptureFixture) -> None:
    sf.org.drop_field("Account", "CX_Tier__c")
    sf.org.drop_field("Account", "CX_Lifecycle__c")
    sf.org.drop_field("Contact", "CX_Handles__c")
    sf.org.drop_entity("Contract")
    crm = sf.adapter()
    with caplog.at_level(logging.WARNING):
        assert crm.find_account(["email:ann@example.com", "x:12345"]).account.account_id == ann
    assert crm.missing_fields == {"account.cx_tier__c", "account.cx_lifecycle__c", "contact.cx_handles__c", "contract"}
    assert len(caplog.records) == 4 and "ann@example.com" not in caplog.text
    before = len(sf.simulator.calls)
    crm.find_account(ANN)
    assert len(sf.simulator.calls) - before == 1, "it is known from then on"


def test_a_contact_without_account_stands_for_itself(sf: SalesforceWorld) -> None:
    contact = sf.org.add("Contact", LastName="Ann", Name="Ann", Email="ann@example.com")
    account = sf.adapter().find_account(ANN).account
    assert (account.account_id, account.contact_id, account.name, account.facts) == ("", contact, "Ann", {})


def test_leads_where_the_org_wants_them(sf: SalesforceWorld) -> None:
    lead = sf.org.add("Lead", LastName="Ann", Name="Ann", Company="Globex", Email="ann@example.com", IsConverted=False)
    assert sf.adapter().find_account(ANN).kind == "none"
    account = sf.adapter(leads=True).find_account(ANN).account
    assert (account.account_id, account.contact_id, account.name, account.facts["lifecycle_stage"].value) == ("", lead, "Globex", "lead")
    saved = sf.adapter().save_case(replace(RECORD, contact_id=lead))
    assert sf.org.records["Case"][saved.crm_id]["ContactId"] is None


# ---- cases


def case_of(sf: SalesforceWorld) -> dict[str, Any]:
    [case] = sf.org.all("Case")
    return sf.org.records["Case"][case["Id"]]


def test_a_new_case(sf: SalesforceWorld, ann: str) -> None:
    contact = sf.org.all("Contact")[0]["Id"]
    sf.adapter().save_case(replace(RECORD, account_id=ann, contact_id=contact))
    case = case_of(sf)
    expected = {
        "Subject": RECORD.subject, "Priority": "High", "Status": "New", "Origin": "Web", "AccountId": ann, "ContactId": contact, "CX_Version__c": 1,
        "CX_Score__c": 80, "CX_Band__c": "P1", "CX_Reasons__c": "\n".join(RECORD.reasons), "CX_Headline__c": RECORD.headline, "CX_Category__c": "delivery",
        "CX_Link__c": RECORD.url,
    }  # fmt: skip
    assert {name: case[name] for name in expected} == expected


@pytest.mark.parametrize(("band", "priority"), [("P1", "High"), ("P2", "High"), ("P3", "Medium"), ("P4", "Low")])
def test_bands_are_the_orgs_priorities(sf: SalesforceWorld, band: str, priority: str) -> None:
    sf.adapter().save_case(replace(RECORD, band=band))
    assert case_of(sf)["Priority"] == priority


def test_a_case_goes_to_its_queue_past_the_assignment_rules(sf: SalesforceWorld) -> None:
    senior, rule = sf.org.add("Group", Name="Senior", Type="Queue"), sf.org.add("Group", Name="Rule", Type="Queue")
    sf.org.assignment_owner = rule
    sf.adapter(queues={"senior-care": senior}).save_case(RECORD)
    sf.adapter().save_case(replace(RECORD, case_key="cx-2"))
    assert [case["OwnerId"] for case in sf.org.all("Case")] == [senior, rule]


def test_what_people_set_stands(sf: SalesforceWorld) -> None:
    first, senior = (sf.org.add("Group", Name=name, Type="Queue") for name in ("First", "Senior"))
    crm = sf.adapter(queues={"first": first, "senior-care": senior})
    crm.save_case(replace(RECORD, band="P3", queue="first"))
    crm.save_case(replace(RECORD, version=2))
    assert (case_of(sf)["Priority"], case_of(sf)["OwnerId"]) == ("High", senior)
    case_of(sf).update(Priority="Low", OwnerId=sf.org.user, Status="Working", Subject="Renamed")
    crm.save_case(replace(RECORD, version=3, band="P2", score=60, queue="first"))
    case = case_of(sf)
    assert (case["Priority"], case["OwnerId"], case["Status"], case["Subject"], case["CX_Score__c"]) == ("Low", sf.org.user, "Working", "Renamed", 60)


def test_closing(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    crm.save_case(RECORD)
    crm.save_case(replace(RECORD, version=2, status="closed"))
    assert case_of(sf)["IsClosed"] is True


def test_the_loser_of_a_race_updates_the_winners_case(sf: SalesforceWorld) -> None:
    """Both look up and find nothing; the unique index lets one insert through."""
    gate = threading.Barrier(2)
    sf.org.before_insert = lambda: gate.wait(5) and None
    saved: list[Any] = []
    threads = [threading.Thread(target=lambda v=version: saved.append(sf.adapter().save_case(replace(RECORD, version=v)))) for version in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.crm_id for each in saved}) == 1 and sorted(each.created for each in saved) == [False, True]
    assert case_of(sf)["CX_Version__c"] == 2


def test_a_new_case_with_its_notes_is_one_call(sf: SalesforceWorld) -> None:
    saved = sf.adapter().save_case(replace(RECORD, first=True, notes=tuple(Note(f"n-{n}", f"words {n}", n % 2 == 0) for n in range(45))))
    assert rest_paths(sf) == ["/composite"] * 3, "25 requests at once; 20 notes of them"
    assert saved.number == case_of(sf)["CaseNumber"]
    assert [comment["IsPublished"] for comment in sf.org.all("CaseComment")][:3] == [True, False, True] and len(sf.org.all("CaseComment")) == 45


LATER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"score": 85}, {"CX_Score__c": 85, "Priority": "High"}),
    ({"band": "P3"}, {"CX_Band__c": "P3", "Priority": "Medium"}),
    ({"status": "closed"}, {"Status": "Closed", "Reason": "Solved"}),
    ({"queue": "tier-2"}, {"CX_Queue__c": "tier-2"}),
    ({"owner": "bob"}, {"CX_Band__c": "P1"}),
]


@pytest.mark.parametrize(("changes", "expected"), LATER, ids=lambda value: next(iter(value)))
def test_a_later_save_with_notes_is_one_call_where_nobody_came_between(sf: SalesforceWorld, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    queues = {name: sf.org.add("Group", Name=name, Type="Queue") for name in ("senior-care", "tier-2")}
    crm = sf.adapter(queues=queues, owners={"bob": sf.person("bob")}, closing={"Reason": "Solved"})
    saved = crm.save_case(replace(RECORD, first=True))
    before = len(sf.simulator.rest_calls())
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, notes=(Note("n-1", "words"), Note("n-2", "more")), **changes))
    assert len(sf.simulator.rest_calls()) - before == 1 and len(sf.org.all("CaseComment")) == 2
    owner = sf.person("bob") if "owner" in changes else queues[changes.get("queue", "senior-care")]
    assert {name: case_of(sf)[name] for name in expected} == expected and case_of(sf)["OwnerId"] == owner


def test_where_somebody_came_between_it_is_two_calls_and_theirs_stands(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    sf.set_band(saved.crm_id, "P4")
    before = len(sf.simulator.rest_calls())
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, band="P3", score=40, notes=(Note("n-1", "words"),)))
    assert len(sf.simulator.rest_calls()) - before == 2
    assert [case_of(sf)[name] for name in ("Priority", "CX_Score__c", "CX_Band__c")] == ["Low", 40, "P3"] and len(sf.org.all("CaseComment")) == 1


def test_a_save_whose_answer_was_lost_writes_no_note_twice(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    sf.simulator.faults.add("drop_after", "/composite")
    lost = replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, notes=(Note("n-1", "words"),))
    with pytest.raises(CrmUnavailableError):
        crm.save_case(lost)
    crm.save_case(replace(lost, version=3, notes=(*lost.notes, Note("n-2", "more"))))
    assert sorted(comment["CommentBody"].split()[0] for comment in sf.org.all("CaseComment")) == ["more", "words"]
    assert case_of(sf)["CX_Version__c"] == 3


def test_a_refused_note_is_tried_again_alone(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    sf.org.rules["CaseComment"] = [lambda before, after: "comments are not welcome" if "more" in after["CommentBody"] else None]
    record = replace(RECORD, version=2, score=85, crm_id=saved.crm_id, before=BEFORE, saved_version=1, notes=(Note("n-1", "words"), Note("n-2", "more")))
    with pytest.raises(CrmRejectedError):
        crm.save_case(record)
    sf.org.rules.clear()
    crm.save_case(record)
    assert [comment["CommentBody"].split()[0] for comment in sf.org.all("CaseComment")] == ["words", "more"] and case_of(sf)["CX_Score__c"] == 85


def test_a_case_of_an_account_that_is_gone_is_saved_without_it(sf: SalesforceWorld, ann: str) -> None:
    contact = sf.org.all("Contact")[0]["Id"]
    sf.org.delete(sf.org.entities["Account"], ann)
    saved = sf.adapter().save_case(replace(RECORD, first=True, account_id=ann, contact_id=contact, notes=(Note("n-1", "words"),)))
    assert saved.created and case_of(sf)["AccountId"] is None and len(sf.org.all("CaseComment")) == 1


def test_a_case_that_goes_between_look_and_write_is_not_made_of_our_fields_alone(sf: SalesforceWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    crm = sf.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    monkeypatch.setattr(sf.org, "find_external", lambda *_: sf.lose_case(saved.crm_id) or [] if sf.cases() else [])
    with pytest.raises(CrmNotFoundError):
        crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE))
    monkeypatch.undo()
    again = crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE))
    assert again.created and case_of(sf)["Subject"] == RECORD.subject


def test_a_queue_that_is_not_there_is_no_endless_loop(sf: SalesforceWorld) -> None:
    saved = sf.adapter().save_case(replace(RECORD, first=True))
    sf.org.change("Case", saved.crm_id, OwnerId=sf.org.add("Group", Name="First", Type="Queue"))
    crm, before = sf.adapter(queues={"senior-care": "00G5g0000000999"}), sf.calls()
    for crm_id in ("", saved.crm_id):
        with pytest.raises(CrmNotFoundError):
            crm.save_case(replace(RECORD, version=2, crm_id=crm_id, before={**BEFORE, "queue": ""}))
    assert sf.calls() - before <= 8 and case_of(sf)["CX_Version__c"] == 1


def test_an_update_does_not_run_the_assignment_rules(sf: SalesforceWorld) -> None:
    crm, senior = sf.adapter(), sf.org.add("Group", Name="Senior", Type="Queue")
    saved = crm.save_case(replace(RECORD, first=True))
    sf.org.change("Case", saved.crm_id, OwnerId=senior)
    sf.org.assignment_owner = sf.org.add("Group", Name="Rule", Type="Queue")
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1))
    crm.save_case(replace(RECORD, version=3))
    assert case_of(sf)["OwnerId"] == senior


def test_a_merged_case_of_no_other_key_is_taken_over(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    saved, into = crm.save_case(RECORD), sf.org.add("Case", Subject="Made by hand")
    sf.merge_case(saved.crm_id, into)
    again = crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1))
    assert (again.crm_id, again.created) == (into, False) and sf.org.records["Case"][into]["CX_Score__c"] == 80


def test_a_newer_version_that_comes_between_look_and_write_stands(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    crm.save_case(RECORD)
    case = case_of(sf)
    sf.org.rules["Case"].insert(0, lambda before, after: case.update(CX_Version__c=9, CX_Score__c=99))  # type: ignore[func-returns-value]
    saved = crm.save_case(replace(RECORD, version=2, score=10))
    assert (saved.crm_id, saved.created) == (case["Id"], False)
    assert (case["CX_Version__c"], case["CX_Score__c"]) == (9, 99)


def test_optional_fields_may_be_absent(sf: SalesforceWorld) -> None:
    for name in ("CX_Version__c", "CX_Score__c", "CX_Link__c"):
        sf.org.drop_field("Case", name)
    sf.org.rules.clear()
    crm = sf.adapter()
    crm.save_case(RECORD)
    assert case_of(sf)["CX_Band__c"] == "P1"
    assert crm.missing_fields == {"case.cx_version__c", "case.cx_score__c", "case.cx_link__c"}


def test_without_the_external_id_the_admin_is_told_what_to_create(sf: SalesforceWorld) -> None:
    sf.org.drop_field("Case", "CX_Case_Key__c")
    with pytest.raises(CrmRejectedError) as caught:
        sf.adapter().save_case(RECORD)
    assert caught.value.field == "Case.CX_Case_Key__c" and "Caseline_Integration" in str(caught.value)


def test_several_cases_of_one_key(sf: SalesforceWorld) -> None:
    for _ in range(2):
        sf.org.add("Case", CX_Case_Key__c=RECORD.case_key)
    with pytest.raises(CrmRejectedError) as caught:
        sf.adapter().save_case(RECORD)
    assert caught.value.field == "CX_Case_Key__c"


def answer_of(code: str, message: str = "", status: int = 400, **more: Any) -> dict[str, Any]:
    return {"status": status, "body": [{"errorCode": code, "message": message, **more}], "times": 5}


CODES: list[tuple[dict[str, Any], type[CrmError], str]] = [
    (answer_of("UNABLE_TO_LOCK_ROW"), CrmConflictError, ""),
    (answer_of("DUPLICATE_VALUE", "duplicate value found"), CrmConflictError, ""),
    (answer_of("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403), CrmRateLimitError, ""),
    (answer_of("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.", 403), CrmRateLimitError, ""),
    (answer_of("INSUFFICIENT_ACCESS_OR_READONLY", status=403), CrmAuthError, ""),
    (answer_of("SERVER_UNAVAILABLE", status=503), CrmUnavailableError, ""),
    (answer_of("STRING_TOO_LONG", "Subject: data value too large: my card is 4111", fields=["Subject"]), CrmRejectedError, "Subject"),
    (answer_of("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Priority: bad value", fields=["Priority"]), CrmRejectedError, "Priority"),
    (answer_of("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Origin is required here", fields=["Origin"]), CrmRejectedError, "Origin"),
    (answer_of("REQUIRED_FIELD_MISSING", "Required fields are missing: [Product__c]", fields=["Product__c"]), CrmRejectedError, "Product__c"),
    (answer_of("DUPLICATES_DETECTED", "Use one of these records?"), CrmRejectedError, ""),
    (answer_of("JSON_PARSER_ERROR"), CrmRejectedError, ""),
]


@pytest.mark.parametrize(("answer", "kind", "field"), CODES, ids=lambda value: value["body"][0]["errorCode"] if isinstance(value, dict) else "")
@pytest.mark.parametrize("inside", [False, True], ids=["whole", "part"])
def test_each_code_has_its_error(sf: SalesforceWorld, answer: dict[str, Any], kind: type[CrmError], field: str, inside: bool) -> None:
    """Of the call, or of one request in it."""
    if inside:
        sf.org.rules["Case"] = [lambda before, after: refuse(answer)]
    else:
        sf.simulator.faults.add("answer", "/composite", **answer)
    for first in (True, False):
        with pytest.raises(kind) as caught:
            sf.adapter().save_case(replace(RECORD, first=first, notes=(Note("n-1", "words"),)))
        assert getattr(caught.value, "field", "") == field
        assert "4111" not in str(caught.value), "a message may quote what the customer wrote"
    assert sf.cases() == [] and sf.org.all("CaseComment") == []


def refuse(answer: dict[str, Any]) -> str:
    [error] = answer["body"]
    raise SalesforceError(answer["status"], error["errorCode"], error["message"], error.get("fields"))


def test_the_daily_quota_waits_longer_than_the_concurrent_one(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    crm.find_account(ANN)
    sf.simulator.limit = sf.simulator.used
    with pytest.raises(CrmRateLimitError) as caught:
        crm.find_account(ANN)
    assert caught.value.retry_after == 900
    assert crm.usage == Usage(0, sf.simulator.limit, 86_400)


def test_a_locked_row_is_a_conflict(sf: SalesforceWorld) -> None:
    crm = sf.adapter()
    sf.org.locked.add(crm.save_case(RECORD).crm_id)
    with pytest.raises(CrmConflictError):
        crm.save_case(replace(RECORD, version=2))
    sf.org.locked.clear()
    crm.save_case(replace(RECORD, version=2))
    assert case_of(sf)["CX_Version__c"] == 2


def test_duplicate_rules_are_overruled_unless_the_org_says_no(sf: SalesforceWorld) -> None:
    sf.org.find_duplicates = lambda entity, record: [sf.org.user]
    with pytest.raises(CrmRejectedError):
        sf.adapter(allow_duplicates=False).save_case(RECORD)
    assert sf.adapter().save_case(RECORD).created


def test_an_outage_inside_a_composite_answer_is_not_an_empty_one(sf: SalesforceWorld, ann: str) -> None:
    part = {"referenceId": "emails", "httpStatusCode": 503, "httpHeaders": {}, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": ""}]}
    for body in ({"compositeResponse": [part]}, {"compositeResponse": []}, {"compositeResponse": None}, [], "text"):
        sf.simulator.faults.add("answer", "/composite", status=200, body=body)
        with pytest.raises(CrmUnavailableError):
            sf.adapter().find_account(ANN)


def test_an_answer_that_never_ends_is_cut(sf: SalesforceWorld) -> None:
    sf.simulator.faults.add("answer", "/composite", status=200, body='{"x": "' + "y" * 6_000_000 + '"}')
    with pytest.raises(CrmUnavailableError, match="more than"):
        sf.adapter().find_account(ANN)


# ---- settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"instance_url": "http://crm.example.com"},
        {"instance_url": "https://user:pass@crm.example.com"},
        {"instance_url": "https://crm.example.com/path"},
        {"instance_url": "https://crm.example.com", "tiers": "gold"},
        {"instance_url": "https://crm.example.com", "leads": "yes"},
        {"instance_url": "https://crm.example.com", "tier_field": "X__c"},
        {"instance_url": "https://crm.example.com", "account_fields": {"tier": "X FROM User"}},
    ],
)
def test_wrong_settings_say_what_to_write(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="crm"):
        open_crm("salesforce").create(settings, SECRET)


@pytest.mark.parametrize("secret", [{}, {"client_id": "a"}, {"client_id": "a", "client_secret": ""}, {"client_id": "a", "private_key": "k"}])
def test_a_secret_that_lacks_something(secret: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="lacks"):
        open_crm("salesforce").create({"instance_url": "https://crm.example.com"}, secret)
