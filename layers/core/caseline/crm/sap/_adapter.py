"""SAP as Caseline sees it.

Calls, without logins (a technical user's CSRF token is one, of its session):

              find an account   new case   with notes   news of ours   with notes, or where people may have a say
    V2        3                 1          1            1              2, with notes 3
    C4C       2                 1          1            1              2

A stranger's account is one call. A case is written only if nobody changed it since the last answer that this process had of it (If-Match); else it is read, two
calls more. A process that has seen nothing of it writes news of our own fields unread, under the outbox's lease; the answer shows what stands. One whose own
write was the last adds notes without reading: one call on C4C, two on V2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm.sap._accounts import Accounts
from caseline.crm.sap._c4c import C4c
from caseline.crm.sap._cases import Cases
from caseline.crm.sap._changes import Changes
from caseline.crm.sap._people import People
from caseline.crm.sap._product import Product
from caseline.crm.sap._session import Session
from caseline.crm.sap._settings import read_settings
from caseline.crm.sap._setup import SetUp
from caseline.crm.sap._store import Store
from caseline.crm.sap._v2 import V2


class Sap(Adapter):
    name = "sap"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("SAP")
        http, login = (HttpApi("SAP", url, session, limits, clock=clock) for url in (settings.instance_url, settings.login_url or settings.instance_url))
        us = Session(http, login, secret, settings, clock)
        product: Product = C4c(us, settings) if settings.is_c4c else V2(us, settings)
        store, accounts = Store(product, settings, optional, http.base_url), Accounts(product, settings, optional, clock)
        people, changes = People(product, settings, optional, accounts), Changes(product, settings, store, accounts, clock)
        super().__init__(us, accounts, Cases(store), people, changes, SetUp(product, settings), settings)
