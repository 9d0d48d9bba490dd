"""Any CRM that a mapping describes, as Caseline sees it.

Calls, without logins: a new case takes one for each request under `people.find` that has something to ask for, one for the accounts where people come
without them, one to make the case, and one for its notes where they cannot go with it. A later save takes one where only our own fields change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._mapped._accounts import Accounts
from caseline.crm._mapped._api import Api
from caseline.crm._mapped._cases import Cases, CaseStore
from caseline.crm._mapped._changes import Changes
from caseline.crm._mapped._login import Login
from caseline.crm._mapped._people import People
from caseline.crm._mapped._rows import Reader
from caseline.crm._mapped._settings import Settings, read_settings
from caseline.crm._mapped._setup import SetUp

Clock = Callable[[], datetime]


class MappedCrm(Adapter):
    """`native_upsert` where the CRM itself refuses a second case of one key."""

    label = "REST"

    def __init__(self, settings: Settings, secret: Mapping[str, Any], session: Any, clock: Clock, limits: Limits) -> None:
        place, mapped = settings.place, settings.mapped
        http = HttpApi(self.label, place.instance_url, session, limits, clock=clock)
        api = Api(http, Login(http, mapped.login, secret, self.label, place.prefix, clock), mapped, self.label, place.prefix)
        reader = Reader(mapped, place.phone_region)
        accounts, store = Accounts(api, mapped, place.currency, reader, self.label, clock), CaseStore(api, mapped, reader)
        people, changes = People(api, mapped, reader, accounts), Changes(api, mapped, reader, store, clock)
        super().__init__(api, accounts, Cases(store), people, changes, SetUp(api, mapped), mapped.words)
        self.native_upsert = mapped.cases.unique


class Rest(MappedCrm):
    name = "rest"

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Clock, limits: Limits) -> None:
        super().__init__(read_settings(given), secret, session, clock, limits)
