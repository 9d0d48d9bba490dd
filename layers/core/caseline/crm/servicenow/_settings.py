"""Settings of the ServiceNow adapter: which tables, which fields, which values. The door reads them too: nothing heavy here.

States, priorities and resolution codes are an instance's own data: the defaults are those of a new one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import check_names
from caseline.crm._settings import read_settings as read_fields
from caseline.crm._words import Words, status_of
from caseline.errors import ConfigError

CASE_FIELDS = {name: f"u_cx_{name}" for name in OF_CASES if name != "case_key"}
ACCOUNT_PROFILE = {name: f"u_cx_{name}" for name in OF_ACCOUNTS}
CONTACT_PROFILE = {name: f"u_cx_{name}" for name in OF_CONTACTS}
# Of the account; dots walk along references.
FACT_FIELDS = {
    "name": "name", "tier": "u_cx_tier", "product_tier": "u_cx_product_tier", "lifecycle_stage": "u_cx_lifecycle", "annual_revenue": "revenue_per_year",
    "owner": "contact.name",
}  # fmt: skip
CONTRACT_FIELDS = {"account": "account", "ends": "ends", "state": "state", "value": "total_cost"}
STATES = {"new": "1", "open": "10", "pending": "18", "closed": "3"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}(\.[a-z][a-z0-9_]{0,79}){0,3}\Z")


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml.

    `user` is the login name of our own user there, whose writes are no news; it is taken from the secret where that has one.
    `case_fields`, `contact_profile`, `account_profile` name the fields Caseline writes, `fact_fields` those of the account that facts are read from,
    `contract_fields` those of the contracts; "" switches one off, as it does a whole table. `case_key` is correlation_id, or a field of yours.
    Who serves consumers sets `contact_table` to csm_consumer, `contact_reference` (the field of a case that names one) to consumer, and `phone_fields`.
    `states` maps new, open, pending and closed, `closed_states` are all that mean closed, `closing` is written with it (resolution code and notes).
    `queues` maps a queue to the sys_id of an assignment group, `owners` an owner to that of a user, `tiers` the instance's words to ours.
    `currency` is what contracts are in, `phone_country_code` ("44") reads numbers stored without one. `overlap` is in seconds.
    """

    instance_url: str = ""
    token_path: str = "/oauth_token.do"
    user: str = ""
    case_table: str = "sn_customerservice_case"
    contact_table: str = "customer_contact"
    account_table: str = "customer_account"
    contract_table: str = "ast_contract"
    purchase_table: str = "sn_install_base_sold_product"
    case_key: str = "correlation_id"
    display: str = "caseline"
    case_fields: Mapping[str, str] = field(default_factory=lambda: dict(CASE_FIELDS))
    contact_profile: Mapping[str, str] = field(default_factory=lambda: dict(CONTACT_PROFILE))
    account_profile: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_PROFILE))
    fact_fields: Mapping[str, str] = field(default_factory=lambda: dict(FACT_FIELDS))
    contract_fields: Mapping[str, str] = field(default_factory=lambda: dict(CONTRACT_FIELDS))
    contact_reference: str = "contact"
    phone_fields: tuple[str, ...] = ("phone", "mobile_phone")
    handles_field: str = "u_cx_handles"
    customer_key_field: str = "u_cx_customer_key"
    tiers: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "1", "P2": "2", "P3": "3", "P4": "4"})
    states: Mapping[str, str] = field(default_factory=lambda: dict(STATES))
    closed_states: tuple[str, ...] = ("3", "6", "7")
    closing: Mapping[str, str] = field(default_factory=lambda: {"resolution_code": "3", "close_notes": "Closed by Caseline"})
    active_contracts: tuple[str, ...] = ("active",)
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    contact_type: str = "web"
    currency: str = ""
    phone_country_code: str = ""
    overlap: int = 120

    def status(self, state: str) -> str:
        return status_of(state, (*self.closed_states, self.states["closed"]), (self.states["pending"],))


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_fields(Settings, "servicenow", given)
    groups = (settings.case_fields, settings.contact_profile, settings.account_profile, settings.fact_fields, settings.contract_fields)
    tables = (settings.case_table, settings.contact_table, settings.account_table, settings.contract_table, settings.purchase_table)
    single = (settings.case_key, settings.contact_reference, settings.handles_field, settings.customer_key_field)
    names = [*(name for group in groups for name in group.values()), *tables, *settings.closing, *settings.phone_fields, *single]
    check_names(names, _NAME.match, "no name of a table or field; write it as in the dictionary, such as u_cx_tier")
    if not (settings.case_key and settings.case_table and settings.contact_table and settings.phone_fields):
        raise ConfigError("crm: case_key, case_table, contact_table and phone_fields cannot be left out")
    return settings
