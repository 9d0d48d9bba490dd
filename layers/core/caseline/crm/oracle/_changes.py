"""What people did in Fusion since a cursor: service requests with their messages, contacts, accounts, in one call each page.

A record says who wrote it last, not which field: what a person did just before a save of ours is seen by its difference (severity, assignee) or by that
save's answer (status). A new message changes its service request, which is how it is found; its text takes a call. Fusion tells neither deletions nor
merges by polling: its triggers can (see `_pushed`), and the nightly reconciliation does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._optional import OptionalFields
from caseline.crm._streams import Streams
from caseline.crm.oracle._api import Api, Part, Row, item_path, list_path, rows_of
from caseline.crm.oracle._cases import CaseStore
from caseline.crm.oracle._query import after
from caseline.crm.oracle._rows import (
    ACCOUNTS,
    CASES,
    CONTACTS,
    KEYS,
    MESSAGE,
    Teller,
    account_columns,
    case_columns,
    contact_columns,
    own_fields,
    text_of,
    time_of,
)
from caseline.crm.oracle._settings import Settings

PAGE = 200
COLUMNS = {CASES: case_columns, CONTACTS: contact_columns, ACCOUNTS: account_columns}


class Changes:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, store: CaseStore, user: str, clock: Callable[[], datetime]) -> None:
        self._store, self._api, self._settings, self._optional, self._own = store, api, settings, optional, own_fields(settings)
        self._teller, self._clock, self._overlap = Teller(settings, user), clock, timedelta(seconds=settings.overlap)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """Messages come with the service requests that were read; how far they are told has a place of its own."""
        kept: Mapping[str, Any] = json.loads(cursor) if cursor else {}
        place = Position.from_json(kept["messages"]) if cursor else Position.begin(self._clock())
        sweep = _Sweep(self._fetch, self._teller)
        streams = Streams(list(COLUMNS), sweep.fetch, _place, sweep.tell, self._clock, self._overlap, PAGE)
        changes, rest = streams.read(kept.get("records", ""))
        fresh, moved = self._take(place, sweep)
        changes = sorted([*changes, *(self._comment(each) for each in fresh)], key=lambda change: change.at)
        return changes, json.dumps({"records": rest, "messages": moved.to_json()}, separators=(",", ":"))

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._optional.attempt(lambda: self._store.page(cursor), self._store.required)

    def _take(self, place: Position, sweep: _Sweep) -> tuple[list[Row], Position]:
        """While there are more service requests to read, their messages may be older than those that are told now."""
        rows = sorted((row for row in sweep.messages if time_of(row, "CreationDate") >= place.at), key=_message_place)
        fresh, moved = place.take(rows, _message_place, False, self._overlap)
        return fresh, replace(moved, at=place.at) if sweep.is_full else moved

    def _comment(self, row: Row) -> Change:
        return self._teller.comment(row, row["crm_id"], row["case_key"], self._text(row))

    def _text(self, row: Row) -> str:
        """A large object, which Fusion sends by itself."""
        path = f"{item_path(CASES, row['crm_id'])}/child/messages/{text_of(row, 'MessageId')}/enclosure/MessageContent"
        return self._api.call("GET", path, headers={"Accept": "*/*"}).content.decode("utf-8", "replace").partition("\x00")[0]

    # Reading.

    def _fetch(self, places: Mapping[str, Position]) -> dict[str, list[Row]]:
        return self._optional.attempt(lambda: self._read(places))

    def _read(self, places: Mapping[str, Position]) -> dict[str, list[Row]]:
        answers = self._api.batch([Part("get", self._path(resource, place)) for resource, place in places.items()], self._own)
        return {resource: rows_of(answer) for resource, answer in zip(places, answers, strict=True)}

    def _path(self, resource: str, place: Position) -> str:
        key, condition = KEYS[resource], after(place, KEYS[resource])
        if resource == CASES:
            condition = f"({self._settings.case_fields['case_key']} IS NOT NULL) AND ({condition})"
        columns = self._optional.of(resource, COLUMNS[resource](self._settings))
        children = {"messages": MESSAGE} if resource == CASES else None
        return list_path(resource, condition, columns, PAGE, f"LastUpdateDate:asc,{key}:asc", children)


class _Sweep:
    """What one reading comes by: changes of records, and messages of people that came with them."""

    def __init__(self, fetch: Callable[[Mapping[str, Position]], dict[str, list[Row]]], teller: Teller) -> None:
        self._fetch, self._teller = fetch, teller
        self.messages, self.is_full = list[Row](), False
        self._tellers: Mapping[str, Callable[[Mapping[str, Any]], Change | None]] = {
            CASES: teller.case, CONTACTS: teller.contact, ACCOUNTS: teller.account,
        }  # fmt: skip

    def fetch(self, places: Mapping[str, Position]) -> dict[str, list[Row]]:
        pages = self._fetch(places)
        self.is_full = len(pages[CASES]) >= PAGE
        return pages

    def tell(self, resource: str, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
        for row in rows if resource == CASES else ():
            self.messages += [message for message in self._messages(row) if message not in self.messages]
        return [change for row in rows if (change := self._tellers[resource](row))]

    def _messages(self, row: Mapping[str, Any]) -> list[Row]:
        """With whose they are; our own are left out, and what customers wrote."""
        settings, found = self._teller.settings, row.get("messages")
        found = found.get("items") if isinstance(found, Mapping) else found
        theirs = [each for each in found or () if text_of(each, "MessageTypeCd") in settings.comments and not self._teller.is_ours(each, "CreatedBy")]
        whose = {"crm_id": text_of(row, "SrNumber"), "case_key": text_of(row, settings.case_fields["case_key"])}
        return [{**{name: each.get(name) for name in MESSAGE}, **whose} for each in theirs]


def _place(resource: str, row: Mapping[str, Any]) -> tuple[datetime, str]:
    return time_of(row), text_of(row, KEYS[resource])


def _message_place(row: Mapping[str, Any]) -> tuple[datetime, str]:
    return time_of(row, "CreationDate"), text_of(row, "MessageId")
