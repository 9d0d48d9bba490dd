"""The Oracle adapter: one Fusion pod over REST.

Calls, without logins: a new case takes three (contacts, their accounts with what hangs on these, the case with its messages), or two where nobody is
found. A later save takes one where only our own fields change and new notes are told, two where people may have set something; a profile two; a poll
one, and one for each new message. Whether a pod matches our key in an upsert is the tenant's set-up, so it is not relied upon: Caseline's own claim keeps two
savers apart, and a repeat looks for the key first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._keeping import KeptCases
from caseline.crm._optional import OptionalFields
from caseline.crm.oracle._accounts import Accounts
from caseline.crm.oracle._api import Api
from caseline.crm.oracle._cases import CaseKeeper, CaseStore
from caseline.crm.oracle._changes import Changes
from caseline.crm.oracle._login import Login
from caseline.crm.oracle._people import People
from caseline.crm.oracle._settings import read_settings
from caseline.crm.oracle._setup import SetUp


class Oracle(Adapter):
    name = "oracle"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("Oracle")

        def connect(host: str) -> HttpApi:
            return HttpApi("Oracle", host, session, limits, clock=clock)

        login = Login(connect, secret, settings, clock)
        api, user = Api(connect(settings.instance_url), login, settings, optional), settings.user or login.user
        accounts, store = Accounts(api, settings, optional, clock), CaseStore(api, settings, optional)
        people, changes = People(api, settings, optional, accounts), Changes(api, settings, optional, store, user, clock)
        super().__init__(api, accounts, KeptCases(CaseKeeper(store), optional, store.required), people, changes, SetUp(api, settings, user), settings)
