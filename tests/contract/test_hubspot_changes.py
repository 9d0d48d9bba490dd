"""HubSpot: what webhooks tell, and what is read from its history of who changed what."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import hubspot
from caseline.errors import PayloadError, SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.crms import NOW, RECORD
from tests.kit.crms.hubspot import HubSpotWorld, event, signed
from tests.kit.hubspot import PERSON, Simulator
from tests.kit.scenes import BEFORE, cost
from tests.kit.simulated import in_process


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
        lambda: there.comment(chance.choice(ids), "words"),
        lambda: crm.save_case(replace(RECORD, crm_id=chance.choice(ids), version=chance.randrange(2, 99), before=BEFORE)),
        lambda: there.tick(chance.choice([0.001, 1, 7, 50])), poll,
    ]  # fmt: skip
    for _ in range(60):
        chance.choice(deeds)()
    for seconds in (60, 200):
        there.tick(seconds)
        poll()
    assert told == wanted and sorted(comments) == sorted(note.id for note in there.portal.live("notes"))


def test_a_mail_that_was_not_sent_is_no_answer(there: HubSpotWorld) -> None:
    saved = there.adapter().save_case(replace(RECORD, first=True))
    there.tick(3600)
    cursor = there.adapter().read_changes()[1]
    for status in ("SCHEDULED", "FAILED", "BOUNCED", "SENT"):
        values = {"hs_email_text": status, "hs_email_direction": "EMAIL", "hs_email_status": status, "hs_timestamp": there.now.isoformat()}
        there.portal.associate(there.portal.create("emails", values, PERSON), there.portal.find("tickets", saved.crm_id))
    there.tick(60)
    assert [change.fields["text"] for change in there.adapter().read_changes(cursor)[0] if change.kind == "comment"] == ["SENT"]
