"""What is special of Oracle Fusion: row-match queries, upserts, messages in base64, batches that are done whole or not, states that are final."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from caseline.crm import CLOSED, NOTES_STAND, Note
from caseline.crm import oracle as adapter
from caseline.crm.oracle._cases import CLOSED_FOR_GOOD
from caseline.errors import ConfigError, CrmAuthError, CrmConflictError, CrmRejectedError, PayloadError

from tests.kit.crms import RECORD
from tests.kit.crms.oracle import CASE, OracleWorld, signed, world
from tests.kit.oracle import BRIDGE, PASSWORD, PERSON
from tests.kit.oracle.errors import AdfError
from tests.kit.oracle.rowmatch import parse_rowmatch
from tests.kit.oracle.server import ROOT

BEFORE = {"status": "open", "band": "P1", "queue": "senior-care", "owner": ""}


@pytest.fixture
def fusion() -> Iterator[OracleWorld]:
    with world() as found:
        yield found


# ---- the simulator's own language


@pytest.mark.parametrize(("text", "fits"), [
    ("Name = 'O''Brien'", True), ("UPPER(Name) = 'O''BRIEN' AND Size > 2", True), ("Name LIKE 'O%' AND (Size = 1 OR Size >= 3)", True),
    ("Name IS NULL OR Size < 3", False), ("NOT (Name = 'x') ; Size <> 4", True), ("Name LIKE '%x%'", False), ("Size != 3", False),
])  # fmt: skip
def test_row_match_expressions(text: str, fits: bool) -> None:
    test = parse_rowmatch(text, lambda name: {"Name": "string", "Size": "integer"}[name])
    assert test({"Name": "O'Brien", "Size": 3}) is fits


@pytest.mark.parametrize("text", ["Name = 'x' OR", "Name = 'it's'", "Name = x", "(Name = 'x'", "Name LIKE", "= 'x'", "Name = 'x') OR ('a' = 'a'", "Size = 'x'"])
def test_expressions_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(AdfError):
        parse_rowmatch(text, lambda name: {"Name": "string", "Size": "integer"}[name])


def test_a_plain_client_reads_pages_details_and_errors(fusion: OracleWorld) -> None:
    for number in range(30):
        fusion.add_account(f"Account {number:02d}")
    session, root = requests.Session(), fusion.simulator.url + ROOT
    session.auth = (BRIDGE, PASSWORD)
    page = session.get(f"{root}/accounts?orderBy=OrganizationName:desc&totalResults=true", timeout=5).json()
    assert (page["count"], page["hasMore"], page["totalResults"], page["items"][0]["OrganizationName"]) == (25, True, 30, "Account 29")
    item = session.get(f"{root}/accounts/{page['items'][0]['PartyNumber']}?fields=OrganizationName", timeout=5)
    assert item.json()["OrganizationName"] == "Account 29" and item.json()["links"][0]["rel"] == "self" and item.headers["ETag"]
    change = {"url": f"{root}/accounts/{page['items'][0]['PartyNumber']}", "json": {"CXTier_c": "smb"}, "timeout": 5}
    assert session.patch(**change, headers={"If-Match": '"stale"'}).status_code == 412
    assert session.patch(**change, headers={"If-Match": item.headers["ETag"]}).json()["CXTier_c"] == "smb"
    wrong = session.get(f"{root}/accounts?q=Nonsense='x'", timeout=5)
    assert wrong.status_code == 400 and "Nonsense" in wrong.json()["o:errorDetails"][0]["detail"]
    assert "adf.error" in wrong.headers["Content-Type"]


# ---- what is sent


def test_each_call_says_which_version_it_speaks_and_a_create_is_an_upsert(fusion: OracleWorld) -> None:
    fusion.adapter().save_case(replace(RECORD, first=True))
    [call] = fusion.simulator.api_calls()
    assert (call.headers["REST-Framework-Version"], call.headers["Upsert-Mode"]) == ("4", "true")
    again = fusion.adapter().save_case(replace(RECORD, first=True))
    assert not again.created and len(fusion.cases()) == 1


def test_an_older_version_of_the_framework_can_be_asked_for(fusion: OracleWorld) -> None:
    fusion.adapter(framework_version="2").find_account(["email:ann@example.com"])
    assert fusion.simulator.api_calls()[0].headers["REST-Framework-Version"] == "2"


def test_a_quote_in_a_value_is_doubled(fusion: OracleWorld) -> None:
    account = fusion.add_account("Globex")
    fusion.add_contact(account, "Bríd", "o'brien@example.com")
    assert fusion.adapter().find_account(["email:o'brien@example.com"]).kind == "exact"
    [query] = parse_qs(urlsplit(fusion.simulator.api_calls()[0].target).query)["q"]
    assert query == "(UPPER(EmailAddress) = 'O''BRIEN@EXAMPLE.COM')"


def test_notes_are_messages_in_base64_of_the_right_kind(fusion: OracleWorld) -> None:
    saved = fusion.adapter().save_case(replace(RECORD, first=True, notes=(Note("n-1", "inside"), Note("n-2", "<b>to</b> the customer 😀", public=True))))
    body = fusion.simulator.api_calls()[0].body or json.loads(fusion.simulator.api_calls()[0].raw)
    assert base64.b64decode(body["messages"][0]["MessageContent"]).decode() == "inside\n[cx:n-1]"
    kinds = [(message["MessageTypeCd"], message["MessageContent"]) for message in fusion.pod.messages(fusion.pod.find(CASE, saved.crm_id))]
    assert kinds == [("ORA_SVC_INTERNAL_NOTE", "inside\n[cx:n-1]"), ("ORA_SVC_RESPONSE", "&lt;b&gt;to&lt;/b&gt; the customer 😀<br>\n[cx:n-2]")]


def test_a_batch_that_fails_leaves_nothing_behind(fusion: OracleWorld) -> None:
    crm = fusion.adapter()
    saved = crm.save_case(RECORD)
    record = replace(RECORD, version=2, score=85, crm_id=saved.crm_id, before=BEFORE, notes=(Note("n-1", "words"),))
    fusion.lock_case(saved.crm_id, times=1)
    with pytest.raises(CrmConflictError):
        crm.save_case(record)
    assert (fusion.cases()[0].score, fusion.cases()[0].notes) == (80, [])
    crm.save_case(record)
    assert (fusion.cases()[0].score, fusion.cases()[0].notes) == (85, ["words\n[cx:n-1]"])


def test_a_case_that_is_closed_for_good_stays_as_it_is(fusion: OracleWorld) -> None:
    crm = fusion.adapter()
    saved = crm.save_case(RECORD)
    fusion._set(saved.crm_id, StatusCd="ORA_SVC_CLOSED")
    before = fusion.cases()
    for changes in ({"score": 85}, {"band": "P2"}, {"notes": (Note("n-1", "words"),)}):
        assert crm.save_case(replace(RECORD, version=2, crm_id=saved.crm_id, before=BEFORE, **changes)).status == CLOSED
    assert fusion.cases() == before


def test_a_case_that_is_closed_for_good_gives_nothing_back(fusion: OracleWorld) -> None:
    saved = fusion.adapter().save_case(replace(RECORD, first=True, notes=(Note("n-1", "words"),)))
    fusion._set(saved.crm_id, StatusCd="ORA_SVC_CLOSED")
    assert fusion.adapter().erase_notes(saved.crm_id, "erased") == [NOTES_STAND, CLOSED_FOR_GOOD]


def test_a_required_field_that_is_missing_says_what_to_create(fusion: OracleWorld) -> None:
    fusion.pod.unique.clear()
    fusion.drop_field("case", "case_key")
    with pytest.raises(CrmRejectedError, match="Application Composer") as caught:
        fusion.adapter().save_case(replace(RECORD, first=True))
    assert "CXCaseKey_c" in f"{caught.value} {vars(caught.value)}"
    [step] = [step for step in fusion.adapter().plan(_schema()) if "CXCaseKey_c" in step.name]
    assert step.by == "hand" and "Application Composer" in step.how and "unique" in step.how


def test_a_field_of_both_contact_and_account_is_left_out_of_the_one_that_lacks_it(fusion: OracleWorld, caplog: pytest.LogCaptureFixture) -> None:
    from caseline.crm import Profile

    account = fusion.add_account("Globex")
    contact = fusion.add_contact(account, "Ann", "ann@example.com")
    fusion.drop_field("account", "health")
    with caplog.at_level(logging.WARNING):
        fusion.adapter().write_profile(Profile(contact, account, {"health": 35, "sentiment": -0.5}))
    assert fusion.account_values(account) == {"sentiment": -0.5}


# ---- what is read


def test_value_is_read_without_resources_that_are_hidden(fusion: OracleWorld, caplog: pytest.LogCaptureFixture) -> None:
    account = fusion.add_account("Globex", "strategic", "1000", "2026-12-15")
    fusion.add_contact(account, "Ann", "ann@example.com")
    fusion.simulator.hidden = {"opportunities"}
    crm = fusion.adapter()
    with caplog.at_level(logging.WARNING):
        facts = [dict(crm.find_account(["email:ann@example.com"]).account.facts) for _ in range(2)]
    assert all("deal_value" not in each and each["renewal_date"].value == "2026-12-15" for each in facts)
    assert sum("opportunities" in record.message for record in caplog.records) == 1
    before = fusion.calls()
    crm.find_account(["email:ann@example.com"])
    assert fusion.calls() - before == 2


def test_amounts_of_several_currencies_are_no_sum(fusion: OracleWorld) -> None:
    account = fusion.add_account("Globex", "strategic", "1000")
    fusion.add_contact(account, "Ann", "ann@example.com")
    facts = fusion.adapter().find_account(["email:ann@example.com"]).account.facts
    assert (facts["deal_value"].value, facts["currency"].value) == ("1000", "EUR")
    fusion.pod.create("opportunities", {"TargetPartyId": int(account), "StatusCode": "WON", "Revenue": 9e6, "CurrencyCode": "JPY"}, PERSON)
    facts = fusion.adapter().find_account(["email:ann@example.com"]).account.facts
    assert not {"deal_value", "currency"} & set(facts) and facts["tier"].value == "strategic"


def test_messages_of_customers_and_of_ours_are_no_comments(fusion: OracleWorld) -> None:
    saved = fusion.adapter().save_case(RECORD)
    fusion.tick(3_600)
    cursor = fusion.adapter().read_changes()[1]
    fusion.tick(1)
    row = fusion.pod.find(CASE, saved.crm_id)
    for kind, user in (("ORA_SVC_CUSTOMER_ENTRY", PERSON), ("ORA_SVC_SYSTEM_NOTE", PERSON), ("ORA_SVC_RESPONSE", BRIDGE), ("ORA_SVC_RESPONSE", PERSON)):
        fusion.pod.add_message(row, {"MessageTypeCd": kind, "MessageContent": base64.b64encode(f"{kind} {user}".encode()).decode()}, user)
    comments = [change.fields["text"] for change in fusion.adapter().read_changes(cursor)[0] if change.kind == "comment"]
    assert comments == [f"ORA_SVC_RESPONSE {PERSON}"]


def test_a_response_is_read_without_its_tags(fusion: OracleWorld) -> None:
    saved = fusion.adapter().save_case(RECORD)
    cursor = fusion.adapter().read_changes()[1]
    fusion.tick(5)
    fusion.comment(saved.crm_id, "<div>We are <b>sorry</b>.</div><p>Ann &amp; Bob</p>", public=True)
    [comment] = [change for change in fusion.adapter().read_changes(cursor)[0] if change.kind == "comment"]
    assert (comment.fields["text"], comment.fields["public"]) == ("We are sorry.\nAnn & Bob", True)


def test_an_old_message_is_not_told_again_when_its_case_changes(fusion: OracleWorld) -> None:
    saved = fusion.adapter().save_case(RECORD)
    cursor = fusion.adapter().read_changes()[1]
    fusion.tick(5)
    fusion.comment(saved.crm_id, "called back")
    changes, cursor = fusion.adapter().read_changes(cursor)
    assert [change.kind for change in changes].count("comment") == 1
    for _ in range(3):
        fusion.tick(3_600)
        fusion.set_owner(saved.crm_id, f"ann{fusion.now}")
        changes, cursor = fusion.adapter().read_changes(cursor)
        assert [change.kind for change in changes] == ["case"]


# ---- logging in and settings


def test_logs_in_by_basic(fusion: OracleWorld) -> None:
    settings = {"instance_url": fusion.simulator.url}
    adapter.create(settings, {"username": BRIDGE, "password": PASSWORD}, clock=fusion.clock).save_case(RECORD)
    assert fusion.simulator.logins == 0 and len(fusion.cases()) == 1
    before = fusion.calls()
    with pytest.raises(CrmAuthError):
        adapter.create(settings, {"username": BRIDGE, "password": "wrong"}, clock=fusion.clock).save_case(RECORD)
    assert fusion.calls() == before + 1


def test_settings_that_cannot_be_are_refused(fusion: OracleWorld) -> None:
    wrong: list[dict[str, Any]] = [
        {"queues": {"a": "x' OR '1'='1"}}, {"case_fields": {"case_key": ""}}, {"nonsense": 1}, {"fact_fields": {"tier": "a b"}}, {"login_url": "http://idcs.example"},
    ]  # fmt: skip
    for given in wrong:
        with pytest.raises(ConfigError):
            fusion.adapter(**given)


def test_queues_and_owners_are_routed_by_number(fusion: OracleWorld) -> None:
    saved = fusion.adapter(queues={"senior-care": "77"}, owners={"ann": "88"}).save_case(replace(RECORD, first=True, owner="ann"))
    row = fusion.pod.find(CASE, saved.crm_id)
    assert (row["QueueId"], row["AssigneeResourceId"]) == (77, 88)


def test_addresses_can_be_looked_for_as_they_stand(fusion: OracleWorld) -> None:
    fusion.add_contact(fusion.add_account("Globex"), "Ann", "ann@example.com")
    assert fusion.adapter(fold_emails=False).find_account(["email:Ann@example.com"]).kind == "exact"


def test_check_wants_to_know_whose_writes_are_ours(fusion: OracleWorld) -> None:
    assert [finding.name for finding in fusion.adapter(user="").check(_schema())] == ["crm.user"]


def test_check_tells_of_resources_that_are_hidden(fusion: OracleWorld) -> None:
    assert fusion.adapter().check(_schema()) == []
    fusion.simulator.hidden = {CASE, "accounts"}
    assert {finding.name: finding.severity for finding in fusion.adapter().check(_schema())} == {CASE: "error", "accounts": "warning"}


# ---- webhooks


def test_our_own_writes_that_come_by_webhook_are_no_news(fusion: OracleWorld) -> None:
    record = {
        "SrNumber": "SR1", "LastUpdateDate": "2026-11-21T09:59:55.000+00:00", "LastUpdatedBy": BRIDGE, "SeverityCd": "ORA_SVC_SEV1", "CXBand_c": "P1",
        "CXCaseKey_c": "cx-1", "StatusCd": "ORA_SVC_NEW",
    }  # fmt: skip
    request, source = signed(fusion.now, {"resource": CASE, "operation": "update", "record": record}, user=BRIDGE)
    assert adapter.parse(request, source) == []
    theirs, _ = signed(fusion.now, {"resource": CASE, "operation": "update", "record": {**record, "LastUpdatedBy": PERSON, "StatusCd": "ORA_SVC_CLOSED"}})
    [change] = adapter.parse(theirs, source)
    assert (change.case_key, change.fields, change.by) == ("cx-1", {"status": CLOSED}, PERSON)


def test_a_webhook_without_a_time_is_refused(fusion: OracleWorld) -> None:
    for record in ({"SrNumber": "SR1"}, {"SrNumber": "SR1", "LastUpdateDate": "yesterday"}, {"LastUpdateDate": "2026-11-21T10:00:00Z"}):
        request, source = signed(fusion.now, {"resource": CASE, "operation": "update", "record": record})
        with pytest.raises(PayloadError):
            adapter.parse(request, source)


def _schema() -> Any:
    from tests.kit.scenes import SCHEMA

    return SCHEMA
