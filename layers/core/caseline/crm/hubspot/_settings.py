"""Settings of the HubSpot adapter: which portal, which properties, which values. The door reads them too, to understand webhooks: nothing heavy here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm import CLOSED
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import check_case_key, check_choice, check_names
from caseline.crm._settings import read_settings as read_fields
from caseline.crm._words import Words, status_of
from caseline.errors import ConfigError

CASE_FIELDS = {name: f"cx_{name}" for name in (*OF_CASES, "notes")}
CONTACT_FIELDS = {name: f"cx_{name}" for name in ("handles", "customer_key", *OF_CONTACTS)}
COMPANY_FIELDS = {name: f"cx_{name}" for name in OF_ACCOUNTS}
# Company properties that facts are read from. total_revenue is HubSpot's own sum of the won deals, annualrevenue the customer's turnover.
ACCOUNT_FIELDS = {
    "name": "name", "tier": "cx_tier", "product_tier": "cx_product_tier", "lifecycle_stage": "lifecyclestage", "deal_value": "total_revenue",
    "renewal_date": "cx_renewal_date", "contract_status": "cx_contract_status", "purchases": "", "open_cases": "cx_open_cases",
    "annual_revenue": "annualrevenue", "owner": "hubspot_owner_id",
}  # fmt: skip
STAGES = {"new": "1", "pending": "2", "open": "3", "closed": "4"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}\Z")


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml.

    `portal_id` and `app_id` are learnt from records and from the token where they are not given, at one more call at a start.
    `case_fields`, `contact_fields`, `company_fields` name the properties that Caseline writes, `account_fields` those of the company that facts are read from;
    "" switches one off. `copies` name the contact's properties that HubSpot keeps equal to its company's, by the same words as `account_fields`.
    `priorities` maps a band, `tiers` the portal's own words to ours, `stages` a status (new, pending, open, closed) to the id of a stage of `pipeline`;
    `closed_stages` are all that mean closed. `queues` and `owners` map to ids of HubSpot owners. `notes` is field (one property of the ticket, two calls for
    any number of notes) or activity (notes in the ticket's timeline, up to four). `comments` are the activities that are read as what agents said.
    `association_types` are HubSpot's ids of kinds of association, `phone_country_code` ("44") reads numbers stored without one,
    `currency` is what total_revenue is in. `overlap_seconds` is how late HubSpot's search may show a change.
    """

    instance_url: str = "https://api.hubapi.com"
    app_url: str = "https://app.hubspot.com"
    objects_path: str = "/crm/v3/objects"
    properties_path: str = "/crm/v3/properties"
    associations_path: str = "/crm/v4/associations"
    pipelines_path: str = "/crm/v3/pipelines"
    token_path: str = "/oauth/v1/token"
    portal_id: str = ""
    app_id: str = ""
    case_fields: Mapping[str, str] = field(default_factory=lambda: dict(CASE_FIELDS))
    contact_fields: Mapping[str, str] = field(default_factory=lambda: dict(CONTACT_FIELDS))
    company_fields: Mapping[str, str] = field(default_factory=lambda: dict(COMPANY_FIELDS))
    account_fields: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_FIELDS))
    copies: Mapping[str, str] = field(default_factory=lambda: {fact: f"cx_account_{fact}" for fact, name in ACCOUNT_FIELDS.items() if name})
    tiers: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "URGENT", "P2": "HIGH", "P3": "MEDIUM", "P4": "LOW"})
    pipeline: str = "0"
    stages: Mapping[str, str] = field(default_factory=lambda: dict(STAGES))
    closed_stages: tuple[str, ...] = ()
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    association_types: Mapping[str, int] = field(default_factory=lambda: {"contact": 16, "company": 26, "note": 228})
    notes: str = "field"
    comments: tuple[str, ...] = ("notes", "emails")
    currency: str = ""
    phone_country_code: str = ""
    overlap_seconds: int = 120
    max_filter_groups: int = 5

    def is_closed(self, stage: str) -> bool:
        return self.status(stage) == CLOSED

    def status(self, stage: str) -> str:
        return status_of(stage, (self.stages["closed"], *self.closed_stages), (self.stages["pending"],))

    def assignee(self, owner: str, queue: str) -> str:
        """The id of the HubSpot owner of a person or, failing that, of a queue; "" for none."""
        return self.owners.get(owner) or self.queues.get(queue) or ""


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_fields(Settings, "hubspot", given)
    groups = (settings.case_fields, settings.contact_fields, settings.company_fields, settings.account_fields, settings.copies)
    names = (name for group in groups for name in group.values())
    check_names(names, _NAME.match, "no property; write its internal name, such as cx_tier")
    check_case_key(settings.case_fields)
    check_choice("notes", settings.notes, ("field", "activity"))
    if not set(settings.comments) <= {"notes", "emails"}:
        raise ConfigError("crm.comments: write notes, emails or both")
    return settings
