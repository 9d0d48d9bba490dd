"""Cases of the built-in CRM. What Caseline wants stands in the row, what people set stands over it in `edits`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from caseline.crm import CLOSED, OPEN, CaseRecord, Change, Note, SavedCase, StandingCase
from caseline.crm._builtin_edits import STATUSES, Edit, check_edits
from caseline.crm._builtin_log import Log
from caseline.crm._builtin_rows import NUMBERS, Row, account_key, case_key_of, is_id, keyed, note_key
from caseline.crm._text import fit_text
from caseline.errors import CrmConflictError, CrmNotFoundError, CrmRejectedError
from caseline.packing import pack
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Table

ATTEMPTS = 8
PAGE = 100
NOTE_LIMIT = 32_000
TEXT_LIMIT, HEADLINE_LIMIT = 255, 1_000
TEXTS = ("subject", "category", "queue", "brand", "owner", "contact_id", "url")
WORDS = ("reasons", "headline", "subject")  # stand compressed in the row
ON_THE_WAY = ("crm_id", "first", "before", "notes", "untold", "saved_version")  # what a record says of the save itself


class Cases:
    """The CRM id of a case is its case key, so that two savers can only ever make the same row."""

    def __init__(self, table: Table, clock: Callable[[], datetime], log: Log) -> None:
        self._table, self._clock, self._log = table, clock, log

    def save(self, record: CaseRecord) -> SavedCase:
        """Create, or update if `record.version` is newer than what stands; notes come after, and again if it died in between."""
        if not is_id(record.case_key):
            raise CrmRejectedError("is no id", "case_key")
        saved = self._save(record)
        for note in record.notes:
            self._put_note(record.case_key, note)
        return saved

    def _save(self, record: CaseRecord) -> SavedCase:
        """The case's number is taken on creation only."""
        for _ in range(ATTEMPTS):
            row = self._table.get(*case_key_of(record.case_key))
            if row and row["version"] >= record.version:
                return _saved(row, created=False)
            wanted = {**(row or self._new_row(record)), **_wishes(record), "edits": _standing_edits(row, record)}
            if self._replace(row, wanted):
                return _saved(wanted, created=row is None)
        raise CrmConflictError("the case is being changed by others")

    def update(self, crm_id: str, by: str, fields: Mapping[str, Any], public: bool) -> Change:
        """What a person does: `status`, `band`, `owner`, `queue`, `outcome` (None gives it back to Caseline) and `note`."""
        edits = check_edits(fields)
        for _ in range(ATTEMPTS):
            row, at = self._require(crm_id), self._clock()
            wanted = _edited(row, edits, by, isoformat(at))
            changes = _changes(row, _view(wanted), edits, fields.get("note"), public, by, at)
            notes = [_note_row(crm_id, c.fields["comment_id"], c.fields["text"], by, isoformat(at), public) for c in changes if c.kind == "comment"]
            if self._replace(row, wanted, *map(self._log.write_of, changes), *map(self._table.put_write, notes)):
                return changes[0]
        raise CrmConflictError("the case is being changed by others")

    def delete(self, crm_id: str, by: str) -> Change:
        row = self._require(crm_id)
        change = Change("deleted", crm_id, self._clock(), row["case_key"], {"entity": "case"}, by, f"{crm_id}#{row['revision']}#deleted")
        counts = [self._table.update_write(*account_key(account), "ADD open_cases :n", n=n) for account, n in _open_delta(row, None)]
        for note in self._table.query(row["PK"], prefix="NOTE#"):
            self._table.delete(note["PK"], note["SK"])
        try:
            self._table.transact(self._table.delete_write(row["PK"], row["SK"], "revision = :read", read=row["revision"]), *counts, self._log.write_of(change))
        except ConditionFailed:
            raise CrmConflictError("the case is being changed by others") from None
        return change

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._require(crm_id)
        self._put_note(crm_id, Note(note_id, text))

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        """A save writes the subject anew."""
        for row in list(self._table.query(case_key_of(crm_id)[0], prefix="NOTE#")):
            if row["by"] == "caseline":
                self._table.delete(row["PK"], row["SK"])
        return ()

    def _put_note(self, crm_id: str, note: Note) -> None:
        if not is_id(note.note_id):
            raise CrmRejectedError("is no id", "note_id")
        try:
            self._table.put(_note_row(crm_id, note.note_id, note.text, "caseline", isoformat(self._clock()), note.public), "attribute_not_exists(PK)")
        except ConditionFailed:
            return

    def read(self, crm_id: str) -> Row:
        """The case as people see it, with its notes, oldest first."""
        notes = [note for note in self._table.query(case_key_of(crm_id)[0], prefix="NOTE#")]
        return {**_view(self._require(crm_id)), "notes": sorted(notes, key=lambda note: (note["at"], note["SK"]))}

    def most_urgent(self, status: str, limit: int) -> list[Row]:
        """By priority, the most urgent first."""
        return [_view(row) for row in self._table.list_rows(_list_name(status), limit=limit)]

    def list_page(self, cursor: str) -> tuple[list[StandingCase], str]:
        """One status after the other, each from where the page before ended."""
        status, before = json.loads(cursor) if cursor else (STATUSES[0], None)
        rows = list(self._table.list_rows(_list_name(status), before=before, limit=PAGE))
        found = [StandingCase(row["case_key"], row["case_key"], _open_or_closed(row), _view(row)["band"], row["version"]) for row in rows]
        following = STATUSES[STATUSES.index(status) + 1 :][:1]
        if len(rows) == PAGE:
            return found, json.dumps([status, rows[-1]["list_rank"]])
        return (found, "") if not following else (found, json.dumps([following[0], None]))

    def _require(self, crm_id: str) -> Row:
        row = self._table.get(*case_key_of(crm_id)) if is_id(crm_id) else None
        if row is None:
            raise CrmNotFoundError("no such case")
        return row

    def _new_row(self, record: CaseRecord) -> Row:
        number = self._table.update(*NUMBERS, "ADD taken :one", one=1)["taken"]
        return keyed(case_key_of(record.case_key), type="crm_case", number=f"C-{number:06d}", edits={}, revision=0)

    def _replace(self, old: Row | None, wanted: Row, *others: Mapping[str, Any]) -> bool:
        """Put the row if nobody has changed it since it was read; an account's count of open cases goes with it."""
        row = pack({**wanted, **_listed(wanted), "revision": wanted["revision"] + 1, "changed_at": isoformat(self._clock())}, WORDS)
        condition = ("revision = :read", {"read": old["revision"]}) if old else ("attribute_not_exists(PK)", {})
        counts = [self._table.update_write(*account_key(account), "ADD open_cases :n", n=n) for account, n in _open_delta(old, row)]
        try:
            self._write(row, condition, [*counts, *others])
        except ConditionFailed:
            return False
        return True

    def _write(self, row: Row, condition: tuple[str, Row], others: Sequence[Mapping[str, Any]]) -> None:
        """A transaction costs twice: a row that changes alone is simply put."""
        if others:
            self._table.transact(self._table.put_write(row, condition[0], **condition[1]), *others)
        else:
            self._table.put(row, condition[0], **condition[1])


