"""Settings of the Salesforce adapter: which host, which fields, which values. The defaults are what infra/crm/salesforce installs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm import TIERS
from caseline.crm._settings import read_settings as read_typed
from caseline.crm.salesforce._soql import is_name
from caseline.errors import ConfigError

# Case fields that Caseline writes; case_key is the external id and must exist, the others may be absent.
CASE_FIELDS = {
    "case_key": "CX_Case_Key__c",
    "version": "CX_Version__c",
    "score": "CX_Score__c",
    "band": "CX_Band__c",
    "reasons": "CX_Reasons__c",
    "headline": "CX_Headline__c",
    "category": "CX_Category__c",
    "link": "CX_Link__c",
}
# Account fields that facts are read from; Owner.Name and the like work too.
ACCOUNT_FIELDS = {
    "tier": "CX_Tier__c",
    "product_tier": "CX_Product_Tier__c",
    "lifecycle_stage": "CX_Lifecycle__c",
    "annual_revenue": "AnnualRevenue",
    "owner": "Owner.Name",
}


@dataclass(frozen=True)
class Settings:
    """As under `crm:` in config.yaml. `tiers` and `priorities` map to and from the org's own values; `queues` maps a queue to its 00G id.

    `currency` is what SUM(Amount) answers in (the org's own); `phone_country_code` ("44") reads numbers stored without one.
    `active_contracts` are the values of Contract.Status that mean a paid contract. `leads` looks for leads where no contact is found.
    """

    instance_url: str = ""
    api_version: str = "66.0"
    audience: str = "https://login.salesforce.com"
    case_fields: Mapping[str, str] = field(default_factory=lambda: CASE_FIELDS)
    account_fields: Mapping[str, str] = field(default_factory=lambda: ACCOUNT_FIELDS)
    handles_field: str = "CX_Handles__c"
    tiers: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "High", "P2": "High", "P3": "Medium", "P4": "Low"})
    queues: Mapping[str, str] = field(default_factory=dict)
    active_contracts: tuple[str, ...] = ("Activated",)
    status_new: str = "New"
    status_closed: str = "Closed"
    origin: str = "Web"
    currency: str = ""
    phone_country_code: str = ""
    allow_duplicates: bool = True
    leads: bool = False

    def tier(self, value: str) -> str | None:
        """The org's value as one of TIERS; None where it is neither mapped nor one already."""
        known = {name.casefold(): tier for name, tier in self.tiers.items()}
        tier = known.get(value.casefold(), value.casefold())
        return tier if tier in TIERS else None


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_typed(Settings, "salesforce", given)
    _check_names([*settings.case_fields.values(), *settings.account_fields.values(), settings.handles_field])
    return settings


def _check_names(names: list[str]) -> None:
    for name in filter(None, names):
        if not is_name(name):
            raise ConfigError(f"crm: {name!r} is no field name; write an API name such as CX_Tier__c")
