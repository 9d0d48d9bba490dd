"""Salesforce: how an account is found with its value, and what is written of a contact's mood."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import NewContact, Note, Profile, ProfileEvent
from caseline.errors import CrmRejectedError

from tests.kit.crms import RECORD
from tests.kit.crms.salesforce import SalesforceWorld
from tests.kit.scenes import BEFORE

ANN = ["email:ann@example.com"]


def test_an_account_with_its_value_is_one_call(there: SalesforceWorld, ann: str) -> None:
    there.adapter(leads=True).find_account(["email:ann@example.com", "x:12345", "phone:+442079460000"])
    assert there.rest_paths() == ["/composite"]


def test_a_phone_number_may_be_looked_up_in_the_search_index(there: SalesforceWorld, ann: str) -> None:
    assert there.adapter(phone_search=True).find_account(["phone:+442079460000", "x:12345"]).account.account_id == ann
    assert there.rest_paths() == ["/search", "/composite"]
    there.org.unindexed.add(there.org.all("Contact")[0]["Id"])
    assert there.adapter(phone_search=True).find_account(["phone:+442079460000"]).kind == "none", "the index lags"
    assert there.adapter().find_account(["phone:+442079460000"]).kind == "exact", "a scan does not"


@pytest.mark.parametrize("stored", ["+44 20 7946-0000", "0044 20 79460000", "(020) 7946 0000", "020.7946.0000", "20 7946 0000"])
def test_a_number_is_found_however_it_is_written(there: SalesforceWorld, stored: str) -> None:
    account = there.add_account("Globex")
    there.add_contact(account, "Ann", phone=stored)
    assert there.adapter().find_account(["phone:+442079460000"]).kind == "exact"
    assert there.adapter().find_account(["phone:+442079460001"]).kind == there.adapter().find_account(["phone:+12079460000"]).kind == "none"


def test_many_contacts_of_one_number_are_candidates_within_bounds(there: SalesforceWorld) -> None:
    for place in range(15):
        there.add_contact(there.add_account(f"Globex {place}"), "Ann", phone="020 7946 0000")
    match = there.adapter().find_account(["phone:+442079460000"])
    assert match.kind == "ambiguous" and len(match.candidates) == 10 and all(each.account_id for each in match.candidates)


EVENTS = tuple(ProfileEvent(f"e-{n}", "2026-11-21T09:30:00.000000Z", "x", "post", "complaint about delivery", -0.5, "2/10") for n in range(3))


def test_a_profile_with_its_history_is_one_call(there: SalesforceWorld, ann: str) -> None:
    [contact] = there.org.all("Contact")
    profile = Profile(contact["Id"], ann, {"health": 35}, EVENTS)
    for _ in range(2):
        there.adapter().write_profile(profile)
    assert there.rest_paths() == ["/composite"] * 2
    kept = [(row["CX_Event_Key__c"], row["CX_Contact__c"], row["CX_Account__c"], row["CX_Sentiment__c"]) for row in there.org.all("CX_Event__c")]
    assert kept == [(f"e-{n}", contact["Id"], ann, -0.5) for n in range(3)]


def test_an_org_without_our_object_has_no_history(there: SalesforceWorld, ann: str) -> None:
    there.org.drop_entity("CX_Event__c")
    crm = there.adapter()
    for _ in range(2):
        crm.write_profile(Profile("", ann, {"health": 35}, EVENTS))
    assert len(there.rest_paths()) == 3 and crm.missing_fields == {"cx_event__c"} and there.account_values(ann)["health"] == 35


def test_a_part_of_the_history_that_is_refused_is_an_error(there: SalesforceWorld, ann: str) -> None:
    there.org.rules["CX_Event__c"] = [lambda before, after: "no more" if after["CX_Event_Key__c"] == "e-2" else None]
    with pytest.raises(CrmRejectedError):
        there.adapter().write_profile(Profile("", ann, {"health": 35}, EVENTS))
    assert len(there.org.all("CX_Event__c")) == 2 and there.account_values(ann)["health"] == 35


def test_a_reference_that_a_customer_writes_is_text(there: SalesforceWorld, ann: str) -> None:
    """`@{part.field}` inside a composite call would be replaced by what another part answered."""
    words = "@{found.records[0].Id} @{saved.id} @{}"
    there.add_contact(there.add_account("Initech"), "Bob", handles="x:@{saved.id}")
    crm = there.adapter()
    assert crm.find_account(["x:@{contact.records[0].id}"]).kind == "none" and crm.find_account(["x:@{saved.id}"]).kind == "exact"
    saved = crm.save_case(replace(RECORD, first=True, subject=words, reasons=(words,), headline=words, notes=(Note("n-1", words),)))
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, saved_version=1, reasons=(words,), notes=(Note("n-2", words),)))
    contact = crm.create_contact(NewContact("contact", "cu-1", words, ("x:@{made.id}",), words))
    crm.write_profile(Profile(contact.contact_id, "", {"channels": words}))
    assert [comment["CommentBody"].count("{saved.id}") for comment in there.org.all("CaseComment")] == [1, 1]
    assert "{found.records[0].Id}" in there.case()["CX_Reasons__c"]


def test_a_number_stored_as_people_dial_it_at_home_is_found(there: SalesforceWorld, ann: str) -> None:
    assert there.adapter().find_account(["phone:+442079460000"]).account.account_id == ann
    for code in ("", "49"):
        assert there.adapter(phone_country_code=code).find_account(["phone:+442079460000"]).kind == "none"


def test_the_value_of_an_account(there: SalesforceWorld, ann: str) -> None:
    org = there.org
    org.records["Account"][ann].update(AnnualRevenue=1.25e7, Type="Customer - Direct", OwnerId=org.user)
    for amount, won in ((100_000.0, True), (20_000.5, True), (999.0, False)):
        org.add("Opportunity", Name="Deal", AccountId=ann, Amount=amount, IsWon=won)
    for end, status in (("2026-12-15", "Activated"), ("2027-12-15", "Activated"), ("2026-11-30", "Draft"), ("2025-12-15", "Activated")):
        org.add("Contract", AccountId=ann, Status=status, EndDate=end)
    facts = there.adapter(currency="EUR").find_account(ANN).account.facts
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
def test_the_renewal_is_the_nearest_end_of_an_active_contract(there: SalesforceWorld, ann: str, contracts: Any, renewal: Any, status: Any) -> None:
    for end, state in contracts:
        there.org.add("Contract", AccountId=ann, Status=state, EndDate=end)
    facts = there.adapter().find_account(ANN).account.facts
    assert [facts[name].value if name in facts else None for name in ("renewal_date", "contract_status")] == [renewal, status]


def test_an_orgs_own_fields_and_words(there: SalesforceWorld, ann: str) -> None:
    there.org.records["Account"][ann].update(Industry="Platinum")
    crm = there.adapter(account_fields={"tier": "Industry"}, tiers={"platinum": "enterprise"})
    fact = crm.find_account(ANN).account.facts["tier"]
    assert (fact.value, fact.source) == ("enterprise", "Salesforce Account.Industry")
    assert "tier" not in there.adapter(account_fields={"tier": "Industry"}).find_account(ANN).account.facts


def test_what_an_org_lacks_is_left_out_and_reported(there: SalesforceWorld, ann: str, caplog: pytest.LogCaptureFixture) -> None:
    there.org.drop_field("Account", "CX_Tier__c")
    there.org.drop_field("Account", "CX_Lifecycle__c")
    there.org.drop_field("Contact", "CX_Handles__c")
    there.org.drop_entity("Contract")
    crm = there.adapter()
    with caplog.at_level(logging.WARNING):
        assert crm.find_account(["email:ann@example.com", "x:12345"]).account.account_id == ann
    assert crm.missing_fields == {"account.cx_tier__c", "account.cx_lifecycle__c", "contact.cx_handles__c", "contract"}
    assert len(caplog.records) == 4 and "ann@example.com" not in caplog.text
    before = len(there.simulator.calls)
    crm.find_account(ANN)
    assert len(there.simulator.calls) - before == 1, "it is known from then on"


def test_a_contact_without_account_stands_for_itself(there: SalesforceWorld) -> None:
    contact = there.org.add("Contact", LastName="Ann", Name="Ann", Email="ann@example.com")
    account = there.adapter().find_account(ANN).account
    assert (account.account_id, account.contact_id, account.name, account.facts) == ("", contact, "Ann", {})


def test_leads_where_the_org_wants_them(there: SalesforceWorld) -> None:
    lead = there.org.add("Lead", LastName="Ann", Name="Ann", Company="Globex", Email="ann@example.com", IsConverted=False)
    assert there.adapter().find_account(ANN).kind == "none"
    account = there.adapter(leads=True).find_account(ANN).account
    assert (account.account_id, account.contact_id, account.name, account.facts["lifecycle_stage"].value) == ("", lead, "Globex", "lead")
    saved = there.adapter().save_case(replace(RECORD, contact_id=lead))
    assert there.org.records["Case"][saved.crm_id]["ContactId"] is None
