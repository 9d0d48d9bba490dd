"""HubSpot's own client, not written by us and unchanged, works with the simulator: so what our adapter is tested against is HubSpot's own speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import ApiException as ContactsError
from hubspot.crm.contacts import PublicObjectSearchRequest
from hubspot.crm.contacts import SimplePublicObjectInputForCreate as NewContact
from hubspot.crm.objects.notes import SimplePublicObjectInputForCreate as NewNote
from hubspot.crm.properties import PropertyCreate
from hubspot.crm.tickets import (
    ApiException,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    PublicMergeInput,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectInput,
)
from hubspot.crm.tickets import SimplePublicObjectInputForCreate as NewTicket
from hubspot.utils.signature import Signature

from tests.kit.crms import NOW
from tests.kit.crms.hubspot import WEBHOOK_SECRET, signed
from tests.kit.hubspot import CLIENT_ID, CLIENT_SECRET, PERSON, PRIVATE_TOKEN, REFRESH_TOKEN, Simulator, hubspot

TICKET = {"subject": "Parcel lost", "hs_pipeline": "0", "hs_pipeline_stage": "1", "hs_ticket_priority": "HIGH"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with hubspot() as simulator:
        simulator.portal.add_property("tickets", {
            "name": "cx_case_key", "label": "Case key", "type": "string", "fieldType": "text", "groupName": "ticketinformation", "hasUniqueValue": True,
        })  # fmt: skip
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Any:
    return HubSpot(access_token=PRIVATE_TOKEN, host=sim.url)


def test_refreshes_a_token(sim: Simulator) -> None:
    found = HubSpot(host=sim.url).oauth.tokens_api.create(
        grant_type="refresh_token", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN
    )
    assert found.access_token in sim.tokens and found.expires_in == 1800
    about = HubSpot(host=sim.url).oauth.access_tokens_api.get(found.access_token)
    assert (str(about.hub_id), str(about.app_id)) == ("62515", "54321") and "tickets" in about.scopes


def test_a_wrong_token_is_unauthorised(sim: Simulator) -> None:
    with pytest.raises(ApiException) as caught:
        HubSpot(access_token="another", host=sim.url).crm.tickets.basic_api.get_by_id("1")
    assert caught.value.status == 401 and "INVALID_AUTHENTICATION" in caught.value.body


def test_makes_reads_changes_and_deletes(client: Any) -> None:
    made = client.crm.tickets.basic_api.create(NewTicket(properties={**TICKET, "cx_case_key": "cx-1"}, associations=[]))
    assert made.properties["subject"] == "Parcel lost" and made.archived is False
    by_key = client.crm.tickets.basic_api.get_by_id("cx-1", id_property="cx_case_key", properties=["hs_ticket_priority"])
    assert by_key.id == made.id and by_key.properties["hs_ticket_priority"] == "HIGH"
    changed = client.crm.tickets.basic_api.update(made.id, SimplePublicObjectInput(properties={"hs_ticket_priority": "LOW"}))
    assert changed.properties["hs_ticket_priority"] == "LOW" and changed.updated_at > made.updated_at
    client.crm.tickets.basic_api.archive(made.id)
    with pytest.raises(ApiException) as caught:
        client.crm.tickets.basic_api.get_by_id(made.id)
    assert caught.value.status == 404
    assert [ticket.id for ticket in client.crm.tickets.get_all(archived=True)] == [made.id]


def test_history_tells_who_set_what(client: Any, sim: Simulator) -> None:
    made = client.crm.tickets.basic_api.create(NewTicket(properties=TICKET, associations=[]))
    sim.portal.update(sim.portal.find("tickets", made.id), {"hs_ticket_priority": "URGENT"}, PERSON)
    asked = BatchReadInputSimplePublicObjectId(inputs=[{"id": made.id}], properties=["subject"], properties_with_history=["hs_ticket_priority"])
    [found] = client.crm.tickets.batch_api.read(asked).results
    history = found.properties_with_history["hs_ticket_priority"]
    assert [(entry.value, entry.source_type, entry.source_id) for entry in history] == [("URGENT", "CRM_UI", "userId:77"), ("HIGH", "INTEGRATION", "54321")]


def test_upserts_by_a_unique_property(client: Any, sim: Simulator) -> None:
    def upsert(*inputs: Any) -> Any:
        return client.crm.tickets.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=[
            SimplePublicObjectBatchInputUpsert(id=key, id_property="cx_case_key", properties=values) for key, values in inputs
        ]))  # fmt: skip

    assert [each.new for each in upsert(("cx-1", TICKET)).results] == [True]
    assert [each.new for each in upsert(("cx-1", TICKET), ("cx-2", TICKET)).results] == [False, True]
    partly = upsert(("cx-1", TICKET), ("cx-3", {"subject": "no stage"}))
    assert (len(partly.results), partly.num_errors, partly.errors[0].category) == (1, 1, "VALIDATION_ERROR")
    assert len(sim.portal.live("tickets")) == 2


def test_a_second_record_with_a_unique_value_is_refused(client: Any) -> None:
    client.crm.tickets.basic_api.create(NewTicket(properties={**TICKET, "cx_case_key": "cx-1"}, associations=[]))
    with pytest.raises(ApiException) as caught:
        client.crm.tickets.basic_api.create(NewTicket(properties={**TICKET, "cx_case_key": "cx-1"}, associations=[]))
    assert caught.value.status == 400 and "CONFLICTING_UNIQUE_VALUE" in caught.value.body
    made = client.crm.contacts.basic_api.create(NewContact(properties={"email": "ann@example.com"}, associations=[]))
    with pytest.raises(ContactsError) as taken:
        client.crm.contacts.basic_api.create(NewContact(properties={"email": "Ann@example.com"}, associations=[]))
    assert taken.value.status == 409 and f"Existing ID: {made.id}" in taken.value.body


def test_what_a_property_cannot_have_is_refused(client: Any) -> None:
    cases = {"PROPERTY_DOESNT_EXIST": {"nonsense": "1"}, "INVALID_OPTION": {"hs_ticket_priority": "HIGHEST"}, "READ_ONLY_VALUE": {"hs_object_id": "7"}}
    for code, values in cases.items():
        with pytest.raises(ApiException) as caught:
            client.crm.tickets.basic_api.create(NewTicket(properties={**TICKET, **values}, associations=[]))
        assert caught.value.status == 400 and code in caught.value.body
    with pytest.raises(ApiException):
        client.crm.tickets.basic_api.create(NewTicket(properties={"subject": "no stage"}, associations=[]))


def test_searches(client: Any, sim: Simulator) -> None:
    for number in range(7):
        sim.portal.create("contacts", {"firstname": f"Ann {number}", "email": f"ann{number}@example.com", "phone": "+44 20 7946 0000"}, PERSON)
    names = ("filter_groups", "properties", "limit", "after", "sorts")

    def search(*filters: dict[str, Any], limit: int = 5, after: str = "0", sorts: Any = ()) -> Any:
        groups = [{"filters": [each]} for each in filters]
        asked = dict(zip(names, (groups, ["email"], limit, after, list(sorts)), strict=True))
        return client.crm.contacts.search_api.do_search(PublicObjectSearchRequest(**asked))

    first = search(sorts=["-email"])
    assert first.total == 7 and first.results[0].properties["email"] == "ann6@example.com" and first.paging.next.after == "5"
    assert len(search(after="5").results) == 2
    assert search({"propertyName": "email", "operator": "EQ", "value": "ANN3@example.com"}).total == 1
    assert search({"propertyName": "email", "operator": "IN", "values": ["ann1@example.com", "ann2@example.com"]}).total == 2
    assert search({"propertyName": "firstname", "operator": "CONTAINS_TOKEN", "value": "4"}).total == 1
    assert search({"propertyName": "firstname", "operator": "CONTAINS_TOKEN", "value": "An"}).total == 0
    assert search({"propertyName": "hs_searchable_calculated_phone_number", "operator": "EQ", "value": "2079460000"}).total == 7
    assert search({"propertyName": "company", "operator": "HAS_PROPERTY"}).total == 0
    for wrong in ({"limit": 201}, {"after": "9999"}):
        with pytest.raises(ContactsError):
            search(**wrong)
    with pytest.raises(ContactsError):
        search(*[{"propertyName": "email", "operator": "EQ", "value": "x"}] * 6)


def test_the_index_is_late(client: Any, sim: Simulator) -> None:
    sim.portal.lag = 3600
    client.crm.contacts.basic_api.create(NewContact(properties={"email": "ann@example.com"}, associations=[]))
    asked = PublicObjectSearchRequest(filter_groups=[], properties=[], limit=5, after="0", sorts=[])
    assert client.crm.contacts.search_api.do_search(asked).total == 0
    assert client.crm.contacts.basic_api.get_by_id("ann@example.com", id_property="email").id


def test_associates(client: Any, sim: Simulator) -> None:
    contact = sim.portal.create("contacts", {"email": "ann@example.com"}, PERSON)
    company = sim.portal.create("companies", {"name": "Globex"}, PERSON)
    link = {"to": {"id": contact.id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}]}
    ticket = client.crm.tickets.basic_api.create(NewTicket(properties=TICKET, associations=[link]))
    client.crm.associations.v4.basic_api.create_default("tickets", ticket.id, "companies", company.id)
    note = client.crm.objects.notes.basic_api.create(NewNote(
        properties={"hs_timestamp": "2026-11-21T10:00:00Z", "hs_note_body": "called"},
        associations=[{"to": {"id": ticket.id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 228}]}],
    ))  # fmt: skip
    found = client.crm.tickets.basic_api.get_by_id(ticket.id, associations=["contacts", "companies", "notes"]).associations
    assert {kind: [each.id for each in ends.results] for kind, ends in found.items()} == {
        "contacts": [contact.id], "companies": [company.id], "notes": [note.id],
    }  # fmt: skip
    asked = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": note.id}])
    [pair] = client.crm.associations.v4.batch_api.get_page("notes", "tickets", asked).results
    assert (pair._from.id, pair.to[0].to_object_id, pair.to[0].association_types[0].type_id) == (note.id, ticket.id, 228)
    link["to"]["id"] = "999"
    with pytest.raises(ApiException) as caught:
        client.crm.tickets.basic_api.create(NewTicket(properties=TICKET, associations=[link]))
    assert "INVALID_OBJECT_IDS" in caught.value.body


def test_merges(client: Any) -> None:
    kept, gone = (client.crm.tickets.basic_api.create(NewTicket(properties=TICKET, associations=[])).id for _ in range(2))
    assert client.crm.tickets.basic_api.merge(PublicMergeInput(primary_object_id=kept, object_id_to_merge=gone)).id == kept
    with pytest.raises(ApiException):
        client.crm.tickets.basic_api.get_by_id(gone)


def test_defines_properties(client: Any) -> None:
    new = PropertyCreate(
        name="cx_band", label="Band", type="enumeration", field_type="select", group_name="ticketinformation",
        options=[{"label": band, "value": band, "displayOrder": place, "hidden": False} for place, band in enumerate(("P1", "P2"))],
    )  # fmt: skip
    made = client.crm.properties.core_api.create("tickets", new)
    assert made.name == "cx_band" and made.modification_metadata.read_only_value is False
    assert "cx_band" in [each.name for each in client.crm.properties.core_api.get_all("tickets").results]
    with pytest.raises(Exception, match="409"):
        client.crm.properties.core_api.create("tickets", new)
    assert [stage.id for stage in client.crm.pipelines.pipelines_api.get_by_id("tickets", "0").stages] == ["1", "2", "3", "4"]


def test_says_what_is_left(client: Any, sim: Simulator) -> None:
    _, status, headers = client.crm.tickets.basic_api.get_page_with_http_info(limit=1)
    assert status == 200 and int(headers["X-HubSpot-RateLimit-Daily-Remaining"]) == sim.daily
    sim.daily = 0
    with pytest.raises(ApiException) as caught:
        client.crm.tickets.basic_api.get_page(limit=1)
    assert caught.value.status == 429 and '"policyName": "DAILY"' in caught.value.body


def test_signs_webhooks_as_hubspot_does() -> None:
    request, _ = signed(NOW, [{"eventId": 1}], url="https://hooks.example.com/webhooks/crm/main?a=b")
    made = Signature.get_signature(WEBHOOK_SECRET, request.body.decode(), "v3", request.url, request.method, request.headers["X-HubSpot-Request-Timestamp"])
    assert made == request.headers["X-HubSpot-Signature-v3"]
