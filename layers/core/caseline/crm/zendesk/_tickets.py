"""Tickets in Zendesk. external_id is the case key; it is not unique, so a create carries an Idempotency-Key, which Zendesk remembers for two hours.

A closed ticket never changes again: Caseline goes on in a follow-up if it opens the case, and in the other ticket if it was merged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import CLOSED, NOTES_STAND, CaseRecord, Note, StandingCase
from caseline.crm._desk import Ticket, Wish, describe, join_marks, join_notes, key_of, split_marks, subject_of
from caseline.crm._marks import MARK, missing_notes
from caseline.crm._text import fit_text
from caseline.crm.zendesk._api import Api, Row, is_id, member, next_cursor, rows, text
from caseline.crm.zendesk._errors import FinalError, StrangerError, UsedKeyError
from caseline.crm.zendesk._fields import TicketFields
from caseline.crm.zendesk._settings import Settings
from caseline.crm.zendesk._user import Self
from caseline.errors import CrmConflictError

FINAL, MERGED_TAG, HOPS = "closed", "closed_by_merge", 5
INTO = re.compile(r"#(\d{1,18})\b")
LISTED, SUBJECT = 100, 150
TAGGED, COVER = re.compile(r">([^<]+)<"), "▇"
NO_RIGHT = "in Zendesk: let our user redact (a role that may redact ticket content, in the Agent Workspace), or redact our internal notes there by hand"
KEPT = "Zendesk's log of the ticket's events keeps earlier subjects and values of our fields until the ticket is deleted for good"
CLOSED_SUBJECT = "its subject and our fields stand, for it is closed for good: delete the ticket there"
NATIVE = {"priority": "priority", "owner": "assignee_id", "queue": "group_id"}


class Tickets:
    """Keeps the contract of `Desk`."""

    def __init__(self, api: Api, settings: Settings, fields: TicketFields, me: Self) -> None:
        self._api, self._settings, self._fields, self._me = api, settings, fields, me

    def read(self, ticket_id: str) -> Ticket | None:
        row = self._api.find(f"/tickets/{ticket_id}.json", "ticket") if is_id(ticket_id) else None
        return self._followed(row) if row else None

    def find(self, record: CaseRecord) -> Ticket | None:
        """A list of the tickets themselves, not a search: it has what was written a moment ago. The newest that is open, if there are several."""
        found = rows(self._api.get("/tickets.json", external_id=key_of(record)), "tickets")
        same = [row for row in found if text(row, "external_id") == key_of(record)]
        best = max(same, key=lambda row: (row.get("status") != FINAL, int(row["id"])), default=None)
        return self._followed(best) if best else None

    def create(self, record: CaseRecord, wish: Wish, follows: Ticket | None = None) -> tuple[Ticket, bool]:
        base = follows.ticket_id if follows else record.crm_id if is_id(record.crm_id) else ""
        try:
            return self._post(record, wish, base, follows)
        except UsedKeyError:
            standing = self.find(record)
            # Where there is none, what was made with that key has been deleted since.
            return (standing, False) if standing and not standing.is_final else self._post(record, wish, f"{base}/{record.version}", follows)

    def refresh(self, record: CaseRecord) -> Ticket | None:
        if not is_id(record.crm_id):
            return None
        try:
            row = self._api.put(f"/tickets/{record.crm_id}.json", "ticket", self._news(record))
        except FinalError:
            return None
        return self._ticket(row) if row else None

    def _news(self, record: CaseRecord) -> dict[str, Any]:
        """The marks of these notes alone: older ones are told for good, and nobody sends them again."""
        if not record.notes:
            return {"custom_fields": self._fields.own(record)}
        fields = [*self._fields.own(record), *self._fields.write({"noted": join_marks((), record.notes)})]
        return {"custom_fields": fields, "comment": {"body": join_notes(record.notes), "public": False}}

    def update(self, ticket: Ticket, record: CaseRecord | None, wish: Wish, notes: Sequence[Note]) -> Ticket:
        """Refused as a conflict where somebody changed the ticket since it was read."""
        fresh = self._unsaid(ticket.ticket_id, notes)
        values = self._native(wish, ticket.owner) | {"safe_update": True, "updated_stamp": text(ticket.row, "updated_at")}
        if fresh:
            values["comment"] = {"body": join_notes(fresh), "public": False}
        noted = self._fields.write({"noted": join_marks(ticket.noted, fresh)}) if fresh else []
        values["custom_fields"] = [*(self._fields.own(record) if record else []), *noted]
        row = self._api.put(f"/tickets/{ticket.ticket_id}.json", "ticket", values)
        if row is None:
            raise CrmConflictError("the ticket went away while it was being saved")
        return self._ticket(row)

    def erase(self, ticket: Ticket, subject: str) -> Sequence[str]:
        """Comments are redacted, closed tickets' too, the first one wholly: what it says stands in fields of ours."""
        said = self._api.all(f"/tickets/{ticket.ticket_id}/comments.json", "comments")
        first = said[:1] if subject and text(ticket.row, "subject") != subject else []
        ours = [each for each in said if MARK in text(each, "body") or (each in first and text(each, "body").replace(COVER, "").strip())]
        redacted = [self._redact(ticket.ticket_id, each) for each in ours]
        standing = [] if all(redacted) else [NOTES_STAND, NO_RIGHT]
        return [*standing, *self._rename(ticket, subject), KEPT]

    def _redact(self, ticket_id: str, comment: Row) -> bool:
        """Each text between its tags is covered; whether we may."""
        body = {"ticket_id": int(ticket_id), "html_body": TAGGED.sub(r"><redact>\1</redact><", text(comment, "html_body"))}
        return self._api.call("PUT", f"/comment_redactions/{comment['id']}.json", body=body, fine=(200, 403, 404, 422)).status == 200

    def _rename(self, ticket: Ticket, subject: str) -> Sequence[str]:
        try:
            if subject and subject != text(ticket.row, "subject"):
                self._api.put(f"/tickets/{ticket.ticket_id}.json", "ticket", {"subject": fit_text(subject, SUBJECT)})
        except FinalError:
            return [CLOSED_SUBJECT]
        return ()

    def link(self, ticket_id: str) -> str:
        return f"{self._api.url}/agent/tickets/{ticket_id}"

    def list_cases(self, after: str) -> tuple[list[StandingCase], str]:
        """By the export of a search for our tag, which has no end and is a minute or so late."""
        params: dict[str, Any] = {"query": f'tags:"{self._settings.tag}"', "filter[type]": "ticket", "page[size]": LISTED}
        body = self._api.get("/search/export.json", **params, **({"page[after]": after} if after else {}))
        found = [self._ticket(row) for row in rows(body, "results") if text(row, "external_id")]
        return [ticket.as_standing() for ticket in found], next_cursor(body)

    def many(self, ids: Sequence[str]) -> dict[str, Ticket]:
        """Those of ours that are there, by id; one call for each hundred."""
        found: list[Row] = []
        for start in range(0, len(ids), LISTED):
            found += rows(self._api.get("/tickets/show_many.json", ids=",".join(ids[start : start + LISTED])), "tickets")
        return {text(row, "id"): self._ticket(row) for row in found if self.is_ours(row)}

    def is_ours(self, row: Mapping[str, Any]) -> bool:
        return bool(row.get("external_id")) and (not self._settings.tag or self._settings.tag in (row.get("tags") or ()))

    # Making one.
    def _post(self, record: CaseRecord, wish: Wish, base: str, follows: Ticket | None) -> tuple[Ticket, bool]:
        values = self._new(record, wish, follows)
        people = {name: int(crm_id) for name, crm_id in (("requester_id", record.contact_id), ("organization_id", record.account_id)) if is_id(crm_id)}
        headers = {"Idempotency-Key": hashlib.sha256(f"{key_of(record)}|{base}".encode()).hexdigest()}
        try:
            answer = self._api.call("POST", "/tickets.json", headers=headers, body={"ticket": values | people})
        except StrangerError:
            # The customer or the organization has been deleted since it was looked up.
            answer = self._api.call("POST", "/tickets.json", headers=headers, body={"ticket": values})
        return self._ticket(member(answer, "ticket")), answer.headers.get("X-Idempotency-Lookup") != "hit"

    def _new(self, record: CaseRecord, wish: Wish, follows: Ticket | None) -> dict[str, Any]:
        """The first comment is internal: no customer gets a mail because of it."""
        fields = [*self._fields.own(record), *(self._fields.write({"noted": join_marks((), record.notes)}) if record.notes else [])]
        opened = {name: value for name, value in wish.items() if name != "status" or value == CLOSED}
        values: dict[str, Any] = {
            "subject": subject_of(record), "comment": {"body": describe(record), "public": False}, "external_id": key_of(record),
            "tags": [self._settings.tag] if self._settings.tag else [], "custom_fields": fields, **self._native(opened, ""),
        }  # fmt: skip
        if self._settings.ticket_type:
            values["type"] = self._settings.ticket_type
        return values | ({"via_followup_source_id": int(follows.ticket_id)} if follows else {})

    def _native(self, wish: Wish, owner: str) -> dict[str, Any]:
        """Nobody's ticket cannot be solved: then it is solved by us."""
        values: dict[str, Any] = {NATIVE[name]: value for name, value in wish.items() if name in NATIVE}
        if "status" in wish:
            values["status"] = self._settings.statuses[wish["status"]]
        if wish.get("status") == CLOSED and not (owner or "owner" in wish):
            values["assignee_id"] = self._me.user_id
        return {name: int(value) if name.endswith("_id") and is_id(value) else value for name, value in values.items()}

    # Reading one.
    def _unsaid(self, ticket_id: str, notes: Sequence[Note]) -> list[Note]:
        """Where no field names the notes, their marks in the comments do."""
        if not notes or self._fields.numbers.get("noted"):
            return list(notes)
        bodies = [text(comment, "plain_body") or text(comment, "body") for comment in self._comments(ticket_id)]
        return missing_notes(notes, "\n".join(bodies))

    def _comments(self, ticket_id: str) -> list[Row]:
        """The newest hundred, the newest first."""
        return rows(self._api.get(f"/tickets/{ticket_id}/comments.json", sort_order="desc"), "comments")

    def _followed(self, row: Row) -> Ticket:
        for _ in range(HOPS):
            if row.get("status") != FINAL or MERGED_TAG not in (row.get("tags") or ()):
                break
            into = merged_into([text(comment, "body") for comment in self._comments(text(row, "id"))[:1]], text(row, "id"))
            survivor = self._api.find(f"/tickets/{into}.json", "ticket") if into else None
            if survivor is None:
                break
            row = survivor
        return self._ticket(row)

    def _ticket(self, row: Row) -> Ticket:
        own, status = self._fields.read(row), text(row, "status")
        version = str(own.get("version") or "")
        return Ticket(
            text(row, "id"), self._settings.status(status), text(row, "external_id"), text(row, "priority"), text(row, "assignee_id"), text(row, "group_id"),
            str(own.get("band") or ""), str(own.get("queue") or ""), int(version) if version.isdecimal() else None,
            split_marks(own.get("noted")), status == FINAL, row,
        )  # fmt: skip


def merged_into(bodies: Sequence[str], ticket_id: str) -> str:
    """The ticket that the last comment of a merged one names."""
    return next((found for body in bodies for found in INTO.findall(body) if found != ticket_id), "")
