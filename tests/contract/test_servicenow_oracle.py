"""The most used ServiceNow client, not written by us, works with the simulator: so what our adapter is tested against is ServiceNow's own speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pysnow
import pytest
import requests
from pysnow.exceptions import MultipleResults, NoResults

from tests.kit.servicenow import BRIDGE, CLIENT_ID, CLIENT_SECRET, PASSWORD, PERSON, Simulator, servicenow
from tests.kit.simulated import ToSimulator

CASE = "/table/sn_customerservice_case"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with servicenow() as simulator:
        yield simulator


def client_for(sim: Simulator, password: str = PASSWORD) -> pysnow.Client:
    session = requests.Session()
    session.mount("https://", ToSimulator(sim.url))
    session.auth = (BRIDGE, password)
    return pysnow.Client(instance="acme", session=session)


@pytest.fixture
def cases(sim: Simulator) -> Any:
    return client_for(sim).resource(api_path=CASE)


def test_creates_reads_updates_and_deletes(cases: Any, sim: Simulator) -> None:
    made = cases.create(payload={"short_description": "Lost parcel", "correlation_id": "cx-1", "nonsense": "dropped"}).one()
    assert made["number"].startswith("CS") and len(made["sys_id"]) == 32 and "nonsense" not in made
    assert cases.get(query={"correlation_id": "cx-1"}, fields=["sys_id", "priority"]).one() == {"sys_id": made["sys_id"], "priority": "4"}
    assert cases.update(query={"sys_id": made["sys_id"]}, payload={"priority": "1"}).one()["priority"] == "1"
    assert cases.delete(query={"sys_id": made["sys_id"]})["status"] == "record deleted"
    assert cases.get(query={"sys_id": made["sys_id"]}).one_or_none() is None
    assert [row["documentkey"] for row in sim.instance.rows("sys_audit_delete")] == [made["sys_id"]]


def test_its_own_query_builder_is_understood(cases: Any) -> None:
    for number, (text, priority) in enumerate((("parcel lost", "1"), ("parcel late", "2"), ("refund", "1"))):
        cases.create(payload={"short_description": text, "priority": priority, "correlation_id": f"cx-{number}"})
    build = lambda: pysnow.QueryBuilder()  # noqa: E731
    first = build().field("short_description").starts_with("parcel").AND().field("priority").equals("1")
    assert [row["correlation_id"] for row in cases.get(query=first).all()] == ["cx-0"]
    either = build().field("short_description").contains("refund").OR().field("short_description").contains("late")
    assert {row["correlation_id"] for row in cases.get(query=either).all()} == {"cx-1", "cx-2"}
    ordered = build().field("priority").not_equals("3").AND().field("correlation_id").order_descending()
    assert [row["correlation_id"] for row in cases.get(query=ordered).all()] == ["cx-2", "cx-1", "cx-0"]
    assert cases.get(query=build().field("correlation_id").equals(["cx-0", "cx-2"]), stream=True).first()["correlation_id"] == "cx-0"


def test_reads_pages_and_streams(cases: Any, sim: Simulator) -> None:
    for number in range(25):
        sim.instance.insert("sn_customerservice_case", {"correlation_id": f"cx-{number:02d}"}, PERSON)
    page = cases.get(query="ORDERBYcorrelation_id", limit=10, offset=5)
    assert [row["correlation_id"] for row in page.all()] == [f"cx-{number:02d}" for number in range(5, 15)]
    assert page.headers["X-Total-Count"] == "25" and 'rel="next"' in page.headers["Link"] and "sysparm_offset=15" in page.headers["Link"]
    assert len(list(cases.get(query={}, stream=True).all())) == 25
    with pytest.raises(MultipleResults):
        cases.get(query={}).one()
    with pytest.raises(NoResults):
        cases.get(query={"correlation_id": "nobody"}).one()


def test_references_have_links_unless_they_are_excluded(sim: Simulator, cases: Any) -> None:
    account = sim.instance.insert("customer_account", {"name": "Globex"}, PERSON)["sys_id"]
    cases.create(payload={"short_description": "Lost", "account": account})
    assert cases.get(query={}).one()["account"] == {"link": f"{sim.url}/api/now/table/customer_account/{account}", "value": account}
    assert cases.get(query={}, exclude_reference_link=True).one()["account"] == account
    assert cases.get(query={}, display_value=True, exclude_reference_link=True).one()["account"] == "Globex"
    assert cases.get(query={}, fields=["account.name", "account.nonsense"]).one() == {"account.name": "Globex"}


def test_journals_are_appended_to_and_read_back_empty(sim: Simulator, cases: Any) -> None:
    made = cases.create(payload={"short_description": "Lost", "work_notes": "first"}).one()
    cases.update(query={"sys_id": made["sys_id"]}, payload={"work_notes": "second"})
    assert cases.get(query={}).one()["work_notes"] == ""
    shown = cases.get(query={}, display_value="all").one()["work_notes"]
    assert shown["value"] == "" and shown["display_value"].index("second") < shown["display_value"].index("first")


def test_its_errors(sim: Simulator, cases: Any) -> None:
    with pytest.raises(requests.HTTPError) as table:
        client_for(sim).resource(api_path="/table/nonsense").get(query={}).all()
    assert table.value.response.status_code == 400 and "Invalid table" in table.value.response.json()["error"]["message"]
    with pytest.raises(requests.HTTPError) as login:
        client_for(sim, "wrong").resource(api_path=CASE).get(query={}).all()
    assert login.value.response.status_code == 401
    with pytest.raises(requests.HTTPError) as policy:
        cases.create(payload={"state": "3"}).one()
    assert policy.value.response.status_code == 403 and "Data Policy" in policy.value.response.json()["error"]["detail"]


def test_logs_in_by_password(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its OAuth client makes its own sessions, so the way to the simulator is laid into every session."""
    begin = requests.Session.__init__

    def begin_towards(session: requests.Session) -> None:
        begin(session)
        session.mount("https://", ToSimulator(sim.url))

    monkeypatch.setattr(requests.Session, "__init__", begin_towards)
    client = pysnow.OAuthClient(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, instance="acme")
    client.set_token(client.generate_token(BRIDGE, PASSWORD))
    assert client.resource(api_path=CASE).get(query={}).all() == []


def test_who_does_not_ask_for_json_is_answered_in_xml(sim: Simulator) -> None:
    answer = requests.get(f"{sim.url}/api/now{CASE}", auth=(BRIDGE, PASSWORD), headers={"Accept": "*/*"}, timeout=5)
    assert answer.headers["Content-Type"].startswith("application/xml")
