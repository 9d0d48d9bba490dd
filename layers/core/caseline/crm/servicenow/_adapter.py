"""The ServiceNow adapter: one instance over REST.

Calls, without logins: a new case takes three (contacts with their accounts, what hangs on these, the case with its notes), or two where nobody is found.
A later save takes one where only our own fields change, two where people may have set something or notes are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Note, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._http import HttpApi, Limits
from caseline.crm._keeping import Keeper
from caseline.crm._optional import OptionalFields
from caseline.crm._schema import SchemaField
from caseline.crm.servicenow._accounts import Accounts
from caseline.crm.servicenow._api import Api
from caseline.crm.servicenow._cases import CaseStore
from caseline.crm.servicenow._changes import Changes
from caseline.crm.servicenow._login import Login
from caseline.crm.servicenow._people import People
from caseline.crm.servicenow._settings import read_settings
from caseline.crm.servicenow._setup import SetUp


class ServiceNow:
    name = "servicenow"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("ServiceNow")
        http = HttpApi("ServiceNow", settings.instance_url, session, limits, clock=clock)
        login = Login(http, secret, settings.token_path, clock)
        self._api = Api(http, login, clock)
        user = settings.user or login.user
        self._accounts = Accounts(self._api, settings, optional, clock)
        self._store = CaseStore(self._api, settings, optional)
        self._keeper = Keeper(self._store)
        self._people = People(self._api, settings, optional, self._accounts)
        self._changes = Changes(self._api, settings, optional, user, clock)
        self._setup = SetUp(self._api, settings, user)

    @property
    def usage(self) -> Usage | None:
        return self._api.usage

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle, with account value as facts: two calls, one where nobody is found."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """ServiceNow has no upsert of records: Caseline's own claim keeps two savers apart, and a repeat looks for the key first."""
        return self._keeper.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """A work note, which customers do not see."""
        self._keeper.add_note(crm_id, Note(note_id, text))

    def write_profile(self, profile: Profile) -> None:
        """One call. There are no child records of ours: `events` are left out."""
        self._people.write_profile(profile)

    def create_contact(self, contact: NewContact) -> Account:
        return self._people.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """One call, and one more where there are comments; see `_changes` for what ServiceNow tells."""
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._store.page(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)
