"""The most used Salesforce client, not written by us, works with the simulator: so what our adapter is tested against is Salesforce's own speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce, format_soql
from simple_salesforce.api import SFType
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from tests.kit.salesforce import CLIENT_ID, CLIENT_SECRET, USERNAME, Simulator, salesforce
from tests.kit.simulated import ToSimulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with salesforce() as simulator:
        yield simulator


def session_to(sim: Simulator) -> requests.Session:
    session = requests.Session()
    session.mount("https://", ToSimulator(sim.url))
    return session


@pytest.fixture
def client(sim: Simulator) -> Salesforce:
    return Salesforce(consumer_key=CLIENT_ID, consumer_secret=CLIENT_SECRET, domain="acme.my", session=session_to(sim), version="66.0")


def case_type(client: Salesforce) -> SFType:
    found: SFType = client.Case
    return found


def test_logs_in_by_client_credentials(client: Salesforce, sim: Simulator) -> None:
    assert sim.logins == 1 and client.session_id in sim.sessions


def test_logs_in_by_a_session_at_hand(sim: Simulator, client: Salesforce) -> None:
    other = Salesforce(instance_url="https://acme.my.salesforce.com", session_id=client.session_id, session=session_to(sim), version="66.0")
    assert other.query("SELECT Id FROM Account")["totalSize"] == 0


def test_logs_in_by_jwt(sim: Simulator, tmp_path: Any) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    sim.public_key = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    found = Salesforce(username=USERNAME, consumer_key=CLIENT_ID, privatekey=private.decode(), session=session_to(sim), version="66.0")
    assert found.session_id in sim.sessions


def test_wrong_credentials_are_its_authentication_error(sim: Simulator) -> None:
    with pytest.raises(SalesforceAuthenticationFailed) as caught:
        Salesforce(consumer_key=CLIENT_ID, consumer_secret="wrong", domain="acme.my", session=session_to(sim))
    assert "invalid_client" in str(caught.value)


def test_queries_with_relationships_and_its_own_quoting(client: Salesforce, sim: Simulator) -> None:
    account = sim.org.add("Account", Name="Globex")
    sim.org.add("Contact", LastName="O'Brien", AccountId=account, Email="o'brien@example.com")
    found = client.query(format_soql("SELECT Id, Email, Account.Name FROM Contact WHERE Email = {} AND IsDeleted = false", "o'brien@example.com"))
    assert found["totalSize"] == 1 and found["done"] is True
    assert found["records"][0]["Account"]["Name"] == "Globex"
    assert client.query(format_soql("SELECT Id FROM Contact WHERE LastName LIKE '{:like}%'", "O'B"))["totalSize"] == 1
    assert client.query(format_soql("SELECT Id FROM Contact WHERE Email IN {}", ["a\\b'", "x%"]))["totalSize"] == 0


def test_reads_on_over_pages(client: Salesforce, sim: Simulator) -> None:
    sim.org.batch_size = 200
    for place in range(450):
        sim.org.add("Account", Name=f"Account {place:03d}")
    first = client.query("SELECT Id, Name FROM Account ORDER BY Name")
    assert (len(first["records"]), first["totalSize"], first["done"]) == (200, 450, False)
    second = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert (second["records"][0]["Name"], second["done"]) == ("Account 200", False)
    backwards = client.query_all("SELECT Name FROM Account ORDER BY Name DESC")["records"]
    assert [row["Name"] for row in backwards] == [f"Account {n:03d}" for n in range(449, -1, -1)]


def test_aggregates(client: Salesforce, sim: Simulator) -> None:
    account = sim.org.add("Account", Name="Globex")
    for amount, won in ((100.0, True), (50.5, True), (9.0, False)):
        sim.org.add("Opportunity", Name="Deal", AccountId=account, Amount=amount, IsWon=won)
    soql = "SELECT AccountId, SUM(Amount) total, COUNT(Id) n, MAX(Amount) FROM Opportunity WHERE IsWon = true GROUP BY AccountId"
    [row] = client.query(soql)["records"]
    assert (row["AccountId"], row["total"], row["n"], row["expr3"], row["attributes"]["type"]) == (account, 150.5, 2, 100.0, "AggregateResult")
    assert client.query("SELECT COUNT() FROM Opportunity")["totalSize"] == 3


def test_creates_reads_updates_and_deletes(client: Salesforce, sim: Simulator) -> None:
    made = case_type(client).create({"Subject": "Lost parcel", "Priority": "High"})
    assert made["success"] is True and made["errors"] == [] and len(made["id"]) == 18
    assert case_type(client).get(made["id"][:15])["Subject"] == "Lost parcel"
    assert case_type(client).update(made["id"], {"priority": "Low"}) == 204
    assert sim.org.all("Case")[0]["Priority"] == "Low"
    assert case_type(client).delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        case_type(client).get(made["id"])


def test_upserts_by_external_id(client: Salesforce, sim: Simulator) -> None:
    assert case_type(client).upsert("CX_Case_Key__c/cx-1", {"Subject": "first"}) == 201
    assert case_type(client).upsert("CX_Case_Key__c/cx-1", {"Subject": "second"}) == 200
    assert [case["Subject"] for case in sim.org.all("Case")] == ["second"]
    assert case_type(client).get_by_custom_id("CX_Case_Key__c", "cx-1")["Subject"] == "second"


def test_searches_phones_as_formatted(client: Salesforce, sim: Simulator) -> None:
    contact = sim.org.add("Contact", LastName="Ann", Phone="+44 (20) 7946-0000")
    found = client.search("FIND {442079460000} IN PHONE FIELDS RETURNING Contact(Id, LastName)")
    assert [row["Id"] for row in found["searchRecords"]] == [contact]
    assert client.quick_search("nobody here")["searchRecords"] == []


def test_composite_with_references(client: Salesforce, sim: Simulator) -> None:
    account = sim.org.add("Account", Name="Globex")
    root = "/services/data/v66.0"
    parts = [
        {"method": "GET", "referenceId": "acc", "url": f"{root}/query?q=SELECT+Id+FROM+Account"},
        {"method": "POST", "referenceId": "case", "url": f"{root}/sobjects/Case", "body": {"Subject": "s", "AccountId": "@{acc.records[0].Id}"}},
        {"method": "GET", "referenceId": "bad", "url": f"{root}/sobjects/Case/@{{nothing.id}}"},
    ]
    answer = client.restful("composite", method="POST", json={"allOrNone": False, "compositeRequest": parts})
    assert [part["httpStatusCode"] for part in answer["compositeResponse"]] == [200, 201, 400]
    assert sim.org.all("Case")[0]["AccountId"] == account


def test_its_typed_errors(client: Salesforce, sim: Simulator) -> None:
    with pytest.raises(SalesforceMalformedRequest) as missing:
        client.query("SELECT Nope__c FROM Case")
    assert missing.value.content[0]["errorCode"] == "INVALID_FIELD"
    with pytest.raises(SalesforceMalformedRequest) as picklist:
        case_type(client).create({"Priority": "Urgent"})
    assert picklist.value.content[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    with pytest.raises(SalesforceMalformedRequest):
        client.query("SELECT Id FROM Case WHERE Subject = 'it's'")
    with pytest.raises(SalesforceResourceNotFound):
        case_type(client).upsert("Nope__c/1", {"Subject": "s"})
    for _ in range(2):
        sim.org.add("Case", CX_Case_Key__c="twice")
    with pytest.raises(SalesforceMoreThanOneRecord):
        case_type(client).upsert("CX_Case_Key__c/twice", {"Subject": "s"})


def test_its_errors_of_session_quota_and_outage(client: Salesforce, sim: Simulator) -> None:
    sim.faults.add("answer", "/query", status=503, body=[{"errorCode": "SERVER_UNAVAILABLE", "message": "down"}])
    with pytest.raises(SalesforceGeneralError) as down:
        client.query("SELECT Id FROM Case")
    assert down.value.status == 503
    bare = Salesforce(instance_url="https://acme.my.salesforce.com", session_id="00Dexpired", session=session_to(sim), version="66.0")
    with pytest.raises(SalesforceExpiredSession):
        case_type(bare).create({"Subject": "s"})
    sim.expire_sessions()
    assert case_type(client).create({"Subject": "s"})["success"], "the client logs in again by itself"
    sim.limit = sim.used
    with pytest.raises(SalesforceRefusedRequest) as quota:
        client.query("SELECT Id FROM Case")
    assert quota.value.content[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_it_reads_the_usage_of_the_quota(client: Salesforce, sim: Simulator) -> None:
    client.query("SELECT Id FROM Case")
    assert (client.api_usage["api-usage"].used, client.api_usage["api-usage"].total) == (sim.used, sim.limit)
    assert client.limits()["DailyApiRequests"]["Max"] == sim.limit


def test_semi_joins_and_what_they_may_not_hold(client: Salesforce, sim: Simulator) -> None:
    account, other = sim.org.add("Account", Name="Globex"), sim.org.add("Account", Name="Initech")
    sim.org.add("Contact", LastName="Ann", AccountId=account, Email="ann@example.com")
    for owner, amount in ((account, 100.0), (account, 20.0), (other, 7.0)):
        sim.org.add("Opportunity", Name="Deal", AccountId=owner, Amount=amount, IsWon=True)
    joined = "AccountId IN (SELECT AccountId FROM Contact WHERE Email = 'ann@example.com' OR Phone LIKE '%1%2')"
    [row] = client.query(f"SELECT AccountId, SUM(Amount) total FROM Opportunity WHERE IsWon = true AND {joined} GROUP BY AccountId")["records"]
    assert (row["AccountId"], row["total"]) == (account, 120.0)
    assert client.query(f"SELECT Id FROM Opportunity WHERE AccountId NOT {joined.partition(' ')[2]}")["totalSize"] == 1
    for wrong in (
        f"SELECT Id FROM Opportunity WHERE IsWon = true OR {joined}",
        f"SELECT Id FROM Opportunity WHERE {joined[:-1]} LIMIT 1)",
        "SELECT Id FROM Case WHERE AccountId IN (SELECT Name FROM Account)",
        f"SELECT Id FROM Case WHERE AccountId IN (SELECT AccountId FROM Opportunity WHERE {joined})",
    ):
        with pytest.raises(SalesforceMalformedRequest):
            client.query(wrong)


def test_a_composite_call_that_is_whole_leaves_nothing_behind(client: Salesforce, sim: Simulator) -> None:
    root = "/services/data/v66.0/sobjects"
    parts = [
        {"method": "POST", "referenceId": "case", "url": f"{root}/Case", "body": {"Subject": "s", "CX_Case_Key__c": "cx-1"}},
        {"method": "POST", "referenceId": "note", "url": f"{root}/CaseComment", "body": {"ParentId": "@{case.id}", "CommentBody": "x" * 5_000}},
    ]
    for whole, left in ((True, 0), (False, 1)):
        body = {"allOrNone": whole, "collateSubrequests": False, "compositeRequest": parts}
        answers = client.restful("composite", method="POST", json=body)["compositeResponse"]
        assert [part["httpStatusCode"] for part in answers] == [400 if whole else 201, 400]
        assert answers[1]["body"][0]["errorCode"] == "STRING_TOO_LONG"
        assert len(sim.org.all("Case")) == left
    with pytest.raises(SalesforceMalformedRequest):
        body = {"compositeRequest": [{"method": "GET", "referenceId": "a b", "url": root}]}
        client.restful("composite", method="POST", json=body)


def test_deleted_records_are_seen_by_those_who_ask(client: Salesforce, sim: Simulator) -> None:
    made = case_type(client).create({"Subject": "Lost parcel"})["id"]
    case_type(client).delete(made)
    assert client.query("SELECT Id FROM Case")["totalSize"] == 0
    [row] = client.query("SELECT Id, IsDeleted, SystemModstamp FROM Case WHERE SystemModstamp >= 2026-11-21T09:00:00.000Z", include_deleted=True)["records"]
    assert (row["Id"], row["IsDeleted"]) == (made, True)


def test_describes_its_fields(client: Salesforce) -> None:
    fields = {field["name"]: field for field in case_type(client).describe()["fields"]}
    assert fields["CX_Case_Key__c"]["externalId"] and fields["CX_Case_Key__c"]["unique"]
    assert not fields["CaseNumber"]["updateable"] and {value["value"] for value in fields["Priority"]["picklistValues"]} == {"High", "Medium", "Low"}
    assert "Opportunity" in {each["name"] for each in client.describe()["sobjects"]}


def test_the_tooling_api_makes_fields_that_nobody_sees_yet(client: Salesforce, sim: Simulator) -> None:
    field = {"FullName": "Case.CX_New__c", "Metadata": {"type": "Text", "label": "New", "length": 80}}
    assert client.toolingexecute("sobjects/CustomField", method="POST", data=field)["success"]
    with pytest.raises(SalesforceMalformedRequest):
        client.toolingexecute("sobjects/CustomField", method="POST", data=field)
    with pytest.raises(SalesforceMalformedRequest):
        client.query("SELECT CX_New__c FROM Case")
    [granted] = client.query("SELECT Id FROM PermissionSet WHERE Name = 'Caseline_Integration'")["records"]
    grant = {"ParentId": granted["Id"], "SobjectType": "Case", "Field": "Case.CX_New__c", "PermissionsRead": True, "PermissionsEdit": True}
    SFType("FieldPermissions", client.session_id, client.sf_instance, "66.0", session=client.session).create(grant)
    assert client.query("SELECT CX_New__c FROM Case")["totalSize"] == 0
