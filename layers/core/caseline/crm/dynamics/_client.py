"""The adapter itself: its parts put together.

Calls, without logins: an account by all its customer's names is one, a new case with its notes and its place in a queue another. A later save is one where
only our own columns and notes change, else two: read, then write what nobody set meanwhile. A profile is one, a contact two (a lead three), changes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
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


class Dynamics(Adapter):
    name = "dynamics"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, self._optional = read_settings(given), OptionalFields("Dynamics")
        http, entra = (HttpApi("Dynamics", url, session, limits, clock=clock) for url in (settings.instance_url, settings.login_url))
        api = Api(http, Login(entra, secret, http.base_url, clock), settings.api_version)
        records, accounts = Records(settings, self._optional), Accounts(api, settings, self._optional, clock)
        cases, people = Cases(api, records, Notes(api)), People(api, settings, self._optional, accounts)
        super().__init__(api, accounts, cases, people, Changes(api, records, accounts, clock), Setup(api, settings), settings)

    @property
    def missing_fields(self) -> frozenset[str]:
        """What the organisation lacks (`incident.cx_score`) and is done without."""
        return frozenset(self._optional.missing)
