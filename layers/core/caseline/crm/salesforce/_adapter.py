"""The Salesforce adapter: one org over REST, with a login that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm.salesforce._accounts import Accounts
from caseline.crm.salesforce._api import Api
from caseline.crm.salesforce._cases import Cases
from caseline.crm.salesforce._changes import Changes
from caseline.crm.salesforce._login import Login
from caseline.crm.salesforce._people import People
from caseline.crm.salesforce._settings import read_settings
from caseline.crm.salesforce._setup import Setup


class Salesforce(Adapter):
    """Calls: an account one, for an ambiguous match too (two with `phone_search`); a new case with its notes one; a later save one where nobody came
    between, else two; a profile with its history one; what changed one, where all is read.

    What a person set just before a save of ours is seen by its difference (priority, owner, queue), or by that save's answer (status); a contact or account
    that we wrote after them is not told. Records deleted for good leave no trace.
    """

    name = "salesforce"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, self._optional = read_settings(given), OptionalFields("Salesforce")
        http = HttpApi("Salesforce", settings.instance_url, session, limits, clock=clock)
        api = Api(http, Login(http, secret, settings.audience, clock), settings.api_version)
        accounts, cases = Accounts(api, settings, self._optional, http.base_url, clock), Cases(api, settings, self._optional, http.base_url)
        people, changes = People(api, settings, self._optional, http.base_url), Changes(api, settings, self._optional, clock)
        super().__init__(api, accounts, cases, people, changes, Setup(api, settings), settings)

    @property
    def missing_fields(self) -> frozenset[str]:
        """What the org lacks (`case.cx_version__c`, `contract`) and is done without."""
        return frozenset(self._optional.missing)
