"""What is Dynamics' own: keys, versions and change sets, queues, accounts, and change tracking."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import CLOSED, OPEN, Change, NewContact, Note
from caseline.crm.dynamics._records import made_id
from caseline.errors import CrmRejectedError, CrmUnavailableError

from tests.kit.crms import RECORD
from tests.kit.crms.dynamics import DynamicsWorld
from tests.kit.simulated import in_process

BEFORE = {"status": OPEN, "band": "P1", "queue": "senior-care", "owner": ""}


@pytest.fixture
def org() -> DynamicsWorld:
    return DynamicsWorld()


def adapter(org: DynamicsWorld, **settings: Any) -> Any:
    return org.adapter(session=in_process(org.simulator), **settings)


def read_all(crm: Any, cursor: str) -> tuple[list[Change], str]:
    found: list[Change] = []
    while True:
        changes, cursor = crm.read_changes(cursor)
        if not changes:
            return found, cursor
        found += changes


# ---- calls


def test_a_customer_is_found_and_a_case_made_in_two_calls(org: DynamicsWorld) -> None:
    queue = org.org.add("queue", name="Senior care")
    org.add_contact(org.add_account("Globex", "strategic", "1000", "2026-12-15"), "Ann", "ann@example.com")
    crm = adapter(org, queues={"senior-care": queue})
    account = crm.find_account(["email:ann@example.com"]).account
    notes = tuple(Note(f"n-{number}", f"words {number}") for number in range(5))
    crm.save_case(replace(RECORD, first=True, account_id=account.account_id, contact_id=account.contact_id, notes=notes))
    assert org.calls() == 2 and len(org.cases()[0].notes) == 5 and len(org.org.rows("queueitem")) == 1


def test_later_saves_cost_one_call_or_two(org: DynamicsWorld) -> None:
    crm = adapter(org)
    saved = crm.save_case(replace(RECORD, first=True))
    for record, calls in (
        (replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, score=85, notes=(Note("n-1", "words"),)), 1),
        (replace(RECORD, version=3, crm_id=saved.crm_id, before=BEFORE, band="P3"), 2),
        (replace(RECORD, version=4, crm_id=saved.crm_id, before={**BEFORE, "band": "P3"}, band="P3", status=CLOSED), 2),
    ):
        before = org.calls()
        crm.save_case(record)
        assert org.calls() - before == calls


# ---- keys and versions


def test_a_case_may_be_known_by_its_own_id(org: DynamicsWorld) -> None:
    org.drop_field("case", "case_key")
    org.simulator.metadata._org.tables["incident"].columns["cx_casekey"] = DynamicsWorld().org.tables["incident"].columns["cx_casekey"]
    crm = adapter(org, key="primary")
    saved = [crm.save_case(replace(RECORD, first=True)), crm.save_case(replace(RECORD, first=True)), crm.save_case(RECORD)]
    assert {each.crm_id for each in saved} == {made_id(RECORD.case_key)} and [each.created for each in saved] == [True, False, False]
    assert [case.case_key for case in org.cases()] == [RECORD.case_key]


def test_a_key_that_is_not_set_up_is_an_error_that_says_so(org: DynamicsWorld) -> None:
    org.org.tables["incident"].keys[0].status = "Pending"
    with pytest.raises(CrmRejectedError, match="alternate key"):
        adapter(org).save_case(replace(RECORD, first=True))


def test_a_saver_that_comes_late_puts_back_what_is_newer(org: DynamicsWorld) -> None:
    crm = adapter(org)
    saved = crm.save_case(replace(RECORD, first=True))
    crm.save_case(replace(RECORD, version=5, crm_id=saved.crm_id, before=BEFORE, score=95, headline="95 P1"))
    crm.save_case(replace(RECORD, version=4, crm_id=saved.crm_id, before=BEFORE, score=10))
    [case] = org.cases()
    assert (case.version, case.score, org.org.rows("incident")[0]["cx_headline"]) == (5, 95, "95 P1")


def test_a_case_that_changes_between_reading_and_writing_is_read_again(org: DynamicsWorld) -> None:
    saved = adapter(org).save_case(replace(RECORD, first=True))

    def meanwhile(call: Any) -> None:
        if call.path.endswith("$batch") and org.cases()[0].native_priority == "1":
            org.set_band(saved.crm_id, "P4")

    crm = org.adapter(session=in_process(org.simulator, before=meanwhile))
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, band="P3", score=50))
    [case] = org.cases()
    assert (case.version, case.band, case.native_priority) == (2, "P3", "3")


def test_a_survivor_that_is_nobody_elses_gets_our_columns(org: DynamicsWorld) -> None:
    crm = adapter(org)
    saved = crm.save_case(replace(RECORD, first=True))
    theirs = org.org.add("incident", title="Lost parcel", customerid=("account", org.add_account("Globex")))
    org.merge_case(saved.crm_id, theirs)
    again = crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, score=90, notes=(Note("n-1", "words"),)))
    crm.add_note(saved.crm_id, "n-1", "words")
    row = org.org.get("incident", theirs)
    assert (again.crm_id, row["cx_score"], row["cx_band"] is not None) == (theirs, 90, True)
    assert [case.notes for case in org.cases() if case.crm_id == theirs] == [["words"]]


def test_a_case_of_nobody_needs_a_customer_that_is_set(org: DynamicsWorld) -> None:
    with pytest.raises(CrmRejectedError, match=r"crm\.default_customer"):
        adapter(org, default_customer="").save_case(replace(RECORD, first=True))
    contact = org.org.add("contact", lastname="Ann", emailaddress1="ann@example.com")
    found = adapter(org).find_account(["email:ann@example.com"]).account
    adapter(org, default_customer="").save_case(replace(RECORD, first=True, account_id=found.account_id, contact_id=found.contact_id))
    assert (found.account_id, found.contact_id) == ("", contact) and org.org.rows("incident")[0]["customerid"] == ("contact", contact)


@pytest.mark.parametrize(("gone", "customer"), [("contact", "account"), ("account", "nobody")])
def test_a_case_is_worth_more_than_its_link(org: DynamicsWorld, gone: str, customer: str) -> None:
    account = org.add_account("Globex")
    contact = org.add_contact(account, "Ann", "ann@example.com")
    ids = {"account": account, "contact": contact, "nobody": org._nobody}
    org.org.delete(gone, ids[gone])
    saved = adapter(org).save_case(replace(RECORD, first=True, account_id=account, contact_id=contact))
    assert saved.created and org.org.rows("incident")[0]["customerid"] == ("account", ids[customer])


# ---- queues and owners


def test_a_case_moves_to_another_queue_unless_a_person_moved_it(org: DynamicsWorld) -> None:
    queues = {name: org.org.add("queue", name=name) for name in ("senior-care", "tier-2", "tier-3", "theirs")}
    crm = adapter(org, queues={name: queues[name] for name in ("senior-care", "tier-2", "tier-3")})
    saved = crm.save_case(replace(RECORD, first=True))
    item = org.org.rows("queueitem")[0]["queueitemid"]
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, queue="tier-2"))
    assert org.org.get("queueitem", item)["queueid"] == ("queue", queues["tier-2"])
    org.org.edit("queueitem", item, queueid=("queue", queues["theirs"]))
    crm.save_case(replace(RECORD, version=3, crm_id=saved.crm_id, before={**BEFORE, "queue": "tier-2"}, queue="tier-3"))
    assert org.org.get("queueitem", item)["queueid"] == ("queue", queues["theirs"]) and org.cases()[0].version == 3


def test_a_case_has_the_owner_that_caseline_names(org: DynamicsWorld) -> None:
    owners = {"ann": f"systemusers({org.org.add('systemuser', fullname='Ann')})", "crew": f"teams({org.org.add('team', name='Crew')})"}
    crm = adapter(org, owners=owners)
    saved = crm.save_case(replace(RECORD, first=True, owner="ann"))
    assert org.org.rows("incident")[0]["ownerid"][0] == "systemuser"
    crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before={**BEFORE, "owner": "ann"}, owner="crew"))
    assert org.org.rows("incident")[0]["ownerid"] == ("team", owners["crew"][6:-1])


def test_a_case_that_we_made_and_nobody_took_has_no_owner(org: DynamicsWorld) -> None:
    """It is our user's there. Whoever works it without taking it changes no owner that it has in Caseline."""
    saved = adapter(org).save_case(replace(RECORD, first=True))
    org.tick(3600)
    cursor = adapter(org).read_changes()[1]
    org.close_case(saved.crm_id)
    told = [dict(change.fields) for change in adapter(org).read_changes(cursor)[0] if change.kind == "case"]
    assert told and all(fields["status"] == CLOSED and "owner" not in fields for fields in told)


