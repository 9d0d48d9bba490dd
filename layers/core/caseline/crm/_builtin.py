"""The built-in CRM as an adapter, and what people do in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Change, Finding, Step
from caseline.crm._adapter import Adapter
from caseline.crm._builtin_accounts import Accounts
from caseline.crm._builtin_cases import Cases
from caseline.crm._builtin_contacts import Contacts
from caseline.crm._builtin_import import ImportReport, import_accounts
from caseline.crm._builtin_log import Log
from caseline.crm._schema import SchemaField
from caseline.table import Table


class NothingToSetUp:
    """It stands in Caseline's own table, over no wire."""

    usage = None

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return []

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return []

    def apply(self, step: Step) -> None:
        """There is nothing to set up."""


class Changes:
    """What people did to cases, and what files said anew of contacts and accounts, kept for 30 days; all cases by status and urgency, of which one that
    changes places meanwhile may be listed twice or not: it is in the next list."""

    def __init__(self, log: Log, cases: Cases) -> None:
        self.read, self.list_cases = log.read, cases.list_page


class BuiltinCrm(Adapter):
    name = "builtin"
    native_upsert = True

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table, self._clock, log = table, clock, Log(table, clock)
        accounts, self._work, nothing = Accounts(table, clock), Cases(table, clock, log), NothingToSetUp()
        super().__init__(nothing, accounts, self._work, Contacts(table, accounts, clock), Changes(log, self._work), nothing)

    def import_accounts(self, data: bytes) -> ImportReport:
        """Accounts and contacts of a CSV file, a row per contact. Importing again updates; bad rows are reported, the good ones go in."""
        return import_accounts(self._table, data, self._clock())

    # What people do.

    def update_case(self, crm_id: str, by: str, public: bool = False, **fields: Any) -> Change:
        """Status (open, pending, closed), band (P1-P4), owner, queue, outcome; None takes a setting back. `note` is seen by the customer if `public`."""
        return self._work.update(crm_id, by, fields, public)

    def delete_case(self, crm_id: str, by: str) -> Change:
        """With its notes."""
        return self._work.delete(crm_id, by)

    def read_case(self, crm_id: str) -> dict[str, Any]:
        """The case as it stands, people's settings over Caseline's, with `auto_band`, `edits` and `notes`."""
        return self._work.read(crm_id)

    def most_urgent(self, status: str = "open", limit: int = 50) -> list[dict[str, Any]]:
        """The most urgent first."""
        return self._work.most_urgent(status, limit)
