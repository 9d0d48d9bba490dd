"""Cases in Dynamics: upsert by key, never over a newer version, never over what people set, never into a closed one.

Each way is one $batch: the case, its routing and its notes. What must go together (reopen and write, write and close) is a change set of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from caseline.crm import CLOSED, OPEN, CaseRecord, Note, SavedCase
from caseline.crm._batch import Item, Part
from caseline.crm._erasing import take_back
from caseline.crm._http import Answer
from caseline.crm.dynamics._api import Api, Row, checked, row_of, rows_of
from caseline.crm.dynamics._errors import ExistsError
from caseline.crm.dynamics._notes import Notes, check_notes
from caseline.crm.dynamics._odata import is_guid, url
from caseline.crm.dynamics._records import Records, made_id, status_of
from caseline.errors import CrmConflictError, CrmNotFoundError

ATTEMPTS, MAX_MERGES = 4, 5
MOVES = ("status", "band", "queue", "owner")
CREATE, UPDATE = {"If-None-Match": "*"}, {"If-Match": "*"}


class Cases:
    def __init__(self, api: Api, records: Records, notes: Notes) -> None:
        self._api, self._records, self._notes, self._settings = api, records, notes, records.settings

    def save(self, record: CaseRecord) -> SavedCase:
        return self._records.optional.attempt(lambda: self._save(record), self._records.required)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Once for each note id of a case, at the survivor of a merged one. CrmNotFoundError where the case is gone."""
        standing = self._get(f"/incidents({crm_id})") if is_guid(crm_id) else None
        if standing is None:
            raise CrmNotFoundError("Dynamics has no such case")
        survivor = self._follow(standing)
        scope = survivor.get(self._records.column("case_key")) or survivor["incidentid"]
        self._notes.add(scope, f"/incidents({survivor['incidentid']})", Note(note_id, text))

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        """Also of a case that was merged: its notes went with it."""
        if not is_guid(crm_id) or (standing := self._get(f"/incidents({crm_id})")) is None:
            return ()
        place = self._follow(standing)["incidentid"]
        return take_back(partial(self._erase, place), subject, place != standing["incidentid"])

    def _erase(self, place: str, subject: str) -> Sequence[str]:
        self._notes.erase(place)
        if subject:
            self._api.call("PATCH", f"/incidents({place})", body={"title": subject}, headers=UPDATE, fine=(200, 204, 404))
        return ()

    def _follow(self, standing: Row) -> Row:
        """The record that a merged one lives on in."""
        for _ in range(MAX_MERGES):
            if not self._records.is_merged(standing):
                return standing
            standing = self._get(f"/incidents({standing['_masterid_value']})") or {}
        raise CrmNotFoundError("the case was merged into one that is gone")

    def _save(self, record: CaseRecord) -> SavedCase:
        if record.first and record.status == OPEN:
            try:
                return self._create(record)
            except ExistsError:
                pass  # an answer was lost, or another was first
        elif record.crm_id and not _moved(record):
            return self._write_ours(record)
        return self._update(record)

    # ---- a new case

    def _create(self, record: CaseRecord) -> SavedCase:
        """One call. Whoever comes second finds the case there and changes nothing of it."""
        headers = {**CREATE, "Prefer": "return=representation"}
        address = self._records.address(record.case_key)
        case = Part("PATCH", self._selected(address), self._records.created(record), headers)
        routing = self._new_in_queue(record, address)
        answers = self._api.batch([case, *routing, *self._notes.parts(record.case_key, address, record.notes)])
        if answers[0][0].status == 412:
            raise ExistsError("Dynamics has a case with that key")
        if answers[0][0].status == 404 and (record.account_id or record.contact_id):
            return self._create(_without_one(record))
        created = row_of(answers[0][0])
        if record.status == CLOSED:
            return replace(self._update(record), created=True)
        for answer in answers[1 : 1 + len(routing)]:
            checked(answer[0])
        check_notes(answers[1 + len(routing) :])
        return self._saved(created, created=True)

    def _new_in_queue(self, record: CaseRecord, address: str) -> list[Part]:
        """The item's id is made of the case key, so that a repeat puts nothing in the queue twice."""
        queue = self._settings.queues.get(record.queue)
        body = {"queueid@odata.bind": f"/queues({queue})", "objectid_incident@odata.bind": address}
        return [Part("PATCH", f"/queueitems({made_id(record.case_key, 'queue')})", body)] if queue else []

    # ---- our own columns, and nothing that people may have set

    def _write_ours(self, record: CaseRecord) -> SavedCase:
        """One call that also shows what stood there: a newer version (a saver that was late) is put back at once."""
        address = self._records.address(record.case_key)
        write = Part("PATCH", url(address, select="incidentid"), self._records.ours(record), {**UPDATE, "Prefer": "return=representation"})
        answers = self._api.batch([Part("GET", self._selected(address)), write, *self._notes.parts(record.case_key, address, record.notes)])
        if 404 in (answers[0][0].status, answers[1][0].status):
            return self._update(record)
        standing = row_of(answers[0][0])
        if self._records.is_merged(standing):
            return self._save_survivor(record, standing)
        if status_of(standing) == OPEN:
            self._put_back(standing, row_of(answers[1][0]), record)
        check_notes(answers[2:])
        return self._saved(standing)

    def _put_back(self, standing: Row, written: Row, record: CaseRecord) -> None:
        if self._records.version(standing) <= record.version:
            return
        before = {column: standing.get(column) for column in self._records.ours(record)}
        part = Part("PATCH", f"/incidents({standing['incidentid']})", before, {"If-Match": written["@odata.etag"]})
        checked(self._api.batch([part])[0][0], (204, 412))

    # ---- read, then write what nobody changed in between

    def _update(self, record: CaseRecord) -> SavedCase:
        for left in reversed(range(ATTEMPTS)):
            try:
                standing = self._get(self._records.address(record.case_key))
                return self._create(record) if standing is None else self._update_standing(record, standing)
            except CrmConflictError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _update_standing(self, record: CaseRecord, standing: Row) -> SavedCase:
        if self._records.is_merged(standing):
            return self._save_survivor(record, standing)
        reopens = record.before.get("status") == CLOSED and record.status == OPEN
        if self._is_stale(record, standing) or (status_of(standing) == CLOSED and not reopens):
            self._notes.send(record.case_key, f"/incidents({standing['incidentid']})", record.notes)
            return self._saved(standing)
        return self._write(record, standing)

    def _is_stale(self, record: CaseRecord, standing: Row) -> bool:
        """What has been said already; but a case that was to be closed may have been made and not closed yet."""
        version = self._records.version(standing)
        return version > record.version or (version == record.version and status_of(standing) == record.status)

    def _write(self, record: CaseRecord, standing: Row) -> SavedCase:
        place = f"/incidents({standing['incidentid']})"
        changes = self._changes(record, standing, place)
        answers = self._api.batch([changes, *self._notes.parts(record.case_key, place, record.notes)])
        if answers[0][0].status == 412:
            raise CrmConflictError("the case was changed since it was read")
        for answer in answers[0]:
            checked(answer)
        check_notes(answers[1:])
        return self._saved({**standing, "statecode": 1 if _closes(record) else 0})

    def _changes(self, record: CaseRecord, standing: Row, place: str) -> Sequence[Part]:
        """All or nothing; the first is refused where the case changed since it was read."""
        reopen = [Part("PATCH", place, {"statecode": 0, "statuscode": self._settings.status_open})] if status_of(standing) == CLOSED else []
        fields = [Part("PATCH", place, {**self._records.ours(record), **self._records.moves(record, standing)})]
        first, *rest = [*reopen, *fields, *self._reroute(record, standing), *(self._close(place) if _closes(record) else [])]
        return [Part(first.method, first.path, first.body, {"If-Match": standing["@odata.etag"]}), *(Part(p.method, p.path, p.body, _guard(p)) for p in rest)]

    def _close(self, place: str) -> list[Part]:
        resolution = {"subject": self._settings.resolution, "incidentid@odata.bind": place}
        return [Part("POST", "/CloseIncident", {"IncidentResolution": resolution, "Status": self._settings.status_resolved})]

    def _reroute(self, record: CaseRecord, standing: Row) -> list[Part]:
        """To another queue, unless a person put it elsewhere or took it out."""
        queues, before = self._settings.queues, record.before.get("queue", "")
        if record.queue == before or record.queue not in queues or (before and self._queue_of(standing) != queues.get(before, "").lower()):
            return []
        target = {"@odata.type": "Microsoft.Dynamics.CRM.incident", "incidentid": standing["incidentid"]}
        return [Part("POST", f"/queues({queues[record.queue]})/Microsoft.Dynamics.CRM.AddToQueue", {"Target": target})]

    def _queue_of(self, standing: Row) -> str:
        condition = f"_objectid_value eq {standing['incidentid']} and statecode eq 0"
        rows = rows_of(self._api.call("GET", url("/queueitems", select="_queueid_value", filter=condition, top="1")))
        return str(rows[0].get("_queueid_value") or "").lower() if rows else ""

    # ---- a case that people merged into another

    def _save_survivor(self, record: CaseRecord, standing: Row) -> SavedCase:
        """The survivor gets our columns only where it is no other case of ours; the notes in any case."""
        survivor = self._follow(standing)
        place, theirs = f"/incidents({survivor['incidentid']})", survivor.get(self._records.column("case_key"))
        items: list[Item] = []
        if status_of(survivor) == OPEN and not theirs and self._records.version(survivor) < record.version:
            items.append(Part("PATCH", place, self._records.ours(record), {"If-Match": survivor["@odata.etag"]}))
        answers = self._send([*items, *self._notes.parts(theirs or survivor["incidentid"], place, record.notes)])
        for answer in answers[: len(items)]:
            checked(answer[0])
        check_notes(answers[len(items) :])
        return self._saved(survivor)

    def _send(self, items: Sequence[Item]) -> list[list[Answer]]:
        return self._api.batch(items) if items else []

    # ---- reading

    def _get(self, address: str) -> Row | None:
        try:
            return row_of(self._api.call("GET", self._selected(address)))
        except CrmNotFoundError:
            return None

    def _selected(self, address: str) -> str:
        return url(address, select=",".join(self._records.columns()))

    def _saved(self, row: Row, created: bool = False) -> SavedCase:
        crm_id = row["incidentid"]
        link = f"{self._api.base_url}/main.aspx?pagetype=entityrecord&etn=incident&id={crm_id}"
        return SavedCase(crm_id, str(row.get("ticketnumber") or ""), link, created, status_of(row))


def _moved(record: CaseRecord) -> bool:
    """Whether anything changed that people set too; what is not known to stand may have."""
    return any(record.before.get(name) != getattr(record, name) for name in MOVES)


def _without_one(record: CaseRecord) -> CaseRecord:
    """The contact or the account is gone since it was looked up: the case is worth more than its link."""
    return replace(record, contact_id="") if record.contact_id and record.account_id else replace(record, contact_id="", account_id="")


def _closes(record: CaseRecord) -> bool:
    """One that we closed before and that is open again was opened by a person."""
    return record.status == CLOSED and record.before.get("status") != CLOSED


def _guard(part: Part) -> dict[str, Any]:
    return dict(UPDATE) if part.method == "PATCH" else {}
