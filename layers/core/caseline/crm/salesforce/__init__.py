"""Salesforce Service Cloud over REST: account value, cases by external id, comments.

Login by client credentials or JWT bearer. The fields and the permission set it needs are in infra/crm/salesforce.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from caseline.crm import CaseRecord, Match, SavedCase
from caseline.crm._http import HttpApi, Limits
from caseline.crm.salesforce._accounts import Accounts
from caseline.crm.salesforce._api import Api
from caseline.crm.salesforce._cases import Cases
from caseline.crm.salesforce._fields import OptionalFields
from caseline.crm.salesforce._login import Login
from caseline.crm.salesforce._settings import read_settings


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now, limits: Limits = Limits(), **_: Any  # noqa: B008
) -> Salesforce:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/salesforce. ConfigError where either is wrong."""
    return Salesforce(settings, secret, session, clock, limits)


class Salesforce:
    name = "salesforce"

    def __init__(self, given: Mapping[str, Any], secret: Mapping[str, Any], session: Any, clock: Callable[[], datetime], limits: Limits) -> None:
        settings, self._optional = read_settings(given), OptionalFields()
        http = HttpApi("Salesforce", settings.instance_url, session, limits, clock=clock)
        self._api = Api(http, Login(http, secret, settings.audience, clock), settings.api_version)
        self._accounts = Accounts(self._api, settings, self._optional, http.base_url, clock)
        self._cases = Cases(self._api, settings, self._optional, http.base_url)

    @property
    def api_usage(self) -> tuple[int, int] | None:
        """Calls made and calls allowed in the org's last 24 hours, as the last answer said."""
        return self._api.usage

    @property
    def missing_fields(self) -> frozenset[str]:
        """What the org lacks (`case.cx_version__c`, `contract`) and is done without."""
        return frozenset(self._optional.missing)

    def find_account(self, identities: Sequence[str]) -> Match:
        """By e-mail, phone and handle; with account value as facts. At most three calls, for an ambiguous match too."""
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """Upsert by external id. An older or equal version changes nothing; priority and owner that people set stand."""
        return self._cases.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """An internal comment, once for each note id."""
        self._cases.add_note(crm_id, note_id, text)
