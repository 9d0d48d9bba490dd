"""Zendesk as Caseline sees it.

Calls, without logins: a new case takes at most four (users by address and by handle, the count of open tickets, the create; a phone number takes the place
of the count). A later save takes one where only our own fields change and new notes are told, two where people may have set something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._desk import Saver
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm.zendesk._accounts import Accounts
from caseline.crm.zendesk._api import Api
from caseline.crm.zendesk._changes import Changes
from caseline.crm.zendesk._fields import TicketFields
from caseline.crm.zendesk._login import Login
from caseline.crm.zendesk._people import People
from caseline.crm.zendesk._settings import read_settings
from caseline.crm.zendesk._setup import SetUp
from caseline.crm.zendesk._tickets import Tickets
from caseline.crm.zendesk._user import Self


class Zendesk(Adapter):
    """Two savers at once carry the same Idempotency-Key, so that one ticket is made."""

    name = "zendesk"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings = read_settings(given)
        http = HttpApi("Zendesk", settings.instance_url, session, limits, clock=clock)
        api = Api(http, Login(http, secret, clock))
        fields, me, accounts = TicketFields(api, settings), Self(api, settings), Accounts(api, settings, clock)
        tickets, people = Tickets(api, settings, fields, me), People(api, settings, OptionalFields("Zendesk"), accounts)
        changes = Changes(api, settings, tickets, fields, me, clock)
        super().__init__(api, accounts, Saver(tickets, settings), people, changes, SetUp(api, settings, me), settings)
