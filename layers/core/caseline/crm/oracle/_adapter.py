"""The Oracle adapter: one Fusion pod over REST.

Calls, without logins: a new case takes three (contacts, their accounts with what hangs on these, the case with its messages), or two where nobody is
found. A later save takes one where only our own fields change, two where people may have set something or notes are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Note, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm._schema import SchemaField
from caseline.crm.oracle._accounts import Accounts
from caseline.crm.oracle._api import Api
from caseline.crm.oracle._cases import CaseKeeper, CaseStore
from caseline.crm.oracle._changes import Changes
from caseline.crm.oracle._login import Login
from caseline.crm.oracle._people import People
from caseline.crm.oracle._rows import CASES
from caseline.crm.oracle._settings import read_settings
from caseline.crm.oracle._setup import SetUp


class Oracle:
    """Whether a pod matches our key in an upsert is the tenant's set-up, so it is not relied upon: Caseline's own claim keeps two savers apart."""

    name = "oracle"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, self._optional = read_settings(given), OptionalFields("Oracle")

        def connect(host: str) -> HttpApi:
            return HttpApi("Oracle", host, session, limits, clock=clock)

        login = Login(connect, secret, settings, clock)
        api = Api(connect(settings.instance_url), login, settings, self._optional)
        self._required = [f"{CASES}.{settings.case_fields['case_key']}"]
        self._accounts = Accounts(api, settings, self._optional, clock)
        self._store = CaseStore(api, settings, self._optional)
        self._keeper = CaseKeeper(self._store)
        self._people = People(api, settings, self._optional, self._accounts)
        self._changes = Changes(api, settings, self._optional, settings.user or login.user, clock)
        self._setup = SetUp(api, settings)

    @property
    def usage(self) -> Usage | None:
        """Fusion does not say what is left."""
        return None

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle, with account value as facts: two calls, one where nobody is found."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        return self._optional.attempt(lambda: self._keeper.save(record), self._required)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """An internal message."""
        self._optional.attempt(lambda: self._keeper.add_note(crm_id, Note(note_id, text)), self._required)

    def write_profile(self, profile: Profile) -> None:
        """Two calls. There are no child records of ours: `events` are left out."""
        self._people.write_profile(profile)

    def create_contact(self, contact: NewContact) -> Account:
        return self._people.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """One call, and one for each new message; see `_changes` for what Fusion tells."""
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._optional.attempt(lambda: self._store.page(cursor), self._required)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)
