"""What is Zendesk's alone: keys that are remembered for two hours, tickets that are closed for ever, errors in three shapes, fields known by number."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import CLOSED, NOTES_STAND, NewContact, Note, zendesk
from caseline.crm.zendesk._tickets import CLOSED_SUBJECT, KEPT, NO_RIGHT
from caseline.errors import ConfigError, CrmAuthError, CrmConflictError, CrmRateLimitError, PayloadError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import NOW, RECORD
from tests.kit.crms.zendesk import ZendeskWorld, signed
from tests.kit.scenes import BEFORE, cost
from tests.kit.simulated import Call, in_process
from tests.kit.zendesk import AGENT, API_TOKEN, EMAIL

FIRST = replace(RECORD, first=True)
HOUR = 3_600


# ---- one ticket for a case


def test_a_first_save_that_is_repeated_within_two_hours_makes_no_second_ticket(there: ZendeskWorld) -> None:
    first = there.adapter().save_case(FIRST)
    there.tick(1.9 * HOUR)
    again = there.adapter().save_case(FIRST)
    assert (first.created, again.created, first.crm_id) == (True, False, again.crm_id) and len(there.cases()) == 1


def test_a_save_that_is_repeated_later_finds_the_ticket_by_its_key_though_the_search_lags(there: ZendeskWorld) -> None:
    there.desk.lag = 10 * HOUR
    first = there.adapter().save_case(FIRST)
    there.tick(3 * HOUR)
    assert there.adapter().save_case(RECORD).crm_id == first.crm_id and len(there.cases()) == 1


def test_a_newer_version_under_a_used_key_updates_the_ticket(there: ZendeskWorld) -> None:
    first = there.adapter().save_case(FIRST)
    again = there.adapter().save_case(replace(FIRST, version=2, score=85))
    [case] = there.cases()
    assert (again.crm_id, again.created, case.version, case.score) == (first.crm_id, False, 2, 85)


def test_a_ticket_that_is_gone_is_made_again_though_its_key_is_remembered(there: ZendeskWorld) -> None:
    there.lose_case(there.adapter().save_case(FIRST).crm_id)
    assert there.adapter().save_case(replace(RECORD, version=2)).created and len(there.cases()) == 1


def test_other_tickets_of_that_key_are_not_ours_to_choose_by_accident(there: ZendeskWorld) -> None:
    there.desk.add_ticket(AGENT, {"external_id": RECORD.case_key.upper(), "comment": {"body": "another system's"}})
    saved = there.adapter().save_case(RECORD)
    assert saved.created and len(there.cases()) == 2


def test_a_ticket_is_saved_though_its_customer_is_gone(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(replace(FIRST, contact_id="4711", account_id="4712"))
    assert saved.created and there.desk.tickets[int(saved.crm_id)]["organization_id"] is None


def test_the_customer_gets_no_mail_of_it(there: ZendeskWorld) -> None:
    contact = there.add_contact(there.add_account("Globex"), "Ann", "ann@example.com")
    saved = there.adapter().save_case(replace(FIRST, contact_id=contact, notes=(Note("n-1", "words"),)))
    there.adapter().save_case(replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, notes=(Note("n-2", "words", public=True),)))
    assert [comment["public"] for comment in there.desk.comments[int(saved.crm_id)]] == [False, False]
    assert there.desk.tickets[int(saved.crm_id)]["requester_id"] == int(contact)


# ---- tickets that are closed for ever


def test_a_closed_ticket_is_left_alone(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    there.close_case(saved.crm_id)
    there.desk.finish(there.desk.tickets[int(saved.crm_id)])
    for record in (replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE), replace(RECORD, version=3, band="P2", notes=(Note("n-1", "words"),))):
        again = there.adapter().save_case(record)
        assert (again.crm_id, again.status, again.created) == (saved.crm_id, CLOSED, False)
    assert [(case.version, case.score) for case in there.cases()] == [(1, 80)]


def test_a_closed_ticket_is_redacted_though_its_subject_stands(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(replace(FIRST, notes=(Note("n-1", "words <b>bold</b>\n\n& more"),)))
    there.close_case(saved.crm_id)
    there.desk.finish(there.desk.tickets[int(saved.crm_id)])
    remains = there.adapter().erase_notes(saved.crm_id, "erased")
    assert remains == [CLOSED_SUBJECT, KEPT] and not set("abcdefghijklmnopqrstuvwxyz") & set(there.desk.comments[int(saved.crm_id)][0]["body"])


def test_who_may_not_redact_says_what_stands_and_where(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(replace(FIRST, notes=(Note("n-1", "words"),)))
    there.simulator.may_redact = False
    assert there.adapter().erase_notes(saved.crm_id, "erased") == [NOTES_STAND, NO_RIGHT, KEPT]
    there.simulator.may_redact = True
    assert there.adapter().erase_notes(saved.crm_id, "erased") == [KEPT]
    assert "words" not in str(there.desk.comments)


def test_a_case_that_is_opened_again_goes_on_in_a_follow_up(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    closed = replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, status=CLOSED)
    there.adapter().save_case(closed)
    there.desk.finish(there.desk.tickets[int(saved.crm_id)])
    opened = replace(closed, version=3, status="open", before={**BEFORE, "status": CLOSED})
    again = [there.adapter().save_case(opened) for _ in range(2)]
    assert again[0].created and not again[1].created and again[0].crm_id == again[1].crm_id != saved.crm_id
    assert there.desk.tickets[int(again[0].crm_id)]["followup"] == int(saved.crm_id)
    assert there.adapter().save_case(replace(RECORD, version=4)).crm_id == again[0].crm_id


# ---- what people do


def test_tags_of_people_stay(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    ticket = there.desk.tickets[int(saved.crm_id)]
    there.desk.update(ticket, AGENT, {"tags": [*ticket["tags"], "vip"]})
    there.adapter().save_case(replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, band="P2"))
    assert {"caseline", "vip", "cx_band_p2"} <= set(ticket["tags"])


def test_what_a_person_does_between_reading_and_writing_is_a_conflict(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)

    def meddle(call: Call) -> None:
        if call.method == "PUT":
            there.tick(1)
            there.set_band(saved.crm_id, "P4")

    record = replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, band="P2")
    with pytest.raises(CrmConflictError):
        there.adapter(session=in_process(there.simulator, before=meddle)).save_case(record)
    there.adapter().save_case(record)
    assert [(case.native_priority, case.band) for case in there.cases()] == [("low", "P2")]


def test_queues_are_groups_and_owners_are_agents(there: ZendeskWorld) -> None:
    there.desk.groups[55] = {"id": 55, "name": "Care"}
    routing = {"queues": {"senior-care": "55"}, "owners": {"mara": str(AGENT)}}
    saved = there.adapter(**routing).save_case(replace(FIRST, owner="mara"))
    ticket = there.desk.tickets[int(saved.crm_id)]
    assert (ticket["group_id"], ticket["assignee_id"]) == (55, AGENT)
    there.tick(HOUR)
    cursor = there.adapter(**routing).read_changes()[1]
    there.desk.update(ticket, AGENT, {"assignee_id": None})
    there.desk.update(ticket, AGENT, {"assignee_id": AGENT})
    assert [dict(change.fields) for change in there.adapter(**routing).read_changes(cursor)[0]] == [{"owner": "mara"}]


def test_changes_are_read_over_pages_and_own_ones_left_out(there: ZendeskWorld) -> None:
    there.simulator.page = 3
    saved = [there.adapter().save_case(replace(FIRST, case_key=f"cx-{number}")).crm_id for number in range(8)]
    there.tick(HOUR)
    cursor, told = there.adapter().read_changes()[1], list[str]()
    for crm_id in saved:
        there.set_band(crm_id, "P4")
        there.adapter().save_case(replace(RECORD, crm_id=crm_id, version=2, before=BEFORE))
    for _ in range(20):
        changes, cursor = there.adapter().read_changes(cursor)
        told += [change.crm_id for change in changes]
    assert told == saved


def test_a_customers_own_words_are_no_comment_of_the_crm(there: ZendeskWorld) -> None:
    contact = there.add_contact("", "Ann", "ann@example.com")
    saved = there.adapter().save_case(replace(FIRST, contact_id=contact))
    there.tick(HOUR)
    cursor = there.adapter().read_changes()[1]
    there.desk.update(there.desk.tickets[int(saved.crm_id)], int(contact), {"comment": {"body": "any news?"}})
    assert there.adapter().read_changes(cursor)[0] == []


def test_what_a_customer_in_copy_says_is_no_answer(there: ZendeskWorld) -> None:
    """A colleague of theirs answers by mail, as an agent does."""
    saved, colleague = there.adapter().save_case(replace(FIRST, contact_id=there.add_contact("", "Ann", "ann@example.com"))), there.add_contact("", "Bo")
    there.tick(HOUR)
    crm, cursor = there.adapter(), there.adapter().read_changes()[1]
    for author, words in ((int(colleague), "we wait, too"), (AGENT, "we are sorry"), (AGENT, "it is on its way")):
        there.desk.update(there.desk.tickets[int(saved.crm_id)], author, {"comment": {"body": words}})
    assert [change.fields["text"] for change in crm.read_changes(cursor)[0]] == ["we are sorry", "it is on its way"]
    assert sum("users/show_many" in call.target for call in there.simulator.calls) == 1
    crm.read_changes(cursor)
    assert sum("users/show_many" in call.target for call in there.simulator.calls) == 1


def test_tickets_of_others_are_none_of_ours(there: ZendeskWorld) -> None:
    ticket, _ = there.desk.add_ticket(AGENT, {"external_id": "erp-1", "comment": {"body": "another system's"}})
    there.tick(HOUR)
    cursor = there.adapter().read_changes()[1]
    there.desk.update(ticket, AGENT, {"priority": "low"})
    assert there.adapter().read_changes(cursor)[0] == [] and there.adapter().list_cases() == ([], "")


# ---- fields


def test_numbers_of_fields_are_looked_up_where_they_are_not_named(there: ZendeskWorld) -> None:
    crm = there.adapter(case_fields={})
    assert cost(there, lambda: crm.save_case(FIRST)) == 2
    assert cost(there, lambda: crm.save_case(replace(FIRST, case_key="cx-other"))) == 1
    assert {case.score for case in there.cases()} == {80}


def test_notes_are_told_once_though_no_field_keeps_their_marks(there: ZendeskWorld) -> None:
    there.drop_field("case", "noted")
    saved, notes = there.adapter().save_case(FIRST), (Note("n-1", "first words"), Note("n-2", "second words"))
    for number in (1, 2, 2):
        there.adapter().save_case(replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE, notes=notes[:number]))
    words = "".join(there.cases()[0].notes)
    assert (words.count("first words"), words.count("second words")) == (1, 1)


def test_a_note_costs_one_call_more_than_news(there: ZendeskWorld) -> None:
    saved = there.adapter().save_case(FIRST)
    record = replace(RECORD, crm_id=saved.crm_id, version=2, before=BEFORE)
    assert cost(there, lambda: there.adapter().save_case(record)) == 1
    assert cost(there, lambda: there.adapter().save_case(replace(record, version=3, notes=(Note("n-1", "a"), Note("n-2", "b"))))) == 2


def test_a_phone_number_is_asked_for_where_nothing_else_finds_anybody(there: ZendeskWorld) -> None:
    account = there.add_account("Globex")
    there.add_contact(account, "Ann", phone="+44 20 7946 0000")
    crm = there.adapter()
    assert crm.find_account(["email:ann@example.com", "x:1", "phone:+442079460000"]).account.account_id == account
    assert cost(there, lambda: crm.find_account(["email:ann@example.com", "x:1", "phone:+442079460000"])) == 4
    assert cost(there, lambda: crm.find_account(["phone:+442079460000"])) == 2


def test_a_number_without_country_is_read_as_the_settings_say(there: ZendeskWorld) -> None:
    account = there.add_account("Globex")
    there.add_contact(account, "Ann", phone="+44 20 7946 0000")
    there.desk.users[max(there.desk.users)]["phone"] = "0044 20 79460000"
    assert there.adapter(phone_country_code="44").find_account(["phone:+442079460000"]).account


def test_a_user_whom_the_index_does_not_show_yet_is_no_second_user(there: ZendeskWorld) -> None:
    there.desk.lag = HOUR
    there.add_contact("", "Ann", "ann@example.com")
    with pytest.raises(CrmConflictError):
        there.adapter().create_contact(NewContact("contact", "cu-1", "Ann", ("email:ann@example.com",), "x"))
    there.tick(2 * HOUR)
    assert there.adapter().create_contact(NewContact("contact", "cu-1", "Ann", ("email:ann@example.com",), "x")).contact_id and there.contacts() == 1


def test_an_organization_that_does_not_come_along_is_read(there: ZendeskWorld) -> None:
    there.add_contact(there.add_account("Globex", tier="smb"), "Ann", "ann@example.com")
    found = there.adapter(sideloads="").find_account(["email:ann@example.com"]).account
    assert found and (found.name, found.facts["tier"].value) == ("Globex", "smb")


# ---- errors and logins


def test_a_limit_in_plain_text_without_retry_after_waits_a_minute(there: ZendeskWorld) -> None:
    crm = there.adapter()
    crm.find_account(["email:ann@example.com"])
    there.wire.answer("POST .*/tickets", 429)
    with pytest.raises(CrmRateLimitError) as caught:
        crm.save_case(FIRST)
    assert caught.value.retry_after == 60


def test_the_accounts_limit_says_how_long(there: ZendeskWorld) -> None:
    crm = there.adapter()
    crm.find_account(["email:ann@example.com"])
    there.simulator.remaining = 0
    with pytest.raises(CrmRateLimitError) as caught:
        crm.save_case(FIRST)
    assert caught.value.retry_after == 41 and crm.usage and crm.usage.remaining == 0


@pytest.mark.parametrize("ways", [{"email": EMAIL, "api_token": API_TOKEN}, {"access_token": "zd-lasting"}])
def test_logs_in_by_tokens_that_last(there: ZendeskWorld, ways: dict[str, str]) -> None:
    there.simulator.tokens["zd-lasting"] = AGENT
    crm = zendesk.create({"instance_url": there.simulator.url, "case_fields": there.numbers()}, ways, clock=there.clock)
    assert crm.save_case(FIRST).created and there.calls() == len(there.simulator.calls)
    there.simulator.api_token = "another"
    there.simulator.tokens.clear()
    with pytest.raises(CrmAuthError):
        crm.save_case(FIRST)


def test_settings_and_secrets_that_cannot_be_are_said(there: ZendeskWorld) -> None:
    good = {"instance_url": there.simulator.url}
    for given in ({**good, "case_fields": {"score": "cx_score"}}, {**good, "case_fields": {"colour": "1"}}, {**good, "colour": "red"}, {"instance_url": ""}):
        with pytest.raises(ConfigError):
            zendesk.create(given, {"access_token": "a"})
    for secret in ({}, {"email": "a@b.example"}, {"client_id": "a", "client_secret": ""}):
        with pytest.raises(ConfigError):
            zendesk.create(good, secret)


def test_a_user_who_is_no_administrator_is_found(there: ZendeskWorld) -> None:
    there.desk.users[900_001]["role"] = "agent"
    assert [(finding.severity, finding.name) for finding in there.adapter().check([])] == [("warning", "user")]


# ---- webhooks

SAMPLES = sorted(Path(__file__).parents[2].joinpath("events/crm/zendesk").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_recorded_webhook_is_read_as_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    sent, received_at = sample["request"], parse_time(sample["received_at"])
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), received_at)
    source = Source("zendesk", "acme", tuple(sample.get("own_ids", ())), tuple(sample["secrets"]), sample.get("source", {}).get("settings", {}))
    zendesk.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in zendesk.parse(request, source)] == sample["expected"]["changes"]


WRONG = [
    {"type": None}, {"time": "soon"}, {"detail": {"id": [], "external_id": "cx-1", "tags": ["caseline"]}},
    {"detail": {"id": "1", "external_id": "cx-1", "tags": "caseline"}},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_an_event_that_is_not_understood_is_said(wrong: dict[str, Any]) -> None:
    detail = {"id": "1", "external_id": "cx-1", "tags": ["caseline"]}
    good = {"type": "zen:event-type:ticket.soft_deleted", "time": isoformat(NOW), "detail": detail, "event": {}}
    with pytest.raises(PayloadError):
        assert zendesk.parse(*signed(NOW, {**good, **wrong})) == "read"
