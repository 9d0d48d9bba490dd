"""Settings of the Salesforce adapter: which host, which fields, which values. The defaults are what infra/crm/salesforce installs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm import CLOSED
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import check_names
from caseline.crm._settings import read_settings as read_typed
from caseline.crm._words import Words, status_of
from caseline.crm.salesforce._soql import is_name


def _names(*keys: str) -> dict[str, str]:
    """As the package names them: CX_Case_Key__c."""
    return {key: f"CX_{key.title()}__c" for key in keys}


# Case fields that Caseline writes; case_key is the external id and must exist, the others may be absent. `outcome` is read only.
CASE_FIELDS = _names(*OF_CASES)
# Account fields that facts are read from; Owner.Name and the like work too.
ACCOUNT_FIELDS = {
    "tier": "CX_Tier__c",
    "product_tier": "CX_Product_Tier__c",
    "lifecycle_stage": "CX_Lifecycle__c",
    "annual_revenue": "AnnualRevenue",
    "owner": "Owner.Name",
}
# Where a customer's profile is written, by the keys of `Profile.values`.
CONTACT_PROFILE = _names(*OF_CONTACTS)
ACCOUNT_PROFILE = _names(*OF_ACCOUNTS)


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml. `tiers` and `priorities` map to and from the org's own values; `queues` maps a queue to its 00G id,
    `owners` a person's name in Caseline to their 005 id.

    `currency` is what SUM(Amount) answers in (the org's own); `phone_country_code` ("44") reads numbers stored without one.
    `active_contracts` are the values of Contract.Status that mean a paid contract. `leads` looks for leads where no contact is found.
    `phone_search` looks phone numbers up in the search index, one call more, where there are too many contacts for a scan.
    `closing` are fields that the org demands of a closed case. `replies` are where agents' words are read from; FeedItem may be added.
    `overlap` is for how many seconds before the newest change is read again, for rows whose transaction ended late.
    `organization_id` (00D) holds webhooks to one org, `user_id` (005) is our own user there, whose changes are no news.
    """

    instance_url: str = ""
    api_version: str = "66.0"
    audience: str = "https://login.salesforce.com"
    case_fields: Mapping[str, str] = field(default_factory=lambda: CASE_FIELDS)
    account_fields: Mapping[str, str] = field(default_factory=lambda: ACCOUNT_FIELDS)
    contact_profile: Mapping[str, str] = field(default_factory=lambda: CONTACT_PROFILE)
    account_profile: Mapping[str, str] = field(default_factory=lambda: ACCOUNT_PROFILE)
    handles_field: str = "CX_Handles__c"
    customer_key_field: str = "CX_Customer_Key__c"
    tiers: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "High", "P2": "High", "P3": "Medium", "P4": "Low"})
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    active_contracts: tuple[str, ...] = ("Activated",)
    status_new: str = "New"
    status_closed: str = "Closed"
    status_reopened: str = "Working"
    statuses_pending: tuple[str, ...] = ("On Hold", "Waiting on Customer")
    closing: Mapping[str, str] = field(default_factory=dict)
    replies: tuple[str, ...] = ("CaseComment", "EmailMessage")
    overlap: int = 180
    origin: str = "Web"
    currency: str = ""
    phone_country_code: str = ""
    phone_search: bool = False
    allow_duplicates: bool = True
    leads: bool = False
    organization_id: str = ""
    user_id: str = ""

    def priority(self, band: str) -> str:
        return self.priorities.get(band, "Medium")

    def status(self, value: str, is_closed: bool | None = None) -> str:
        """The org's status in Caseline's words; where the org did not say whether it is a closed one, by name."""
        closed = value == self.status_closed if is_closed is None else is_closed
        return CLOSED if closed else status_of(value, (), self.statuses_pending)

    def owner_id(self, owner: str, queue: str) -> str:
        """Who should own it there, "" where that is left to the org."""
        return self.owners.get(owner) or self.queues.get(queue, "")


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_typed(Settings, "salesforce", given)
    groups = (settings.case_fields, settings.account_fields, settings.contact_profile, settings.account_profile)
    names = [name for group in groups for name in group.values()]
    names += [*settings.closing, settings.handles_field, settings.customer_key_field]
    check_names(names, is_name, "no field name; write an API name such as CX_Tier__c")
    return settings
