"""What people did to tickets, by polling Zendesk's export of ticket events: who changed what, and comments with their words.

Our own user's events are left out. Told: priority, status, assignee, group, outcome, category and queue of our tickets; comments of agents; merges;
deletions, of any ticket, as a deleted one does not say whose it was. Not told: users and organizations, which come by webhook; what an event's author
did within the last seconds, which comes with the next reading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._desk import Ticket
from caseline.crm._keyset import Position
from caseline.crm._marks import MARK
from caseline.crm.zendesk._api import Api, Row, rows, text
from caseline.crm.zendesk._events import tell, tell_field
from caseline.crm.zendesk._fields import TicketFields
from caseline.crm.zendesk._settings import Settings
from caseline.crm.zendesk._tickets import MERGED_TAG, Tickets, merged_into
from caseline.crm.zendesk._user import Roles, Self
from caseline.errors import CrmUnavailableError

PATH = "/incremental/ticket_events.json"
PAGES = 5  # ten a minute are allowed
YOUNGEST = timedelta(seconds=61)  # Zendesk refuses to begin later than a minute ago
DELETED = "deleted"


class Changes:
    def __init__(self, api: Api, settings: Settings, tickets: Tickets, fields: TicketFields, me: Self, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._tickets, self._fields, self._me, self._clock = api, settings, tickets, fields, me, clock
        self._overlap, self._roles = timedelta(seconds=settings.overlap_seconds), Roles(api)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """Until there is something to tell or all is read."""
        position = Position.from_json(json.loads(cursor)) if cursor else Position.begin(self._clock().replace(microsecond=0))
        changes: list[Change] = []
        for _ in range(PAGES if cursor else 0):
            fresh, position, is_full = self._page(position)
            changes = list(self._tell(fresh))
            if changes or not is_full:
                break
        return changes, json.dumps(position.to_json(), separators=(",", ":"))

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._tickets.list_cases(cursor)

    def _page(self, position: Position) -> tuple[list[Row], Position, bool]:
        start = min(position.at, self._clock() - YOUNGEST)
        body = self._api.get(PATH, start_time=int(start.timestamp()), include="comment_events")
        is_full = body.get("end_of_stream") is not True
        found = sorted((row for row in rows(body, "ticket_events") if _place(row)[0] >= position.at), key=_place)
        fresh, following = position.take(found, _place, is_full and bool(found), self._overlap)
        if is_full and not found:
            # All of it lay before our place: go on behind it.
            following = replace(following, at=max(position.at, _moment(body.get("end_time"))))
        if is_full and not fresh and following.at <= position.at:
            following = replace(following, at=position.at + timedelta(seconds=1))
        return fresh, following, is_full

    def _tell(self, events: Sequence[Row]) -> Iterator[Change]:
        """The tickets are asked for once, to know which are ours."""
        theirs = [event for event in events if text(event, "updater_id") != self._me.user_id] if events else []
        deleted = [event for event in theirs if any(child.get("status") == DELETED for child in _children(event))]
        ids = dict.fromkeys(text(event, "ticket_id") for event in theirs if event not in deleted)
        ours = self._tickets.many(list(ids)) if ids else {}
        shown = [child for event in theirs if text(event, "ticket_id") in ours for child in _children(event) if child.get("public") is True]
        customers = self._roles.customers(author for child in shown if (author := text(child, "author_id")) not in ("", self._me.user_id))
        for event in theirs:
            ticket = ours.get(text(event, "ticket_id"))
            if event in deleted:
                yield self._change("deleted", event, "", {"entity": "case"})
            elif ticket:
                yield from self._told(event, ticket, customers)

    def _told(self, event: Row, ticket: Ticket, customers: Set[str]) -> Iterator[Change]:
        comments = [child for child in _children(event) if child.get("event_type") == "Comment"]
        if any(MERGED_TAG in (child.get("added_tags") or ()) for child in _children(event)):
            into = merged_into([_words(comment) for comment in comments], ticket.ticket_id)
            if into:
                yield self._change("merged", event, ticket.case_key, {"entity": "case", "into": into})
                return
        fields = {name: value for child in _children(event) for name, value in self._fields_of(child).items()}
        if fields:
            yield self._change("case", event, ticket.case_key, fields)
        for comment in comments:
            others = {text(dict(ticket.row), "requester_id"), self._me.user_id, *customers}
            if text(comment, "author_id") not in others and MARK not in _words(comment):
                told = {"comment_id": text(comment, "id"), "text": _words(comment), "public": comment.get("public") is True}
                yield self._change("comment", event, ticket.case_key, told)

    def _fields_of(self, child: Row) -> dict[str, Any]:
        if child.get("event_type") != "Change":
            return {}
        told = {name: value for property_name in child for name, value in tell(property_name, child[property_name], self._settings).items()}
        custom = child.get("custom_ticket_fields")
        for number, value in custom.items() if isinstance(custom, Mapping) else ():
            told |= tell_field(self._fields.name_of(str(number)), value)
        return told

    def _change(self, kind: str, event: Row, case_key: str, fields: Mapping[str, Any]) -> Change:
        return Change(kind, text(event, "ticket_id"), _place(event)[0], case_key, fields, text(event, "updater_id"), text(event, "id"))


def _place(event: Row) -> tuple[datetime, str]:
    return _moment(event.get("timestamp")), f"{event.get('id'):0>20}"


def _moment(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise CrmUnavailableError("Zendesk answered an event without its time") from None


def _children(event: Row) -> list[Row]:
    return [child for child in event.get("child_events") or () if isinstance(child, dict)]


def _words(comment: Row) -> str:
    return (text(comment, "plain_body") or text(comment, "body")).strip()