# ---- accounts


def test_wildcards_of_dataverse_are_signs_like_others(org: DynamicsWorld) -> None:
    for number in range(60):
        org.add_contact(org.add_account(f"Account {number}"), "Ann", handles=f"x:@a{number}")
    account = org.add_account("Globex")
    org.add_contact(account, "Ann", handles="x:@%_[a]")
    found = adapter(org).find_account(["x:@%_[a]"])
    assert found.account and found.account.account_id == account
    assert adapter(org).find_account(["x:@%", "x:@a_", "x:@[a]1"]).kind == "none"


@pytest.mark.parametrize("stored", ["x:10", "x:10;x:@ann", "x:@ann;x:10", "x:7; x:10; x:8", "x:7;x:10;x:8", "x:7; x:10"])
def test_a_short_handle_is_not_lost_among_longer_ones(org: DynamicsWorld, stored: str) -> None:
    for number in range(60):
        org.add_contact(org.add_account(f"Account {number}"), "Ann", handles=f"x:10{number};x:{number}10")
    account = org.add_account("Globex")
    org.add_contact(account, "Ann", handles=stored)
    found = adapter(org).find_account(["x:10"]).account
    assert found and found.account_id == account


@pytest.mark.parametrize("stored", ["+44 (20) 7946-0000", "020 7946 0000", "0044 20 79460000"])
def test_a_phone_number_is_found_however_it_is_written(org: DynamicsWorld, stored: str) -> None:
    account = org.add_account("Globex")
    org.add_contact(account, "Ann", phone=stored)
    found = adapter(org).find_account(["phone:+442079460000"]).account
    assert found and found.account_id == account
    assert adapter(org).find_account(["phone:+12079460000"]).kind == "none"


