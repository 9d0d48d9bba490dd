"""The HubSpot CRM as Caseline sees it.

Calls, without logins: a new case takes two (one search, one create), its notes none more; a later save one where only our own properties change,
two where people may have set something or notes are added. HubSpot has no conditional write: a version is compared before it is written wherever
the ticket is read anyway, and the outbox's lease does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Note, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm._schema import SchemaField
from caseline.crm.hubspot._accounts import Accounts
from caseline.crm.hubspot._api import Api
from caseline.crm.hubspot._cases import Cases
from caseline.crm.hubspot._changes import Changes
from caseline.crm.hubspot._contacts import Contacts
from caseline.crm.hubspot._login import Login
from caseline.crm.hubspot._settings import read_settings
from caseline.crm.hubspot._setup import SetUp
from caseline.errors import CrmError

RECORD_PAGES = {"contacts": "0-1", "companies": "0-2", "tickets": "0-5"}


class HubSpot:
    name = "hubspot"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        self._settings, optional = read_settings(given), OptionalFields("HubSpot")
        http = HttpApi("HubSpot", self._settings.instance_url, session, limits, clock=clock)
        self._login = Login(http, secret, self._settings.token_path, clock)
        self._api = Api(http, self._login, self._settings)
        self._accounts = Accounts(self._api, self._settings, optional, self._link, clock)
        self._cases = Cases(self._api, self._settings, optional, self._link, clock)
        self._contacts = Contacts(self._api, self._settings, optional, self._accounts)
        self._changes = Changes(self._api, self._login, self._settings, clock)
        self._setup = SetUp(self._api, self._login, self._settings)

    @property
    def usage(self) -> Usage | None:
        return self._api.usage

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle, with account value as facts: one search, and one batch read where contacts carry no copies of it."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        return self._cases.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Two workers that add notes to one ticket at the same moment could lose one: the outbox's lease keeps them apart."""
        self._cases.add_note(crm_id, Note(note_id, text))

    def write_profile(self, profile: Profile) -> None:
        """One call each for contact and company. HubSpot has child records only as custom objects of its largest edition: `events` are not written."""
        self._contacts.write(profile)

    def create_contact(self, contact: NewContact) -> Account:
        """A lead is a contact of the lifecycle stage lead, as is any that Caseline makes."""
        return self._contacts.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """See `_changes` for what HubSpot tells."""
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        """By search, which does not show what was made within the last seconds."""
        return self._cases.page(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)

    def _link(self, kind: str, record_id: str) -> str:
        portal = self._settings.portal_id or self._api.portal_id or self._portal_of_token()
        return f"{self._settings.app_url}/contacts/{portal}/record/{RECORD_PAGES[kind]}/{record_id}" if portal and record_id else self._settings.app_url

    def _portal_of_token(self) -> str:
        """A link is not worth an error: the record has been read or written by now."""
        try:
            return self._login.about().portal_id
        except CrmError:
            return ""
