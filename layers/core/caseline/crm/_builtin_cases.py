"""Cases of the built-in CRM. What Caseline wants stands in the row, what people set stands over it in `edits`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import CaseRecord, Change, SavedCase
from caseline.crm._builtin_edits import Edit, check_edits
from caseline.crm._builtin_rows import CHANGES, NUMBERS, Row, account_key, case_key_of, keyed, note_key
from caseline.crm._text import fit_text
from caseline.errors import CrmConflictError, CrmNotFoundError
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Table

ATTEMPTS = 8
NOTE_LIMIT = 32_000
TEXT_LIMITS = {"subject": 255, "headline": 1_000}
CHANGES_KEPT = timedelta(days=30)
# Two writers' clocks differ: what was written this long before the cursor is read again.
OVERLAP = timedelta(seconds=30)


class Cases:
    """The CRM id of a case is its case key, so that two savers can only ever make the same row."""

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table, self._clock = table, clock

    def save(self, record: CaseRecord) -> SavedCase:
        """Create, or update if `record.version` is newer than what stands; the case's number is taken on creation only."""
        for _ in range(ATTEMPTS):
            row = self._table.get(*case_key_of(record.case_key))
            if row and row["version"] >= record.version:
                return _saved(row, created=False)
            wanted = {**(row or self._new_row(record)), **_wishes(record)}
            if self._replace(row, wanted):
                return _saved(wanted, created=row is None)
        raise CrmConflictError("the case is being changed by others")

    def update(self, crm_id: str, by: str, fields: Mapping[str, Any]) -> Change:
        """What a person does: `status`, `band`, `owner`, `queue` (None gives it back to Caseline) and `note`."""
        edits = check_edits(fields)
        for _ in range(ATTEMPTS):
            row, at = self._require(crm_id), self._clock()
            change = Change("comment" if set(fields) == {"note"} else "case", crm_id, at, row["case_key"], dict(fields), by)
            if self._replace(row, _edited(row, edits, by, isoformat(at)), *self._log(change)):
                return change
        raise CrmConflictError("the case is being changed by others")

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._require(crm_id)
        try:
            self._table.put(_note_row(crm_id, note_id, text, "caseline", isoformat(self._clock())), "attribute_not_exists(PK)")
        except ConditionFailed:
            return

    def read(self, crm_id: str) -> Row:
        """The case as people see it, with its notes, oldest first."""
        notes = [note for note in self._table.query(case_key_of(crm_id)[0], prefix="NOTE#")]
        return {**_view(self._require(crm_id)), "notes": sorted(notes, key=lambda note: (note["at"], note["SK"]))}

    def most_urgent(self, status: str, limit: int) -> list[Row]:
        """By priority, the most urgent first."""
        return [_view(row) for row in self._table.query(_list_name(status), index="lists", newest_first=True, limit=limit)][:limit]

    def read_changes(self, cursor: str) -> tuple[list[Change], str]:
        """What people did since the cursor, oldest first, at least once; the next cursor."""
        since = isoformat(parse_time(cursor) - OVERLAP) if cursor else ""
        changes = []
        for row in self._table.query(CHANGES, newest_first=True):
            if row["SK"] < since:
                break
            changes.append(Change(row["kind"], row["crm_id"], parse_time(row["at"]), row["case_key"], row["fields"], row["by"]))
        return changes[::-1], isoformat(changes[0].at) if changes else cursor

    def _require(self, crm_id: str) -> Row:
        row = self._table.get(*case_key_of(crm_id))
        if row is None:
            raise CrmNotFoundError(f"no case {crm_id}")
        return row

    def _new_row(self, record: CaseRecord) -> Row:
        number = self._table.update(*NUMBERS, "ADD taken :one", one=1)["taken"]
        return keyed(case_key_of(record.case_key), type="crm_case", number=f"C-{number:06d}", edits={}, revision=0)

    def _replace(self, old: Row | None, wanted: Row, *others: Mapping[str, Any]) -> bool:
        """Put the row if nobody has changed it since it was read; an account's count of open cases goes with it."""
        row = {**wanted, **_listed(wanted), "revision": wanted["revision"] + 1, "changed_at": isoformat(self._clock())}
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

    def _log(self, change: Change) -> Sequence[Mapping[str, Any]]:
        at = isoformat(change.at)
        values = {**asdict(change), "at": at, "expires": int((change.at + CHANGES_KEPT).timestamp())}
        writes = [self._table.put_write(keyed((CHANGES, f"{at}#{change.crm_id}"), **values))]
        if change.fields.get("note"):
            writes.append(self._table.put_write(_note_row(change.crm_id, f"{at}#{change.by}", change.fields["note"], change.by, at)))
        return writes


def _wishes(record: CaseRecord) -> Row:
    texts = {name: fit_text(getattr(record, name), limit) for name, limit in TEXT_LIMITS.items()}
    reasons = [fit_text(reason, 1_000) for reason in record.reasons]
    return {**asdict(record), **texts, "reasons": reasons, "channels": [*record.channels]}


def _edited(row: Row, edits: Mapping[str, Edit], by: str, at: str) -> Row:
    made = {name: {"value": value, "by": by, "at": at} for name, value in edits.items()}
    return {**row, "edits": {name: edit for name, edit in {**row["edits"], **made}.items() if edit["value"] is not None}}


def _view(row: Row) -> Row:
    return {**row, "owner": "", **{name: edit["value"] for name, edit in row["edits"].items()}, "auto_band": row["band"]}


def _note_row(crm_id: str, note_id: str, text: str, by: str, at: str) -> Row:
    return keyed(note_key(crm_id, note_id), type="crm_note", text=fit_text(text, NOTE_LIMIT), by=by, at=at)


def _saved(row: Row, created: bool) -> SavedCase:
    return SavedCase(row["case_key"], row["number"], row["url"], created)


def _list_name(status: str) -> str:
    return f"CRM#CASES#{status}"


def _listed(row: Row) -> Row:
    """The index is read from its end: P1 ranks highest, then the score, then the longest wait."""
    view = _view(row)
    waiting = 10**14 - int(parse_time(row["opened_at"]).timestamp() * 1000) if row["opened_at"] else 0
    return {"list_name": _list_name(view["status"]), "list_rank": f"{9 - int(view['band'][1:])}#{row['score']:03d}#{waiting:014d}#{row['case_key']}"}


def _open_delta(old: Row | None, new: Row) -> list[tuple[str, int]]:
    delta = Counter(_open_account(new))
    delta.subtract(_open_account(old))
    return [(account_id, count) for account_id, count in delta.items() if count]


def _open_account(row: Row | None) -> list[str]:
    return [row["account_id"]] if row and row["account_id"] and _view(row)["status"] != "closed" else []
