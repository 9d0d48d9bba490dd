"""Microsoft's own Python client, unchanged, works with the simulator: so what our adapter is tested against is Dataverse's own speech."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models import UpsertItem

from tests.kit.crms import NOW
from tests.kit.dynamics import CLIENT_ID, CLIENT_SECRET, OPTION_BASE, TENANT, Simulator, dynamics

HOST = "https://acme.crm.dynamics.com"


class Credential:
    """Asks the simulator for a token as azure-identity asks Microsoft Entra."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scope": scopes[0]}
        body = requests.post(f"{self._sim.url}/{TENANT}/oauth2/v2.0/token", data=form, timeout=10).json()
        return AccessToken(body["access_token"], 2_000_000_000)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with dynamics(lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
def client(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    """The client insists on https and its real host: what goes there is sent to the simulator instead, links in answers included."""
    send = requests.Session.send

    def redirected(session: requests.Session, request: Any, **kwargs: Any) -> Any:
        if request.url.startswith(HOST):
            parts = urlsplit(request.url)
            request.url = f"{sim.url}{parts.path}{'?' + parts.query if parts.query else ''}"
        return send(session, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", redirected)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield DataverseClient(HOST, Credential(sim))


@pytest.fixture
def account(sim: Simulator) -> str:
    return sim.org.add("account", name="Globex")


def case_of(account: str, **values: Any) -> dict[str, Any]:
    return {"title": "Parcel lost", "customerid_account@odata.bind": f"/accounts({account})", **values}


def test_creates_reads_changes_and_deletes_a_record(client: DataverseClient, account: str) -> None:
    case_id = client.records.create("incident", case_of(account, cx_score=80))
    assert client.records.retrieve("incident", case_id)["cx_score"] == 80
    client.records.update("incident", case_id, {"cx_score": 90})
    found = client.records.retrieve("incident", case_id, select=["cx_score", "ticketnumber", "_customerid_value"])
    assert (found["cx_score"], found["_customerid_value"], found["ticketnumber"].startswith("CAS-")) == (90, account, True)
    client.records.delete("incident", case_id)
    assert client.records.retrieve("incident", case_id) is None


def test_creates_and_changes_many_at_once(client: DataverseClient, sim: Simulator) -> None:
    ids = client.records.create("account", [{"name": name} for name in ("Globex", "Initech", "Umbrella")])
    client.records.update("account", ids, {"revenue": 1000})
    assert [sim.org.get("account", each)["revenue"] for each in ids] == [1000] * 3


def test_names_of_choices_become_their_numbers(client: DataverseClient, sim: Simulator) -> None:
    made = client.records.create("account", {"name": "Globex", "cx_tier": "Enterprise"})
    assert sim.org.get("account", made)["cx_tier"] == OPTION_BASE + 1


def test_upserts_by_alternate_key(client: DataverseClient, sim: Simulator, account: str) -> None:
    for score in (80, 90):
        client.records.upsert("incident", [UpsertItem({"cx_casekey": "cx-1"}, case_of(account, cx_score=score))])
    [case] = sim.org.rows("incident")
    assert (case["cx_casekey"], case["cx_score"]) == ("cx-1", 90)


def test_upserts_many_by_alternate_key(client: DataverseClient, sim: Simulator, account: str) -> None:
    for score in (80, 90):
        client.records.upsert("incident", [UpsertItem({"cx_casekey": f"cx-{number}"}, case_of(account, cx_score=score)) for number in range(3)])
    assert [(case["cx_casekey"], case["cx_score"]) for case in sim.org.rows("incident")] == [("cx-0", 90), ("cx-1", 90), ("cx-2", 90)]


def test_a_key_that_is_not_defined_is_refused(client: DataverseClient, account: str) -> None:
    with pytest.raises(HttpError) as caught:
        client.records.upsert("incident", [UpsertItem({"title": "x"}, case_of(account))])
    assert caught.value.status_code == 400


def test_filters_orders_and_expands(client: DataverseClient, sim: Simulator) -> None:
    account = sim.org.add("account", name="O'Brien & Sons")
    for name, address in (("Ann", "o'brien@example.com"), ("Bob", "bob@example.com"), ("Cid", None)):
        sim.org.add("contact", lastname=name, emailaddress1=address, parentcustomerid=("account", account))
    found = client.records.list("contact", filter="emailaddress1 eq 'o''brien@example.com' and statecode eq 0", expand=["parentcustomerid_account"])
    assert [row["parentcustomerid_account"]["name"] for row in found] == ["O'Brien & Sons"]
    found = client.records.list("contact", filter="contains(fullname,'b') or not (emailaddress1 ne null)", orderby=["fullname desc"])
    assert [row["fullname"] for row in found] == ["Cid", "Bob"]
    assert len(list(client.records.list("contact", top=2))) == 2


def test_reads_page_by_page(client: DataverseClient, sim: Simulator) -> None:
    for number in range(7):
        sim.org.add("account", name=f"Account {number}")
    pages = list(client.records.list_pages("account", select=["name"], page_size=3))
    assert [len(list(page)) for page in pages] == [3, 3, 1]
    assert len({row["accountid"] for page in pages for row in page}) == 7


def test_shows_names_beside_numbers(client: DataverseClient, sim: Simulator, account: str) -> None:
    case_id = client.records.create("incident", case_of(account, prioritycode=1))
    found = client.records.retrieve("incident", case_id, include_annotations="*")
    assert found["prioritycode@OData.Community.Display.V1.FormattedValue"] == "High"
    assert found["_customerid_value@OData.Community.Display.V1.FormattedValue"] == "Globex"


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"cx_nothing": 1}, 400, "0x80048d19"), ({"cx_score": "many"}, 400, "0x80044331"),
        ({"title": "x" * 201}, 400, "0x80044331"), ({"prioritycode": 7}, 400, "0x80044331"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_error_with_its_code(client: DataverseClient, account: str, values: dict[str, Any], status: int, code: str) -> None:
    with pytest.raises(HttpError) as caught:
        client.records.create("incident", case_of(account, **values))
    assert (caught.value.status_code, caught.value.details["service_error_code"]) == (status, code)


def test_a_case_needs_a_customer(client: DataverseClient) -> None:
    with pytest.raises(HttpError) as caught:
        client.records.create("incident", {"title": "Parcel lost"})
    assert "parent contact or account" in str(caught.value)


def test_a_limit_is_told_with_its_wait(client: DataverseClient, sim: Simulator) -> None:
    client.records.list("account")
    body = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit of 6000 over time window of 300 seconds."}}
    sim.faults.add("answer", "GET", status=429, headers={"Retry-After": "17"}, body=body)
    with pytest.raises(HttpError) as caught:
        client.records.list("account")
    assert (caught.value.details["retry_after"], caught.value.details["service_error_code"], caught.value.is_transient) == (17, "0x80072322", True)


def test_a_batch_goes_in_one_call(client: DataverseClient, sim: Simulator, account: str) -> None:
    client.tables.get("account")
    client.tables.get("incident")
    known = client.records.list("incident"), client.records.list("account")
    before, batch = len(sim.calls), client.batch.new()
    batch.records.create("incident", case_of(account))
    batch.records.retrieve("account", account, select=["name"])
    batch.records.delete("account", "11111111-1111-1111-1111-111111111111")
    batch.records.update("account", account, {"revenue": 7})
    result = batch.execute(continue_on_error=True)
    assert known and [each.status_code for each in result.responses] == [204, 200, 404, 204]
    assert result.responses[1].data["name"] == "Globex" and len(sim.org.rows("incident")) == 1
    assert sim.org.get("account", account)["revenue"] == 7 and len([call for call in sim.calls[before:] if call.path.endswith("$batch")]) == 1


def test_a_batch_ends_at_its_first_error(client: DataverseClient, sim: Simulator, account: str) -> None:
    batch = client.batch.new()
    batch.records.delete("account", "11111111-1111-1111-1111-111111111111")
    batch.records.update("account", account, {"revenue": 7})
    assert [each.status_code for each in batch.execute().responses] == [404]
    assert sim.org.get("account", account).get("revenue") is None


def test_a_change_set_is_all_or_nothing(client: DataverseClient, sim: Simulator, account: str) -> None:
    batch = client.batch.new()
    with batch.changeset() as changes:
        made = changes.records.create("account", {"name": "Initech"})
        changes.records.create("contact", {"lastname": "Ann", "parentcustomerid_account@odata.bind": made})
    assert [each.status_code for each in batch.execute().responses] == [204, 204]
    [contact] = sim.org.rows("contact")
    assert sim.org.get(*contact["parentcustomerid"])["name"] == "Initech"
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.update("account", account, {"revenue": 7})
        changes.records.delete("account", "11111111-1111-1111-1111-111111111111")
    assert batch.execute(continue_on_error=True).has_errors
    assert sim.org.get("account", account).get("revenue") is None


def test_tables_tell_their_columns_and_keys(client: DataverseClient) -> None:
    table = client.tables.get("incident")
    assert table and table["entity_set_name"] == "incidents"
    names = {column["LogicalName"]: column["AttributeType"] for column in client.tables.list_columns("incident", select=["LogicalName", "AttributeType"])}
    assert (names["cx_casekey"], names["cx_band"], names["cx_reasons"]) == ("String", "Picklist", "Memo")
    assert [list(key.key_attributes) for key in client.tables.get_alternate_keys("incident")] == [["cx_casekey"]]
    assert client.tables.get("cx_nothing") is None


def test_a_column_and_a_key_can_be_added(client: DataverseClient, sim: Simulator) -> None:
    client.tables.add_columns("account", {"cx_Number": "string"})
    client.tables.create_alternate_key("account", "cx_number_key", ["cx_number"])
    client.records.upsert("account", [UpsertItem({"cx_number": "7"}, {"name": "Globex"})])
    assert [row["name"] for row in sim.org.rows("account")] == ["Globex"]
    [key] = client.tables.get_alternate_keys("account")
    client.tables.delete_alternate_key("account", key.metadata_id)
    assert client.tables.get_alternate_keys("account") == []
