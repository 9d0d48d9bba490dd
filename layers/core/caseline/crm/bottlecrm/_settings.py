"""Settings of the BottleCRM adapter: where it is, which custom fields, which values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm import CLOSED, OPEN
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import check_case_key, check_names
from caseline.crm._settings import read_settings as read_fields
from caseline.crm._words import Words, status_of

CASE_FIELDS = {name: f"cx_{name}" for name in (*OF_CASES, "notes")}
# Facts that BottleCRM has no field of its own for.
ACCOUNT_FIELDS = {
    "tier": "cx_tier", "product_tier": "cx_product_tier", "lifecycle_stage": "cx_lifecycle", "renewal_date": "cx_renewal_date",
    "contract_status": "cx_contract_status",
}  # fmt: skip
HANDLE_FIELDS = {"x": "cx_x", "x:@": "cx_x_handle", "facebook": "cx_facebook", "instagram": "cx_instagram", "whatsapp": "cx_whatsapp"}
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml.

    `instance_url` is the API's address, `app_url` that of the web client where it is another. `case_fields`, `contact_fields` and `account_profile` are
    the keys of the custom fields that Caseline writes, `account_fields` those of the account that facts are read from; "" switches one off.
    `handle_fields` has, by namespace ("x", or "x:@" for names with an @), the contact's custom field that holds that one id: BottleCRM finds custom fields
    by their whole value only. `priorities` maps a band, `statuses` new, open and closed to what is set; `closed_statuses` are all that mean closed,
    `pending_statuses` waiting for the customer. `tiers` maps the CRM's own words to ours, `owners` and `queues` to ids of profiles.
    `overlap_seconds` is how late an activity may show.
    """

    instance_url: str = ""
    app_url: str = ""
    case_fields: Mapping[str, str] = field(default_factory=lambda: dict(CASE_FIELDS))
    contact_fields: Mapping[str, str] = field(default_factory=lambda: {name: f"cx_{name}" for name in ("handles", "customer_key", *OF_CONTACTS)})
    account_profile: Mapping[str, str] = field(default_factory=lambda: {name: f"cx_{name}" for name in OF_ACCOUNTS})
    account_fields: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_FIELDS))
    handle_fields: Mapping[str, str] = field(default_factory=lambda: dict(HANDLE_FIELDS))
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "Urgent", "P2": "High", "P3": "Normal", "P4": "Low"})
    statuses: Mapping[str, str] = field(default_factory=lambda: {"new": "New", OPEN: "Assigned", CLOSED: "Closed"})
    closed_statuses: tuple[str, ...] = ("Closed", "Rejected", "Duplicate")
    pending_statuses: tuple[str, ...] = ("Pending",)
    tiers: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    overlap_seconds: int = 120

    def status(self, status: str) -> str:
        return status_of(status, self.closed_statuses, self.pending_statuses)

    def handle_field(self, identity: str) -> tuple[str, str]:
        """The custom field in which this identity stands alone, and how; ("", "") where there is none."""
        namespace, _, native = identity.partition(":")
        named = self.handle_fields.get(f"{namespace}:@", "") if native.startswith("@") else ""
        return (named or self.handle_fields.get(namespace, ""), native) if named or self.handle_fields.get(namespace) else ("", "")


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_fields(Settings, "bottlecrm", given)
    groups = (settings.case_fields, settings.contact_fields, settings.account_profile, settings.account_fields, settings.handle_fields)
    check_names((name for group in groups for name in group.values()), _KEY.match, "no custom field; write its key, such as cx_tier")
    check_case_key(settings.case_fields)
    return settings
