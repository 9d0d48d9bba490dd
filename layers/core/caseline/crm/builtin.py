"""The built-in CRM: accounts and contacts from CSV, cases that people work, all in Caseline's own table.

For teams that try Caseline or have no CRM. Accounts come in from CSV files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from caseline.crm import CaseRecord, Change, Match, SavedCase
from caseline.crm._builtin_accounts import Accounts
from caseline.crm._builtin_cases import Cases
from caseline.crm._builtin_import import ImportReport, import_accounts
from caseline.table import Table


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any] | None = None, secret: Mapping[str, Any] | None = None, *, table: Table, clock: Callable[[], datetime] = utc_now, **_: Any
) -> BuiltinCrm:
    """`table` is Caseline's table; it has neither settings nor a secret."""
    return BuiltinCrm(table, clock)


class BuiltinCrm:
    name = "builtin"

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table, self._clock = table, clock
        self._accounts, self._cases = Accounts(table, clock), Cases(table, clock)

    def import_accounts(self, data: bytes) -> ImportReport:
        """Accounts and contacts of a CSV file, a row per contact. Importing again updates; bad rows are reported, the good ones go in."""
        return import_accounts(self._table, data, self._clock())

    def find_account(self, identities: Sequence[str]) -> Match:
        """Exact also where several contacts of one account match; the contact is named if one matches best."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """Create or update by case key. An older or equal version changes nothing; what people set stands."""
        return self._cases.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Once for each note id. CrmNotFoundError if there is no such case."""
        self._cases.add_note(crm_id, note_id, text)

    def update_case(self, crm_id: str, by: str, **fields: Any) -> Change:
        """A person's work on a case: status (open, pending, closed), band (P1-P4), owner, queue, note. None takes a setting back."""
        return self._cases.update(crm_id, by, fields)

    def read_case(self, crm_id: str) -> dict[str, Any]:
        """The case as it stands, people's settings over Caseline's, with `auto_band`, `edits` and `notes`."""
        return self._cases.read(crm_id)

    def list_cases(self, status: str = "open", limit: int = 50) -> list[dict[str, Any]]:
        """The most urgent first."""
        return self._cases.most_urgent(status, limit)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """What people did to cases since the cursor, oldest first, at least once; and the next cursor."""
        return self._cases.read_changes(cursor)
