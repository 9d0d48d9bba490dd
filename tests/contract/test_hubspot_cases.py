"""HubSpot: copies of the company's value, a case in few calls, and notes in two ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from caseline.crm import NewContact, Note
from caseline.errors import CrmRejectedError

from tests.kit.crms import RECORD
from tests.kit.crms.hubspot import HubSpotWorld
from tests.kit.hubspot import PERSON
from tests.kit.scenes import BEFORE, cost, later


def test_a_new_case_of_a_known_account_takes_two_calls_in_all(there: HubSpotWorld) -> None:
    account = there.add_account("Globex", tier="strategic", deal_value="120000", renewal_date="2026-12-15")
    there.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    crm = there.adapter()

    def open_case() -> None:
        found = crm.find_account(["x:12345", "email:ann@example.com", "phone:+442079460000"]).account
        assert {name: fact.value for name, fact in found.facts.items()} == {
            "tier": "strategic", "deal_value": "120000", "renewal_date": "2026-12-15", "open_cases": 0,
        }  # fmt: skip
        assert found.facts["tier"].source == "HubSpot Contact.cx_account_tier"
        notes = (Note("s1-1", "where is my parcel"),)
        crm.save_case(replace(RECORD, first=True, account_id=found.account_id, contact_id=found.contact_id, notes=notes))

    assert cost(there, open_case) == 2
    [ticket] = there.portal.live("tickets")
    assert len(there.portal.linked(ticket, "contacts")) == len(there.portal.linked(ticket, "companies")) == 1


def test_ten_signals_in_an_hour_take_four_calls_in_all(there: HubSpotWorld) -> None:
    there.add_contact(there.add_account("Globex"), "Ann", "ann@example.com")
    crm = there.adapter()

    def work() -> None:
        found = crm.find_account(["email:ann@example.com"]).account
        saved = crm.save_case(replace(RECORD, first=True, contact_id=found.contact_id, notes=(Note("s1-1", "one"),)))
        crm.save_case(later(saved, band="P2", signal_count=10, notes=(Note("s2-10", "nine more"),)))

    assert cost(there, work) == 4


def test_without_copies_the_company_is_read(there: HubSpotWorld) -> None:
    there.portal.copies = False
    account = there.add_account("Globex", tier="strategic", deal_value="120000")
    there.add_contact(account, "Ann", "ann@example.com")
    crm = there.adapter()
    assert cost(there, lambda: crm.find_account(["email:ann@example.com"])) == 2
    found = crm.find_account(["email:ann@example.com"]).account
    assert (found.name, found.facts["tier"].value, found.facts["tier"].source) == ("Globex", "strategic", "HubSpot Company.cx_tier")


def test_many_identities_take_a_second_search(there: HubSpotWorld) -> None:
    there.add_contact(there.add_account("Globex"), "Ann", "ann@example.com", handles="x:@ann")
    wanted = ["email:a@example.com", "email:b@example.com", "email:ann@example.com", "phone:+442079460000", "x:1", "x:@ann"]
    assert cost(there, lambda: there.adapter().find_account(wanted)) == 2
    assert there.adapter().find_account(wanted).kind == "exact"


def test_a_contact_without_company_stands_for_itself(there: HubSpotWorld) -> None:
    contact = there.add_contact("", "Ann", "ann@example.com")
    account = there.add_account("Globex")
    found = there.adapter().find_account(["email:ann@example.com"]).account
    assert (found.account_id, found.contact_id, found.name, dict(found.facts)) == ("", contact, "Ann", {}) and account


def test_values_are_read_as_the_portal_writes_them(there: HubSpotWorld) -> None:
    account = there.add_account("Globex", deal_value="12000000")
    there.portal.update(there.portal.find("companies", account), {"annualrevenue": "1.5E9", "cx_renewal_date": "1797292800000"}, PERSON)
    there.add_contact(account, "Ann", "ann@example.com", "020 7946 0000")
    facts = there.adapter(currency="EUR", phone_country_code="44").find_account(["phone:+442079460000"]).account.facts
    assert {name: facts[name].value for name in ("annual_revenue", "renewal_date", "deal_value", "currency")} == {
        "annual_revenue": "1500000000", "renewal_date": "2026-12-15", "deal_value": "12000000", "currency": "EUR",
    }  # fmt: skip


def test_null_is_not_set(there: HubSpotWorld) -> None:
    """HubSpot itself shows what is not set as null, though its description of the API does not say so."""
    there.portal.nulls = True
    there.add_contact(there.add_account("Globex"), "Ann", "ann@example.com")
    crm = there.adapter()
    assert set(crm.find_account(["email:ann@example.com"]).account.facts) == {"open_cases"}
    saved = crm.save_case(RECORD)
    assert crm.save_case(later(saved, band="P2", notes=(Note("n-1", "words"),))).crm_id == saved.crm_id


# ---- cases


def test_a_contact_that_was_deleted_meanwhile_does_not_hold_a_case_up(there: HubSpotWorld) -> None:
    saved = there.adapter().save_case(replace(RECORD, first=True, contact_id="999", account_id="998"))
    assert saved.created and there.portal.find("tickets", saved.crm_id).associations == {}


def test_a_first_save_that_was_repeated_finds_its_case(there: HubSpotWorld) -> None:
    first = replace(RECORD, first=True)
    saved = [there.adapter().save_case(first) for _ in range(2)]
    assert saved[0].crm_id == saved[1].crm_id and [each.created for each in saved] == [True, False]


def test_queues_and_owners_are_hubspot_owners(there: HubSpotWorld) -> None:
    crm = there.adapter(queues={"senior-care": "71", "tier-2": "72"}, owners={"ann": "73"})
    saved = crm.save_case(RECORD)
    assert there.cases()[0].owner == "71"
    crm.save_case(later(saved, queue="tier-2"))
    assert there.cases()[0].owner == "72"
    crm.save_case(replace(later(saved, 3, queue="tier-2", owner="ann"), before={**BEFORE, "queue": "tier-2"}))
    assert there.cases()[0].owner == "73"


def test_notes_may_be_activities(there: HubSpotWorld) -> None:
    crm = there.adapter(notes="activity")
    saved = crm.save_case(replace(RECORD, first=True, notes=(Note("n-1", "a < b\nsecond line"),)))
    for _ in range(2):
        crm.save_case(later(saved, notes=(Note("n-1", "a < b\nsecond line"), Note("n-2", "two"))))
    bodies = [note.properties["hs_note_body"] for note in there.portal.live("notes")]
    assert bodies == ["a &lt; b<br>second line<br>[cx:n-1]", "two<br>[cx:n-2]"]


def test_notes_become_activities_where_the_property_is_missing_or_full(there: HubSpotWorld) -> None:
    crm = there.adapter()
    saved = crm.save_case(RECORD)
    for number in range(7):
        crm.add_note(saved.crm_id, f"n-{number}", f"{number}" * 14_000)
    crm.add_note(saved.crm_id, "n-6", "6" * 14_000)
    assert len(there.portal.live("notes")) == 3 and len(there.portal.find("tickets", saved.crm_id).properties["cx_notes"]) < 65_536
    there.drop_field("case", "notes")
    there.adapter().save_case(replace(RECORD, case_key="cx-other", first=True, notes=(Note("n-1", "words"),)))
    assert len(there.portal.live("notes")) == 4


def test_a_customer_who_writes_a_mark_hides_no_note(there: HubSpotWorld) -> None:
    crm = there.adapter()
    saved = crm.save_case(replace(RECORD, first=True, notes=(Note("s1-1", "I know of [cx:s2-2]"),)))
    crm.save_case(later(saved, notes=(Note("s2-2", "and now I am angry"),)))
    assert "and now I am angry\n[cx:s2-2]" in there.portal.find("tickets", saved.crm_id).properties["cx_notes"]


def test_a_property_that_is_missing_costs_one_call_once(there: HubSpotWorld) -> None:
    there.drop_field("case", "headline")
    crm = there.adapter()
    assert [cost(there, lambda key=key: crm.save_case(replace(RECORD, case_key=key, first=True))) for key in ("cx-1", "cx-2")] == [2, 1]


def test_without_the_key_no_case_is_saved(there: HubSpotWorld) -> None:
    there.drop_field("case", "case_key")
    for record in (RECORD, replace(RECORD, first=True)):
        with pytest.raises(CrmRejectedError, match=r"tickets\.cx_case_key: .*caseline crm apply"):
            there.adapter().save_case(record)


def test_the_dated_api_is_a_setting(there: HubSpotWorld) -> None:
    crm = there.adapter(objects_path="/crm/objects/2026-09", properties_path="/crm/properties/2026-09")
    assert crm.save_case(RECORD).created and any(call.path.startswith("/crm/objects/2026-09/tickets") for call in there.simulator.calls)


def test_a_search_that_is_late_makes_nothing_twice(there: HubSpotWorld) -> None:
    there.portal.lag = 3600
    saved = there.adapter().save_case(RECORD)
    assert there.adapter().save_case(replace(RECORD, version=2)).crm_id == saved.crm_id
    made = [there.adapter().create_contact(NewContact("contact", "cu-1", "Ann", ("email:ann@example.com",), "x")).contact_id for _ in range(2)]
    assert made[0] == made[1]


def test_an_address_that_hubspot_refuses_is_left_out(there: HubSpotWorld) -> None:
    made = [there.adapter().create_contact(NewContact("contact", "cu-1", "Ann Lee", ("email:ann@localhost", "x:12345"), "x")) for _ in range(2)]
    assert made[0].contact_id == made[1].contact_id and list(made[1].identities) == ["x:12345"]
    there.drop_field("contact", "customer_key")
    again = there.adapter().create_contact(NewContact("contact", "cu-1", "Ann Lee", ("x:12345",), "x"))
    assert again.contact_id == made[0].contact_id and there.contacts() == 1
