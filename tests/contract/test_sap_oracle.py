"""SAP's own OData client for Python, as it is, works with our Cloud for Customer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyodata
import pytest
import requests
from pyodata.exceptions import HttpError

from tests.kit.crms.sap_c4c import C4cWorld, world
from tests.kit.sap import PASSWORD, USER
from tests.kit.sap.c4c import CASES, ROOT


@pytest.fixture
def tenant() -> Iterator[C4cWorld]:
    with world() as found:
        yield found


def connect(tenant: C4cWorld, password: str = PASSWORD) -> Any:
    """As its documentation says: a session with Basic login, which fetches a CSRF token before it writes."""
    session = requests.Session()
    session.auth, session.trust_env = (USER, password), False
    base = tenant.simulator.url + ROOT
    token = session.get(f"{base}/?$format=json", headers={"x-csrf-token": "fetch"}).headers.get("x-csrf-token", "")
    # Cookies for this machine are kept, those marked secure are not sent over plain HTTP.
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    session.headers.update({"x-csrf-token": token, "Cookie": cookies})
    return pyodata.Client(f"{base}/", session)


def test_it_reads_the_services_description(tenant: C4cWorld) -> None:
    client = connect(tenant)
    assert {each.name for each in client.schema.entity_sets} == set(tenant.tenant.tables)
    ticket = client.schema.entity_type("ServiceRequest")
    assert [key.name for key in ticket.key_proprties] == ["ObjectID"] and ticket.proprty("CXCaseKey_KUT").typ.name == "Edm.String"


def test_it_makes_changes_and_deletes_a_ticket(tenant: C4cWorld) -> None:
    tickets = connect(tenant).entity_sets.ServiceRequestCollection
    tickets.create_entity().set(Name="Parcel lost", ProcessingTypeCode="SRRQ", CXCaseKey_KUT="cx-1").execute()
    [row] = tenant.tenant.tables[CASES].rows.values()
    assert (row["Name"], row["CXCaseKey_KUT"]) == ("Parcel lost", "cx-1")
    tickets.update_entity(ObjectID=row["ObjectID"]).set(ServicePriorityCode="1", Name="O'Brien's parcel").execute()
    assert (row["ServicePriorityCode"], row["Name"]) == ("1", "O'Brien's parcel")
    tickets.delete_entity(key=row["ObjectID"]).execute()
    assert tenant.tenant.tables[CASES].rows == {}


def test_it_asks_for_pages_in_order_with_a_count(tenant: C4cWorld) -> None:
    for number in range(5):
        tenant.tenant.add(CASES, {"Name": f"Ticket {number}", "ID": str(number), "ServicePriorityCode": "1" if number % 2 else "3"})
    tickets = connect(tenant).entity_sets.ServiceRequestCollection
    found = tickets.get_entities().custom("$format", "json").filter("ServicePriorityCode eq '3'").order_by("ID desc").skip(1).top(2).execute()
    assert [ticket.ID for ticket in found] == ["2", "0"]
    assert len(tickets.get_entities().custom("$format", "json").count(inline=True).top(1).execute()) == 1
    assert tickets.get_entities().custom("$format", "json").count(inline=True).top(1).execute().total_count == 5


def test_it_doubles_quotes_and_compares_times(tenant: C4cWorld) -> None:
    tenant.tenant.add(CASES, {"Name": "O'Brien's parcel"})
    tickets = connect(tenant).entity_sets.ServiceRequestCollection
    by_name = tickets.get_entities().custom("$format", "json")
    assert len(by_name.filter("Name eq 'O''Brien''s parcel'").execute()) == 1
    late = tickets.get_entities().custom("$format", "json").filter("EntityLastChangedOn ge datetimeoffset'2030-01-01T00:00:00Z'").execute()
    assert list(late) == []


def test_it_sends_a_batch_with_a_change_set(tenant: C4cWorld) -> None:
    client = connect(tenant)
    tenant.tenant.add(CASES, {"Name": "Parcel lost"})
    [ticket] = tenant.tenant.tables[CASES].rows
    batch, changes = client.create_batch("batch-1"), client.create_changeset("changes-1")
    changes.add_request(client.entity_sets.ServiceRequestCollection.update_entity(ObjectID=ticket).set(ServicePriorityCode="2"))
    batch.add_request(changes)
    batch.add_request(client.entity_sets.ServiceRequestCollection.get_entities().custom("$format", "json").filter("ServicePriorityCode eq '2'"))
    _, found = batch.execute()
    assert [each.ObjectID for each in found] == [ticket]


@pytest.mark.parametrize("condition", ["Name eq 'a' or ID eq '1'", "Nothing eq '1'", "Name eq 1", "Name like 'a'", "Name eq 'a"])
def test_it_tells_what_is_refused(tenant: C4cWorld, condition: str) -> None:
    with pytest.raises(HttpError):
        connect(tenant).entity_sets.ServiceRequestCollection.get_entities().custom("$format", "json").filter(condition).execute()


def test_it_tells_that_a_login_was_refused(tenant: C4cWorld) -> None:
    with pytest.raises(HttpError):
        connect(tenant, "another")