@pytest.mark.parametrize(
    ("rights", "renewal", "status"),
    [
        ([], None, None), ([(1, "2026-12-15"), (1, "2027-06-01")], "2026-12-15", "active"), ([(1, "2026-01-01")], "2026-01-01", "expired"),
        ([(0, "2027-01-01")], None, "none"), ([(1, None), (1, "2026-01-01")], None, "active"),
    ],
)  # fmt: skip
def test_the_renewal_is_the_nearest_end_of_an_active_entitlement(org: DynamicsWorld, rights: Any, renewal: str | None, status: str | None) -> None:
    account = org.add_account("Globex")
    for state, end in rights:
        org.org.add("entitlement", name="Support", customerid=("account", account), enddate=end and f"{end}T00:00:00Z", statecode=state)
    org.add_contact(account, "Ann", "ann@example.com")
    facts = adapter(org).find_account(["email:ann@example.com"]).account.facts
    assert [facts[name].value if name in facts else None for name in ("renewal_date", "contract_status")] == [renewal, status]


def test_amounts_of_several_currencies_add_up_in_the_organisations_own(org: DynamicsWorld) -> None:
    account = org.add_account("Globex")
    org.add_contact(account, "Ann", "ann@example.com")
    for code, amount, base in (("USD", 1_000.0, 900.0), ("JPY", 9_000_000.0, 50_000.0)):
        currency = ("transactioncurrency", org.org.add("transactioncurrency", isocurrencycode=code, currencyname=code))
        values = {"actualvalue": amount, "actualvalue_base": base, "transactioncurrencyid": currency}
        org.org.add("opportunity", name="Deal", customerid=("account", account), statecode=1, **values)
        facts = adapter(org, currency="EUR").find_account(["email:ann@example.com"]).account.facts
        assert (facts["deal_value"].value, facts["currency"].value) == (("1000", "USD") if code == "USD" else ("50900", "EUR"))


def test_an_organisation_without_sales_is_read_without_deals(org: DynamicsWorld) -> None:
    org.org.tables["account"].collections = {name: value for name, value in org.org.tables["account"].collections.items() if "opportunity" not in name}
    org.add_contact(org.add_account("Globex", "mid"), "Ann", "ann@example.com")
    crm = adapter(org)
    facts = crm.find_account(["email:ann@example.com"]).account.facts
    assert facts["tier"].value == "mid" and "deal_value" not in facts and crm.missing_fields == {"account.opportunity_customer_accounts"}


