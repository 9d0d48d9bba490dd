"""Keeping a case right in a CRM that has neither conditional writes nor a native upsert: read, then write what people left alone.

A save whose answer was lost is looked for by its key before anything is made. Versions are compared wherever the case is read anyway; what is
written without reading (news of our own fields in one call) relies on the outbox's lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from caseline.crm import CLOSED, OPEN, CaseRecord, Note, SavedCase
from caseline.crm._erasing import take_back
from caseline.crm._marks import join_notes, missing_notes
from caseline.crm._optional import OptionalFields
from caseline.errors import CrmConflictError, CrmNotFoundError


class DuplicateError(CrmConflictError):
    """The CRM has a record with that key already."""


@dataclass(frozen=True)
class Standing:
    """A case as it stands. `shared` are the fields that people set too, as the CRM has them; `band` and `queue` our own, as we saved them last. `written`
    is what the field of ours for notes holds, None where there is none; `field` as in `SavedCase`."""

    crm_id: str
    number: str
    case_key: str
    status: str
    version: float = -1
    band: str = ""
    queue: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    is_new: bool = True
    url: str = ""
    written: str | None = None
    field: str = ""


class Store(Protocol):
    """What a CRM can do with cases; values are by the CRM's own names."""

    def find(self, crm_id: str, case_key: str) -> Sequence[Standing]:
        """Those of that id or key, with their notes."""

    def create(self, record: CaseRecord) -> Standing:
        """With its notes; DuplicateError where there is one, `is_new` false where the CRM updated one instead."""

    def update(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        """None where there is no such case; `status` is "" where the CRM does not tell it."""

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        """Our own fields."""

    def shared(self, band: str, queue: str, owner: str) -> dict[str, str]:
        """Priority and whom it is assigned to; "" where that is left to the CRM."""

    def state(self, is_closed: bool) -> dict[str, Any]:
        """What closes a case, or opens it again."""

    def erase(self, standing: Standing, subject: str) -> Sequence[str]:
        """Our notes, and subject and first text where a subject is given; what remains there."""

    def link(self, standing: Standing) -> str: ...


class Keeper:
    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, record: CaseRecord) -> SavedCase:
        if record.first and not record.crm_id:
            return self._create(record)
        if record.is_news:
            updated = self._tell(record)
            if updated:
                return self._saved(updated)
        standing = self._find(record.crm_id, record.case_key)
        return self._settle(record, standing) if standing else self._create(record)

    def add_note(self, crm_id: str, note: Note) -> None:
        standing = self._find(crm_id, "")
        if standing is None or (self._missing([note], standing) and self._update(standing, {}, [note]) is None):
            raise CrmNotFoundError("the CRM has no such case")

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        """Also of a case that was merged: in the one that it went into."""
        standing = self._find(crm_id, "")
        return take_back(partial(self._store.erase, standing), subject, standing.crm_id != crm_id) if standing else ()

    def _missing(self, notes: Sequence[Note], standing: Standing) -> list[Note]:
        """Those that the case has not yet; by their marks in what is written there, unless a CRM keeps them otherwise."""
        return missing_notes(notes, standing.notes)

    def _tell(self, record: CaseRecord) -> Standing | None:
        """Our own fields and notes that are new, without reading the case; None where that cannot be."""
        return self._store.update(record.crm_id, self._store.ours(record), record.notes)

    def _update(self, standing: Standing, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        """Of a case that was read."""
        return self._store.update(standing.crm_id, values, notes)

    def _find(self, crm_id: str, case_key: str) -> Standing | None:
        """Where it was saved, else where its key is."""
        found = sorted(self._store.find(crm_id, case_key), key=lambda each: each.crm_id != crm_id)
        return found[0] if found else None

    def _create(self, record: CaseRecord) -> SavedCase:
        try:
            made = self._store.create(record)
        except DuplicateError:
            standing = self._find("", record.case_key)
            if standing is None:
                raise
            return self._settle(record, standing)
        return self._saved(made, made.is_new)

    def _settle(self, record: CaseRecord, standing: Standing) -> SavedCase:
        """A newer version than what stands is written; notes that are not there yet are written in any case."""
        notes = self._missing(record.notes, standing)
        values = {**self._store.ours(record), **self._moves(record, standing)} if standing.version < record.version else {}
        if not values and not notes:
            return self._saved(standing)
        updated = self._update(standing, values, notes)
        if updated is None:
            raise CrmConflictError("the case went away while it was being saved")
        return self._saved(updated if updated.status else replace(updated, status=self._status_after(record, standing, values)))

    def _status_after(self, record: CaseRecord, standing: Standing, values: Mapping[str, Any]) -> str:
        """Of a CRM that does not tell it when it is written to."""
        turned = self._store.state(record.status == CLOSED).items() <= values.items()
        return record.status if turned else standing.status

    def _moves(self, record: CaseRecord, standing: Standing) -> dict[str, Any]:
        """What people set too moves only while it is as we left it. A case that a person closed is not touched, nor opened by us."""
        before = {"status": OPEN, "band": standing.band, "queue": standing.queue, "owner": "", **record.before}
        if standing.status == CLOSED and before["status"] != CLOSED:
            return {}
        left = self._store.shared(before["band"], before["queue"], before["owner"])
        wanted = self._store.shared(record.band, record.queue, record.owner)
        stands = {name: standing.shared.get(name, "") for name in wanted}
        moved = {name: value for name, value in wanted.items() if value and value != stands[name] and stands[name] in ("", left.get(name, ""))}
        turned = record.status not in (standing.status, before["status"])
        return {**moved, **(self._store.state(record.status == CLOSED) if turned else {})}

    def _saved(self, standing: Standing, created: bool = False) -> SavedCase:
        return SavedCase(standing.crm_id, standing.number, self._store.link(standing), created, standing.status, standing.field)


class FieldStore(Store, Protocol):
    """That of a CRM where a note is a call of its own: a field of ours holds as many as fit in."""

    def write(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note], written: str | None) -> Standing | None:
        """As `update`; behind what is written there the notes go into the field, which the answer says, unless it is missing, they do not fit
        or `written` is None."""


