"""What is Freshdesk's alone: no unique key, a search that lags, no word of who changed what, webhooks with a secret and no signature."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import CLOSED, NewContact, Note, freshdesk
from caseline.crm.freshdesk._tickets import FIXED
from caseline.errors import ConfigError, CrmAuthError, CrmConflictError, CrmRateLimitError, CrmRejectedError, PayloadError, SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import NOW, RECORD
from tests.kit.crms.freshdesk import SECRET, WEBHOOK_SECRET, FreshdeskWorld, pushed
from tests.kit.freshdesk import AGENT, ME
from tests.kit.freshdesk.desk import OUTBOUND
from tests.kit.scenes import BEFORE, cost

FIRST = replace(RECORD, first=True)
HOUR = 3_600


# ---- one ticket for a case


def test_a_ticket_that_the_search_does_not_show_yet_is_found_in_the_list(there: FreshdeskWorld) -> None:
    there.desk.lag = HOUR / 2
    saved = there.adapter().save_case(FIRST)
    for number in range(120):
        there.desk.add_ticket({"subject": f"No. {number}", "description": "words", "status": 2, "priority": 1, "source": 2, "email": "ann@example.com"})
    assert there.adapter().save_case(RECORD).crm_id == saved.crm_id


def test_an_old_ticket_is_found_by_search(there: FreshdeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    there.tick(40 * 24 * HOUR)
    assert cost(there, lambda: there.adapter().save_case(RECORD)) == 3
    assert there.adapter().save_case(RECORD).crm_id == saved.crm_id and len(there.cases()) == 1


def test_a_key_with_a_quote_is_found_in_the_list(there: FreshdeskWorld) -> None:
    record = replace(RECORD, case_key="cx-o'brien\" OR status:2")
    assert there.adapter().save_case(record).crm_id == there.adapter().save_case(record).crm_id and len(there.cases()) == 1


def test_customers_whom_freshdesk_does_not_know_share_one_contact(there: FreshdeskWorld) -> None:
    for number in range(3):
        there.adapter().save_case(replace(FIRST, case_key=f"cx-{number}"))
    assert [row["unique_external_id"] for row in there.desk.contacts.values()] == ["caseline-stranger"]


def test_a_ticket_is_saved_though_its_customer_is_gone(there: FreshdeskWorld) -> None:
    assert there.adapter().save_case(replace(FIRST, contact_id="4711", account_id="4712")).created
    [case] = there.cases()
    assert case.score == 80


def test_what_closing_demands_is_set(there: FreshdeskWorld) -> None:
    there.desk.add_field("ticket", {"label": "resolution", "type": "custom_text"})
    saved = there.adapter().save_case(FIRST)
    closed = replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, status=CLOSED)
    there.adapter(closing={"cf_resolution": "Answered", "type": "Question"}).save_case(closed)
    row = there.desk.tickets[int(saved.crm_id)]
    assert (row["status"], row["custom_fields"]["cf_resolution"], row["type"]) == (4, "Answered", "Question")


def test_queues_are_groups_and_owners_are_agents(there: FreshdeskWorld) -> None:
    saved = there.adapter(queues={"senior-care": "700"}, owners={"mara": str(AGENT)}).save_case(replace(FIRST, owner="mara"))
    row = there.desk.tickets[int(saved.crm_id)]
    assert (row["group_id"], row["responder_id"]) == (700, AGENT)


def test_words_are_no_markup(there: FreshdeskWorld) -> None:
    saved = there.adapter().save_case(replace(FIRST, headline="<script>alert(1)</script> & more", notes=(Note("n-1", "<b>bold</b>"),)))
    row = there.desk.tickets[int(saved.crm_id)]
    assert "<script>" not in row["description"] and "<script>alert(1)</script> & more" in row["description_text"] and "<b>bold</b>" in row["description_text"]


# ---- notes


@pytest.mark.parametrize(("name", "calls", "private"), [("cf_cx_notes", 2, []), ("", 3, [True])], ids=["field", "conversation"])
def test_notes_stand_in_a_field_or_are_private_and_cost_one_call(there: FreshdeskWorld, name: str, calls: int, private: list[bool]) -> None:
    there.settings = lambda: {"user_id": str(ME), "case_fields": {"notes": name}}
    saved = there.adapter().save_case(FIRST)
    record = replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE)
    assert cost(there, lambda: there.adapter().save_case(record)) == 1
    notes = tuple(Note(f"n-{number}", f"words {number}.", public=True) for number in range(9))
    assert cost(there, lambda: there.adapter().save_case(replace(record, version=3, notes=notes))) == calls
    assert [said["private"] for said in there.desk.conversations[int(saved.crm_id)]] == private


def test_an_outbound_ticket_keeps_subject_and_description(there: FreshdeskWorld) -> None:
    crm = there.adapter(source=OUTBOUND)
    saved = crm.save_case(FIRST)
    crm.add_note(saved.crm_id, "n-1", "words")
    assert crm.erase_notes(saved.crm_id, "erased") == [FIXED]
    assert not there.desk.conversations[int(saved.crm_id)]


def test_a_note_behind_many_conversations_is_not_written_again(there: FreshdeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    for number in range(130):
        there.comment(saved.crm_id, f"comment {number}")
    for _ in range(2):
        there.adapter().save_case(replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, notes=(Note("n-1", "first words"),)))
    assert "".join(there.cases()[0].notes).count("first words") == 1


# ---- accounts


def test_a_contact_whom_the_search_does_not_show_yet_is_found_by_address(there: FreshdeskWorld) -> None:
    there.desk.lag = HOUR
    account = there.add_account("Globex", tier="strategic")
    there.add_contact(account, "Ann", "ann@example.com")
    found = there.adapter().find_account(["x:1", "email:ann@example.com"]).account
    assert found and (found.account_id, found.facts["tier"].value) == (account, "strategic")


def test_a_user_with_more_addresses_and_a_number_without_country(there: FreshdeskWorld) -> None:
    account = there.add_account("Globex")
    contact = there.add_contact(account, "Ann", "ann@example.com")
    there.desk.contacts[int(contact)] |= {"other_emails": ["ann@globex.example"], "mobile": "020 7946 0000"}
    found = there.adapter(phone_country_code="44").find_account(["email:ann@example.com"]).account
    assert found and {"email:ann@globex.example", "phone:+442079460000"} <= set(found.identities)


def test_the_native_tier_is_read_in_the_accounts_own_words(there: FreshdeskWorld) -> None:
    there.add_contact(there.add_account("Globex", tier="Premium"), "Ann", "ann@example.com")
    find = lambda **given: there.adapter(**given).find_account(["email:ann@example.com"]).account.facts  # noqa: E731
    assert "tier" not in find() and find(tiers={"Premium": "strategic"})["tier"].value == "strategic"


def test_an_address_that_freshdesk_refuses_is_said_by_field(there: FreshdeskWorld) -> None:
    with pytest.raises(CrmRejectedError) as caught:
        there.adapter().create_contact(NewContact("contact", "cu-1", "Ann", ("email:ann@nowhere",), "x"))
    assert caught.value.field == "email" and "nowhere" not in str(caught.value)


def test_an_address_that_an_agent_has_makes_no_contact(there: FreshdeskWorld) -> None:
    """The refusal names the agent, who is no contact."""
    body = {"errors": [{"field": "email", "code": "duplicate_value", "additional_info": {"user_id": AGENT}}]}
    there.simulator.faults.add("answer", "POST .*/contacts", status=409, body=body)
    with pytest.raises(CrmConflictError):
        there.adapter().create_contact(NewContact("contact", "cu-1", "Ann", ("email:mara@acme.example",), "x"))


# ---- changes


def test_a_person_who_comes_behind_us_is_heard(there: FreshdeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    there.tick(HOUR)
    cursor = there.adapter().read_changes()[1]
    there.set_band(saved.crm_id, "P4")
    there.adapter().save_case(replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE))
    assert [dict(change.fields) for change in there.adapter().read_changes(cursor)[0]] == [{"band": "P4"}]


def test_what_the_customer_answers_is_no_comment_of_the_crm(there: FreshdeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    there.tick(HOUR)
    cursor = there.adapter().read_changes()[1]
    ticket = there.desk.tickets[int(saved.crm_id)]
    there.desk.say(ticket, 5, "any news?", private=False, incoming=True)
    there.desk.say(ticket, ticket["requester_id"], "written in the portal", private=False)
    assert [change.kind for change in there.adapter().read_changes(cursor)[0]] == ["case"]


def test_companies_are_told_as_their_page_comes_round(there: FreshdeskWorld) -> None:
    ids = [there.add_account(f"Company {number:03d}") for number in range(150)]
    there.tick(HOUR)
    cursor, told = there.adapter().read_changes()[1], list[str]()
    there.tick(60)
    there.set_tier(ids[140], "strategic")
    for _ in range(4):
        there.tick(60)
        changes, cursor = there.adapter().read_changes(cursor)
        told += [change.crm_id for change in changes]
    assert told == [ids[140]]


def test_a_quiet_minute_costs_four_calls(there: FreshdeskWorld) -> None:
    cursor = there.adapter().read_changes()[1]
    there.tick(60)
    assert cost(there, lambda: there.adapter().read_changes(cursor)) == 4
    assert cost(there, lambda: there.adapter(companies=False, contacts_since="").read_changes(cursor)) == 2


# ---- errors, settings


def test_the_limit_says_how_long(there: FreshdeskWorld) -> None:
    crm = there.adapter()
    crm.find_account(["email:ann@example.com"])
    there.simulator.remaining = 0
    with pytest.raises(CrmRateLimitError) as caught:
        crm.save_case(FIRST)
    assert caught.value.retry_after == 900 and crm.usage and (crm.usage.remaining, crm.usage.window) == (0, HOUR)


def test_settings_and_secrets_that_cannot_be_are_said(there: FreshdeskWorld) -> None:
    good = {"instance_url": there.simulator.url}
    for given in ({**good, "case_fields": {"score": "CX Score"}}, {**good, "case_fields": {"case_key": ""}}, {**good, "colour": "red"}, {}):
        with pytest.raises(ConfigError):
            freshdesk.create(given, SECRET)
    for secret in ({}, {"api_key": ""}):
        with pytest.raises(ConfigError):
            freshdesk.create(good, secret)
    with pytest.raises(CrmAuthError):
        freshdesk.create(good, {"api_key": "wrong"}).find_account(["email:ann@example.com"])


# ---- webhooks

SAMPLES = sorted(Path(__file__).parents[2].joinpath("events/crm/freshdesk").glob("*.json"))
TICKET = {"ticket_id": 7, "ticket_status": "Open", "ticket_cf_cx_case_key": "cx-1"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_recorded_webhook_is_read_as_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    sent, received_at = sample["request"], parse_time(sample["received_at"])
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), received_at)
    source = Source("freshdesk", "acme", (), tuple(sample["secrets"]), sample.get("source", {}).get("settings", {}))
    freshdesk.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in freshdesk.parse(request, source)] == sample["expected"]["changes"]


def test_the_secret_may_stand_in_the_address(there: FreshdeskWorld) -> None:
    request, source = pushed(NOW, TICKET)
    bare = replace(request, headers={})
    freshdesk.verify(replace(bare, url=f"{request.url}?token={WEBHOOK_SECRET}"), source)
    for wrong in (bare, replace(bare, url=f"{request.url}?token=wrong"), request.with_headers({"X-Caseline-Token": "wrong"})):
        with pytest.raises(SignatureError):
            freshdesk.verify(wrong, source)


@pytest.mark.parametrize("wrong", [{"ticket_id": None}, {"ticket_id": "no number"}, {"ticket_status": []}, {"ticket_cf_cx_case_key": {}}])
def test_a_body_that_is_not_understood_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        freshdesk.parse(*pushed(NOW, {**TICKET, **wrong}))
