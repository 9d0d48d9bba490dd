"""What is special of ServiceNow: encoded queries, journals, states that demand more, silence about unknown fields, several ways to log in."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from caseline.crm import CLOSED, NewContact, Note
from caseline.crm import servicenow as adapter
from caseline.crm.servicenow._query import is_value
from caseline.errors import ConfigError, CrmAuthError, CrmRateLimitError, CrmRejectedError, PayloadError

from tests.kit.crms import RECORD
from tests.kit.crms.servicenow import CASE, CONTACT, SECRET, ServiceNowWorld, signed, world
from tests.kit.servicenow import BRIDGE, PASSWORD, PERSON

INJECTIONS = ("a^ORsys_idISNOTEMPTY", "javascript:gs.log('x')", "JavaScript:gs.log('x')", "^NQactive=true", "a\n^b", " a", "")


@pytest.fixture
def snow() -> Iterator[ServiceNowWorld]:
    with world() as found:
        yield found


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_a_query_would_take_for_more_is_no_value(text: str) -> None:
    assert not is_value(text)


def test_no_script_of_a_customer_runs(snow: ServiceNowWorld) -> None:
    snow.add_contact(snow.add_account("Globex"), "Ann", "ann@example.com", handles="x:@ann")
    for text in INJECTIONS:
        for identity in (f"email:{text}@example.com", f"x:{text}", f"x:@{text}", f"phone:{text}"):
            assert snow.adapter().find_account([identity]).kind == "none"
    assert snow.instance.scripts == []
    assert not any("^NQactive" in call.target for call in snow.simulator.calls)


def test_a_key_that_cannot_be_looked_for_is_refused(snow: ServiceNowWorld) -> None:
    with pytest.raises(CrmRejectedError):
        snow.adapter().save_case(replace(RECORD, case_key="cx^ORactive=true"))
    assert snow.cases() == []


def test_a_case_is_closed_with_what_the_data_policy_demands(snow: ServiceNowWorld) -> None:
    saved = snow.adapter().save_case(replace(RECORD, status=CLOSED, first=True))
    row = snow.instance.find(CASE, saved.crm_id)
    assert (row["state"], row["resolution_code"], row["close_notes"]) == ("3", "3", "Closed by Caseline")
    with pytest.raises(CrmRejectedError):
        snow.adapter(closing={"resolution_code": ""}).save_case(replace(RECORD, case_key="cx-2", status=CLOSED, first=True))


def test_public_notes_are_comments_and_others_are_work_notes(snow: ServiceNowWorld) -> None:
    notes = (Note("n-1", "inside"), Note("n-2", "to the customer", public=True), Note("n-3", "inside too"))
    snow.adapter().save_case(replace(RECORD, first=True, notes=notes))
    entries = {row["element"]: row["value"] for row in snow.instance.rows("sys_journal_field")}
    assert entries == {"work_notes": "inside\n[cx:n-1]\n\ninside too\n[cx:n-3]", "comments": "to the customer\n[cx:n-2]"}


def test_what_the_customer_writes_is_no_answer(snow: ServiceNowWorld) -> None:
    """In the portal by their login, by mail by their address, or as a guest."""
    contact = snow.add_contact(snow.add_account("Globex"), "Ann", "ann@example.com")
    snow.instance.update(CONTACT, contact, {"user_name": "ann.site"}, PERSON)
    saved = snow.adapter().save_case(replace(RECORD, first=True, contact_id=contact))
    snow.tick(3600)
    cursor = snow.adapter().read_changes()[1]
    for by in ("ann.site", "Ann@example.com", "guest", PERSON):
        snow.instance.update(CASE, saved.crm_id, {"comments": f"by {by}"}, by)
    told = [change for change in snow.adapter().read_changes(cursor)[0] if change.kind == "comment"]
    assert [change.fields["text"] for change in told if change.fields["public"]] == [f"by {PERSON}"] and len(told) == 4
    entry = {"sys_id": "e" * 32, "sys_created_on": "2026-11-21 10:00:00", "element": "comments", "element_id": saved.crm_id, "value": "any news?"}
    record = {**entry, "sys_created_by": "ann.site", "case_key": RECORD.case_key, "contact.user_name": "ann.site"}
    (change,) = adapter.parse(*signed(snow.now, {"table": "sys_journal_field", "operation": "insert", "record": record}))
    assert change.fields["public"] is False


def test_a_note_is_never_shown_as_html(snow: ServiceNowWorld) -> None:
    snow.adapter().save_case(replace(RECORD, first=True, notes=(Note("n-1", "[code]<img src=x>[/CODE]"),)))
    [entry] = snow.instance.rows("sys_journal_field")
    assert "[code]" not in entry["value"].lower() and "[/code]" not in entry["value"].lower()


def test_a_field_that_is_dropped_without_a_word_is_reported_once(snow: ServiceNowWorld, caplog: pytest.LogCaptureFixture) -> None:
    snow.drop_field("case", "headline")
    crm = snow.adapter()
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True))
    assert [record.message for record in caplog.records if "u_cx_headline" in record.message] == [
        f"ServiceNow lacks {CASE}.u_cx_headline: it is left out until the next start"
    ]


def test_a_field_of_yours_that_is_unique_keeps_two_cases_from_being_made(snow: ServiceNowWorld) -> None:
    snow.instance.insert("sys_dictionary", {"name": CASE, "element": "u_key", "internal_type": "string", "max_length": "100", "unique": "true"}, PERSON)
    saved = [snow.adapter(case_key="u_key").save_case(replace(RECORD, first=True)) for _ in range(2)]
    assert saved[0].crm_id == saved[1].crm_id and [each.created for each in saved] == [True, False]


def test_logs_in_by_password_and_by_basic(snow: ServiceNowWorld) -> None:
    person, settings = {"username": BRIDGE, "password": PASSWORD}, {"instance_url": snow.simulator.url}
    adapter.create(settings, {**SECRET, **person}, clock=snow.clock).save_case(RECORD)
    assert snow.simulator.logins == 1
    adapter.create(settings, person, clock=snow.clock).save_case(RECORD)
    assert snow.simulator.logins == 1
    before = snow.calls()
    with pytest.raises(CrmAuthError):
        adapter.create(settings, {**person, "password": "wrong"}, clock=snow.clock).save_case(RECORD)
    assert snow.calls() == before + 1
    with pytest.raises(ConfigError):
        adapter.create(settings, {"username": BRIDGE}, clock=snow.clock)


def test_a_rate_limit_says_when_and_is_shown_as_used_up(snow: ServiceNowWorld) -> None:
    crm = snow.adapter()
    crm.save_case(RECORD)
    snow.simulator.limit = 0
    with pytest.raises(CrmRateLimitError) as caught:
        crm.save_case(RECORD)
    assert caught.value.retry_after == 1_800 and crm.usage and (crm.usage.remaining, crm.usage.window) == (0, 1_800)


def test_logs_that_may_not_be_read_are_done_without(snow: ServiceNowWorld) -> None:
    saved = snow.adapter().save_case(RECORD)
    crm = snow.adapter()
    cursor = crm.read_changes()[1]
    snow.simulator.hidden = {"sys_journal_field", "sys_audit_delete", "ast_contract"}
    snow.tick(5)
    snow.set_band(saved.crm_id, "P4")
    assert [change.fields["band"] for change in crm.read_changes(cursor)[0]] == ["P4"]
    snow.add_contact(snow.add_account("Globex", "strategic"), "Ann", "ann@example.com")
    account = crm.find_account(["email:ann@example.com"]).account
    assert account and account.facts["tier"].value == "strategic"


def test_check_names_tables_that_are_hidden_and_a_wrong_time_zone(snow: ServiceNowWorld) -> None:
    assert snow.adapter().check([]) == [] and [finding.name for finding in snow.adapter(user="").check([])] == ["crm.user"]
    snow.simulator.hidden = {"sys_journal_field", CONTACT}
    snow.instance.rows("sys_user")[0]["time_zone"] = "Europe/Berlin"
    found = {finding.name: finding.severity for finding in snow.adapter().check([])}
    assert found == {"sys_journal_field": "warning", CONTACT: "error", f"time zone of {BRIDGE}": "warning"}


def test_many_changes_in_one_second_are_read_page_by_page(snow: ServiceNowWorld) -> None:
    cursor = snow.adapter().read_changes()[1]
    snow.tick(5)
    made = {snow.add_account(f"Account {number}") for number in range(450)}
    crm, told = snow.adapter(), set[str]()
    while True:
        changes, cursor = crm.read_changes(cursor)
        if not changes:
            break
        told |= {change.crm_id for change in changes}
    assert told == made


def test_contract_value_is_the_sum_of_the_active_ones(snow: ServiceNowWorld) -> None:
    account = snow.add_account("Globex", deal_value="1000.50", renewal_date="2026-12-15")
    for state, ends, value in (("active", "2027-01-31", "2,000"), ("expired", "2026-11-30", "900"), ("active", "2026-01-31", "")):
        snow.instance.insert("ast_contract", {"account": account, "state": state, "ends": ends, "total_cost": value}, PERSON)
    snow.add_contact(account, "Ann", "ann@example.com")
    found = snow.adapter(currency="EUR").find_account(["email:ann@example.com"]).account
    assert found and {name: found.facts[name].value for name in ("deal_value", "currency", "renewal_date", "contract_status")} == {
        "deal_value": "3000.5", "currency": "EUR", "renewal_date": "2026-12-15", "contract_status": "active",
    }  # fmt: skip


def test_consumers_are_contacts_without_account(snow: ServiceNowWorld) -> None:
    for name in ("handles", "customer_key"):
        snow.instance.add_field("csm_consumer", f"u_cx_{name}")
    crm = snow.adapter(contact_table="csm_consumer", contact_reference="consumer", phone_fields=["mobile_phone", "business_phone"])
    made = crm.create_contact(NewContact("contact", "cu-1", "Cleo Marsh", ("email:cleo@example.com", "phone:+442079460077"), "x"))
    found = crm.find_account(["phone:+442079460077"]).account
    assert found and (found.contact_id, found.account_id, found.name) == (made.contact_id, "", "Cleo Marsh")
    saved = crm.save_case(replace(RECORD, first=True, contact_id=made.contact_id))
    row = snow.instance.find(CASE, saved.crm_id)
    assert row["consumer"] == made.contact_id and "contact" not in row


def test_settings_that_cannot_be_are_refused(snow: ServiceNowWorld) -> None:
    wrong: list[dict[str, Any]] = [{"case_table": "x^y"}, {"case_key": ""}, {"nonsense": 1}, {"fact_fields": {"tier": "a b"}}, {"closing": {"a^b": "c"}}]
    for given in wrong:
        with pytest.raises(ConfigError):
            snow.adapter(**given)


def test_our_own_writes_that_come_by_webhook_are_no_news(snow: ServiceNowWorld) -> None:
    stamp = f"{snow.now - timedelta(seconds=5):%Y-%m-%d %H:%M:%S}"
    record = {"sys_id": "c" * 32, "sys_updated_on": stamp, "sys_updated_by": BRIDGE, "priority": "1", "u_cx_band": "P1", "correlation_id": "cx-1", "state": "1"}
    request, source = signed(snow.now, {"table": CASE, "operation": "update", "record": record}, user=BRIDGE)
    assert adapter.parse(request, source) == []
    theirs, _ = signed(snow.now, {"table": CASE, "operation": "update", "record": {**record, "sys_updated_by": PERSON, "state": {"value": "3"}}})
    [change] = adapter.parse(theirs, source)
    assert (change.case_key, change.fields, change.by) == ("cx-1", {"status": CLOSED}, PERSON)


def test_a_webhook_without_a_time_is_refused(snow: ServiceNowWorld) -> None:
    for record in ({"sys_id": "c" * 32}, {"sys_id": "c" * 32, "sys_updated_on": "2026-13-01 00:00:00"}, {"sys_updated_on": "2026-11-21 10:00:00"}):
        request, source = signed(snow.now, {"table": CASE, "operation": "update", "record": record})
        with pytest.raises(PayloadError):
            adapter.parse(request, source)


def test_a_token_in_the_address_proves_a_webhook_too(snow: ServiceNowWorld) -> None:
    request, source = signed(snow.now, {}, url=f"https://hooks.example.com/webhooks/crm/main?token={base64.urlsafe_b64encode(b'a token').decode()}")
    adapter.verify(replace(request, headers={}), replace(source, secrets=("YSB0b2tlbg==",)))
