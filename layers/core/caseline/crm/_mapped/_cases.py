"""Cases by the mapping's requests, for `Keeper`: how a case is kept right is the same in every CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import CLOSED, NOTES_STAND, OPEN, CaseRecord, Note, SavedCase, StandingCase
from caseline.crm._desk import key_of, own_values, subject_of
from caseline.crm._keeping import Keeper, Standing
from caseline.crm._mapped._api import Api, Row
from caseline.crm._mapped._errors import StrangerError
from caseline.crm._mapped._expression import optional
from caseline.crm._mapped._mapping import Mapped, Request
from caseline.crm._mapped._rows import Reader
from caseline.crm._mapped._template import Path
from caseline.crm._marks import join_notes
from caseline.crm._text import fit_text
from caseline.errors import CrmNotFoundError, CrmRejectedError, PayloadError

HOPS = 5


class Cases:
    """The part of the adapter; `store` is what it keeps them in."""

    def __init__(self, store: CaseStore) -> None:
        self._keeper = Keeper(store)

    def save(self, record: CaseRecord) -> SavedCase:
        return self._keeper.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._keeper.add_note(crm_id, Note(note_id, text))

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        return self._keeper.erase_notes(crm_id, subject)


class CaseStore:
    def __init__(self, api: Api, mapped: Mapped, reader: Reader) -> None:
        self._api, self._mapped, self._reader, self._requests, self._words = api, mapped, reader, mapped.cases, mapped.words

    def find(self, crm_id: str, case_key: str) -> Sequence[Standing]:
        row = self._by_id(crm_id) or (self._by_key(case_key) if case_key else None)
        return [self._standing(row, with_notes=True)] if row else []

    def create(self, record: CaseRecord) -> Standing:
        values = {
            "case_key": key_of(record), "subject": subject_of(record), "account_id": record.account_id, "contact_id": record.contact_id,
            "description": fit_text("\n".join([record.headline, *record.reasons, record.url]), 20_000), "brand": fit_text(record.brand, 255),
            "channels": list(record.channels), "signal_count": record.signal_count, "opened_at": record.opened_at,
            **self.ours(record), **self.shared(record.band, record.queue, record.owner), **self.state(record.status == CLOSED),
        }  # fmt: skip
        if record.status != CLOSED and "new" in self._words.statuses:
            values["status"] = self._words.statuses["new"]
        request = self._requests.create
        sent, left = _with_notes(request, values, record.notes)
        try:
            row = self._api.row(request, sent)
        except StrangerError:
            row = self._api.row(request, {**sent, "account_id": "", "contact_id": ""})
        made = self._standing(row) if row else self._made_without_answer(record)
        self._write_notes(made.crm_id, left)
        return made

    def update(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        request = self._requests.update
        sent, left = _with_notes(request, {**values, "crm_id": crm_id}, notes)
        try:
            row = self._api.row(request, sent) if values or len(left) < len(notes) else None
            self._write_notes(crm_id, left)
        except CrmNotFoundError:
            return None
        if self._text(self._requests.fields.merged_into, row):
            return None
        return self._standing(row) if row and self._requests.fields.id.text_of(row) else Standing(crm_id, crm_id, "", "")

    def erase(self, standing: Standing, subject: str) -> Sequence[str]:
        """By the CRM itself, where it has a way. It has found the case: if it knows no such address, then because that way is not there."""
        if self._requests.erase is None:
            return [NOTES_STAND]
        try:
            self._api.row(self._requests.erase, {"crm_id": standing.crm_id, "subject": fit_text(subject, 150)})
        except (CrmNotFoundError, CrmRejectedError):
            return [NOTES_STAND]
        return ()

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        return {**own_values(record), "case_key": key_of(record)}

    def shared(self, band: str, queue: str, owner: str) -> dict[str, str]:
        words = self._words
        return {"priority": words.priorities.get(band, ""), "group": words.queues.get(queue, ""), "owner": words.owners.get(owner, "")}

    def state(self, is_closed: bool) -> dict[str, Any]:
        return {"status": self._words.statuses["closed" if is_closed else "open"], **({"resolution": self._words.resolution} if is_closed else {})}

    def link(self, standing: Standing) -> str:
        """As the CRM tells it, or by the mapping's own pattern."""
        filled = Path(self._mapped.case_url).fill({"crm_id": standing.crm_id}) if self._mapped.case_url else ""
        return standing.url or f"{self._api.url}{filled}"

    def page(self, cursor: str) -> tuple[list[StandingCase], str]:
        """All cases that have a key of ours."""
        rows, state = self._api.page(self._requests.list, {}, cursor)
        found = [self._standing(row) for row in rows]
        return [_listed(each) for each in found if each.case_key], state

    # Finding.
    def _by_id(self, crm_id: str) -> Row | None:
        """The one that survived, where it was merged."""
        row, request = None, self._requests.read
        for _ in range(HOPS):
            try:
                row = self._api.row(request, {"crm_id": crm_id}) if crm_id else None
            except CrmNotFoundError:
                return None
            crm_id = self._text(self._requests.fields.merged_into, row)
            if not crm_id:
                return row
        return row

    def _by_key(self, case_key: str) -> Row | None:
        """What is found is compared once more: CRMs' searches are kind."""
        key = " ".join(fit_text(case_key, 200).split())
        rows = [row for row in self._api.rows(self._requests.find, {"case_key": key}) if self._text(self._requests.fields.key, row) == key]
        for row in rows:
            into = self._text(self._requests.fields.merged_into, row)
            if not into:
                return row
        return self._by_id(self._text(self._requests.fields.id, rows[0])) if rows else None

    def _made_without_answer(self, record: CaseRecord) -> Standing:
        row = self._by_key(record.case_key)
        if row is None:
            raise self._api.strange()
        return self._standing(row)

    # Notes.
    def _write_notes(self, crm_id: str, notes: Sequence[Note]) -> None:
        request = self._requests.note
        for is_public in (False, True):
            part = [note for note in notes if note.public == is_public]
            if part and request:
                self._api.row(request, {"crm_id": crm_id, "text": join_notes(part), "public": is_public})

    def _notes(self, row: Row) -> str:
        if self._requests.notes:
            return _words_in(self._api.rows(self._requests.notes, {"crm_id": self._requests.fields.id.text_of(row)}))
        return _words_in(self._requests.fields.notes.value(row)) if self._requests.fields.notes else ""

    # Reading.
    def _standing(self, row: Row, with_notes: bool = False) -> Standing:
        try:
            return self._read(row, self._notes(row) if with_notes else "")
        except PayloadError:
            raise self._api.strange() from None

    def _read(self, row: Row, notes: str) -> Standing:
        fields = self._requests.fields
        text = {name: optional(getattr(fields, name), row) for name in ("number", "url", "version", "band", "queue", "priority", "group", "owner")}
        crm_id, status = fields.id.text_of(row), fields.status.text_of(row)
        if not crm_id:
            raise PayloadError("is required", fields.id.text)
        return Standing(
            crm_id, text["number"] or crm_id, fields.key.text_of(row), (CLOSED if self._reader.status(status) == CLOSED else OPEN) if status else "",
            float(text["version"]) if text["version"].isdecimal() else -1, text["band"], text["queue"],
            {name: text[name] for name in ("priority", "group", "owner")}, notes, url=text["url"],
        )  # fmt: skip

    def _text(self, expression: Any, row: Row | None) -> str:
        try:
            return optional(expression, row or {})
        except PayloadError:
            raise self._api.strange() from None


def _with_notes(request: Request, values: Mapping[str, Any], notes: Sequence[Note]) -> tuple[dict[str, Any], list[Note]]:
    """The request's values with those notes that it has a place for, and the others."""
    if "notes" not in request.names:
        return dict(values), list(notes)
    apart = "answers" in request.names
    parts = {"notes": [note for note in notes if not (apart and note.public)], "answers": [note for note in notes if apart and note.public]}
    return {**values, **{name: join_notes(part) for name, part in parts.items() if part}}, []


def _words_in(value: Any) -> str:
    """All texts of a list of notes, whatever its shape."""
    if isinstance(value, str):
        return value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return "\n".join(map(_words_in, inner))


def _listed(standing: Standing) -> StandingCase:
    version = int(standing.version) if standing.version >= 0 else None
    return StandingCase(standing.crm_id, standing.case_key, standing.status or OPEN, standing.band or None, version)
