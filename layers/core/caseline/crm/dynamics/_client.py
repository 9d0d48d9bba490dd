"""The adapter itself: its parts put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Note, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm._schema import SchemaField
from caseline.crm.dynamics._accounts import Accounts
from caseline.crm.dynamics._api import Api
from caseline.crm.dynamics._cases import Cases
from caseline.crm.dynamics._changes import Changes
from caseline.crm.dynamics._login import Login
from caseline.crm.dynamics._notes import Notes
from caseline.crm.dynamics._people import People
from caseline.crm.dynamics._records import Records
from caseline.crm.dynamics._settings import read_settings
from caseline.crm.dynamics._setup import Setup
from caseline.errors import CrmNotFoundError


class Dynamics:
    name = "dynamics"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("Dynamics")
        http, entra = (HttpApi("Dynamics", url, session, limits, clock=clock) for url in (settings.instance_url, settings.login_url))
        self._optional, self._api = optional, Api(http, Login(entra, secret, http.base_url, clock), settings.api_version)
        self._records, self._notes = Records(settings, optional), Notes(self._api)
        self._cases = Cases(self._api, self._records, self._notes)
        self._accounts = Accounts(self._api, settings, optional, clock)
        self._people = People(self._api, settings, optional, self._accounts)
        self._changes = Changes(self._api, self._records, self._accounts, clock)
        self._setup = Setup(self._api, settings)

    @property
    def usage(self) -> Usage | None:
        return self._api.usage

    @property
    def missing_fields(self) -> frozenset[str]:
        """What the organisation lacks (`incident.cx_score`) and is done without."""
        return frozenset(self._optional.missing)

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle; with account value as facts. One call."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """With its notes and its place in a queue. A new case is one call; a later save is one where only our own columns change, else two."""
        return self._cases.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Once for each note id of a case. CrmNotFoundError where the case is gone."""
        standing = self._cases.by_id(crm_id)
        if standing is None:
            raise CrmNotFoundError("Dynamics has no such case")
        survivor = self._cases.follow(standing)
        scope = survivor.get(self._records.column("case_key")) or survivor["incidentid"]
        self._notes.add(scope, f"/incidents({survivor['incidentid']})", Note(note_id, text))

    def write_profile(self, profile: Profile) -> None:
        """One call; history as notes on the contact, each once."""
        self._people.write_profile(profile)

    def create_contact(self, contact: NewContact) -> Account:
        """Two calls; three for a lead."""
        return self._people.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """What people did to cases, comments and sent mails of cases, contacts and accounts. See `_changes` for what Dynamics does not tell."""
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._changes.list_cases(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)
