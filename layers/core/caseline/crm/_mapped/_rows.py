"""What rows of a CRM say in Caseline's words. They come from its answers and from its webhooks: nothing heavy here. PayloadError for other shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from caseline.crm import CLOSED, OPEN, Change
from caseline.crm._mapped._expression import Expression, optional
from caseline.crm._mapped._mapping import Mapped
from caseline.crm._marks import MARK
from caseline.crm._match import Contact
from caseline.crm._value import tier_of
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_time

Row = Mapping[str, Any]
ENTITIES = ("case", "contact", "account")
ALONE = "person:"


def key_of(names: Mapping[str, str], word: str) -> str:
    """Caseline's word for one of the CRM's; "" where it has none."""
    return next((name for name, known in names.items() if known and known == word), "")


class Reader:
    """`user` is our own, whose writes are no news."""

    def __init__(self, mapped: Mapped, region: str = "") -> None:
        self.mapped, self._region = mapped, region

    # Records.
    def person(self, row: Row) -> Contact:
        """A contact without account stands for itself."""
        fields = self.mapped.people.fields
        texts = {space: expression.texts(row) if expression else [] for space, expression in (("email", fields.emails), ("phone", fields.phones))}
        named = [f"{space}:{text}" for space, found in texts.items() for text in found]
        person_id, known = fields.id.text_of(row), normalise_identities([*named, *(fields.handles.texts(row) if fields.handles else [])], self._region)
        return Contact(person_id, optional(fields.account_id, row) or f"{ALONE}{person_id}", optional(fields.name, row), known)

    def status(self, word: str) -> str:
        words = self.mapped.words
        if word in words.closed or word == words.statuses.get("closed"):
            return CLOSED
        return "pending" if word and word == words.statuses.get("pending") else OPEN

    def tier(self, word: str) -> str | None:
        return tier_of(word, self.mapped.words.tiers)

    # Changes.
    def changes(self, kind: str, row: Row, event_id: str = "") -> list[Change]:
        """`kind` as under `changes` in the mapping."""
        told = {"cases": self._case, "comments": self._comment, "people": self._person, "accounts": self._account, "deleted": self._deleted}[kind](row)
        return [Change(**{**vars(told), "event_id": event_id or told.event_id})] if told and told.crm_id else []

    def place(self, kind: str, row: Row) -> tuple[datetime, str]:
        """Time and id of a row."""
        fields = self._fields(kind)
        row_id = fields.id.text_of(row)
        if not row_id:
            raise PayloadError("is required", fields.id.text)
        return self._time(fields.at, row), row_id

    def _fields(self, kind: str) -> Any:
        mapped = self.mapped
        return {
            "cases": mapped.cases.fields, "people": mapped.people.fields, "accounts": mapped.accounts.fields, "comments": mapped.changes.comment,
            "deleted": mapped.changes.deletion,
        }[kind]  # fmt: skip

    def _time(self, expression: Expression | None, row: Row) -> datetime:
        if expression is None:
            raise PayloadError("has no expression for the time", "at")
        value = Field(expression.value(row), expression.text)
        return read_time(value.value, expression.text) if isinstance(value.value, str) else value.moment()

    def _case(self, row: Row) -> Change | None:
        """What we wrote last tells only what differs from what we set: a person did that just before us."""
        fields, by = self.mapped.cases.fields, optional(self.mapped.cases.fields.by, row)
        crm_id, key, at = fields.id.text_of(row), fields.key.text_of(row), self._time(fields.at, row)
        if not key:
            return None
        if into := optional(fields.merged_into, row):
            return None if self._is_ours(by) else Change("merged", crm_id, at, key, {"entity": "case", "into": into}, by)
        told = self._differences(row)
        if not self._is_ours(by):
            outcome = optional(fields.outcome, row)
            told["status"] = self.status(fields.status.text_of(row))
            told |= {"outcome": self.mapped.words.outcomes.get(outcome, outcome)} if outcome else {}
        return Change("case", crm_id, at, key, told, by) if told else None

    def _differences(self, row: Row) -> dict[str, str]:
        fields, words = self.mapped.cases.fields, self.mapped.words
        priority, owner, band = optional(fields.priority, row), optional(fields.owner, row), optional(fields.band, row)
        theirs = key_of(words.priorities, priority) if priority != words.priorities.get(band, "") else ""
        return {**({"band": theirs} if theirs else {}), **({"owner": owner} if owner and owner not in words.owners.values() else {})}

    def _comment(self, row: Row) -> Change | None:
        fields = self.mapped.changes.comment
        if fields is None or MARK in fields.text.text_of(row) or self._is_ours(by := optional(fields.by, row)):
            return None
        comment_id, is_public = fields.id.text_of(row), bool(fields.public and fields.public.is_true(row))
        told = {"comment_id": comment_id, "text": fields.text.text_of(row), "public": is_public}
        return Change("comment", fields.case_id.text_of(row), self._time(fields.at, row), optional(fields.case_key, row), told, by, comment_id)

    def _person(self, row: Row) -> Change | None:
        fields, found = self.mapped.people.fields, self.person(row)
        account = {} if found.account_id.startswith(ALONE) else {"account_id": found.account_id}
        by, told = optional(fields.by, row), {**account, "name": found.name, "identities": list(found.identities)}
        return None if self._is_ours(by) else Change("contact", found.contact_id, self._time(fields.at, row), fields=told, by=by)

    def _account(self, row: Row) -> Change | None:
        fields = self.mapped.accounts.fields
        by, tier = optional(fields.by, row), self.tier(optional(fields.facts.get("tier"), row))
        told = {"tier": tier} if tier else {}
        return None if self._is_ours(by) else Change("account", fields.id.text_of(row), self._time(fields.at, row), fields=told, by=by)

    def _deleted(self, row: Row) -> Change | None:
        fields = self.mapped.changes.deletion
        word = fields.entity.text_of(row) if fields else ""
        entity = self.mapped.words.entities.get(word, word)
        if fields is None or entity not in ENTITIES:
            return None
        record = (fields.record_id or fields.id).text_of(row)
        return Change("deleted", record, self._time(fields.at, row), fields={"entity": entity}, by=optional(fields.by, row))

    def _is_ours(self, by: str) -> bool:
        return bool(by) and by == self.mapped.user
