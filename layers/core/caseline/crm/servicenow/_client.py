"""The ServiceNow adapter: one instance over REST.

Calls, without logins: a new case takes three (contacts with their accounts, what hangs on these, the case with its notes), or two where nobody is found.
A later save takes one where only our own fields change and new notes are told, two where people may have set something; a profile one; a poll one, and
one more where there are comments. ServiceNow has no upsert of records: Caseline's own claim keeps two savers apart, and a repeat looks for the key first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._keeping import Keeper, KeptCases
from caseline.crm._optional import OptionalFields
from caseline.crm.servicenow._accounts import Accounts
from caseline.crm.servicenow._api import Api
from caseline.crm.servicenow._cases import CaseStore
from caseline.crm.servicenow._changes import Changes
from caseline.crm.servicenow._login import Login
from caseline.crm.servicenow._people import People
from caseline.crm.servicenow._settings import read_settings
from caseline.crm.servicenow._setup import SetUp


class ServiceNow(Adapter):
    name = "servicenow"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("ServiceNow")
        http = HttpApi("ServiceNow", settings.instance_url, session, limits, clock=clock)
        login = Login(http, secret, settings.token_path, clock)
        api, user = Api(http, login, clock), settings.user or login.user
        accounts, store = Accounts(api, settings, optional, clock), CaseStore(api, settings, optional)
        people, changes = People(api, settings, optional, accounts), Changes(api, settings, optional, store, user, clock)
        super().__init__(api, accounts, KeptCases(Keeper(store), optional), people, changes, SetUp(api, settings, user), settings)
