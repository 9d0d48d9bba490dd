"""The HubSpot CRM as Caseline sees it.

Calls, without logins: a new case takes two (one search, one create), its notes none more; a later save one where only our own properties change,
two where people may have set something or notes are added. HubSpot has no conditional write: a version is compared before it is written wherever
the ticket is read anyway, and the outbox's lease does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm._adapter import Adapter
from caseline.crm._http import HttpApi, Limits
from caseline.crm._optional import OptionalFields
from caseline.crm.hubspot._accounts import Accounts
from caseline.crm.hubspot._api import Api
from caseline.crm.hubspot._cases import Cases
from caseline.crm.hubspot._changes import Changes
from caseline.crm.hubspot._contacts import Contacts
from caseline.crm.hubspot._login import Login
from caseline.crm.hubspot._settings import Settings, read_settings
from caseline.crm.hubspot._setup import SetUp
from caseline.errors import CrmError

RECORD_PAGES = {"contacts": "0-1", "companies": "0-2", "tickets": "0-5"}


class HubSpot(Adapter):
    name = "hubspot"
    native_upsert = True

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, optional = read_settings(given), OptionalFields("HubSpot")
        http = HttpApi("HubSpot", settings.instance_url, session, limits, clock=clock)
        login = Login(http, secret, settings.token_path, clock)
        api = Api(http, login, settings)
        link = _linker(settings, api, login)
        accounts, cases = Accounts(api, settings, optional, link, clock), Cases(api, settings, optional, link, clock)
        contacts, changes = Contacts(api, settings, optional, accounts), Changes(api, login, settings, cases, clock)
        super().__init__(api, accounts, cases, contacts, changes, SetUp(api, login, settings), settings)


def _linker(settings: Settings, api: Api, login: Login) -> Callable[[str, str], str]:
    """Of a record's kind and id, its page; the portal's first page where nobody knows the portal."""

    def link(kind: str, record_id: str) -> str:
        portal = settings.portal_id or api.portal_id or _portal_of(login)
        return f"{settings.app_url}/contacts/{portal}/record/{RECORD_PAGES[kind]}/{record_id}" if portal and record_id else settings.app_url

    return link


def _portal_of(login: Login) -> str:
    """A link is not worth an error: the record has been read or written by now."""
    try:
        return login.about().portal_id
    except CrmError:
        return ""