def test_a_tier_of_theirs_is_mapped(org: DynamicsWorld) -> None:
    org.org.tables["account"].columns["cx_tier"].options = {1: "Platinum", 2: "Odd"}
    for number, name in ((1, "Globex"), (2, "Initech")):
        account = org.org.add("account", name=name, cx_tier=number)
        org.add_contact(account, "Ann", f"ann@{name.lower()}.example")
    crm = adapter(org, tiers={"platinum": "strategic"})
    found = [crm.find_account([f"email:ann@{name}.example"]).account.facts.get("tier") for name in ("globex", "initech")]
    assert found[0].value == "strategic" and found[1] is None


def test_a_lead_is_found_where_it_is_looked_for(org: DynamicsWorld) -> None:
    lead = org.org.add("lead", lastname="Cleo", companyname="Initech", emailaddress1="cleo@example.com")
    assert adapter(org).find_account(["email:cleo@example.com"]).kind == "none"
    found = adapter(org, leads=True).find_account(["email:cleo@example.com"]).account
    assert (found.contact_id, found.name, found.facts["lifecycle_stage"].value) == (lead, "Initech", "lead")
    made = adapter(org).create_contact(NewContact("lead", "cu-1", "Cleo", ("email:cleo@example.com",), "x"))
    assert made.contact_id == lead and org.contacts() == 1


def test_a_contact_that_several_have_is_not_made(org: DynamicsWorld) -> None:
    for name in ("Globex", "Initech"):
        org.add_contact(org.add_account(name), "Ann", "ann@example.com")
    with pytest.raises(CrmRejectedError):
        adapter(org).create_contact(NewContact("contact", "cu-1", "Ann", ("email:ann@example.com",), "x"))
    assert org.contacts() == 2


# ---- changes


def test_change_tracking_tells_of_deletions(org: DynamicsWorld) -> None:
    crm = adapter(org, changes="delta")
    saved = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)) for number in range(3)]
    changes, cursor = crm.read_changes("")
    assert changes == []
    org.tick(60)
    org.close_case(saved[0].crm_id)
    org.lose_case(saved[1].crm_id)
    changes, cursor = read_all(crm, cursor)
    assert {(change.kind, change.crm_id) for change in changes} == {("case", saved[0].crm_id), ("deleted", saved[1].crm_id)}
    assert crm.read_changes(cursor)[0] == []


def test_a_token_that_is_too_old_begins_anew(org: DynamicsWorld) -> None:
    crm = adapter(org, changes="delta")
    saved = crm.save_case(replace(RECORD, first=True))
    cursor = json.loads(crm.read_changes("")[1])
    cursor["incidents"]["floor"] = "/incidents?$select=incidentid&$deltatoken=gone"
    changes, again = read_all(crm, json.dumps(cursor))
    assert changes == []
    org.tick(60)
    org.close_case(saved.crm_id)
    assert [change.fields["status"] for change in read_all(crm, again)[0]] == [CLOSED]


def test_a_storm_of_changes_is_told_once_and_ends(org: DynamicsWorld) -> None:
    crm = adapter(org)
    account = org.add_account("Globex")
    cursor = crm.read_changes("")[1]
    for number in range(1_500):
        org.add_contact(account, f"Ann {number}", f"ann{number}@example.com")
        org.tick(0.01)
    changes, cursor = read_all(crm, cursor)
    assert len([change for change in changes if change.kind == "contact"]) == 1_500
    assert crm.read_changes(cursor)[0] == []


def test_a_page_of_another_host_is_not_asked_for(org: DynamicsWorld) -> None:
    crm = adapter(org)
    crm.save_case(replace(RECORD, first=True))
    body = {"value": [], "@odata.nextLink": "https://elsewhere.example/api/data/v9.2/incidents"}
    org.simulator.faults.add("answer", "GET", status=200, body=body)
    with pytest.raises(CrmUnavailableError):
        crm.list_cases()


def test_a_note_of_the_timeline_is_read_without_its_html(org: DynamicsWorld) -> None:
    crm = adapter(org)
    saved = crm.save_case(replace(RECORD, first=True))
    cursor = crm.read_changes("")[1]
    org.comment(saved.crm_id, '<div data-wrapper="true"><div>called back</div></div>')
    assert [change.fields["text"] for change in read_all(crm, cursor)[0]] == ["called back"]
