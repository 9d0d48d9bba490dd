"""What is HubSpot's own: copies of the company's value, notes in two ways, history that tells who, webhooks, limits, and the shape of every exchange."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import CaseRecord, NewContact, Note, Profile, Usage, hubspot
from caseline.crm._schema import read_schema
from caseline.errors import ConfigError, CrmAuthError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError, PayloadError, SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.kit.crms import NOW, RECORD
from tests.kit.crms.hubspot import SECRET, HubSpotWorld, event, signed, world
from tests.kit.hubspot import PERSON, PORTAL_ID, PRIVATE_TOKEN, Portal, Simulator
from tests.kit.hubspot.shapes import faults
from tests.kit.simulated import Call, Reply, in_process

SCHEMA = read_schema(YAML(typ="safe", pure=True).load(Path(__file__).parents[2].joinpath("infra/crm/schema.yaml").read_text()))
BEFORE = {"status": "open", "band": "P1", "queue": "senior-care", "owner": ""}


@pytest.fixture
def there() -> Iterator[HubSpotWorld]:
    with world() as found:
        yield found


def cost(there: HubSpotWorld, act: Any) -> int:
    before = there.calls()
    act()
    return there.calls() - before


def later(record: CaseRecord, crm_id: str, version: int = 2, **changes: Any) -> CaseRecord:
    return replace(record, crm_id=crm_id, version=version, before=BEFORE, **changes)


# ---- what an account is worth


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
        crm.save_case(later(RECORD, saved.crm_id, band="P2", signal_count=10, notes=(Note("s2-10", "nine more"),)))

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
    assert crm.save_case(later(RECORD, saved.crm_id, band="P2", notes=(Note("n-1", "words"),))).crm_id == saved.crm_id


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
    crm.save_case(later(RECORD, saved.crm_id, queue="tier-2"))
    assert there.cases()[0].owner == "72"
    crm.save_case(replace(later(RECORD, saved.crm_id, 3, queue="tier-2", owner="ann"), before={**BEFORE, "queue": "tier-2"}))
    assert there.cases()[0].owner == "73"


def test_notes_may_be_activities(there: HubSpotWorld) -> None:
    crm = there.adapter(notes="activity")
    saved = crm.save_case(replace(RECORD, first=True, notes=(Note("n-1", "a < b\nsecond line"),)))
    for _ in range(2):
        crm.save_case(later(RECORD, saved.crm_id, notes=(Note("n-1", "a < b\nsecond line"), Note("n-2", "two"))))
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
    crm.save_case(later(RECORD, saved.crm_id, notes=(Note("s2-2", "and now I am angry"),)))
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


# ---- limits


def test_usage_is_the_tighter_window(there: HubSpotWorld) -> None:
    crm = there.adapter()
    crm.save_case(RECORD)
    assert crm.usage == Usage(there.simulator.daily, 650_000, 86_400.0)
    there.simulator.rolling = 3
    crm.save_case(RECORD)
    assert crm.usage == Usage(3, 190, 10.0)


@pytest.mark.parametrize(("window", "seconds"), [("daily", 3_600.0), ("rolling", 10.0)])
def test_each_window_has_its_wait(there: HubSpotWorld, window: str, seconds: float) -> None:
    setattr(there.simulator, window, 0)
    with pytest.raises(CrmRateLimitError) as caught:
        there.adapter().save_case(RECORD)
    assert caught.value.retry_after == seconds


def test_a_portal_that_is_being_moved_is_waited_for(there: HubSpotWorld) -> None:
    there.wire.answer("POST .*/search", 477, {"Retry-After": "120"})
    with pytest.raises(CrmRateLimitError) as caught:
        there.adapter().find_account(["email:ann@example.com"])
    assert caught.value.retry_after == 120


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"errors": 7, "message": "not valid: [1"}', '{"errors": [7, {"context": {"propertyName": 3}}]}'])
def test_an_error_may_look_like_anything(there: HubSpotWorld, body: str) -> None:
    there.simulator.faults.add("answer", "POST .*/objects", status=400, body=body)
    with pytest.raises(CrmRejectedError):
        there.adapter().save_case(replace(RECORD, first=True))


@pytest.mark.parametrize("body", ["[]", "null", "{}", '{"results": 7}', '{"results": [7]}', '{"results": [{"id": "1"}]}', '{"id": "1", "properties": null}'])
def test_an_answer_of_another_shape_is_unavailable(there: HubSpotWorld, body: str) -> None:
    there.simulator.faults.add("answer", "/objects/", status=200, body=body, times=2)
    for act in (lambda: there.adapter().find_account(["email:ann@example.com"]), lambda: there.adapter().save_case(RECORD)):
        with pytest.raises(CrmUnavailableError):
            act()


def test_a_404_that_is_not_hubspots_own_is_no_proof(there: HubSpotWorld) -> None:
    saved = there.adapter().save_case(RECORD)
    there.simulator.faults.add("answer", "PATCH", status=404, body="<html>not here</html>")
    with pytest.raises(CrmUnavailableError):
        there.adapter().save_case(later(RECORD, saved.crm_id))
    assert len(there.cases()) == 1


# ---- logging in


def adapter(there: HubSpotWorld, secret: dict[str, Any], **given: Any) -> Any:
    return hubspot.create({"instance_url": there.simulator.url, **given}, secret, clock=there.clock)


def test_a_private_app_has_one_token(there: HubSpotWorld) -> None:
    crm = adapter(there, {"access_token": PRIVATE_TOKEN})
    assert crm.save_case(RECORD).url == f"https://app.hubspot.com/contacts/{PORTAL_ID}/record/0-5/1001"
    there.expire_login()
    before = there.calls()
    with pytest.raises(CrmAuthError, match="put the present one into the secret"):
        crm.save_case(RECORD)
    assert there.calls() - before == 1


def test_a_token_is_renewed_before_it_runs_out(there: HubSpotWorld) -> None:
    crm = there.adapter()
    for seconds in (0, 1_700, 60):
        there.tick(seconds)
        crm.find_account(["email:ann@example.com"])
    assert there.simulator.logins == 2


@pytest.mark.parametrize("secret", [{}, {"client_id": "a", "client_secret": "b"}, {"access_token": 7}, {**SECRET, "refresh_token": ""}])
def test_a_secret_that_lacks_something_is_said(secret: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        hubspot.create({}, secret)


@pytest.mark.parametrize("name", ["nonsense", "case_fields", "notes", "closed_stages", "comments"])
def test_a_wrong_setting_is_said(name: str) -> None:
    wrong = {"nonsense": 1, "case_fields": {"case_key": ""}, "notes": "elsewhere", "closed_stages": {"a": 1}, "comments": ["calls"]}
    with pytest.raises(ConfigError, match=name):
        hubspot.create({name: wrong[name]}, {"access_token": "a"})
    with pytest.raises(ConfigError, match="internal name"):
        hubspot.create({"account_fields": {"tier": "Customer Tier"}}, {"access_token": "a"})


# ---- webhooks


def changes_of(*events: dict[str, Any], **given: Any) -> list[tuple[str, str, dict[str, Any]]]:
    request, source = signed(NOW, list(events), **given)
    hubspot.verify(request, source)
    return [(change.kind, change.crm_id, dict(change.fields)) for change in hubspot.parse(request, source)]


def test_reads_what_people_did() -> None:
    prop = {"subscriptionType": "ticket.propertyChange"}
    assert changes_of(
        event(NOW, "1", **prop, propertyName="hs_ticket_priority", propertyValue="URGENT"),
        event(NOW, "1", **prop, propertyName="hs_pipeline_stage", propertyValue="4"),
        event(NOW, "1", **prop, propertyName="hubspot_owner_id", propertyValue="73"), event(NOW, "1", **prop, propertyName="subject", propertyValue="anything"),
        event(NOW, "2", subscriptionType="object.propertyChange", objectTypeId="0-5", propertyName="cx_outcome", propertyValue="valid"), owners={"ann": "73"},
    ) == [("case", "1", {"band": "P1"}), ("case", "1", {"status": "closed"}), ("case", "1", {"owner": "ann"}), ("case", "2", {"outcome": "valid"})]  # fmt: skip


def test_reads_records_that_come_and_go() -> None:
    assert changes_of(
        event(NOW, "1", subscriptionType="contact.propertyChange", propertyName="email", propertyValue="ann@example.com"),
        event(NOW, "2", subscriptionType="contact.privacyDeletion"), event(NOW, "3", subscriptionType="ticket.deletion"),
        event(NOW, "4", subscriptionType="ticket.creation"),
        event(NOW, "5", subscriptionType="company.propertyChange", propertyName="total_revenue", propertyValue="100"),
        event(NOW, "6", subscriptionType="ticket.merge", primaryObjectId=6, mergedObjectIds=[7, 8], newObjectId=9),
        event(NOW, "7", subscriptionType="deal.creation"),
    ) == [
        ("contact", "1", {"identities": ["email:ann@example.com"]}), ("deleted", "2", {"entity": "contact"}), ("deleted", "3", {"entity": "case"}),
        ("account", "5", {"deal_value": "100"}), ("merged", "7", {"entity": "case", "into": "9"}), ("merged", "8", {"entity": "case", "into": "9"}),
    ]  # fmt: skip


def test_what_our_own_app_wrote_is_dropped() -> None:
    own = {"changeSource": "INTEGRATION", "sourceId": "54321"}
    prop = {"subscriptionType": "ticket.propertyChange", "propertyName": "hs_ticket_priority", "propertyValue": "LOW"}
    assert changes_of(event(NOW, "1", **prop, **own), event(NOW, "2", **prop, **{**own, "sourceId": "888"})) == [("case", "2", {"band": "P4"})]


@pytest.mark.parametrize(
    "wrong", [{"subscriptionType": None}, {"objectId": None}, {"occurredAt": "soon"}, {"mergedObjectIds": 7, "subscriptionType": "ticket.merge"}]
)
def test_an_event_that_is_not_understood_is_said(wrong: dict[str, Any]) -> None:
    good = event(NOW, "1", subscriptionType="ticket.deletion", primaryObjectId=3)
    with pytest.raises(PayloadError):
        changes_of({**good, **wrong})


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_any_body_is_read_or_refused(body: Any) -> None:
    request, source = signed(NOW, body)
    hubspot.verify(request, source)
    try:
        hubspot.parse(request, source)
    except PayloadError:
        return


def test_the_address_is_signed_as_hubspot_writes_it() -> None:
    request, source = signed(NOW, [], url="https://hooks.example.com/webhooks/crm/main?to=a@b.example")
    hubspot.verify(replace(request, url=request.url.replace("@", "%40")), source)
    for wrong in (
        replace(request, method="PUT"), replace(request, url=request.url + "&x=1"), replace(request, body=b"[1]"),
        replace(request, received_at=NOW + timedelta(seconds=301)),
        replace(request, received_at=NOW - timedelta(seconds=301)), replace(request, headers={}), request.with_headers({"X-HubSpot-Request-Timestamp": "soon"}),
        request.with_headers({"X-HubSpot-Signature-v3": "abc"}),
    ):  # fmt: skip
        with pytest.raises(SignatureError):
            hubspot.verify(wrong, source)
    hubspot.verify(request, replace(source, secrets=("newer", *source.secrets)))


SAMPLES = sorted(Path(__file__).parents[2].joinpath("events/crm/hubspot").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_recorded_webhook_is_read_as_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    sent, received_at = sample["request"], parse_time(sample["received_at"])
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), received_at)
    source = Source("hubspot", "acme", secrets=tuple(sample["secrets"]), settings=sample.get("source", {}).get("settings", {}))
    hubspot.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in hubspot.parse(request, source)] == sample["expected"]["changes"]


# ---- changes


def test_changes_of_another_integration_are_peoples(there: HubSpotWorld) -> None:
    saved = there.adapter().save_case(RECORD)
    there.tick(60)
    _, cursor = there.adapter().read_changes()
    there.tick(1)
    other = {"sourceType": "INTEGRATION", "sourceId": "999"}
    there.portal.update(there.portal.find("tickets", saved.crm_id), {"hs_ticket_priority": "LOW"}, other)
    [change], _ = there.adapter().read_changes(cursor)
    assert (change.kind, dict(change.fields), change.by, change.case_key) == ("case", {"band": "P4"}, "999", RECORD.case_key)


def test_mails_are_done_without_where_the_app_may_not_read_them(there: HubSpotWorld) -> None:
    saved = there.adapter().save_case(RECORD)
    there.tick(60)
    crm = there.adapter()
    _, cursor = crm.read_changes()
    there.tick(1)
    there.comment(saved.crm_id, "called back")
    there.wire.answer("POST .*/emails/search", 403)
    found, _ = crm.read_changes(cursor)
    assert [change.fields["text"] for change in found] == ["called back"]


def test_a_day_without_news_costs_little(there: HubSpotWorld) -> None:
    crm = there.adapter()
    _, cursor = crm.read_changes()
    there.tick(60)
    assert cost(there, lambda: crm.read_changes(cursor)) == 6


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 40, 73, 169])
def test_nothing_is_missed_whatever_happens_when(seed: int) -> None:
    """People and we write, the clock stands or runs, the index is late, polls come at any time: each last word is told, each comment once."""
    chance, simulator = random.Random(seed), Simulator()
    there, simulator.url = HubSpotWorld(simulator), "http://127.0.0.1"
    crm = there.adapter(session=in_process(simulator))
    ids = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id for number in range(chance.choice([3, 70]))]
    there.tick(600)
    _, cursor = crm.read_changes()
    there.tick(1)
    simulator.portal.lag = chance.choice([0, 0, 5, 30])
    wanted, told, comments = dict[str, str](), dict[str, str](), list[str]()

    def set_band(some: list[str]) -> None:
        for crm_id in some:
            wanted[crm_id] = chance.choice(["P1", "P2", "P3", "P4"])
            there.set_band(crm_id, wanted[crm_id])

    def poll() -> None:
        nonlocal cursor
        while True:
            changes, cursor = there.adapter(session=in_process(simulator)).read_changes(cursor)
            told.update({change.crm_id: change.fields["band"] for change in changes if change.kind == "case"})
            comments.extend(change.fields["comment_id"] for change in changes if change.kind == "comment")
            if not changes:
                return

    deeds = [
        lambda: set_band([chance.choice(ids)]), lambda: set_band([chance.choice(ids)]), lambda: set_band(ids),
        lambda: there.comment(chance.choice(ids), "words"), lambda: crm.save_case(later(RECORD, chance.choice(ids), chance.randrange(2, 99))),
        lambda: there.tick(chance.choice([0.001, 1, 7, 50])), poll,
    ]  # fmt: skip
    for _ in range(60):
        chance.choice(deeds)()
    for seconds in (60, 200):
        there.tick(seconds)
        poll()
    assert told == wanted and sorted(comments) == sorted(note.id for note in there.portal.live("notes"))


# ---- setting up


def test_what_the_portal_lacks_is_found(there: HubSpotWorld) -> None:
    there.portal.drop_property("contacts", "cx_account_tier")
    there.portal.drop_property("companies", "cx_open_cases")
    there.portal.drop_property("companies", "cx_renewal_date")
    there.portal.properties["tickets"]["cx_case_key"]["hasUniqueValue"] = False
    there.simulator.scopes = ("crm.objects.contacts.read", "tickets")
    found = {finding.name: finding.severity for finding in there.adapter(stages={"closed": "99"}).check(SCHEMA)}
    assert found == {
        "contacts.cx_account_tier": "warning", "companies.cx_open_cases": "warning", "companies.cx_renewal_date": "warning",
        "tickets.cx_case_key": "error", "stage 99": "error", "scope crm.objects.contacts.write": "error",
        "scope crm.objects.companies.read": "error", "scope crm.objects.companies.write": "error",
    }  # fmt: skip
    assert [step.by for step in there.adapter().plan(SCHEMA)] == ["api", "hand", "hand"]
    assert [finding.name for finding in there.adapter(pipeline="7").check(SCHEMA) if finding.name == "pipeline 7"]


def test_an_empty_portal_is_set_up(there: HubSpotWorld) -> None:
    there.portal.properties = Portal().properties
    for step in there.adapter().plan(SCHEMA):
        if step.by == "api":
            there.adapter().apply(step)
    assert {finding.severity for finding in there.adapter().check(SCHEMA)} == {"warning"}
    assert there.portal.properties["tickets"]["cx_case_key"]["hasUniqueValue"] and there.adapter().save_case(RECORD).created


# ---- HubSpot's own shapes


class Checked(Simulator):
    """Compares every exchange with the models that HubSpot generates from the description of its API."""

    def __init__(self, portal: Portal | None = None) -> None:
        super().__init__(portal)
        self.found, self.checked = list[str](), 0

    def answer(self, call: Call) -> Reply:
        reply = super().answer(call)
        if not call.path.startswith("/oauth/"):
            self.checked += 1
            self.found += faults(call, reply)
        return reply


def test_every_exchange_has_the_shape_that_hubspot_describes() -> None:
    simulator = Checked()
    there = HubSpotWorld(simulator)
    simulator.url = "http://127.0.0.1"
    account = there.add_account("Globex", tier="strategic", deal_value="120000")
    contact = there.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    for options in ({}, {"notes": "activity"}):
        work(there, account, contact, options)
        there.portal.copies = False
    there.drop_field("case", "headline")
    crm = there.adapter(session=in_process(simulator))
    crm.save_case(replace(RECORD, case_key="cx-9", first=True, contact_id="999"))
    for step in crm.plan(SCHEMA):
        crm.apply(step)
        crm.apply(step)
    simulator.daily = 0
    with pytest.raises(CrmRateLimitError):
        crm.list_cases()
    assert simulator.found == [] and simulator.checked > 60


def work(there: HubSpotWorld, account: str, contact: str, given: dict[str, Any]) -> None:
    crm, key = there.adapter(session=in_process(there.simulator), **given), f"cx-{len(given)}"
    crm.find_account(["x:12345", "email:ann@example.com", "phone:+442079460000"])
    _, cursor = crm.read_changes()
    there.tick(1)
    record = replace(RECORD, case_key=key, account_id=account, contact_id=contact)
    saved = crm.save_case(replace(record, first=True, notes=(Note("n-1", "words"),)))
    crm.save_case(replace(record, first=True))
    crm.save_case(later(record, saved.crm_id))
    crm.save_case(later(record, saved.crm_id, 3, band="P2", status="closed", notes=(Note("n-2", "more"),)))
    crm.save_case(replace(record, version=4, band="P2"))
    crm.write_profile(Profile(contact, account, {"sentiment": -0.5, "last_contact": "2026-11-21T09:00:00.000000Z", "unanswered": 2, "channels": "x"}))
    crm.create_contact(NewContact("contact", key, "Bob Hill", (f"email:{key}@example.com", "x:9"), "x"))
    crm.create_contact(NewContact("lead", key, "Bob Hill", (f"email:{key}@example.com",), "x"))
    there.comment(saved.crm_id, "called back")
    there.comment(saved.crm_id, "we are sorry", public=True)
    there.set_tier(account, "smb" if given else "mid")
    there.reopen_case(saved.crm_id)
    there.lose_case(crm.save_case(replace(record, case_key=f"{key}-lost")).crm_id)
    there.portal.create("notes", {"hs_timestamp": "2026-11-21T10:00:00Z", "hs_note_body": "of no ticket"}, PERSON)
    assert {change.kind for change in crm.read_changes(cursor)[0]} >= {"case", "comment", "account", "deleted"}
    crm.list_cases()
    crm.check(SCHEMA)