class FieldKeeper(Keeper):
    """A field that Caseline alone writes is written whole, with the case's other fields, and not read before it where what it holds is known."""

    def __init__(self, store: FieldStore) -> None:
        super().__init__(store)
        self._fields = store

    def _tell(self, record: CaseRecord) -> Standing | None:
        return self._fields.write(record.crm_id, self._store.ours(record), record.notes, None if record.told is None else join_notes(record.told))

    def _update(self, standing: Standing, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        """A note that comes alone is one of the CRM's own."""
        updated = self._fields.write(standing.crm_id, values, notes, standing.written if notes and values else None)
        return updated and replace(updated, field=standing.field if updated.field or not notes else "")

    def _settle(self, record: CaseRecord, standing: Standing) -> SavedCase:
        """The field of what a case was merged into is that case's own."""
        is_own = standing.crm_id == record.crm_id or not record.crm_id
        return super()._settle(record, standing if is_own else replace(standing, written=None, field=""))


class KeptCases:
    """What an adapter does with cases: they are kept, without fields that the CRM lacks; `required` are those that it may not lack."""

    def __init__(self, keeper: Keeper, optional: OptionalFields, required: Sequence[str] = ()) -> None:
        self._keeper, self._optional, self._required = keeper, optional, required

    def save(self, record: CaseRecord) -> SavedCase:
        return self._optional.attempt(lambda: self._keeper.save(record), self._required)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._optional.attempt(lambda: self._keeper.add_note(crm_id, Note(note_id, text)), self._required)

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        found: Sequence[str] = self._optional.attempt(lambda: self._keeper.erase_notes(crm_id, subject), self._required)
        return found
