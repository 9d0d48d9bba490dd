"""Tickets in Freshdesk. It has no unique key: a ticket is looked for among the newest in the list, which does not lag, and by search among the others.

So two savers at once could make two; Caseline's own claim keeps them apart. The first notes are part of the description, later ones stand in a field of
ours: a private note is a conversation and a call of its own, which is made where they do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from typing import Any

from caseline.crm import CLOSED, LATER, CaseRecord, Note, StandingCase
from caseline.crm._desk import NOTES_LIMIT, NOTHING_YET, Ticket, Wish, describe, join_notes, key_of, own_values, split_marks, subject_of
from caseline.crm._marks import MARK, marked, missing_notes, without_notes
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.freshdesk._api import PAGE, Api, Row, custom, is_id, text
from caseline.crm.freshdesk._errors import StrangerError
from caseline.crm.freshdesk._settings import Settings
from caseline.errors import CrmConflictError, CrmNotFoundError, CrmRejectedError, PayloadError
from caseline.payloads import read_time
from caseline.signals import isoformat

EMBEDDED, MAX_PAGES = 10, 300  # conversations that come with a ticket; pages that a list has
NATIVE = {"priority": "priority", "owner": "responder_id", "queue": "group_id"}
LONGEST = 255  # characters of a field of one line
BEGINNING = "2010-01-01T00:00:00Z"
FIXED = "Freshdesk lets nobody change the subject and description of this ticket, an outbound one: delete the ticket there, and for good in its trash"


class Tickets:
    """Keeps the contract of `Desk`."""

    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._clock = api, settings, optional, clock
        self._fields, self._lag = settings.case_fields, timedelta(seconds=settings.lag_seconds)
        self._notes = self._fields.get("notes", "")

    def read(self, ticket_id: str) -> Ticket | None:
        row = self._api.find(f"/tickets/{ticket_id}", include="conversations") if is_id(ticket_id) else None
        if row is None or row.get("deleted"):
            return None
        told, is_whole = row.get("conversations") or (), self._notes and custom(row, self._notes)
        is_whole = is_whole and len(told) < EMBEDDED and not any(MARK in _words(each) for each in told)
        return replace(self.ticket(row), field=LATER if is_whole else "")

    def find(self, record: CaseRecord) -> Ticket | None:
        key = key_of(record)
        row = self._among_newest(key) or self._by_search(key)
        return self.read(text(row, "id")) if row else None

    def create(self, record: CaseRecord, wish: Wish, follows: Ticket | None = None) -> tuple[Ticket, bool]:
        row = self._attempt(lambda: self._post(record, wish))
        return replace(self.ticket(row), field=LATER if self._has_field else ""), True

    def refresh(self, record: CaseRecord) -> Ticket | None:
        written = None if record.told is None else _joined(record.told)
        return self._write(record.crm_id, self._own(record), {}, record.notes, written) if is_id(record.crm_id) else None

    def update(self, ticket: Ticket, record: CaseRecord | None, wish: Wish, notes: Sequence[Note]) -> Ticket:
        """A note that comes alone is one of Freshdesk's own."""
        written = str(custom(ticket.row, self._notes) or "") if record and self._notes else ""
        fresh = self._unsaid(ticket, notes)
        updated = self._write(ticket.ticket_id, self._own(record), self._native(wish), fresh, written if fresh and written else None)
        if updated is None:
            raise CrmConflictError("the ticket went away while it was being saved")
        return replace(updated, field=ticket.field if updated.field or not fresh else "")

    def erase(self, ticket: Ticket, subject: str) -> Sequence[str]:
        """Notes are deleted; those that came first are cut out of the description."""
        if self._notes and custom(ticket.row, self._notes):
            self._put(ticket.ticket_id, {self._notes: ""}, {})
        for each in self.conversations(ticket.ticket_id):
            if MARK in _words(each):
                self._api.delete(f"/conversations/{each['id']}")
        described = text(ticket.row, "description_text")
        words = subject or without_notes(described)
        values = {**({"subject": fit_text(subject, LONGEST)} if subject else {}), **({"description": _html(words)} if words != described else {})}
        try:
            if values:
                self._api.put(f"/tickets/{ticket.ticket_id}", "ticket", values)
        except CrmRejectedError:
            return [FIXED]
        return ()

    def link(self, ticket_id: str) -> str:
        return f"{self._api.url}/a/tickets/{ticket_id}"

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        """All tickets page by page, of which ours are taken: Freshdesk lists by no field of ours, and searches no more than three hundred."""
        page = int(cursor or 1)
        rows = self._api.rows("/tickets", updated_since=BEGINNING, order_by="created_at", order_type="asc", per_page=PAGE, page=page)
        standing = [self.ticket(row).as_standing() for row in rows if self.key(row)]
        return standing, str(page + 1) if len(rows) == PAGE and page < MAX_PAGES else ""

    def key(self, row: Mapping[str, Any]) -> str:
        return str(custom(row, self._fields["case_key"]) or "")

    def conversations(self, ticket_id: str) -> list[Row]:
        found: list[Row] = []
        for page in range(1, MAX_PAGES):
            rows = self._api.rows(f"/tickets/{ticket_id}/conversations", per_page=PAGE, page=page)
            found += rows
            if len(rows) < PAGE:
                break
        return found

    def ticket(self, row: Row) -> Ticket:
        version = str(custom(row, self._fields["version"]) or "")
        return Ticket(
            text(row, "id"), self._settings.status(row.get("status")), self.key(row), text(row, "priority"), text(row, "responder_id"), text(row, "group_id"),
            str(custom(row, self._fields["band"]) or ""), str(custom(row, self._fields["queue"]) or ""), int(version) if version.isdecimal() else None,
            split_marks("\n".join([_said(row), str(custom(row, self._notes) or "") if self._notes else ""])), False, row,
        )  # fmt: skip

    # Finding.
    def _among_newest(self, key: str) -> Row | None:
        """Those that were made while the search may not show them yet."""
        since = self._clock() - self._lag
        for page in range(1, MAX_PAGES):
            rows = self._api.rows("/tickets", order_by="created_at", order_type="desc", per_page=PAGE, page=page)
            found = next((row for row in rows if self.key(row) == key), None)
            if found or len(rows) < PAGE or moment(rows[-1], "created_at") < since:
                return found
        return None

    def _by_search(self, key: str) -> Row | None:
        """A quote would end the value: a key that has one is in the list alone."""
        if set(key) & set("'\"\\") or len(key) > LONGEST:
            return None
        found = self._attempt(lambda: self._api.search("/search/tickets", f"{self._fields['case_key']}:'{key}'"))
        return next((row for row in found if self.key(row) == key), None)

    def _unsaid(self, ticket: Ticket, notes: Sequence[Note]) -> list[Note]:
        """With a ticket only its first conversations come."""
        if not notes or len(ticket.row.get("conversations") or ()) < EMBEDDED:
            return list(notes)
        return missing_notes(notes, "\n".join(map(_words, self.conversations(ticket.ticket_id))))

    # Writing.
    @property
    def _has_field(self) -> bool:
        return bool(self._optional.of("ticket", [self._notes]))

    def _write(
        self, ticket_id: str, own: Mapping[str, Any], native: Mapping[str, Any], notes: Sequence[Note], written: str | None
    ) -> Ticket | None:
        """Notes go into the field behind what is written there. Where they cannot they come first: who dies in between finds them by their marks. Then our
        fields, which say when we wrote last."""
        text = "\n\n".join(filter(None, ["" if written == NOTHING_YET else written, _joined(notes)]))
        if written is not None and self._has_field and len(text) <= NOTES_LIMIT:
            row = self._put(ticket_id, {**own, **({self._notes: text} if text else {})}, native)
            if row is None or self._has_field:
                return replace(self.ticket(row), field=LATER) if row else None
        if notes and not self._say(ticket_id, notes):
            return None
        row = self._put(ticket_id, own, native)
        return self.ticket(row) if row else None

    def _say(self, ticket_id: str, notes: Sequence[Note]) -> bool:
        """All in one; whether there is such a ticket."""
        try:
            self._api.post(f"/tickets/{ticket_id}/notes", "ticket", {"body": _html(join_notes(notes)), "private": True})
        except CrmNotFoundError:
            return False
        return True

    def _post(self, record: CaseRecord, wish: Wish) -> Row:
        native = self._native(wish)
        said = {self._notes: NOTHING_YET} if self._notes else {}
        own = {**self._own(record), **said, self._fields["case_key"]: key_of(record), **_part(native, True)}
        values = {
            "subject": subject_of(record), "description": _html(describe(record)), "source": self._settings.source, "status": 2, "priority": 1,
            "tags": [self._settings.tag] if self._settings.tag else [], "custom_fields": self._known(own),
            **({"type": self._settings.ticket_type} if self._settings.ticket_type else {}), **_part(native, False),
        }  # fmt: skip
        stranger = {"unique_external_id": self._settings.stranger, "name": "Unknown customer"}
        people = {name: int(crm_id) for name, crm_id in (("requester_id", record.contact_id), ("company_id", record.account_id)) if is_id(crm_id)}
        try:
            return self._api.post("/tickets", "ticket", values | (people if "requester_id" in people else people | stranger))
        except StrangerError:
            # The customer or the company has been deleted since it was looked up.
            return self._api.post("/tickets", "ticket", values | stranger)

    def _put(self, ticket_id: str, own: Mapping[str, Any], native: Mapping[str, Any]) -> Row | None:
        def put() -> Row | None:
            values = {**_part(native, False), "custom_fields": self._known({**own, **_part(native, True)})}
            return self._api.put(f"/tickets/{ticket_id}", "ticket", values)

        found: Row | None = self._attempt(put)
        return found

    def _own(self, record: CaseRecord | None) -> dict[str, Any]:
        values = {"saved_at": isoformat(self._clock()), **(own_values(record) if record else {})}
        return {self._fields[name]: value for name, value in values.items() if self._fields.get(name)}

    def _known(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in self._optional.of("ticket", values)}

    def _attempt(self, request: Callable[[], Any]) -> Any:
        return self._optional.attempt(request, [f"ticket.{self._fields['case_key']}"])

    def _native(self, wish: Wish) -> dict[str, Any]:
        values: dict[str, Any] = {NATIVE[name]: int(value) for name, value in wish.items() if name in NATIVE and value.isdecimal()}
        if "status" in wish:
            values["status"] = self._settings.statuses[wish["status"]]
        return values | (dict(self._settings.closing) if wish.get("status") == CLOSED else {})


def moment(row: Mapping[str, Any], name: str) -> datetime:
    """A time of Freshdesk's; the beginning of all where there is none."""
    try:
        return read_time(text(row, name))
    except PayloadError:
        return read_time(BEGINNING)


def _part(native: Mapping[str, Any], is_custom: bool) -> dict[str, Any]:
    """What closing demands may be fields of the account's own, too."""
    return {name: value for name, value in native.items() if name.startswith("cf_") == is_custom}


def _said(row: Row) -> str:
    return "\n".join([text(row, "description_text"), *(_words(each) for each in row.get("conversations") or () if isinstance(each, dict))])


def _words(conversation: Row) -> str:
    return text(conversation, "body_text") or text(conversation, "body")


def _joined(notes: Sequence[Note]) -> str:
    return "\n\n".join(map(marked, notes))


def _html(words: str) -> str:
    return escape(fit_text(words, 60_000), quote=False).replace("\r\n", "\n").replace("\n", "<br>")
