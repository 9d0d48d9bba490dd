"""Settings of the Freshdesk adapter: which account, which fields, which values. The door reads them too, to understand webhooks: nothing heavy here."""

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

CASE_FIELDS = {name: f"cf_cx_{name}" for name in (*OF_CASES, "notes", "saved_at")}
# Of a company; what Freshdesk has itself stands beside its custom fields.
NATIVE = frozenset({"account_tier", "health_score", "industry", "renewal_date"})
ACCOUNT_FIELDS = {
    "tier": "account_tier", "renewal_date": "renewal_date", "deal_value": "cx_deal_value", "currency": "cx_currency", "contract_status": "cx_contract_status",
    "product_tier": "cx_product_tier", "lifecycle_stage": "cx_lifecycle", "purchases": "cx_purchases", "annual_revenue": "cx_annual_revenue",
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}\Z")


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml.

    `case_fields` are ticket fields, `contact_fields` and `account_profile` custom fields of contacts and companies that Caseline writes, `account_fields`
    those of the company that facts are read from; "" switches one off. `priorities` maps a band, `statuses` open and closed to what is set,
    `closed_statuses` are all that mean closed, `closing` what else is set then, where the account demands it. `tiers` maps the account's own words to ours.
    `queues` map to ids of groups, `owners` to ids of agents. `user_id` is the agent who Caseline is, asked for once where it is not given.
    `source` is where tickets come from, `tag` marks them; `stranger` is the external id of the contact that stands for customers whom Freshdesk does not know,
    `ticket_type` is set where the account demands one. `lag_seconds` is how late Freshdesk's search may be, `overlap_seconds` how late its lists,
    `echo_seconds` how long after our own write a record may say that it was changed. `rate_window` is that of the account's limit, in seconds.
    `contacts_since` is the parameter by which contacts are listed that changed since, "" where they are not to be watched.
    `count_cases` has the open tickets of an account counted, at a call more for each look-up: no other answer of Freshdesk's tells their number.
    `companies` also looks for companies that changed, a page at each reading.
    """

    instance_url: str = ""
    case_fields: Mapping[str, str] = field(default_factory=lambda: dict(CASE_FIELDS))
    contact_fields: Mapping[str, str] = field(default_factory=lambda: {name: f"cx_{name}" for name in (*OF_CONTACTS, "saved_at")})
    account_profile: Mapping[str, str] = field(default_factory=lambda: {name: f"cx_{name}" for name in (*OF_ACCOUNTS, "saved_at")})
    account_fields: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_FIELDS))
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "4", "P2": "3", "P3": "2", "P4": "1"})
    statuses: Mapping[str, int] = field(default_factory=lambda: {OPEN: 2, CLOSED: 4})
    closed_statuses: tuple[str, ...] = ("4", "5", "resolved", "closed")
    pending_statuses: tuple[str, ...] = ("3", "6", "7", "pending")
    closing: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    user_id: str = ""
    source: int = 2
    tag: str = "caseline"
    ticket_type: str = ""
    stranger: str = "caseline-stranger"
    currency: str = ""
    phone_country_code: str = ""
    lag_seconds: int = 3_600
    overlap_seconds: int = 120
    echo_seconds: float = 0.9
    rate_window: int = 3_600
    contacts_since: str = "_updated_since"
    companies: bool = True
    count_cases: bool = False

    def status(self, status: Any) -> str:
        """Of a number or a name."""
        return status_of(str(status).lower(), self.closed_statuses, self.pending_statuses)


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_fields(Settings, "freshdesk", given)
    groups = (settings.case_fields, settings.contact_fields, settings.account_profile, settings.account_fields)
    check_names((name for group in groups for name in group.values()), _NAME.match, "no field; write its name, such as cf_cx_score")
    check_case_key(settings.case_fields)
    return settings
