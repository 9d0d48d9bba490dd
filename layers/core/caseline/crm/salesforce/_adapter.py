"""The Salesforce adapter: one org over REST, with a login that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm._schema import SchemaField
from caseline.crm.salesforce._accounts import Accounts
from caseline.crm.salesforce._api import Api
from caseline.crm.salesforce._cases import Cases
from caseline.crm.salesforce._changes import Changes
from caseline.crm.salesforce._login import Login
from caseline.crm.salesforce._people import People
from caseline.crm.salesforce._settings import read_settings
from caseline.crm.salesforce._setup import Setup


class Salesforce:
    name = "salesforce"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, self._optional = read_settings(given), OptionalFields("Salesforce")
        http = HttpApi("Salesforce", settings.instance_url, session, limits, clock=clock)
        self._api = Api(http, Login(http, secret, settings.audience, clock), settings.api_version)
        self._accounts = Accounts(self._api, settings, self._optional, http.base_url, clock)
        self._cases = Cases(self._api, settings, self._optional, http.base_url)
        self._people = People(self._api, settings, self._optional, http.base_url)
        self._changes = Changes(self._api, settings, self._optional, clock)
        self._setup = Setup(self._api, settings)

    @property
    def usage(self) -> Usage | None:
        """Of the org's calls in 24 hours, as the last answer said."""
        return self._api.usage

    @property
    def missing_fields(self) -> frozenset[str]:
        """What the org lacks (`case.cx_version__c`, `contract`) and is done without."""
        return frozenset(self._optional.missing)

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle, with account value as facts: one call, for an ambiguous match too; two with `phone_search`."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """One call for a new case with its notes, one for a later save where nobody came between, else two."""
        return self._cases.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """An internal comment, once for each note id."""
        self._cases.add_note(crm_id, note_id, text)

    def write_profile(self, profile: Profile) -> None:
        """One call for contact, account and history."""
        self._people.write_profile(profile)

    def create_contact(self, contact: NewContact) -> Account:
        """Looked for by customer key and e-mail first; a lead has the contact's own key field where that is installed on Lead too."""
        return self._people.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """One call where all is read. What a person set just before a save of ours is seen by its difference (priority, owner, queue), or by
        that save's answer (status); a contact or account that we wrote after them is not told. Records deleted for good leave no trace.
        """
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._changes.list_cases(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)
