"""What people did in ServiceNow since a cursor: cases, journal entries, contacts, accounts, deletions, all in one call.

Times are whole seconds, so rows are read again for a while and known by their marks. A record says who wrote it last, not which field: what a person did
just before a save of ours is seen by its difference (priority, assignee) or by that save's answer (state). Journals and deletions need roles
(`sys_journal_field`, `sys_audit_delete`); without them they are left out, and the nightly reconciliation tells deletions. Merges leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._optional import OptionalFields
from caseline.crm._streams import Streams
from caseline.crm.servicenow._api import Api, Part, Row, checked, list_part, rows_of
from caseline.crm.servicenow._cases import CaseStore
from caseline.crm.servicenow._errors import NoTableError, error_of
from caseline.crm.servicenow._query import after, id_in, in_order
from caseline.crm.servicenow._rows import (
    DELETIONS,
    INTERNAL,
    JOURNAL,
    LOGINS,
    PUBLIC,
    Teller,
    account_columns,
    case_columns,
    contact_columns,
    customers_of,
    text_of,
    time_of,
)
from caseline.crm.servicenow._settings import Settings
from caseline.errors import CrmForbiddenError

PAGE, KEYS = 200, 500
CREATED, UPDATED = "sys_created_on", "sys_updated_on"
LOGS = (JOURNAL, DELETIONS)


class Changes:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, store: CaseStore, user: str, clock: Callable[[], datetime]) -> None:
        self._store, self._api, self._settings, self._optional, self._teller = store, api, settings, optional, Teller(settings, user)
        self._tellers: Mapping[str, Callable[[Mapping[str, Any]], Change | None]] = {
            settings.case_table: self._teller.case, settings.contact_table: self._teller.contact, settings.account_table: self._teller.account,
            DELETIONS: self._teller.deleted,
        }  # fmt: skip
        names = [name for name in (settings.case_table, JOURNAL, settings.contact_table, settings.account_table, DELETIONS) if name]
        self._streams = Streams(names, self._fetch, _place, self._tell, clock, timedelta(seconds=settings.overlap), PAGE)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        return self._streams.read(cursor)

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._store.page(cursor)

    def _fetch(self, places: Mapping[str, Position]) -> dict[str, list[Row]]:
        parts = [self._part(name, place) for name, place in places.items() if self._optional.has(name)]
        return {part.table: self._rows(part, answer) for part, answer in zip(parts, self._api.batch(parts), strict=True)}

    def _part(self, name: str, place: Position) -> Part:
        at = CREATED if name in LOGS else UPDATED
        return list_part(name, f"{self._condition(name)}{after(place, at)}{in_order(at)}", self._columns(name), PAGE)

    def _condition(self, name: str) -> str:
        settings = self._settings
        tables = ",".join(filter(None, (settings.case_table, settings.contact_table, settings.account_table)))
        conditions = {
            settings.case_table: f"correlation_display={settings.display}^{settings.case_key}ISNOTEMPTY^",
            JOURNAL: f"name={settings.case_table}^elementIN{PUBLIC},{INTERNAL}^", DELETIONS: f"tablenameIN{tables}^",
        }  # fmt: skip
        return conditions.get(name, "")

    def _columns(self, name: str) -> list[str]:
        columns = {
            self._settings.case_table: case_columns, self._settings.contact_table: contact_columns, self._settings.account_table: account_columns,
        }  # fmt: skip
        if name in columns:
            return columns[name](self._settings)
        own = ["element_id", "element", "value"] if name == JOURNAL else ["documentkey", "tablename"]
        return ["sys_id", CREATED, "sys_created_by", *own]

    def _rows(self, part: Part, answer: Any) -> list[Row]:
        error = error_of(answer, part.table) if answer.status != 200 else None
        if part.table in LOGS and isinstance(error, CrmForbiddenError | NoTableError):
            self._optional.lacks(part.table)
            return []
        return rows_of(checked(answer, part.table))

    def _tell(self, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
        if name == JOURNAL:
            return self._comments(rows)
        return [change for row in rows if (change := self._tellers[name](row))]

    def _comments(self, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
        """Those of our cases; whose an entry is, only its case tells."""
        told = [change for row in rows if (change := self._teller.comment(row, ""))]
        if not told:
            return []
        key = self._settings.case_key
        part = list_part(self._settings.case_table, id_in("sys_id", dict.fromkeys(change.crm_id for change in told)), ["sys_id", key, *LOGINS], KEYS)
        cases = {text_of(case, "sys_id"): case for case in rows_of(self._api.call(part.method, part.path, part.table)) if text_of(case, key)}
        kept = [(row, case) for row in rows if (case := cases.get(text_of(row, "element_id")))]
        return [change for row, case in kept if (change := self._teller.comment(row, text_of(case, key), customers_of(case)))]


def _place(name: str, row: Mapping[str, Any]) -> tuple[datetime, str]:
    return time_of(row, CREATED if name in LOGS else UPDATED), text_of(row, "sys_id")
