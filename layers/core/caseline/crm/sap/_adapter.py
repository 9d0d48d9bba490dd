"""SAP as Caseline sees it.

Calls, without logins (a technical user's CSRF token is one, of its session):

              find an account   new case   with notes   news of ours   with notes, or where people may have a say
    V2        3                 1          2            1              2, with notes 3
    C4C       2                 1          1            1              2

A stranger's account is one call. A case is written only if nobody changed it since the last answer that this process had of it (If-Match); else it is read, two
calls more. A process that has seen nothing of it writes news of our own fields unread, under the outbox's lease; the answer shows what stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, CaseRecord, Change, Finding, Match, NewContact, Note, Profile, SavedCase, StandingCase, Step
from caseline.crm._http import HttpApi, Limits
from caseline.crm._keeping import Keeper
from caseline.crm._optional import OptionalFields
from caseline.crm._schema import SchemaField
from caseline.crm.sap._accounts import Accounts
from caseline.crm.sap._c4c import C4c
from caseline.crm.sap._cases import Cases
from caseline.crm.sap._changes import Changes
from caseline.crm.sap._people import People
from caseline.crm.sap._product import Product
from caseline.crm.sap._session import Session
from caseline.crm.sap._settings import read_settings
from caseline.crm.sap._setup import SetUp
from caseline.crm.sap._v2 import V2


class Sap:
    name = "sap"
    native_upsert = False
    usage = None  # SAP does not tell

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("SAP")
        http, login = (HttpApi("SAP", url, session, limits, clock=clock) for url in (settings.instance_url, settings.login_url or settings.instance_url))
        us = Session(http, login, secret, settings, clock)
        product: Product = C4c(us, settings) if settings.is_c4c else V2(us, settings)
        self._cases = Cases(product, settings, optional, http.base_url)
        self._keeper, self._accounts = Keeper(self._cases), Accounts(product, settings, optional, clock)
        self._people = People(product, settings, optional, self._accounts)
        self._changes, self._setup = Changes(product, settings, self._accounts, clock), SetUp(product, settings)

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle, with account value as facts."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """SAP has no merge that leaves a trace: a case that is gone is looked for by its key, and made again."""
        return self._keeper.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._keeper.add_note(crm_id, Note(note_id, text))

    def write_profile(self, profile: Profile) -> None:
        self._people.write(profile)

    def create_contact(self, contact: NewContact) -> Account:
        return self._people.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """See `_changes` for what SAP does not tell."""
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._cases.page(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)
