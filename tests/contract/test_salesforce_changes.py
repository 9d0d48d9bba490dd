"""What Salesforce tells of itself (outbound messages, change events), what is read there, and how an org is set up."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import Change, Note, open_crm
from caseline.errors import CrmAuthError, CrmRejectedError, PayloadError, SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import RECORD
from tests.kit.crms.salesforce import ORGANIZATION, WEBHOOK_SECRET, SalesforceWorld
from tests.kit.salesforce.errors import SalesforceError
from tests.kit.scenes import SCHEMA

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "events/crm/salesforce").glob("*.json"))
MODULE = open_crm("salesforce")
NOW = datetime(2026, 11, 21, 10, 0, 5, tzinfo=UTC)
SOURCE = Source("salesforce", "acme", (), (WEBHOOK_SECRET,), {"organization_id": ORGANIZATION})


# ---- outbound messages and change events


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_read_as_it_says(path: Path) -> None:
    data = json.loads(path.read_text())
    source = Source("salesforce", "acme", (), tuple(data.get("secrets", ())), data["source"]["settings"])
    assert [as_json(change) for change in read(data, source)] == data["expected"]["changes"]


def read(data: dict[str, Any], source: Source) -> list[Change]:
    received_at = parse_time(data["received_at"])
    if "event" in data:
        found: list[Change] = MODULE.parse_event(data["event"], source, received_at=received_at, read=lambda bucket, key: b"")
        return found
    sent = data["request"]
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), received_at)
    MODULE.verify(request, source)
    changes: list[Change] = MODULE.parse(request, source)
    return changes


def as_json(change: Change) -> dict[str, Any]:
    return {**asdict(change), "at": isoformat(change.at)}


def message(body: str = "", **more: str) -> WebhookRequest:
    sample = json.loads((ROOT / "events/crm/salesforce/own_write_is_no_news.json").read_text())["request"]
    return WebhookRequest("POST", more.get("url", sample["url"]), more.get("headers", {}), (body or sample["body"]).encode(), NOW)


def test_the_acknowledgement_is_what_stops_salesforce_from_sending_again() -> None:
    answer = MODULE.acknowledge(message(), SOURCE, [])
    assert answer.status == 200 and "<Ack>true</Ack>" in str(answer.body) and answer.headers["Content-Type"].startswith("text/xml")


def test_the_token_may_be_the_password_of_basic_credentials() -> None:
    plain = message(url="https://hooks.example.com/webhooks/crm/salesforce")
    MODULE.verify(plain.with_headers({"Authorization": "Basic c2Y6ZXhhbXBsZS1vdXRib3VuZC1tZXNzYWdlLXRva2Vu"}), SOURCE)
    for headers in ({}, {"Authorization": "Basic c2Y6b3RoZXI="}, {"Authorization": "Basic %%%"}):
        with pytest.raises(SignatureError):
            MODULE.verify(plain.with_headers(headers), SOURCE)


@pytest.mark.parametrize(("known", "taken"), [("00D5g0000012345EAA", True), ("00D5g0000012345", True), ("", True), ("00D5g0000099999", False), ("x", False)])
def test_a_message_is_held_to_its_organisation(known: str, taken: bool) -> None:
    source = replace(SOURCE, settings={"organization_id": known})
    if taken:
        MODULE.verify(message(), source)
        return
    with pytest.raises(SignatureError):
        MODULE.verify(message(), source)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE x [<!ENTITY secret SYSTEM 'file:///etc/passwd'>]><x>&secret;</x>",
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x>&l11;</x>',
        "<!DOCTYPE x SYSTEM 'http://169.254.169.254/'><x/>",
        "<a>" * 40 + "</a>" * 40,
        "<a>" + "<b/>" * 30_000 + "</a>",
        "<x xmlns='http://schemas.xmlsoap.org/soap/envelope/'/>",
        "<?xml version='1.0' encoding='no-such'?><x/>",
        "\x00",
    ],
    ids=range(8),
)
def test_xml_that_no_crm_sends_is_refused(body: str) -> None:
    with pytest.raises(PayloadError) as caught:
        MODULE.parse(message(body), SOURCE)
    assert "root:" not in str(caught.value)
    with pytest.raises(SignatureError):
        MODULE.verify(message(body), SOURCE)


def test_a_document_type_after_the_envelope_is_refused_too() -> None:
    sample = message().body.decode()
    with pytest.raises(PayloadError):
        MODULE.parse(message(sample.replace("?>", "?><!DOCTYPE soapenv:Envelope [<!ENTITY e 'x'>]>", 1)), SOURCE)


def test_a_notification_without_its_record_is_refused_by_name() -> None:
    sample = message().body.decode()
    for found, other, field in (("<sf:Id>5005g00000AbCd1AAB</sf:Id>", "<sf:Id>5</sf:Id>", "sObject.Id"), ("sObject", "other", "sObject")):
        with pytest.raises(PayloadError, match=field):
            MODULE.parse(message(sample.replace(found, other)), SOURCE)


@pytest.mark.parametrize("event", [{}, {"detail": {}}, {"detail": {"payload": {"ChangeEventHeader": {"changeType": "UPDATE"}}}}, {"detail": []}])
def test_an_event_that_is_none_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        MODULE.parse_event(event, SOURCE, received_at=NOW, read=lambda bucket, key: b"")


def test_the_door_loads_no_http_client() -> None:
    """Its layer has none."""
    code = "import sys, caseline.crm.salesforce; sys.exit(any(name in sys.modules for name in ('requests', 'boto3', 'pydantic', 'jwt')))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "layers/core")}, check=False).returncode == 0


# ---- reading


def test_a_poll_of_everything_is_one_call(there: SalesforceWorld) -> None:
    cursor = there.adapter().read_changes()[1]
    before = there.calls()
    assert there.adapter().read_changes(cursor)[0] == [] and there.calls() - before == 1


def changes_of(there: SalesforceWorld, cursor: str, **settings: Any) -> list[Change]:
    found: list[Change] = there.adapter(**settings).read_changes(cursor)[0]
    return found


def test_mails_and_posts_of_agents_are_comments(there: SalesforceWorld) -> None:
    crm, saved = there.adapter(), there.adapter().save_case(RECORD)
    replies = ["CaseComment", "EmailMessage", "FeedItem"]
    cursor = there.adapter(replies=replies).read_changes()[1]
    other = there.org.add("Case", Subject="not ours")
    with there.org.by(there.person()):
        there.org.add("EmailMessage", ParentId=saved.crm_id, TextBody="We are sorry", Incoming=False)
        there.org.add("EmailMessage", ParentId=saved.crm_id, TextBody="Thank you", Incoming=True)
        draft = there.org.add("EmailMessage", ParentId=saved.crm_id, TextBody="Not sent yet", Incoming=False, Status="5")
        there.org.add("EmailMessage", ParentId=other, TextBody="not ours", Incoming=False)
        there.org.add("FeedItem", ParentId=saved.crm_id, Body="only for us", Visibility="InternalUsers")
        there.org.add("CaseComment", ParentId=other, CommentBody="not ours")
    crm.add_note(saved.crm_id, "n-1", "our own")
    found = {(change.fields["text"], change.fields["public"]) for change in changes_of(there, cursor, replies=replies)}
    assert found == {("We are sorry", True), ("only for us", False)}
    with there.org.by(there.person()):
        there.org.change("EmailMessage", draft, Status="3")
    assert ("Not sent yet", True) in {(change.fields["text"], change.fields["public"]) for change in changes_of(there, cursor, replies=replies)}


def test_what_a_customer_writes_in_the_site_is_no_answer(there: SalesforceWorld) -> None:
    """A user of an Experience Cloud site publishes comments as agents do."""
    saved, cursor = there.adapter().save_case(RECORD), there.adapter().read_changes()[1]
    for kind, words in (("CspLitePortal", "any news?"), ("Guest", "hello?"), ("Standard", "we are sorry")):
        with there.org.by(there.org.add("User", Name=kind, UserType=kind)):
            there.org.add("CaseComment", ParentId=saved.crm_id, CommentBody=words, IsPublished=True)
    found = {change.fields["text"]: change.fields["public"] for change in there.adapter().read_changes(cursor)[0]}
    assert found == {"any news?": False, "hello?": False, "we are sorry": True}


def test_an_org_without_mails_is_read_without_them(there: SalesforceWorld) -> None:
    saved = there.adapter().save_case(RECORD)
    cursor = there.adapter().read_changes()[1]
    there.org.drop_entity("EmailMessage")
    there.comment(saved.crm_id, "called back")
    crm = there.adapter()
    assert [change.kind for change in crm.read_changes(cursor)[0]] == ["comment"] and "emailmessage" in crm.missing_fields


def test_a_queue_that_a_person_chose_has_caselines_name(there: SalesforceWorld) -> None:
    queues = {name: there.org.add("Group", Name=name, Type="Queue") for name in ("senior-care", "tier-2")}
    saved = there.adapter(queues=queues).save_case(RECORD)
    cursor = there.adapter(queues=queues).read_changes()[1]
    with there.org.by(there.person()):
        there.org.change("Case", saved.crm_id, OwnerId=queues["tier-2"])
    assert [change.fields for change in changes_of(there, cursor, queues=queues)] == [{"queue": "tier-2", "status": "open"}]


def test_what_people_set_is_told_though_we_wrote_last(there: SalesforceWorld) -> None:
    crm, saved = there.adapter(), there.adapter().save_case(RECORD)
    cursor = crm.read_changes()[1]
    there.set_band(saved.crm_id, "P4")
    there.set_owner(saved.crm_id, "ann")
    crm.save_case(replace(RECORD, version=2, notes=(Note("n-1", "words"),)))
    assert [change.fields for change in changes_of(there, cursor)] == [{"band": "P4", "owner": "ann"}]


def test_waiting_is_a_status_of_its_own(there: SalesforceWorld) -> None:
    saved = there.adapter().save_case(RECORD)
    cursor = there.adapter().read_changes()[1]
    with there.org.by(there.person()):
        there.org.change("Case", saved.crm_id, Status="On Hold")
    assert changes_of(there, cursor)[0].fields["status"] == "pending"


def test_contacts_that_are_merged_or_deleted(there: SalesforceWorld) -> None:
    first, second = (there.add_contact(there.add_account(name), name) for name in ("Ann", "Bob"))
    there.tick(600)
    cursor = there.adapter().read_changes()[1]
    with there.org.by(there.person()):
        there.org.merge("Contact", first, second)
    there.tick(1)
    there.org.delete(there.org.entities["Contact"], second)
    assert [(change.kind, change.crm_id, change.fields) for change in changes_of(there, cursor)] == [
        ("merged", first, {"entity": "contact", "into": second}), ("deleted", second, {"entity": "contact"}),
    ]  # fmt: skip


ODD = '{"Case": {"at": "x", "id": "", "newest": "x", "floor": "x", "marks": {}}}'


@pytest.mark.parametrize("cursor", ["x", "[]", "{}x", '{"Case": {}}', '{"Case": 1}', ODD])
def test_a_cursor_that_is_not_ours_is_refused(there: SalesforceWorld, cursor: str) -> None:
    with pytest.raises(CrmRejectedError, match="cursor"):
        there.adapter().read_changes(cursor)


# ---- setting up


def findings(there: SalesforceWorld, **settings: Any) -> dict[str, str]:
    return {finding.name: finding.severity for finding in there.adapter(**settings).check(SCHEMA)}


def test_an_org_as_installed_lacks_nothing(there: SalesforceWorld) -> None:
    assert findings(there) == {} and there.adapter().plan(SCHEMA) == []


def test_what_is_wrong_is_named(there: SalesforceWorld) -> None:
    fields = there.org.entities["Case"].fields
    fields["CX_Case_Key__c"] = replace(fields["CX_Case_Key__c"], unique=False)
    fields["CX_Score__c"] = replace(fields["CX_Score__c"], writable=False)
    there.org.drop_entity("Contract")
    queue = there.org.add("Group", Name="First", Type="Queue")
    found = findings(there, priorities={"P1": "Urgent"}, status_reopened="Again", queues={"first": queue[:15], "gone": "00G5g000000Gone", "odd": "x'"})
    assert found == {
        "Case.CX_Case_Key__c": "error", "Case.CX_Score__c": "warning", "Contract": "warning", "Case.Priority": "error", "Case.Status": "error",
        "crm.queues.gone": "error", "crm.queues.odd": "error",
    }  # fmt: skip


def test_a_field_of_the_orgs_own_is_looked_for_and_never_made(there: SalesforceWorld) -> None:
    settings = {"account_fields": {"tier": "Platinum__c", "owner": "Owner.Name", "product_tier": ""}}
    assert findings(there, **settings) == {"Account.Platinum__c": "warning"}
    assert there.adapter(**settings).plan(SCHEMA) == []


def test_a_new_field_is_granted_as_it_is_made(there: SalesforceWorld) -> None:
    """A field that the Tooling API made is seen by nobody until a permission set says so."""
    for name in ("CX_Score__c", "CX_Band__c"):
        there.org.drop_field("Case", name)
    there.org.drop_field("Account", "CX_Tier__c")
    there.org.records["PermissionSet"].clear()
    for step in there.adapter().plan(SCHEMA):
        there.adapter().apply(step)
    fields = there.org.entities["Case"].fields
    assert fields["CX_Band__c"].values == ("P1", "P2", "P3", "P4") and fields["CX_Score__c"].kind == "number"
    assert not there.org.entities["Account"].fields["CX_Tier__c"].writable, "people's own"
    assert [row["AssigneeId"] for row in there.org.all("PermissionSetAssignment")] == [there.org.user]


def test_the_rule_that_a_version_never_falls_is_planned(there: SalesforceWorld) -> None:
    there.org.records["ValidationRule"].clear()
    [step] = there.adapter().plan(SCHEMA)
    assert (step.by, step.name) == ("api", "Case.CX_Version_Never_Falls")
    there.adapter().apply(step)
    assert there.adapter().plan(SCHEMA) == []


def test_setting_up_needs_an_admin(there: SalesforceWorld) -> None:
    there.org.drop_field("Case", "CX_Score__c")
    [step] = there.adapter().plan(SCHEMA)

    def refuse(*_: Any) -> None:
        raise SalesforceError(403, "INSUFFICIENT_ACCESS", "insufficient access rights on cross-reference id")

    there.org.create_field = refuse
    with pytest.raises(CrmAuthError):
        there.adapter().apply(step)