def _wishes(record: CaseRecord) -> Row:
    texts = {name: fit_text(getattr(record, name), TEXT_LIMIT) for name in TEXTS} | {"headline": fit_text(record.headline, HEADLINE_LIMIT)}
    lists = {"reasons": [fit_text(reason, 1_000) for reason in record.reasons], "channels": [fit_text(name, TEXT_LIMIT) for name in record.channels]}
    values = {name: value for name, value in asdict(record).items() if name not in ON_THE_WAY}
    return {**values, **texts, **lists, "account_id": record.account_id if is_id(record.account_id) else ""}


def _standing_edits(row: Row | None, record: CaseRecord) -> dict[str, Any]:
    """What people set stands, unless somebody who knew it has changed it in Caseline since."""
    if row is None:
        return {}
    view = {**_view(row), "status": _open_or_closed(row)}
    changed = {name for name, value in record.before.items() if getattr(record, name) != value and view.get(name) == value}
    return {name: edit for name, edit in row["edits"].items() if name not in changed}


def _changes(row: Row, view: Row, edits: Mapping[str, Edit], note: str | None, public: bool, by: str, at: datetime) -> list[Change]:
    """One of the case, one of the comment; their ids are of the row's next revision, which is written but once."""
    crm_id, event = row["case_key"], f"{row['case_key']}#{row['revision'] + 1}"
    comment = {"comment_id": f"{isoformat(at)}#{row['revision'] + 1}", "text": note, "public": public}
    changes = [Change("case", crm_id, at, crm_id, {name: view.get(name, "") for name in edits}, by, event)] if edits else []
    return [*changes, Change("comment", crm_id, at, crm_id, comment, by, f"{event}#note")] if note else changes


def _edited(row: Row, edits: Mapping[str, Edit], by: str, at: str) -> Row:
    made = {name: {"value": value, "by": by, "at": at} for name, value in edits.items()}
    return {**row, "edits": {name: edit for name, edit in {**row["edits"], **made}.items() if edit["value"] is not None}}


def _view(row: Row) -> Row:
    return {"owner": "", **row, **{name: edit["value"] for name, edit in row["edits"].items()}, "auto_band": row["band"]}


def _note_row(crm_id: str, note_id: str, text: str, by: str, at: str, public: bool) -> Row:
    return keyed(note_key(crm_id, note_id), type="crm_note", text=fit_text(text, NOTE_LIMIT), by=by, at=at, public=public)


def _saved(row: Row, created: bool) -> SavedCase:
    return SavedCase(row["case_key"], row["number"], row["url"], created, _open_or_closed(row))


def _open_or_closed(row: Row) -> str:
    return CLOSED if _view(row)["status"] == CLOSED else OPEN


def _list_name(status: str) -> str:
    return f"CRM#CASES#{status}"


def _listed(row: Row) -> Row:
    """The index is read from its end: P1 ranks highest, then the score, then the longest wait."""
    view = _view(row)
    waiting = 10**14 - int(parse_time(row["opened_at"]).timestamp() * 1000) if row["opened_at"] else 0
    return {"list_name": _list_name(view["status"]), "list_rank": f"{9 - int(view['band'][1:])}#{row['score']:03d}#{waiting:014d}#{row['case_key']}"}


def _open_delta(old: Row | None, new: Row | None) -> list[tuple[str, int]]:
    delta = Counter(_open_account(new))
    delta.subtract(_open_account(old))
    return [(account_id, count) for account_id, count in delta.items() if count]


def _open_account(row: Row | None) -> list[str]:
    return [row["account_id"]] if row and row["account_id"] and _view(row)["status"] != CLOSED else []
