"""Freshdesk as Caseline sees it.

Calls: a new case takes at most four (a search for the contact, its company, the company's tickets, the create). A later save takes one where only our own
fields change, two where people may have set something, and one more for all its notes together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._desk import Saver
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm.freshdesk._accounts import Accounts
from caseline.crm.freshdesk._api import Api
from caseline.crm.freshdesk._changes import Changes
from caseline.crm.freshdesk._people import People
from caseline.crm.freshdesk._settings import read_settings
from caseline.crm.freshdesk._setup import SetUp
from caseline.crm.freshdesk._tickets import Tickets
from caseline.crm.freshdesk._user import Self


class Freshdesk(Adapter):
    name = "freshdesk"
    native_upsert = False

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("Freshdesk")
        api = Api(HttpApi("Freshdesk", settings.instance_url, session, limits, clock=clock), secret, settings.rate_window)
        me, accounts, tickets = Self(api, settings), Accounts(api, settings, clock), Tickets(api, settings, optional, clock)
        people, changes = People(api, settings, optional, accounts, clock), Changes(api, settings, tickets, accounts, me, clock)
        super().__init__(api, accounts, Saver(tickets, settings), people, changes, SetUp(api, settings, me), settings)
