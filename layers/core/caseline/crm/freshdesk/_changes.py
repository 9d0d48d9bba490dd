"""What people did in Freshdesk, by polling its lists: tickets, deleted tickets and contacts by the time of their last change, companies page by page.

Freshdesk does not say who changed a record, nor what. Our own writes leave a time in a field of ours: a record that changed then is no news, but for a
priority other than the one we set. Of any other it is told how it stands now. Conversations are asked for ticket by ticket.

Told: status, priority, owner, group and outcome of our tickets; notes and answers of agents; contacts and companies, to be looked up again; deleted tickets.
Not told: merges, which leave no trace; deleted contacts and companies; what a person changed within the seconds in which we wrote, until it changes again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._desk import Ticket, find_name
from caseline.crm._keyset import Position
from caseline.crm._marks import MARK
from caseline.crm.freshdesk._accounts import Accounts
from caseline.crm.freshdesk._api import PAGE, Api, Row, custom, text
from caseline.crm.freshdesk._settings import Settings
from caseline.crm.freshdesk._tickets import Tickets, moment
from caseline.crm.freshdesk._user import Self
from caseline.signals import isoformat, parse_time

TICKETS, MAX_PAGES, REMEMBERED = 30, 20, 600


@dataclass
class Place:
    """How far was read. `page` is of rows that share one instant; `since` is where this run of tickets began, `said` what was told since: conversations and
    deleted tickets by id, with their time. `company_page` goes round; what changed since `round` is told, `next_round` is when this round began."""

    tickets: Position
    contacts: Position
    since: str
    round: str
    next_round: str
    page: int = 1
    company_page: int = 1
    said: dict[str, int] = field(default_factory=dict)

    @classmethod
    def begin(cls, now: datetime) -> Place:
        begun = Position.begin(now)
        start = isoformat(begun.at)
        return cls(begun, begun, start, start, start)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Place:
        return cls(**{**data, "tickets": Position.from_json(data["tickets"]), "contacts": Position.from_json(data["contacts"])})

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "tickets": self.tickets.to_json(), "contacts": self.contacts.to_json()}


class Changes:
    def __init__(self, api: Api, settings: Settings, tickets: Tickets, accounts: Accounts, me: Self, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._tickets, self._accounts, self._me, self._clock = api, settings, tickets, accounts, me, clock
        self._overlap, self._echo = timedelta(seconds=settings.overlap_seconds), timedelta(seconds=settings.echo_seconds)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        place = Place.from_json(json.loads(cursor)) if cursor else Place.begin(self._clock().replace(microsecond=0))
        found: list[Change] = []
        if cursor:
            found = [*self._deleted(place), *self._contacts(place), *(self._companies(place) if self._settings.companies else ()), *self._changed(place)]
        return sorted(found, key=lambda change: change.at), json.dumps(place.to_json(), separators=(",", ":"))

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._tickets.list_cases(cursor)

    # Tickets.
    def _changed(self, place: Place) -> list[Change]:
        """Until there is something to tell or all is read."""
        for _ in range(MAX_PAGES):
            rows = self._page(place)
            known, is_full = {text(row, "id"): row for row in rows if moment(row, "updated_at") >= place.tickets.at}, len(rows) == TICKETS
            standing = [self._reduce(row) for row in known.values()]
            fresh, following = place.tickets.take(standing, _place, is_full and bool(standing), self._overlap)
            changes = [change for each in fresh if each["key"] for change in self._tell(known[each["id"]], each, place)]
            place.page = place.page + 1 if is_full and (not standing or following.at == place.tickets.at) else 1
            place.tickets = following if standing or not is_full else place.tickets
            if not is_full:
                place.since, place.said = isoformat(following.at), _since(place.said, following.at)
            if changes or not is_full:
                return changes
        return []

    def _page(self, place: Place) -> list[Row]:
        since = isoformat(place.tickets.at - timedelta(seconds=1))
        return self._api.rows("/tickets", updated_since=f"{since[:19]}Z", order_by="updated_at", order_type="asc", per_page=TICKETS, page=place.page)

    def _reduce(self, row: Row) -> dict[str, Any]:
        """What is told of a ticket, and when it was changed."""
        ticket = self._tickets.ticket(row)
        is_own = self._is_echo(row, self._settings.case_fields["saved_at"])
        fields = self._fields(ticket, is_own) if ticket.case_key else {}
        return {"id": ticket.ticket_id, "at": isoformat(moment(row, "updated_at")), "key": ticket.case_key, "fields": fields, "own": is_own}

    def _fields(self, ticket: Ticket, is_own: bool) -> dict[str, Any]:
        band = find_name(self._settings.priorities, ticket.priority)
        told: dict[str, Any] = {"band": band} if band and ticket.priority != self._settings.priorities.get(ticket.band, "") else {}
        if is_own:
            return told
        queue = find_name(self._settings.queues, ticket.queue)
        told |= {"status": ticket.status} | ({"queue": queue} if queue and queue != ticket.routed else {})
        told |= {"owner": find_name(self._settings.owners, ticket.owner) or ticket.owner} if ticket.owner else {}
        outcome = custom(ticket.row, self._settings.case_fields["outcome"])
        return told | ({"outcome": str(outcome)} if outcome else {})

    def _tell(self, row: Row, told: Mapping[str, Any], place: Place) -> Iterator[Change]:
        if told["fields"]:
            yield Change("case", told["id"], parse_time(told["at"]), told["key"], told["fields"])
        if not told["own"]:
            yield from self._comments(told["id"], told["key"], text(row, "requester_id"), place)

    def _comments(self, ticket_id: str, case_key: str, customer: str, place: Place) -> Iterator[Change]:
        """Neither what we wrote nor what the customer did, by mail or in the portal."""
        for said in self._tickets.conversations(ticket_id):
            at, words = moment(said, "created_at"), (text(said, "body_text") or text(said, "body")).strip()
            if at < parse_time(place.since) or text(said, "id") in place.said or said.get("incoming") or MARK in words:
                continue
            place.said[text(said, "id")] = int(at.timestamp())
            if text(said, "user_id") not in (self._me.user_id, customer):
                told = {"comment_id": text(said, "id"), "text": words, "public": said.get("private") is False}
                yield Change("comment", ticket_id, at, case_key, told, text(said, "user_id"), text(said, "id"))

    def _deleted(self, place: Place) -> Iterator[Change]:
        rows = self._api.rows("/tickets", filter="deleted", order_by="updated_at", order_type="desc", per_page=PAGE)
        for row in rows:
            at, mark = moment(row, "updated_at"), f"-{text(row, 'id')}"
            if self._tickets.key(row) and at >= parse_time(place.since) and mark not in place.said:
                place.said[mark] = int(at.timestamp())
                yield Change("deleted", text(row, "id"), at, self._tickets.key(row), {"entity": "case"})

    # Contacts and companies.
    def _contacts(self, place: Place) -> list[Change]:
        if not self._settings.contacts_since:
            return []
        rows = list(self._paged("/contacts", **{self._settings.contacts_since: f"{isoformat(place.contacts.at)[:19]}Z"}))
        known = [{"id": text(row, "id"), "at": isoformat(moment(row, "updated_at"))} for row in rows if moment(row, "updated_at") >= place.contacts.at]
        fresh, place.contacts = place.contacts.take(known, _place, False, self._overlap)
        news = {row["id"] for row in fresh}
        return [self._contact(row) for row in rows if text(row, "id") in news and not self._is_ours(row)]

    def _contact(self, row: Row) -> Change:
        found, account_id = self._accounts.read_contact(row), text(row, "company_id")
        fields = {"identities": list(found.identities), "name": found.name, "account_id": account_id}
        return Change("contact", found.contact_id, moment(row, "updated_at"), fields={name: value for name, value in fields.items() if value})

    def _is_ours(self, row: Row) -> bool:
        """Written by us a moment ago, or the one who stands for strangers."""
        return text(row, "unique_external_id") == self._settings.stranger or self._is_echo(row, self._settings.contact_fields["saved_at"])

    def _companies(self, place: Place) -> list[Change]:
        """Freshdesk lists them by no time: a page at each reading, so that a change is told when its page comes round."""
        if place.company_page == 1:
            place.round, place.next_round = place.next_round, isoformat(self._clock())
        rows = self._api.rows("/companies", per_page=PAGE, page=place.company_page)
        place.company_page = place.company_page + 1 if len(rows) == PAGE else 1
        floor = parse_time(place.round) - timedelta(seconds=1)
        marks = {f"c{text(row, 'id')}@{text(row, 'updated_at')}": row for row in rows if moment(row, "updated_at") >= floor}
        fresh = [(mark, row) for mark, row in marks.items() if mark not in place.said and not self._is_echo(row, self._settings.account_profile["saved_at"])]
        place.said |= {mark: int(moment(row, "updated_at").timestamp()) for mark, row in fresh}
        return [Change("account", text(row, "id"), moment(row, "updated_at")) for _, row in fresh]

    def _paged(self, path: str, **params: Any) -> Iterator[Row]:
        for page in range(1, MAX_PAGES + 1):
            rows = self._api.rows(path, per_page=PAGE, page=page, **params)
            yield from rows
            if len(rows) < PAGE:
                return

    def _is_echo(self, row: Row, name: str) -> bool:
        """Whether it was changed when we wrote to it last."""
        saved = custom(row, name)
        return bool(saved) and abs(moment(row, "updated_at") - moment({"at": saved}, "at")) <= self._echo


def _place(row: Mapping[str, Any]) -> tuple[datetime, str]:
    return parse_time(row["at"]), row["id"]


def _since(said: Mapping[str, int], at: datetime) -> dict[str, int]:
    """What may come again; the latest of it."""
    kept = sorted((item for item in said.items() if item[1] >= int(at.timestamp()) - 1), key=lambda item: item[1])
    return dict(kept[-REMEMBERED:])
