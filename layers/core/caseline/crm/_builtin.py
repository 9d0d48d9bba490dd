"""The built-in CRM as an adapter, and what people do in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Profile, SavedCase, StandingCase, Step
from caseline.crm._builtin_accounts import Accounts
from caseline.crm._builtin_cases import Cases
from caseline.crm._builtin_contacts import Contacts
from caseline.crm._builtin_import import ImportReport, import_accounts
from caseline.crm._builtin_log import Log
from caseline.crm._schema import SchemaField
from caseline.table import Table


class BuiltinCrm:
    name = "builtin"
    native_upsert = True
    usage = None

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table, self._clock, self._log = table, clock, Log(table, clock)
        self._accounts, self._cases = Accounts(table, clock), Cases(table, clock, self._log)
        self._contacts = Contacts(table, self._accounts, clock)

    def import_accounts(self, data: bytes) -> ImportReport:
        """Accounts and contacts of a CSV file, a row per contact. Importing again updates; bad rows are reported, the good ones go in."""
        return import_accounts(self._table, data, self._clock())

    def find_account(self, identities: Sequence[str]) -> Match:
        """Exact also where several contacts of one account match; the contact is named if one matches best."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """Create or update by case key, which is the CRM's id too. An older or equal version changes nothing but adds its notes."""
        return self._cases.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Once for each note id. CrmNotFoundError if there is no such case."""
        self._cases.add_note(crm_id, note_id, text)

    def write_profile(self, profile: Profile) -> None:
        """On the rows of contact and account, events beside the contact's. CrmNotFoundError if there is no such contact or account."""
        self._contacts.write_profile(profile)

    def create_contact(self, contact: NewContact) -> Account:
        """A contact without an account, until a file brings one. Who has one of the identities already is that one."""
        return self._contacts.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """What people did to cases, and what files said anew of contacts and accounts; kept for 30 days."""
        return self._log.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        """By status and urgency. A case that changes places meanwhile may be listed twice or not; it is in the next list."""
        return self._cases.list_page(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return []

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return []

    def apply(self, step: Step) -> None:
        """There is nothing to set up."""

    # What people do.

    def update_case(self, crm_id: str, by: str, public: bool = False, **fields: Any) -> Change:
        """Status (open, pending, closed), band (P1-P4), owner, queue, outcome; None takes a setting back. `note` is seen by the customer if `public`."""
        return self._cases.update(crm_id, by, fields, public)

    def delete_case(self, crm_id: str, by: str) -> Change:
        """With its notes."""
        return self._cases.delete(crm_id, by)

    def read_case(self, crm_id: str) -> dict[str, Any]:
        """The case as it stands, people's settings over Caseline's, with `auto_band`, `edits` and `notes`."""
        return self._cases.read(crm_id)

    def most_urgent(self, status: str = "open", limit: int = 50) -> list[dict[str, Any]]:
        """The most urgent first."""
        return self._cases.most_urgent(status, limit)
