"""The most used Zendesk client for Python, not written by us, works with the simulator: so what our adapter is tested against is Zendesk's own speech."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, CustomField, Organization, Ticket, User
from zenpy.lib.exception import APIException, RecordNotFoundException

from tests.kit.zendesk import API_TOKEN, EMAIL, Simulator, zendesk


class ToSimulator(HTTPAdapter):
    """The client insists on https and its real host: its requests go to the simulator instead."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """It tells what an answer is by the address it asked."""
        asked, parts = request.url, urlsplit(request.url)
        request.url = f"{self._url}{parts.path}{'?' + parts.query if parts.query else ''}"
        try:
            response = super().send(request, *args, **kwargs)
        finally:
            request.url = asked
        response.url = asked
        return response


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with zendesk() as simulator:
        yield simulator


def client_of(sim: Simulator, token: str = API_TOKEN) -> Zenpy:
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, ToSimulator(sim.url))
    return Zenpy(subdomain="acme", email=EMAIL, token=token, session=session, disable_cache=True)


@pytest.fixture
def client(sim: Simulator) -> Zenpy:
    return client_of(sim)


def test_knows_who_it_is(client: Zenpy) -> None:
    assert (client.users.me().name, client.users.me().role) == ("Caseline", "admin")


def test_a_wrong_token_is_its_error(sim: Simulator) -> None:
    with pytest.raises(APIException) as caught:
        client_of(sim, "wrong").users.me()
    assert "Couldn't authenticate you" in str(caught.value)


def test_creates_reads_and_changes_a_ticket(client: Zenpy, sim: Simulator) -> None:
    number = sim.desk.add_field("ticket_field", {"type": "integer", "title": "Caseline score"})["id"]
    audit = client.tickets.create(Ticket(
        subject="Lost parcel", comment=Comment(body="It never came", public=False), external_id="cx-1", priority="urgent", tags=["caseline"],
        custom_fields=[CustomField(id=number, value=80)],
    ))  # fmt: skip
    assert audit.ticket.status == "new" and audit.audit.events[-1]["type"] == "Comment"
    ticket = client.tickets(id=audit.ticket.id)
    assert (ticket.external_id, ticket.priority, ticket.tags) == ("cx-1", "urgent", ["caseline"])
    ticket.tags, ticket.comment = ["one"], Comment(body="We look for it", public=True)
    client.tickets.update(ticket)
    assert sim.desk.tickets[ticket.id]["tags"] == ["one"], "tags replace"
    assert [(comment.body, comment.public) for comment in client.tickets.comments(ticket)] == [("It never came", False), ("We look for it", True)]
    assert [each.id for each in client.tickets(external_id="cx-1")] == [ticket.id]


def test_a_closed_ticket_is_its_error(client: Zenpy, sim: Simulator) -> None:
    ticket = client.tickets.create(Ticket(subject="Lost parcel", comment=Comment(body="It never came"))).ticket
    sim.desk.finish(sim.desk.tickets[ticket.id])
    ticket.priority = "low"
    with pytest.raises(APIException) as caught:
        client.tickets.update(ticket)
    assert caught.value.response.status_code == 422 and "closed prevents ticket update" in str(caught.value)


def test_what_is_not_there_is_its_error(client: Zenpy) -> None:
    with pytest.raises(RecordNotFoundException):
        client.tickets(id=77)


def test_deletes_and_merges(client: Zenpy, sim: Simulator) -> None:
    first, second, third = (client.tickets.create(Ticket(subject=f"No. {number}", comment=Comment(body="words"))).ticket for number in range(3))
    client.tickets.delete(first)
    client.tickets.merge(target=third, source=second)
    assert [sim.desk.tickets[each.id]["status"] for each in (first, second, third)] == ["deleted", "closed", "new"]
    assert f"#{third.id}" in sim.desk.comments[second.id][-1]["body"]


def test_users_and_organizations(client: Zenpy, sim: Simulator) -> None:
    organization = client.organizations.create(Organization(name="Globex", external_id="g-1"))
    user = client.users.create(User(name="Ann", email="ann@example.com", organization_id=organization.id, external_id="cu-1"))
    assert client.users.create_or_update(User(name="Ann B.", email="ann@example.com")).id == user.id
    assert [found.name for found in client.users.search(external_id="CU-1")] == ["Ann B."]
    assert [found.id for found in client.users.search(query='email:"ann@example.com"')] == [user.id]
    assert [identity.value for identity in client.users.identities(id=user.id)] == ["ann@example.com"]
    with pytest.raises(APIException):
        client.users.create(User(name="Bob", email="ANN@example.com"))


def test_searches_over_pages(client: Zenpy) -> None:
    made = [client.tickets.create(Ticket(subject=f"Parcel {number}", comment=Comment(body="words"), tags=["lost"])).ticket.id for number in range(130)]
    found = client.search(type="ticket", tags=["lost"], status_less_than="solved")
    assert (len(found), sorted(ticket.id for ticket in found)) == (130, made)
    exported = client.search_export(type="ticket", tags=["lost"])
    assert sorted(ticket.id for ticket in exported) == made


def test_exports_by_cursor_to_the_end_of_the_stream(client: Zenpy, sim: Simulator) -> None:
    now = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    sim.desk.clock = lambda: now
    made = [client.tickets.create(Ticket(subject=f"No. {number}", comment=Comment(body="words"))).ticket.id for number in range(5)]
    sim.desk.delete(sim.desk.tickets[made[0]])
    exported = client.tickets.incremental(start_time=now - timedelta(minutes=5), per_page=2)
    assert [(ticket.id, ticket.status) for ticket in exported] == [(made[0], "deleted"), *((number, "new") for number in made[1:])]


def test_the_export_begins_no_later_than_a_minute_ago(client: Zenpy) -> None:
    with pytest.raises(APIException) as caught:
        list(client.tickets.incremental(start_time=datetime.now(UTC)))
    assert "StartTimeTooRecent" in str(caught.value)


def test_waits_where_it_is_told_to(client: Zenpy, sim: Simulator) -> None:
    """The limit is told in plain text."""
    sim.faults.add("answer", "GET /api/v2/users/me", status=429, headers={"Retry-After": "1"}, body="Number of allowed API requests per minute exceeded")
    assert client.users.me().name == "Caseline"
