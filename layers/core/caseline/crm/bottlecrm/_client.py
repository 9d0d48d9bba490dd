"""The BottleCRM adapter.

Calls: a new case takes two to four (contacts by each identity that is not at hand yet, the account, the ticket with its first notes). A later save takes
one where only our own fields change, two with notes or where people may have set something, three with both. BottleCRM has neither an upsert nor conditional
writes: it refuses a ticket of a name that is there, so a ticket's name ends with a mark of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._keeping import FieldKeeper, KeptCases
from caseline.crm._optional import OptionalFields
from caseline.crm.bottlecrm._accounts import Accounts
from caseline.crm.bottlecrm._api import Api
from caseline.crm.bottlecrm._cases import CaseStore
from caseline.crm.bottlecrm._changes import Changes
from caseline.crm.bottlecrm._me import Me
from caseline.crm.bottlecrm._people import People
from caseline.crm.bottlecrm._settings import read_settings
from caseline.crm.bottlecrm._setup import SetUp
from caseline.errors import ConfigError


class BottleCrm(Adapter):
    name = "bottlecrm"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings = read_settings(given)
        token = secret.get("token")
        if not isinstance(token, str) or not token:
            raise ConfigError("the secret of crm bottlecrm lacks token, a personal access token")
        api = Api(HttpApi("BottleCRM", settings.instance_url, session, limits, clock=clock), token)
        optional, accounts, me = OptionalFields("BottleCRM"), Accounts(api, settings, clock), Me(api)
        store = CaseStore(api, settings, optional)
        changes = Changes(api, settings, store, me, clock)
        people = People(api, settings, accounts)
        super().__init__(api, accounts, KeptCases(FieldKeeper(store), optional), people, changes, SetUp(api, settings, me), settings)
