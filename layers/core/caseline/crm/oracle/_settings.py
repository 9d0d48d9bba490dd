"""Settings of the Oracle adapter: which resources, which fields, which lookup codes. The door reads them too: nothing heavy here.

Lookup codes are a tenant's own data: the defaults are those that Oracle ships.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import check_case_key, check_names
from caseline.crm._settings import read_settings as read_fields
from caseline.crm._words import Words, status_of
from caseline.errors import ConfigError


def _names(*keys: str) -> dict[str, str]:
    """As Application Composer names custom fields: CXCaseKey_c."""
    return {key: f"CX{key.title().replace('_', '')}_c" for key in keys}


CASE_FIELDS = _names(*OF_CASES, "notes")
ACCOUNT_PROFILE = _names(*OF_ACCOUNTS)
CONTACT_PROFILE = _names(*OF_CONTACTS)
FACT_FIELDS = {
    "name": "OrganizationName", **_names("tier", "product_tier"), "lifecycle_stage": "CXLifecycle_c",
    "annual_revenue": "CurrentFiscalYearPotentialRevenueAmount", "owner": "OwnerName",
}  # fmt: skip
DEAL_FIELDS = {"account": "TargetPartyId", "status": "StatusCode", "value": "Revenue", "currency": "CurrencyCode"}
CONTRACT_FIELDS = {"account": "PrimaryPartyId", "status": "Status", "ends": "EndDate"}
STATUSES = {"new": "ORA_SVC_NEW", "open": "ORA_SVC_INPROGRESS", "pending": "ORA_SVC_WAITING", "closed": "ORA_SVC_RESOLVED"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml.

    `instance_url` is the pod's, `login_url` and `scope` those of its identity domain (not needed for Basic). `user` is the login name of our own user
    there, whose writes are no news; it is taken from the secret where that has one. `case_fields`, `contact_profile`, `account_profile` name the fields
    Caseline writes, `fact_fields` those of the account, `deal_fields` and `contract_fields` those of the resources that value is read from; "" switches
    one off, as it does a whole resource. `statuses` maps new, open, pending and closed to status codes, `closed_statuses` are all that mean closed,
    `final_statuses` those in which Fusion lets nothing be changed, `closing` is written with it. `queues` maps a queue to a QueueId, `owners` an owner to
    a resource id, `tiers` the tenant's words to ours. `messages` are the types of a note that customers do not see, and of one that they do,
    `comments` the types that are read as what agents said, `html_messages` those whose text is HTML. `fold_emails`: addresses are looked for without regard
    to case (UPPER in a query). `overlap` is in seconds.
    """

    instance_url: str = ""
    base_path: str = "/crmRestApi/resources/11.13.18.05"
    framework_version: str = "4"
    login_url: str = ""
    token_path: str = "/oauth2/v1/token"
    scope: str = "urn:opc:resource:consumer::all"
    user: str = ""
    case_fields: Mapping[str, str] = field(default_factory=lambda: dict(CASE_FIELDS))
    contact_profile: Mapping[str, str] = field(default_factory=lambda: dict(CONTACT_PROFILE))
    account_profile: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_PROFILE))
    fact_fields: Mapping[str, str] = field(default_factory=lambda: dict(FACT_FIELDS))
    deal_resource: str = "opportunities"
    deal_fields: Mapping[str, str] = field(default_factory=lambda: dict(DEAL_FIELDS))
    won_statuses: tuple[str, ...] = ("WON",)
    contract_resource: str = "subscriptions"
    contract_fields: Mapping[str, str] = field(default_factory=lambda: dict(CONTRACT_FIELDS))
    active_contracts: tuple[str, ...] = ("ORA_ACTIVE", "ACTIVE")
    phone_fields: tuple[str, ...] = ("FormattedWorkPhoneNumber", "FormattedMobileNumber")
    phone_field: str = "MobileNumber"
    handles_field: str = "CXHandles_c"
    customer_key_field: str = "CXCustomerKey_c"
    tiers: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, str] = field(default_factory=lambda: {f"P{number}": f"ORA_SVC_SEV{number}" for number in range(1, 5)})
    statuses: Mapping[str, str] = field(default_factory=lambda: dict(STATUSES))
    closed_statuses: tuple[str, ...] = ("ORA_SVC_RESOLVED", "ORA_SVC_CLOSED")
    final_statuses: tuple[str, ...] = ("ORA_SVC_CLOSED",)
    closing: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=lambda: {"internal": "ORA_SVC_INTERNAL_NOTE", "public": "ORA_SVC_RESPONSE"})
    comments: tuple[str, ...] = ("ORA_SVC_INTERNAL_NOTE", "ORA_SVC_RESPONSE")
    html_messages: tuple[str, ...] = ("ORA_SVC_RESPONSE",)
    fold_emails: bool = True
    channel: str = "ORA_SVC_WEB"
    phone_country_code: str = ""
    overlap: int = 120

    def status(self, code: str) -> str:
        return status_of(code, (*self.closed_statuses, self.statuses["closed"]), (self.statuses["pending"],))


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_fields(Settings, "oracle", given)
    groups = (
        settings.case_fields, settings.contact_profile, settings.account_profile, settings.fact_fields, settings.deal_fields, settings.contract_fields,
    )  # fmt: skip
    single = (settings.handles_field, settings.customer_key_field, settings.phone_field, settings.deal_resource, settings.contract_resource)
    names = [*(name for group in groups for name in group.values()), *settings.closing, *settings.phone_fields, *single]
    check_names(names, _NAME.match, "no attribute; write its API name, such as CXTier_c")
    for number in filter(None, [*settings.queues.values(), *settings.owners.values()]):
        if not number.isdecimal():
            raise ConfigError("crm.queues and crm.owners: write ids, which are numbers")
    check_case_key(settings.case_fields)
    return settings
