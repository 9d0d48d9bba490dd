"""Cases in Salesforce: one for each key, never over a newer version, never over what people set; each save is one call where nobody came between.

A new case is inserted under the unique external id: who loses a race is told so, with nothing written, and then looks. A later save writes
on the condition that what it changes stands as we left it; where it does not, the answer has what stands, and a second call respects that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from caseline.crm import CLOSED, OPEN, CaseRecord, Note, SavedCase
from caseline.crm._erasing import take_back
from caseline.crm._optional import OptionalFields
from caseline.crm.salesforce._api import Api, Part, Record, query_part
from caseline.crm.salesforce._errors import RuleError
from caseline.crm.salesforce._notes import comments_part, erasing_parts, missing_notes, note_body, note_parts
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote
from caseline.crm.salesforce._standing import Standing, Standings
from caseline.crm.salesforce._wishes import Wish, new_values, own_values, wishes_of
from caseline.errors import CrmConflictError, CrmNotFoundError, CrmUnavailableError

ATTEMPTS = 4
# A composite call takes 25 requests.
NOTES_AT_ONCE = 20
BIN = "Salesforce keeps deleted comments in its recycle bin for 15 days, and earlier subjects in the case's history where that field is tracked"


class Cases:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, base_url: str) -> None:
        self._api, self._settings, self._optional, self._base_url = api, settings, optional, base_url
        self._standings = Standings(api, settings, optional)

    def save(self, record: CaseRecord) -> SavedCase:
        return self._optional.attempt(lambda: self._save(record), [f"Case.{self._field('case_key')}"])

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        note = Note(note_id, text)
        comments = self._api.compose([comments_part(crm_id, self._field("case_key"), "")]).records("comments")
        if missing_notes([note], comments):
            self._api.call("POST", "/sobjects/CaseComment", body=note_body(note, crm_id))

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        """The newest comments first, until none of ours is left; of a case that was merged, in the one that it went into, which keeps its subject."""
        place = self._standings.place(crm_id)
        return take_back(partial(self._erase, place), subject, place[:15] != crm_id[:15]) if place else ()

    def _erase(self, place: str, subject: str) -> Sequence[str]:
        while gone := erasing_parts(self._api.compose([comments_part(place, self._field("case_key"), "", "Id, ")]).records("comments")):
            self._api.compose(gone[:NOTES_AT_ONCE]).check()
        if subject:
            self._api.call("PATCH", f"/sobjects/Case/{place}", body={"Subject": subject, "Description": subject}, fine=(200, 204, 404))
        return [BIN]

    def _save(self, record: CaseRecord) -> SavedCase:
        """Whatever is learnt on the way is acted upon; who comes between again and again is a conflict."""
        if not record.first:
            return self._settle(record, self._update_at_once(record))
        try:
            return self._create(record)
        except CrmConflictError as error:
            return self._settle(record, self._read_winner(record, error))

    def _settle(self, record: CaseRecord, standing: Standing | SavedCase | None) -> SavedCase:
        for _ in range(ATTEMPTS):
            if isinstance(standing, SavedCase):
                return standing
            try:
                return self._write(record, standing) if standing else self._create(record)
            except (RuleError, CrmNotFoundError) as error:
                standing = self._read_between(record, standing, error)
            except CrmConflictError as error:
                standing = self._read_winner(record, error)
        raise CrmConflictError("Salesforce: the case is being changed by others")

    # In one call, where nobody came between.

    def _update_at_once(self, record: CaseRecord) -> Standing | SavedCase | None:
        """Saved, or what stands instead; looked up by key where the case's id is not known."""
        guard = self._guard(record)
        notes = record.notes[:NOTES_AT_ONCE]
        if not guard:
            return self._standings.read(record)
        key = self._field("case_key")
        found = f"/sobjects/Case/{key}/@{{guard.records[0].{key}}}?updateOnly=true"
        values = self._sent(record, self._wishes(record, record.before))
        saved = Part("saved", "PATCH", found, values, self._headers())
        parts = [query_part("guard", guard), saved, *note_parts(notes, "@{saved.id}"), *self._standings.looks(record)]
        composed = self._api.compose(parts)
        if composed.is_halted("saved") or isinstance(composed.error("saved"), RuleError):
            return self._standings.of(record, composed)
        composed.check("saved", *(f"note{place}" for place in range(len(notes))))
        return self._finish(record, self._standings.of(record, composed), created=False)

    def _guard(self, record: CaseRecord) -> str:
        """Finds the case as long as it stands as we left it; "" where that cannot be asked."""
        wishes, key, version = self._wishes(record, record.before), self._field("case_key"), self._version_condition(record)
        if not record.before or not is_id(record.crm_id) or not version or not all(wish.condition for wish in wishes):
            return ""
        conditions = [f"Id = {quote(record.crm_id)}", f"{key} = {quote(record.case_key)}", version, *(wish.condition for wish in wishes)]
        return f"SELECT Id, {key} FROM Case WHERE {' AND '.join(conditions)} LIMIT 1"

    def _version_condition(self, record: CaseRecord) -> str:
        """Notes go unseen only where nothing has been saved since we know: a save whose answer was lost may have written them."""
        [version] = self._optional.of("Case", [self._field("version")]) or [""]
        known = record.saved_version if record.notes else record.version - 1
        is_known = not record.notes or 0 < known < record.version
        return f"({version} = null OR {version} <= {known})" if version and is_known else ""

    # Step by step, where people or another worker did.

    def _write(self, record: CaseRecord, standing: Standing) -> SavedCase:
        """Our fields unless a newer version stands, what people may set where they have not, and the notes that are missing."""
        row, notes = standing.row, missing_notes(record.notes, standing.comments)
        values = self._sent(record, [wish for wish in self._wishes(record, self._known(record, row)) if wish.holds(row)])
        if self._version(row) >= record.version or self._is_anothers(record, row):
            values = {}
        if not values and not notes:
            return self._finish(record, standing, created=False)
        changed = [Part("saved", "PATCH", f"/sobjects/Case/{row['Id']}", values, self._headers())] if values else []
        again = replace(record, crm_id=row["Id"], notes=())
        composed = self._api.compose([*changed, *note_parts(notes[:NOTES_AT_ONCE], row["Id"]), *self._standings.looks(again)], whole=True).check()
        return self._finish(replace(record, notes=notes), self._standings.of(again, composed), created=False)

    def _create(self, record: CaseRecord) -> SavedCase:
        """Without account and contact, where they are gone since they were looked up."""
        try:
            return self._insert(record)
        except CrmNotFoundError:
            if not record.account_id and not record.contact_id:
                raise
            return self._insert(replace(record, account_id="", contact_id=""))

    def _insert(self, record: CaseRecord) -> SavedCase:
        values = {**own_values(record, self._settings), **new_values(record, self._settings)}
        body = {self._field("case_key"): record.case_key, **{name: values[name] for name in self._optional.of("Case", values)}}
        again = replace(record, crm_id="", notes=())
        notes = note_parts(record.notes[:NOTES_AT_ONCE], "@{saved.id}")
        made = Part("saved", "POST", "/sobjects/Case", body, self._headers(assign=not body.get("OwnerId")))
        composed = self._api.compose([made, *notes, *self._standings.looks(again)], whole=True).check()
        return self._finish(record, self._standings.of(again, composed), created=True)

    def _read_winner(self, record: CaseRecord, error: CrmConflictError) -> Standing:
        """Who loses the race to create is told DUPLICATE_VALUE: the winner's case is there."""
        standing = self._standings.read(record) if "DUPLICATE_VALUE" in str(error) else None
        if standing is None:
            raise error
        return standing

    def _read_between(self, record: CaseRecord, before: Standing | None, error: Exception) -> Standing | None:
        """The org's rule that the version never falls is the last word when two savers race; and a case may be deleted under our hands."""
        standing = self._standings.read(record) if before else None
        newer = standing is not None and self._version(standing.row) > record.version
        gone = before is not None and standing is None
        if not (newer if isinstance(error, RuleError) else gone):
            raise error
        return standing

    def _finish(self, record: CaseRecord, standing: Standing | None, created: bool) -> SavedCase:
        if standing is None:
            raise CrmUnavailableError("Salesforce does not show the case it has just saved")
        crm_id = standing.row["Id"]
        for start in range(NOTES_AT_ONCE, len(record.notes), NOTES_AT_ONCE):
            self._api.compose(note_parts(record.notes[start : start + NOTES_AT_ONCE], crm_id), whole=True).check()
        status = CLOSED if standing.row.get("IsClosed") else OPEN
        return SavedCase(crm_id, str(standing.row.get("CaseNumber") or ""), f"{self._base_url}/lightning/r/Case/{crm_id}/view", created, status)

    # What is sent.

    def _sent(self, record: CaseRecord, wishes: Sequence[Wish]) -> dict[str, Any]:
        values = {**own_values(record, self._settings), **{name: value for wish in wishes for name, value in wish.values.items()}}
        return {name: values[name] for name in self._optional.of("Case", values)}

    def _wishes(self, record: CaseRecord, before: Mapping[str, str]) -> Sequence[Wish]:
        return wishes_of(record, before, self._settings)

    def _known(self, record: CaseRecord, row: Record) -> dict[str, str]:
        """What we sent last: as the ledger remembers it, else as our own fields say."""
        fields = {name: str(row[self._field(name)]) for name in ("band", "queue") if row.get(self._field(name))}
        return {**fields, **record.before}

    def _headers(self, assign: bool = False) -> dict[str, str]:
        """Assignment rules would take a case away from where it is, at each update too."""
        rules = {} if assign else {"Sforce-Auto-Assign": "FALSE"}
        return {**rules, "Sforce-Duplicate-Rule-Header": f"allowSave={str(self._settings.allow_duplicates).lower()}"}

    def _is_anothers(self, record: CaseRecord, row: Record) -> bool:
        """The survivor of a merge may be another case of ours: it only gets the notes."""
        return str(row.get(self._field("case_key")) or record.case_key) != record.case_key

    def _version(self, row: Mapping[str, Any]) -> float:
        return float(row.get(self._field("version")) or -1)

    def _field(self, name: str) -> str:
        return self._settings.case_fields[name]
